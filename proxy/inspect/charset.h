/*
 * charset - text of a declared charset as UTF-8. UTF-8, US-ASCII, ISO-8859-1,
 * windows-1252 and UTF-16 by our own code; others are not read (yet): their
 * ASCII is kept, the rest becomes U+FFFD, and the caller is told.
 *
 * What is declared as US-ASCII or ISO-8859-1 is read as windows-1252, as
 * every mail reader does (WHATWG Encoding). Pure; the arena owns the result.
 */
#ifndef INSPECT_CHARSET_H
#define INSPECT_CHARSET_H

#include "base/arena.h"
#include "base/buf.h"
#include "filters/pn_str.h"

/* Appends s as UTF-8 to out; at most 3 bytes a byte of s. */
typedef void charset_reader(struct pn_str s, struct buf *out);

/* How a charset is read, by its MIME name in any case; NULL: it is not. */
charset_reader *charset_find(struct pn_str name);
/* For what charset_find() does not know. */
charset_reader charset_ascii_only;
/* For text without a charset: UTF-8 where it is that, else windows-1252. */
charset_reader charset_guess;

#endif
