/*
 * command - what the files of the commands share: command.c (the table and the
 * small ones), command_mail.c (MAIL and RCPT), command_identity.c (XCLIENT and
 * XFORWARD).
 *
 * check() looks at syntax and limits, replies and says false; do() runs after
 * it and says in which state the session goes on.
 */
#ifndef SMTP_COMMAND_H
#define SMTP_COMMAND_H

#include "smtp/session.h"

bool command_check_mail(struct session *, struct pn_str arg);
void command_do_mail(struct session *, struct pn_str arg);
bool command_check_rcpt(struct session *, struct pn_str arg);
void command_do_rcpt(struct session *, struct pn_str arg);

bool command_check_xclient(struct session *, struct pn_str arg);
void command_do_xclient(struct session *, struct pn_str arg);
bool command_check_xforward(struct session *, struct pn_str arg);
void command_do_xforward(struct session *, struct pn_str arg);

#endif
