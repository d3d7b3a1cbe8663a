/*
 * data - the message: received up to its dot, judged, and what follows from
 * the verdict. States of session. RFC 5321 4.1.1.4, 4.5.2.
 */
#include "smtp/lmtp.h"
#include "smtp/route.h"

enum turn
session_data(struct session *s)
{
	size_t used;

	if (s->timed_out)
		return intake_timed_out(s);
	(void)intake_pipelined(s, UINT64_MAX);
	if (s->readable && !s->dot.ended) {
		s->readable = false;
		if (!intake_receive(s, UINT64_MAX, &used))
			return session_leave(s);
	}
	if (s->dot.ended)
		return intake_end(s);
	return intake_wait(s);
}

/* ---- the verdict ---- */

void
mail_done(struct session *s, uint16_t code)
{
	if (code != 0)
		lmtp_repeat(s);
	mail_name_next_hop(s);
	record_message(s->t, s->received, code);
	shape_message(s, code);
	count_message(&s->smtp->count, s->t->verdict.action, code,
	    s->received);
	engine_summarise(s->smtp->engine, s->t, code);
	if (code / 100 == 2) {
		s->messages++;
		s->junk = 0;
		s->smtp->all_messages++;
	}
	s->mail = false; /* recorded */
	mail_end(s);
}

static void
refuse(struct session *s)
{
	const struct reply *r = &s->t->verdict.reply;
	uint16_t code = r->code;

	upstream_rset(s->up);
	session_refuse(s, s->t, r);
	mail_done(s, code);
	s->state = SESSION_COMMAND;
}

/* The client is told what it would be told had it been taken. */
static void
discard(struct session *s)
{
	upstream_rset(s->up);
	session_say(s, 250, "2.0.0", "Ok: queued as %s", s->t->id);
	mail_done(s, 250);
	s->state = SESSION_COMMAND;
}

void
pass_start(struct session *s)
{
	if (s->hop->conf->maildir != NULL)
		deliver_start(s);
	else
		relay_start(s);
}

enum turn
session_findings(struct session *s)
{
	if (!stage_done(s, s->t, STAGE_MESSAGE))
		return session_wait_elsewhere(s);
	switch (s->t->verdict.action) {
	case VERDICT_ACCEPT:
	case VERDICT_TAG:
	case VERDICT_REDIRECT:
		if (!route_serves_added(s))
			relay_added_refused(s,
			    PN_STR_V("its route is another"));
		else if (s->t->copy.action == VERDICT_QUARANTINE)
			copy_start(s);
		else
			pass_start(s);
		break;
	case VERDICT_DISCARD:
		discard(s);
		break;
	case VERDICT_QUARANTINE:
		hold_start(s);
		break;
	case VERDICT_TEMPFAIL:
	case VERDICT_REJECT:
		refuse(s);
		break;
	}
	return TURN_AGAIN;
}
