/*
 * stage - the door's way through one stage of the engine: run it, hold the
 * reply back for as long as a rule says (`delay`), and refuse at once what an
 * `early` rule refuses. Called by session, mail and data; owns the session's
 * timer for a delay.
 */
#include <stdio.h>

#include "base/must.h"
#include "smtp/session.h"

/* All delays of one mail together: less than what RFC 5321 4.5.3.2 lets a
 * client wait for one reply. */
#define DELAYS_MAX_MS 240000

static void
on_delay_over(evutil_socket_t fd, short what, void *arg)
{
	struct session *s = arg;

	(void)fd;
	(void)what;
	s->delay_over = true;
	session_advance(s);
}

/* True when the reply has to wait. */
static bool
begin_delay(struct session *s, uint64_t ms)
{
	struct timeval tv;

	if (ms > DELAYS_MAX_MS - s->delayed_ms)
		ms = DELAYS_MAX_MS - s->delayed_ms;
	if (ms == 0)
		return false;
	s->delayed_ms += ms;
	s->delaying = true;
	s->delay_over = false;
	tv = (struct timeval){ .tv_sec = (time_t)(ms / 1000),
		.tv_usec = (suseconds_t)(ms % 1000 * 1000) };
	event_assign(
	    &s->delay, loop_base(s->smtp->loop), -1, 0, on_delay_over, s);
	must(event_add(&s->delay, &tv) == 0);
	return true;
}

void
stage_cancel(struct session *s)
{
	if (s->delaying)
		(void)event_del(&s->delay); /* assigned: cannot fail */
	s->delaying = false;
}

bool
stage_done(struct session *s, struct transaction *t, enum stage stage)
{
	if (s->delaying) {
		s->delaying = !s->delay_over;
		return !s->delaying;
	}
	if (engine_run(s->smtp->engine, t, stage) == ENGINE_PENDING)
		return false;
	return !begin_delay(s, t->delay_ms);
}

/* A banner's code is 554 or 421, without an enhanced status (RFC 5321 3.1,
 * RFC 2034 4). Behind 421 the connection is closed; behind 554 the client may
 * say QUIT. */
void
stage_refuse_connection(struct session *s)
{
	const struct verdict *v = &s->base->early;
	bool later = v->action == VERDICT_TEMPFAIL;
	uint16_t code = later ? 421 : 554;

	(void)buf_printf(&s->wire.out, "%u %s %.*s [ref %s]\r\n", code,
	    s->smtp->conf->hostname, PN_STR_ARG(v->reply.text), s->base->id);
	record_early(s->smtp->engine, s->base, code);
	shape_early(s, s->base, code);
	count_refused(&s->smtp->count, REFUSED_BY_RULES);
	s->turned_away = true;
	s->state = SESSION_COMMAND;
	if (later)
		session_hang_up(s);
}

void
stage_refuse(struct session *s, struct transaction *t)
{
	const struct reply *r = &t->early.reply;

	session_refuse(s, t, r);
	record_early(s->smtp->engine, t, r->code);
	shape_early(s, t, r->code);
	count_refused(&s->smtp->count, REFUSED_BY_RULES);
	s->state = SESSION_COMMAND;
}
