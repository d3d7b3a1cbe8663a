/* keep - see keep.h. Called by the engine and the doors. Summaries gather in
 * one frame until it is full or FLUSH_MS old. */
#include "engine/keep.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/io.h"
#include "base/ipc.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "mail/parcel.h"

#define KEEP_MAGIC 0x6b656570u
#define FLUSH_BYTES (64 * 1024)
#define FLUSH_MS 200
#define BEHIND_MAX (8u << 20) /* queued at a slow keeper: then history waits no more */
#define OUTCOME_BYTES (64 * 1024)
#define RELEASE_ARENA (3 * PARCEL_JOB_MAX)
#define TRIES 3 /* keepers one job is given to: it may be what kills them */

/* A question that is not answered yet. */
struct keep_ticket {
	TAILQ_ENTRY(keep_ticket) next;
	struct keep *keep;
	uint64_t id;
	uint32_t type;
	unsigned tries; /* keepers that have heard of it */
	int parcel;    /* jobs; -1: a suspect */
	uint64_t size; /* of the message in the parcel */
	unsigned char key[32]; /* suspects */
	struct event overdue;
	keep_done *done;       /* one of the three */
	keep_counted *counted;
	keep_number *number;
	void *arg;
};

/* What is said of a module or its part. */
struct said {
	STAILQ_ENTRY(said) next;
	char *module, *part, *text;
	uint64_t time_us;
	bool changed; /* since the keeper heard of it */
};

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

struct keep {
	uint32_t magic;
	struct loop *loop;
	struct ipc *ipc; /* NULL: no keeper now */
	TAILQ_HEAD(, keep_ticket) tickets;
	LIST_HEAD(, relayed) relayed;
	uint64_t last_id;
	struct buf summaries;
	uint64_t dropped; /* summaries, since the last that were sent */
	struct stats *stats;
	STAILQ_HEAD(, said) said;
	unsigned n_said;
	struct event flush, grace, count;
	keep_release *release;
	void *release_arg;
	keep_drain *drain;
	void *drain_arg;
};

/* ---- tickets ---- */

static void
ticket_free(struct keep_ticket *t)
{
	TAILQ_REMOVE(&t->keep->tickets, t, next);
	(void)event_del(&t->overdue); /* assigned: cannot fail */
	io_close(t->parcel);
	free(t);
}

/* The callee may submit or cancel others, but this one is out of the list's
 * way: its owner knows it as done. */
static void
ticket_answer(struct keep_ticket *t, enum keep_result result,
    struct pn_str text, uint32_t count)
{
	keep_done *done = t->done;
	keep_counted *counted = t->counted;
	keep_number *number = t->number;
	void *arg = t->arg;

	ticket_free(t);
	if (done != NULL)
		done(arg, result, text);
	else if (counted != NULL)
		counted(arg, result == KEPT, count);
	else
		number(arg, false, 0, 0);
}

static void
on_overdue(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	ticket_answer(arg, KEPT_UNKNOWN,
	    PN_STR_V("the keeper does not answer"), 0);
}

static struct keep_ticket *
ticket_new(struct keep *k, uint32_t type, void *arg)
{
	struct keep_ticket *t = xcalloc(1, sizeof(*t));

	t->keep = k;
	t->id = ++k->last_id;
	t->type = type;
	t->parcel = -1;
	t->arg = arg;
	event_assign(&t->overdue, loop_base(k->loop), -1, 0, on_overdue, t);
	must(event_add(&t->overdue,
	    loop_timeout(k->loop, KEEP_ANSWER_MS)) == 0);
	TAILQ_INSERT_TAIL(&k->tickets, t, next);
	return t;
}

/* Where sending fails the keeper is gone: the next one is told. */
static void
ticket_send(struct keep_ticket *t, uint32_t again)
{
	struct buf b = { 0 };

	t->tries++;
	if (t->parcel < 0) {
		(void)ipc_send(t->keep->ipc, t->type, t->id, t->key,
		    sizeof(t->key), -1);
		return;
	}
	pack_u64(&b, t->size);
	(void)ipc_send(t->keep->ipc, t->type | again, t->id, buf_data(&b),
	    buf_len(&b), t->parcel);
	buf_fini(&b);
}

static struct keep_ticket *
ticket_find(struct keep *k, uint64_t id)
{
	struct keep_ticket *t;

	TAILQ_FOREACH (t, &k->tickets, next)
		if (t->id == id)
			return t;
	return NULL; /* cancelled */
}

struct keep_ticket *
keep_submit(struct keep *k, uint32_t type, const struct keep_job *j,
    struct spool *s, const struct edit_ranges *ranges, keep_done *done,
    void *arg, struct error *e)
{
	struct keep_ticket *t;
	uint64_t size;
	int parcel;

	if (k == NULL || k->ipc == NULL) {
		(void)error_set(e, "the keeper is away");
		return NULL;
	}
	MUST_BE(k, KEEP);
	parcel = parcel_from_spool(s, ranges, j, &size, e);
	if (parcel < 0)
		return NULL;
	t = ticket_new(k, type, arg);
	t->parcel = parcel;
	t->size = size;
	t->done = done;
	ticket_send(t, 0);
	return t;
}

struct keep_ticket *
keep_suspect(struct keep *k, const unsigned char sha256[32], bool count,
    keep_counted *counted, void *arg)
{
	struct keep_ticket *t;

	if (k == NULL || k->ipc == NULL)
		return NULL;
	MUST_BE(k, KEEP);
	t = ticket_new(k, count ? KEEP_SUSPECT : KEEP_SUSPECTED, arg);
	memcpy(t->key, sha256, sizeof(t->key));
	t->counted = counted;
	ticket_send(t, 0);
	return t;
}

void
keep_cancel(struct keep_ticket *t)
{
	if (t != NULL)
		ticket_free(t);
}

/* ---- summaries ---- */

static void
flush(struct keep *k)
{
	(void)event_del(&k->flush); /* assigned: cannot fail */
	if (k->ipc == NULL || buf_len(&k->summaries) == 0)
		return;
	if (ipc_queued(k->ipc) > BEHIND_MAX ||
	    !ipc_send(k->ipc, KEEP_VERDICT, 0, buf_data(&k->summaries),
	    buf_len(&k->summaries), -1))
		k->dropped++;
	buf_clear(&k->summaries);
	if (k->dropped > 0)
		log_warn("", "history-dropped", "batches=%llu",
		    (unsigned long long)k->dropped);
	k->dropped = 0;
}

static void
on_flush(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	flush(arg);
}

/* A trace that has no room in a frame is named, not cut: half a JSON text
 * explains nothing. */
static void
pack_fitting(const struct keep_summary *s, struct buf *b)
{
	struct keep_summary shorter = *s;
	char note[80];

	keep_summary_pack(s, b);
	if (buf_len(b) <= IPC_MAX)
		return;
	buf_clear(b);
	(void)snprintf(note, sizeof(note), "{\"omitted\":%zu}", s->trace.n);
	shorter.trace = pn_str_of(note);
	shorter.rcpts = pn_str_sub(s->rcpts, 0, FLUSH_BYTES / 2);
	keep_summary_pack(&shorter, b);
}

void
keep_summary(struct keep *k, const struct keep_summary *s)
{
	struct buf one = { 0 };

	if (k == NULL)
		return;
	MUST_BE(k, KEEP);
	pack_fitting(s, &one);
	if (buf_len(&k->summaries) + buf_len(&one) > FLUSH_BYTES) {
		flush(k);
		if (buf_len(&k->summaries) > 0) { /* no keeper: nobody waits */
			k->dropped++;
			buf_clear(&k->summaries);
		}
	}
	if (buf_len(&k->summaries) == 0)
		must(event_add(&k->flush, loop_timeout(k->loop, FLUSH_MS)) == 0);
	(void)buf_add_str(&k->summaries, buf_str(&one)); /* no cap */
	buf_fini(&one);
}

/* ---- counters ---- */

struct stats *
keep_stats(struct keep *k)
{
	return k ? k->stats : NULL;
}

static void
send_stats(struct keep *k, struct buf *b)
{
	if (buf_len(b) > 0)
		(void)ipc_send(k->ipc, KEEP_STATS, 0, buf_data(b), buf_len(b),
		    -1); /* gone: the next keeper hears it all */
	buf_clear(b);
}

/* A keeper that is behind hears of it the next time. */
void
keep_tell_stats(struct keep *k)
{
	struct stat_series *s;
	struct buf b = { 0 };

	if (k == NULL || k->ipc == NULL || ipc_queued(k->ipc) > BEHIND_MAX)
		return;
	MUST_BE(k, KEEP);
	for (size_t i = 0; (s = stats_at(k->stats, i)) != NULL; i++) {
		if (!s->changed)
			continue;
		s->changed = false;
		keep_stat_pack(&(struct keep_stat){ pn_str_of(s->name),
		    pn_str_of(s->labels), s->gauge, s->value }, &b);
		if (buf_len(&b) > FLUSH_BYTES)
			send_stats(k, &b);
	}
	send_stats(k, &b);
	buf_fini(&b);
}

static void
tell_all_stats(struct keep *k)
{
	struct stat_series *s;

	for (size_t i = 0; (s = stats_at(k->stats, i)) != NULL; i++)
		s->changed = true;
	keep_tell_stats(k);
}

/* ---- what is said of modules ---- */

static struct said *
said_of(struct keep *k, struct pn_str module, struct pn_str part)
{
	struct said *s;

	STAILQ_FOREACH (s, &k->said, next)
		if (pn_str_eq(module, pn_str_of(s->module)) &&
		    pn_str_eq(part, pn_str_of(s->part)))
			return s;
	if (k->n_said == KEEP_SAID_MAX)
		return NULL;
	s = xcalloc(1, sizeof(*s));
	s->module = xstrndup(module);
	s->part = xstrndup(part);
	k->n_said++;
	STAILQ_INSERT_TAIL(&k->said, s, next);
	return s;
}

bool
keep_say(struct keep *k, struct pn_str module, struct pn_str part,
    struct pn_str text)
{
	struct timespec now;
	struct said *s = k != NULL ? said_of(k, module, part) : NULL;
	bool other;

	if (s == NULL)
		return false;
	other = s->text == NULL ? text.n > 0
				: !pn_str_eq(text, pn_str_of(s->text));
	if (!other && part.n > 0)
		return false;
	(void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail */
	free(s->text);
	s->text = xstrndup(text);
	s->time_us = (uint64_t)now.tv_sec * 1000000 +
	    (uint64_t)now.tv_nsec / 1000;
	s->changed = true;
	return other;
}

static void
tell_said(struct keep *k)
{
	struct buf b = { 0 };
	struct said *s;

	if (k->ipc == NULL || ipc_queued(k->ipc) > BEHIND_MAX)
		return;
	STAILQ_FOREACH (s, &k->said, next) {
		if (!s->changed)
			continue;
		s->changed = false;
		keep_said_pack(&(struct keep_said){ pn_str_of(s->module),
		    pn_str_of(s->part), pn_str_of(s->text), s->time_us }, &b);
		if (buf_len(&b) < FLUSH_BYTES && STAILQ_NEXT(s, next) != NULL)
			continue;
		(void)ipc_send(k->ipc, KEEP_SAID, 0, buf_data(&b), buf_len(&b),
		    -1); /* gone: the next keeper hears it all */
		buf_clear(&b);
	}
	if (buf_len(&b) > 0)
		(void)ipc_send(k->ipc, KEEP_SAID, 0, buf_data(&b), buf_len(&b),
		    -1); /* likewise */
	buf_fini(&b);
}

static void
tell_all_said(struct keep *k)
{
	struct said *s;

	STAILQ_FOREACH (s, &k->said, next)
		s->changed = true;
	tell_said(k);
}

static void
said_free(struct keep *k)
{
	struct said *s;

	while ((s = STAILQ_FIRST(&k->said)) != NULL) {
		STAILQ_REMOVE_HEAD(&k->said, next);
		free(s->module);
		free(s->part);
		free(s->text);
		free(s);
	}
}

static void
on_count(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	keep_tell_stats(arg);
	tell_said(arg);
}

/* ---- counters that workers share ---- */

static bool
send_counter(struct keep *k, uint64_t id, const struct keep_counter *c)
{
	struct buf b = { 0 };
	bool sent;

	if (k == NULL || k->ipc == NULL || c->key.n > KEEP_COUNTER_KEY_MAX ||
	    ipc_queued(k->ipc) > BEHIND_MAX)
		return false;
	keep_counter_pack(c, &b);
	sent = ipc_send(k->ipc, KEEP_COUNTER, id, buf_data(&b), buf_len(&b),
	    -1);
	buf_fini(&b);
	return sent;
}

struct keep_ticket *
keep_count(struct keep *k, const struct keep_counter *c, keep_number *number,
    void *arg)
{
	struct keep_ticket *t;

	if (k == NULL || !send_counter(k, k->last_id + 1, c))
		return NULL;
	MUST_BE(k, KEEP);
	t = ticket_new(k, KEEP_COUNTER, arg);
	t->number = number;
	return t;
}

bool
keep_count_only(struct keep *k, const struct keep_counter *c)
{
	return send_counter(k, 0, c);
}

/* An answer that may come from a half-counted add is none: nobody waits for
 * the next keeper. */
static void
fail_counters(struct keep *k)
{
	uint64_t newest = k->last_id;
	struct keep_ticket *t, *next;

	for (t = TAILQ_FIRST(&k->tickets); t != NULL && t->id <= newest;
	     t = next) {
		next = TAILQ_NEXT(t, next);
		if (t->number != NULL) {
			ticket_answer(t, KEPT_UNKNOWN, PN_STR_V(""), 0);
			next = TAILQ_FIRST(&k->tickets); /* the callee may have
							    cancelled others */
		}
	}
}

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

/* The keeper asks after a job that an earlier one may have given to us. */
static void
take_known(struct keep *k, uint64_t job)
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

static void
take_released_ok(struct keep *k, uint64_t job)
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

static void
take_release(struct keep *k, uint64_t job, struct unpack u, int fd)
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
keep_on_drain(struct keep *k, keep_drain *drain, void *arg)
{
	MUST_BE(k, KEEP);
	k->drain = drain;
	k->drain_arg = arg;
}

static void
take_drain(struct keep *k, struct unpack u)
{
	struct pn_str upstream = unpack_str(&u);
	struct pn_str server = unpack_str(&u);
	bool on = unpack_u8(&u) != 0;

	if (!unpack_done(&u))
		log_error("", "keeper-frame", "type=drain error=malformed");
	else if (k->drain != NULL)
		k->drain(k->drain_arg, upstream, server, on);
}

/* ---- the link ---- */

static void
take_number(struct keep_ticket *t, struct unpack u)
{
	keep_number *number = t->number;
	void *arg = t->arg;
	int64_t value = (int64_t)unpack_u64(&u);
	uint64_t age_ms = unpack_u64(&u);

	ticket_free(t);
	number(arg, unpack_done(&u), value, age_ms);
}

static void
take_answer(struct keep *k, uint32_t type, uint64_t id, struct unpack u)
{
	struct keep_ticket *t = ticket_find(k, id);
	struct pn_str text = { (const char *)u.p, u.n };
	uint32_t count;
	bool no_room;

	if (t == NULL)
		return;
	if (type == KEEP_FAILED) {
		no_room = unpack_u8(&u) == 1;
		text = (struct pn_str){ (const char *)u.p, u.n };
		ticket_answer(t, no_room ? KEPT_NO_ROOM : KEPT_NOT, text, 0);
	} else if (type == KEEP_DONE && t->done != NULL) {
		ticket_answer(t, KEPT, text, 0);
	} else if (type == KEEP_COUNTED && t->number != NULL) {
		take_number(t, u);
	} else if (type == KEEP_COUNT && t->counted != NULL) {
		count = unpack_u32(&u);
		ticket_answer(t, unpack_done(&u) ? KEPT : KEPT_NOT,
		    PN_STR_V(""), count);
	} else {
		log_error("", "keeper-frame", "type=%u error=unexpected", type);
	}
}

static void
on_message(void *arg, uint32_t type, uint64_t id, const void *body, size_t n,
    int fd)
{
	struct keep *k = arg;

	MUST_BE(k, KEEP);
	if (type == KEEP_RELEASE) {
		take_release(k, id, unpack_of(body, n), fd);
		return;
	}
	io_close(fd);
	if (type == KEEP_RELEASE_KNOWN)
		take_known(k, id);
	else if (type == KEEP_RELEASED_OK)
		take_released_ok(k, id);
	else if (type == KEEP_DRAIN)
		take_drain(k, unpack_of(body, n));
	else
		take_answer(k, type, id, unpack_of(body, n));
}

static void
on_closed(void *arg)
{
	struct keep *k = arg;

	MUST_BE(k, KEEP);
	ipc_free(k->ipc);
	k->ipc = NULL;
	log_warn("", "keeper-gone", "action=wait");
	fail_counters(k);
	must(event_add(&k->grace, loop_timeout(k->loop, KEEP_GRACE_MS)) == 0);
}

static void
on_grace_over(evutil_socket_t fd, short what, void *arg)
{
	struct keep *k = arg;
	uint64_t newest = k->last_id;
	struct keep_ticket *t;

	(void)fd;
	(void)what;
	/* What a callee submits meanwhile fails at once and is not in the list. */
	while ((t = TAILQ_FIRST(&k->tickets)) != NULL && t->id <= newest)
		ticket_answer(t, KEPT_UNKNOWN,
		    PN_STR_V("the keeper is away"), 0);
}

static struct keep_ticket *
ticket_worn_out(struct keep *k)
{
	struct keep_ticket *t;

	TAILQ_FOREACH (t, &k->tickets, next)
		if (t->tries >= TRIES)
			return t;
	return NULL;
}

void
keep_attach(struct keep *k, int sock)
{
	static const struct ipc_ops ops = { on_message, on_closed };
	struct keep_ticket *t;
	struct relayed *r;

	MUST_BE(k, KEEP);
	while ((t = ticket_worn_out(k)) != NULL)
		ticket_answer(t, KEPT_UNKNOWN,
		    PN_STR_V("no keeper survives it"), 0);
	ipc_free(k->ipc); /* of a keeper whose end we have not read yet */
	k->ipc = NULL;
	fail_counters(k);
	k->ipc = ipc_new(k->loop, sock, &ops, k);
	(void)event_del(&k->grace); /* assigned: cannot fail */
	TAILQ_FOREACH (t, &k->tickets, next)
		ticket_send(t, KEEP_AGAIN);
	LIST_FOREACH (r, &k->relayed, next)
		tell(k, r);
	tell_all_stats(k);
	tell_all_said(k);
	flush(k);
}

struct keep *
keep_new(struct loop *l, int sock)
{
	struct keep *k = xcalloc(1, sizeof(*k));

	k->magic = KEEP_MAGIC;
	k->loop = l;
	k->stats = stats_new();
	TAILQ_INIT(&k->tickets);
	LIST_INIT(&k->relayed);
	STAILQ_INIT(&k->said);
	event_assign(&k->flush, loop_base(l), -1, 0, on_flush, k);
	event_assign(&k->grace, loop_base(l), -1, 0, on_grace_over, k);
	event_assign(&k->count, loop_base(l), -1, EV_PERSIST, on_count, k);
	must(event_add(&k->count, loop_timeout(l, KEEP_STATS_MS)) == 0);
	if (sock >= 0)
		keep_attach(k, sock);
	return k;
}

void
keep_free(struct keep *k)
{
	struct keep_ticket *t;
	struct relayed *r;

	if (k == NULL)
		return;
	MUST_BE(k, KEEP);
	flush(k);
	keep_tell_stats(k);
	tell_said(k);
	while ((t = TAILQ_FIRST(&k->tickets)) != NULL)
		ticket_free(t);
	while ((r = LIST_FIRST(&k->relayed)) != NULL)
		relayed_free(r);
	(void)event_del(&k->flush); /* assigned: cannot fail */
	(void)event_del(&k->grace);
	(void)event_del(&k->count);
	stats_free(k->stats);
	said_free(k);
	ipc_free(k->ipc);
	buf_fini(&k->summaries);
	k->magic = 0;
	free(k);
}
