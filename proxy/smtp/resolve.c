/*
 * resolve - see resolve.h.
 *
 *   [MX ->] A and AAAA of each host, at once -> done
 */
#include "smtp/resolve.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "engine/dns.h"
#include "engine/engine.h"
#include "smtp/door.h"
#include "smtp/self.h"

#define RESOLVE_MAGIC 0x7265736fu

struct host {
	char name[DOMAIN_MAX];
	uint16_t port;
	unsigned priority, weight;
};

struct address {
	const struct host *host;
	struct sockaddr_storage addr;
	socklen_t addr_len;
};

/* One question about an address. */
struct question {
	struct resolve *resolve;
	const struct host *host;
	struct dns_ask *ask;
};

struct resolve {
	uint32_t magic;
	struct hop *hop;
	resolve_done *done;
	void *arg;
	char domain[DOMAIN_MAX]; /* "" for servers by name */
	bool has_mx;             /* ... which has MX records */
	char *mx_name;           /* ... of this name */
	bool mx_is_secure;
	struct host hosts[HOP_SERVERS_MAX];
	size_t n_hosts;
	struct question questions[2 * HOP_SERVERS_MAX];
	size_t n_questions, pending;
	struct address found[HOP_SERVERS_MAX];
	size_t n_found;
	bool temporary;          /* some answer is still to be had */
	struct dns_ask *mx;
	struct event at_once;    /* nothing had to be asked */
};

void
resolve_cancel(struct resolve *r)
{
	if (r == NULL)
		return;
	MUST_BE(r, RESOLVE);
	dns_cancel(r->mx);
	for (size_t i = 0; i < r->n_questions; i++)
		dns_cancel(r->questions[i].ask);
	(void)event_del(&r->at_once);
	free(r->mx_name);
	r->magic = 0;
	free(r);
}

/* ---- the end ---- */

static const struct smtp_listener *
listener_reached(const struct smtp_conf *c, const struct sockaddr_storage *to)
{
	for (size_t i = 0; i < c->n_listeners; i++)
		if (self_is_reached(&c->listeners[i].addr, to))
			return &c->listeners[i];
	return NULL;
}

/* Would it come back to one of our listeners? */
static bool
is_ours(const struct resolve *r, const struct address *a)
{
	const struct smtp_conf *c = r->hop->smtp->conf;

	return strcasecmp(a->host->name, c->hostname) == 0 ||
	    listener_reached(c, &a->addr) != NULL;
}

/* RFC 5321 5.1: ourselves, and those that are no better than we are. False:
 * none is left. */
static bool
drop_ourselves(struct resolve *r)
{
	unsigned mine = UINT_MAX;
	size_t kept = 0;

	for (size_t i = 0; i < r->n_found; i++)
		if (is_ours(r, &r->found[i]) &&
		    r->found[i].host->priority < mine)
			mine = r->found[i].host->priority;
	for (size_t i = 0; i < r->n_found; i++)
		if (r->found[i].host->priority < mine)
			r->found[kept++] = r->found[i];
	r->n_found = kept;
	return kept > 0;
}

/* A name of ours among the servers: mail would come to this next hop again, and
 * a session with ourselves waits for itself. False: none is left. */
static bool
drop_loops(struct resolve *r)
{
	const struct smtp_conf *c = r->hop->smtp->conf;
	size_t kept = 0;

	for (size_t i = 0; i < r->n_found; i++) {
		const struct address *a = &r->found[i];
		const struct smtp_listener *l = listener_reached(c, &a->addr);

		if (l != NULL && self_leads_to(l, r->hop->conf))
			log_error("", "resolve",
			    "upstream=%s server=%s:%u error=\"mail loops back "
			    "to ourselves: it is our own listener %s\"",
			    r->hop->conf->name, a->host->name, a->host->port,
			    l->name);
		else
			r->found[kept++] = *a;
	}
	r->n_found = kept;
	return kept > 0;
}

static struct reply
nothing_found(const struct resolve *r)
{
	if (r->temporary || r->domain[0] == '\0')
		return (struct reply){ 451, "4.4.3",
			PN_STR("Temporary lookup failure") };
	if (r->has_mx)
		return (struct reply){ 550, "5.4.4",
			PN_STR("No mail host of the domain has an address") };
	return (struct reply){ 550, "5.1.2", PN_STR("Domain not found") };
}

static void
end(struct resolve *r, const struct resolved *answer)
{
	resolve_done *done = r->done;
	void *arg = r->arg;

	if (answer->failure.code != 0)
		log_info("", "resolve",
		    "upstream=%s domain=%s code=%u status=%s",
		    r->hop->conf->name, VIS(pn_str_of(r->domain)),
		    answer->failure.code, answer->failure.status);
	/* A literal asks nobody. */
	if (r->hop->conf->mx && r->domain[0] != '[')
		hop_looked_up(r->hop, r->domain,
		    answer->failure.code == 0 || !r->temporary);
	done(arg, answer);
	resolve_cancel(r);
}

static void
fail(struct resolve *r, struct reply why)
{
	end(r, &(struct resolved){ .failure = why });
}

static void
finish(struct resolve *r)
{
	struct server *servers[HOP_SERVERS_MAX];
	struct resolved answer = { .servers = servers, .mx = r->mx_name,
		.mx_is_secure = r->mx_is_secure };

	if (r->n_found == 0) {
		fail(r, nothing_found(r));
		return;
	}
	if (r->domain[0] != '\0' && !drop_ourselves(r)) {
		fail(r, (struct reply){ 554, "5.4.6",
			PN_STR("Mail for the domain loops back to this host") });
		return;
	}
	if (r->domain[0] == '\0' && !drop_loops(r)) {
		fail(r, (struct reply){ 451, "4.4.1",
			PN_STR("The next hop is not available") });
		return;
	}
	for (size_t i = 0; i < r->n_found; i++) {
		const struct address *a = &r->found[i];

		servers[answer.n++] = hop_server(r->hop, a->host->name,
		    &a->addr, a->addr_len, a->host->priority, a->host->weight);
	}
	end(r, &answer);
}

/* ---- addresses ---- */

static void
add_address(struct resolve *r, const struct host *host, struct pn_str text)
{
	char buf[INET6_ADDRSTRLEN];
	struct address a = { .host = host };
	struct sockaddr_in *four = (struct sockaddr_in *)&a.addr;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&a.addr;

	(void)snprintf(buf, sizeof(buf), "%.*s", PN_STR_ARG(text));
	if (inet_pton(AF_INET, buf, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons(host->port);
		a.addr_len = sizeof(*four);
	} else if (inet_pton(AF_INET6, buf, &six->sin6_addr) == 1) {
		six->sin6_family = AF_INET6;
		six->sin6_port = htons(host->port);
		a.addr_len = sizeof(*six);
	}
	if (a.addr_len > 0 && r->n_found < HOP_SERVERS_MAX)
		r->found[r->n_found++] = a;
}

static void
on_addresses(void *arg, const struct pn_dns *answer)
{
	struct question *q = arg;
	struct resolve *r = q->resolve;

	MUST_BE(r, RESOLVE);
	q->ask = NULL;
	r->pending--;
	for (size_t i = 0; i < answer->n; i++)
		add_address(r, q->host, answer->answers[i]);
	if (answer->status == PN_DNS_TEMPORARY ||
	    answer->status == PN_DNS_TIMEOUT)
		r->temporary = true;
	if (r->pending == 0)
		finish(r);
}

/* `tls dane` holds the mail hosts of others to what their zones signed: a
 * forged name is none. */
static struct dns *
dns_of(const struct resolve *r)
{
	struct engine *engine = r->hop->smtp->engine;
	struct dns *secure = engine_secure_dns(engine);
	bool wanted = r->hop->conf->mx && r->hop->conf->tls.level == TLS_DANE;

	return wanted && secure != NULL ? secure : engine_dns(engine);
}

static void
ask(struct resolve *r, const struct host *host, enum dns_type type)
{
	struct engine *engine = r->hop->smtp->engine;
	struct question *q = &r->questions[r->n_questions++];

	*q = (struct question){ .resolve = r, .host = host };
	r->pending++;
	q->ask = dns_ask(dns_of(r), type, pn_str_of(host->name),
	    engine_dns_timeout_ms(engine), on_addresses, q);
}

/* All names here went through domain_ascii(). */
static void
copy_name(char to[DOMAIN_MAX], const char *name)
{
	size_t n = strlen(name) + 1;

	must(n <= DOMAIN_MAX);
	memcpy(to, name, n);
}

static struct host *
add_host(struct resolve *r, const char *name, unsigned port,
    unsigned priority, unsigned weight)
{
	struct host *h;

	if (r->n_hosts == HOP_SERVERS_MAX)
		return NULL;
	h = &r->hosts[r->n_hosts++];
	copy_name(h->name, name);
	h->port = (uint16_t)port;
	h->priority = priority;
	h->weight = weight;
	return h;
}

/* A name, or an address literal: "[192.0.2.1]", "[IPv6:2001:db8::1]". */
static void
look_up(struct resolve *r, const struct host *h)
{
	struct pn_str s;

	if (h == NULL)
		return;
	s = pn_str_of(h->name);
	if (s.n > 2 && s.p[0] == '[' && s.p[s.n - 1] == ']') {
		s = pn_str_sub(s, 1, s.n - 2);
		if (pn_str_caseeq(pn_str_sub(s, 0, 5), PN_STR_V("ipv6:")))
			s = pn_str_sub(s, 5, s.n);
		add_address(r, h, s);
		return;
	}
	ask(r, h, DNS_AAAA);
	ask(r, h, DNS_A);
}

/* ---- mail hosts ---- */

static void
on_mx(void *arg, const struct pn_dns *answer)
{
	struct resolve *r = arg;
	struct mx_host hosts[MX_HOSTS_MAX];
	size_t n = 0;

	MUST_BE(r, RESOLVE);
	if (answer->n > 0) {
		r->mx_name = xstrdup(dns_canonical(r->mx));
		r->mx_is_secure = dns_is_secure(r->mx);
	}
	r->mx = NULL;
	if (answer->status == PN_DNS_TEMPORARY ||
	    answer->status == PN_DNS_TIMEOUT) {
		r->temporary = true;
		finish(r);
		return;
	}
	if (mx_read(answer->answers, answer->n, hosts, &n) == MX_NOBODY) {
		fail(r, (struct reply){ 556, "5.1.10",
			PN_STR("The domain takes no mail (null MX)") });
		return;
	}
	r->has_mx = answer->n > 0;
	for (size_t i = 0; i < n; i++)
		look_up(r, add_host(r, hosts[i].name, r->hop->conf->mx_port,
			       hosts[i].preference, 1));
	/* RFC 5321 5.1: without an MX, the domain itself. */
	if (!r->has_mx)
		look_up(r, add_host(r, r->domain, r->hop->conf->mx_port, 0, 1));
	if (r->pending == 0)
		finish(r);
}

static void
start_mx(struct resolve *r)
{
	struct engine *engine = r->hop->smtp->engine;

	if (r->domain[0] == '[')
		look_up(r, add_host(r, r->domain, r->hop->conf->mx_port, 0, 1));
	else
		r->mx = dns_ask(dns_of(r), DNS_MX, pn_str_of(r->domain),
		    engine_dns_timeout_ms(engine), on_mx, r);
}

/* ---- the beginning ---- */

static void
start_servers(struct resolve *r)
{
	const struct smtp_upstream *conf = r->hop->conf;

	for (size_t i = 0; i < conf->n_servers; i++) {
		const struct smtp_server *s = &conf->servers[i];

		if (s->drain)
			continue;
		if (s->host != NULL)
			look_up(r, add_host(r, s->host, s->port, s->priority,
				       s->weight));
	}
}

static void
on_at_once(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	finish(arg);
}

struct resolve *
resolve_start(
    struct hop *hop, const char *domain, resolve_done *done, void *arg)
{
	struct resolve *r = xcalloc(1, sizeof(*r));

	r->magic = RESOLVE_MAGIC;
	r->hop = hop;
	r->done = done;
	r->arg = arg;
	must(evtimer_assign(
		 &r->at_once, loop_base(hop->smtp->loop), on_at_once, r) == 0);
	if (hop->conf->mx_domain != NULL)
		domain = hop->conf->mx_domain;
	if (hop->conf->mx) {
		copy_name(r->domain, domain);
		start_mx(r);
	} else {
		start_servers(r);
	}
	if (r->pending == 0 && r->mx == NULL)
		event_active(&r->at_once, EV_TIMEOUT, 0);
	return r;
}
