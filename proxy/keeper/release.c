/*
 * release - a held message goes out after all: handed to a worker, which
 * relays it as the original client and reports each recipient's reply.
 *
 * The state `releasing` is committed before the worker hears of it. So a
 * keeper that dies finds it there and calls it unknown: what the worker did
 * with it then comes from the worker (the job's number is in the row) or from
 * nobody, and only an operator releases it again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "keeper/inside.h"
#include "mail/parcel.h"

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
		if (best == NULL || l->generation > best->generation)
			best = l;
	return best;
}

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
	LIST_REMOVE(r, next);
	if (r->call != NULL)
		answer(r->keeper, r->call, pn_str_of(r->id));
	free(r);
}

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
	uint64_t now = keeper_now_us();

	k->last_job = now > k->last_job ? now : k->last_job + 1;
	return k->last_job;
}

static void
hand_over(struct keeper *k, struct link *l, uint64_t job, struct pn_str id,
    int parcel, uint64_t size, struct control_call *call)
{
	struct release *r = xcalloc(1, sizeof(*r));
	struct buf b = { 0 };

	r->keeper = k;
	r->link = l;
	r->job = job;
	r->call = call;
	(void)snprintf(r->id, sizeof(r->id), "%.*s", PN_STR_ARG(id));
	LIST_INSERT_HEAD(&k->releases, r, next);
	control_wait(call, caller_left, r);
	log_info(r->id, "release", "worker=%u generation=%u", l->worker,
	    l->generation);
	pack_u64(&b, size);
	/* False: its end is closed, and release_link_gone() comes. */
	(void)ipc_send(l->ipc, KEEP_RELEASE, job, buf_data(&b), buf_len(&b),
	    parcel);
	buf_fini(&b);
}

static void
start(struct keeper *k, struct keep_job *j, struct link *l,
    struct control_call *call)
{
	uint64_t size, job = new_job(k);
	struct error e;
	int parcel = make_parcel(k, j, &size, &e);

	if (parcel < 0)
		control_refuse(call, EX_IOERR, "%s", e.text);
	else if (quarantine_release(k->quarantine, j->id, job, &e) < 0)
		control_refuse(call, EX_TEMPFAIL, "%s", e.text);
	else
		hand_over(k, l, job, j->id, parcel, size, call);
	io_close(parcel);
}

void
release_start(struct keeper *k, struct pn_str id, struct control_call *call)
{
	struct arena *a = arena_new(JOB_ARENA);
	struct link *l = choose(k);
	struct keep_job j;
	struct error e;
	int got = quarantine_job(k->quarantine, id, &j, a, &e);

	if (got < 0)
		control_refuse(call, EX_IOERR, "%s", e.text);
	else if (got == 0)
		control_refuse(call, EX_NOINPUT, "no message %.*s in quarantine",
		    PN_STR_ARG(id));
	else if (l == NULL)
		control_refuse(call, EX_UNAVAILABLE, "no worker is running");
	else
		start(k, &j, l, call);
	arena_free(a);
}

/* Of a release that we began, the worker we gave it to may speak alone; of an
 * earlier keeper's nobody here knows who had it. */
void
release_outcome(struct keeper *k, const struct link *l, uint64_t job,
    struct unpack u)
{
	struct arena *a = arena_new(JOB_ARENA);
	struct release *r = find(k, job);
	struct keep_outcome o = { 0 };
	struct error e;
	bool finished = false;

	if (r != NULL && r->link != l)
		log_error(r->id, "released-frame", "worker=%u "
		    "error=\"another worker has it\"", l->worker);
	else if (!keep_outcome_unpack(&o, &u, a))
		log_error("", "released-frame", "error=\"not of our form\"");
	else if (quarantine_outcome(k->quarantine, job, &o, &finished, &e) < 0)
		log_error("", "released", "error=\"%s\"", e.text);
	for (uint32_t i = 0; !u.failed && i < o.n; i++)
		log_info(r != NULL ? r->id : "", "released",
		    "to=\"<%s>\" code=%u text=\"%s\"", VIS(o.rcpts[i].path),
		    o.rcpts[i].code, VIS(o.rcpts[i].text));
	if (finished && r != NULL)
		finish(r);
	arena_free(a);
}

void
release_link_gone(struct keeper *k, const struct link *l)
{
	struct release *r = LIST_FIRST(&k->releases);
	struct error e;

	while (r != NULL) {
		struct release *after = LIST_NEXT(r, next);

		if (r->link == l) {
			if (quarantine_lost(k->quarantine, r->job, &e) < 0)
				log_error(r->id, "release", "error=\"%s\"",
				    e.text);
			log_error(r->id, "release", "state=unknown "
			    "why=\"the worker is gone\"");
			finish(r);
		}
		r = after;
	}
}
