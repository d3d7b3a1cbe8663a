/*
 * keep_asked - what a keeper asks of this worker: to relay a message that was
 * released, and to take a server out of use. What a release came to is told
 * until a keeper says that it is committed; a new keeper hears it again.
 *
 * Frames come from keep.c; who does what they ask said so with
 * keep_on_release() and keep_on_drain(). A worker that does not relay declines.
 * Owns what is known of each release.
 */
#include "engine/keep_inside.h"

#include <stdlib.h>

#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "mail/parcel.h"

#define OUTCOME_BYTES (64 * 1024)
#define RELEASE_ARENA (3 * PARCEL_JOB_MAX)

/* A frame that says what a release came to. */
struct told {
	STAILQ_ENTRY(told) next;
	struct buf body;
};

/* A release that a keeper asked for, until one says that what it came to is
 * committed. */
struct relayed {
	LIST_ENTRY(relayed) next;
	uint64_t job;
	bool done; /* and all is in the frames */
	STAILQ_HEAD(, told) frames;
};

/* ---- releases ---- */

static struct relayed *
relayed_find(struct keep *k, uint64_t job)
{
	struct relayed *r;

	LIST_FOREACH (r, &k->relayed, next)
		if (r->job == job)
			return r;
	return NULL;
}

static struct relayed *
relayed_new(struct keep *k, uint64_t job)
{
	struct relayed *r = xcalloc(1, sizeof(*r));

	r->job = job;
	STAILQ_INIT(&r->frames);
	LIST_INSERT_HEAD(&k->relayed, r, next);
	return r;
}

static void
relayed_free(struct relayed *r)
{
	struct told *t;

	while ((t = STAILQ_FIRST(&r->frames)) != NULL) {
		STAILQ_REMOVE_HEAD(&r->frames, next);
		buf_fini(&t->body);
		free(t);
	}
	LIST_REMOVE(r, next);
	free(r);
}

/* Of a keeper that is gone the next one hears it. */
static void
tell(struct keep *k, const struct relayed *r)
{
	const struct told *t;

	if (!r->done || k->ipc == NULL)
		return;
	STAILQ_FOREACH (t, &r->frames, next)
		(void)ipc_send(k->ipc, KEEP_RELEASED, r->job,
		    buf_data(&t->body), buf_len(&t->body), -1);
}

static void
add_frame(struct relayed *r, const struct keep_outcome *part)
{
	struct told *t = xcalloc(1, sizeof(*t));

	keep_outcome_pack(part, &t->body);
	STAILQ_INSERT_TAIL(&r->frames, t, next);
}

void
keep_released(struct keep *k, uint64_t job, const struct keep_outcome *o)
{
	struct keep_outcome part = { .id = o->id, .rcpts = o->rcpts };
	struct relayed *r = relayed_find(k, job);
	size_t bytes = 0;

	MUST_BE(k, KEEP);
	must(r != NULL && !r->done); /* each is asked for, and answered once */
	for (uint32_t i = 0; i < o->n; i++) {
		size_t n = o->rcpts[i].path.n + o->rcpts[i].text.n + 16;

		if (part.n > 0 && bytes + n > OUTCOME_BYTES) {
			add_frame(r, &part);
			part.rcpts += part.n;
			part.n = 0;
			bytes = 0;
		}
		part.n++;
		bytes += n;
	}
	add_frame(r, &part);
	r->done = true;
	tell(k, r);
}

void
keep_take_known(struct keep *k, uint64_t job)
{
	struct relayed *r = relayed_find(k, job);
	struct keep_outcome none = { .n = 0 };
	struct buf b = { 0 };

	if (r != NULL) {
		tell(k, r);
		return;
	}
	keep_outcome_pack(&none, &b);
	(void)ipc_send(k->ipc, KEEP_RELEASED, job, buf_data(&b), buf_len(&b),
	    -1); /* gone: it will be asked again */
	buf_fini(&b);
}

void
keep_take_released_ok(struct keep *k, uint64_t job)
{
	struct relayed *r = relayed_find(k, job);

	if (r != NULL && r->done)
		relayed_free(r);
}

/* Nobody here relays: every recipient stays where it is. */
static void
decline(struct keep *k, uint64_t job, const struct keep_job *j)
{
	struct keep_outcome o = { .id = j->id };
	const struct rcpt *r;

	o.rcpts = xcalloc(j->envelope.n_accepted + 1, sizeof(*o.rcpts));
	TAILQ_FOREACH (r, &j->envelope.rcpts, next) {
		o.rcpts[o.n].path = r->path;
		o.rcpts[o.n].code = 451;
		o.rcpts[o.n++].text = PN_STR_V("4.3.0 this worker does not relay");
	}
	keep_released(k, job, &o);
	free(o.rcpts);
}

/* Takes fd. */
static void
begin_release(struct keep *k, const struct keep_job *j, uint64_t job, int fd,
    uint64_t size)
{
	(void)relayed_new(k, job);
	if (k->release != NULL) {
		k->release(k->release_arg, j, job, fd, size);
		return;
	}
	decline(k, job, j);
	io_close(fd);
}

void
keep_take_release(struct keep *k, uint64_t job, struct unpack u, int fd)
{
	struct arena *a = arena_new(RELEASE_ARENA);
	struct keep_job j = { 0 };
	uint64_t size = unpack_u64(&u);
	struct error e;

	if (!unpack_done(&u) || fd < 0)
		log_error("", "release-frame", "error=\"not of our form\"");
	else if (parcel_job(fd, size, &j, a, &e) < 0)
		log_error("", "release-frame", "error=\"%s\"", e.text);
	else if (relayed_find(k, job) != NULL)
		log_error("", "release-frame", "error=\"given twice\"");
	else {
		begin_release(k, &j, job, fd, size);
		fd = -1;
	}
	io_close(fd);
	arena_free(a);
}

void
keep_on_release(struct keep *k, keep_release *release, void *arg)
{
	MUST_BE(k, KEEP);
	k->release = release;
	k->release_arg = arg;
}

void
keep_tell_relayed(struct keep *k)
{
	const struct relayed *r;

	LIST_FOREACH (r, &k->relayed, next)
		tell(k, r);
}

void
keep_forget_relayed(struct keep *k)
{
	struct relayed *r;

	while ((r = LIST_FIRST(&k->relayed)) != NULL)
		relayed_free(r);
}

/* ---- servers out of use ---- */

void
keep_on_drain(struct keep *k, keep_drain *drain, void *arg)
{
	MUST_BE(k, KEEP);
	k->drain = drain;
	k->drain_arg = arg;
}

void
keep_take_drain(struct keep *k, struct unpack u)
{
	struct pn_str upstream = unpack_str(&u);
	struct pn_str server = unpack_str(&u);
	bool on = unpack_u8(&u) != 0;

	if (!unpack_done(&u))
		log_error("", "keeper-frame", "type=drain error=malformed");
	else if (k->drain != NULL)
		k->drain(k->drain_arg, upstream, server, on);
}
