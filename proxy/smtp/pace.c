/* pace - see pace.h. */
#include "smtp/session.h"

static uint64_t
now_ms(const struct session *s)
{
	return loop_now_ms(s->smtp->loop);
}

static const struct smtp_limits *
limits(const struct session *s)
{
	return &s->smtp->conf->limits;
}

void
pace_begin(struct session *s)
{
	s->pace = (struct pace){ .since_ms = now_ms(s) };
}

/* ---- errors ---- */

static unsigned
owed(const struct session *s)
{
	unsigned from = s->pace.paid > limits(s)->soft_errors
	    ? s->pace.paid
	    : limits(s)->soft_errors;

	return s->errors > from ? s->errors - from : 0;
}

bool
pace_owes(const struct session *s)
{
	return limits(s)->soft_errors > 0 && limits(s)->error_sleep_ms > 0 &&
	    owed(s) > 0;
}

/* What is said waits in the buffer, and what else the client sent, too. */
enum turn
session_tarpit(struct session *s)
{
	if (!delay_wait(&s->delay, owed(s) * limits(s)->error_sleep_ms))
		return TURN_WAIT;
	count_limit(&s->smtp->count, LIMIT_SOFT_ERRORS);
	s->pace.paid = s->errors;
	s->state = SESSION_COMMAND;
	return TURN_AGAIN;
}

/* ---- time ---- */

bool
pace_line_is_late(struct session *s)
{
	struct pace *p = &s->pace;

	if (p->line_ms == 0)
		p->line_ms = now_ms(s);
	return now_ms(s) - p->line_ms >= s->smtp->conf->command_timeout_ms;
}

void
pace_line_came(struct session *s)
{
	s->pace.line_ms = 0;
}

bool
pace_session_is_over(const struct session *s)
{
	return limits(s)->session_ms > 0 && !s->mail &&
	    now_ms(s) - s->pace.since_ms >= limits(s)->session_ms;
}

/* ---- a message ---- */

/* Chunks of one message are one; one that nobody wants is one of its own. */
void
pace_data_begin(struct session *s)
{
	if (s->pace.data_ms != 0)
		return;
	s->pace.data_ms = now_ms(s);
	s->pace.bytes = 0;
}

void
pace_data_came(struct session *s, uint64_t n)
{
	s->pace.bytes += n;
}

bool
pace_data_is_slow(struct session *s)
{
	uint64_t ms;

	if (limits(s)->data_rate == 0 || s->pace.data_ms == 0)
		return false;
	ms = now_ms(s) - s->pace.data_ms;
	return ms > limits(s)->data_grace_ms &&
	    s->pace.bytes < limits(s)->data_rate * ms / 1000;
}

void
pace_data_end(struct session *s)
{
	s->pace.data_ms = 0;
}
