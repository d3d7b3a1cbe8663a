/* limits - see limits.h. */
#include "smtp/limits.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "base/log.h"

/* ---- who ---- */

/* "192.0.2.1" */
static struct pn_str
text_of(const struct peer *p, char out[INET6_ADDRSTRLEN])
{
	if (p->n == 0 || inet_ntop(p->family, p->addr, out,
	    INET6_ADDRSTRLEN) == NULL)
		return PN_STR_V("unknown");
	return pn_str_of(out);
}
#define TEXT(p) text_of((p), (char[INET6_ADDRSTRLEN]){ "" })

static bool
is_excepted(const struct smtp *smtp, const struct peer *p)
{
	const struct smtp_conf *c = smtp->conf;

	return peer_is_in(p, c->site.mynetworks, c->site.n_mynetworks) ||
	    peer_is_in(p, c->limits.exceptions, c->limits.n_exceptions);
}

/* ---- how often ---- */

static uint64_t
now_s(const struct smtp *smtp)
{
	return loop_now_ms(smtp->loop) / 1000;
}

static bool
too_often(const struct smtp *smtp, const struct crowd_hold *h,
    enum limit_rate kind, unsigned *n)
{
	const struct smtp_limits *l = &smtp->conf->limits;

	if (l->rates[kind] == 0)
		return false;
	*n = crowd_count(smtp->seat, h, kind, now_s(smtp),
	    (l->rate_unit_ms + 999) / 1000);
	return *n > l->rates[kind];
}

static void
met(struct smtp *smtp, const char *id, enum limit limit, struct pn_str client,
    unsigned n, unsigned most)
{
	count_limit(&smtp->count, limit);
	log_info(id, "limit", "limit=%s client=%.*s count=%u most=%u",
	    count_limit_name(limit), PN_STR_ARG(client), n, most);
	shape_limit(limit, client, n);
}

/* ---- connections ---- */

/* One more of this net: may it be? */
static bool
one_more(struct smtp *smtp, const char *id, const struct peer *p,
    struct crowd_hold *h)
{
	const struct smtp_conf *c = smtp->conf;
	unsigned char name[PEER_NAME_MAX];
	size_t size = peer_name(p, c->limits.ipv4_bits, c->limits.ipv6_bits,
	    name);
	unsigned n = crowd_is(smtp->seat, h, name, size, now_s(smtp)), often;

	if (c->client_connection_limit > 0 && n > c->client_connection_limit) {
		met(smtp, id, LIMIT_CLIENT_CONNECTIONS, TEXT(p), n,
		    c->client_connection_limit);
		return false;
	}
	if (too_often(smtp, h, RATE_CONNECTIONS, &often)) {
		met(smtp, id, LIMIT_CONNECTION_RATE, TEXT(p), often,
		    c->limits.rates[RATE_CONNECTIONS]);
		return false;
	}
	return true;
}

static bool
of_all(struct smtp *smtp, const struct peer *p, struct crowd_hold *h)
{
	unsigned most = smtp->conf->connection_limit, n = most + 1;

	if (crowd_enter(smtp->seat, h, &n) && (most == 0 || n <= most))
		return true;
	met(smtp, "", LIMIT_CONNECTIONS, TEXT(p), n, most);
	return false;
}

bool
limits_admit(struct listener *l, int fd, const struct sockaddr *sa,
    struct crowd_hold *h, char *say, size_t size)
{
	struct smtp *smtp = l->smtp;
	struct peer p = peer_of(sa);

	(void)fd;
	if (!of_all(smtp, &p, h)) {
		(void)snprintf(say, size,
		    "421 4.7.0 %s Error: too many connections",
		    smtp->conf->hostname);
		return false;
	}
	if (is_excepted(smtp, &p) || session_is_listed(l->conf, sa) ||
	    proxied_is_listed(l->conf, sa) || one_more(smtp, "", &p, h))
		return true;
	(void)snprintf(say, size,
	    "421 4.7.0 %s Error: too many connections from %.*s",
	    smtp->conf->hostname, PN_STR_ARG(TEXT(&p)));
	return false;
}

bool
limits_client(struct session *s)
{
	struct peer p = peer_of_text(s->base->client.ip);

	if (is_excepted(s->smtp, &p)) {
		(void)crowd_is(s->smtp->seat, &s->hold, NULL, 0, 0);
		return true;
	}
	if (one_more(s->smtp, s->base->id, &p, &s->hold))
		return true;
	count_turned_away(&s->smtp->count);
	session_say(s, 421, "4.7.0", "%s Error: too many connections from %.*s",
	    s->smtp->conf->hostname, PN_STR_ARG(TEXT(&p)));
	session_hang_up(s);
	return false;
}

/* ---- what it asks ---- */

static bool
may(struct session *s, enum limit_rate kind, enum limit limit, uint16_t code,
    const char *status, const char *text)
{
	struct pn_str ip = s->base->client.ip;
	unsigned n;

	if (!too_often(s->smtp, &s->hold, kind, &n))
		return true;
	met(s->smtp, session_id(s), limit, ip, n,
	    s->smtp->conf->limits.rates[kind]);
	session_say(s, code, status, "Error: %s from %.*s", text,
	    PN_STR_ARG(ip));
	return false;
}

bool
limits_mail(struct session *s)
{
	return may(s, RATE_MESSAGES, LIMIT_MESSAGE_RATE, 450, "4.7.1",
	    "too much mail");
}

bool
limits_rcpt(struct session *s)
{
	return may(s, RATE_RECIPIENTS, LIMIT_RECIPIENT_RATE, 450, "4.7.1",
	    "too many recipients");
}

bool
limits_auth(struct session *s)
{
	return may(s, RATE_AUTH, LIMIT_AUTH_RATE, 450, "4.7.1",
	    "too many AUTH commands");
}

bool
limits_tls(struct session *s)
{
	return may(s, RATE_TLS, LIMIT_TLS_RATE, 454, "4.7.0",
	    "too many new TLS sessions");
}
