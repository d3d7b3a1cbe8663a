/*
 * upstream_dane - what DNSSEC says of a server's certificate, asked before it
 * is dialled. RFC 7672. Called by upstream_dial.c and upstream_tls.c.
 *
 *   ADDRESS -+-> TLSA where its CNAMEs end -> TLSA of its own name
 *            '-> CNAME ---------------------------^
 *
 * The address is known by then, and libunbound has it: this asks whether it is
 * signed, and for the CNAMEs on the way to it. A zone that is not signed has
 * no TLSA record that counts, and is asked for none (2.1.3): some name servers
 * do not answer such a question. Where the name is signed, and that which it
 * is an alias of is not, its own records count (2.2.2).
 *
 * TLSA records that were validated and can be used bind us to them; some that
 * cannot, to TLS with anybody; none, or a zone that is not signed, leave it at
 * TLS if it can. An answer that is forged, or none at all, is no answer:
 * nothing is dialled (2.1.1).
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "engine/dns.h"
#include "smtp/door.h"
#include "smtp/tls.h"
#include "smtp/upstream_inside.h"

static uint16_t
port_of(const struct server *s)
{
	const struct sockaddr_in *four = (const void *)s->addr;
	const struct sockaddr_in6 *six = (const void *)s->addr;

	return ntohs(s->addr->ss_family == AF_INET6 ? six->sin6_port
						    : four->sin_port);
}

/* ---- asking ---- */

static bool
is_answer(const struct pn_dns *answer)
{
	return answer->status == PN_DNS_OK || answer->status == PN_DNS_NONE;
}

static void
know(struct upstream *u, enum tls_level level)
{
	static const char *const words[] = { [TLS_MAY] = "none",
		[TLS_ENCRYPT] = "unusable", [TLS_DANE] = "usable" };

	u->dane.level = level;
	log_debug(u->id, "tlsa", "upstream=%s server=%s name=%s records=%s",
	    u->conf.hop->conf->name, u->server->name,
	    VIS(pn_str_of(u->dane.base)), words[level]);
	upstream_connect(u);
}

static void
on_answer(void *arg, const struct pn_dns *answer)
{
	struct upstream *u = arg;
	const struct dns_ask *ask;

	MUST_BE(u, UPSTREAM);
	u->wake_due = false;
	ask = u->dane.ask;
	u->dane.ask = NULL;
	if (!is_answer(answer) || !u->dane.read(u, ask, answer))
		upstream_fail_tls(u, "4.7.5",
		    "its TLSA records cannot be had, or are forged");
	if (u->wake_due)
		u->conf.wake(u->conf.arg); /* u may be gone now */
}

static void
ask(struct upstream *u, enum dns_type type, const char *name,
    bool (*read)(struct upstream *, const struct dns_ask *,
	const struct pn_dns *))
{
	struct engine *engine = u->conf.hop->smtp->engine;

	u->dane.read = read;
	u->dane.ask = dns_ask(engine_secure_dns(engine), type, pn_str_of(name),
	    engine_dns_timeout_ms(engine), on_answer, u);
}

static void
set_base(struct upstream *u, const char *name)
{
	char *copy = xstrdup(name);

	free(u->dane.base);
	u->dane.base = copy;
}

/* ---- TLSA ---- */

/* Kept with their lengths, until there is a connection to check. */
static enum tls_level
keep_records(struct upstream *u, const struct pn_dns *answer)
{
	enum tls_level level = TLS_ENCRYPT;

	for (size_t i = 0; i < answer->n; i++) {
		if (!tls_tlsa_usable(answer->answers[i]))
			continue;
		pack_str(&u->dane.records, answer->answers[i]);
		level = TLS_DANE;
	}
	return level;
}

static bool read_tlsa(struct upstream *, const struct dns_ask *,
    const struct pn_dns *);

static void
ask_tlsa(struct upstream *u, const char *base)
{
	char *name = NULL;

	set_base(u, base);
	must(asprintf(&name, "_%u._tcp.%s", port_of(u->server), base) > 0);
	ask(u, DNS_TLSA, name, read_tlsa);
	free(name);
}

/* Those of its own name are the last resort. */
static bool
read_tlsa(struct upstream *u, const struct dns_ask *asked,
    const struct pn_dns *answer)
{
	char scratch[256];
	const char *host = upstream_tls_host(u, scratch, sizeof(scratch));

	if (answer->status == PN_DNS_OK && dns_is_secure(asked))
		know(u, keep_records(u, answer));
	else if (strcasecmp(u->dane.base, host) != 0)
		ask_tlsa(u, host);
	else
		know(u, TLS_MAY);
	return true;
}

/* ---- its name ---- */

static bool
read_alias(struct upstream *u, const struct dns_ask *asked,
    const struct pn_dns *answer)
{
	char host[256];

	if (answer->status != PN_DNS_OK)
		return false; /* it was one a moment ago */
	if (dns_is_secure(asked))
		ask_tlsa(u, upstream_tls_host(u, host, sizeof(host)));
	else
		know(u, TLS_MAY);
	return true;
}

static bool
read_address(struct upstream *u, const struct dns_ask *asked,
    const struct pn_dns *answer)
{
	const char *name = dns_canonical(asked);
	char scratch[256];
	const char *host = upstream_tls_host(u, scratch, sizeof(scratch));

	(void)answer;
	if (dns_is_secure(asked))
		ask_tlsa(u, name);
	else if (strcasecmp(name, host) != 0)
		ask(u, DNS_CNAME, host, read_alias);
	else
		know(u, TLS_MAY);
	return true;
}

void
upstream_dane_ask(struct upstream *u)
{
	char scratch[256];
	const char *host = upstream_tls_host(u, scratch, sizeof(scratch));

	buf_clear(&u->dane.records);
	set_base(u, host);
	u->dane.level = TLS_DANE;
	if (engine_secure_dns(u->conf.hop->smtp->engine) == NULL) {
		upstream_fail_tls(u, "4.7.5", "there is no resolver that validates");
		return;
	}
	if (host[0] == '[') { /* an address literal has no records */
		know(u, TLS_MAY);
		return;
	}
	u->step = STEP_TLSA;
	ask(u, u->server->addr->ss_family == AF_INET6 ? DNS_AAAA : DNS_A, host,
	    read_address);
}

void
upstream_dane_cancel(struct upstream *u)
{
	dns_cancel(u->dane.ask);
	u->dane.ask = NULL;
}

void
upstream_dane_fini(struct upstream *u)
{
	buf_fini(&u->dane.records);
	free(u->dane.base);
	free(u->dane.domain);
}

/* ---- what it is for ---- */

void
upstream_dane_found(struct upstream *u, const struct resolved *answer)
{
	free(u->dane.domain);
	u->dane.domain = answer->mx != NULL ? xstrdup(answer->mx) : NULL;
	u->dane.by_anybody = answer->mx != NULL && !answer->mx_is_secure;
}

const char *
upstream_dane_base(const struct upstream *u)
{
	return u->conf.hop->conf->tls.level == TLS_DANE &&
		u->dane.level == TLS_DANE
	    ? u->dane.base
	    : NULL;
}

/*
 * RFC 7672 3.2.2: a certificate of an authority that a TLSA record names (usage
 * 2) bears the name whose record that is, or the one that was looked up. Where
 * `name` says it, none but that.
 */
static void
add_names(const struct upstream *u, struct tls *t)
{
	const struct smtp_upstream *c = u->conf.hop->conf;
	const char *domain = c->mx_domain != NULL ? c->mx_domain : u->domain;

	if (c->tls.name != NULL)
		return;
	if (u->dane.domain == NULL) {
		tls_add_name(t, u->server->host);
		return;
	}
	tls_add_name(t, domain);
	if (!u->dane.by_anybody)
		tls_add_name(t, u->dane.domain);
}

void
upstream_dane_apply(struct upstream *u, struct tls *t)
{
	struct pn_str all = buf_str(&u->dane.records);
	struct unpack in = unpack_of(all.p, all.n);
	unsigned n = 0;

	if (u->dane.level != TLS_DANE)
		return;
	while (in.n > 0 && !in.failed)
		n += tls_add_tlsa(t, unpack_str(&in));
	if (n == 0)
		u->dane.level = TLS_ENCRYPT; /* a certificate that is none: unusable */
	else
		add_names(u, t);
}
