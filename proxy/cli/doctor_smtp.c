/*
 * doctor_smtp - does the MTA behind us see the client's address? Each server
 * is dialled and asked as a worker would: the channel that is configured must
 * be announced with ADDR, and taken. RFC 5321; Postfix XCLIENT, XFORWARD.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"
#include "base/proxy_protocol.h"
#include "cli/doctor.h"

#define TIMEOUT_MS 10000
#define REPLY_MAX 8192

/* Documentation's (RFC 5737): nobody's. */
#define SOMEBODY "192.0.2.1"

struct talk {
	const struct smtp_server *server;
	int sock;
	char in[REPLY_MAX]; /* what it said and nobody has heard yet */
	size_t n;
	char reply[REPLY_MAX]; /* the last one, all lines, with its NUL */
	struct error why;
};

/* The first address of its name: this program may wait. */
static int
look_up(struct talk *t, struct smtp_server *to)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	char port[8];
	int failed;

	(void)snprintf(port, sizeof(port), "%u", to->port);
	failed = getaddrinfo(to->host, port, &hints, &found);
	if (failed != 0)
		return error_set(&t->why, "%s", gai_strerror(failed));
	memcpy(&to->addr, found->ai_addr, found->ai_addrlen);
	to->addr_len = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}

static int
dial(struct talk *t)
{
	struct smtp_server looked_up = *t->server, *to = &looked_up;
	struct pollfd p = { .events = POLLOUT };
	socklen_t n = sizeof(int);
	int failed = 0;

	if (to->host != NULL && look_up(t, to) < 0)
		return -1;
	t->sock = socket(to->addr.ss_family,
	    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (t->sock < 0)
		return error_set(&t->why, "%s", strerror(errno));
	p.fd = t->sock;
	if (connect(t->sock, (const struct sockaddr *)&to->addr, to->addr_len) <
		0 &&
	    errno != EINPROGRESS)
		return error_set(&t->why, "%s", strerror(errno));
	if (poll(&p, 1, TIMEOUT_MS) != 1)
		return error_set(&t->why, "no connection within 10 s");
	if (getsockopt(t->sock, SOL_SOCKET, SO_ERROR, &failed, &n) < 0)
		return error_set(&t->why, "%s", strerror(errno));
	return failed != 0 ? error_set(&t->why, "%s", strerror(failed)) : 0;
}

static bool
has_header(enum smtp_identity by)
{
	return by == IDENTITY_PROXY || by == IDENTITY_PROXY_V1;
}

/* As a worker begins: somebody's connection, where a header says whose. */
static int
begin(struct talk *t, enum smtp_identity by)
{
	struct sockaddr_storage somebody = { .ss_family = AF_INET };
	struct sockaddr_in *four = (void *)&somebody;
	struct buf b = { 0 };
	ssize_t sent, due;

	if (!has_header(by))
		return 0;
	four->sin_port = htons(4711);
	if (inet_pton(AF_INET, SOMEBODY, &four->sin_addr) != 1)
		return error_set(&t->why, "%s is no address", SOMEBODY);
	proxy_header_put(&b, by == IDENTITY_PROXY_V1 ? 1 : 2, &somebody,
	    &somebody);
	due = (ssize_t)buf_len(&b);
	sent = send(t->sock, buf_data(&b), (size_t)due, MSG_NOSIGNAL);
	buf_fini(&b);
	return sent == due ? 0
			   : error_set(&t->why, "it takes no PROXY header");
}

/* The bytes of the first reply, up to its last line ("250 ..."); 0: it is not
 * whole. */
static size_t
first_reply(const char *in, size_t n)
{
	const char *line = in, *lf;

	while ((lf = memchr(line, '\n', n - (size_t)(line - in))) != NULL) {
		if (lf - line < 4 || line[3] != '-')
			return (size_t)(lf - in) + 1;
		line = lf + 1;
	}
	return 0;
}

/* The reply's code, or -1. What came behind it waits: it may be the answer to
 * something that was no question. */
static int
hear(struct talk *t)
{
	struct pollfd p = { .fd = t->sock, .events = POLLIN };
	size_t n;

	while ((n = first_reply(t->in, t->n)) == 0) {
		ssize_t got;

		if (t->n == REPLY_MAX - 1)
			return error_set(&t->why, "its reply does not end");
		if (poll(&p, 1, TIMEOUT_MS) != 1)
			return error_set(&t->why, "silent for 10 s");
		got = io_read(t->sock, t->in + t->n, REPLY_MAX - 1 - t->n);
		if (got <= 0)
			return error_set(&t->why, "it closed the connection");
		t->n += (size_t)got;
	}
	memcpy(t->reply, t->in, n);
	t->reply[n] = '\0';
	t->n -= n;
	memmove(t->in, t->in + n, t->n);
	return (int)strtol(t->reply, NULL, 10);
}

static int
say(struct talk *t, const char *fmt, const char *arg)
{
	char line[512];
	int n = snprintf(line, sizeof(line), fmt, arg);

	if (send(t->sock, line, (size_t)n, MSG_NOSIGNAL) != n)
		return error_set(&t->why, "it closed the connection");
	return hear(t);
}

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
	int code = say(t, "%s ADDR=" SOMEBODY " NAME=[UNAVAILABLE]\r\n",
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

/* The handshake is a worker's; without STARTTLS it comes to none. */
static void
judge_tls(struct doctor *d, const struct talk *t, const struct smtp_upstream *u,
    const char *what)
{
	if (u->tls.level <= TLS_MAY)
		return;
	if (!offers(t->reply, "STARTTLS"))
		doctor_say(d, FAIL, what, "switch TLS on there",
		    "%s offers no STARTTLS: mail gets 451 4.7.4",
		    t->server->name);
	else
		doctor_say(d, WARN, what,
		    "see `postern status`, servers: where it is away, ev=tls "
		    "in the log says why",
		    "%s offers STARTTLS; its certificate is not looked at "
		    "here",
		    t->server->name);
}

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
converse(struct doctor *d, struct talk *t, const struct smtp_upstream *u,
    const char *hostname, const char *what)
{
	int code = hear(t);

	if (code == 220)
		code = say(t, u->lmtp ? "LHLO %s\r\n" : "EHLO %s\r\n",
		    hostname);
	if (has_header(u->identity)) {
		judge_header(d, t, code, what);
		return;
	}
	if (code != 250 && code != 220 && code > 0)
		doctor_say(d, FAIL, what, "see that server's log",
		    "%s answers %d", t->server->name, code);
	else if (code < 0)
		doctor_say(d, FAIL, what, "see that server's log", "%s: %s",
		    t->server->name, t->why.text);
	else {
		judge_tls(d, t, u, what);
		judge_identity(d, t, u, what);
	}
}

static void
check_server(struct doctor *d, const struct smtp_upstream *u,
    const struct smtp_server *server, const char *hostname)
{
	struct talk t = { .server = server, .sock = -1 };
	char what[128];

	(void)snprintf(what, sizeof(what), "upstream %s", u->name);
	if (u->tls.wrapped) {
		doctor_say(d, WARN, what, "send a mail through it",
		    "%s speaks TLS from the first byte, which this does not",
		    server->name);
		return;
	}
	if (dial(&t) < 0 || begin(&t, u->identity) < 0) {
		doctor_say(d, FAIL, what, "is it running there?", "%s: %s",
		    server->name, t.why.text);
	} else {
		converse(d, &t, u, hostname, what);
		(void)say(&t, "%s\r\n", "QUIT"); /* whatever it answers */
	}
	io_close(t.sock);
}

void
doctor_upstreams(struct doctor *d, const struct config *c)
{
	for (size_t i = 0; i < c->smtp.n_upstreams; i++) {
		const struct smtp_upstream *u = &c->smtp.upstreams[i];

		for (size_t k = 0; k < u->n_servers; k++)
			check_server(
			    d, u, &u->servers[k], c->smtp.hostname);
	}
}
