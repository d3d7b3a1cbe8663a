/*
 * upstream_dial - from connect() until a next hop is READY: greeted, and told
 * who the client is. RFC 5321 3.1, 4.1.1.1; XCLIENT_README, XFORWARD_README.
 *
 *   [PROXY header ->] BANNER -> EHLO [-> HELO] -> [XCLIENT -> AGAIN] -> READY
 *                          '--------> XCLIENT -> AGAIN -> READY
 *
 * Where a server is known to take XCLIENT from us, that comes at once: what it
 * announces before would be forgotten. If it refuses that, all begins with EHLO.
 *
 * A kept connection has that behind it. It is told the client's name if it
 * heard another one last: EHLO forgets all that was before (RFC 5321 4.1.4).
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "smtp/identity.h"
#include "smtp/kept.h"
#include "smtp/source.h"
#include "smtp/upstream_inside.h"

static void
say_hello(struct upstream *u, const char *verb, enum step step)
{
	(void)buf_printf(&u->queue, "%s ", verb);
	(void)buf_add_str(&u->queue, u->helo);
	(void)buf_puts(&u->queue, "\r\n");
	upstream_expect(u, WANTED);
	buf_clear(&u->told);
	(void)buf_add_str(&u->told, u->helo);
	u->junk++;
	u->step = step;
}

const char *
upstream_hello_verb(const struct upstream *u)
{
	return u->conf.hop->conf->lmtp ? "LHLO" : "EHLO";
}

static void
say_ehlo(struct upstream *u, enum step step)
{
	say_hello(u, upstream_hello_verb(u), step);
}

static void
ready(struct upstream *u)
{
	if (buf_len(&u->wire.in) > 0) {
		upstream_fail_dial(u, "it says more than it was asked");
		return;
	}
	u->step = STEP_READY;
	u->at = UPSTREAM_READY;
	u->renewing = false;
	plan_fini(&u->plan);
	server_answered(u->server, &u->keywords);
	u->wake_due = true;
	if (u->again.dialling)
		again_tell(u);
}

static void
say_xclient(struct upstream *u, unsigned attributes)
{
	u->keywords.xclient = attributes;
	identity_xclient(&u->queue, u->client, attributes);
	upstream_expect(u, WANTED);
	u->step = STEP_XCLIENT;
}

void
upstream_identify(struct upstream *u)
{
	const struct keywords *k = &u->keywords;

	if (!u->identity) {
		ready(u);
		return;
	}
	switch (u->conf.hop->conf->identity) {
	case IDENTITY_NONE:
	case IDENTITY_PROXY:
	case IDENTITY_PROXY_V1:
	case IDENTITY_TPROXY:
		ready(u); /* the connection itself told it */
		return;
	case IDENTITY_XFORWARD:
		if (k->xforward & ATTR_ADDR)
			ready(u);
		else
			upstream_fail_identity(u, "XFORWARD ADDR is not announced", NULL);
		return;
	case IDENTITY_XCLIENT:
		if (!(k->xclient & ATTR_ADDR)) {
			upstream_fail_identity(u, "XCLIENT ADDR is not announced", NULL);
			return;
		}
		say_xclient(u, k->xclient);
		return;
	}
}

/* After a handshake: what it said in clear is forgotten. */
void
upstream_say_ehlo(struct upstream *u)
{
	say_ehlo(u, STEP_EHLO);
	upstream_pump(u);
}

/* In clear alone: XCLIENT comes after STARTTLS. */
static bool
takes_xclient(const struct upstream *u)
{
	const struct smtp_upstream *c = u->conf.hop->conf;

	return u->identity && c->identity == IDENTITY_XCLIENT &&
	    c->tls.level == TLS_NONE && !u->server->wants_ehlo &&
	    (u->server->known.xclient & ATTR_ADDR);
}

/* No probe, and nobody else's server, who hears of us alone. */
static bool
speaks_for_client(const struct upstream *u)
{
	return u->identity && !u->conf.hop->conf->mx;
}

/*
 * A no that is the client's: to his address, or to his name. The server serves
 * others as before, and another one would not say otherwise. What it says of
 * itself is 421, and 50x to a command that it does not know.
 */
static bool
is_to_address(const struct upstream *u, uint16_t code)
{
	return speaks_for_client(u) &&
	    (code == 450 || code == 521 || code == 554);
}

static bool
is_to_name(const struct upstream *u, uint16_t code)
{
	return is_to_address(u, code) ||
	    (speaks_for_client(u) &&
		(code == 501 || code == 504 || code == 550));
}

/* By the connection itself it knows whose it is: so its banner may be for him.
 * That it takes us at all, a probe has shown. */
static bool
is_barred(const struct upstream *u, uint16_t code)
{
	enum smtp_identity by = u->conf.hop->conf->identity;

	return (source_has_header(by) || by == IDENTITY_TPROXY) &&
	    u->server->known.known &&
	    (is_to_address(u, code) || (speaks_for_client(u) && code == 550));
}

static void
greeted(struct upstream *u, const struct reply_lines *r)
{
	if (is_barred(u, r->code)) {
		upstream_fail_client(u, r);
	} else if (r->code != 220) {
		upstream_fail_dial(u, "it refuses connections");
	} else if (takes_xclient(u)) {
		u->unasked = true;
		say_xclient(u, u->server->known.xclient);
	} else {
		say_ehlo(u, STEP_EHLO);
	}
}

static void
answered_ehlo(struct upstream *u, const struct reply_lines *r)
{
	if (r->code == 250) {
		keywords_read(&u->keywords, r->raw);
		upstream_tls_after_ehlo(u);
	} else if (is_to_name(u, r->code) && r->code < 500 && !u->renewing) {
		upstream_fail_client(u, r);
	} else if (source_has_header(u->conf.hop->conf->identity) &&
	    !(is_to_name(u, r->code) && u->server->known.known)) {
		/* It took the header for a command and this is the answer to
		 * that: every reply would be one behind, every client us. */
		upstream_fail_identity(u, "the PROXY header was refused", r);
	} else if (r->code >= 500 && !u->conf.hop->conf->lmtp &&
	    !u->renewing) {
		say_hello(u, "HELO", STEP_HELO);
	} else {
		upstream_fail_dial(u, "it refuses EHLO");
	}
}

static void
answered_helo(struct upstream *u, const struct reply_lines *r)
{
	u->keywords = (struct keywords){ .known = true };
	if (r->code == 250)
		upstream_tls_after_ehlo(u);
	else if (is_to_name(u, r->code))
		upstream_fail_client(u, r);
	else
		upstream_fail_dial(u, "it refuses HELO");
}

static void
answered_xclient(struct upstream *u, const struct reply_lines *r)
{
	bool unasked = u->unasked;

	u->unasked = false;
	u->server->wants_ehlo |= unasked && r->code != 220 &&
	    !is_to_address(u, r->code);
	if (r->code == 220)
		say_ehlo(u, STEP_AGAIN);
	else if (is_to_address(u, r->code) && !u->renewing)
		upstream_fail_client(u, r);
	else if (unasked)
		say_ehlo(u, STEP_EHLO);
	else if (u->renewing)
		upstream_fail_dial(u, "XCLIENT was refused");
	else
		upstream_fail_identity(u, "XCLIENT was refused", r);
}

/* The keywords it now shows to the client it thinks we are; but XCLIENT as it
 * takes it from us. */
static void
answered_again(struct upstream *u, const struct reply_lines *r)
{
	unsigned xclient = u->keywords.xclient;

	if (r->code == 250) {
		keywords_read(&u->keywords, r->raw);
		u->keywords.xclient = xclient;
		ready(u);
	} else if (is_to_name(u, r->code) && !u->renewing) {
		upstream_fail_client(u, r);
	} else {
		upstream_fail_dial(u, "it refuses EHLO after XCLIENT");
	}
}

static void (*const steps[])(struct upstream *, const struct reply_lines *) = {
	[STEP_BANNER] = greeted,
	[STEP_EHLO] = answered_ehlo,
	[STEP_HELO] = answered_helo,
	[STEP_STARTTLS] = upstream_tls_answered,
	[STEP_XCLIENT] = answered_xclient,
	[STEP_AGAIN] = answered_again,
};

static int
start_connect(const struct upstream *u, const struct server *to)
{
	int fd = socket(to->addr->ss_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1;

	if (fd < 0)
		return -1;
	/* Only a hint; the batches are whole without it. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if ((u->conf.hop->conf->identity == IDENTITY_TPROXY &&
		source_bind(fd, to->addr->ss_family, &u->source) < 0) ||
	    (connect(fd, (const struct sockaddr *)to->addr, to->addr_len) < 0 &&
		errno != EINPROGRESS)) {
		int saved = errno;

		(void)close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

void
upstream_await_banner(struct upstream *u)
{
	u->step = STEP_BANNER;
	upstream_expect(u, WANTED);
	u->outstanding = 1;
	upstream_arm(u);
}

/* Before anything else, TLS too (with EV_WRITE, when it is connected). */
static void
put_header(struct upstream *u)
{
	if (!source_has_header(u->conf.hop->conf->identity))
		return;
	source_put_header(&u->wire.out, u->conf.hop->conf->identity, u->client);
	(void)wire_flush(&u->wire);
	if (u->wire.broken)
		upstream_fail_dial(u, "cannot send");
}

void
upstream_dial_server(struct upstream *u, struct server *to)
{
	server_hold(to);
	server_release(u->server);
	u->server = to;
	u->dialled_ms = loop_now_ms(u->conf.loop);
	u->keywords = (struct keywords){ 0 };
	u->mails = u->junk = 0;
	u->refused = u->handed_on = u->unasked = false;
	u->at = UPSTREAM_DIALLING;
	if (u->conf.hop->conf->tls.level != TLS_DANE || u->without_tls)
		upstream_connect(u);
	else
		upstream_dane_ask(u);
}

void
upstream_connect(struct upstream *u)
{
	int fd = start_connect(u, u->server);

	if (fd < 0 && errno == EPERM &&
	    u->conf.hop->conf->identity == IDENTITY_TPROXY) {
		upstream_fail_identity(u, "binding to the client's address is "
		    "not permitted (CAP_NET_RAW)", NULL);
		return;
	}
	if (fd < 0) {
		upstream_fail_dial(u, strerror(errno));
		return;
	}
	/* No EV_WRITE: the banner says that we are connected, and a refused
	 * connection is readable too. */
	wire_open(&u->wire, u->conf.loop, fd, upstream_on_wire, u);
	if (u->conf.hop->conf->tls.wrapped) {
		put_header(u);
		if (u->at == UPSTREAM_DIALLING && u->wire.fd >= 0)
			upstream_tls_begin(u);
	} else {
		upstream_await_banner(u);
		put_header(u);
	}
}

bool
upstream_dial_next(struct upstream *u)
{
	struct server *to = loop_now_ms(u->conf.loop) < u->give_up_ms
	    ? plan_next(&u->plan)
	    : NULL;

	u->without_tls = false;
	if (to != NULL)
		upstream_dial_server(u, to);
	return to != NULL;
}

static void
put_names(const struct client *c, struct buf *b)
{
	buf_clear(b);
	if (c == NULL)
		return;
	pack_u8(b, (uint8_t)c->name_state);
	pack_str(b, c->name);
	pack_str(b, c->reverse_name);
}

static bool
is_named(const struct upstream *u, const struct client *c)
{
	struct buf names = { 0 };
	bool same;

	put_names(c, &names);
	same = pn_str_eq(buf_str(&names), buf_str(&u->named));
	buf_fini(&names);
	return same;
}

struct pn_str
upstream_name(const struct upstream_conf *conf, const struct client *c)
{
	return conf->hop->conf->mx || c->helo.n == 0
	    ? pn_str_of(conf->hostname)
	    : c->helo;
}

/*
 * XFORWARD may name another one for each mail; what the connection itself told
 * the next hop stays as it is. Behind one address there may be many clients.
 * Where EHLO alone tells of them, a login counts for more than that.
 */
bool
upstream_is_for(const struct upstream *u, const struct client *c)
{
	enum smtp_identity by = u->conf.hop->conf->identity;
	struct pn_str helo = upstream_name(&u->conf, c);

	if (by == IDENTITY_XFORWARD || (by == IDENTITY_NONE && u->engaged))
		return true;
	return pn_str_eq(helo, buf_str(&u->told)) &&
	    (by == IDENTITY_NONE || source_is(&u->source, c)) &&
	    (by != IDENTITY_XCLIENT || is_named(u, c));
}

static void
introduce(struct upstream *u, const struct client *client, struct pn_str helo,
    const char *id)
{
	u->client = client;
	u->helo = helo;
	upstream_set_id(u, id);
	u->identity = client != NULL;
	u->looking = client == NULL;
	source_of(client, &u->source);
	put_names(client, &u->named);
	u->noops = 0;
}

static void
set_limit(struct upstream *u)
{
	u->give_up_ms = loop_now_ms(u->conf.loop) +
	    u->conf.hop->conf->failover_timeout_ms;
}

static void
begin(struct upstream *u, const struct client *client, struct pn_str helo,
    const char *id)
{
	MUST_BE(u, UPSTREAM);
	upstream_hang_up(u);
	plan_fini(&u->plan);
	again_end(u);
	introduce(u, client, helo, id);
	set_limit(u);
}

/* The first server of a plan that was just made. */
static void
dial_first(struct upstream *u)
{
	u->at = UPSTREAM_DOWN;
	if (!upstream_dial_next(u))
		upstream_fail_dial(u, "all its servers are away");
}

/* A kept connection, for the client that was introduced here. */
static void
serve_next(struct upstream *u)
{
	u->at_rest = false;
	log_debug(u->id, "upstream-kept", "server=%s mails=%u", u->server->name,
	    u->mails);
	u->handed_on = true;
	if (u->conf.hop->conf->identity != IDENTITY_XCLIENT &&
	    pn_str_eq(u->helo, buf_str(&u->told)))
		return;
	u->at = UPSTREAM_DIALLING;
	u->renewing = true;
	if (u->conf.hop->conf->identity == IDENTITY_XCLIENT)
		upstream_identify(u);
	else
		say_ehlo(u, STEP_EHLO);
	if (u->at == UPSTREAM_DIALLING)
		upstream_pump(u);
}

/* All that there is of the connection itself. */
static void
take_over(struct upstream *u, struct upstream *kept)
{
	wire_take(&u->wire, &kept->wire, upstream_on_wire, u);
	server_hold(kept->server);
	server_release(u->server);
	u->server = kept->server;
	u->dialled_ms = kept->dialled_ms;
	u->without_tls = kept->without_tls;
	u->keywords = kept->keywords;
	buf_clear(&u->told);
	(void)buf_add_str(&u->told, buf_str(&kept->told));
	u->mails = kept->mails;
	u->junk = kept->junk;
	u->at = UPSTREAM_READY;
	u->step = STEP_READY;
	kept->at = UPSTREAM_DOWN;
	upstream_free(kept);
	upstream_arm(u);
}

/* Of the mail host whose turn it is, as MX has it now. */
static bool
take_kept_of_mx(struct upstream *u)
{
	struct upstream *kept = u->wants_kept && u->plan.n > 0
	    ? kept_take(u->plan.servers[0], u->helo)
	    : NULL;

	u->wants_kept = false;
	if (kept == NULL)
		return false;
	plan_fini(&u->plan);
	take_over(u, kept);
	serve_next(u);
	u->wake_due |= u->at == UPSTREAM_READY;
	return true;
}

static void
dial_these(struct upstream *u, struct server *const *found, size_t n)
{
	plan_make(&u->plan, u->conf.hop, found, n);
	if (!take_kept_of_mx(u))
		dial_first(u);
}

/* Those without a name can be dialled all the same. */
static void
on_resolved(void *arg, const struct resolved *answer)
{
	struct upstream *u = arg;

	MUST_BE(u, UPSTREAM);
	u->resolve = NULL;
	u->wake_due = false;
	upstream_dane_found(u, answer);
	if (answer->failure.code != 0 && u->conf.hop->conf->mx)
		upstream_fail_nobody(u, &answer->failure);
	else
		dial_these(u, answer->servers, answer->n);
	if (u->wake_due)
		u->conf.wake(u->conf.arg); /* u may be gone now */
}

static void
dial_any(struct upstream *u)
{
	if (hop_has_names(u->conf.hop)) {
		u->at = UPSTREAM_DIALLING;
		u->resolve =
		    resolve_start(u->conf.hop, u->domain, on_resolved, u);
	} else {
		dial_these(u, NULL, 0);
	}
}

void
upstream_dial(struct upstream *u, const struct client *client,
    struct pn_str helo, const char *id)
{
	begin(u, client, helo, id);
	dial_any(u);
}

void
upstream_set_domain(struct upstream *u, const char *domain)
{
	free(u->domain);
	u->domain = domain != NULL ? xstrdup(domain) : NULL;
}

bool
upstream_has_domain(const struct upstream *u, const char *domain)
{
	if (u->domain == NULL || domain == NULL)
		return u->domain == domain;
	return strcmp(u->domain, domain) == 0;
}

void
upstream_dial_anew(struct upstream *u)
{
	upstream_hang_up(u);
	set_limit(u);
	dial_any(u);
}

/* A kept connection is this client's now. */
static void
adopt(struct upstream *u, const struct upstream_conf *conf,
    const struct client *client, struct pn_str helo, const char *id)
{
	u->conf = *conf;
	introduce(u, client, helo, id);
	serve_next(u);
}

/* Names are not looked up for it: who was kept was found a moment ago. Nor is
 * MX, which tells who may be taken at all. */
static struct upstream *
take_kept_of_names(const struct hop *hop, struct pn_str helo)
{
	struct upstream *u = NULL;
	struct server *s;

	TAILQ_FOREACH (s, &hop->servers, next)
		if (u == NULL && !hop->conf->mx && !s->away && !s->draining)
			u = kept_take(s, helo);
	return u;
}

/* The draw among servers comes first: what is kept must not undo weights. */
struct upstream *
upstream_get(const struct upstream_conf *conf, const char *domain,
    const struct client *client, struct pn_str helo, const char *id)
{
	bool names = hop_has_names(conf->hop);
	struct plan plan = { 0 };
	struct upstream *u;

	if (!names)
		plan_make(&plan, conf->hop, NULL, 0);
	u = names	   ? take_kept_of_names(conf->hop, helo)
	    : plan.n > 0 ? kept_take(plan.servers[0], helo)
			 : NULL;
	if (u != NULL) {
		plan_fini(&plan);
		adopt(u, conf, client, helo, id);
		return u;
	}
	u = upstream_new(conf);
	upstream_set_domain(u, domain);
	begin(u, client, helo, id);
	u->plan = plan;
	u->wants_kept = conf->hop->conf->mx;
	if (names)
		dial_any(u);
	else
		dial_first(u);
	return u;
}

void
upstream_probe(struct upstream *u, struct server *to, struct pn_str helo)
{
	begin(u, NULL, helo, "");
	upstream_dial_server(u, to);
}

void
upstream_dial_on(struct upstream *u)
{
	struct reply_lines r;
	enum expected kind;

	while (u->at == UPSTREAM_DIALLING && upstream_next_reply(u, &r, &kind)) {
		steps[u->step](u, &r);
		if (u->at == UPSTREAM_DIALLING)
			upstream_pump(u);
	}
}
