/*
 * milter_door - the milter door alone: libmilter and its threads around one
 * loop, with an engine and a keeper that are played (played.c).
 *
 *   milter_door KEY=VALUE...   prints where it listens, as MTAs write it, then
 *                              runs until its standard input ends; a line
 *                              there drains it, and it says "drained"
 *
 *   listen=inet|PATH  size=BYTES  early=reject|tempfail  progress=MS
 *   stages=connect,helo,mail,rcpt   where something is judged (default: all)
 *   body=no                         nothing is asked of the message
 *   macros=NAME,NAME                that rules ask for
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "milter/milter.h"
#include "tests/dialogs/options.h"
#include "tests/dialogs/played.h"

static int
listen_inet(void)
{
	uint16_t port;
	int fd = listen_on_loopback(&port);

	printf("inet:%u@127.0.0.1\n", port);
	fflush(stdout);
	return fd;
}

static int
listen_unix(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	must(strlen(path) < sizeof(a.sun_path));
	memcpy(a.sun_path, path, strlen(path));
	(void)unlink(path);
	must(bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 &&
	    listen(fd, 1024) == 0);
	printf("unix:%s\n", path);
	fflush(stdout);
	return fd;
}

/* "a,b" into names; the text is cut up. */
static size_t
split(char *text, struct pn_str *out, size_t max)
{
	size_t n = 0;

	for (char *w = strtok(text, ","); w != NULL && n < max;
	     w = strtok(NULL, ","))
		out[n++] = pn_str_of(w);
	return n;
}

static void
set_stages(bool *stages, char *text)
{
	struct pn_str words[STAGES];
	size_t n = split(text, words, STAGES);

	for (size_t i = 0; i < n; i++)
		for (enum stage s = STAGE_CONNECT; s < STAGES; s++)
			if (pn_str_eq(words[i], pn_str_of(stage_name(s))))
				stages[s] = true;
}

struct program {
	struct loop *loop;
	struct milter *milter;
};

static void
drained(void *arg)
{
	unsigned now;
	uint64_t sessions, messages;

	milter_count(((struct program *)arg)->milter, &now, &sessions,
	    &messages);
	printf("drained %u %llu %llu\n", now, (unsigned long long)sessions,
	    (unsigned long long)messages);
	fflush(stdout);
}

static void
on_stdin(evutil_socket_t fd, short what, void *arg)
{
	struct program *p = arg;
	char line[64];

	(void)what;
	if (io_read(fd, line, sizeof(line)) <= 0)
		loop_stop(p->loop);
	else
		milter_drain(p->milter, drained, p);
}

static void
run(const struct milter_conf *conf, int fd, const char *spool_dir,
    const char *early)
{
	struct program p = { .loop = loop_new() };
	struct engine engine = { p.loop, early };
	struct keep keep = { p.loop };
	struct spool_pool *pool = spool_pool_new(
	    &(struct spool_conf){ .dir = spool_dir, .max_memory = 1 << 20 });
	struct event *in = event_new(loop_base(p.loop), 0,
	    EV_READ | EV_PERSIST, on_stdin, &p);
	struct error e;

	event_add(in, NULL);
	p.milter = milter_new(p.loop, conf, conf->listeners, fd, &engine, &keep,
	    pool, 0, &e);
	must(p.milter != NULL);
	loop_run(p.loop);
	/* As a worker ends: libmilter's threads are left where they are. */
	_exit(0);
}

int
main(int argc, char **argv)
{
	static char stages[64], macros[256];
	static struct pn_str names[16];
	const char *listen_at = option(argc, argv, "listen", "inet");
	bool reads = strcmp(option(argc, argv, "body", "yes"), "no") != 0;
	struct engine_conf engine = { .needs = { .actions = UINT32_MAX,
		.header = reads,
		.body = reads } };
	bool tcp = strcmp(listen_at, "inet") == 0;
	struct milter_listener listener = { .name = "milter",
		.addr.ss_family = tcp ? AF_INET : AF_UNIX,
		.upstream = "up" };
	struct milter_conf conf = { .hostname = "mx.example.com",
		.listeners = &listener,
		.n_listeners = 1,
		.engine = &engine,
		.message_size_limit = number(argc, argv, "size", 10 << 20),
		.progress_ms = number(argc, argv, "progress", 10000),
		.macros = names };
	sigset_t all;

	(void)snprintf(stages, sizeof(stages), "%s",
	    option(argc, argv, "stages", "connect,helo,mail,rcpt"));
	set_stages(engine.needs.stages, stages);
	engine.needs.stages[STAGE_MESSAGE] = true;
	(void)snprintf(macros, sizeof(macros), "%s",
	    option(argc, argv, "macros", ""));
	conf.n_macros = split(macros, names, PN_COUNT(names));
	must(sigfillset(&all) == 0 &&
	    sigprocmask(SIG_BLOCK, &all, NULL) == 0);
	must(log_open("milter_door", "stderr", LOG_LEVEL_INFO) == 0);
	log_style(NULL, true);
	run(&conf, tcp ? listen_inet() : listen_unix(listen_at),
	    option(argc, argv, "spool", "/tmp"),
	    option(argc, argv, "early", ""));
	return 0;
}
