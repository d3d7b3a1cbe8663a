/*
 * starttls - TLS towards clients: the command, the handshake and what follows
 * from it (RFC 3207, 8314). Called by listener, session and command; owns nothing.
 */
#ifndef SMTP_STARTTLS_H
#define SMTP_STARTTLS_H

#include "smtp/session.h"

/* The contexts of all listeners; one that cannot be made answers 454. */
void starttls_open(struct smtp *);
void starttls_close(struct smtp *);

/* Does EHLO offer it now? */
bool starttls_offered(const struct session *);
/* This listener wants TLS before that verb: 530 was said. */
bool starttls_refuses(struct session *, struct pn_str verb);
/* A session of a listener that is wrapped: the handshake comes first. */
void starttls_wrap(struct session *);

#endif
