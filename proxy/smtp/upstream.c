/*
 * upstream - see upstream.h.
 *
 *   BANNER -> EHLO [-> HELO] -> [XCLIENT -> AGAIN] -> READY -> ... FAILED
 *
 * What was asked stands in `expected`, one byte a command, in order: WANTED
 * replies are the owner's, the others are dealt with here. Without PIPELINING
 * commands wait in `queue` until the one before is answered.
 */
#include "smtp/upstream.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "mail/address.h"
#include "mail/transaction.h"
#include "smtp/body.h"
#include "smtp/door.h"
#include "smtp/identity.h"
#include "smtp/wire.h"

#define UPSTREAM_MAGIC 0x75707374u
#define NOOPS_MAX 20 /* while one message is held */

enum step {
	STEP_NONE,
	STEP_BANNER,
	STEP_EHLO,
	STEP_HELO,
	STEP_XCLIENT,
	STEP_AGAIN, /* EHLO after XCLIENT: the next hop forgot everything */
	STEP_READY
};

enum expected { WANTED = 'w', SKIPPED = 's', IDENTITY = 'i', RESET = 'r' };

struct upstream {
	uint32_t magic;
	struct upstream_conf conf;
	struct wire wire;
	enum upstream_at at;
	enum step step;
	const struct client *client; /* borrowed while dialling */
	struct pn_str helo;
	char id[TRANSACTION_ID_MAX]; /* for the log: whose mail it is */
	bool identity;
	struct keywords keywords;    /* of this connection */
	struct buf queue;    /* commands not handed to the wire */
	struct buf expected; /* enum expected, one for each command */
	unsigned outstanding; /* of them: sent, not answered */
	bool ended;          /* the peer closed; .in may hold its last words */
	bool holding;
	unsigned noops;
	bool writing;        /* a body */
	bool body_sent;      /* ... all of the last one */
	bool out_of_step;    /* answered before the body was all written */
	struct body body;
	struct reply failure;
	bool wake_due;
};

struct upstream *
upstream_new(const struct upstream_conf *conf)
{
	struct upstream *u = xcalloc(1, sizeof(*u));

	u->magic = UPSTREAM_MAGIC;
	u->conf = *conf;
	u->wire.fd = -1;
	return u;
}

static void
set_id(struct upstream *u, const char *id)
{
	(void)snprintf(u->id, sizeof(u->id), "%s", id);
}

/* ---- the ways a connection ends ---- */

static void
hang_up(struct upstream *u)
{
	wire_close(&u->wire);
	buf_clear(&u->queue);
	buf_clear(&u->expected);
	u->outstanding = 0;
	u->writing = u->ended = u->out_of_step = false;
	u->step = STEP_NONE;
	u->at = UPSTREAM_DOWN;
}

static void
fail(struct upstream *u, const char *status, struct pn_str text,
    const char *why)
{
	hang_up(u);
	u->at = UPSTREAM_FAILED;
	u->failure = (struct reply){ .code = 451, .text = text };
	memcpy(u->failure.status, status, strlen(status) + 1);
	count_upstream(&u->conf.hop->smtp->count, u->conf.hop->conf->name,
	    status);
	log_warn(u->id, "upstream",
	    "upstream=%s server=%s why=\"%s\" status=%s",
	    u->conf.hop->conf->name, u->conf.hop->conf->server, why, status);
	u->wake_due = true;
}

static void
fail_dial(struct upstream *u, const char *why)
{
	fail(u, "4.4.1", PN_STR_V("The next hop is not available"), why);
}

static void
fail_lost(struct upstream *u, const char *why)
{
	fail(u, "4.4.2", PN_STR_V("The connection to the next hop was lost"),
	    why);
}

/*
 * The guard: without the configured channel the next hop would take every
 * stranger for us, and perhaps relay for him. An operator must act.
 */
static void
fail_identity(
    struct upstream *u, const char *what, const struct reply_lines *r)
{
	if (r != NULL)
		log_error(u->id, "identity",
		    "upstream=%s server=%s what=\"%s\" code=%u text=\"%s\"",
		    u->conf.hop->conf->name, u->conf.hop->conf->server, what,
		    r->code, VIS(reply_text(r)));
	else
		log_error(u->id, "identity",
		    "upstream=%s server=%s what=\"%s\"",
		    u->conf.hop->conf->name, u->conf.hop->conf->server, what);
	fail(u, "4.3.5", PN_STR_V("Server configuration error"), what);
}

static void
fail_anyhow(struct upstream *u, const char *why)
{
	if (u->at == UPSTREAM_DIALLING)
		fail_dial(u, why);
	else
		fail_lost(u, why);
}

void
upstream_free(struct upstream *u)
{
	if (u == NULL)
		return;
	MUST_BE(u, UPSTREAM);
	if (u->at == UPSTREAM_READY && u->outstanding == 0 && !u->ended &&
	    !u->out_of_step && buf_len(&u->queue) == 0) {
		(void)buf_puts(&u->wire.out, "QUIT\r\n");
		(void)wire_flush(&u->wire); /* a courtesy: nobody waits */
	}
	hang_up(u);
	buf_fini(&u->queue);
	buf_fini(&u->expected);
	u->magic = 0;
	free(u);
}

/* ---- sending ---- */

static uint64_t
patience(const struct upstream *u)
{
	const struct smtp_upstream *c = u->conf.hop->conf;

	if (u->step == STEP_BANNER)
		return c->connect_timeout_ms;
	if (u->writing)
		return c->data_timeout_ms;
	if (u->outstanding == 0 && u->holding)
		return u->conf.hold_noop_ms;
	return c->reply_timeout_ms;
}

static void
arm(struct upstream *u)
{
	if (u->wire.fd >= 0)
		wire_wait(&u->wire, patience(u));
}

/* Move what may be sent from the queue to the wire, and send it. */
static void
pump(struct upstream *u)
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
		    VIS(buf_str(&u->wire.out)));
	(void)wire_flush(&u->wire); /* the rest goes with EV_WRITE */
	if (u->wire.broken)
		fail_anyhow(u, "cannot send");
	else
		arm(u);
}

static void
expect(struct upstream *u, enum expected kind)
{
	char byte = (char)kind;

	(void)buf_add(&u->expected, &byte, 1);
}

static void
command(struct upstream *u, enum expected kind, const char *text)
{
	(void)buf_puts(&u->queue, text);
	expect(u, kind);
}

void
upstream_flush(struct upstream *u)
{
	if (u != NULL && u->at == UPSTREAM_READY)
		pump(u);
}

/* ---- dialling ---- */

static void
say_hello(struct upstream *u, const char *verb, enum step step)
{
	(void)buf_printf(&u->queue, "%s ", verb);
	(void)buf_add_str(&u->queue, u->helo);
	command(u, WANTED, "\r\n");
	u->step = step;
}

static void
ready(struct upstream *u)
{
	u->step = STEP_READY;
	u->at = UPSTREAM_READY;
	u->keywords.when_ms = loop_now_ms(u->conf.loop);
	u->conf.hop->known = u->keywords;
	u->wake_due = true;
}

/* Greeted: hand on who the client is. */
static void
identify(struct upstream *u)
{
	const struct keywords *k = &u->keywords;

	if (!u->identity) {
		ready(u);
		return;
	}
	switch (u->conf.hop->conf->identity) {
	case IDENTITY_NONE:
		ready(u);
		return;
	case IDENTITY_XFORWARD:
		if (k->xforward & ATTR_ADDR)
			ready(u);
		else
			fail_identity(u, "XFORWARD ADDR is not announced", NULL);
		return;
	case IDENTITY_XCLIENT:
		if (!(k->xclient & ATTR_ADDR)) {
			fail_identity(u, "XCLIENT ADDR is not announced", NULL);
			return;
		}
		identity_xclient(&u->queue, u->client, k->xclient);
		expect(u, WANTED);
		u->step = STEP_XCLIENT;
		return;
	}
}

static void
greeted(struct upstream *u, const struct reply_lines *r)
{
	if (r->code == 220)
		say_hello(u, "EHLO", STEP_EHLO);
	else
		fail_dial(u, "it refuses connections");
}

static void
answered_ehlo(struct upstream *u, const struct reply_lines *r)
{
	if (r->code == 250) {
		keywords_read(&u->keywords, r->raw);
		identify(u);
	} else if (r->code >= 500) {
		say_hello(u, "HELO", STEP_HELO);
	} else {
		fail_dial(u, "it refuses EHLO");
	}
}

static void
answered_helo(struct upstream *u, const struct reply_lines *r)
{
	u->keywords = (struct keywords){ .known = true };
	if (r->code == 250)
		identify(u);
	else
		fail_dial(u, "it refuses HELO");
}

static void
answered_xclient(struct upstream *u, const struct reply_lines *r)
{
	if (r->code == 220)
		say_hello(u, "EHLO", STEP_AGAIN);
	else
		fail_identity(u, "XCLIENT was refused", r);
}

/* The keywords it now shows to the client it thinks we are. */
static void
answered_again(struct upstream *u, const struct reply_lines *r)
{
	if (r->code == 250) {
		keywords_read(&u->keywords, r->raw);
		ready(u);
	} else {
		fail_dial(u, "it refuses EHLO after XCLIENT");
	}
}

static void (*const steps[])(struct upstream *, const struct reply_lines *) = {
	[STEP_BANNER] = greeted,
	[STEP_EHLO] = answered_ehlo,
	[STEP_HELO] = answered_helo,
	[STEP_XCLIENT] = answered_xclient,
	[STEP_AGAIN] = answered_again,
};

static int
start_connect(const struct smtp_upstream *conf)
{
	int fd = socket(conf->addr.ss_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1;

	if (fd < 0)
		return -1;
	/* Only a hint; the batches are whole without it. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, (const struct sockaddr *)&conf->addr, conf->addr_len) <
		0 &&
	    errno != EINPROGRESS) {
		int saved = errno;

		(void)close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

static void on_wire(int fd, short what, void *arg);

void
upstream_dial(struct upstream *u, const struct client *client,
    struct pn_str helo, const char *id, bool identity)
{
	int fd;

	MUST_BE(u, UPSTREAM);
	hang_up(u);
	u->keywords = (struct keywords){ 0 };
	u->client = client;
	u->helo = helo;
	set_id(u, id);
	u->identity = identity;
	u->noops = 0;
	u->at = UPSTREAM_DIALLING;
	fd = start_connect(u->conf.hop->conf);
	if (fd < 0) {
		fail_dial(u, strerror(errno));
		return;
	}
	/* No EV_WRITE: the banner says that we are connected, and a refused
	 * connection is readable too. */
	wire_open(&u->wire, u->conf.loop, fd, on_wire, u);
	u->step = STEP_BANNER;
	expect(u, WANTED);
	u->outstanding = 1;
	arm(u);
}

enum upstream_at
upstream_at(const struct upstream *u)
{
	if (u->at == UPSTREAM_READY && u->out_of_step)
		return UPSTREAM_DOWN;
	return u->at;
}

const struct reply *
upstream_failure(const struct upstream *u)
{
	return &u->failure;
}

/* ---- commands ---- */

static bool
can(const struct upstream *u, struct pn_str params, unsigned which)
{
	const struct keywords *k = &u->keywords;
	struct params p;

	if (params_check(params, which, &p) != PARAMS_OK)
		return false;
	return ((p.given & PARAM_BODY) == 0 || k->eight_bit) &&
	    ((p.given & PARAM_SMTPUTF8) == 0 || k->smtputf8) &&
	    ((p.given & PARAM_OF_DSN) == 0 || k->dsn);
}

/* As they came, but for SIZE towards one that knows no SIZE. */
static void
put_params(struct buf *b, struct pn_str params, bool keep_size)
{
	struct pn_str name, value;
	bool has_value;

	while (param_next(&params, &name, &value, &has_value)) {
		if (!keep_size && pn_str_caseeq(name, PN_STR_V("SIZE")))
			continue;
		(void)buf_puts(b, " ");
		(void)buf_add_str(b, name);
		if (has_value)
			(void)buf_puts(b, "=");
		(void)buf_add_str(b, value);
	}
}

bool
upstream_mail(struct upstream *u, const struct envelope *e,
    const struct client *c, const char *id, bool local)
{
	if (!can(u, e->params, PARAM_OF_MAIL))
		return false;
	set_id(u, id);
	if (u->conf.hop->conf->identity == IDENTITY_XFORWARD)
		for (unsigned n = identity_xforward(&u->queue, c, id, local,
			 u->keywords.xforward);
		     n > 0; n--)
			expect(u, IDENTITY);
	(void)buf_puts(&u->queue, "MAIL FROM:<");
	(void)buf_add_str(&u->queue, e->path);
	(void)buf_puts(&u->queue, ">");
	put_params(&u->queue, e->params, u->keywords.has_size);
	command(u, WANTED, "\r\n");
	return true;
}

bool
upstream_rcpt(struct upstream *u, const struct rcpt *r)
{
	struct pn_str params = r->params;

	/* Whom a milter added need not be known by it: he gets the message. */
	if (r->added && !u->keywords.dsn)
		params = PN_STR_V("");
	if (!can(u, params, PARAM_OF_RCPT))
		return false;
	(void)buf_puts(&u->queue, "RCPT TO:<");
	(void)buf_add_str(&u->queue, r->path);
	(void)buf_puts(&u->queue, ">");
	put_params(&u->queue, params, true);
	/* RFC 3461 4.1: who was not asked for must not tell of himself. */
	if (r->quiet && u->keywords.dsn)
		(void)buf_puts(&u->queue, " NOTIFY=NEVER");
	command(u, WANTED, "\r\n");
	return true;
}

void
upstream_data(struct upstream *u)
{
	u->holding = false;
	command(u, WANTED, "DATA\r\n");
}

void
upstream_rset(struct upstream *u)
{
	if (u == NULL || upstream_at(u) != UPSTREAM_READY)
		return;
	u->holding = false;
	command(u, RESET, "RSET\r\n");
	pump(u);
}

void
upstream_hold(struct upstream *u)
{
	u->holding = true;
	u->noops = 0;
	arm(u);
}

static void
write_body(struct upstream *u)
{
	switch (body_send(&u->body, &u->wire)) {
	case BODY_SENT:
		u->writing = false;
		u->body_sent = true;
		wire_wait(&u->wire, u->conf.hop->conf->data_timeout_ms);
		return;
	case BODY_BLOCKED:
		if (u->wire.broken && wire_peek(&u->wire) != WIRE_BYTES)
			fail_lost(u, "cannot send the message");
		else
			arm(u); /* a refusal may be waiting to be read */
		return;
	case BODY_UNREADABLE:
		fail(u, "4.3.0", PN_STR_V("The message cannot be read back"),
		    "spool");
		return;
	}
}

void
upstream_body(struct upstream *u, struct spool *spool,
    const struct edit_ranges *ranges)
{
	if (u->at != UPSTREAM_READY)
		return;
	u->body_sent = false;
	if (buf_len(&u->wire.in) > 0) {
		fail_lost(u, "it answers a message that it has not seen");
		return;
	}
	body_start(&u->body, spool, ranges);
	expect(u, WANTED);
	u->outstanding++;
	u->writing = true;
	write_body(u);
}

bool
upstream_body_sent(const struct upstream *u)
{
	return u->body_sent;
}

/* ---- replies ---- */

/*
 * Take the next reply off the wire, whatever it belongs to. A refusal that
 * comes while the body is written ends the writing: the rest would be read as
 * commands. "250" to half a message is no answer to it.
 */
static bool
next_reply(struct upstream *u, struct reply_lines *r, enum expected *kind)
{
	if (u->outstanding == 0)
		return false;
	switch (reply_take(&u->wire.in, r)) {
	case REPLY_NONE:
		if (u->ended)
			fail_anyhow(u, "it closed the connection");
		return false;
	case REPLY_BROKEN:
		fail_anyhow(u, "it does not speak SMTP");
		return false;
	case REPLY_WHOLE:
		break;
	}
	if (log_wants(LOG_LEVEL_DEBUG))
		log_debug(u->id, "upstream-says", "text=\"%s\"",
		    VIS(r->raw));
	if (u->writing && r->code < 400) {
		fail_lost(u, "it takes a message that it has not seen");
		return false;
	}
	if (u->writing)
		u->out_of_step = true;
	u->writing = false;
	*kind = (enum expected)*buf_data(&u->expected);
	buf_drop(&u->expected, 1);
	u->outstanding--;
	return true;
}

/* A reply that is ours to look at: to XFORWARD, RSET, NOOP. Without RSET done
 * the recipients that it was to forget would get the next message. */
static void
deal_with(struct upstream *u, enum expected kind, const struct reply_lines *r)
{
	if (kind == IDENTITY && r->code != 250)
		fail_identity(u, "XFORWARD was refused", r);
	if (kind == RESET && r->code != 250)
		fail_lost(u, "it refuses RSET");
}

bool
upstream_take(struct upstream *u, struct reply_lines *r)
{
	enum expected kind;

	for (;;) {
		if (u->at == UPSTREAM_READY)
			pump(u); /* what the last reply made room for */
		if (u->at != UPSTREAM_READY || !next_reply(u, r, &kind))
			return false;
		if (kind == WANTED)
			return true;
		deal_with(u, kind, r);
	}
}

static void
dial_on(struct upstream *u)
{
	struct reply_lines r;
	enum expected kind;

	while (u->at == UPSTREAM_DIALLING && next_reply(u, &r, &kind)) {
		steps[u->step](u, &r);
		if (u->at == UPSTREAM_DIALLING)
			pump(u);
	}
}

/* READY: replies nobody waits for are read here, others wake the owner. */
static void
settle(struct upstream *u)
{
	struct reply_lines r;
	enum expected kind;

	while (u->at == UPSTREAM_READY && u->outstanding > 0 &&
	    *buf_data(&u->expected) != WANTED && next_reply(u, &r, &kind)) {
		deal_with(u, kind, &r);
		if (u->at == UPSTREAM_READY)
			pump(u);
	}
	if (u->at == UPSTREAM_READY && u->outstanding == 0) {
		if (u->ended || buf_len(&u->wire.in) > 0)
			hang_up(u); /* closed, or 421, while nothing was asked */
		else if (u->holding)
			arm(u);
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
	dial_on(u);
	if (u->at == UPSTREAM_READY && !u->wake_due)
		settle(u);
}

/* Nothing came for so long: fine while nothing was asked. */
static void
timed_out(struct upstream *u)
{
	if (u->outstanding > 0) {
		fail_anyhow(u, "it does not answer");
	} else if (u->holding && u->noops < NOOPS_MAX) {
		u->noops++;
		command(u, SKIPPED, "NOOP\r\n");
		pump(u);
	}
}

static void
on_wire(int fd, short what, void *arg)
{
	struct upstream *u = arg;

	(void)fd;
	MUST_BE(u, UPSTREAM);
	u->wake_due = false;
	if (what & EV_TIMEOUT)
		timed_out(u);
	if ((what & EV_WRITE) && u->writing)
		write_body(u);
	else if ((what & EV_WRITE) && u->at == UPSTREAM_READY)
		pump(u);
	if ((what & EV_READ) && u->wire.fd >= 0)
		readable(u);
	if (u->wake_due)
		u->conf.wake(u->conf.arg); /* u may be gone now */
}
