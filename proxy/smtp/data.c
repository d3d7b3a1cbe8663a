/*
 * data - the message: received into the spool, judged, and what follows from
 * the verdict. States of session. RFC 5321 4.1.1.4, 4.5.2, 4.5.3.
 *
 * Whatever is wrong with a message, it is read to its end before the answer:
 * a client that still sends would not read it.
 */
#include <stdio.h>

#include "base/fault.h"
#include "base/log.h"
#include "smtp/lmtp.h"

static void
set_fault(struct session *s, uint16_t code, const char *status, const char *text)
{
	if (s->fault.code != 0)
		return;
	s->fault = (struct reply){ .code = code, .text = pn_str_of(text) };
	(void)snprintf(s->fault.status, sizeof(s->fault.status), "%s", status);
	spool_free(s->t->spool);
	s->t->spool = NULL;
}

static void
short_of_room(struct session *s, const struct error *e)
{
	log_error(s->t->id, "spool", "why=\"%s\"", e->text);
	set_fault(s, 452, "4.3.1", "Insufficient system storage");
}

/* n bytes of message are at the front of the room. */
static void
commit(struct session *s, size_t n)
{
	struct error e;

	if (s->received == 0 && n > 0)
		FAULT("body");
	s->received += n;
	if (s->smtp->conf->message_size_limit > 0 &&
	    s->received > s->smtp->conf->message_size_limit)
		set_fault(s, 552, "5.3.4",
		    "Message size exceeds fixed limit");
	if (s->fault.code == 0 && spool_commit(s->t->spool, n, &e) < 0)
		short_of_room(s, &e);
}

/* Where the next bytes go: straight into the spool while it takes them. */
static char *
room(struct session *s, size_t *n)
{
	struct error e;
	char *at = NULL;

	if (s->fault.code == 0 &&
	    (at = spool_room(s->t->spool, n, &e)) == NULL)
		short_of_room(s, &e);
	if (at == NULL) {
		at = loop_scratch(s->smtp->loop);
		*n = LOOP_SCRATCH;
	}
	return at;
}

/* What came behind DATA in the same packet. */
static void
take_pipelined(struct session *s)
{
	while (buf_len(&s->wire.in) > 0 && !s->dot.ended) {
		size_t n, kept;
		char *at = room(s, &n);

		if (n > buf_len(&s->wire.in))
			n = buf_len(&s->wire.in);
		memcpy(at, buf_data(&s->wire.in), n);
		buf_drop(&s->wire.in, dot_feed(&s->dot, at, n, &kept));
		commit(s, kept);
	}
}

/* One recv(). False: the client has gone. What is behind the end of the
 * message goes to the commands. */
static bool
receive(struct session *s)
{
	size_t n, got, used, kept;
	char *at = room(s, &n);

	switch (wire_recv(&s->wire, at, n, &got)) {
	case WIRE_END:
		return false;
	case WIRE_NOTHING:
		return true;
	case WIRE_BYTES:
		break;
	}
	used = dot_feed(&s->dot, at, got, &kept);
	if (used < got)
		(void)buf_add(&s->wire.in, at + used, got - used);
	commit(s, kept);
	return true;
}

static enum turn
answer_fault(struct session *s)
{
	upstream_rset(s->up);
	session_reply(s, &s->fault);
	mail_done(s, s->fault.code);
	s->state = SESSION_COMMAND;
	return TURN_AGAIN;
}

static enum turn
received(struct session *s)
{
	FAULT("dot");
	if (s->dot.bare)
		set_fault(s, 550, "5.5.2",
		    "Error: bare CR or LF in the message");
	if (s->fault.code != 0)
		return answer_fault(s);
	if (s->dot.dotted)
		spool_set_dotted(s->t->spool);
	s->state = SESSION_FINDINGS;
	return TURN_AGAIN;
}

enum turn
session_data(struct session *s)
{
	if (s->timed_out) {
		shape_left(s, "timeout");
		session_say(s, 421, "4.4.2", "%s Error: timeout exceeded",
		    s->smtp->conf->hostname);
		session_hang_up(s);
		return TURN_AGAIN;
	}
	take_pipelined(s);
	if (s->readable && !s->dot.ended) {
		s->readable = false;
		if (!receive(s))
			return session_leave(s);
	}
	if (s->dot.ended)
		return received(s);
	return session_wait(s, s->smtp->conf->data_timeout_ms);
}

/* ---- the verdict ---- */

void
mail_done(struct session *s, uint16_t code)
{
	if (code != 0)
		lmtp_repeat(s);
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
		if (s->t->copy.action == VERDICT_QUARANTINE)
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
