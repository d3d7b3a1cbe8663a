/*
 * upstream_dane - what DNSSEC says of a server's certificate, asked before it
 * is dialled. RFC 7672: TLSA records that were validated and can be used bind
 * us to them; some that cannot, to TLS with anybody; none, or a zone that is
 * not signed, leave it at TLS if it can. An answer that is forged, or none at
 * all, is no answer: nothing is dialled (2.1.1). Called by upstream_dial.c.
 */
#include <arpa/inet.h>
#include <stdio.h>

#include "base/log.h"
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

/* RFC 7672 3.1: certificates and keys, of a usage that mail has. */
static bool
is_usable(struct pn_str r)
{
	const unsigned char *p = (const unsigned char *)r.p;

	if (r.n < 4 || (p[0] != 2 && p[0] != 3) || p[1] > 1)
		return false;
	return (p[2] == 0) || (p[2] == 1 && r.n == 3 + 32) ||
	    (p[2] == 2 && r.n == 3 + 64);
}

/* Kept with their lengths, until there is a connection to check. */
static void
keep_records(struct upstream *u, const struct pn_dns *answer)
{
	u->dane = TLS_ENCRYPT;
	for (size_t i = 0; i < answer->n; i++) {
		if (!is_usable(answer->answers[i]))
			continue;
		pack_str(&u->tlsa, answer->answers[i]);
		u->dane = TLS_DANE;
	}
}

static bool
read_answer(struct upstream *u, const struct pn_dns *answer)
{
	switch (answer->status) {
	case PN_DNS_OK:
		if (!dns_is_secure(u->tlsa_ask)) {
			u->dane = TLS_MAY;
			return true;
		}
		keep_records(u, answer);
		return true;
	case PN_DNS_NONE:
		u->dane = TLS_MAY;
		return true;
	case PN_DNS_TEMPORARY:
	case PN_DNS_TIMEOUT:
		break;
	}
	return false;
}

static void
on_answer(void *arg, const struct pn_dns *answer)
{
	static const char *const words[] = { [TLS_MAY] = "none",
		[TLS_ENCRYPT] = "unusable", [TLS_DANE] = "usable" };
	struct upstream *u = arg;
	bool known;

	MUST_BE(u, UPSTREAM);
	u->wake_due = false;
	known = read_answer(u, answer);
	u->tlsa_ask = NULL;
	if (known) {
		log_debug(u->id, "tlsa", "upstream=%s server=%s records=%s",
		    u->conf.hop->conf->name, u->server->name, words[u->dane]);
		upstream_connect(u);
	} else {
		upstream_fail_tls(u, "4.7.5",
		    "its TLSA records cannot be had, or are forged");
	}
	if (u->wake_due)
		u->conf.wake(u->conf.arg); /* u may be gone now */
}

bool
upstream_dane_ask(struct upstream *u)
{
	struct smtp *smtp = u->conf.hop->smtp;
	struct dns *dns = engine_secure_dns(smtp->engine);
	char host[256], name[300];

	buf_clear(&u->tlsa);
	u->dane = TLS_DANE;
	if (dns == NULL) {
		upstream_fail_tls(u, "4.7.5", "there is no resolver that validates");
		return false;
	}
	u->step = STEP_TLSA;
	(void)snprintf(name, sizeof(name), "_%u._tcp.%s", port_of(u->server),
	    upstream_tls_host(u, host, sizeof(host)));
	u->tlsa_ask = dns_ask(dns, DNS_TLSA, pn_str_of(name),
	    engine_dns_timeout_ms(smtp->engine), on_answer, u);
	return true;
}

void
upstream_dane_cancel(struct upstream *u)
{
	dns_cancel(u->tlsa_ask);
	u->tlsa_ask = NULL;
}

void
upstream_dane_apply(struct upstream *u, struct tls *t)
{
	struct pn_str all = buf_str(&u->tlsa);
	struct unpack in = unpack_of(all.p, all.n);

	unsigned n = 0;

	while (u->dane == TLS_DANE && in.n > 0 && !in.failed)
		n += tls_add_tlsa(t, unpack_str(&in));
	if (u->dane == TLS_DANE && n == 0)
		u->dane = TLS_ENCRYPT; /* a certificate that is none: unusable */
}
