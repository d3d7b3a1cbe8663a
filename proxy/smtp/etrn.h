/*
 * etrn - ETRN (RFC 1985): the client asks for what is queued for it. That
 * queue is the next hop's, and so is the answer, word for word. Called by the
 * commands; its two states are session's.
 */
#ifndef SMTP_ETRN_H
#define SMTP_ETRN_H

#include "smtp/session.h"

/* Has the next hop queues that it could be asked for? */
bool etrn_is_offered(const struct session *);
bool etrn_check(struct session *, struct pn_str arg);
void etrn_do(struct session *, struct pn_str arg);

enum turn session_etrn(struct session *);
enum turn session_etrn_answer(struct session *);

#endif
