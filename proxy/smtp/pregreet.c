/*
 * pregreet - a wait before the greeting (greet_wait): who talks in it does not
 * speak SMTP (RFC 5321 3.1: a client waits for 220), but says what it came to
 * say to whatever may listen. Postfix's postscreen(8) does the same.
 *
 * A state of session, before the connect stage, which then knows the fact
 * client.early-talker. Clients of our own, those that limits do not count, and
 * whoever begins with a handshake of TLS are not made to wait.
 */
#include "base/log.h"
#include "smtp/limits.h"
#include "smtp/peers.h"

#define SHOWN 100 /* bytes of what it said, in the log */

bool
pregreet_is_due(const struct session *s)
{
	struct peer p = peer_of_text(s->base->client.ip);

	return s->smtp->conf->limits.greet_wait_ms > 0 && !s->listed &&
	    !limits_except(s->smtp, &p);
}

/* As far as it is no login: who does not wait for a greeting may well send one
 * too (AUTH PLAIN with its initial response). */
static struct pn_str
shown(struct pn_str said)
{
	static const struct pn_str auth = PN_STR("AUTH");
	size_t at = 0;

	while (at < said.n) {
		const char *lf = memchr(said.p + at, '\n', said.n - at);

		if (pn_str_caseeq(pn_str_sub(said, at, auth.n), auth))
			return pn_str_sub(said, 0, at + auth.n < SHOWN ? at + auth.n : SHOWN);
		at = lf != NULL ? (size_t)(lf - said.p) + 1 : said.n;
	}
	return pn_str_sub(said, 0, SHOWN);
}

static void
note(struct session *s)
{
	struct pn_str said = buf_str(&s->wire.in);
	uint64_t ms = loop_now_ms(s->smtp->loop) - s->pace.since_ms;

	s->base->client.early = CLIENT_EARLY_YES;
	count_limit(&s->smtp->count, LIMIT_EARLY_TALKER);
	log_info(s->base->id, "early-talker",
	    "client=%.*s after_ms=%llu bytes=%zu text=\"%s\"",
	    PN_STR_ARG(s->base->client.ip), (unsigned long long)ms, said.n,
	    VIS(shown(said)));
	shape_pregreet(s, ms, said.n, shown(said));
}

static void
drop(struct session *s)
{
	shape_connect(s);
	session_say(s, 521, "5.5.1", "Protocol error");
	session_hang_up(s);
}

enum turn
session_pregreet(struct session *s)
{
	const struct smtp_limits *l = &s->smtp->conf->limits;

	if (s->readable) {
		s->readable = false;
		switch (wire_read(&s->wire)) {
		case WIRE_END:
			return session_leave(s);
		case WIRE_NOTHING:
			return TURN_WAIT;
		case WIRE_BYTES:
			break;
		}
		note(s);
		s->state = SESSION_GREETING;
		if (l->pregreet == PREGREET_DROP)
			drop(s);
		return TURN_AGAIN;
	}
	if (!s->timed_out)
		return session_wait(s, l->greet_wait_ms);
	s->timed_out = false;
	s->base->client.early = CLIENT_EARLY_NO;
	s->state = SESSION_GREETING;
	return TURN_AGAIN;
}
