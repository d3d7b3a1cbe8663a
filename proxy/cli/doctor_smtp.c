/*
 * doctor_smtp - does the MTA behind us see the client's address, under the TLS
 * that its upstream wants? Each server is dialled and asked as a worker would:
 * the channel that is configured must be announced with ADDR, and taken.
 * RFC 5321, 3207; Postfix XCLIENT, XFORWARD.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/doctor.h"
#include "cli/doctor_find.h"
#include "cli/doctor_talk.h"

/* Documentation's (RFC 5737): nobody's. */
#define SOMEBODY "192.0.2.1"
#define WHAT_MAX 128
#define DOMAINS_MAX 3 /* of an upstream, whose mail hosts are dialled */

/* Does a line of the reply begin with it? */
static bool
offers(const char *reply, const char *keyword)
{
	size_t n = strlen(keyword);

	for (const char *line = reply; line != NULL && *line != '\0';
	     line = strchr(line, '\n'), line = line ? line + 1 : NULL)
		if (strlen(line) >= 4 + n &&
		    strncasecmp(line + 4, keyword, n) == 0 &&
		    strchr(" \r\n", line[4 + n]) != NULL)
			return true;
	return false;
}

/* Does a line of the reply announce the keyword with ADDR? */
static bool
announces(const char *reply, const char *keyword)
{
	size_t n = strlen(keyword);

	for (const char *line = reply; line != NULL && *line != '\0';
	     line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
		const char *end = strchr(line, '\n');
		const char *addr;

		if (strlen(line) < 4 ||
		    strncasecmp(line + 4, keyword, n) != 0 ||
		    (line[4 + n] != ' ' && line[4 + n] != '\r'))
			continue;
		addr = strcasestr(line + 4 + n, " ADDR");
		return addr != NULL && (end == NULL || addr < end);
	}
	return false;
}

static const char *
advice_for(enum smtp_identity by)
{
	return by == IDENTITY_XCLIENT
		   ? "let our address use it: in Postfix's main.cf "
		     "smtpd_authorized_xclient_hosts"
		   : "let our address use it: in Postfix's main.cf "
		     "smtpd_authorized_xforward_hosts";
}

/* It is announced: is it taken, too? */
static void
try_identity(struct doctor *d, struct talk *t, const struct smtp_upstream *u,
    const char *what)
{
	bool xclient = u->identity == IDENTITY_XCLIENT;
	int code = talk_say(t, "%s ADDR=" SOMEBODY " NAME=[UNAVAILABLE]\r\n",
	    xclient ? "XCLIENT" : "XFORWARD");

	if (code == 220 || code == 250)
		doctor_say(d, FINE, what, "",
		    xclient ? "%s sees the client's address (XCLIENT)"
			    : "%s logs the client's address (XFORWARD)",
		    t->server->name);
	else if (code < 0)
		doctor_say(d, FAIL, what, advice_for(u->identity),
		    "%s announces the client's identity and then: %s",
		    t->server->name, t->why.text);
	else
		doctor_say(d, FAIL, what, advice_for(u->identity),
		    "%s announces the client's identity and refuses it with %d",
		    t->server->name, code);
}

static bool
has_header(enum smtp_identity by)
{
	return by == IDENTITY_PROXY || by == IDENTITY_PROXY_V1;
}

/*
 * One that does not know the header takes it for a command, and its refusal
 * of that stands where the answer to EHLO should be; or it hangs up. What it
 * does with the address, only it knows.
 */
static void
judge_header(
    struct doctor *d, struct talk *t, int code, const char *what)
{
	static const char advice[] =
	    "it must expect the header: in Postfix's master.cf "
	    "-o smtpd_upstream_proxy_protocol=haproxy";

	if (code == 250)
		doctor_say(d, FINE, what, "",
		    "%s takes the client's address (PROXY header of " SOMEBODY
		    "; its log shows whether it believed it)",
		    t->server->name);
	else if (code < 0)
		doctor_say(d, FAIL, what, advice,
		    "%s was sent a PROXY header and then: %s", t->server->name,
		    t->why.text);
	else
		doctor_say(d, FAIL, what, advice,
		    "%s was sent a PROXY header and answers %d",
		    t->server->name, code);
}

/* ---- TLS ---- */

static void
say_tls(struct doctor *d, const struct talk *t, enum finding f,
    const char *advice, const char *found, const char *why)
{
	char what[WHAT_MAX];

	(void)snprintf(what, sizeof(what), "tls %s", t->upstream->name);
	doctor_say(d, f, what, advice, "%s %s%s", t->server->name, found, why);
}

/* At `may` mail goes on in clear, and where DANE finds no records. */
static bool
can_do_without(const struct talk *t)
{
	return (t->level == TLS_NONE || t->level == TLS_MAY) &&
	    !t->upstream->tls.wrapped;
}

static void
say_without(struct doctor *d, const struct talk *t, const char *how)
{
	bool can = can_do_without(t);

	say_tls(d, t, can ? FINE : FAIL, "switch TLS on there", how,
	    can ? ": mail goes there in clear" : ": mail gets 451 4.7.4");
}

/* The handshake is done: with whom? */
static void
judge_peer(struct doctor *d, struct talk *t)
{
	const char *why = talk_check(t);
	char with[200], not[300];

	(void)snprintf(with, sizeof(with), "speaks %s, ", t->secret);
	(void)snprintf(not, sizeof(not), "and is not whom we want: %s: mail "
	    "gets 451 4.7.5", why != NULL ? why : "");
	if (why != NULL)
		say_tls(d, t, FAIL,
		    t->level == TLS_DANE
			? "its certificate, or its TLSA records"
			: "its certificate, or the upstream's `tls` line: ca, "
			  "name, fingerprint",
		    with, not);
	else if (t->level == TLS_DANE)
		say_tls(d, t, FINE, "", with, "as its TLSA records have it");
	else if (t->level == TLS_VERIFY || t->level == TLS_FINGERPRINT)
		say_tls(d, t, FINE, "", with, "verified");
	else
		say_tls(d, t, FINE, "", with,
		    "whoever it is: nothing is verified at this level");
}

/* True: what is said now goes through TLS. */
static bool
handshake(struct doctor *d, struct talk *t)
{
	bool can = can_do_without(t);

	if (talk_secure(t) == 0) {
		judge_peer(d, t);
		return true;
	}
	if (t->n > 0)
		say_tls(d, t, FAIL,
		    "mail gets 451 4.4.1: look who is between us",
		    "says more in clear behind its answer to STARTTLS", "");
	else if (t->client == NULL)
		say_tls(d, t, WARN, "run it as the user that starts posternd",
		    "was not asked for TLS, which cannot be begun here: ",
		    t->why.text);
	else
		say_tls(d, t, can ? WARN : FAIL,
		    can ? "mail goes there in clear"
			: "mail gets 451 4.7.5: see that server's log",
		    "fails at the TLS handshake: ", t->why.text);
	return false;
}

/* After EHLO. The code of the reply that counts now: this one's, or that to
 * another EHLO; 0: the connection is of no more use. */
static int
starttls(struct doctor *d, struct talk *t, const char *hello, int code)
{
	const struct smtp_upstream *u = t->upstream;

	if (u->tls.level == TLS_NONE || u->tls.wrapped)
		return code;
	if (!offers(t->reply, "STARTTLS")) {
		say_without(d, t, "offers no STARTTLS");
		return code;
	}
	if (talk_say(t, "%s\r\n", "STARTTLS") != 220) {
		say_without(d, t, "offers STARTTLS and refuses it");
		return can_do_without(t) ? talk_say(t, "%s", hello) : 0;
	}
	if (handshake(d, t))
		return talk_say(t, "%s", hello);
	return 0;
}

/* ---- all of it ---- */

static void
judge_identity(struct doctor *d, struct talk *t, const struct smtp_upstream *u,
    const char *what)
{
	const char *keyword =
	    u->identity == IDENTITY_XCLIENT ? "XCLIENT" : "XFORWARD";

	if (u->delivers || u->mx)
		doctor_say(
		    d, FINE, what, "", "%s answers us", t->server->name);
	else if (u->identity == IDENTITY_TPROXY)
		doctor_say(d, FINE, what, "",
		    "%s answers us; whether it can answer clients through "
		    "this machine is not to be seen from here: look in its "
		    "log for their addresses",
		    t->server->name);
	else if (u->identity == IDENTITY_NONE)
		doctor_say(d, WARN, what,
		    "nothing there may trust our address; `identity xclient` "
		    "tells it who is talking",
		    "to %s every client is postern itself", t->server->name);
	else if (announces(t->reply, keyword))
		try_identity(d, t, u, what);
	else
		doctor_say(d, FAIL, what, advice_for(u->identity),
		    "%s does not announce %s with ADDR to us: mail gets "
		    "451 4.3.5",
		    t->server->name, keyword);
}

static void
judge_answer(struct doctor *d, struct talk *t, int code, const char *what)
{
	const char *advice = "see that server's log";

	if (code > 0 && code != 250 && code != 220)
		doctor_say(d, FAIL, what, advice, "%s answers %d",
		    t->server->name, code);
	else if (code < 0)
		doctor_say(d, FAIL, what, advice, "%s: %s", t->server->name,
		    t->why.text);
	else
		judge_identity(d, t, t->upstream, what);
}

/* As a worker until it would say MAIL. False: no TLS came of it, and more can
 * be seen only on another connection, in clear. */
static bool
converse(struct doctor *d, struct talk *t, const char *hostname,
    const char *what, bool tls)
{
	const struct smtp_upstream *u = t->upstream;
	char hello[300];
	int code;

	(void)snprintf(hello, sizeof(hello), "%s %s\r\n",
	    u->lmtp ? "LHLO" : "EHLO", hostname);
	if (u->tls.wrapped && !handshake(d, t))
		return true;
	code = talk_hear(t);
	if (code == 220)
		code = talk_say(t, "%s", hello);
	if (has_header(u->identity) && tls)
		judge_header(d, t, code, what);
	if (code == 250 && tls)
		code = starttls(d, t, hello, code);
	if (code == 0)
		return false;
	if (!has_header(u->identity))
		judge_answer(d, t, code, what);
	return true;
}

static void
name_it(const struct smtp_upstream *u, char what[WHAT_MAX])
{
	(void)snprintf(what, WHAT_MAX, "upstream %s", u->name);
}

/* False: nobody took the connection; why tells. */
static bool
check_server(struct doctor *d, const struct config *c,
    const struct smtp_upstream *u, const struct found *f,
    const struct smtp_server *server, struct error *why)
{
	char what[WHAT_MAX];
	bool goes_on = true; /* in clear */

	name_it(u, what);
	for (int tls = 1; tls >= 0 && goes_on; tls--) {
		struct talk t = { .upstream = u, .server = server,
			.domain = f->domain,
			.mx_name = f->mx_is_secure ? f->mx_name : NULL,
			.level = u->tls.level, .sock = -1 };
		bool done = true;

		if (talk_dial(&t, SOMEBODY) < 0) {
			*why = t.why;
			talk_end(&t);
			return false;
		}
		if (u->tls.level != TLS_DANE || !tls || doctor_dane(d, c, &t)) {
			done = converse(d, &t, c->smtp.hostname, what, tls);
			if (done) /* whatever it answers */
				(void)talk_say(&t, "%s\r\n", "QUIT");
		}
		goes_on = !done && can_do_without(&t);
		talk_end(&t);
	}
	return true;
}

/* Where one takes no connection, mail goes to another of these. */
static void
check_found(struct doctor *d, const struct config *c,
    const struct smtp_upstream *u, const struct found *f)
{
	struct error *why = xcalloc(f->n, sizeof(*why));
	bool any = false;
	char what[WHAT_MAX];

	for (size_t i = 0; i < f->n; i++)
		if (check_server(d, c, u, f, &f->all[i].server, &why[i]))
			any = true;
	name_it(u, what);
	for (size_t i = 0; i < f->n; i++)
		if (why[i].text[0] != '\0')
			doctor_say(d, any ? WARN : FAIL, what,
			    "is it running there?", "%s: %s",
			    f->all[i].server.name, why[i].text);
	free(why);
}

/* ---- mail hosts ---- */

static void
check_domain(struct doctor *d, const struct config *c, struct asker *a,
    const struct smtp_upstream *u, const char *domain, struct found *f)
{
	char what[WHAT_MAX];

	name_it(u, what);
	if (find_mail_hosts(a, &c->smtp, u->mx_port, domain, f) < 0) {
		doctor_say(d, FAIL, what, "ask with `dig MX`", "%s",
		    f->why.text);
		return;
	}
	if (u->tls.level == TLS_DANE && f->domain != NULL && !f->mx_is_secure)
		doctor_say(d, WARN, what, "sign the domain (DNSSEC)",
		    "nobody signed which mail hosts %s has: anybody may "
		    "name others",
		    domain);
	check_found(d, c, u, f);
}

/* Does mail for the domain go there, whoever sends it? What maps and defaults
 * of routes say is only seen with a recipient. */
static bool
leads_there(const struct smtp_conf *c, const struct smtp_upstream *u,
    const char *domain)
{
	for (size_t i = 0; i < c->n_listeners; i++) {
		const struct smtp_route *r = c->listeners[i].route;

		if (c->listeners[i].upstream == u)
			return true;
		for (size_t k = 0; r != NULL && k < r->n_lines; k++)
			if (r->lines[k].upstream == u &&
			    strcasecmp(r->lines[k].key, domain) == 0)
				return true;
	}
	return false;
}

static void
check_relay_domains(struct doctor *d, const struct config *c,
    struct asker *a, const struct smtp_upstream *u, struct found *f)
{
	const struct site *site = &c->smtp.site;
	size_t n = 0;
	char what[WHAT_MAX];

	for (size_t i = 0; i < site->n_relay_domains; i++) {
		if (!leads_there(&c->smtp, u, site->relay_domains[i]))
			continue;
		if (n++ < DOMAINS_MAX)
			check_domain(d, c, a, u, site->relay_domains[i], f);
	}
	name_it(u, what);
	if (n == 0)
		doctor_say(d, FINE, what, "",
		    "mail goes to the mail hosts of any domain: none is "
		    "dialled");
	else if (n > DOMAINS_MAX)
		doctor_say(d, FINE, what, "",
		    "%zu more of relay_domains are not looked up",
		    n - DOMAINS_MAX);
}

/* ---- all upstreams ---- */

static void
check_servers(struct doctor *d, const struct config *c, struct asker *a,
    const struct smtp_upstream *u, struct found *f)
{
	char what[WHAT_MAX];

	name_it(u, what);
	for (size_t i = 0; i < u->n_servers; i++) {
		if (find_server(a, &u->servers[i], f) == 0)
			check_found(d, c, u, f);
		else
			doctor_say(d, FAIL, what, "ask with `dig`, and see "
			    "`dns`", "%s", f->why.text);
	}
}

static void
check_upstream(struct doctor *d, const struct config *c,
    const struct smtp_upstream *u)
{
	struct found *f = xcalloc(1, sizeof(*f));
	char what[WHAT_MAX];
	struct asker a;
	struct error e;

	name_it(u, what);
	if (asker_open(&a, &c->engine, u->mx && u->tls.level == TLS_DANE, &e) < 0)
		doctor_say(d, FAIL, what, "see `dns` and `trust_anchor`", "%s",
		    e.text);
	else if (u->mx_domain != NULL)
		check_domain(d, c, &a, u, u->mx_domain, f);
	else if (u->mx)
		check_relay_domains(d, c, &a, u, f);
	else
		check_servers(d, c, &a, u, f);
	asker_close(&a);
	free(f);
}

void
doctor_upstreams(struct doctor *d, const struct config *c)
{
	for (size_t i = 0; i < c->smtp.n_upstreams; i++)
		check_upstream(d, c, &c->smtp.upstreams[i]);
}
