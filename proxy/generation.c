/* generation - see generation.h. */
#include "proxy/generation.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/must.h"

/*
 * An inspector that ends by itself lost its worker, which is about to be
 * reaped too. One whose worker lives on after all ended for no good reason.
 */
#define CLEAN_EXIT_GRACE_MS 50
#define KILLED_WAIT_MAX_MS 100
#define START_MS 30000

struct generation *
generation_new(unsigned number, const struct policy *policy, int *sockets,
    unsigned n_workers, unsigned n_milters, uint64_t now_ms, void *owner)
{
	unsigned n_slots = n_workers + n_milters;
	struct generation *g =
	    xcalloc(1, sizeof(*g) + n_slots * sizeof(g->slots[0]));

	g->number = number;
	g->policy = policy;
	g->sockets = sockets;
	g->deadline = now_ms + START_MS;
	g->n_slots = n_slots;
	for (unsigned i = 0; i < n_slots; i++) {
		g->slots[i].generation = g;
		g->slots[i].milter = i < n_workers ? -1 : (int)(i - n_workers);
		g->slots[i].owner = owner;
		g->slots[i].worker_due = now_ms;
	}
	return g;
}

unsigned
generation_workers(const struct policy *p)
{
	if (p->smtp.n_listeners > 0 || p->milter.n_listeners == 0)
		return p->daemon.workers;
	return p->smtp.n_upstreams > 0 ? 1 : 0;
}

void
generation_free(struct generation *g)
{
	must(generation_is_gone(g));
	policy_free(g->policy);
	free(g->sockets);
	free(g);
}

bool
generation_is_ready(const struct generation *g)
{
	for (unsigned i = 0; i < g->n_slots; i++)
		if (!g->slots[i].ready)
			return false;
	return true;
}

static struct reader *
reader_of(const struct slot *s, pid_t pid)
{
	for (size_t i = 0; i < INSPECT_LANES; i++)
		if (s->readers[i].pid == pid)
			return (struct reader *)&s->readers[i];
	return NULL;
}

static bool
slot_is_empty(const struct slot *s)
{
	for (size_t i = 0; i < INSPECT_LANES; i++)
		if (s->readers[i].pid != 0)
			return false;
	return s->worker == 0;
}

bool
generation_is_gone(const struct generation *g)
{
	for (unsigned i = 0; i < g->n_slots; i++)
		if (!slot_is_empty(&g->slots[i]))
			return false;
	return g->state != GENERATION_STARTING &&
	       g->state != GENERATION_SERVING;
}

struct generation *
generations_starting(const struct generations *all)
{
	struct generation *g;

	TAILQ_FOREACH (g, all, next)
		if (g->state == GENERATION_STARTING)
			return g;
	return NULL;
}

struct generation *
generations_serving(const struct generations *all)
{
	struct generation *g;

	TAILQ_FOREACH (g, all, next)
		if (g->state == GENERATION_SERVING)
			return g;
	return NULL;
}

struct slot *
generations_find(const struct generations *all, pid_t pid)
{
	struct generation *g;

	TAILQ_FOREACH (g, all, next)
		for (unsigned i = 0; i < g->n_slots; i++)
			if (g->slots[i].worker == pid ||
			    reader_of(&g->slots[i], pid) != NULL)
				return &g->slots[i];
	return NULL;
}

static void
worker_died(struct slot *s, uint64_t now_ms)
{
	s->worker = 0;
	s->ready = false;
	for (size_t i = 0; i < INSPECT_LANES; i++)
		s->readers[i].due = 0; /* they serve nobody now */
	if (s->generation->state == GENERATION_STARTING)
		s->generation->state = GENERATION_FAILED;
	if (s->generation->state == GENERATION_SERVING)
		s->worker_due =
		    now_ms + backoff_crash(&s->worker_crashes, now_ms);
}

/*
 * An inspector that a signal killed met a message that does that; making other
 * mail wait for it would be what such a message is sent for. One that gave up
 * by itself cannot close its sandbox, and will not the next time.
 */
static uint64_t
inspector_wait(struct reader *r, enum death how, uint64_t now_ms)
{
	uint64_t wait_ms;

	if (how == DEATH_CLEAN)
		return CLEAN_EXIT_GRACE_MS;
	wait_ms = backoff_crash(&r->crashes, now_ms);
	if (how == DEATH_SIGNAL && wait_ms > KILLED_WAIT_MAX_MS)
		return KILLED_WAIT_MAX_MS;
	return wait_ms;
}

static void
inspector_died(const struct slot *s, struct reader *r, enum death how,
    uint64_t now_ms)
{
	r->pid = 0;
	if (s->worker != 0)
		r->due = now_ms + inspector_wait(r, how, now_ms);
}

void
slot_died(struct slot *s, pid_t pid, enum death how, uint64_t now_ms)
{
	if (pid == s->worker)
		worker_died(s, now_ms);
	else
		inspector_died(s, reader_of(s, pid), how, now_ms);
}

static uint64_t
earlier(uint64_t a, uint64_t b)
{
	if (a == 0 || b == 0)
		return a + b;
	return a < b ? a : b;
}

uint64_t
generations_due(const struct generations *all)
{
	const struct generation *g;
	uint64_t due = 0;

	TAILQ_FOREACH (g, all, next) {
		if (g->state == GENERATION_STARTING ||
		    g->state == GENERATION_DRAINING)
			due = earlier(due, g->deadline);
		for (unsigned i = 0; i < g->n_slots; i++) {
			due = earlier(due, g->slots[i].worker_due);
			for (size_t r = 0; r < INSPECT_LANES; r++)
				due = earlier(due, g->slots[i].readers[r].due);
		}
	}
	return due;
}

static bool
is_taken(const struct generations *all, unsigned number)
{
	const struct generation *g;

	TAILQ_FOREACH (g, all, next)
		for (unsigned i = 0; i < g->n_slots; i++)
			if (g->slots[i].worker != 0 &&
			    g->slots[i].number == number)
				return true;
	return false;
}

unsigned
generations_number(const struct generations *all, unsigned *last)
{
	/* When all are taken two share one: ids stay apart by time. */
	for (unsigned tries = 0; tries < WORKER_NUMBERS; tries++) {
		*last = (*last + 1) % WORKER_NUMBERS;
		if (!is_taken(all, *last))
			break;
	}
	return *last;
}

static void
process_json(struct buf *b, const char *role, pid_t pid,
    const struct slot *slot, const char *lane, process_rss *rss)
{
	if (pid == 0)
		return;
	json_begin_object(b, NULL);
	json_cstr(b, "role", role);
	json_int(b, "pid", pid);
	if (slot != NULL) {
		json_int(b, "generation", slot->generation->number);
		json_int(b, "worker", slot->number);
	}
	if (lane != NULL)
		json_cstr(b, "lane", lane);
	if (rss != NULL)
		json_int(b, "rss", (int64_t)rss(pid));
	json_end_object(b);
}

static void
slot_json(struct buf *b, const struct slot *s, process_rss *rss)
{
	static const char *const lanes[] = { [LANE_SMALL] = "small",
		[LANE_LARGE] = "large" };

	process_json(b, s->milter < 0 ? "worker" : "milter", s->worker, s,
	    NULL, rss);
	for (size_t i = 0; i < INSPECT_LANES; i++)
		process_json(
		    b, "inspector", s->readers[i].pid, s, lanes[i], rss);
}

/* Of a generation that serves: workers that are not ready, inspectors that are
 * not there. */
static unsigned
missing_of(const struct generation *g)
{
	unsigned n = 0;

	for (unsigned i = 0; g != NULL && i < g->n_slots; i++) {
		n += !g->slots[i].ready || g->slots[i].worker == 0;
		for (size_t lane = 0; lane < INSPECT_LANES; lane++)
			n += g->slots[i].readers[lane].pid == 0;
	}
	return n;
}

void
generations_json(const struct generations *all, pid_t master, pid_t keeper,
    process_rss *rss, struct buf *b)
{
	const struct generation *g = generations_serving(all);

	json_int(b, "generation", g ? g->number : 0);
	json_int(b, "missing", missing_of(g));
	if (g != NULL && g->policy != NULL)
		modules_changed_json(&g->policy->modules, b);
	json_begin_array(b, "processes");
	process_json(b, "master", master, NULL, NULL, rss);
	process_json(b, "keeper", keeper, NULL, NULL, rss);
	TAILQ_FOREACH (g, all, next)
		for (unsigned i = 0; i < g->n_slots; i++)
			slot_json(b, &g->slots[i], rss);
	json_end_array(b);
}
