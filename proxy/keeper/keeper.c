/*
 * keeper - see keeper.h: the process. Links to workers and what comes over
 * them, the link to the master, the hourly sweep. Frames of workers are
 * treated as hostile: one that is none of ours ends the link.
 */
#include "keeper/keeper.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "keeper/files.h"
#include "keeper/inside.h"
#include "keeper/maildir.h"
#include "mail/parcel.h"

#define SETTINGS_ARENA (8u << 20) /* the text they come from is no longer */
#define MANY_LINES 100000
#define COUNT_US 60000000ull
#define HOUR_MS 3600000
#define RECOVER_MS 2000 /* between looks whether an earlier keeper has gone */

uint64_t
keeper_clock_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail */
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void
keeper_trouble(struct keeper *k, const char *event, const char *text)
{
	log_error("", event, "error=\"%s\"", text);
	(void)snprintf(k->trouble, sizeof(k->trouble), "%s: %s", event, text);
	k->trouble_us = keeper_clock_us();
	k->troubles++;
}

int
keeper_count_history(struct keeper *k, int64_t *lines, int64_t *bytes,
    struct error *e)
{
	uint64_t now_us = keeper_clock_us();
	int got = 0;

	if (k->lines < MANY_LINES || now_us - k->counted_us > COUNT_US) {
		got = history_count(k->history, &k->lines, &k->bytes, e);
		k->counted_us = now_us;
	}
	*lines = k->lines;
	*bytes = k->bytes;
	return got;
}

/* ---- jobs ---- */

/* Only where the configuration says mail may go. */
static const char *
maildir_named(const struct keeper *k, struct pn_str target)
{
	for (const char *const *m = k->conf->maildirs; m && *m != NULL; m++)
		if (pn_str_eq(pn_str_of(*m), target))
			return *m;
	return NULL;
}

static int
deliver(struct keeper *k, const struct keep_job *j, int fd, uint64_t size,
    bool again, struct error *e)
{
	const char *path = maildir_named(k, j->target);

	if (path == NULL)
		return error_set(e, "no maildir \"%s\" is configured",
		    VIS(j->target));
	return maildir_deliver(path, j, fd, size, again, e);
}

static int
do_job(struct keeper *k, uint32_t type, struct unpack u, int fd,
    char text[64], struct error *e)
{
	struct arena *a = arena_new(JOB_ARENA);
	uint64_t size = unpack_u64(&u);
	struct keep_job j;
	int got = -1;

	text[0] = '\0';
	if (!unpack_done(&u) || fd < 0)
		(void)error_set(e, "a job that is none of ours");
	else if (parcel_job(fd, size, &j, a, e) == 0)
		got = (type & ~KEEP_AGAIN) == KEEP_MAILDIR ?
		    deliver(k, &j, fd, size, (type & KEEP_AGAIN) != 0, e) :
		    quarantine_store(k->quarantine, &j, fd, size, e);
	if (got == 0 && (type & ~KEEP_AGAIN) == KEEP_QUARANTINE)
		(void)snprintf(text, 64, "held as %.*s", PN_STR_ARG(j.id));
	arena_free(a);
	return got;
}

static void
say_failed(struct link *l, uint64_t id, const struct error *e)
{
	struct buf b = { 0 };

	pack_u8(&b, e->no_room);
	(void)buf_puts(&b, e->text); /* no cap */
	(void)ipc_send(l->ipc, KEEP_FAILED, id, buf_data(&b), buf_len(&b), -1);
	buf_fini(&b);
}

/* Where sending fails the worker is gone, and its client with it. */
static void
take_job(struct link *l, uint32_t type, uint64_t id, struct unpack u, int fd)
{
	struct error e;
	char text[64];

	if (do_job(l->keeper, type, u, fd, text, &e) == 0) {
		FAULT("keep-done");
		(void)ipc_send(l->ipc, KEEP_DONE, id, text, strlen(text), -1);
		return;
	}
	if (e.no_room) /* of a class, or of the disk: health looks at that */
		log_error("", "keep", "error=\"%s\"", e.text);
	else
		keeper_trouble(l->keeper, "keep", e.text);
	say_failed(l, id, &e);
}

static int
count_suspect(struct keeper *k, uint32_t type, struct unpack u,
    uint32_t *times, struct error *e)
{
	if (u.n != SUSPECT_KEY)
		return error_set(e, "a key of %zu bytes", u.n);
	return suspect_count(k->history, u.p, type == KEEP_SUSPECT,
	    keeper_clock_us(), times, e);
}

static void
take_suspect(struct link *l, uint32_t type, uint64_t id, struct unpack u)
{
	struct buf b = { 0 };
	uint32_t times;
	struct error e;

	if (count_suspect(l->keeper, type, u, &times, &e) < 0) {
		keeper_trouble(l->keeper, "suspect", e.text);
		say_failed(l, id, &e);
		return;
	}
	pack_u32(&b, times);
	(void)ipc_send(l->ipc, KEEP_COUNT, id, buf_data(&b), buf_len(&b), -1);
	buf_fini(&b);
}

static void
take_summaries(struct keeper *k, struct unpack u)
{
	struct error e;

	if (history_add(k->history, &u, k->settings.history_text, &e) < 0)
		keeper_trouble(k, "history", e.text);
}

static void
take_stats(struct link *l, struct unpack u)
{
	struct error e;

	if (metrics_take(l->stats, &u, &e) < 0)
		log_error("", "worker-frame", "worker=%u error=\"%s\"",
		    l->worker, e.text);
}

static void
take_said(struct link *l, struct unpack u)
{
	struct error e;

	if (modules_take(l->keeper->modules, l, &u, &e) < 0)
		log_error("", "worker-frame", "worker=%u error=\"%s\"",
		    l->worker, e.text);
}

static void
take_counter(struct link *l, uint64_t id, struct unpack u)
{
	struct keep_counter c;
	struct buf b = { 0 };
	uint64_t age_ms = 0;
	int64_t value = 0;
	struct error e;
	int got;

	got = keep_counter_unpack(&c, &u) ?
	    state_count(l->keeper->state, &c, keeper_clock_us(), &value, &age_ms,
		&e) : error_set(&e, "no counter of ours");
	if (got < 0)
		keeper_trouble(l->keeper, "state", e.text);
	if (id == 0)
		return; /* nobody waits */
	if (got < 0) {
		say_failed(l, id, &e);
		return;
	}
	pack_u64(&b, (uint64_t)value);
	pack_u64(&b, age_ms);
	(void)ipc_send(l->ipc, KEEP_COUNTED, id, buf_data(&b), buf_len(&b), -1);
	buf_fini(&b);
}

/* ---- links ---- */

static void
leave_if_done(struct keeper *k)
{
	if (k->leaving && LIST_EMPTY(&k->links))
		loop_stop(k->loop);
}

static void
link_free(struct link *l)
{
	struct keeper *k = l->keeper;

	LIST_REMOVE(l, next);
	release_link_gone(k, l);
	metrics_source_end(l->stats);
	modules_gone(k->modules, l);
	ipc_free(l->ipc);
	free(l);
	leave_if_done(k);
}

static void
on_worker_message(void *arg, uint32_t type, uint64_t id, const void *body,
    size_t n, int fd)
{
	struct link *l = arg;
	struct unpack u = unpack_of(body, n);

	MUST_BE(l->keeper, KEEPER);
	switch (type) {
	case KEEP_QUARANTINE:
	case KEEP_MAILDIR:
	case KEEP_QUARANTINE | KEEP_AGAIN:
	case KEEP_MAILDIR | KEEP_AGAIN:
		take_job(l, type, id, u, fd);
		break;
	case KEEP_VERDICT:
		take_summaries(l->keeper, u);
		break;
	case KEEP_SUSPECT:
	case KEEP_SUSPECTED:
		take_suspect(l, type, id, u);
		break;
	case KEEP_STATS:
		take_stats(l, u);
		break;
	case KEEP_SAID:
		take_said(l, u);
		break;
	case KEEP_COUNTER:
		take_counter(l, id, u);
		break;
	case KEEP_RELEASED:
		release_outcome(l->keeper, l, id, u);
		break;
	default:
		log_error("", "worker-frame", "worker=%u type=%u "
		    "error=unknown action=closed", l->worker, type);
		link_free(l);
	}
	io_close(fd);
}

static void
on_worker_closed(void *arg)
{
	struct link *l = arg;

	MUST_BE(l->keeper, KEEPER);
	link_free(l);
}

void
keeper_add_worker(struct keeper *k, int sock, unsigned worker,
    unsigned generation, bool relays)
{
	static const struct ipc_ops ops = { on_worker_message,
		on_worker_closed };
	struct link *l = xcalloc(1, sizeof(*l));

	MUST_BE(k, KEEPER);
	l->keeper = k;
	l->worker = worker;
	l->generation = generation;
	l->relays = relays;
	l->stats = metrics_source_new(k->metrics, worker, generation);
	l->ipc = ipc_new(k->loop, sock, &ops, l);
	LIST_INSERT_HEAD(&k->links, l, next);
	drain_link_new(k, l);
	release_link_new(k, l);
}

/* ---- the master ---- */

static void
take_worker(struct keeper *k, struct unpack u, int fd)
{
	uint32_t worker = unpack_u32(&u);
	uint32_t generation = unpack_u32(&u);
	struct pn_str role = unpack_str(&u);

	if (unpack_done(&u) && fd >= 0) {
		keeper_add_worker(k, fd, worker, generation,
		    pn_str_eq(role, PN_STR_V("worker")));
		return;
	}
	log_error("", "master-frame", "error=\"a worker without a link\"");
	io_close(fd);
}

static void
take_settings(struct keeper *k, struct unpack u)
{
	struct arena *a = arena_new(SETTINGS_ARENA);
	struct keeper_settings s;

	if (!keeper_settings_unpack(&s, &u, a)) {
		log_error("", "master-frame", "error=\"no settings\"");
		arena_free(a);
		return;
	}
	arena_free(k->arena);
	k->arena = a;
	k->settings = s;
	release_plan(k);
}

static void
leave(struct keeper *k)
{
	k->leaving = true;
	leave_if_done(k);
}

static void
on_master_message(void *arg, uint32_t type, uint64_t id, const void *body,
    size_t n, int fd)
{
	struct keeper *k = arg;
	struct unpack u = unpack_of(body, n);

	MUST_BE(k, KEEPER);
	if (type == MASTER_WORKER) {
		take_worker(k, u, fd);
		return;
	}
	if (type == MASTER_LOG && fd >= 0) {
		log_take(fd);
		return;
	}
	io_close(fd);
	if (type == MASTER_DRAIN)
		leave(k);
	else if (type == MASTER_SETTINGS)
		take_settings(k, u);
	else if (!command_master_said(k, type, id, u))
		log_error("", "master-frame", "type=%u error=unexpected", type);
}

static void
on_master_closed(void *arg)
{
	struct keeper *k = arg;

	MUST_BE(k, KEEPER);
	ipc_free(k->master);
	k->master = NULL;
	command_master_gone(k);
	control_stop(k->control);
	http_free(k->http); /* so that another posternd can listen there */
	k->http = NULL;
	leave(k);
}

/* ---- the keeper ---- */

/* Time that nobody sets, sleep included. */
static uint64_t
steady_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_BOOTTIME, &now); /* cannot fail */
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* By slices: mail need not wait for it. */
static void
sweep(struct keeper *k)
{
	const struct history_limits limits = { k->settings.history_days,
		k->settings.history_size };
	uint64_t now_us = keeper_clock_us();
	struct error e;
	int lines = history_expire(k->history, &limits, now_us, &e);
	int held;

	if (lines < 0)
		keeper_trouble(k, "history", e.text);
	held = quarantine_expire(k->quarantine, now_us, steady_us(), &e);
	if (held < 0)
		keeper_trouble(k, "quarantine", e.text);
	if (lines > 0 || held > 0)
		must(event_add(&k->sweep, &(struct timeval){ 0, 0 }) == 0);
}

static void
expire_counters(struct keeper *k)
{
	struct error e;

	if (state_expire(k->state, keeper_clock_us(), &e) < 0)
		keeper_trouble(k, "state", e.text);
}

static void
on_flush(evutil_socket_t fd, short what, void *arg)
{
	struct keeper *k = arg;
	struct error e;

	(void)fd;
	(void)what;
	if (state_flush(k->state, &e) < 0)
		keeper_trouble(k, "state", e.text);
}

static void
on_hour(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	sweep(arg);
	expire_counters(arg);
}

static void
on_recover(evutil_socket_t fd, short what, void *arg)
{
	struct keeper *k = arg;
	struct error e;
	int got = quarantine_recover(k->quarantine, &e);

	(void)fd;
	(void)what;
	if (got == 0)
		return;
	if (got < 0)
		keeper_trouble(k, "quarantine", e.text);
	(void)event_del(&k->recover); /* assigned: cannot fail */
	k->alone = true;
	release_resume(k);
}

static int
open_state(struct keeper *k, struct error *e)
{
	k->quarantine = quarantine_open(k->conf->state_dir, e);
	if (k->quarantine == NULL)
		return -1;
	quarantine_use(k->quarantine, &k->settings);
	k->history = history_open(k->conf->state_dir, e);
	if (k->history == NULL)
		return -1;
	k->state = state_open(k->conf->state_dir, STATE_MAX, e);
	return k->state == NULL ? -1 : 0;
}

static void
assign_events(struct keeper *k)
{
	struct event_base *base = loop_base(k->loop);

	event_assign(&k->hourly, base, -1, EV_PERSIST, on_hour, k);
	event_assign(&k->sweep, base, -1, 0, on_hour, k);
	event_assign(&k->flush, base, -1, EV_PERSIST, on_flush, k);
	event_assign(&k->recover, base, -1, EV_PERSIST, on_recover, k);
	event_assign(&k->retry, base, -1, 0, release_on_retry, k);
}

struct keeper *
keeper_new(struct loop *l, const struct keeper_start *start, struct error *e)
{
	static const struct ipc_ops ops = { on_master_message,
		on_master_closed };
	struct keeper *k = xcalloc(1, sizeof(*k));

	k->magic = KEEPER_MAGIC;
	k->loop = l;
	k->conf = start->conf;
	k->settings = start->conf->settings;
	k->run_us = start->run_us;
	k->metrics = metrics_new();
	k->modules = modules_new();
	LIST_INIT(&k->links);
	LIST_INIT(&k->releases);
	LIST_INIT(&k->questions);
	LIST_INIT(&k->searches);
	TAILQ_INIT(&k->orders);
	assign_events(k);
	if (open_state(k, e) < 0) {
		keeper_free(k);
		return NULL;
	}
	drain_restore(k, start->orders);
	if (start->control >= 0)
		k->control = control_new(l, start->control,
		    start->conf->control_uid, command_ask, k);
	if (start->master >= 0)
		k->master = ipc_new(l, start->master, &ops, k);
	if (start->metrics >= 0)
		k->http = http_new(k, start->metrics);
	k->alone = quarantine_recover(k->quarantine, e) > 0;
	sweep(k);
	expire_counters(k);
	release_resume(k);
	must(event_add(&k->flush, loop_timeout(l, STATE_FLUSH_MS)) == 0);
	must(event_add(&k->hourly, loop_timeout(l, HOUR_MS)) == 0);
	must(event_add(&k->recover, loop_timeout(l, RECOVER_MS)) == 0);
	return k;
}

void
keeper_free(struct keeper *k)
{
	struct release *r;
	struct question *q;
	struct link *l;

	if (k == NULL)
		return;
	MUST_BE(k, KEEPER);
	(void)event_del(&k->hourly); /* assigned: cannot fail */
	(void)event_del(&k->sweep);
	(void)event_del(&k->retry);
	(void)event_del(&k->recover);
	(void)event_del(&k->flush);
	http_free(k->http);
	control_free(k->control); /* first: nobody is answered any more */
	ask_history_free_all(k);
	drain_forget_all(k);
	while ((q = LIST_FIRST(&k->questions)) != NULL) {
		LIST_REMOVE(q, next);
		free(q);
	}
	while ((r = LIST_FIRST(&k->releases)) != NULL) {
		LIST_REMOVE(r, next); /* `releasing` on the disk: see release.c */
		(void)event_del(&r->again);
		free(r);
	}
	while ((l = LIST_FIRST(&k->links)) != NULL) {
		LIST_REMOVE(l, next);
		ipc_free(l->ipc);
		free(l);
	}
	arena_free(k->arena);
	ipc_free(k->master);
	metrics_free(k->metrics);
	modules_free(k->modules);
	state_close(k->state);
	quarantine_close(k->quarantine);
	history_close(k->history);
	k->magic = 0;
	free(k);
}

_Noreturn void
keeper_main(const struct keeper_start *start)
{
	struct loop *l = loop_new();
	struct error e;
	struct keeper *k = keeper_new(l, start, &e);

	if (k == NULL) {
		log_error("", "keeper", "error=\"%s\"", e.text);
		_exit(EXIT_FAILURE);
	}
	loop_run(l);
	keeper_free(k);
	_exit(EXIT_SUCCESS);
}

/* ---- before privileges are dropped ---- */

/* Through a descriptor, never through a link: what lies in a folder of the
 * keeper's user may be anything by the time root looks at it. */
static int
own(const char *path, uid_t uid, gid_t gid, struct error *e)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int got = fd < 0 ? -1 : fstat(fd, &st);

	/* Not root: a group of ours is as good as the other. */
	if (got == 0 && (st.st_uid != uid ||
	    (geteuid() == 0 && st.st_gid != gid)))
		got = fchown(fd, uid, gid);
	io_close(fd);
	return got < 0 ? error_set(e, "%s: %s", path, strerror(errno)) : 0;
}

static int
prepare_maildir(const char *path, uid_t uid, gid_t gid, struct error *e)
{
	static const char *const below[] = { "", "/tmp", "/new", "/cur" };
	char folder[PATH_MAX];

	if (maildir_make(path, e) < 0)
		return -1;
	for (size_t i = 0; i < PN_COUNT(below); i++) {
		(void)snprintf(folder, sizeof(folder), "%s%s", path, below[i]);
		if (own(folder, uid, gid, e) < 0)
			return -1;
	}
	return 0;
}

int
keeper_prepare(const struct keeper_conf *conf, uid_t uid, gid_t gid,
    struct error *e)
{
	if (files_make_dir(conf->state_dir, 0700, e) < 0 ||
	    own(conf->state_dir, uid, gid, e) < 0)
		return -1;
	for (const char *const *m = conf->maildirs; m && *m != NULL; m++)
		if (prepare_maildir(*m, uid, gid, e) < 0)
			return -1;
	return 0;
}
