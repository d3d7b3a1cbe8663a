/*
 * dns - see dns.h.
 *
 * Called by whoever looks a name up: ask.c for modules, client_name.c,
 * connections (service.c, milter_link.c), smtp's resolve and upstream_dane, and
 * postern(1). An ask lives from dns_ask() to its callback or dns_cancel(); it
 * owns its timer, which is also what brings an answer that came at once to the
 * loop.
 */
#include "engine/dns.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <unbound.h>
#include <unbound-event.h>

#include "base/mem.h"
#include "base/must.h"

#define ANSWERS 64   /* of one ask; more are left out */
#define TEXT 4096    /* bytes of all its answers */

struct dns {
	struct loop *loop;
	struct ub_ctx *ub;
};

struct dns_ask {
	uint32_t magic;
	struct dns *dns;
	enum dns_type type;
	int id;         /* libunbound's; valid while pending */
	bool pending;   /* libunbound will call back */
	struct event timer;
	dns_done *done;
	void *arg;
	enum pn_dns_status status;
	bool secure;    /* DNSSEC */
	bool cut;       /* there is more than we have room for */
	char name[NS_MAXDNAME]; /* asked for; then the canonical one */
	struct pn_str answers[ANSWERS];
	size_t n;
	char text[TEXT];
	size_t used;
};
#define ASK_MAGIC 0x646e7361u

static int
set_options(struct ub_ctx *ub)
{
	static const char *const options[][2] = {
		/* Built-in zones would deny the PTRs of private networks, and
		 * of 127/8, where a machine's own services may have names. */
		{ "unblock-lan-zones:", "yes" },
		{ "local-zone:", "127.in-addr.arpa. transparent" },
		{ "msg-cache-size:", "2m" }, { "rrset-cache-size:", "4m" },
		{ "msg-cache-slabs:", "1" }, { "rrset-cache-slabs:", "1" },
		{ "infra-cache-slabs:", "1" }, { "key-cache-slabs:", "1" },
	};

	for (size_t i = 0; i < PN_COUNT(options); i++)
		if (ub_ctx_set_option(ub, options[i][0], options[i][1]) != 0)
			return -1;
	return 0;
}

static int
set_server(struct ub_ctx *ub, const char *server, struct error *e)
{
	int rc;

	if (server != NULL) {
		/* A resolver on our own machine is the usual one. */
		if ((rc = ub_ctx_set_option(ub, "do-not-query-localhost:",
			 "no")) == 0)
			rc = ub_ctx_set_fwd(ub, server);
		return rc == 0 ? 0
			       : error_set(e, "dns %s: %s", server,
				     ub_strerror(rc));
	}
	/* Without resolv.conf it asks the root servers itself. */
	rc = ub_ctx_resolvconf(ub, NULL);
	if (rc != 0 && rc != UB_READFILE)
		return error_set(e, "resolv.conf: %s", ub_strerror(rc));
	return 0;
}

struct dns *
dns_new(struct loop *loop, const char *server, struct error *e)
{
	struct dns *d = xcalloc(1, sizeof(*d));

	d->loop = loop;
	d->ub = ub_ctx_create_event(loop_base(loop));
	if (d->ub == NULL || set_options(d->ub) < 0) {
		(void)error_set(e, "libunbound has no libevent interface");
		dns_free(d);
		return NULL;
	}
	if (set_server(d->ub, server, e) < 0) {
		dns_free(d);
		return NULL;
	}
	return d;
}

void
dns_know_hosts(struct dns *d)
{
	(void)ub_ctx_hosts(d->ub, NULL); /* there may be none */
}

int
dns_trust(struct dns *d, struct pn_str anchors, struct error *e)
{
	char line[1024];

	while (anchors.n > 0) {
		const char *lf = memchr(anchors.p, '\n', anchors.n);
		size_t n = lf != NULL ? (size_t)(lf - anchors.p) : anchors.n;
		struct pn_str text = pn_str_trim(pn_str_sub(anchors, 0, n));
		int rc;

		anchors = pn_str_sub(anchors, n + 1, anchors.n);
		if (text.n == 0 || text.p[0] == ';')
			continue;
		if (text.n >= sizeof(line))
			return error_set(e, "a trust anchor is too long");
		memcpy(line, text.p, text.n);
		line[text.n] = '\0';
		if ((rc = ub_ctx_add_ta(d->ub, line)) != 0)
			return error_set(e, "trust anchor: %s", ub_strerror(rc));
	}
	return 0;
}

bool
dns_is_secure(const struct dns_ask *a)
{
	return a->secure;
}

const char *
dns_canonical(const struct dns_ask *a)
{
	return a->name;
}

void
dns_free(struct dns *d)
{
	if (d == NULL)
		return;
	if (d->ub != NULL)
		ub_ctx_delete(d->ub);
	free(d);
}

/* ---- the answer ---- */

static void
add_answer(struct dns_ask *a, const char *text, size_t n)
{
	if (a->n == ANSWERS || n > TEXT - a->used) {
		a->cut = true;
		return;
	}
	if (n > 0)
		memcpy(a->text + a->used, text, n);
	a->answers[a->n++] = (struct pn_str){ a->text + a->used, n };
	a->used += n;
}

/* RFC 1035 3.3.14: several strings, read as one. */
static void
add_txt(struct dns_ask *a, const unsigned char *p, size_t n)
{
	char text[TEXT];
	size_t used = 0;

	while (n > 0 && (size_t)*p + 1 <= n && used + *p <= sizeof(text)) {
		memcpy(text + used, p + 1, *p);
		used += *p;
		n -= (size_t)*p + 1;
		p += (size_t)*p + 1;
	}
	add_answer(a, text, used);
}

/* The preference, then the host (RFC 1035 3.3.9). */
static void
add_mx(struct dns_ask *a, ns_msg *msg, const ns_rr *rr)
{
	char text[NS_MAXDNAME + 8], host[NS_MAXDNAME];
	const unsigned char *p = ns_rr_rdata(*rr);
	int n;

	if (ns_rr_rdlen(*rr) < 3 ||
	    ns_name_uncompress(ns_msg_base(*msg), ns_msg_end(*msg), p + 2, host,
		sizeof(host)) < 0)
		return;
	n = snprintf(text, sizeof(text), "%u %s", ns_get16(p),
	    strcmp(host, ".") == 0 ? "" : host);
	add_answer(a, text, (size_t)n);
}

static void
add_record(struct dns_ask *a, ns_msg *msg, const ns_rr *rr)
{
	char text[NS_MAXDNAME];

	if (ns_rr_type(*rr) != (ns_type)a->type)
		return; /* a CNAME on the way */
	if (a->type == DNS_TXT) {
		add_txt(a, ns_rr_rdata(*rr), ns_rr_rdlen(*rr));
	} else if (a->type == DNS_MX) {
		add_mx(a, msg, rr);
	} else if (a->type == DNS_TLSA) {
		add_answer(a, (const char *)ns_rr_rdata(*rr),
		    ns_rr_rdlen(*rr));
	} else if (a->type == DNS_PTR || a->type == DNS_CNAME) {
		if (ns_name_uncompress(ns_msg_base(*msg), ns_msg_end(*msg),
			ns_rr_rdata(*rr), text, sizeof(text)) >= 0)
			add_answer(a, text, strlen(text));
	} else if (ns_rr_rdlen(*rr) == (a->type == DNS_A ? 4 : 16)) {
		if (inet_ntop(a->type == DNS_A ? AF_INET : AF_INET6,
			ns_rr_rdata(*rr), text, sizeof(text)) != NULL)
			add_answer(a, text, strlen(text));
	}
}

/* Where does this name point to? */
static bool
next_name(const struct dns_ask *a, ns_msg *msg, char *to)
{
	ns_rr rr;

	for (int i = 0; i < ns_msg_count(*msg, ns_s_an); i++)
		if (ns_parserr(msg, ns_s_an, i, &rr) == 0 &&
		    ns_rr_type(rr) == ns_t_cname &&
		    strcasecmp(ns_rr_name(rr), a->name) == 0)
			return ns_name_uncompress(ns_msg_base(*msg),
				   ns_msg_end(*msg), ns_rr_rdata(rr), to,
				   NS_MAXDNAME) >= 0;
	return false;
}

/* RFC 1034 3.6.2. They may stand in any order; a ring of them ends too. */
static void
follow_names(struct dns_ask *a, ns_msg *msg)
{
	char to[NS_MAXDNAME];

	for (int i = ns_msg_count(*msg, ns_s_an);
	     i > 0 && a->type != DNS_CNAME && next_name(a, msg, to); i--)
		memcpy(a->name, to, strlen(to) + 1);
}

/* What the packet says counts: libunbound gives 0 for cached failures. */
static void
read_answer(struct dns_ask *a, int rcode, const void *packet, int n)
{
	ns_msg msg;
	ns_rr rr;

	a->status = PN_DNS_TEMPORARY;
	if (rcode != ns_r_noerror || n <= 0 ||
	    ns_initparse(packet, n, &msg) < 0)
		return;
	rcode = ns_msg_getflag(msg, ns_f_rcode);
	if (rcode != ns_r_noerror && rcode != ns_r_nxdomain)
		return;
	for (int i = 0; i < ns_msg_count(msg, ns_s_an); i++)
		if (ns_parserr(&msg, ns_s_an, i, &rr) == 0)
			add_record(a, &msg, &rr);
	follow_names(a, &msg);
	a->status = a->n > 0 || a->cut ? PN_DNS_OK : PN_DNS_NONE;
}

/* ---- asking ---- */

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct dns_ask *a = arg;
	struct pn_dns answer;

	(void)fd;
	(void)what;
	MUST_BE(a, ASK);
	if (a->pending) {
		(void)ub_cancel(a->dns->ub, a->id); /* gone already is fine */
		a->pending = false;
		a->status = PN_DNS_TIMEOUT;
	}
	answer = (struct pn_dns){ .status = a->status,
		.answers = a->answers,
		.n = a->n };
	a->done(a->arg, &answer);
	a->magic = 0;
	free(a);
}

static void
to_the_loop(struct dns_ask *a)
{
	a->pending = false;
	(void)event_del(&a->timer);
	event_active(&a->timer, EV_TIMEOUT, 0);
}

static void
on_answer(void *arg, int rcode, void *packet, int n, int secure, char *bogus,
    int limited)
{
	struct dns_ask *a = arg;

	(void)limited;
	a->secure = secure != 0;
	MUST_BE(a, ASK);
	if (bogus != NULL)
		rcode = ns_r_servfail; /* a forged answer is none */
	read_answer(a, rcode, packet, n);
	to_the_loop(a);
}

/* "192.0.2.1" -> "1.2.0.192.in-addr.arpa", RFC 3596 2.5 likewise. */
static bool
reverse_name(struct pn_str ip, char *out, size_t size)
{
	unsigned char raw[16];
	char text[INET6_ADDRSTRLEN] = "";
	size_t at = 0;

	if (ip.n == 0 || ip.n >= sizeof(text))
		return false;
	memcpy(text, ip.p, ip.n);
	if (inet_pton(AF_INET, text, raw) == 1) {
		(void)snprintf(out, size, "%d.%d.%d.%d.in-addr.arpa", raw[3],
		    raw[2], raw[1], raw[0]);
		return true;
	}
	if (inet_pton(AF_INET6, text, raw) != 1)
		return false;
	for (int i = 15; i >= 0; i--)
		at += (size_t)snprintf(out + at, size - at, "%x.%x.",
		    raw[i] & 15, raw[i] >> 4);
	(void)snprintf(out + at, size - at, "ip6.arpa");
	return true;
}

static bool
query_name(enum dns_type type, struct pn_str name, char *out, size_t size)
{
	if (type == DNS_PTR)
		return reverse_name(name, out, size);
	if (name.n == 0 || name.n >= size || memchr(name.p, '\0', name.n))
		return false;
	memcpy(out, name.p, name.n);
	out[name.n] = '\0';
	return true;
}

struct dns_ask *
dns_ask(struct dns *d, enum dns_type type, struct pn_str name,
    uint64_t timeout_ms, dns_done *done, void *arg)
{
	struct dns_ask *a = xcalloc(1, sizeof(*a));
	int rc;

	a->magic = ASK_MAGIC;
	a->dns = d;
	a->type = type;
	a->done = done;
	a->arg = arg;
	a->status = PN_DNS_NONE; /* of a name that cannot be asked for */
	evtimer_assign(&a->timer, loop_base(d->loop), on_timer, a);
	must(event_add(&a->timer, loop_timeout(d->loop, timeout_ms)) == 0);
	if (!query_name(type, name, a->name, sizeof(a->name))) {
		to_the_loop(a);
		return a;
	}
	a->pending = true;
	rc = ub_resolve_event(d->ub, a->name, (int)type, ns_c_in, a, on_answer,
	    &a->id);
	if (rc != 0) {
		a->status = PN_DNS_TEMPORARY;
		to_the_loop(a);
	}
	return a;
}

void
dns_cancel(struct dns_ask *a)
{
	if (a == NULL)
		return;
	MUST_BE(a, ASK);
	if (a->pending)
		(void)ub_cancel(a->dns->ub, a->id); /* gone already is fine */
	(void)event_del(&a->timer);
	a->magic = 0;
	free(a);
}
