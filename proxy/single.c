/*
 * single - see single.h. Called by main.c. The same parts as in the four
 * processes, the same sockets between them; only that one loop turns all.
 */
#include "proxy/single.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/crowd.h"
#include "base/io.h"
#include "base/ipc.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/pack.h"
#include "proxy/endpoint.h"
#include "proxy/generation.h"
#include "proxy/listen.h"
#include "proxy/users.h"
#include "proxy/worker.h"

#define WORKER_NUMBER 1
#define LAST_TURNS 16 /* of the loop, for what is on its way to the keeper */

struct single {
	const struct policy *policy;
	struct loop *loop;
	struct sockets sockets;
	int *fds; /* one a listener */
	int control, metrics;
	struct reading {
		struct inspect_channel channel;
		struct inspector *inspector;
		struct event *event; /* its socket is readable */
	} lanes[INSPECT_LANES];
	struct keeper *keeper;
	struct ipc *keeper_ipc; /* the master's part towards it */
	struct worker *worker;
	struct event *term, *intr;
	unsigned stops, turns;
};

/* ---- the inspector's turn ---- */

static void
on_inspect(evutil_socket_t fd, short what, void *arg)
{
	struct reading *r = arg;

	(void)fd;
	(void)what;
	if (!inspector_turn(r->inspector))
		(void)event_del(r->event);
}

/* ---- the master's part towards the keeper ---- */

static void
keeper_message(
    void *arg, uint32_t type, uint64_t id, const void *body, size_t n, int fd)
{
	struct single *s = arg;
	struct buf b = { 0 };

	(void)body;
	(void)n;
	io_close(fd);
	if (type == MASTER_STATUS) {
		struct generations none = TAILQ_HEAD_INITIALIZER(none);

		json_begin_object(&b, NULL);
		generations_json(&none, getpid(), 0, NULL, &b);
		json_end_object(&b);
		(void)ipc_send(s->keeper_ipc, MASTER_STATUS_IS, id,
		    buf_data(&b), buf_len(&b), -1);
	} else if (type == MASTER_RELOAD) {
		pack_u8(&b, false);
		pack_str(&b, PN_STR_V("--single does not reload"));
		(void)ipc_send(s->keeper_ipc, MASTER_RELOADED, id, buf_data(&b),
		    buf_len(&b), -1);
	} else if (type == MASTER_STOP) {
		(void)ipc_send(s->keeper_ipc, MASTER_STOPPING, id, NULL, 0, -1);
		if (s->stops == 0) /* a second one hurries nobody */
			(void)raise(SIGTERM);
	}
	buf_fini(&b);
}

static void
keeper_closed(void *arg)
{
	struct single *s = arg;

	ipc_free(s->keeper_ipc);
	s->keeper_ipc = NULL;
}

static const struct ipc_ops keeper_ops = { keeper_message, keeper_closed };

/* ---- stopping ---- */

static void
on_drained(void *arg)
{
	struct single *s = arg;

	loop_stop(s->loop);
}

static void
on_signal(evutil_socket_t sig, short what, void *arg)
{
	struct single *s = arg;

	(void)sig;
	(void)what;
	if (s->stops++ == 0)
		worker_drain(s->worker, on_drained, s);
	else
		loop_stop(s->loop);
}

/* ---- making it ---- */

/* libmilter wants a process, or at least threads, to itself. */
static int
check_listeners(const struct policy *p, struct error *e)
{
	const struct smtp_conf *c = &p->smtp;

	if (c->n_listeners == 0 && p->milter.n_listeners > 0)
		return error_set(e,
		    "--single does not serve milter listeners, and there is "
		    "no other");
	for (size_t i = 0; i < p->milter.n_listeners; i++)
		log_warn("", "listening", "listener=%s state=not-served "
		    "why=\"--single does not serve milter listeners\"",
		    p->milter.listeners[i].name);
	for (size_t i = 0; i < c->n_listeners; i++)
		if (!endpoint_is_loopback(&c->listeners[i].addr))
			return error_set(e,
			    "--single has no sandbox and listens on loopback "
			    "addresses alone, not on %s",
			    c->listeners[i].name);
	return 0;
}

static int
make_folders(struct single *s, struct error *e)
{
	const struct policy *p = s->policy;
	struct users users = { .switching = false };

	users.worker.uid = geteuid();
	users.worker.gid = getegid();
	if (users_folder(&users, p->spool.dir, &users.worker, 0700, e) < 0)
		return -1;
	return keeper_prepare(
	    &p->keeper, users.worker.uid, users.worker.gid, e);
}

static int
make_keeper(struct single *s, int *link, struct error *e)
{
	struct keeper_start start = { .conf = &s->policy->keeper,
		.control = s->control, .metrics = s->metrics,
		.run_us = keeper_clock_us() };
	int master[2], worker[2];

	if (ipc_pair(master, e) < 0 || ipc_pair(worker, e) < 0)
		return -1;
	start.master = master[1];
	s->keeper = keeper_new(s->loop, &start, e);
	if (s->keeper == NULL)
		return -1;
	s->keeper_ipc = ipc_new(s->loop, master[0], &keeper_ops, s);
	keeper_add_worker(s->keeper, worker[0], WORKER_NUMBER, 1, true);
	*link = worker[1];
	return 0;
}

static int
make_inspector(struct single *s, struct reading *r, int *link, struct error *e)
{
	int pair[2];

	if (inspect_channel_make(
		&r->channel, s->policy->smtp.message_size_limit, e) < 0 ||
	    ipc_pair(pair, e) < 0)
		return -1;
	r->inspector = inspector_new(&s->policy->inspect, &r->channel, pair[1]);
	r->event = event_new(
	    loop_base(s->loop), pair[1], EV_READ | EV_PERSIST, on_inspect, r);
	must(r->event != NULL && event_add(r->event, NULL) == 0);
	*link = pair[0];
	return 0;
}

/* Nobody can kill an inspector that is ourselves: a debugger shows where it
 * is. */
static void
no_kill(void *arg)
{
	(void)arg;
	log_error("", "inspect", "result=deadline action=none");
}

static int
make_worker(struct single *s, struct error *e)
{
	struct worker_args args = { .policy = s->policy,
		.sockets = s->fds,
		.number = WORKER_NUMBER,
		.generation = 1,
		.master = -1,
		.seat = crowd_seat_new(crowd_new(),
		    s->policy->smtp.connection_limit) };

	if (make_keeper(s, &args.keeper, e) < 0)
		return -1;
	for (size_t i = 0; i < INSPECT_LANES; i++) {
		args.channels[i] = &s->lanes[i].channel;
		if (make_inspector(s, &s->lanes[i], &args.inspectors[i], e) < 0)
			return -1;
	}
	s->worker = worker_new(s->loop, &args, no_kill, s, e);
	return s->worker == NULL ? -1 : 0;
}

static int
make(struct single *s, struct error *e)
{
	const struct policy *p = s->policy;

	const struct doors doors = { &p->smtp, NULL, p->origins };

	if (check_listeners(p, e) < 0 || make_folders(s, e) < 0 ||
	    sockets_open(&s->sockets, &doors, s->fds, e) < 0)
		return -1;
	s->control = listen_control(p->daemon.control, e);
	if (s->control < 0)
		return config_wrap(p->origins, "control", e);
	if (p->daemon.metrics != NULL &&
	    (s->metrics = listen_metrics(&p->daemon, e)) < 0)
		return config_wrap(p->origins, "metrics", e);
	if (make_worker(s, e) < 0)
		return -1;
	s->term = evsignal_new(loop_base(s->loop), SIGTERM, on_signal, s);
	s->intr = evsignal_new(loop_base(s->loop), SIGINT, on_signal, s);
	must(s->term != NULL && event_add(s->term, NULL) == 0);
	must(s->intr != NULL && event_add(s->intr, NULL) == 0);
	return 0;
}

/* What others would miss; the rest the kernel takes back. */
_Noreturn static void
leave(struct single *s, int status)
{
	worker_free(s->worker); /* the last summaries are sent ... */
	while (s->keeper != NULL && s->turns++ < LAST_TURNS)
		(void)event_base_loop(loop_base(s->loop), EVLOOP_NONBLOCK);
	keeper_free(s->keeper); /* ... and kept */
	if (s->control >= 0)
		(void)unlink(s->policy->daemon.control);
	_exit(status);
}

_Noreturn void
single_run(const struct policy *p)
{
	struct single s = { .policy = p, .control = -1, .metrics = -1 };
	const struct daemon_conf *c = &p->daemon;
	const struct doors doors = { &p->smtp, NULL, p->origins };
	struct error e;

	s.loop = loop_new();
	s.fds = sockets_new(&doors);
	log_process("single");
	(void)signal(SIGPIPE, SIG_IGN);
	if (config_log_open(c) < 0)
		(void)error_set(
		    &e, "log %s: %s", c->log_target, strerror(errno));
	else if (make(&s, &e) == 0)
		e.text[0] = '\0';
	if (e.text[0] != '\0') {
		log_error("", "start", "result=failed error=\"%s\"",
		    VIS(pn_str_of(e.text)));
		leave(&s, EX_OSERR);
	}
	sockets_keep(&s.sockets, &doors, s.fds);
	log_info("", "ready", "generation=1 workers=1");
	loop_run(s.loop);
	leave(&s, 0);
}
