/*
 * stage - the door's way through one stage of the engine: run it, with the
 * delay that a rule wants, and refuse at once what an `early` rule refuses.
 * Called by session, mail and data.
 */
#include "smtp/session.h"

static void
on_delay_over(void *arg)
{
	session_advance(arg);
}

void
stage_open(struct session *s)
{
	delay_init(&s->delay, s->smtp->loop, on_delay_over, s);
}

bool
stage_done(struct session *s, struct transaction *t, enum stage stage)
{
	return delay_stage(
	    &s->delay, s->smtp->engine, t, stage, DELAYS_MAX_MS);
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
