/*
 * keep - see keep.h. What the keeper is asked, each question with a ticket, and
 * the link itself; what the keeper is told stands in keep_tell.c, what it asks
 * in keep_asked.c. Called by the engine and the doors.
 */
#include "engine/keep_inside.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "mail/parcel.h"

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
		keep_take_release(k, id, unpack_of(body, n), fd);
		return;
	}
	io_close(fd);
	if (type == KEEP_RELEASE_KNOWN)
		keep_take_known(k, id);
	else if (type == KEEP_RELEASED_OK)
		keep_take_released_ok(k, id);
	else if (type == KEEP_DRAIN)
		keep_take_drain(k, unpack_of(body, n));
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
	keep_tell_relayed(k);
	keep_tell_all(k);
}

struct keep *
keep_new(struct loop *l, int sock)
{
	struct keep *k = xcalloc(1, sizeof(*k));

	k->magic = KEEP_MAGIC;
	k->loop = l;
	TAILQ_INIT(&k->tickets);
	LIST_INIT(&k->relayed);
	event_assign(&k->grace, loop_base(l), -1, 0, on_grace_over, k);
	keep_tell_init(k);
	if (sock >= 0)
		keep_attach(k, sock);
	return k;
}

void
keep_free(struct keep *k)
{
	struct keep_ticket *t;

	if (k == NULL)
		return;
	MUST_BE(k, KEEP);
	keep_tell_fini(k);
	while ((t = TAILQ_FIRST(&k->tickets)) != NULL)
		ticket_free(t);
	keep_forget_relayed(k);
	(void)event_del(&k->grace); /* assigned: cannot fail */
	ipc_free(k->ipc);
	k->magic = 0;
	free(k);
}
