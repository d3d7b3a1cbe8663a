/*
 * dial - `dial connect`: the next hop is dialled as soon as a client is there,
 * for MTAs that announce or refuse by who he is. Called by session.
 *
 * It is dialled once the connect stage has let him in, under our own name, for
 * his is not known yet; it hears that, as EHLO, when he says it, and what it
 * answers is what he is offered. One that cannot be reached is dialled again
 * for his mail, and its failure is MAIL's answer: the client may be told why
 * then, and who only connects never hears of it.
 */
#include "smtp/session.h"
#include "smtp/upstream.h"

bool
dial_is_early(const struct session *s)
{
	const struct smtp_upstream *only = s->listener->upstream;

	return only != NULL && only->dial_connect;
}

void
dial_begin(struct session *s)
{
	if (dial_is_early(s) && s->up == NULL)
		mail_dial(s);
}

/* It has greeted, or never will: the client's name is next. */
enum turn
session_greeted(struct session *s)
{
	dial_begin(s); /* STARTTLS has ended the one before */
	if (upstream_at(s->up) == UPSTREAM_DIALLING)
		return session_wait_elsewhere(s);
	s->state = SESSION_KEYWORDS;
	if (upstream_at(s->up) == UPSTREAM_READY) {
		upstream_hello(s->up, s->base->client.helo);
		s->state = SESSION_HELLO;
	}
	return TURN_AGAIN;
}

const struct keywords *
dial_keywords(const struct session *s)
{
	if (!dial_is_early(s) || s->up == NULL ||
	    upstream_at(s->up) != UPSTREAM_READY)
		return NULL;
	return upstream_keywords(s->up);
}
