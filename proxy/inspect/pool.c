/*
 * pool - see pool.h. A job waits, is sent, and ends:
 *
 *   submit -> waiting -> sent -> (answer) done(FOUND)
 *                ^         |
 *                |      inspector died: the one it worked on is the suspect
 *                +---------+
 *   waiting or sent -> finished -> done(SUSPECT or DOWN), from the loop
 *
 * The inspector works strictly in order, so what is sent first is what it
 * works on and one timer serves them all. A suspect is sent alone: nothing
 * before it is unanswered, nothing follows until it is answered; if the
 * inspector dies again it did it. A cancelled job that was sent stays, without
 * its owner, until the answer or the death: its slot is still being read.
 *
 * The word the inspector writes is its own, and so is not believed further
 * than this: a job that saw too many deaths is sent alone whoever was named.
 */
#include "inspect/pool.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/uio.h>

#include "base/io.h"
#include "base/ipc.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"

#define POOL_MAGIC 0x706f6f6cu
#define JOB_MAGIC 0x706a6f62u
#define OUTSTANDING 16 /* sent and unanswered at most; deeper gains nothing */
#define DEATHS 3       /* seen by an innocent before it is tried alone */
#define DOWN_MS (30 * 1000) /* without an inspector */
#define NO_SLOT UINT32_MAX

enum place { JOB_WAITING, JOB_SENT, JOB_FINISHED };

struct pool_job {
	uint32_t magic;
	TAILQ_ENTRY(pool_job) next;
	struct pool *pool;
	uint64_t id;
	struct spool *spool;
	struct arena *arena;
	pool_done *done; /* NULL: cancelled */
	void *arg;
	enum place place;
	enum pool_result result; /* finished */
	bool alone;		 /* a suspect */
	uint32_t blamed;	 /* ... that broke it in this module's .inspect;
				    CHAIN_CORE: in no module's */
	unsigned deaths;
	uint32_t slot;
};
TAILQ_HEAD(jobs, pool_job);

struct pool {
	uint32_t magic;
	const struct inspect_conf *conf;
	struct inspect_channel *channel;
	struct loop *loop;
	struct ipc *ipc; /* NULL: no inspector */
	void (*kill)(void *);
	void *kill_arg;
	uint64_t last_id;
	struct jobs waiting, sent, finished;
	unsigned n_sent;
	size_t live; /* jobs somebody waits for */
	struct pool_job *slots[INSPECT_SLOTS];
	bool answers; /* this inspector has, once */
	bool down; /* longer than DOWN_MS */
	struct event overdue, no_inspector, deliver;
	char *scratch; /* INSPECT_INLINE_MAX */
};

static struct jobs *
list_of(struct pool *p, enum place place)
{
	struct jobs *lists[] = { [JOB_WAITING] = &p->waiting,
		[JOB_SENT] = &p->sent,
		[JOB_FINISHED] = &p->finished };

	return lists[place];
}

static void
job_remove(struct pool_job *j)
{
	struct pool *p = j->pool;

	TAILQ_REMOVE(list_of(p, j->place), j, next);
	if (j->place == JOB_SENT)
		p->n_sent--;
}

static void
job_put(struct pool_job *j, enum place place)
{
	job_remove(j);
	j->place = place;
	TAILQ_INSERT_TAIL(list_of(j->pool, place), j, next);
	if (place == JOB_SENT)
		j->pool->n_sent++;
}

static void
release_slot(struct pool_job *j)
{
	if (j->slot != NO_SLOT)
		j->pool->slots[j->slot] = NULL;
	j->slot = NO_SLOT;
}

static void
job_free(struct pool_job *j)
{
	job_remove(j);
	release_slot(j);
	if (j->done != NULL)
		j->pool->live--;
	j->magic = 0;
	free(j);
}

/* done() comes from the loop: the caller may stand in pool_submit(). */
static void
job_finish(struct pool_job *j, enum pool_result result)
{
	if (j->done == NULL) {
		job_free(j);
		return;
	}
	release_slot(j);
	j->result = result;
	job_put(j, JOB_FINISHED);
	event_active(&j->pool->deliver, EV_TIMEOUT, 0);
}

static void
job_tell(struct pool_job *j, enum pool_result result, const struct findings *f)
{
	pool_done *done = j->done;
	void *arg = j->arg;

	job_free(j);
	if (done != NULL)
		done(arg, result, f);
}

/* What a suspect has beside itself: whose .inspect it broke the inspector in. */
static void
tell_finished(struct pool_job *j)
{
	struct chain_trouble trouble = { j->blamed, 0, true };
	const struct findings blame = { .troubles = &trouble, .n_troubles = 1 };

	job_tell(j, j->result,
	    j->result == POOL_SUSPECT && j->blamed != CHAIN_CORE ? &blame
								 : NULL);
}

static void
on_deliver(evutil_socket_t fd, short what, void *arg)
{
	struct pool *p = arg;
	struct pool_job *j;

	(void)fd;
	(void)what;
	MUST_BE(p, POOL);
	while ((j = TAILQ_FIRST(&p->finished)) != NULL)
		tell_finished(j);
}

/* ---- sending ---- */

/* Every byte of the spool to where the inspector (or sendmsg) reads it. */
static bool
copy_spool(struct spool *s, char *to)
{
	size_t size = spool_size(s);

	for (size_t at = 0; at < size;) {
		struct pn_str piece = spool_at(s, at);

		if (piece.p == NULL || piece.n == 0)
			return false;
		memcpy(to + at, piece.p, piece.n);
		at += piece.n;
	}
	return true;
}

static uint32_t
free_slot(const struct pool *p)
{
	for (uint32_t i = 0; i < INSPECT_SLOTS; i++)
		if (p->slots[i] == NULL)
			return i;
	return NO_SLOT;
}

enum sending { SENT, LATER, GONE, CANNOT };

static enum sending
send_frame(
    struct pool_job *j, const struct inspect_request *r, struct pn_str body)
{
	char space[64];
	struct buf head = { .mem = space, .size = sizeof(space) };
	struct iovec iov[2];

	inspect_request_pack(r, &head);
	iov[0] = (struct iovec){ buf_data(&head), buf_len(&head) };
	iov[1] = (struct iovec){ (void *)body.p, body.n };
	return ipc_sendv(j->pool->ipc, INSPECT_REQUEST, j->id, iov,
		   body.n > 0 ? 2 : 1, -1)
		   ? SENT
		   : GONE;
}

static enum sending
send_inline(struct pool_job *j, size_t size)
{
	struct inspect_request r = { .size = size };
	struct pn_str body = spool_at(j->spool, 0);

	if (body.n < size) {
		if (!copy_spool(j->spool, j->pool->scratch))
			return CANNOT;
		body = (struct pn_str){ j->pool->scratch, size };
	}
	return send_frame(j, &r, body);
}

static enum sending
send_by_slot(struct pool_job *j, size_t size)
{
	struct pool *p = j->pool;
	const struct inspect_channel *ch = p->channel;
	struct inspect_request r = {
		.in_slot = true, .slot = free_slot(p), .size = size
	};
	enum sending sent;

	if (size > ch->slot_size)
		return CANNOT;
	if (r.slot == NO_SLOT)
		return LATER;
	if (!copy_spool(j->spool, ch->slots + r.slot * ch->slot_size))
		return CANNOT;
	sent = send_frame(j, &r, PN_STR_V(""));
	if (sent == SENT) {
		j->slot = r.slot;
		p->slots[r.slot] = j;
	}
	return sent;
}

static void
watch(struct pool *p)
{
	if (p->n_sent == 0)
		(void)event_del(&p->overdue);
	else
		must(event_add(&p->overdue,
			 loop_timeout(p->loop, p->conf->deadline_ms +
			     (p->answers ? 0 : INSPECT_START_MS))) == 0);
}

/* False: nothing more can be sent now. */
static bool
offer(struct pool *p, struct pool_job *j)
{
	size_t size = spool_size(j->spool);
	bool first = p->n_sent == 0;

	switch (size <= INSPECT_INLINE_MAX ? send_inline(j, size)
					   : send_by_slot(j, size)) {
	case SENT:
		job_put(j, JOB_SENT);
		if (first)
			watch(p);
		return !j->alone;
	case LATER:
		return true; /* a small one behind it need not wait */
	case GONE:
		return false; /* closed() will come */
	case CANNOT:
		log_error("", "inspect",
		    "error=\"message of %zu bytes cannot be handed over\"",
		    size);
		job_finish(j, POOL_DOWN);
		return true;
	}
	return false;
}

static void
send_waiting(struct pool *p)
{
	struct pool_job *j, *after;
	bool more = p->ipc != NULL;

	/* A suspect is out alone. */
	if (!TAILQ_EMPTY(&p->sent) && TAILQ_FIRST(&p->sent)->alone)
		return;
	for (j = TAILQ_FIRST(&p->waiting); more && j != NULL; j = after) {
		after = TAILQ_NEXT(j, next);
		if (p->n_sent >= OUTSTANDING || (j->alone && p->n_sent > 0))
			return;
		more = offer(p, j);
	}
}

/* ---- the inspector goes ---- */

static struct pool_job *
find_sent(struct pool *p, uint64_t id)
{
	struct pool_job *j;

	TAILQ_FOREACH (j, &p->sent, next)
		if (j->id == id)
			return j;
	return NULL;
}

/* One that was at the inspector when it died. */
static void
survive(struct pool_job *j, bool suspect)
{
	if (suspect && j->alone) {
		job_finish(j, POOL_SUSPECT);
		return;
	}
	if (j->done == NULL) {
		job_free(j);
		return;
	}
	release_slot(j);
	if (suspect || ++j->deaths >= DEATHS)
		j->alone = true;
	job_put(j, JOB_WAITING);
}

/* Whose .inspect was running; the word may say anything. */
static uint32_t
named_module(struct pool *p)
{
	const struct chain *c = p->conf->chain;
	uint64_t word = atomic_exchange(&p->channel->working_on[1], 0);

	return c != NULL && word >= 1 && word <= c->n_modules &&
		c->modules[word - 1].filter->inspect != NULL
	    ? (uint32_t)(word - 1) : CHAIN_CORE;
}

static void
inspector_gone(struct pool *p, struct pool_job *suspect)
{
	struct jobs queue = TAILQ_HEAD_INITIALIZER(queue);
	uint32_t module = named_module(p);
	struct pool_job *j;

	ipc_free(p->ipc);
	p->ipc = NULL;
	p->answers = false;
	(void)event_del(&p->overdue);
	must(event_add(&p->no_inspector, loop_timeout(p->loop, DOWN_MS)) == 0);
	if (suspect == NULL && !TAILQ_EMPTY(&p->sent) &&
	    TAILQ_FIRST(&p->sent)->alone)
		suspect = TAILQ_FIRST(&p->sent); /* who else */
	log_warn("", "inspector_died", "outstanding=%u suspect=%llu module=%s",
	    p->n_sent, suspect ? (unsigned long long)suspect->id : 0,
	    module == CHAIN_CORE ? "none"
				 : p->conf->chain->modules[module].filter->name);
	if (suspect != NULL)
		suspect->blamed = module;
	/* Those that were out go first again, the suspect behind them. */
	TAILQ_CONCAT(&queue, &p->waiting, next);
	if (suspect != NULL)
		job_put(suspect, JOB_SENT);
	while ((j = TAILQ_FIRST(&p->sent)) != NULL)
		survive(j, j == suspect);
	TAILQ_CONCAT(&p->waiting, &queue, next);
}

/* Whom the shared word names; it is cleared for the next inspector. */
static struct pool_job *
named_suspect(struct pool *p)
{
	return find_sent(p, atomic_exchange(p->channel->working_on, 0));
}

static void
on_closed(void *arg)
{
	struct pool *p = arg;

	MUST_BE(p, POOL);
	inspector_gone(p, named_suspect(p));
}

/* It has gone mad: nothing it says counts from here on. */
static void
give_up(struct pool *p, struct pool_job *suspect, const char *why)
{
	log_warn("", "inspector_kill", "reason=\"%s\"", why);
	(void)named_suspect(p);
	inspector_gone(p, suspect);
	p->kill(p->kill_arg);
}

static void
on_overdue(evutil_socket_t fd, short what, void *arg)
{
	struct pool *p = arg;

	(void)fd;
	(void)what;
	MUST_BE(p, POOL);
	give_up(p, TAILQ_FIRST(&p->sent), "no answer within the deadline");
}

static void
on_no_inspector(evutil_socket_t fd, short what, void *arg)
{
	struct pool *p = arg;
	struct pool_job *j;

	(void)fd;
	(void)what;
	MUST_BE(p, POOL);
	p->down = true;
	log_error("", "inspector_down", "waiting=%zu", p->live);
	while ((j = TAILQ_FIRST(&p->waiting)) != NULL)
		job_finish(j, POOL_DOWN);
}

/* ---- answers ---- */

/* The frame is copied: findings live as long as the mail. */
static enum pool_result
read_answer(struct pool_job *j, const void *body, size_t n, struct findings *f)
{
	const struct inspect_conf *conf = j->pool->conf;
	struct pn_str copy = arena_str(j->arena, (struct pn_str){ body, n });
	struct unpack u;

	if (copy.p == NULL)
		return POOL_DOWN;
	u = unpack_of(copy.p, copy.n);
	if (findings_unpack(f, conf->chain, conf->rules, spool_size(j->spool), &u,
		j->arena))
		return POOL_FOUND;
	/* Was it the sender, or is the mail's arena full? */
	return arena_alloc(j->arena, FINDINGS_MAX) ? POOL_SUSPECT : POOL_DOWN;
}

static void
take_answer(struct pool *p, struct pool_job *j, const void *body, size_t n)
{
	struct findings f;
	enum pool_result result =
	    j->done ? read_answer(j, body, n, &f) : POOL_DOWN;

	if (result == POOL_SUSPECT) {
		give_up(p, j, "an answer that cannot be read");
		return;
	}
	p->answers = true;
	release_slot(j);
	job_put(j, JOB_FINISHED);
	watch(p);
	send_waiting(p); /* first, so that it works while we judge */
	job_tell(j, result, result == POOL_FOUND ? &f : NULL);
}

static void
on_message(
    void *arg, uint32_t type, uint64_t id, const void *body, size_t n, int fd)
{
	struct pool *p = arg;
	struct pool_job *j = find_sent(p, id);

	MUST_BE(p, POOL);
	io_close(fd);
	if (type != INSPECT_ANSWER || j == NULL)
		log_warn("", "inspect",
		    "error=\"answer to nothing we asked\" "
		    "type=%u request=%llu",
		    type, (unsigned long long)id);
	else
		take_answer(p, j, body, n);
}

static const struct ipc_ops ops = { .message = on_message,
	.closed = on_closed };

/* ---- the worker's side ---- */

struct pool *
pool_new(struct loop *l, const struct inspect_conf *conf,
    struct inspect_channel *channel, int sock, void (*kill)(void *),
    void *kill_arg)
{
	struct pool *p = xcalloc(1, sizeof(*p));

	p->magic = POOL_MAGIC;
	p->conf = conf;
	p->channel = channel;
	p->loop = l;
	p->kill = kill;
	p->kill_arg = kill_arg;
	p->scratch = xcalloc(1, INSPECT_INLINE_MAX);
	TAILQ_INIT(&p->waiting);
	TAILQ_INIT(&p->sent);
	TAILQ_INIT(&p->finished);
	evtimer_assign(&p->overdue, loop_base(l), on_overdue, p);
	evtimer_assign(&p->no_inspector, loop_base(l), on_no_inspector, p);
	evtimer_assign(&p->deliver, loop_base(l), on_deliver, p);
	p->ipc = ipc_new(l, sock, &ops, p);
	return p;
}

static void
free_jobs(struct jobs *list)
{
	struct pool_job *j;

	while ((j = TAILQ_FIRST(list)) != NULL)
		job_free(j);
}

void
pool_free(struct pool *p)
{
	if (p == NULL)
		return;
	MUST_BE(p, POOL);
	free_jobs(&p->waiting);
	free_jobs(&p->sent);
	free_jobs(&p->finished);
	(void)event_del(&p->overdue);
	(void)event_del(&p->no_inspector);
	(void)event_del(&p->deliver);
	ipc_free(p->ipc);
	p->magic = 0;
	free(p->scratch);
	free(p);
}

void
pool_attach(struct pool *p, int sock)
{
	MUST_BE(p, POOL);
	if (p->ipc != NULL) /* news of the death came by the other way */
		inspector_gone(p, named_suspect(p));
	(void)event_del(&p->no_inspector);
	p->down = false;
	p->ipc = ipc_new(p->loop, sock, &ops, p);
	send_waiting(p);
}

struct pool_job *
pool_submit(struct pool *p, struct spool *s, struct arena *a, pool_done *done,
    void *arg)
{
	struct pool_job *j = xcalloc(1, sizeof(*j));

	MUST_BE(p, POOL);
	*j = (struct pool_job){ .magic = JOB_MAGIC,
		.pool = p,
		.id = ++p->last_id,
		.spool = s,
		.arena = a,
		.done = done,
		.arg = arg,
		.place = JOB_WAITING,
		.slot = NO_SLOT };
	TAILQ_INSERT_TAIL(&p->waiting, j, next);
	p->live++;
	if (p->down)
		job_finish(j, POOL_DOWN);
	else
		send_waiting(p);
	return j;
}

void
pool_cancel(struct pool_job *j)
{
	MUST_BE(j, JOB);
	must(j->done != NULL);
	if (j->place != JOB_SENT) {
		job_free(j);
		return;
	}
	j->done = NULL;
	j->spool = NULL;
	j->arena = NULL;
	j->pool->live--;
}
