/* doctor_find - see doctor_find.h. RFC 5321 5.1, 7505. */
#include "cli/doctor_find.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "proxy/endpoint.h"
#include "smtp/mx.h"
#include "smtp/self.h"

/* ---- addresses ---- */

static void
add_address(struct found *f, const struct smtp_server *of, const char *ip)
{
	struct found_server *s;
	char text[ENDPOINT_TEXT_MAX];

	if (f->n == HOP_SERVERS_MAX)
		return; /* a worker dials no more, either */
	s = &f->all[f->n];
	s->server = *of;
	(void)snprintf(s->host, sizeof(s->host), "%s", of->host);
	(void)snprintf(s->name, sizeof(s->name), "%s[%s]:%u", of->host, ip,
	    of->port);
	s->server.host = s->host;
	s->server.name = s->name;
	(void)snprintf(text, sizeof(text), strchr(ip, ':') ? "[%s]:%u" : "%s:%u",
	    ip, of->port);
	if (endpoint_parse(
		pn_str_of(text), &s->server.addr, &s->server.addr_len) == NULL)
		f->n++;
}

static void
look_up(struct asker *a, const struct smtp_server *of, struct found *f)
{
	static const enum dns_type types[] = { DNS_AAAA, DNS_A };

	for (size_t i = 0; i < PN_COUNT(types); i++) {
		enum pn_dns_status status = asker_ask(a, types[i], of->host);

		f->temporary |= status == PN_DNS_TEMPORARY ||
		    status == PN_DNS_TIMEOUT;
		for (size_t k = 0; k < a->n; k++)
			add_address(f, of, a->answers[k].p);
	}
}

int
find_server(struct asker *a, const struct smtp_server *s, struct found *f)
{
	*f = (struct found){ 0 };
	if (s->host == NULL) {
		f->all[f->n++].server = *s;
		return 0;
	}
	look_up(a, s, f);
	if (f->n > 0)
		return 0;
	return error_set(&f->why, "%s has no address: %s", s->name,
	    f->temporary ? "the resolver (`dns`) has no answer"
			 : "no such name, or none for it");
}

/* ---- mail hosts ---- */

static bool
is_ours(const struct smtp_conf *c, const struct smtp_server *s)
{
	bool ours = strcasecmp(s->host, c->hostname) == 0;

	for (size_t i = 0; i < c->n_listeners; i++)
		ours |= self_is_reached(&c->listeners[i].addr, &s->addr);
	return ours;
}

/* Ourselves, and those that are no better than we are: the best come first. */
static void
drop_ourselves(const struct smtp_conf *c, struct found *f)
{
	unsigned mine = UINT_MAX;

	for (size_t i = 0; i < f->n; i++)
		if (is_ours(c, &f->all[i].server) &&
		    f->all[i].server.priority < mine)
			mine = f->all[i].server.priority;
	while (f->n > 0 && f->all[f->n - 1].server.priority >= mine)
		f->n--;
}

static int
nobody(struct found *f, const char *domain, bool has_mx)
{
	if (f->temporary)
		return error_set(&f->why,
		    "who takes mail for %s cannot be known, the resolver "
		    "(`dns`) has no answer: mail gets 451 4.4.3",
		    domain);
	if (has_mx)
		return error_set(&f->why,
		    "no mail host of %s has an address: mail gets 550 5.4.4",
		    domain);
	return error_set(&f->why,
	    "%s has no mail host, and no address: mail gets 550 5.1.2",
	    domain);
}

static void
look_up_hosts(struct asker *a, struct smtp_server *of,
    const struct mx_host *hosts, size_t n, struct found *f)
{
	for (size_t i = 0; i < n; i++) {
		of->host = hosts[i].name;
		of->priority = hosts[i].preference;
		look_up(a, of, f);
	}
}

int
find_mail_hosts(struct asker *a, const struct smtp_conf *c, unsigned port,
    const char *domain, struct found *f)
{
	struct smtp_server of = { .host = domain, .port = (uint16_t)port };
	struct mx_host hosts[MX_HOSTS_MAX];
	size_t n;
	bool has_mx;

	*f = (struct found){ 0 };
	f->temporary = asker_ask(a, DNS_MX, domain) != PN_DNS_OK &&
	    a->status != PN_DNS_NONE;
	has_mx = a->n > 0;
	if (has_mx) {
		f->domain = domain;
		f->mx_is_secure = a->secure;
		memcpy(f->mx_name, a->canonical, sizeof(f->mx_name));
	}
	if (mx_read(a->answers, a->n, hosts, &n) == MX_NOBODY)
		return error_set(&f->why,
		    "%s takes no mail (null MX): mail gets 556 5.1.10", domain);
	if (has_mx)
		look_up_hosts(a, &of, hosts, n, f);
	else if (!f->temporary)
		look_up(a, &of, f);
	if (f->n == 0)
		return nobody(f, domain, has_mx);
	drop_ourselves(c, f);
	if (f->n == 0)
		return error_set(&f->why,
		    "mail for %s would come back to this host: it gets "
		    "554 5.4.6",
		    domain);
	return 0;
}
