/*
 * chunk - BDAT: a message in chunks, the second feeder of the spool. State
 * CHUNK of session. RFC 3030 2.
 *
 * Octets of a chunk are never commands. Whatever BDAT is answered, all of its
 * octets are counted and taken off first; where they end cannot be known
 * (a broken argument), nothing more is read of this client.
 *
 * A chunk that fails ends the mail: those behind it find none and are thrown
 * away with 503, until RSET or MAIL begins anew. What is wrong with line ends
 * is said at the last one, where it is certain.
 */
#include "smtp/session.h"

/* The next command may stand anywhere in what comes: do not look for it. */
void
bdat_syntax(struct session *s)
{
	session_say(s, 501, "5.5.4", "Syntax: BDAT count [LAST]");
	session_hang_up(s);
	wire_pause(&s->wire); /* more comes: let it not reset our last words */
}

static void
refuse(struct session *s, uint16_t code, const char *text)
{
	s->chunk.no = (struct reply){ .code = code, .status = "5.5.1",
		.text = pn_str_of(text) };
}

/* The first or next chunk of the message. */
static void
begin(struct session *s)
{
	uint64_t limit = s->smtp->conf->message_size_limit;

	if (!s->chunked) {
		intake_start(s);
		s->chunked = s->dot.raw = true;
	}
	if (limit > 0 && s->chunk.size > limit - s->received)
		intake_fault(s, 552, "5.3.4",
		    "Message size exceeds fixed limit");
	if (s->chunk.size == 0 && !s->chunk.last)
		s->junk++; /* leads nowhere */
}

void
bdat_run(struct session *s, struct pn_str arg)
{
	if (!bdat_parse(arg, &s->chunk)) {
		bdat_syntax(s);
		return;
	}
	if (s->turned_away)
		refuse(s, 503, "Error: send QUIT");
	else if (!s->mail)
		refuse(s, 503, "Error: need MAIL command");
	else if (s->t->envelope.n_accepted == 0)
		refuse(s, s->listener->lmtp ? 503 : 554,
		    "Error: no valid recipients");
	else
		begin(s);
	pace_data_begin(s);
	s->state = SESSION_CHUNK;
}

/* ---- its octets ---- */

static size_t
least(uint64_t a, size_t b)
{
	return a < b ? (size_t)a : b;
}

/* What is here of a chunk that nobody wants. False: the client has gone. */
static bool
throw_away(struct session *s)
{
	struct chunk *c = &s->chunk;
	size_t n = least(c->left, buf_len(&s->wire.in));

	buf_drop(&s->wire.in, n);
	pace_data_came(s, n);
	c->left -= n;
	if (!s->readable || c->left == 0)
		return true;
	s->readable = false;
	switch (wire_recv(&s->wire, loop_scratch(s->smtp->loop),
	    least(c->left, LOOP_SCRATCH), &n)) {
	case WIRE_END:
		return false;
	case WIRE_NOTHING:
		return true;
	case WIRE_BYTES:
		pace_data_came(s, n);
		c->left -= n;
		return true;
	}
	return true;
}

static bool
take(struct session *s)
{
	struct chunk *c = &s->chunk;
	size_t used;

	c->left -= intake_pipelined(s, c->left);
	if (!s->readable || c->left == 0)
		return true;
	s->readable = false;
	if (!intake_receive(s, c->left, &used))
		return false;
	c->left -= used;
	return true;
}

static enum turn
end(struct session *s)
{
	s->state = SESSION_COMMAND;
	if (s->chunk.no.code != 0) {
		pace_data_end(s);
		session_reply(s, &s->chunk.no);
	} else if (s->chunk.last) {
		return intake_end(s);
	} else if (s->fault.code != 0) {
		s->answered_each = true; /* RFC 2033 4.3: but for the last, one */
		return intake_refuse(s);
	} else {
		session_say(s, 250, "2.0.0", "%llu octets received",
		    (unsigned long long)s->chunk.size);
	}
	return TURN_AGAIN;
}

enum turn
session_chunk(struct session *s)
{
	if (s->timed_out)
		return intake_timed_out(s);
	if (!(s->chunk.no.code != 0 ? throw_away(s) : take(s)))
		return session_leave(s);
	if (s->chunk.left == 0)
		return end(s);
	return intake_wait(s);
}
