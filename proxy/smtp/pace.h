/*
 * pace - how fast and how long: what a session may take of time, and what it
 * is made to wait. One a session, in it; times are loop_now_ms()'s.
 *
 * Nobody waits for another's tarpit: it is a state with a timer. A client that
 * sends a byte now and then is measured by the line and by the message, not by
 * the byte. Postfix: smtpd_soft_error_limit, smtpd_error_sleep_time,
 * smtpd_per_request_deadline, smtpd_min_data_rate.
 */
#ifndef SMTP_PACE_H
#define SMTP_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct session;

struct pace {
	uint64_t since_ms; /* the session began */
	uint64_t line_ms;  /* a command is waited for; 0: not yet */
	uint64_t data_ms;  /* a message, or a chunk; 0: none has begun */
	uint64_t bytes;    /* of that, as they came */
	unsigned paid;     /* errors that were waited for */
	unsigned overshoot; /* recipients behind the limit */
};

void pace_begin(struct session *);

/* Errors past the soft limit that have not been waited for: TARPIT is due. */
bool pace_owes(const struct session *);

/* No whole line is here. True: the time for it is over. */
bool pace_line_is_late(struct session *);
/* A line came. */
void pace_line_came(struct session *);
/* Between mails: has it lasted as long as it may? */
bool pace_session_is_over(const struct session *);

/* A message begins, or its next chunk. */
void pace_data_begin(struct session *);
/* n bytes of it came. */
void pace_data_came(struct session *, uint64_t n);
/* More is to come: at this pace, too late? */
bool pace_data_is_slow(struct session *);
/* The mail is over. */
void pace_data_end(struct session *);

#endif
