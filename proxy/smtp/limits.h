/*
 * limits - what a client may ask of us, and how often: by its net, over all
 * workers (base/crowd.h), and of one session. Each ends in a reply, a line in
 * the log and a count; none in silence.
 *
 * Clients of mynetworks, hosts that may say for whom they speak, and
 * limit_exceptions are not counted by net (Postfix's
 * smtpd_client_event_limit_exceptions). Called by listener, session and its
 * states.
 */
#ifndef SMTP_LIMITS_H
#define SMTP_LIMITS_H

#include "smtp/session.h"

/* A client that was just accepted. Takes what is its of the crowd; false: it
 * may not stay, and *say (of size) is what it hears. */
bool limits_admit(struct listener *, int fd, const struct sockaddr *,
    struct crowd_hold *, char *say, size_t size);
/* It told who its client is (XCLIENT, PROXY): from here on that one counts.
 * False: there are too many of it; that is said, and the session ends. */
bool limits_client(struct session *);

/* Too many errors, too much of what leads nowhere, or too long between mails?
 * True: that was said, and the session ends. */
bool limits_ended(struct session *);

/* Is it one that limits do not count? */
bool limits_except(const struct smtp *, const struct peer *);

/* MAIL, RCPT, AUTH, a TLS handshake: once more in this time. False: that is
 * too often; it was said. */
bool limits_mail(struct session *);
bool limits_rcpt(struct session *);
bool limits_auth(struct session *);
bool limits_tls(struct session *);
/* Any command; the session ends with it. */
bool limits_command(struct session *);

/* One recipient more than a message may have: said. */
void limits_recipients(struct session *);
/* More of a message is waited for. False: it comes too slowly. */
bool limits_data(struct session *);
/* The message is here: what its header and lines lead to is its fault. */
void limits_message(struct session *);

#endif
