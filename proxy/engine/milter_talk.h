/*
 * milter_talk - what one session tells one milter, and what it answers: which
 * callbacks are due, which the milter wants, what each answer ends. A talk is
 * one SMTP session's with one milter and may see many mails; its link comes
 * and goes below it.
 *
 * Made, run and freed by milters.c. RFC: none; Postfix's milter8.c and
 * Sendmail's libmilter are what milters are written for, and where the two
 * differ this does as Postfix.
 */
#ifndef ENGINE_MILTER_TALK_H
#define ENGINE_MILTER_TALK_H

#include <sys/queue.h>

#include "engine/milter_link.h"
#include "mail/transaction.h"

/* What a milter wants done: with the session, a mail or a recipient. */
enum milter_action {
	MILTER_SAYS_CONTINUE, /* has no objection, so far */
	MILTER_SAYS_ACCEPT,   /* ... and wants to hear no more */
	MILTER_SAYS_REJECT,
	MILTER_SAYS_TEMPFAIL,
	MILTER_SAYS_DISCARD
};

struct milter_word {
	enum milter_action action;
	struct reply reply; /* REJECT, TEMPFAIL */
};

/* A change of the message or its envelope, in the order of the answers. */
struct milter_change {
	STAILQ_ENTRY(milter_change) next;
	enum milter_answer what;
	uint32_t index;
	struct pn_str name, value; /* as struct milter_said */
};
STAILQ_HEAD(milter_changes, milter_change);

struct milter_lines;
struct field;

/* What came of one mail. In the mail's arena, but for the body. */
struct milter_mail {
	struct milter_word word;      /* about the whole of it */
	struct milter_word rcpt;      /* about the recipient told last */
	bool failed;                  /* no answer: on unavailable says what
					 follows; why is in the log */
	bool timed_out;
	char why[160];
	struct milter_changes changes;
	struct milter_lines *body;    /* instead of the message's; NULL: none */
	bool quarantine;
	struct pn_str reason;         /* of the quarantine, or "" */
};

struct milter_talk;

/* hostname: what the MTA calls itself; all borrowed. */
struct milter_talk *milter_talk_new(struct milter_links *,
    const struct milter_peer *, const char *hostname);
/* The session is over. Nothing may be under way (cancel). */
void milter_talk_free(struct milter_talk *);

/*
 * Tell what is due at this stage, and before it what was not told yet of the
 * session. At rcpt: of t->rcpt. At the message: transaction_message(t). True:
 * all is told and answered. False: wake comes from the loop; call again.
 */
bool milter_talk_run(struct milter_talk *, struct transaction *, enum stage,
    milter_link_wake *, void *arg);
/* The client left while something was under way: no wake follows, and the
 * milter sees the connection close. */
void milter_talk_cancel(struct milter_talk *);
/* The mail is over, taken or not; the next one may begin. */
void milter_talk_end_mail(struct milter_talk *);

/* About all mails of the session; its reply lives as long as the talk. */
const struct milter_word *milter_talk_session(const struct milter_talk *);
/* Of the mail at hand: valid until its end. */
const struct milter_mail *milter_talk_mail(const struct milter_talk *);
/* READY or was: header values come and go with their leading blank. */
bool milter_talk_has_leading_space(const struct milter_talk *);

/*
 * milter_macros.c: what a milter is told by name before a callback: names and
 * values by turns; how many strings. names: NULL-terminated, or NULL: as
 * Postfix. asked: what the milter named itself, or .p NULL.
 */
size_t milter_macros(const struct transaction *, const char *hostname,
    enum milter_list, const char *const *names, struct pn_str asked,
    struct pn_str out[2 * MILTER_MACROS_MAX]);

/*
 * milter_tell.c: one callback with what it tells, or why that cannot be told;
 * NULL: it is put.
 */
const char *milter_tell_macros(struct buf *, enum milter_command of,
    const struct pn_str *, size_t n);
const char *milter_tell_strings(struct buf *, enum milter_command,
    const struct pn_str *, size_t n);
const char *milter_tell_connect(struct buf *, const struct transaction *);
/* "<path>" and each parameter, for MAIL and RCPT. */
const char *milter_tell_path(struct buf *, enum milter_command, struct arena *,
    struct pn_str path, struct pn_str params);
const char *milter_tell_field(struct buf *, struct spool *,
    const struct field *, bool leading_space);
/* What follows *at, which moves on: as many bytes as a milter takes. */
const char *milter_tell_body(struct buf *, struct spool *, size_t *at);

/* milter_message.c: a message as a milter's changes leave it. */

/* Text that becomes lines of a message: CRLF ends them, whatever the milter
 * wrote. */
struct milter_lines {
	struct spool *to;
	bool cr;  /* the last byte was one */
	bool mid; /* in the middle of a line */
};
int milter_lines_add(struct milter_lines *, struct pn_str, struct error *e);
int milter_lines_end(struct milter_lines *, struct error *e);

/* A name of a header field that can be written. */
bool milter_is_field_name(struct pn_str);
/*
 * A new spool of the same pool: `from` with its header changed and, where
 * there is one, body instead of its own. NULL and *e: no room, or a header
 * beyond all measure.
 */
struct spool *milter_message(struct spool *from,
    const struct milter_changes *, struct spool *body, bool leading_space,
    struct error *e);

/* milter_apply.c: does it change the message or its envelope? */
bool milter_changes_any(const struct milter_mail *);
/* All that the milter changed, into t->onward and t->changed, or nothing. -1
 * and *e: it cannot be done. */
int milter_apply(struct transaction *, const struct milter_talk *,
    struct error *e);

#endif
