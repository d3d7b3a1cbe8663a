/*
 * doctor_smtp - does the MTA behind us see the client's address, under the TLS
 * that its upstream wants? Each server is dialled and asked as a worker would:
 * the channel that is configured must be announced with ADDR, and taken.
 * RFC 5321, 3207; Postfix XCLIENT, XFORWARD.
 */
#include <string.h>

#include "cli/doctor.h"
#include "cli/doctor_talk.h"

/* Documentation's (RFC 5737): nobody's. */
#define SOMEBODY "192.0.2.1"

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
	char what[128];

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

	if (u->delivers)
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
check_server(struct doctor *d, const struct config *c,
    const struct smtp_upstream *u, const struct smtp_server *server)
{
	char what[128];
	bool goes_on = true; /* in clear */

	(void)snprintf(what, sizeof(what), "upstream %s", u->name);
	for (int tls = 1; tls >= 0 && goes_on; tls--) {
		struct talk t = { .upstream = u, .server = server,
			.level = u->tls.level, .sock = -1 };
		bool done = true;

		if (talk_dial(&t, SOMEBODY) < 0) {
			doctor_say(d, FAIL, what, "is it running there?",
			    "%s: %s", server->name, t.why.text);
		} else if (u->tls.level != TLS_DANE || !tls ||
		    doctor_dane(d, c, &t)) {
			done = converse(d, &t, c->smtp.hostname, what, tls);
			if (done) /* whatever it answers */
				(void)talk_say(&t, "%s\r\n", "QUIT");
		}
		goes_on = !done && can_do_without(&t);
		talk_end(&t);
	}
}

void
doctor_upstreams(struct doctor *d, const struct config *c)
{
	for (size_t i = 0; i < c->smtp.n_upstreams; i++) {
		const struct smtp_upstream *u = &c->smtp.upstreams[i];

		for (size_t k = 0; k < u->n_servers; k++)
			check_server(d, c, u, &u->servers[k]);
	}
}
