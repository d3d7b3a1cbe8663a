/*
 * door - the SMTP door alone, for dialogues: libsmtp on one loop, with an
 * engine and a keeper that are played (played.c).
 *
 *   door KEY=VALUE...      prints "port N", runs until SIGTERM (drains) or its
 *                          standard input ends
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/crowd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "smtp/smtp.h"
#include "tests/dialogs/options.h"
#include "tests/dialogs/played.h"

static enum smtp_identity
identity(const char *word)
{
	static const char *const words[] = { [IDENTITY_XCLIENT] = "xclient",
		[IDENTITY_XFORWARD] = "xforward",
		[IDENTITY_PROXY] = "proxy",
		[IDENTITY_PROXY_V1] = "proxy-v1" };

	for (size_t i = 1; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(word, words[i]) == 0)
			return (enum smtp_identity)i;
	return IDENTITY_NONE;
}

static struct smtp_limits
limits(int argc, char **argv)
{
	return (struct smtp_limits){
		.ipv4_bits = 32, .ipv6_bits = 64,
		.rate_unit_ms = number(argc, argv, "rate_unit", 60000),
		.soft_errors = (unsigned)number(argc, argv, "soft_errors", 0),
		.error_sleep_ms = number(argc, argv, "error_sleep", 300),
		.overshoot = (unsigned)number(argc, argv, "overshoot", 1000),
		.session_ms = number(argc, argv, "session_time", 0),
		.data_rate = number(argc, argv, "data_rate", 0),
		.data_grace_ms = number(argc, argv, "data_grace", 0),
		.hops = (unsigned)number(argc, argv, "hops", 0),
		.header_size = number(argc, argv, "header_size", 0),
		.greet_wait_ms = number(argc, argv, "greet_wait", 0),
		.pregreet = strcmp(option(argc, argv, "pregreet", "drop"),
				"drop") == 0
		    ? PREGREET_DROP
		    : PREGREET_NOTE,
		.line_length = number(argc, argv, "line_length", 0),
		.rates = {
		    [RATE_CONNECTIONS] = (unsigned)number(argc, argv,
			"connection_rate", 0),
		    [RATE_MESSAGES] = (unsigned)number(argc, argv,
			"message_rate", 0),
		    [RATE_RECIPIENTS] = (unsigned)number(argc, argv,
			"recipient_rate", 0),
		    [RATE_AUTH] = (unsigned)number(argc, argv, "auth_rate", 0),
		    [RATE_TLS] = (unsigned)number(argc, argv, "tls_rate", 0),
		    [RATE_COMMANDS] = (unsigned)number(argc, argv,
			"command_rate", 0) } };
}

static enum smtp_auth
auth(const char *word)
{
	static const char *const words[] = { "none", "tls", "clear",
		"require" };
	unsigned i = 0;

	while (strcmp(word, words[i]) != 0)
		must(++i < PN_COUNT(words));
	return (enum smtp_auth)i;
}

/* A key and its certificate, in one file; mode "broken": they are not. */
static struct tls_listen
tls(const char *mode, const char *path)
{
	static char text[16384];
	static struct tls_pair pair;
	FILE *f;

	if (strcmp(mode, "none") == 0)
		return (struct tls_listen){ .mode = LISTEN_CLEAR };
	f = fopen(path, "r");
	must(f != NULL);
	pair.cert.path = pair.key.path = path;
	pair.cert.text.p = text;
	pair.cert.text.n = fread(text, 1, sizeof(text), f);
	pair.key.text = pair.cert.text;
	if (strcmp(mode, "broken") == 0) /* no context can be made of it */
		pair.cert.text.n = 0;
	fclose(f);
	return (struct tls_listen){ .pairs = &pair, .n_pairs = 1,
		.mode = strcmp(mode, "may") == 0 || strcmp(mode, "broken") == 0
		    ? LISTEN_MAY
		    : strcmp(mode, "wrapped") == 0
		    ? LISTEN_WRAPPED
		    : LISTEN_REQUIRE };
}

static enum tls_level
next_tls(const char *word)
{
	return strcmp(word, "may") == 0 ? TLS_MAY
	    : strcmp(word, "encrypt") == 0 ? TLS_ENCRYPT
					   : TLS_NONE;
}

struct program {
	struct loop *loop;
	struct smtp *smtp;
};

static void
drained(void *arg)
{
	struct program *p = arg;

	loop_stop(p->loop);
}

static void
on_term(evutil_socket_t fd, short what, void *arg)
{
	struct program *p = arg;

	(void)fd;
	(void)what;
	smtp_drain(p->smtp, drained, p);
}

static void
on_stdin(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	drained(arg);
}

static void
run(const struct smtp_conf *conf, const char *spool_dir, const char *early)
{
	struct program p = { .loop = loop_new() };
	struct engine engine = { p.loop, early };
	struct keep keep = { p.loop };
	struct spool_pool *pool = spool_pool_new(
	    &(struct spool_conf){ .dir = spool_dir, .max_memory = 1 << 20 });
	struct event *term = evsignal_new(loop_base(p.loop), SIGTERM, on_term,
	    &p);
	struct event *in = event_new(loop_base(p.loop), 0, EV_READ, on_stdin,
	    &p);
	struct crowd *crowd = crowd_new();
	struct crowd_seat *seat = crowd_seat_new(crowd, conf->connection_limit);
	uint16_t port;
	int fd = listen_on_loopback(&port);

	printf("port %u\n", port);
	fflush(stdout);
	evsignal_add(term, NULL);
	event_add(in, NULL);
	p.smtp = smtp_new(p.loop, conf, &fd, &engine, &keep, pool, seat,
	    0);
	loop_run(p.loop);
	smtp_free(p.smtp);
	event_free(term);
	event_free(in);
	crowd_seat_free(seat);
	crowd_forget(crowd);
	spool_pool_free(pool);
	loop_free(p.loop);
	close(fd);
}

/* Port 0: there is none. */
static struct smtp_server
on_loopback(const char *name, uint64_t port, unsigned priority)
{
	struct smtp_server s = { .name = name, .priority = priority,
		.weight = 1, .addr_len = port ? sizeof(struct sockaddr_in) : 0 };
	struct sockaddr_in *in = (struct sockaddr_in *)&s.addr;

	in->sin_family = AF_INET;
	in->sin_port = htons((uint16_t)port);
	in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return s;
}

/* What is asked for of the next hop. */
static struct smtp_upstream
next_hop(int argc, char **argv, struct smtp_server servers[2])
{
	const char *maildir = option(argc, argv, "maildir", NULL);

	return (struct smtp_upstream){ .name = "up",
		.identity = identity(option(argc, argv, "identity", "none")),
		.maildir = maildir,
		.tls.level = next_tls(option(argc, argv, "up_tls", "none")),
		.servers = servers,
		.n_servers = maildir != NULL ? 0
		    : servers[1].addr_len > 0 ? 2
					      : 1,
		.failover_timeout_ms =
		    number(argc, argv, "failover_timeout", 5000),
		.lmtp = number(argc, argv, "lmtp_sink", 0),
		.delivers =
		    maildir != NULL || number(argc, argv, "delivers", 0),
		.connect_timeout_ms =
		    number(argc, argv, "connect_timeout", 5000),
		.reply_timeout_ms = number(argc, argv, "reply_timeout", 5000),
		.data_timeout_ms = number(argc, argv, "last_timeout", 5000),
		.reuse = strcmp(option(argc, argv, "reuse", "yes"), "yes") == 0,
		.keep = 20,
		.keep_idle_ms = number(argc, argv, "idle_timeout", 5000),
		.dial_connect =
		    strcmp(option(argc, argv, "dial", "mail"), "connect") == 0,
		.warm = (unsigned)number(argc, argv, "warm", 0) };
}

int
main(int argc, char **argv)
{
	static const char *const domains[] = { "example.com" };
	static struct smtp_server servers[2];
	static struct smtp_upstream ups[3];
	static const struct smtp_route_line lines[] = {
		{ ".example.net", &ups[1] },
		{ "box@example.com", &ups[2] },
		{ "example.com", &ups[0] },
		{ "example.net", &ups[1] },
		{ "two@example.com", &ups[1] },
	};
	static const struct smtp_route route = { .name = "r", .lines = lines,
		.n_lines = PN_COUNT(lines) };
	struct smtp_upstream *up = &ups[0];
	struct site_net local = { AF_INET, { 127 }, 8 };
	struct smtp_listener listener = { .name = "door", .upstream = up,
		.identity_by = identity(option(argc, argv, "listed", "none")),
		.lmtp = number(argc, argv, "lmtp", 0),
		.identity_from = &local, .n_identity_from = 1,
		.proxy_from = &local,
		.n_proxy_from = number(argc, argv, "proxied", 0),
		.auth = auth(option(argc, argv, "auth", "tls")),
		.tls = tls(option(argc, argv, "tls", "none"),
		    option(argc, argv, "cert", "")) };
	struct smtp_conf conf = { .hostname = "postern.example",
		.upstreams = ups, .n_upstreams = 1,
		.listeners = &listener, .n_listeners = 1,
		.site = { .relay_domains = domains, .n_relay_domains = 1,
		    .mynetworks = &local,
		    .n_mynetworks = number(argc, argv, "mynetworks", 0) },
		.message_size_limit = number(argc, argv, "size", 1000000),
		.bare_newline = strcmp(option(argc, argv, "bare_newline", ""),
				    "normalise") == 0
		    ? BARE_NORMALISE
		    : BARE_REJECT,
		.recipient_limit = (unsigned)number(argc, argv, "rcpts", 100),
		.connection_limit = (unsigned)number(argc, argv, "conns", 100),
		.client_connection_limit =
		    (unsigned)number(argc, argv, "client_conns", 50),
		.limits = limits(argc, argv),
		.error_limit = (unsigned)number(argc, argv, "errors", 20),
		.junk_command_limit = (unsigned)number(argc, argv, "junk", 100),
		.command_timeout_ms =
		    number(argc, argv, "command_timeout", 10000),
		.data_timeout_ms = number(argc, argv, "data_timeout", 10000),
		.starttls_timeout_ms =
		    number(argc, argv, "starttls_timeout", 10000),
		.hold_noop_ms = number(argc, argv, "hold_noop", 60000) };

	servers[0] = on_loopback("sink", number(argc, argv, "sink", 25), 1);
	servers[1] = on_loopback("second", number(argc, argv, "second", 0), 2);
	*up = next_hop(argc, argv, servers);
	if (number(argc, argv, "route", 0)) {
		up->n_servers = 1;
		ups[1] = *up;
		ups[1].name = "two";
		ups[1].servers = &servers[1];
		ups[2] = (struct smtp_upstream){ .name = "box",
			.maildir = "/box", .delivers = true };
		conf.n_upstreams = 3;
		listener.upstream = NULL;
		listener.route = &route;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	must(log_open("door", option(argc, argv, "log", "stderr"),
		 number(argc, argv, "debug", 0) ? LOG_LEVEL_DEBUG
						: LOG_LEVEL_INFO) == 0);
	run(&conf, option(argc, argv, "spool", "/tmp"),
	    option(argc, argv, "early", ""));
	return 0;
}
