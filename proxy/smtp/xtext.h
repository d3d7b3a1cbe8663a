/*
 * xtext - attribute values of XCLIENT and XFORWARD (RFC 3461 4: + and two hex
 * digits for what is no plain printable). Called by identity; owns nothing.
 */
#ifndef SMTP_XTEXT_H
#define SMTP_XTEXT_H

#include "base/arena.h"
#include "base/buf.h"

void xtext_put(struct buf *, struct pn_str);
/* Decoded into the arena. False: malformed, or the arena is at its cap. */
bool xtext_get(struct pn_str, struct arena *, struct pn_str *out);

#endif
