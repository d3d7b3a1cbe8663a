/* hop - see hop.h. Servers: their life, and how they do. */
#include "smtp/hop.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "engine/keep.h"
#include "smtp/door.h"
#include "smtp/probe.h"
#include "smtp/resolve.h"

#define FOUND_MAX 1000 /* servers found by name, of one hop */
#define SLOW_MS 1000 /* a failure that took so long is not waited for twice */

/* Whoever the DNS names is not probed: the next mail for it is the trial. */
static void
on_retry(int fd, short what, void *arg)
{
	struct server *s = arg;

	(void)fd;
	(void)what;
	if (s->found && s->hop->conf->mx)
		s->away = false;
	else
		probe_start(s);
}

/* For metrics and status; of the world's mail hosts there are too many. */
static void
show(struct server *s, bool gone)
{
	static const char *const words[] = { [SERVER_UP] = "up",
		[SERVER_AWAY] = "away",
		[SERVER_DRAINING] = "draining" };
	enum server_state now = s->draining ? SERVER_DRAINING
	    : s->outage.failures > 0    ? SERVER_AWAY
					    : SERVER_UP;

	if (s->hop->conf->mx)
		return;
	for (size_t i = 0; i < SERVER_STATES; i++) {
		if (s->is[i] == NULL)
			s->is[i] = count_server(&s->hop->smtp->count,
			    s->hop->conf->name, s->name, words[i]);
		stat_set(s->is[i], !gone && i == now);
	}
}

static struct server *
server_new(struct hop *hop)
{
	struct server *s = xcalloc(1, sizeof(*s));

	s->hop = hop;
	must(evtimer_assign(&s->retry, loop_base(hop->smtp->loop), on_retry,
		 s) == 0);
	kept_init(&s->kept);
	TAILQ_INSERT_TAIL(&hop->servers, s, next);
	return s;
}

static void
server_free(struct server *s)
{
	show(s, true);
	probe_stop(s);
	kept_close(&s->kept);
	(void)event_del(&s->retry);
	tls_memory_forget(&s->tls);
	TAILQ_REMOVE(&s->hop->servers, s, next);
	s->hop->n_found -= s->found;
	free(s->text);
	free(s->own_host);
	free(s);
}

static void
add_server(struct hop *hop, const struct smtp_server *conf)
{
	struct server *s;

	if (conf->host != NULL)
		return; /* one for each of its addresses, once they are known */
	s = server_new(hop);
	s->name = conf->name;
	s->addr = &conf->addr;
	s->addr_len = conf->addr_len;
	s->priority = conf->priority;
	s->weight = conf->weight;
	s->draining = s->drained = conf->drain;
	show(s, false);
}

/* ---- servers found by name ---- */

bool
hop_has_names(const struct hop *hop)
{
	for (size_t i = 0; i < hop->conf->n_servers; i++)
		if (hop->conf->servers[i].host != NULL)
			return true;
	return hop->conf->mx;
}

/* "mx.example.com[192.0.2.1]:25" */
static char *
text_of(const char *host, const struct sockaddr_storage *addr)
{
	const struct sockaddr_in *four = (const void *)addr;
	const struct sockaddr_in6 *six = (const void *)addr;
	char ip[INET6_ADDRSTRLEN] = "", *text = NULL;
	bool v4 = addr->ss_family == AF_INET;

	(void)inet_ntop(addr->ss_family,
	    v4 ? (const void *)&four->sin_addr : &six->sin6_addr, ip,
	    sizeof(ip));
	must(asprintf(&text, "%s[%s]:%u", host, ip,
		 ntohs(v4 ? four->sin_port : six->sin6_port)) >= 0);
	return text;
}

static struct server *
find_server(struct hop *hop, const char *host,
    const struct sockaddr_storage *addr)
{
	struct server *s;

	TAILQ_FOREACH (s, &hop->servers, next)
		if (s->found && memcmp(&s->own, addr, sizeof(*addr)) == 0 &&
		    strcmp(s->own_host, host) == 0)
			return s;
	return NULL;
}

/* The one that was used longest ago and that nobody holds. */
static void
make_room(struct hop *hop)
{
	struct server *s, *next;

	for (s = TAILQ_FIRST(&hop->servers);
	     s != NULL && hop->n_found >= FOUND_MAX; s = next) {
		next = TAILQ_NEXT(s, next);
		if (s->found && s->holds == 0 && s->probe == NULL)
			server_free(s);
	}
}

/* What an operator said of one: it may go, or be found here later than
 * elsewhere. */
struct drain_order {
	LIST_ENTRY(drain_order) next;
	bool on;
	char server[];
};

static void
forget_orders(struct hop *hop)
{
	struct drain_order *o;

	while ((o = LIST_FIRST(&hop->orders)) != NULL) {
		LIST_REMOVE(o, next);
		free(o);
	}
}

static struct drain_order *
order_of(struct hop *hop, struct pn_str server)
{
	struct drain_order *o;

	LIST_FOREACH (o, &hop->orders, next)
		if (pn_str_eq(pn_str_of(o->server), server))
			return o;
	return NULL;
}

static void
keep_order(struct hop *hop, struct pn_str server, bool on)
{
	struct drain_order *o = order_of(hop, server);

	if (o == NULL) {
		o = xcalloc(1, sizeof(*o) + server.n + 1);
		memcpy(o->server, server.p, server.n);
		LIST_INSERT_HEAD(&hop->orders, o, next);
	}
	o->on = on;
}

static bool
is_to_drain(struct hop *hop, const char *server)
{
	const struct drain_order *o = order_of(hop, pn_str_of(server));

	return o != NULL ? o->on : hop->draining;
}

struct server *
hop_server(struct hop *hop, const char *host,
    const struct sockaddr_storage *addr, socklen_t n, unsigned priority,
    unsigned weight)
{
	struct server *s = find_server(hop, host, addr);

	if (s == NULL) {
		make_room(hop);
		s = server_new(hop);
		s->found = true;
		hop->n_found++;
		s->own = *addr;
		s->addr = &s->own;
		s->addr_len = n;
		s->name = s->text = text_of(host, addr);
		s->host = s->own_host = xstrdup(host);
		s->draining = is_to_drain(hop, s->name);
		show(s, false);
		if (!hop->conf->mx)
			keep_tell_stats(hop->smtp->keep);
	} else {
		TAILQ_REMOVE(&hop->servers, s, next);
		TAILQ_INSERT_TAIL(&hop->servers, s, next);
	}
	s->priority = priority;
	s->weight = weight;
	return s;
}

void
server_hold(struct server *s)
{
	s->holds++;
}

void
server_release(struct server *s)
{
	if (s == NULL)
		return;
	must(s->holds > 0);
	s->holds--;
}

/* ---- mail hosts ---- */

static void
show_lookups(struct hop *hop)
{
	static const char *const words[] = { [LOOKUPS_FOUND] = "found",
		[LOOKUPS_FAILING] = "failing" };

	for (size_t i = LOOKUPS_FOUND; i < LOOKUPS_STATES; i++) {
		if (hop->looks[i] == NULL)
			hop->looks[i] = count_lookups(&hop->smtp->count,
			    hop->conf->name, words[i]);
		stat_set(hop->looks[i], hop->lookups.state == i);
	}
	keep_tell_stats(hop->smtp->keep);
}

static void
on_forget(int fd, short what, void *arg)
{
	struct hop *hop = arg;
	bool shown = hop->lookups.state == LOOKUPS_FAILING;

	(void)fd;
	(void)what;
	hop->lookups = (struct lookups){ 0 };
	if (shown)
		show_lookups(hop);
}

void
hop_looked_up(struct hop *hop, const char *domain, bool answered)
{
	bool news = lookups_ended(&hop->lookups, domain,
	    hop->conf->mx_domain != NULL, answered);

	(void)event_del(&hop->forget);
	if (!answered)
		must(event_add(&hop->forget,
			 loop_timeout(hop->smtp->loop, LOOKUPS_FORGET_MS)) == 0);
	if (news)
		show_lookups(hop);
}

/* ---- the hop ---- */

/* Workers draw differently. Never 0, of which nothing comes. */
static uint64_t
seed_of(unsigned worker)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return ((uint64_t)now.tv_sec << 32 ^ (uint64_t)now.tv_nsec << 8 ^
		   worker) |
	    1;
}

static struct tls_client *
make_tls(const struct smtp_upstream *conf)
{
	struct tls_client *t;
	struct error e;

	if (conf->tls.level == TLS_NONE)
		return NULL;
	t = tls_client_new(&conf->tls, &e);
	if (t == NULL)
		log_error("", "tls", "upstream=%s state=not-available why=\"%s\"",
		    conf->name, e.text);
	return t;
}

void
hop_init(struct hop *hop, struct smtp *smtp, const struct smtp_upstream *conf,
    void (*probed)(struct hop *))
{
	*hop = (struct hop){ .conf = conf, .smtp = smtp, .probed = probed };
	hop->seed = seed_of(smtp->worker);
	TAILQ_INIT(&hop->servers);
	must(evtimer_assign(
		 &hop->forget, loop_base(smtp->loop), on_forget, hop) == 0);
	hop->tls = make_tls(conf);
	for (size_t i = 0; i < conf->n_servers; i++)
		add_server(hop, &conf->servers[i]);
	/* A maildir is our own and takes any bytes. Of the world's mail hosts
	 * all but all have RFC 6152; of DSN a domain without it would have to
	 * be told about first (RFC 3461 5.2.2). */
	if (conf->maildir != NULL || conf->mx)
		hop->known = (struct keywords){ .known = true,
			.eight_bit = true, .smtputf8 = true, .status = true };
}

void
hop_fini(struct hop *hop)
{
	struct server *s;

	resolve_cancel(hop->resolve);
	hop->resolve = NULL;
	(void)event_del(&hop->forget);
	while ((s = TAILQ_FIRST(&hop->servers)) != NULL)
		server_free(s);
	forget_orders(hop);
	tls_client_free(hop->tls);
}

void
hop_close_kept(struct hop *hop)
{
	struct server *s;

	TAILQ_FOREACH (s, &hop->servers, next)
		kept_close(&s->kept);
}

bool
hop_is_new(const struct hop *hop)
{
	const struct server *s;

	if (hop->known.known)
		return false;
	if (hop->resolve != NULL)
		return true;
	TAILQ_FOREACH (s, &hop->servers, next)
		if (s->probe != NULL)
			return true;
	return false;
}

static bool
all_drain(const struct hop *hop)
{
	const struct server *s;

	TAILQ_FOREACH (s, &hop->servers, next)
		if (!s->draining)
			return false;
	return true;
}

/*
 * What a client may be promised, whichever of them it comes to. Where it comes
 * to none for now, what they will take again: a sender that is promised less
 * sends its mail back, or changes it, rather than wait.
 */
static void
learn(struct hop *hop)
{
	bool none = all_drain(hop);
	const struct server *s;

	if (hop->conf->mx)
		return; /* anybody's: what most of them announce */
	hop->known = (struct keywords){ 0 };
	TAILQ_FOREACH (s, &hop->servers, next)
		if (s->known.known && (none || !s->draining))
			keywords_join(&hop->known, &s->known);
}

/* Where `health` is set, no mail need find out that a server has gone. */
static void
look_after(struct server *s)
{
	uint64_t ms = s->hop->conf->health_ms;

	if (ms > 0 && !s->hop->conf->mx && !s->draining)
		must(event_add(&s->retry,
			 loop_timeout(s->hop->smtp->loop, ms)) == 0);
}

void
server_answered(struct server *s, const struct keywords *k)
{
	struct smtp *smtp = s->hop->smtp;
	uint64_t lasted_ms;

	s->known = *k;
	s->known.when_ms = loop_now_ms(smtp->loop);
	learn(s->hop);
	(void)event_del(&s->retry);
	look_after(s);
	if (!outage_ended(&s->outage, s->known.when_ms, &lasted_ms))
		return;
	s->away = false;
	show(s, false);
	log_info("", "server", "upstream=%s server=%s state=up away=%llus",
	    s->hop->conf->name, s->name,
	    (unsigned long long)lasted_ms / 1000);
	keep_tell_stats(smtp->keep);
}

static void
set_draining(struct server *s, bool on)
{
	if (s->draining == on)
		return;
	s->draining = on;
	if (on)
		kept_empty(&s->kept);
	else if (!s->away)
		look_after(s);
	show(s, false);
	log_info("", "server", "upstream=%s server=%s state=%s",
	    s->hop->conf->name, s->name, on ? "draining" : "resumed");
}

void
hop_drain(struct hop *hop, struct pn_str name, bool on)
{
	struct server *s;

	if (hop->conf->n_servers == 0)
		return; /* the world's, or a maildir */
	if (name.n > 0) {
		keep_order(hop, name, on);
	} else {
		hop->draining = on;
		forget_orders(hop);
	}
	TAILQ_FOREACH (s, &hop->servers, next)
		if (name.n == 0)
			set_draining(s, on || s->drained);
		else if (pn_str_eq(pn_str_of(s->name), name))
			set_draining(s, on);
	learn(hop);
	keep_tell_stats(hop->smtp->keep);
}

static void
log_away(const struct server *s, uint64_t lasts_ms, const char *why)
{
	char lasts[40] = "";

	if (lasts_ms > 0)
		(void)snprintf(lasts, sizeof(lasts), " for=%llus",
		    (unsigned long long)lasts_ms / 1000);
	log_warn("", "server", "upstream=%s server=%s state=away%s why=\"%s\"",
	    s->hop->conf->name, s->name, lasts, why);
}

/*
 * Several mails may fail on it at once, or one after the other where all are
 * away: one failure, as long as the next probe is not due.
 */
void
server_failed(struct server *s, uint64_t took_ms, const char *why)
{
	struct smtp *smtp = s->hop->smtp;
	uint64_t now_ms = loop_now_ms(smtp->loop);
	enum outage_news news;

	s->slow = took_ms >= SLOW_MS;
	if (s->away && event_pending(&s->retry, EV_TIMEOUT, NULL))
		return;
	s->away = true;
	news = outage_failed(&s->outage, now_ms);
	if (news != OUTAGE_NO_NEWS)
		log_away(s, outage_lasts_ms(&s->outage, now_ms), why);
	show(s, false);
	if (news == OUTAGE_BEGINS)
		keep_tell_stats(smtp->keep);
	must(event_add(&s->retry,
		 loop_timeout(smtp->loop, outage_pause_ms(&s->outage))) == 0);
}
