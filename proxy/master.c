/*
 * master - see master.h. Callbacks record what happened and ask for one
 * master_advance(), which reaps, forks what is due, and moves reload, drain
 * and stop along. Called by main.c; forks by spawn.c; books: generation.c.
 *
 *   signal, frame, time -> kick -> advance: reap -> reload -> fork -> settle
 */
#include "proxy/master.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/io.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "proxy/notify.h"
#include "proxy/reload.h"

/* Workers keep drain_timeout themselves; one that hangs does not. */
#define DRAIN_GRACE_MS 5000
/* A fork that failed is tried again after this. */
#define FORK_AGAIN_MS 1000

void
master_kick(struct master *m)
{
	event_active(m->kick, EV_TIMEOUT, 0);
}

static void
log_text(const char *event, const char *text)
{
	char seen[900];

	log_error("", event, "result=failed error=\"%s\"",
	    vis(seen, sizeof(seen), pn_str_of(text)));
}

/* ---- what children say ---- */

static void
worker_message(
    void *arg, uint32_t type, uint64_t id, const void *body, size_t n, int fd)
{
	struct slot *s = arg;

	(void)body;
	(void)n;
	io_close(fd);
	if (type == CHILD_READY)
		s->ready = true;
	else if (type == CHILD_KILL_INSPECTOR && id < INSPECT_LANES &&
		 s->readers[id].pid != 0)
		(void)kill(s->readers[id].pid, SIGKILL);
	master_kick(s->owner);
}

static void
worker_closed(void *arg)
{
	struct slot *s = arg;

	ipc_free(s->ipc);
	s->ipc = NULL;
	/* One that lives on without us cannot be led: nearly always it is
	 * dead already, and only not yet reaped. */
	if (s->worker != 0)
		(void)kill(s->worker, SIGKILL);
}

const struct ipc_ops worker_ops = { worker_message, worker_closed };

/* Resident bytes of a process; 0: it is gone. */
static uint64_t
rss_of(pid_t pid)
{
	unsigned long long all, resident = 0;
	char path[32];
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	if ((f = fopen(path, "r")) == NULL)
		return 0;
	if (fscanf(f, "%llu %llu", &all, &resident) != 2)
		resident = 0;
	(void)fclose(f); /* only read */
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void
send_status(struct master *m, uint64_t id)
{
	struct buf b = { 0 };

	json_begin_object(&b, NULL);
	generations_json(
	    &m->generations, getpid(), m->keeper.pid, rss_of, &b);
	json_int(&b, "started_us", (int64_t)m->run_us);
	json_begin_object(&b, "reloads");
	json_int(&b, "ok", m->reloads);
	json_int(&b, "failed", m->reloads_failed);
	json_end_object(&b);
	json_begin_object(&b, "deaths");
	json_int(&b, "worker", m->deaths[DIED_WORKER]);
	json_int(&b, "milter", m->deaths[DIED_MILTER]);
	json_int(&b, "inspector", m->deaths[DIED_INSPECTOR]);
	json_int(&b, "keeper", m->deaths[DIED_KEEPER]);
	json_end_object(&b);
	json_end_object(&b);
	(void)ipc_send(
	    m->keeper.ipc, MASTER_STATUS_IS, id, buf_data(&b), buf_len(&b), -1);
	buf_fini(&b);
}

static void
keeper_message(
    void *arg, uint32_t type, uint64_t id, const void *body, size_t n, int fd)
{
	struct master *m = arg;

	io_close(fd);
	if (type == MASTER_STATUS) {
		send_status(m, id);
	} else if (type == MASTER_RELOAD) {
		if (m->next_askers.n == ASKERS_MAX) {
			reload_answer(m, id, false, "too many ask for that");
			return;
		}
		m->next_askers.id[m->next_askers.n++] = id;
		m->reload_wanted = true;
		master_kick(m);
	} else if (type == MASTER_STOP) {
		(void)ipc_send(m->keeper.ipc, MASTER_STOPPING, id, NULL, 0, -1);
		if (m->stops == 0) /* a second one hurries nobody */
			m->stops = 1;
		master_kick(m);
	} else if (type == MASTER_ORDERS) {
		buf_clear(&m->keeper.orders);
		(void)buf_add(&m->keeper.orders, body, n); /* no cap */
	}
}

static void
keeper_closed(void *arg)
{
	struct master *m = arg;

	ipc_free(m->keeper.ipc);
	m->keeper.ipc = NULL;
}

const struct ipc_ops keeper_ops = { keeper_message, keeper_closed };

/* ---- the dead ---- */

static void
log_death(const char *role, pid_t pid, int status)
{
	if (WIFSIGNALED(status))
		log_warn("", "child", "state=killed role=%s pid=%d signal=%d",
		    role, (int)pid, WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0)
		log_warn("", "child", "state=exited role=%s pid=%d status=%d",
		    role, (int)pid, WEXITSTATUS(status));
	else
		log_info("", "child", "state=exited role=%s pid=%d status=0",
		    role, (int)pid);
}

static void
keeper_died(struct master *m, uint64_t now_ms)
{
	m->keeper.pid = 0;
	ipc_free(m->keeper.ipc);
	m->keeper.ipc = NULL;
	/* Nobody is left to answer them to. */
	m->askers.n = m->next_askers.n = 0;
	m->deaths[DIED_KEEPER]++;
	m->keeper.due = now_ms + backoff_crash(&m->keeper.crashes, now_ms);
}

static void
died(struct master *m, pid_t pid, int status)
{
	struct slot *s = generations_find(&m->generations, pid);
	uint64_t now_ms = loop_now_ms(m->loop);

	if (pid == m->keeper.pid) {
		log_death("keeper", pid, status);
		keeper_died(m, now_ms);
	} else if (pid == m->reload.checker) {
		log_death("checker", pid, status);
		m->reload.checker = 0;
	} else if (s != NULL) {
		bool worker = pid == s->worker;
		bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;

		log_death(worker ? slot_role(s) : "inspector", pid, status);
		m->deaths[!worker	  ? DIED_INSPECTOR
			  : s->milter < 0 ? DIED_WORKER
					  : DIED_MILTER] += !clean;
		slot_died(s, pid,
		    WIFSIGNALED(status)	       ? DEATH_SIGNAL
		    : WEXITSTATUS(status) != 0 ? DEATH_EXIT
					       : DEATH_CLEAN,
		    now_ms);
		if (worker) {
			ipc_free(s->ipc);
			s->ipc = NULL;
			slot_free_seat(s);
		}
	}
}

static void
reap(struct master *m)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		died(m, pid, status);
}

/* ---- generations ---- */

static void
tell_drain(struct master *m, struct generation *g)
{
	g->state = GENERATION_DRAINING;
	g->deadline = loop_now_ms(m->loop) +
		      g->policy->daemon.drain_timeout_ms + DRAIN_GRACE_MS;
	for (unsigned i = 0; i < g->n_slots; i++) {
		g->slots[i].worker_due = 0;
		if (g->slots[i].ipc != NULL)
			(void)ipc_send(
			    g->slots[i].ipc, MASTER_DRAIN, 0, NULL, 0, -1);
	}
}

static void
kill_slots(struct generation *g)
{
	for (unsigned i = 0; i < g->n_slots; i++) {
		struct slot *s = &g->slots[i];

		s->worker_due = 0;
		if (s->worker != 0)
			(void)kill(s->worker, SIGKILL);
		for (size_t lane = 0; lane < INSPECT_LANES; lane++) {
			s->readers[lane].due = 0;
			if (s->readers[lane].pid != 0)
				(void)kill(s->readers[lane].pid, SIGKILL);
		}
	}
}

/* To those that may not open a file: what we write to ourselves. An inspector
 * writes nothing once it has begun. */
static void
send_log(struct master *m)
{
	struct generation *g;
	int fd = log_fd();

	if (fd < 0)
		return; /* syslog: each its own */
	if (m->keeper.ipc != NULL)
		(void)ipc_send(m->keeper.ipc, MASTER_LOG, 0, NULL, 0, fd);
	TAILQ_FOREACH (g, &m->generations, next)
		for (unsigned i = 0; i < g->n_slots; i++)
			if (g->slots[i].ipc != NULL)
				(void)ipc_send(g->slots[i].ipc, MASTER_LOG, 0,
				    NULL, 0, fd);
}

/* Every worker of g has said ready: the ones before it may go. */
static void
serve(struct master *m, struct generation *g)
{
	const struct doors doors = policy_doors(g->policy);
	unsigned n_milters = (unsigned)g->policy->milter.n_listeners;
	struct generation *old;

	g->state = GENERATION_SERVING;
	g->deadline = 0;
	sockets_keep(&m->sockets, &doors, g->sockets);
	watch_begin(&m->watch, g->policy, loop_now_ms(m->loop));
	if (doors_count(&doors) == 0)
		log_warn("", "listening", "listener=none");
	log_info("", "ready", "generation=%u workers=%u milters=%u", g->number,
	    g->n_slots - n_milters, n_milters);
	for (old = TAILQ_NEXT(g, next); old != NULL;
	     old = TAILQ_NEXT(old, next))
		if (old->state == GENERATION_SERVING)
			tell_drain(m, old);
	reload_done(m, g);
}

/* It did not come up. Without another one there is nothing to stay for. */
static void
fail_generation(struct master *m, struct generation *g, const char *why)
{
	g->state = GENERATION_FAILED;
	kill_slots(g);
	sockets_discard(&m->sockets);
	if (generations_serving(&m->generations) != NULL) {
		reload_failed(m, why);
		return;
	}
	log_text("start", why);
	m->status = EX_SOFTWARE;
	m->draining = true;
}

/* Takes policy and sockets. */
static void
start_generation(struct master *m, const struct policy *p, int *sockets)
{
	struct generation *g = generation_new(++m->last_generation, p, sockets,
	    generation_workers(p), (unsigned)p->milter.n_listeners,
	    loop_now_ms(m->loop), m);

	TAILQ_INSERT_HEAD(&m->generations, g, next);
}

/* The policy passed its tests: from here it is a generation like any other. */
static void
start_reloaded(struct master *m, const struct policy *p, int *sockets)
{
	const struct daemon_conf *c = &p->daemon;

	if (config_log_open(c) < 0)
		log_warn("", "log", "target=\"%s\" error=\"%s\"", c->log_target,
		    strerror(errno));
	else
		send_log(m);
	start_generation(m, p, sockets);
}

/* One generation, by its state. deadline 0: what it was for is dealt with. */
static void
settle(struct master *m, struct generation *g)
{
	bool dealt = g->deadline == 0;
	bool late = !dealt && loop_now_ms(m->loop) >= g->deadline;

	switch (g->state) {
	case GENERATION_STARTING:
		if (generation_is_ready(g)) {
			serve(m, g);
		} else if (late) {
			g->deadline = 0;
			fail_generation(
			    m, g, "the new generation was not ready in time");
		}
		break;
	case GENERATION_FAILED:
		g->deadline = 0;
		if (!dealt)
			fail_generation(
			    m, g, "a process of the new generation died");
		break;
	case GENERATION_DRAINING:
		if (!late)
			break;
		g->deadline = 0;
		log_warn("", "drain", "result=killed generation=%u", g->number);
		kill_slots(g);
		break;
	case GENERATION_SERVING:
		break;
	}
}

static void
forget_generation(struct master *m, struct generation *g)
{
	TAILQ_REMOVE(&m->generations, g, next);
	for (unsigned i = 0; i < g->n_slots; i++) {
		slot_free_channels(&g->slots[i]);
		slot_free_seat(&g->slots[i]);
	}
	generation_free(g);
}

static void
settle_generations(struct master *m)
{
	struct generation *g, *next;

	for (g = TAILQ_FIRST(&m->generations); g != NULL; g = next) {
		next = TAILQ_NEXT(g, next);
		settle(m, g);
		if (generation_is_gone(g))
			forget_generation(m, g);
	}
}

/* ---- forking what is due ---- */

static const struct policy *
newest_policy(const struct master *m)
{
	const struct generation *g = generations_serving(&m->generations);

	if (g == NULL)
		g = TAILQ_FIRST(&m->generations);
	return g ? g->policy : NULL;
}

/* done < 0: it could not be forked; later, then. */
static void
or_later(struct master *m, int done, uint64_t *due, const struct error *e)
{
	if (done == 0)
		return;
	log_text("fork", e->text);
	*due = loop_now_ms(m->loop) + FORK_AGAIN_MS;
}

static void
fork_reader(struct master *m, struct slot *s, enum inspect_lane lane,
    uint64_t now_ms)
{
	uint64_t *due = &s->readers[lane].due;
	struct error e;

	if (*due == 0 || *due > now_ms)
		return;
	*due = 0;
	if (s->ipc != NULL)
		or_later(m, spawn_inspector(m, s, lane, &e), due, &e);
}

static void
fork_slot(struct master *m, struct slot *s, uint64_t now_ms)
{
	struct error e;

	if (s->worker_due != 0 && s->worker_due <= now_ms)
		or_later(m, spawn_worker(m, s, &e), &s->worker_due, &e);
	fork_reader(m, s, LANE_SMALL, now_ms);
	fork_reader(m, s, LANE_LARGE, now_ms);
}

static void
fork_due(struct master *m)
{
	uint64_t now_ms = loop_now_ms(m->loop);
	struct generation *g;
	struct error e;

	if (m->keeper.due != 0 && m->keeper.due <= now_ms &&
	    newest_policy(m) != NULL)
		or_later(m, spawn_keeper(m, newest_policy(m), &e),
		    &m->keeper.due, &e);
	TAILQ_FOREACH (g, &m->generations, next)
		for (unsigned i = 0; i < g->n_slots; i++)
			if (g->state != GENERATION_FAILED)
				fork_slot(m, &g->slots[i], now_ms);
}

/* ---- the end ---- */

static void
begin_stop(struct master *m)
{
	struct generation *g;

	m->draining = true;
	m->reload_wanted = false;
	watch_end(&m->watch);
	reload_drop(m);
	notify("STOPPING=1");
	log_info("", "stopping", "generations=drain");
	/* What connects from now on is refused at once, not left to wait for
	 * somebody who does not come; and the next posternd may bind them. */
	sockets_end(&m->sockets);
	TAILQ_FOREACH (g, &m->generations, next) {
		if (g->state == GENERATION_STARTING) {
			g->state = GENERATION_FAILED;
			g->deadline = 0;
			kill_slots(g);
		} else if (g->state == GENERATION_SERVING) {
			tell_drain(m, g);
		}
	}
}

/* The last ones: the keeper, when no worker is left to need it. */
static void
stop_advance(struct master *m)
{
	if (!TAILQ_EMPTY(&m->generations))
		return;
	m->keeper.due = 0;
	if (m->keeper.pid == 0)
		loop_stop(m->loop);
	else if (m->keeper.ipc != NULL)
		(void)ipc_send(m->keeper.ipc, MASTER_DRAIN, 0, NULL, 0, -1);
}

/*
 * The second SIGTERM. What was promised is safe: kill -9 is no harm. The dead
 * are reaped as ever, and nobody follows them.
 */
static void
stop_now(struct master *m)
{
	struct generation *g;

	TAILQ_FOREACH (g, &m->generations, next)
		kill_slots(g);
	m->keeper.due = 0;
	if (m->keeper.pid != 0)
		(void)kill(m->keeper.pid, SIGKILL);
}

/* ---- one advance for all ---- */

static void
set_timer(struct master *m)
{
	uint64_t now_ms = loop_now_ms(m->loop);
	uint64_t due = generations_due(&m->generations);
	const uint64_t others[] = { m->keeper.due, m->tickets_due,
		m->reload.policy ? m->reload.deadline : 0,
		reload_may_look(m) ? m->watch.due : 0 };
	uint64_t wait;

	for (size_t i = 0; i < PN_COUNT(others); i++)
		if (others[i] != 0 && (due == 0 || others[i] < due))
			due = others[i];
	(void)event_del(m->timer);
	if (due == 0)
		return;
	wait = due > now_ms ? due - now_ms : 1;
	must(event_add(m->timer, &(struct timeval){ (time_t)(wait / 1000),
				     (suseconds_t)(wait % 1000 * 1000) }) == 0);
}

static void
master_advance(struct master *m)
{
	const struct policy *policy;
	int *sockets;

	MUST_BE(m, MASTER);
	reap(m);
	if (m->stops > 0 && !m->draining)
		begin_stop(m);
	if (m->stops > 1)
		stop_now(m);
	if (!m->draining) {
		if (reload_advance(m, &policy, &sockets))
			start_reloaded(m, policy, sockets);
	}
	if (m->tickets_due != 0 && loop_now_ms(m->loop) >= m->tickets_due)
		spawn_rotate_tickets(m);
	fork_due(m);
	settle_generations(m);
	/* What came up may have a reload waiting behind it. */
	if (m->reload_wanted && generations_starting(&m->generations) == NULL && !m->draining &&
	    m->reload.policy == NULL)
		master_kick(m);
	if (m->draining)
		stop_advance(m);
	set_timer(m);
}

static void
on_kick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	master_advance(arg);
}

static void
reopen_log(struct master *m)
{
	if (log_reopen() < 0) {
		log_error("", "log", "state=not-reopened error=\"%s\"",
		    strerror(errno));
		return;
	}
	send_log(m);
	log_info("", "log", "state=reopened");
}

static void
on_signal(evutil_socket_t sig, short what, void *arg)
{
	struct master *m = arg;

	(void)what;
	if (sig == SIGUSR1) {
		reopen_log(m);
		return;
	}
	if (sig == SIGHUP)
		m->reload_wanted = true;
	if ((sig == SIGTERM || sig == SIGINT) && ++m->stops == 2)
		log_warn("", "stopping", "generations=killed");
	master_kick(m);
}

/* ---- start ---- */

/* Two descriptors a session, and what else a worker holds. */
static void
raise_limits(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		return;
	r.rlim_cur = r.rlim_max;
	/* A lower limit is not fatal: accept tells when it is reached. */
	(void)setrlimit(RLIMIT_NOFILE, &r);
}

/* The folder of a socket may be anybody's, /tmp for one: made if not there. */
static int
folder_of(struct master *m, const char *path, struct error *e)
{
	const struct user self = { .uid = geteuid(), .gid = getegid() };
	char *folder = xstrdup(path);
	int done;

	*strrchr(folder, '/') = '\0';
	done = folder[0] != '\0' && access(folder, F_OK) < 0
		   ? users_folder(&m->users, folder, &self, 0755, e)
		   : 0;
	free(folder);
	return done;
}

int
master_socket_folders(struct master *m, const struct policy *p,
    struct error *e)
{
	for (size_t i = 0; i < p->milter.n_listeners; i++) {
		const struct sockaddr_un *u =
		    (const struct sockaddr_un *)&p->milter.listeners[i].addr;

		if (u->sun_family == AF_UNIX &&
		    folder_of(m, u->sun_path, e) < 0)
			return -1;
	}
	return 0;
}

static int
make_folders(struct master *m, const struct policy *p, struct error *e)
{
	if (folder_of(m, p->daemon.control, e) < 0 || users_folder(&m->users, p->spool.dir, &m->users.worker,
			    0700, e) < 0)
		return -1;
	return keeper_prepare(
	    &p->keeper, m->users.keeper.uid, m->users.keeper.gid, e);
}

/* All that may need root, then root no more. */
static int
prepare(struct master *m, const struct policy *p, int *sockets, struct error *e)
{
	const struct daemon_conf *c = &p->daemon;
	const struct doors doors = policy_doors(p);

	raise_limits();
	if (users_find(&m->users, c->user, c->inspect_user, c->keeper_user, e) <
		0 ||
	    make_folders(m, p, e) < 0 ||
	    master_socket_folders(m, p, e) < 0 ||
	    sockets_open(&m->sockets, &doors, sockets, e) < 0)
		return -1;
	if ((m->control = listen_control(c->control, e)) < 0)
		return config_wrap(p->origins, "control", e);
	m->control_path = xstrdup(c->control);
	if (c->metrics != NULL && (m->metrics = listen_metrics(c, e)) < 0)
		return config_wrap(p->origins, "metrics", e);
	if (policy_is_transparent(p) && users_check_transparent(e) < 0)
		return -1;
	return users_drop_master(&m->users, policy_is_transparent(p), e);
}

static void
make_events(struct master *m)
{
	static const int signals[] = { SIGCHLD, SIGHUP, SIGTERM, SIGINT,
		SIGUSR1 };
	struct event_base *base = loop_base(m->loop);

	for (size_t i = 0; i < PN_COUNT(signals); i++) {
		m->signals[i] = evsignal_new(base, signals[i], on_signal, m);
		must(m->signals[i] != NULL &&
		     event_add(m->signals[i], NULL) == 0);
	}
	m->kick = event_new(base, -1, 0, on_kick, m);
	m->timer = evtimer_new(base, on_kick, m);
	must(m->kick != NULL && m->timer != NULL);
}

/* Libevent gives the signals back to their defaults, and we are not gone yet:
 * one that comes now must not make a killing of an orderly end. */
static void
hear_no_more(void)
{
	static const int ours[] = { SIGHUP, SIGTERM, SIGINT, SIGUSR1 };
	sigset_t set;

	must(sigemptyset(&set) == 0);
	for (size_t i = 0; i < PN_COUNT(ours); i++)
		must(sigaddset(&set, ours[i]) == 0);
	must(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
}

static void
finish(struct master *m)
{
	hear_no_more();
	for (size_t i = 0; i < PN_COUNT(m->signals); i++)
		if (m->signals[i] != NULL)
			event_free(m->signals[i]);
	if (m->kick != NULL)
		event_free(m->kick);
	if (m->timer != NULL)
		event_free(m->timer);
	ipc_free(m->keeper.ipc);
	buf_fini(&m->keeper.orders);
	watch_end(&m->watch);
	sockets_end(&m->sockets);
	if (m->control >= 0) {
		io_close(m->control);
		(void)unlink(m->control_path); /* the next start would anyway */
	}
	io_close(m->metrics);
	free((char *)m->control_path);
	arena_free(m->secrets);
	loop_free(m->loop);
}

/* Ours alone: a reload finds everything as the start left it. */
static void
serve_forever(struct master *m, const struct policy *p, int *sockets)
{
	m->loop = loop_new();
	m->crowd = crowd_new();
	make_events(m);
	log_process("master");
	log_info("", "start", "version=%s pid=%d config=\"%s\"",
	    PACKAGE_VERSION, (int)getpid(), m->path);
	start_generation(m, p, sockets);
	m->keeper.due = loop_now_ms(m->loop);
	master_kick(m);
	loop_run(m->loop);
	log_info("", "stopped", "status=%d", m->status);
}

int
master_run(const char *path, const struct policy *p)
{
	struct master m = { .magic = MASTER_MAGIC,
		.path = path,
		.control = -1,
		.metrics = -1,
		.run_us = keeper_clock_us(),
		.generations = TAILQ_HEAD_INITIALIZER(m.generations) };
	const struct doors doors = policy_doors(p);
	int *sockets = sockets_new(&doors);
	bool is_open = config_log_open(&p->daemon) == 0;
	struct error e;

	if (!is_open) {
		(void)error_set(
		    &e, "log %s: %s", p->daemon.log_target, strerror(errno));
	} else if (prepare(&m, p, sockets, &e) == 0) {
		serve_forever(&m, p, sockets);
		finish(&m);
		return m.status;
	}
	log_text("start", e.text);
	/* Who started it by hand looks here, not into its log. */
	if (is_open && strcmp(p->daemon.log_target, "stderr") != 0)
		(void)fprintf(stderr, "posternd: %s\n", e.text);
	finish(&m);
	free(sockets);
	policy_free(p);
	return EX_OSERR;
}
