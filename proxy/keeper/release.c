/*
 * release - a held message goes out after all: handed to a worker, which
 * relays it as the original client and reports each recipient's reply. What
 * the next hop puts off, or does not answer, is tried again by settings.h's
 * waits, for those recipients alone, until its time is over.
 *
 * The state `releasing` is committed, with the worker that has it, before that
 * worker hears of it. So a keeper that follows finds it there: a release of
 * this run of posternd whose worker lives is asked for (KEEP_RELEASE_KNOWN),
 * and that worker alone is believed; any other is lost, which is unknown, and
 * tried again. A worker forgets a release when it hears that its outcome is
 * committed (KEEP_RELEASED_OK), so that none is told to nobody.
 */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "base/fault.h"
#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "keeper/inside.h"
#include "mail/parcel.h"

#define UNDER_WAY_MAX 20 /* tries of ours at a time; operators' come on top */
#define NO_WORKER_MS 5000 /* until the next look for one */
#define ADOPT_MS 10000	  /* for the workers of before to be linked again */
#define COMMIT_AGAIN_MS 5000 /* the index could not be written */

static struct release *
find(struct keeper *k, uint64_t job)
{
	struct release *r;

	LIST_FOREACH (r, &k->releases, next)
		if (r->job == job)
			return r;
	return NULL;
}

/* The newest generation relays under the rules and routes of today. */
static struct link *
choose(struct keeper *k)
{
	struct link *l, *best = NULL;

	LIST_FOREACH (l, &k->links, next)
		if (l->relays &&
		    (best == NULL || l->generation > best->generation))
			best = l;
	return best;
}

/* ---- the answer to who asked ---- */

static void
caller_left(void *arg)
{
	struct release *r = arg;

	r->call = NULL; /* the outcome is committed all the same */
}

static void
answer(struct keeper *k, struct control_call *call, struct pn_str id)
{
	struct buf b = { 0 };
	struct error e;

	control_begin(&b);
	if (quarantine_brief(k->quarantine, id, &b, &e) > 0) {
		control_answer(call, &b);
		return;
	}
	buf_fini(&b);
	control_refuse(call, EX_SOFTWARE, "%.*s: gone meanwhile",
	    PN_STR_ARG(id));
}

static void
finish(struct release *r)
{
	struct keeper *k = r->keeper;

	LIST_REMOVE(r, next);
	(void)event_del(&r->again); /* assigned: cannot fail */
	k->n_releases--;
	if (r->call != NULL)
		answer(k, r->call, pn_str_of(r->id));
	free(r);
	release_plan(k);
}

/* Nobody will tell what became of it. unsent: nobody began with it, either. */
static void
lose(struct release *r, bool unsent, const char *why)
{
	struct keeper *k = r->keeper;
	struct error e;

	if (quarantine_lost(k->quarantine, r->job, unsent, keeper_clock_us(),
	    &e) < 0)
		log_error(r->id, "release", "error=\"%s\"", e.text);
	log_warn(r->id, "release", "state=%s why=\"%s\"",
	    unsent ? "waiting" : "unknown", why);
	finish(r);
}

/* ---- giving it to a worker ---- */

static int
make_parcel(struct keeper *k, struct keep_job *j, uint64_t *size,
    struct error *e)
{
	int file = quarantine_body(k->quarantine, j->id, size, e);
	int parcel;

	if (file < 0)
		return -1;
	j->trace = PN_STR_V(""); /* relaying needs none */
	parcel = parcel_from_file(file, *size, j, e);
	io_close(file);
	return parcel;
}

/* The job's number is unique for ever: a late answer to an earlier release
 * must not pass for this one's. */
static uint64_t
new_job(struct keeper *k)
{
	uint64_t now = keeper_clock_us();

	k->last_job = now > k->last_job ? now : k->last_job + 1;
	return k->last_job;
}

static void
on_again(evutil_socket_t fd, short what, void *arg)
{
	struct release *r = arg;

	(void)fd;
	(void)what;
	if (r->link == NULL)
		lose(r, false, "its worker is gone");
	else /* its outcome could not be committed: once more */
		(void)ipc_send(r->link->ipc, KEEP_RELEASE_KNOWN, r->job, NULL,
		    0, -1);
}

static struct release *
release_new(struct keeper *k, struct link *l, uint64_t job, struct pn_str id)
{
	struct release *r = xcalloc(1, sizeof(*r));

	r->keeper = k;
	r->link = l;
	r->job = job;
	(void)snprintf(r->id, sizeof(r->id), "%.*s", PN_STR_ARG(id));
	event_assign(&r->again, loop_base(k->loop), -1, 0, on_again, r);
	LIST_INSERT_HEAD(&k->releases, r, next);
	k->n_releases++;
	return r;
}

static void
hand_over(struct release *r, int parcel, uint64_t size,
    struct control_call *call)
{
	struct link *l = r->link;
	struct buf b = { 0 };

	r->call = call;
	if (call != NULL)
		control_wait(call, caller_left, r);
	log_info(r->id, "release", "worker=%u generation=%u", l->worker,
	    l->generation);
	FAULT("release-begun");
	pack_u64(&b, size);
	/* False: its end is closed, and release_link_gone() comes. */
	(void)ipc_send(l->ipc, KEEP_RELEASE, r->job, buf_data(&b), buf_len(&b),
	    parcel);
	buf_fini(&b);
}

/* EX_OK, or what a caller is told. */
static int
begin(struct keeper *k, struct keep_job *j, bool again,
    struct control_call *call, struct error *e)
{
	struct link *l = choose(k);
	struct quarantine_try t = { .job = new_job(k), .again = again,
		.now_us = keeper_clock_us() };
	uint64_t size;
	int parcel, code = EX_OK;

	/* The MTA whose milter we are took it as discarded: it will not take
	 * it back on the way it came. */
	if (j->target.n == 0) {
		(void)error_set(e, "%.*s came by a milter listener that has no "
		    "\"upstream\" to release it to; it can be exported",
		    PN_STR_ARG(j->id));
		return EX_CONFIG;
	}
	if (l == NULL) {
		(void)error_set(e, "no worker is running");
		return EX_UNAVAILABLE;
	}
	t.worker = l->worker;
	t.generation = l->generation;
	parcel = make_parcel(k, j, &size, e);
	if (parcel < 0)
		code = EX_IOERR;
	else if (quarantine_release(k->quarantine, j->id, &t, e) < 0)
		code = EX_TEMPFAIL;
	else
		hand_over(release_new(k, l, t.job, j->id), parcel, size, call);
	io_close(parcel);
	return code;
}

void
release_start(struct keeper *k, struct pn_str id, struct control_call *call)
{
	struct arena *a = arena_new(JOB_ARENA);
	struct keep_job j;
	struct error e;
	int got = quarantine_job(k->quarantine, id, false, &j, a, &e);
	int code = EX_OK;

	if (got < 0)
		code = EX_IOERR;
	else if (got == 0)
		control_refuse(call, EX_NOINPUT, "no message %.*s in quarantine",
		    PN_STR_ARG(id));
	else
		code = begin(k, &j, false, call, &e);
	if (code != EX_OK)
		control_refuse(call, code, "%s", e.text);
	arena_free(a);
	release_plan(k);
}

/* ---- trying again ---- */

/* False: not now. What cannot be begun keeps nobody else waiting. */
static bool
try_again(struct keeper *k, const char *id)
{
	struct arena *a = arena_new(JOB_ARENA);
	struct keep_job j;
	struct error e, worse;
	int got = quarantine_job(k->quarantine, pn_str_of(id), true, &j, a, &e);

	if (got == 0)
		(void)error_set(&e, "it is gone");
	if (got > 0 && begin(k, &j, true, NULL, &e) == EX_OK) {
		arena_free(a);
		return true;
	}
	arena_free(a);
	log_error(id, "release", "state=put-off error=\"%s\"", e.text);
	return quarantine_put_off(k->quarantine, pn_str_of(id),
	    keeper_clock_us(), &worse) == 0;
}

static void
wait_ms(struct keeper *k, uint64_t ms)
{
	must(event_add(&k->retry, &(struct timeval){ (time_t)(ms / 1000),
	    (suseconds_t)(ms % 1000 * 1000) }) == 0);
}

/* What is due is begun; the timer stands on what comes next. A keeper that is
 * about to leave begins nothing: the next one does. */
void
release_plan(struct keeper *k)
{
	uint64_t next_us, now_us = keeper_clock_us();
	struct error e;
	char id[32];

	(void)event_del(&k->retry); /* assigned: cannot fail */
	while (!k->leaving && k->n_releases < UNDER_WAY_MAX) {
		if (quarantine_next(k->quarantine, &next_us, id, &e) < 0) {
			keeper_trouble(k, "release", e.text);
			wait_ms(k, NO_WORKER_MS);
			return;
		}
		if (next_us == 0)
			return;
		if (next_us > now_us) {
			wait_ms(k, (next_us - now_us) / 1000 + 1);
			return;
		}
		if (choose(k) == NULL || !try_again(k, id)) {
			wait_ms(k, NO_WORKER_MS);
			return;
		}
	}
}

void
release_on_retry(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	release_plan(arg);
}

/* ---- outcomes ---- */

static void
log_outcome(const struct release *r, const struct keep_outcome *o)
{
	for (uint32_t i = 0; i < o->n; i++)
		log_info(r->id, "released", "to=\"<%s>\" code=%u text=\"%s\"",
		    VIS(o->rcpts[i].path), o->rcpts[i].code,
		    VIS(o->rcpts[i].text));
}

static void
commit(struct release *r, const struct keep_outcome *o)
{
	struct keeper *k = r->keeper;
	bool finished = false;
	struct error e;

	FAULT("release-outcome");
	if (quarantine_outcome(k->quarantine, r->job, o, keeper_clock_us(),
	    &finished, &e) < 0) {
		keeper_trouble(k, "released", e.text);
		must(event_add(&r->again,
		    loop_timeout(k->loop, COMMIT_AGAIN_MS)) == 0);
		return;
	}
	log_outcome(r, o);
	if (!finished)
		return; /* the rest is in the next frame */
	(void)ipc_send(r->link->ipc, KEEP_RELEASED_OK, r->job, NULL, 0, -1);
	finish(r);
}

/* The worker we gave it to may speak alone. */
void
release_outcome(struct keeper *k, const struct link *l, uint64_t job,
    struct unpack u)
{
	struct arena *a = arena_new(JOB_ARENA);
	struct release *r = find(k, job);
	struct keep_outcome o = { 0 };

	if (!keep_outcome_unpack(&o, &u, a)) {
		log_error("", "released-frame", "error=\"not of our form\"");
	} else if (r == NULL) { /* heard already, and the word was lost */
		(void)ipc_send(l->ipc, KEEP_RELEASED_OK, job, NULL, 0, -1);
	} else if (r->link != l) {
		log_error(r->id, "released-frame", "worker=%u "
		    "error=\"another worker has it\"", l->worker);
	} else if (o.n == 0) {
		lose(r, true, "it never reached its worker");
	} else {
		commit(r, &o);
	}
	arena_free(a);
}

void
release_link_gone(struct keeper *k, const struct link *l)
{
	struct release *r = LIST_FIRST(&k->releases), *after;

	for (; r != NULL; r = after) {
		after = LIST_NEXT(r, next);
		if (r->link == l)
			lose(r, false, "its worker is gone");
	}
}

/* ---- after an earlier keeper ---- */

/* One that it had begun. Of this run: its worker may come back, see
 * release_link_new(). Of an earlier run: nobody will. */
static bool
adopt(void *arg, struct pn_str id, uint64_t job, unsigned worker,
    unsigned generation)
{
	struct keeper *k = arg;
	struct release *r;

	if (find(k, job) != NULL)
		return true; /* our own */
	if (job < k->run_us && !k->alone)
		return true; /* that keeper lives, and hears of it */
	r = release_new(k, NULL, job, id);
	r->worker = worker;
	r->generation = generation;
	/* At once means from the loop: the index is being read. */
	must(event_add(&r->again, loop_timeout(k->loop,
	    job < k->run_us ? 0 : ADOPT_MS)) == 0);
	return true;
}

void
release_resume(struct keeper *k)
{
	struct error e;

	if (quarantine_releasing(k->quarantine, adopt, k, &e) < 0)
		keeper_trouble(k, "release", e.text);
	release_plan(k);
}

void
release_link_new(struct keeper *k, struct link *l)
{
	struct release *r;

	LIST_FOREACH (r, &k->releases, next)
		if (r->link == NULL && r->job >= k->run_us &&
		    r->worker == l->worker && r->generation == l->generation) {
			r->link = l;
			(void)event_del(&r->again); /* cannot fail */
			(void)ipc_send(l->ipc, KEEP_RELEASE_KNOWN, r->job, NULL,
			    0, -1);
		}
	release_plan(k); /* what waited for a worker */
}
