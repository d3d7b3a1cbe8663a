/*
 * intake - the bytes of a message into the spool, whichever way they come:
 * DATA (data.c) or BDAT (chunk.c). Limits, faults, and what an end leads to.
 * Part of session. RFC 5321 4.5.2, 4.5.3; RFC 1870; RFC 3030.
 *
 * Whatever is wrong with a message, it is read to its end (or its chunk's)
 * before the answer: a client that still sends would not read it.
 */
#include <stdio.h>

#include "base/fault.h"
#include "base/log.h"
#include "smtp/limits.h"
#include "smtp/normal.h"

void
intake_start(struct session *s)
{
	FAULT("data");
	pace_data_begin(s);
	s->t->spool = spool_new(s->smtp->pool);
	if (s->up != NULL && upstream_at(s->up) == UPSTREAM_READY)
		upstream_hold(s->up);
}

void
intake_fault(struct session *s, uint16_t code, const char *status,
    const char *text)
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
	intake_fault(s, 452, "4.3.1", "Insufficient system storage");
}

/* n bytes more of message. */
static void
grow(struct session *s, size_t n)
{
	if (s->received == 0 && n > 0)
		FAULT("body");
	s->received += n;
	if (s->smtp->conf->message_size_limit > 0 &&
	    s->received > s->smtp->conf->message_size_limit)
		intake_fault(s, 552, "5.3.4",
		    "Message size exceeds fixed limit");
}

/* n bytes of message are at the front of the room. */
static void
commit(struct session *s, size_t n)
{
	struct error e;

	grow(s, n);
	if (s->fault.code == 0 && spool_commit(s->t->spool, n, &e) < 0)
		short_of_room(s, &e);
}

/* Line ends are put right, which takes room: not in place. */
static bool
normalises(const struct session *s)
{
	return s->smtp->conf->bare_newline == BARE_NORMALISE && !s->binary;
}

static void
keep(struct session *s, struct buf *text)
{
	struct error e;

	grow(s, buf_len(text));
	if (s->fault.code == 0 &&
	    spool_append(s->t->spool, buf_str(text), &e) < 0)
		short_of_room(s, &e);
	buf_fini(text);
}

/* Where the next bytes go, at most max: straight into the spool while it
 * takes them. */
static char *
room(struct session *s, uint64_t max, size_t *n)
{
	struct error e;
	char *at = NULL;

	if (s->fault.code == 0 && !normalises(s) &&
	    (at = spool_room(s->t->spool, n, &e)) == NULL)
		short_of_room(s, &e);
	if (at == NULL) {
		at = loop_scratch(s->smtp->loop);
		*n = LOOP_SCRATCH;
	}
	if (*n > max)
		*n = (size_t)max;
	return at;
}

/* n bytes came to lie in the room; those that are message stay there. */
static size_t
feed(struct session *s, char *at, size_t n)
{
	struct buf text = { 0 };
	size_t kept, used;

	if (normalises(s)) {
		used = normal_feed(&s->dot, at, n, &text);
		keep(s, &text);
	} else {
		used = dot_feed(&s->dot, at, n, &kept);
		commit(s, kept);
	}
	pace_data_came(s, used);
	return used;
}

size_t
intake_pipelined(struct session *s, uint64_t max)
{
	struct buf *in = &s->wire.in;
	size_t all = 0;

	while (buf_len(in) > 0 && all < max && !s->dot.ended) {
		size_t n, used;
		char *at = room(s, max - all, &n);

		if (n > buf_len(in))
			n = buf_len(in);
		memcpy(at, buf_data(in), n);
		used = feed(s, at, n);
		buf_drop(in, used);
		all += used;
	}
	return all;
}

/* What is behind the end of the message goes to the commands. */
bool
intake_receive(struct session *s, uint64_t max, size_t *used)
{
	size_t n, got;
	char *at = room(s, max, &n);

	*used = 0;
	switch (wire_recv(&s->wire, at, n, &got)) {
	case WIRE_END:
		return false;
	case WIRE_NOTHING:
		return true;
	case WIRE_BYTES:
		break;
	}
	*used = feed(s, at, got);
	if (*used < got)
		(void)buf_add(&s->wire.in, at + *used, got - *used);
	return true;
}

enum turn
intake_wait(struct session *s)
{
	if (limits_data(s))
		return session_wait(s, s->smtp->conf->data_timeout_ms);
	return intake_timed_out(s);
}

enum turn
intake_timed_out(struct session *s)
{
	shape_left(s, "timeout");
	session_say(s, 421, "4.4.2", "%s Error: timeout exceeded",
	    s->smtp->conf->hostname);
	session_hang_up(s);
	return TURN_AGAIN;
}

enum turn
intake_refuse(struct session *s)
{
	upstream_rset(s->up);
	session_reply(s, &s->fault);
	mail_done(s, s->fault.code);
	s->state = SESSION_COMMAND;
	return TURN_AGAIN;
}

static void
end_normal(struct session *s)
{
	struct buf text = { 0 };

	if (s->dot.raw) {
		normal_end(&s->dot, &text);
		keep(s, &text);
	}
	s->t->normalised = s->dot.bare;
}

/* A chunk may end where DATA cannot: within a line, or between CR and LF. */
enum turn
intake_end(struct session *s)
{
	FAULT("dot");
	if (normalises(s))
		end_normal(s);
	else if (!s->binary && (s->dot.bare || s->dot.state == DOT_CR))
		intake_fault(s, 550, "5.5.2",
		    "Error: bare CR or LF in the message");
	if (s->fault.code == 0)
		limits_message(s);
	if (s->fault.code != 0)
		return intake_refuse(s);
	if (s->dot.dotted)
		spool_set_dotted(s->t->spool);
	s->state = SESSION_FINDINGS;
	return TURN_AGAIN;
}
