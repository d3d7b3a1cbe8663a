/*
 * shape - what a session leaves in the log in the words of Postfix, for the
 * programs that read those (pflogsumm, fail2ban): connect, disconnect, each
 * refused recipient, and what became of each message. `log_style` wants it or
 * not. Beside engine/record, whose lines are our own.
 *
 * smtpd(8) says who came and was refused, cleanup(8) what the content came
 * to, qmgr(8) from whom and how large, smtp(8) and virtual(8) where it went.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "smtp/session.h"

/* A client owns its name in DNS: nothing in it may look like an address in
 * brackets, by which programs ban. */
static bool
is_plain(struct pn_str name)
{
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			(c >= '0' && c <= '9') || c == '.' || c == '-' ||
			c == '_'))
			return false;
	}
	return name.n > 0;
}

/* "mail.example.net[192.0.2.7]" */
static const char *
peer(const struct client *c, char *out, size_t size)
{
	(void)snprintf(out, size, "%.*s[%.*s]",
	    PN_STR_ARG(is_plain(c->name) ? c->name : PN_STR_V("unknown")),
	    PN_STR_ARG(c->ip));
	return out;
}
#define PEER(c) peer((c), (char[384]){ 0 }, 384)

static const struct client *
client_of(const struct session *s)
{
	return s->t != NULL ? &s->t->client : &s->base->client;
}

/* Postfix has two words for it. */
static const char *
protocol(const struct client *c)
{
	return pn_str_caseeq(c->helo_verb, PN_STR_V("EHLO")) ? "ESMTP" : "SMTP";
}

/* "from=<> to=<> proto=ESMTP helo=<>" */
static const char *
envelope_text(const struct session *s, struct pn_str to, char *out, size_t size)
{
	const struct client *c = client_of(s);

	(void)snprintf(out, size, "from=<%s> to=<%s> proto=%s helo=<%s>",
	    VIS(s->t->envelope.path), VIS(to), protocol(c), VIS(c->helo));
	return out;
}
#define ENVELOPE(s, to) envelope_text((s), (to), (char[1400]){ 0 }, 1400)

/* ---- connections ---- */

void
shape_connect(const struct session *s)
{
	if (log_wants_postfix())
		log_postfix("smtpd", "connect from %s", PEER(&s->base->client));
}

void
shape_left(const struct session *s, const char *how)
{
	struct pn_str verb = s->verb.n ? s->verb : PN_STR_V("CONNECT");

	if (log_wants_postfix())
		log_postfix("smtpd", "%s after %.*s from %s", how,
		    PN_STR_ARG(verb), PEER(&s->base->client));
}

/* fail2ban looks for these. */
void
shape_limit(enum limit limit, struct pn_str ip, unsigned count)
{
	static const char *const words[LIMITS] = {
		[LIMIT_CLIENT_CONNECTIONS] = "Connection concurrency",
		[LIMIT_CONNECTION_RATE] = "Connection rate",
		[LIMIT_MESSAGE_RATE] = "Message delivery request rate",
		[LIMIT_RECIPIENT_RATE] = "Recipient address rate",
		[LIMIT_AUTH_RATE] = "AUTH command rate",
		[LIMIT_TLS_RATE] = "New TLS session rate",
	};
	const struct client c = { .ip = ip };

	if (words[limit] != NULL && log_wants_postfix())
		log_postfix("smtpd",
		    "warning: %s limit exceeded: %u from %s for service smtp",
		    words[limit], count, PEER(&c));
}

/* postscreen(8) has it so. */
void
shape_pregreet(const struct session *s, uint64_t after_ms, size_t bytes,
    struct pn_str shown)
{
	const struct client *c = &s->base->client;

	if (log_wants_postfix())
		log_postfix("postscreen",
		    "PREGREET %zu after %.2f from [%.*s]:%u: %s", bytes,
		    (double)after_ms / 1000, PN_STR_ARG(c->ip), c->port,
		    VIS(shown));
}

void
shape_hops(const struct session *s)
{
	if (log_wants_postfix())
		log_postfix("cleanup",
		    "%s: message rejected: hopcount exceeded", s->t->id);
}

void
shape_disconnect(const struct session *s)
{
	if (log_wants_postfix())
		log_postfix(
		    "smtpd", "disconnect from %s", PEER(&s->base->client));
}

/* As fail2ban knows it. Neither the name nor the next hop's words: who types
 * his password into the wrong field must not find it here. */
void
shape_login_refused(
    const struct session *s, const char *mechanism, uint16_t code)
{
	if (log_wants_postfix())
		log_postfix("smtpd",
		    "warning: %s: SASL %s authentication failed: %u",
		    PEER(&s->base->client), mechanism, code);
}

/* smtpd_tls_loglevel 1 */
void
shape_tls(const struct session *s)
{
	const struct client *c = &s->base->client;
	char text[160];

	if (!log_wants_postfix())
		return;
	tls_text(s->wire.tls, text, sizeof(text));
	log_postfix("smtpd", "%s TLS connection established from %s: %s",
	    c->tls_verified == CLIENT_CERT_VERIFIED ? "Trusted"
	    : c->tls_subject.n > 0		    ? "Untrusted"
						    : "Anonymous",
	    PEER(c), text);
}

void
shape_tls_failed(const struct session *s, const char *why)
{
	if (log_wants_postfix())
		log_postfix("smtpd", "SSL_accept error from %s: %s",
		    PEER(&s->base->client), why);
}

/* ---- what is said ---- */

void
shape_said(struct session *s, struct pn_str reply)
{
	const char *end = memchr(reply.p, '\r', reply.n);
	size_t n = end != NULL ? (size_t)(end - reply.p) : reply.n;

	if (!log_wants_postfix())
		return;
	if (n > sizeof(s->said) - 1)
		n = sizeof(s->said) - 1;
	memcpy(s->said, reply.p, n);
	s->said[n] = '\0';
	if (n > 3 && s->said[3] == '-')
		s->said[3] = ' ';
}

void
shape_reply(struct session *s, const struct reply *r)
{
	char text[sizeof(s->said)];
	int n;

	if (!log_wants_postfix())
		return;
	n = snprintf(text, sizeof(text), "%u %s%s%.*s", r->code, r->status,
	    r->status[0] ? " " : "", PN_STR_ARG(r->text));
	shape_said(
	    s, (struct pn_str){ text,
		   (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1 });
}

/* ---- recipients ---- */

/* Postfix names what a rule looked at; a text that does so itself stays. */
static void
reason(const struct session *s, const struct rcpt *r, enum shape_about about,
    struct pn_str text, char *out, size_t size)
{
	static const struct pn_str whole[] = { PN_STR("Service unavailable"),
		PN_STR("Client host"), PN_STR("Sender address"),
		PN_STR("Recipient address"), PN_STR("Helo command"),
		PN_STR("Relay access") };

	for (size_t i = 0; i < PN_COUNT(whole); i++)
		if (pn_str_starts(text, whole[i]))
			about = SHAPE_AS_IS;
	switch (about) {
	case SHAPE_CLIENT:
		(void)snprintf(out, size, "<%s>: Client host rejected: %s",
		    PEER(client_of(s)), VIS(text));
		return;
	case SHAPE_SENDER:
		(void)snprintf(out, size, "<%s>: Sender address rejected: %s",
		    VIS(s->t->envelope.path), VIS(text));
		return;
	case SHAPE_RCPT:
		(void)snprintf(out, size,
		    "<%s>: Recipient address rejected: %s", VIS(r->path),
		    VIS(text));
		return;
	case SHAPE_AS_IS:
		(void)snprintf(out, size, "<%s>: %s", VIS(r->path), VIS(text));
		return;
	}
}

void
shape_refused(const struct session *s, const struct rcpt *r,
    enum shape_about about, const struct reply *said)
{
	char text[1024];

	if (!log_wants_postfix())
		return;
	reason(s, r, about, said->text, text, sizeof(text));
	log_postfix("smtpd", "%s: reject: RCPT from %s: %u %s %s; %s", s->t->id,
	    PEER(client_of(s)), said->code, said->status, text,
	    ENVELOPE(s, r->path));
}

/* An early rule's refusal of the connection, of HELO or of MAIL. */
void
shape_early(const struct session *s, const struct transaction *t, uint16_t code)
{
	const struct reply *r = &t->early.reply;
	bool at_mail = pn_str_caseeq(s->verb, PN_STR_V("MAIL"));
	const struct client *c = &t->client;
	char text[512];

	if (!log_wants_postfix())
		return;
	if (at_mail)
		(void)snprintf(text, sizeof(text),
		    "<%s>: Sender address rejected", VIS(t->envelope.path));
	else if (s->verb.n > 0)
		(void)snprintf(text, sizeof(text),
		    "<%s>: Helo command rejected", VIS(c->helo));
	else
		(void)snprintf(
		    text, sizeof(text), "<%s>: Client host rejected", PEER(c));
	log_postfix("smtpd",
	    "%s: reject: %.*s from %s: %u %s %s: %s; proto=%s"
	    " helo=<%s>",
	    t->id, PN_STR_ARG(s->verb.n ? s->verb : PN_STR_V("CONNECT")),
	    PEER(c), code, r->status, text, VIS(r->text), protocol(c),
	    VIS(c->helo));
}

/* In the next hop's own words, which name the recipient where it wants to. */
void
shape_refused_there(const struct session *s, const struct rcpt *r)
{
	if (log_wants_postfix())
		log_postfix("smtpd", "%s: reject: RCPT from %s: %s; %s",
		    s->t->id, PEER(client_of(s)), VIS(pn_str_of(s->said)),
		    ENVELOPE(s, r->path));
}

/* ---- messages ---- */

/* Header fields begin a line; one that is folded has its value behind. */
static struct pn_str
message_id(const struct session *s)
{
	static const struct pn_str name = PN_STR("message-id:");
	struct pn_str text =
	    s->t->spool != NULL ? spool_at(s->t->spool, 0) : PN_STR_V("");

	while (text.n > 0) {
		const char *nl = memchr(text.p, '\n', text.n);
		size_t n = nl != NULL ? (size_t)(nl - text.p) + 1 : text.n;

		if (n <= 2) /* the body begins */
			break;
		if (pn_str_caseeq(pn_str_sub(text, 0, name.n), name)) {
			struct pn_str rest = pn_str_sub(text, name.n, text.n);
			const char *from = memchr(rest.p, '<', rest.n);
			const char *to = memchr(rest.p, '>', rest.n);

			if (from == NULL || to == NULL || from > to ||
			    to - from > 256)
				break;
			return (struct pn_str){ from, (size_t)(to - from) + 1 };
		}
		text = pn_str_sub(text, n, text.n);
	}
	return PN_STR_V("<>");
}

/* Behind the code: "5.7.1 text". */
static const char *
behind_code(const struct session *s)
{
	return strlen(s->said) > 4 ? s->said + 4 : s->said;
}

/* A message that goes no further, and what that is called. */
static void
stopped(const struct session *s, const char *what, struct pn_str why)
{
	const struct rcpt *r = envelope_next_accepted(&s->t->envelope, NULL);

	log_postfix("cleanup", "%s: %s: END-OF-MESSAGE from %s: %s; %s",
	    s->t->id, what, PEER(client_of(s)), VIS(why),
	    ENVELOPE(s, r != NULL ? r->path : PN_STR_V("")));
}

static double
seconds_since(const struct timespec *began)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - began->tv_sec) +
	       (double)(now.tv_nsec - began->tv_nsec) / 1e9;
}

/* "mta[192.0.2.1]:25" */
static const char *
relay_of(const struct session *s, char *out, size_t size)
{
	const struct server *to = s->up != NULL ? upstream_server(s->up) : NULL;
	const char *server, *colon;
	int host;

	if (to == NULL)
		return "maildir";
	server = to->name;
	colon = strrchr(server, ':');
	host = (int)(colon - server);
	if (server[0] == '[') {
		server++;
		host -= 2;
	}
	(void)snprintf(
	    out, size, "%s[%.*s]:%s", s->hop->conf->name, host, server, colon + 1);
	return out;
}

static void
delivered(const struct session *s)
{
	double delay = seconds_since(&s->began);
	char relay[256];
	const struct rcpt *r;

	(void)relay_of(s, relay, sizeof(relay));
	TAILQ_FOREACH (r, &s->t->envelope.rcpts, next)
		if (r->accepted)
			log_postfix(s->hop->conf->maildir == NULL ? "smtp" : "virtual",
			    "%s: to=<%s>, relay=%s, delay=%.2f, dsn=2.0.0, "
			    "status=sent (%s)",
			    s->t->id, VIS(r->path),
			    relay_of(s, relay, sizeof(relay)), delay,
			    VIS(pn_str_of(s->said)));
}

static void
content_verdict(const struct session *s, uint16_t code)
{
	const struct verdict *v = &s->t->verdict;

	if (code >= 400)
		stopped(s, v->reply.code == code ? "milter-reject" : "reject",
		    pn_str_of(behind_code(s)));
	else if (v->action == VERDICT_QUARANTINE)
		stopped(s, "hold", v->class_name);
	else if (v->action == VERDICT_DISCARD)
		stopped(s, "discard", v->rule);
	else
		delivered(s);
}

void
shape_message(const struct session *s, uint16_t code)
{
	const struct transaction *t = s->t;

	if (!log_wants_postfix() || code == 0)
		return;
	if (s->logged_in)
		log_postfix("smtpd",
		    "%s: client=%s, sasl_method=%.*s, sasl_username=%s", t->id,
		    PEER(&t->client), PN_STR_ARG(t->client.login_type),
		    VIS(t->client.login));
	else
		log_postfix(
		    "smtpd", "%s: client=%s", t->id, PEER(&t->client));
	log_postfix("cleanup", "%s: message-id=%s", t->id, VIS(message_id(s)));
	if (code < 400)
		log_postfix("qmgr",
		    "%s: from=<%s>, size=%llu, nrcpt=%u "
		    "(queue active)",
		    t->id, VIS(t->envelope.path),
		    (unsigned long long)s->received, t->envelope.n_accepted);
	content_verdict(s, code);
	if (code < 400)
		log_postfix("qmgr", "%s: removed", t->id);
}
