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
    unsigned n_slots, uint64_t now_ms, void *owner)
{
	struct generation *g =
	    xcalloc(1, sizeof(*g) + n_slots * sizeof(g->slots[0]));

	g->number = number;
	g->policy = policy;
	g->sockets = sockets;
	g->deadline = now_ms + START_MS;
	g->n_slots = n_slots;
	for (unsigned i = 0; i < n_slots; i++) {
		g->slots[i].generation = g;
		g->slots[i].owner = owner;
		g->slots[i].worker_due = now_ms;
	}
	return g;
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

bool
generation_is_gone(const struct generation *g)
{
	for (unsigned i = 0; i < g->n_slots; i++)
		if (g->slots[i].worker != 0 || g->slots[i].inspector != 0)
			return false;
	return g->state != GENERATION_STARTING &&
	       g->state != GENERATION_SERVING;
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
			    g->slots[i].inspector == pid)
				return &g->slots[i];
	return NULL;
}

static void
worker_died(struct slot *s, uint64_t now_ms)
{
	s->worker = 0;
	s->ready = false;
	s->inspector_due = 0; /* it serves nobody now */
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
inspector_wait(struct slot *s, enum death how, uint64_t now_ms)
{
	uint64_t wait_ms;

	if (how == DEATH_CLEAN)
		return CLEAN_EXIT_GRACE_MS;
	wait_ms = backoff_crash(&s->inspector_crashes, now_ms);
	if (how == DEATH_SIGNAL && wait_ms > KILLED_WAIT_MAX_MS)
		return KILLED_WAIT_MAX_MS;
	return wait_ms;
}

static void
inspector_died(struct slot *s, enum death how, uint64_t now_ms)
{
	s->inspector = 0;
	if (s->worker != 0)
		s->inspector_due = now_ms + inspector_wait(s, how, now_ms);
}

void
slot_died(struct slot *s, pid_t pid, enum death how, uint64_t now_ms)
{
	if (pid == s->worker)
		worker_died(s, now_ms);
	else
		inspector_died(s, how, now_ms);
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
			due = earlier(due, g->slots[i].inspector_due);
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
process_json(
    struct buf *b, const char *role, pid_t pid, const struct slot *slot)
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
	json_end_object(b);
}

void
generations_json(
    const struct generations *all, pid_t master, pid_t keeper, struct buf *b)
{
	const struct generation *g = generations_serving(all);

	json_begin_object(b, NULL);
	json_int(b, "generation", g ? g->number : 0);
	json_begin_array(b, "processes");
	process_json(b, "master", master, NULL);
	process_json(b, "keeper", keeper, NULL);
	TAILQ_FOREACH (g, all, next)
		for (unsigned i = 0; i < g->n_slots; i++) {
			const struct slot *s = &g->slots[i];

			process_json(b, "worker", s->worker, s);
			process_json(b, "inspector", s->inspector, s);
		}
	json_end_array(b);
	json_end_object(b);
}
