/*
 * auth - AUTH, relayed: the client logs in at the next hop, line by line,
 * through us. RFC 4954. Nothing of the exchange is kept or logged; what stays
 * is the name (sasl.h), as fact `login`, once the next hop said 235.
 *
 * A login belongs to the connection it was made on. That connection is the
 * session's from then on: EHLO is repeated there, nothing is dialled in its
 * place, and once it is lost so is the login: 421, log in again.
 *
 * States of session, called by it and by the commands; owns session's `login`.
 */
#ifndef SMTP_AUTH_H
#define SMTP_AUTH_H

#include "smtp/session.h"

/* May this client be offered AUTH, now? */
bool auth_is_offered(const struct session *);
/* May it send mail? False: `auth require`, and 530 is said. */
bool auth_allows(struct session *);

bool auth_check(struct session *, struct pn_str arg);
void auth_do(struct session *, struct pn_str arg);

/* HELO or EHLO of one who logged in: the next hop hears it too. */
void auth_hello(struct session *);
/* The next hop has gone, and the login with it? Then 421, nothing is dialled. */
bool auth_is_lost(const struct session *);
void auth_lost(struct session *);
/* The session is another's from now on (XCLIENT, STARTTLS): not logged in. The
 * caller frees the upstream. */
void auth_forget(struct session *);
/* An exchange under way is over. */
void auth_end(struct session *);

enum turn session_hello(struct session *);
enum turn session_auth(struct session *);
enum turn session_auth_answer(struct session *);
enum turn session_auth_response(struct session *);

#endif
