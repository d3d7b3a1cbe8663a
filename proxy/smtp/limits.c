/* limits - see limits.h. */
#include "smtp/limits.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "base/log.h"
#include "smtp/heading.h"

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

bool
limits_except(const struct smtp *smtp, const struct peer *p)
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

	if (shortage_of_fds(smtp, fd) || shortage_for_session(smtp)) {
		h->place = 0;
		met(smtp, "", shortage_of_fds(smtp, fd) ? LIMIT_DESCRIPTORS
							: LIMIT_MEMORY,
		    TEXT(&p), smtp->n_sessions, smtp->n_sessions);
		(void)snprintf(say, size,
		    "421 4.3.2 %s Error: short of resources, try again later",
		    smtp->conf->hostname);
		return false;
	}
	if (!of_all(smtp, &p, h)) {
		(void)snprintf(say, size,
		    "421 4.7.0 %s Error: too many connections",
		    smtp->conf->hostname);
		return false;
	}
	if (limits_except(smtp, &p) || session_is_listed(l->conf, sa) ||
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

	if (limits_except(s->smtp, &p)) {
		(void)crowd_is(s->smtp->seat, &s->hold, NULL, 0, 0);
		return true;
	}
	if (one_more(s->smtp, s->base->id, &p, &s->hold))
		return true;
	count_turned_away(&s->smtp->count);
	session_say(s, 421, "4.7.0", "%s Error: too many connections from %.*s",
	    s->smtp->conf->hostname, PN_STR_ARG(TEXT(&p)));
	session_hang_up(s);
	if (s->listener->tls.mode == LISTEN_WRAPPED && !session_is_secure(s)) {
		buf_clear(&s->wire.out); /* no words in clear here */
		s->gone = true;
	}
	return false;
}

/* ---- what a session comes to ---- */

static void
reached(struct session *s, enum limit limit, unsigned n, unsigned most)
{
	count_limit(&s->smtp->count, limit);
	log_info(session_id(s), "limit", "limit=%s client=%.*s count=%u most=%u",
	    count_limit_name(limit), PN_STR_ARG(s->base->client.ip), n, most);
}

static void
end(struct session *s, const char *status, const char *text)
{
	session_say(s, 421, status, "%s Error: %s", s->smtp->conf->hostname,
	    text);
	session_hang_up(s);
}

bool
limits_ended(struct session *s)
{
	const struct smtp_conf *c = s->smtp->conf;

	if (c->error_limit > 0 && s->errors > c->error_limit) {
		reached(s, LIMIT_ERRORS, s->errors, c->error_limit);
		shape_left(s, "too many errors");
		end(s, "4.7.0", "too many errors");
	} else if (c->junk_command_limit > 0 &&
	    s->junk > c->junk_command_limit) {
		reached(s, LIMIT_JUNK, s->junk, c->junk_command_limit);
		shape_left(s, "too many errors");
		end(s, "4.7.0", "too many commands without mail");
	} else if (pace_session_is_over(s)) {
		reached(s, LIMIT_SESSION_TIME, s->messages,
		    (unsigned)(c->limits.session_ms / 1000));
		shape_left(s, "timeout");
		end(s, "4.4.2", "the session takes too long");
	} else {
		return false;
	}
	return true;
}

/* ---- a message ---- */

void
limits_recipients(struct session *s)
{
	const struct smtp_conf *c = s->smtp->conf;

	count_refused(&s->smtp->count, REFUSED_BY_LIMITS);
	count_limit(&s->smtp->count, LIMIT_RECIPIENTS);
	session_say(s, 452, "4.5.3", "Error: too many recipients");
	/* RFC 5321 4.5.3.1.10: it sends the others later; not for ever now. */
	if (++s->pace.overshoot > c->limits.overshoot)
		s->errors++;
}

static void
refuse_message(struct session *s, enum limit limit, size_t n, size_t most,
    uint16_t code, const char *status, const char *text)
{
	reached(s, limit, (unsigned)n, (unsigned)most);
	intake_fault(s, code, status, text);
}

bool
limits_data(struct session *s)
{
	if (!pace_data_is_slow(s))
		return true;
	reached(s, LIMIT_DATA_RATE, (unsigned)s->pace.bytes,
	    (unsigned)s->smtp->conf->limits.data_rate);
	return false;
}

static bool
read_heading(struct session *s, struct heading *h)
{
	const struct smtp_limits *l = &s->smtp->conf->limits;
	size_t at = 0;
	bool stop = l->line_length == 0 || s->binary;

	while (!(stop && h->ended)) {
		struct pn_str piece = spool_at(s->t->spool, at);

		if (piece.p == NULL)
			return false;
		if (piece.n == 0 || (stop && l->header_size > 0 &&
					h->bytes > l->header_size))
			break;
		heading_feed(h, piece, stop);
		at += piece.n;
	}
	return true;
}

void
limits_message(struct session *s)
{
	const struct smtp_limits *l = &s->smtp->conf->limits;
	struct heading h = { 0 };

	if (!read_heading(s, &h)) {
		intake_fault(s, 452, "4.3.1", "Insufficient system storage");
	} else if (l->hops > 0 && h.received > l->hops) {
		shape_hops(s);
		refuse_message(s, LIMIT_HOPS, h.received, l->hops, 554,
		    "5.4.6", "Error: too many hops");
	} else if (l->header_size > 0 && h.bytes > l->header_size) {
		refuse_message(s, LIMIT_HEADER_SIZE, h.bytes, l->header_size,
		    552, "5.3.4", "Message header size exceeds fixed limit");
	} else if (l->line_length > 0 && !s->binary &&
	    h.longest > l->line_length) {
		refuse_message(s, LIMIT_LINE_LENGTH, h.longest, l->line_length,
		    550, "5.6.0", "Error: a line of the message is too long");
	}
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
	if (shortage_for_mail(s->smtp)) {
		count_limit(&s->smtp->count, LIMIT_MEMORY);
		session_say_no_room(s);
		return false;
	}
	return may(s, RATE_MESSAGES, LIMIT_MESSAGE_RATE, 450, "4.7.1",
	    "too much mail");
}

bool
limits_rcpt(struct session *s)
{
	if (may(s, RATE_RECIPIENTS, LIMIT_RECIPIENT_RATE, 450, "4.7.1",
		"too many recipients"))
		return true;
	count_refused(&s->smtp->count, REFUSED_BY_LIMITS);
	return false;
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

bool
limits_command(struct session *s)
{
	if (may(s, RATE_COMMANDS, LIMIT_COMMAND_RATE, 421, "4.7.0",
		"too many commands"))
		return true;
	s->dismissed = true;
	return false;
}
