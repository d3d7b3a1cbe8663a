/* stage - where a session is when something is known or decided (design: five
 * stages). In order; a later one knows all that an earlier one knew. */
#ifndef MAIL_STAGE_H
#define MAIL_STAGE_H

enum stage { STAGE_CONNECT, STAGE_HELO, STAGE_MAIL, STAGE_RCPT, STAGE_MESSAGE };
#define STAGES 5

static inline const char *
stage_name(enum stage s)
{
	static const char *const names[STAGES] = { "connect", "helo", "mail",
		"rcpt", "message" };

	return names[s];
}

#endif
