/*
 * doctor_dane - what DNSSEC says of a server's certificate, where its upstream
 * has `tls dane`: which TLSA records there are, whether that was validated, and
 * what a worker would make of them. The same questions in the same order as
 * upstream_dane.c, one after the other; RFC 7672 2.1, 2.2. What it finds binds
 * the talk, whose handshake shows whether the certificate fits.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/pack.h"
#include "cli/doctor.h"
#include "cli/doctor_ask.h"
#include "cli/doctor_talk.h"

#define SHOWN_MAX 8   /* records; more are counted */
#define DIGITS_MAX 16 /* of each, in hex */

/* ---- asking ---- */

/* False: it has no answer, or a forged one. */
static bool
look_up(struct asker *a, enum dns_type type, const char *name)
{
	enum pn_dns_status status = asker_ask(a, type, name);

	return status == PN_DNS_OK || status == PN_DNS_NONE;
}

/* Of the connection that there is. */
static void
peer_of(const struct talk *t, bool *six, unsigned *port)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t n = sizeof(ss);

	(void)getpeername(t->sock, (struct sockaddr *)&ss, &n);
	*six = ss.ss_family == AF_INET6;
	*port = ntohs(*six ? ((struct sockaddr_in6 *)&ss)->sin6_port
			   : ((struct sockaddr_in *)&ss)->sin_port);
}

enum dane_end {
	DANE_UNKNOWN, /* nobody knows: nothing is dialled */
	DANE_UNSIGNED,
	DANE_NONE, /* it is proven that there are none */
	DANE_FOUND
};

static enum dane_end
ask_tlsa(struct asker *a, struct talk *t, const char *base, unsigned port)
{
	char name[300];

	(void)snprintf(t->base, sizeof(t->base), "%s", base);
	(void)snprintf(name, sizeof(name), "_%u._tcp.%s", port, base);
	if (!look_up(a, DNS_TLSA, name))
		return DANE_UNKNOWN;
	if (!a->secure)
		return DANE_UNSIGNED;
	return a->status == PN_DNS_OK ? DANE_FOUND : DANE_NONE;
}

static enum dane_end
find(struct asker *a, struct talk *t, const char *host)
{
	enum dane_end end;
	char canonical[256];
	unsigned port;
	bool six, alias;

	peer_of(t, &six, &port);
	(void)snprintf(t->base, sizeof(t->base), "%s", host);
	if (!look_up(a, six ? DNS_AAAA : DNS_A, host))
		return DANE_UNKNOWN;
	(void)snprintf(canonical, sizeof(canonical), "%s", a->canonical);
	alias = strcasecmp(canonical, host) != 0;
	if (a->secure) {
		end = ask_tlsa(a, t, canonical, port);
		if (!alias || end == DANE_FOUND || end == DANE_UNKNOWN)
			return end;
	} else if (!alias) {
		return DANE_UNSIGNED;
	} else if (!look_up(a, DNS_CNAME, host) || a->status != PN_DNS_OK) {
		return DANE_UNKNOWN;
	} else if (!a->secure) {
		return DANE_UNSIGNED;
	}
	return ask_tlsa(a, t, host, port);
}

/* ---- saying it ---- */

/* "3 1 1 0123456789abcdef..." */
static void
put_record(struct buf *b, struct pn_str r)
{
	const unsigned char *p = (const unsigned char *)r.p;

	if (r.n < 3) {
		(void)buf_puts(b, "one that is none");
		return;
	}
	(void)buf_printf(b, "%u %u %u ", p[0], p[1], p[2]);
	for (size_t i = 3; i < r.n && i < 3 + DIGITS_MAX / 2; i++)
		(void)buf_printf(b, "%02x", p[i]);
	if (r.n > 3 + DIGITS_MAX / 2)
		(void)buf_puts(b, "...");
	if (!tls_tlsa_usable(r))
		(void)buf_puts(b, " (not usable)");
}

/* Those that can be used bind us. */
static void
take(struct asker *a, struct talk *t, struct buf *shown)
{
	t->level = TLS_ENCRYPT;
	for (size_t i = 0; i < a->n; i++) {
		struct pn_str r = a->answers[i];

		if (tls_tlsa_usable(r)) {
			t->level = TLS_DANE;
			pack_str(&t->tlsa, r);
		}
		if (i < SHOWN_MAX) {
			(void)buf_puts(shown, i > 0 ? ", " : ": ");
			put_record(shown, r);
		} else if (i == SHOWN_MAX) {
			(void)buf_puts(shown, ", ...");
		}
	}
}

static void
say_found(struct doctor *d, struct asker *a, struct talk *t,
    const char *what)
{
	struct buf shown = { 0 };

	take(a, t, &shown);
	doctor_say(d, t->level == TLS_DANE ? FINE : WARN, what,
	    "mail wants usage 2 or 3 (RFC 7672 3.1), best 3 1 1",
	    "%s has %zu TLSA record%s, validated%.*s%s", t->base, a->n,
	    a->n == 1 ? "" : "s", PN_STR_ARG(buf_str(&shown)),
	    t->level == TLS_DANE ? "" : ": whoever it is, but under TLS");
	buf_fini(&shown);
}

/* What a worker makes of it. False: it dials nobody. */
static bool
judge(struct doctor *d, struct asker *a, struct talk *t, enum dane_end end,
    const char *what)
{
	t->level = TLS_MAY;
	switch (end) {
	case DANE_UNKNOWN:
		doctor_say(d, FAIL, what,
		    "ask with `dig +dnssec`; the resolver (`dns`) must hand "
		    "signatures on, the clock be right",
		    "whether %s has TLSA records cannot be known, or the "
		    "answer is forged: mail gets 451 4.7.5",
		    t->base);
		return false;
	case DANE_UNSIGNED:
		doctor_say(d, WARN, what,
		    "sign its zone (DNSSEC), or take another level of `tls`",
		    "nobody signed what the DNS says of %s: no TLSA record "
		    "counts, and none is asked for",
		    t->base);
		break;
	case DANE_NONE:
		doctor_say(d, WARN, what,
		    "publish one, or take another level of `tls`",
		    "%s has no TLSA record, validated", t->base);
		break;
	case DANE_FOUND:
		say_found(d, a, t, what);
		break;
	}
	return true;
}

bool
doctor_dane(struct doctor *d, const struct config *c, struct talk *t)
{
	char scratch[256], what[128];
	const char *host = tls_next_name(&t->upstream->tls, t->server->host,
	    t->server->name, scratch, sizeof(scratch));
	bool dials = false;
	struct asker a;
	struct error e;

	(void)snprintf(what, sizeof(what), "dane %s", t->upstream->name);
	if (asker_open(&a, &c->engine, true, &e) < 0)
		doctor_say(d, FAIL, what, "see `dns` and `trust_anchor`", "%s",
		    e.text);
	else
		dials = judge(d, &a, t, find(&a, t, host), what);
	asker_close(&a);
	return dials;
}
