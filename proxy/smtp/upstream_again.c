/*
 * upstream_again - a mail's first commands, told to another connection when
 * the one they were meant for was closed before it answered any of them. The
 * owner notices nothing but a slow reply. Called by the other files of
 * upstream.
 *
 * Only where the connection had another use before this one: a next hop that
 * closes new ones is not to be asked for ever, and what it says on one that is
 * this mail's own is the answer to it. Never once a reply was heard, so never
 * after DATA; and never in the place of one that somebody logged in on.
 */
#include "base/log.h"
#include "smtp/upstream_inside.h"

void
again_begin(struct upstream *u, const struct client *c)
{
	if ((u->mails == 0 && !u->handed_on) || u->engaged || u->at != UPSTREAM_READY ||
	    buf_len(&u->expected) > 0)
		return;
	u->client = c;
	u->helo = upstream_name(&u->conf, c);
	u->again.on = true;
}

void
again_expect(struct upstream *u, enum expected kind)
{
	char byte = (char)kind;

	if (u->again.on)
		(void)buf_add(&u->again.kinds, &byte, 1);
	if (!u->again.dialling)
		upstream_expect(u, kind);
	u->junk += kind == RESET || kind == SKIPPED;
}

void
again_pass(struct upstream *u)
{
	struct again *a = &u->again;
	struct pn_str rest = pn_str_sub(buf_str(&a->lines), a->passed, SIZE_MAX);

	if (!a->on || a->dialling)
		return;
	(void)buf_add_str(&u->queue, rest);
	a->passed += rest.n;
}

void
again_end(struct upstream *u)
{
	struct again *a = &u->again;

	buf_clear(&a->lines);
	buf_clear(&a->kinds);
	a->passed = 0;
	a->on = a->dialling = false;
}

bool
again_dial(struct upstream *u)
{
	struct again *a = &u->again;

	if (!a->on || a->dialling)
		return false;
	log_debug(u->id, "upstream-again", "server=%s", u->server->name);
	a->promised = u->keywords;
	a->dialling = true;
	upstream_dial_anew(u);
	return true;
}

/* What the client's options were taken for. */
static bool
keeps_promise(const struct keywords *was, const struct keywords *is)
{
	return is->eight_bit >= was->eight_bit &&
	    is->smtputf8 >= was->smtputf8 && is->dsn >= was->dsn &&
	    is->binary >= was->binary && is->has_size >= was->has_size &&
	    (is->auth[0] != '\0' || was->auth[0] == '\0') &&
	    (is->xforward & was->xforward) == was->xforward;
}

void
again_tell(struct upstream *u)
{
	struct again *a = &u->again;

	if (!keeps_promise(&a->promised, &u->keywords)) {
		again_end(u);
		upstream_fail_lost(u, "it announces less than before");
		return;
	}
	(void)buf_add_str(&u->queue, buf_str(&a->lines));
	(void)buf_add_str(&u->expected, buf_str(&a->kinds));
	again_end(u);
	u->open = true;
	u->mails = 1;
	upstream_pump(u);
}
