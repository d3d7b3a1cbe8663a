/*
 * command - what the files of the commands share: command.c (the table and the
 * small ones), command_mail.c (MAIL and RCPT), command_identity.c (XCLIENT and
 * XFORWARD), auth.c, etrn.c, starttls.c.
 *
 * check looks at syntax and limits, replies and says false; do runs after it
 * and says in which state the session goes on.
 */
#ifndef SMTP_COMMAND_H
#define SMTP_COMMAND_H

#include "smtp/session.h"

/* What a command needs to have happened. */
enum need {
	NEED_NOTHING,
	NEED_NO_MAIL, /* XCLIENT */
	NEED_HELO,    /* and no mail under way */
	NEED_MAIL,    /* and nothing of the message yet */
};

/* Is it the time for such a command? 503 is said otherwise. */
bool command_in_order(struct session *, enum need);
/* What is known of the next hop: as EHLO offered it, or before EHLO. */
const struct keywords *command_keywords(const struct session *);

bool command_check_mail(struct session *, struct pn_str arg);
void command_do_mail(struct session *, struct pn_str arg);
bool command_check_rcpt(struct session *, struct pn_str arg);
void command_do_rcpt(struct session *, struct pn_str arg);

bool command_check_starttls(struct session *, struct pn_str arg);
void command_do_starttls(struct session *, struct pn_str arg);

/* May this client tell for whom it speaks, in that way? */
bool command_may_identify(const struct session *, enum smtp_identity);
bool command_check_xclient(struct session *, struct pn_str arg);
void command_do_xclient(struct session *, struct pn_str arg);
bool command_check_xforward(struct session *, struct pn_str arg);
void command_do_xforward(struct session *, struct pn_str arg);

#endif
