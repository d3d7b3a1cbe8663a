/*
 * upstream - see upstream.h. Life of a connection that is READY: sending what
 * waits, whom it may serve, replies. What it is told is put together in
 * upstream_say.c, what it is made of stands in upstream_inside.h.
 */
#include "smtp/upstream.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "smtp/kept.h"
#include "smtp/upstream_inside.h"

#define NOOPS_MAX 20 /* while one message is held */
/* Of one connection. OpenSMTPD takes 100 mails; Exim takes 10 commands that
 * lead to none, Postfix 100 before they are errors. */
#define MAILS_MAX 100
#define JUNK_MAX 5

struct upstream *
upstream_new(const struct upstream_conf *conf)
{
	struct upstream *u = xcalloc(1, sizeof(*u));

	u->magic = UPSTREAM_MAGIC;
	u->conf = *conf;
	u->wire.fd = -1;
	return u;
}

void
upstream_set_id(struct upstream *u, const char *id)
{
	(void)snprintf(u->id, sizeof(u->id), "%s", id);
}

static void
say_quit(struct upstream *u)
{
	if (u->at != UPSTREAM_READY || u->outstanding > 0 || u->ended ||
	    u->sure == SURE_ASKED || u->out_of_step || u->challenged ||
	    buf_len(&u->queue) > 0 || buf_len(&u->wire.in) > 0)
		return;
	(void)buf_puts(&u->wire.out, "QUIT\r\n");
	(void)wire_flush(&u->wire); /* a courtesy: nobody waits */
}

void
upstream_free(struct upstream *u)
{
	if (u == NULL)
		return;
	MUST_BE(u, UPSTREAM);
	say_quit(u);
	upstream_hang_up(u);
	plan_fini(&u->plan);
	server_release(u->server);
	free(u->domain);
	buf_fini(&u->queue);
	upstream_dane_fini(u);
	buf_fini(&u->expected);
	buf_fini(&u->told);
	buf_fini(&u->named);
	buf_fini(&u->no);
	buf_fini(&u->again.lines);
	buf_fini(&u->again.kinds);
	u->magic = 0;
	free(u);
}

/* ---- sending ---- */

static uint64_t
patience(const struct upstream *u)
{
	const struct smtp_upstream *c = u->conf.hop->conf;

	/* Where another server is left, all of the dialling may take no
	 * longer than the connection: RFC 5321's 5 minutes are for one that
	 * has no other. */
	if (u->step == STEP_BANNER || plan_has_more(&u->plan))
		return c->connect_timeout_ms;
	/* Nor where a connection that was left alone may be no more. */
	if (u->again.on || u->renewing)
		return c->connect_timeout_ms;
	if (u->writing)
		return c->data_timeout_ms;
	if (u->outstanding == 0 && u->holding)
		return u->conf.hold_noop_ms;
	if (u->outstanding == 0 && u->at == UPSTREAM_READY && !u->open &&
	    !u->engaged)
		return u->kept ? kept_patience(u) : c->keep_idle_ms;
	return c->reply_timeout_ms;
}

void
upstream_arm(struct upstream *u)
{
	if (u->wire.fd >= 0)
		wire_wait(&u->wire, patience(u));
}

/* Some of what waits belongs to a login. */
static bool
is_secret(const struct upstream *u)
{
	struct pn_str due = buf_str(&u->expected);

	return due.n > 0 && memchr(due.p, SECRET, due.n) != NULL;
}

/* Move what may be sent from the queue to the wire, and send it. */
void
upstream_pump(struct upstream *u)
{
	while (buf_len(&u->queue) > 0 &&
	    (u->keywords.pipelining || u->outstanding == 0)) {
		const char *p = buf_data(&u->queue);
		size_t n = (size_t)((const char *)memchr(p, '\n',
					buf_len(&u->queue)) -
			       p) +
		    1;

		(void)buf_add(&u->wire.out, p, n);
		buf_drop(&u->queue, n);
		u->outstanding++;
	}
	if (buf_len(&u->wire.out) == 0)
		return;
	if (log_wants(LOG_LEVEL_DEBUG))
		log_debug(u->id, "upstream-hears", "text=\"%s\"",
		    is_secret(u) ? "AUTH ..." : VIS(buf_str(&u->wire.out)));
	(void)wire_flush(&u->wire); /* the rest goes with EV_WRITE */
	if (u->wire.broken)
		upstream_fail_anyhow(u, "cannot send");
	else
		upstream_arm(u);
}

void
upstream_expect(struct upstream *u, enum expected kind)
{
	char byte = (char)kind;

	(void)buf_add(&u->expected, &byte, 1);
}

struct buf *
upstream_lines(struct upstream *u)
{
	return u->again.on ? &u->again.lines : &u->queue;
}

void
upstream_command(struct upstream *u, enum expected kind, const char *text)
{
	(void)buf_puts(upstream_lines(u), text);
	again_expect(u, kind);
	again_pass(u);
}

void
upstream_flush(struct upstream *u)
{
	if (u != NULL && u->at == UPSTREAM_READY)
		upstream_pump(u);
}

bool
upstream_is_ahead(const struct upstream *u)
{
	return buf_len(&u->expected) == 0 && buf_len(&u->wire.in) > 0;
}

enum upstream_at
upstream_at(const struct upstream *u)
{
	if (u->at == UPSTREAM_READY &&
	    (u->out_of_step || upstream_is_ahead(u) || (u->doubtful && !u->ending)))
		return UPSTREAM_DOWN;
	if (u->at == UPSTREAM_DIALLING && u->again.dialling)
		return UPSTREAM_READY; /* and slow to answer */
	return u->at;
}

/* Nothing is due but what says that it forgot the last mail. */
static bool
is_idle(const struct upstream *u)
{
	for (size_t i = 0; i < buf_len(&u->expected); i++)
		if (buf_data(&u->expected)[i] != RESET)
			return false;
	return u->at == UPSTREAM_READY && !u->open && !u->ended &&
	    !u->out_of_step && !u->wire.broken && buf_len(&u->queue) == 0 &&
	    buf_len(&u->wire.out) == 0 && buf_len(&u->wire.in) == 0;
}

/* What was verified holds for each mail that comes to this server; but by DANE a
 * mail host was verified for one domain, by records that may have changed. */
static bool
is_anyones(const struct smtp_upstream *c)
{
	return !c->dial_connect && !(c->mx && c->tls.level == TLS_DANE);
}

bool
upstream_may_serve(const struct upstream *u)
{
	const struct smtp_upstream *c = u->conf.hop->conf;

	return c->reuse && is_anyones(c) && !u->refused && !u->engaged &&
	    (c->identity == IDENTITY_NONE ||
		c->identity == IDENTITY_XFORWARD) &&
	    u->mails < MAILS_MAX && u->junk < JUNK_MAX && is_idle(u);
}

/* While RSET is not answered it is of use for this client alone: whoever took
 * it now would have to wait, and the next mail would dial another. */
bool
upstream_at_rest(const struct upstream *u)
{
	return u != NULL &&
	    (u->at_rest || upstream_at(u) == UPSTREAM_DOWN ||
		(u->outstanding == 0 && upstream_may_serve(u)));
}

const struct server *
upstream_server(const struct upstream *u)
{
	return u->server;
}

const struct reply *
upstream_failure(const struct upstream *u)
{
	static const struct reply lost = { .code = 451, .status = "4.4.2",
		.text = PN_STR("The connection to the next hop was lost") };

	return u->at == UPSTREAM_FAILED ? &u->failure : &lost;
}

/* ---- the end of a mail ---- */

void
upstream_rset(struct upstream *u)
{
	if (u == NULL || upstream_at(u) != UPSTREAM_READY)
		return;
	if (u->junk >= JUNK_MAX && !u->engaged) {
		say_quit(u);
		upstream_hang_up(u); /* a next mail dials */
	} else {
		upstream_forget(u);
	}
}

void
upstream_forget(struct upstream *u)
{
	u->holding = u->open = false;
	upstream_command(u, RESET, "RSET\r\n");
	upstream_flush(u);
}

void
upstream_hold(struct upstream *u)
{
	u->holding = true;
	u->noops = 0;
	upstream_arm(u);
}

/* ---- replies ---- */

/* A connection that was refused or broke down ends the same way. */
static const char *
why_ended(const struct upstream *u)
{
	return u->wire.error != 0 ? strerror(u->wire.error)
				  : "it closed the connection";
}

/* The next reply off the wire. False: there is none yet, or it FAILED. */
static bool
take_off(struct upstream *u, struct reply_lines *r)
{
	switch (reply_take(&u->wire.in, r)) {
	case REPLY_NONE:
		if (u->ended)
			upstream_fail_anyhow(u, why_ended(u));
		return false;
	case REPLY_BROKEN:
		upstream_fail_anyhow(u, "it does not speak SMTP");
		return false;
	case REPLY_WHOLE:
		break;
	}
	if (log_wants(LOG_LEVEL_DEBUG))
		log_debug(u->id, "upstream-says", "text=\"%s\"",
		    is_secret(u) ? "(to AUTH)" : VIS(r->raw));
	return true;
}

/*
 * Has it seen what it answers? A refusal that comes while the body is written
 * ends the writing: the rest would be read as commands. "250" to half a message
 * is no answer to it. False: FAILED.
 */
static bool
is_in_time(struct upstream *u, const struct reply_lines *r)
{
	if (*buf_data(&u->expected) == SECRET && buf_len(&u->wire.out) > 0) {
		upstream_fail_lost(u, "it answers AUTH before it was said");
		return false;
	}
	if (u->writing && r->code < 400) {
		upstream_fail_lost(u, "it takes a message that it has not seen");
		return false;
	}
	if (u->writing) {
		u->out_of_step = true;
		wire_drop(&u->wire);
	}
	u->writing = false;
	return true;
}

/* Whatever it belongs to. */
bool
upstream_next_reply(struct upstream *u, struct reply_lines *r,
    enum expected *kind)
{
	if (u->outstanding == 0 || !sure_of_replies(u) || !take_off(u, r) ||
	    !is_in_time(u, r))
		return false;
	/* What was wrong with others' mails is no answer to this one. */
	if (u->again.on && u->at == UPSTREAM_READY && r->code / 100 == 4 &&
	    again_dial(u))
		return false;
	if (u->at == UPSTREAM_READY && *buf_data(&u->expected) == WANTED)
		again_end(u); /* XFORWARD's is none of the mail's yet */
	u->refused |= r->code >= 400;
	*kind = (enum expected)*buf_data(&u->expected);
	buf_drop(&u->expected, 1);
	u->outstanding--;
	if (r->code / 100 == 3 && *kind != CONTINUED && *kind != SECRET) {
		upstream_fail_anyhow(u, "it asks for more where nothing follows");
		return false;
	}
	return true;
}

static bool
is_owners(enum expected kind)
{
	return kind == WANTED || kind == CONTINUED || kind == SECRET;
}

/* The last reply to a message: it may rest. */
static void
message_answered(struct upstream *u, const struct reply_lines *r)
{
	u->open = u->ending = false;
	if (r->code == 250 && u->junk > 0)
		u->junk--; /* Exim's way; Postfix forgives all */
	upstream_arm(u);
}

/* A reply that is ours to look at: to XFORWARD, RSET, NOOP. Without RSET done
 * the recipients that it was to forget would get the next message. */
static void
deal_with(struct upstream *u, enum expected kind, const struct reply_lines *r)
{
	if (kind == IDENTITY && r->code != 250)
		upstream_fail_identity(u, "XFORWARD was refused", r);
	if (kind == RESET && r->code != 250 && u->outstanding > 0)
		upstream_fail_lost(u, "it refuses RSET");
	else if (kind == RESET && r->code != 250)
		upstream_hang_up(u); /* nothing was asked: the next mail dials */
}

bool
upstream_take(struct upstream *u, struct reply_lines *r)
{
	enum expected kind;

	for (;;) {
		if (u->at == UPSTREAM_READY)
			upstream_pump(u); /* what the last reply made room for */
		if (u->at != UPSTREAM_READY || !upstream_next_reply(u, r, &kind))
			return false;
		u->challenged = kind == SECRET && r->code == 334;
		/* All of it may be with the kernel and yet not be read: then what
		 * is left would be commands there, whose answers are nobody's. */
		u->doubtful |= u->ending && r->code >= 400 && !u->engaged;
		if (u->ending && u->outstanding == 0)
			message_answered(u, r);
		if (is_owners(kind))
			return true;
		deal_with(u, kind, r);
	}
}

/* READY: replies nobody waits for are read here, others wake the owner. */
static void
settle(struct upstream *u)
{
	struct reply_lines r;
	enum expected kind;
	bool forgot = false;

	while (u->at == UPSTREAM_READY && u->outstanding > 0 &&
	    !is_owners((enum expected)*buf_data(&u->expected)) &&
	    upstream_next_reply(u, &r, &kind)) {
		deal_with(u, kind, &r);
		forgot |= kind == RESET;
		if (u->at == UPSTREAM_READY)
			upstream_pump(u);
	}
	if (u->at == UPSTREAM_READY && u->outstanding == 0) {
		if (!u->ended && buf_len(&u->wire.in) == 0) {
			upstream_arm(u);
			u->wake_due = forgot; /* it may be at rest now */
			return;
		}
		/* Closed, or 421, while nothing was asked. */
		if (again_dial(u))
			return;
		upstream_hang_up(u);
		u->wake_due = u->kept;
		return;
	}
	u->wake_due = true;
}

static void
readable(struct upstream *u)
{
	if (wire_read(&u->wire) == WIRE_END) {
		u->ended = true;
		wire_pause(&u->wire);
	}
	upstream_dial_on(u);
	if (u->at == UPSTREAM_READY && !u->wake_due)
		settle(u);
}

/* Nothing came for so long: fine while nothing was asked. */
static void
timed_out(struct upstream *u)
{
	if (u->outstanding > 0) {
		upstream_fail_anyhow(u, "it does not answer");
	} else if (u->holding && u->noops < NOOPS_MAX) {
		u->noops++;
		upstream_command(u, SKIPPED, "NOOP\r\n");
		upstream_pump(u);
	} else if (!u->holding && !u->open) {
		u->at_rest = u->wake_due = true;
	}
}

void
upstream_on_wire(int fd, short what, void *arg)
{
	struct upstream *u = arg;

	(void)fd;
	MUST_BE(u, UPSTREAM);
	u->wake_due = false;
	if (u->step == STEP_HANDSHAKE)
		upstream_tls_ended(u);
	if (what & EV_TIMEOUT)
		timed_out(u);
	if ((what & EV_WRITE) && u->writing)
		upstream_write_body(u);
	else if ((what & EV_WRITE) && u->at == UPSTREAM_READY)
		upstream_pump(u);
	if ((what & EV_READ) && u->wire.fd >= 0)
		readable(u);
	if (u->wake_due)
		u->conf.wake(u->conf.arg); /* u may be gone now */
}
