/*
 * spawn - see spawn.h. Order matters in each: descriptors made before the
 * fork that needs them, closed on the side that does not.
 */
#include "proxy/spawn.h"

#include <errno.h>
#include <event2/event.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/must.h"
#include "base/pack.h"
#include "base/sandbox.h"
#include "proxy/check.h"
#include "proxy/worker.h"

#define LARGE_LANE_NICE 10
#define TICKETS_ROOM 256 /* what an arena needs for itself */

static void
log_child(const char *role, pid_t pid, const struct slot *s)
{
	if (s == NULL)
		log_info("", "child", "state=started role=%s pid=%d", role,
		    (int)pid);
	else
		log_info("", "child",
		    "state=started role=%s pid=%d generation=%u worker=%u",
		    role, (int)pid, s->generation->number, s->number);
}

/* ---- in the child ---- */

_Noreturn static void
give_up(const struct error *e)
{
	log_error(
	    "", "child", "state=failed error=\"%s\"", VIS(pn_str_of(e->text)));
	_exit(EX_OSERR);
}

const char *
slot_role(const struct slot *s)
{
	return s->milter < 0 ? "worker" : "milter";
}

void
slot_free_seat(struct slot *s)
{
	crowd_seat_free(s->seat);
	s->seat = NULL;
}

void
slot_free_channels(struct slot *s)
{
	for (size_t i = 0; i < INSPECT_LANES; i++) {
		if (s->readers[i].has_channel)
			inspect_channel_free(&s->readers[i].channel);
		s->readers[i].has_channel = false;
	}
}

static void
forget_slot(struct slot *s, const struct slot *own)
{
	ipc_free(s->ipc);
	if (s == own)
		return;
	slot_free_channels(s);
	crowd_seat_forget(s->seat);
	s->seat = NULL;
}

/*
 * Shake off what the master holds: its ends of everybody's sockets (else
 * nobody would see it die) and its loop. The loop is made the child's own
 * first: its epoll descriptor is shared, and what is taken out of it here
 * would be missing there.
 */
static void
child_begin(struct master *m, const char *role, const struct slot *own)
{
	struct generation *g;

	log_process(role);
	must(event_reinit(loop_base(m->loop)) == 0);
	for (size_t i = 0; i < PN_COUNT(m->signals); i++)
		event_free(m->signals[i]);
	event_free(m->kick);
	event_free(m->timer);
	TAILQ_FOREACH (g, &m->generations, next)
		for (unsigned i = 0; i < g->n_slots; i++)
			forget_slot(&g->slots[i], own);
	ipc_free(m->keeper.ipc);
	ipc_free(m->reload.ipc);
	loop_free(m->loop);
	child_signals();
}

/*
 * A message passes through half a dozen processes, the MTAs' and ours, and a
 * wake-up that preempts whoever caused it has both run twice. Whom we answer
 * waits anyway; who is idle still wakes at once.
 */
static void
wake_in_turn(void)
{
	const struct sched_param none = { 0 };

	(void)sched_setscheduler(0, SCHED_BATCH, &none); /* or not */
}

_Noreturn static void
inspector_child(
    struct master *m, struct slot *s, enum inspect_lane lane, int sock)
{
	const struct policy *p = s->generation->policy;
	struct error e;

	child_begin(m, "inspector", s);
	crowd_seat_forget(s->seat);
	crowd_forget(m->crowd);
	sockets_close_others(&m->sockets, NULL, 0);
	io_close(m->control);
	io_close(m->metrics);
	if (users_become(&m->users, &m->users.inspector, &e) < 0)
		give_up(&e);
	for (size_t i = 0; i < INSPECT_LANES; i++)
		if (i != lane && s->readers[i].has_channel)
			inspect_channel_free(&s->readers[i].channel);
	wake_in_turn();
	/* What takes long to read may not take it from what does not. */
	if (lane == LANE_LARGE)
		(void)setpriority(PRIO_PROCESS, 0, LARGE_LANE_NICE);
	inspector_main(&p->inspect, &s->readers[lane].channel, sock);
}

_Noreturn static void
worker_child(struct master *m, struct slot *s, int sock,
    const int inspectors[INSPECT_LANES], int keeper)
{
	struct generation *g = s->generation;
	const struct policy *p = g->policy;
	const int *own = g->sockets;
	size_t n_own = p->smtp.n_listeners;
	struct worker_args args = { .policy = p,
		.sockets = g->sockets,
		.milter_socket = -1,
		.number = s->number,
		.generation = g->number,
		.tickets = m->tickets,
		.master = sock,
		.keeper = keeper,
		.seat = s->seat };
	struct error e;

	if (s->milter >= 0) {
		crowd_forget(m->crowd);
		own = &g->sockets[p->smtp.n_listeners + (size_t)s->milter];
		n_own = 1;
		args.milter = &p->milter.listeners[s->milter];
		args.milter_socket = *own;
	}

	for (size_t i = 0; i < INSPECT_LANES; i++) {
		args.channels[i] = &s->readers[i].channel;
		args.inspectors[i] = inspectors[i];
	}
	child_begin(m, slot_role(s), s);
	sockets_close_others(&m->sockets, own, n_own);
	io_close(m->control);
	io_close(m->metrics);
	if (users_become_worker(&m->users,
		s->milter < 0 && policy_is_transparent(p), &e) < 0)
		give_up(&e);
	wake_in_turn();
	worker_main(&args);
}

/* Its own folders, to write in. */
static int
confine_keeper(const struct keeper_conf *c, struct error *e)
{
	static const char *const readable[] = { NULL };
	const char **folders;
	size_t n = 0;
	int done;

	while (c->maildirs[n] != NULL)
		n++;
	folders = calloc(n + 2, sizeof(*folders));
	must(folders != NULL);
	folders[0] = c->state_dir;
	for (size_t i = 0; i < n; i++)
		folders[i + 1] = c->maildirs[i];
	done = sandbox_confine(folders, readable, e);
	free(folders);
	return done;
}

_Noreturn static void
keeper_child(struct master *m, const struct policy *p, int sock)
{
	const struct keeper_start start = { .conf = &p->keeper,
		.control = m->control, .metrics = m->metrics, .master = sock,
		.run_us = m->run_us, .orders = buf_str(&m->keeper.orders) };
	struct error e;

	child_begin(m, "keeper", NULL);
	crowd_forget(m->crowd);
	sockets_close_others(&m->sockets, NULL, 0);
	if (users_become(&m->users, &m->users.keeper, &e) < 0 ||
	    sandbox_seal_code(&e) < 0 || confine_keeper(&p->keeper, &e) < 0)
		give_up(&e);
	keeper_main(&start);
}

_Noreturn static void
checker_child(struct master *m, int sock)
{
	const struct policy *p = m->reload.policy;
	struct buf b = { 0 };
	struct error e;
	bool ok;

	child_begin(m, "checker", NULL);
	crowd_forget(m->crowd);
	sockets_close_others(&m->sockets, NULL, 0);
	io_close(m->control);
	io_close(m->metrics);
	ok = check_policy(p, &m->users, NULL, &e) == 0;
	pack_u8(&b, ok);
	pack_str(&b, pn_str_of(ok ? "" : e.text));
	_exit(ipc_write(
		  sock, CHILD_CHECKED, 0, buf_data(&b), buf_len(&b), -1, &e) < 0
		  ? EX_OSERR
		  : 0);
}

/* ---- in the master ---- */

/*
 * A child with a socket to it: 0 in the child, its pid in the master, *sock
 * each one's own end; or -1.
 */
static pid_t
fork_child(int *sock, struct error *e)
{
	int pair[2];
	pid_t pid;

	if (ipc_pair(pair, e) < 0)
		return -1;
	pid = fork();
	if (pid < 0)
		(void)error_set(e, "fork: %s", strerror(errno));
	io_close(pair[pid == 0 ? 0 : 1]);
	*sock = pair[pid == 0 ? 1 : 0];
	if (pid < 0)
		io_close(*sock);
	return pid;
}

/* The keeper's end of a link to that worker is sock, which is borrowed. */
static void
offer_link(struct master *m, const struct slot *s, int sock)
{
	struct buf b = { 0 };

	if (m->keeper.ipc == NULL)
		return; /* the worker sees the link's end, until the next one */
	pack_u32(&b, s->number);
	pack_u32(&b, s->generation->number);
	pack_str(&b, pn_str_of(slot_role(s)));
	/* A keeper that just died is found out by its socket's end. */
	(void)ipc_send(
	    m->keeper.ipc, MASTER_WORKER, 0, buf_data(&b), buf_len(&b), sock);
	buf_fini(&b);
}

/* The worker outlived its keeper: a link to the next. */
static int
link_again(struct master *m, struct slot *s, struct error *e)
{
	int pair[2];

	if (s->ipc == NULL)
		return 0;
	if (ipc_pair(pair, e) < 0)
		return -1;
	offer_link(m, s, pair[0]);
	(void)ipc_send(s->ipc, CHILD_KEEPER, 0, NULL, 0, pair[1]);
	io_close(pair[0]);
	io_close(pair[1]);
	return 0;
}

int
spawn_keeper(struct master *m, const struct policy *p, struct error *e)
{
	struct generation *g;
	int sock;
	pid_t pid = fork_child(&sock, e);

	if (pid < 0)
		return -1;
	if (pid == 0)
		keeper_child(m, p, sock);
	m->keeper.pid = pid;
	m->keeper.due = 0;
	m->keeper.ipc = ipc_new(m->loop, sock, &keeper_ops, m);
	log_child("keeper", pid, NULL);
	TAILQ_FOREACH (g, &m->generations, next)
		for (unsigned i = 0; i < g->n_slots; i++)
			if (link_again(m, &g->slots[i], e) < 0)
				return -1;
	return 0;
}

/* The worker's end of the new socket, or -1. */
static int
fork_inspector(
    struct master *m, struct slot *s, enum inspect_lane lane, struct error *e)
{
	int sock;
	pid_t pid = fork_child(&sock, e);

	if (pid < 0)
		return -1;
	if (pid == 0)
		inspector_child(m, s, lane, sock);
	s->readers[lane].pid = pid;
	s->readers[lane].due = 0;
	log_child("inspector", pid, s);
	return sock;
}

int
spawn_inspector(
    struct master *m, struct slot *s, enum inspect_lane lane, struct error *e)
{
	int sock = fork_inspector(m, s, lane, e);

	if (sock < 0)
		return -1;
	(void)ipc_send(s->ipc, CHILD_INSPECTOR, lane, NULL, 0, sock);
	io_close(sock);
	return 0;
}

static void
clear_reader(struct reader *r)
{
	/* It waits for requests that never come, or loops: reaped as nobody's.
	 */
	if (r->pid != 0)
		(void)kill(r->pid, SIGKILL);
	r->pid = 0;
	r->due = 0;
}

/* The last worker of this place is gone: so is all it shared. */
static void
clear_slot(struct slot *s)
{
	for (size_t i = 0; i < INSPECT_LANES; i++)
		clear_reader(&s->readers[i]);
	slot_free_channels(s);
	slot_free_seat(s);
	s->ready = false;
	must(s->ipc == NULL);
}

/* ---- what workers alone have ---- */

static bool
serves_tls(const struct policy *p)
{
	for (size_t i = 0; i < p->smtp.n_listeners; i++)
		if (p->smtp.listeners[i].tls.mode != LISTEN_CLEAR)
			return true;
	return false;
}

/* All workers of all generations know the same keys: a client may come back to
 * any of them. Made for the first that needs them. */
static void
make_tickets(struct master *m, const struct policy *p)
{
	if (m->tickets != NULL || !serves_tls(p))
		return;
	m->secrets = arena_new_mapped(sizeof(*m->tickets) + TICKETS_ROOM);
	m->tickets = arena_alloc(m->secrets, sizeof(*m->tickets));
	must(m->tickets != NULL);
	arena_bequeath(m->secrets, false);
	for (int i = 0; i < TLS_TICKET_KEYS; i++)
		tls_tickets_rotate(m->tickets);
	m->tickets_due = loop_now_ms(m->loop) + TLS_TICKET_LIFE_S * 1000;
}

void
spawn_rotate_tickets(struct master *m)
{
	struct generation *g;

	tls_tickets_rotate(m->tickets);
	m->tickets_due = loop_now_ms(m->loop) + TLS_TICKET_LIFE_S * 1000;
	TAILQ_FOREACH (g, &m->generations, next)
		for (unsigned i = 0; i < g->n_slots; i++)
			if (g->slots[i].ipc != NULL && g->slots[i].milter < 0)
				(void)ipc_send(g->slots[i].ipc, CHILD_TICKETS,
				    0, m->tickets, sizeof(*m->tickets), -1);
}

static void
bequeath(const struct master *m, const struct policy *p, bool yes)
{
	if (p->secrets != NULL)
		arena_bequeath(p->secrets, yes);
	if (m->secrets != NULL)
		arena_bequeath(m->secrets, yes);
}

static pid_t
fork_with_secrets(struct master *m, const struct slot *s, int *sock,
    struct error *e)
{
	const struct policy *p = s->generation->policy;
	pid_t pid;

	if (s->milter >= 0)
		return fork_child(sock, e);
	make_tickets(m, p);
	bequeath(m, p, true);
	pid = fork_child(sock, e);
	bequeath(m, p, false);
	return pid;
}

static int
fork_worker(struct master *m, struct slot *s,
    const int inspectors[INSPECT_LANES], struct error *e)
{
	int sock, keeper[2];
	pid_t pid;

	if (ipc_pair(keeper, e) < 0)
		return -1;
	if ((pid = fork_with_secrets(m, s, &sock, e)) == 0) {
		io_close(keeper[0]);
		worker_child(m, s, sock, inspectors, keeper[1]);
	}
	io_close(keeper[1]);
	if (pid > 0)
		offer_link(m, s, keeper[0]);
	io_close(keeper[0]);
	if (pid < 0)
		return -1;
	s->worker = pid;
	s->worker_due = 0;
	s->ipc = ipc_new(m->loop, sock, &worker_ops, s);
	log_child(slot_role(s), pid, s);
	return 0;
}

/* Channel, process and the worker's end of its socket. */
static int
open_lane(struct master *m, struct slot *s, enum inspect_lane lane, int *sock,
    struct error *e)
{
	struct reader *r = &s->readers[lane];

	if (inspect_channel_make(&r->channel,
		s->generation->policy->smtp.message_size_limit, e) < 0)
		return -1;
	r->has_channel = true;
	*sock = fork_inspector(m, s, lane, e);
	return *sock < 0 ? -1 : 0;
}

static int
fill_slot(struct master *m, struct slot *s, int inspectors[INSPECT_LANES],
    struct error *e)
{
	for (unsigned i = 0; i < INSPECT_LANES; i++)
		if (open_lane(m, s, (enum inspect_lane)i, &inspectors[i], e) < 0)
			return -1;
	if (fork_worker(m, s, inspectors, e) < 0)
		return -1;
	/* The worker has its writable mappings; nobody else may have one. */
	for (size_t i = 0; i < INSPECT_LANES; i++)
		inspect_channel_drop_write(&s->readers[i].channel);
	return 0;
}

int
spawn_worker(struct master *m, struct slot *s, struct error *e)
{
	int inspectors[INSPECT_LANES] = { -1, -1 };
	int done;

	clear_slot(s);
	if (s->milter < 0)
		s->seat = crowd_seat_new(m->crowd,
		    s->generation->policy->smtp.connection_limit);
	s->number = generations_number(&m->generations, &m->last_worker);
	done = fill_slot(m, s, inspectors, e);
	for (size_t i = 0; i < INSPECT_LANES; i++)
		io_close(inspectors[i]);
	if (done < 0)
		clear_slot(s);
	return done;
}

int
spawn_checker(struct master *m, struct error *e)
{
	int sock;
	pid_t pid = fork_child(&sock, e);

	if (pid < 0)
		return -1;
	if (pid == 0)
		checker_child(m, sock);
	m->reload.checker = pid;
	m->reload.ipc = ipc_new(m->loop, sock, &checker_ops, m);
	log_child("checker", pid, NULL);
	return 0;
}
