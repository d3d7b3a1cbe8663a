/*
 * plan - in which order one dial tries the servers of a next hop (hop.h): the
 * lowest priority first, as MX has it; among equals a draw by weight, so that
 * each gets its share and a mail that fails on one does not follow the others
 * to the same next one.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "smtp/hop.h"

/* xorshift64* (Marsaglia; Vigna): a fair draw, no secret. */
static uint64_t
draw(uint64_t *seed)
{
	uint64_t x = *seed;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*seed = x;
	return (x * 0x2545f4914f6cdd1dull) >> 32;
}

static void
swap(struct server **a, struct server **b)
{
	struct server *c = *a;

	*a = *b;
	*b = c;
}

/* Those of the lowest priority to the front; how many they are. */
static size_t
gather(struct server **s, size_t n)
{
	unsigned lowest = s[0]->priority;
	size_t equals = 0;

	for (size_t i = 1; i < n; i++)
		if (s[i]->priority < lowest)
			lowest = s[i]->priority;
	for (size_t i = 0; i < n; i++)
		if (s[i]->priority == lowest)
			swap(&s[equals++], &s[i]);
	return equals;
}

/* One of them to the front. */
static void
choose(struct server **s, size_t n, uint64_t *seed)
{
	uint64_t all = 0, at;
	size_t i = 0;

	for (size_t k = 0; k < n; k++)
		all += s[k]->weight;
	at = all > 0 ? draw(seed) % all : 0;
	while (at >= s[i]->weight && i + 1 < n)
		at -= s[i++]->weight;
	swap(&s[0], &s[i]);
}

void
plan_sort(struct server **s, size_t n, uint64_t *seed)
{
	while (n > 0) {
		for (size_t equals = gather(s, n); equals > 0; equals--) {
			choose(s, equals, seed);
			s++;
			n--;
		}
	}
}

/* Where all are away, a refusal costs nothing: they are asked all the same. */
static bool
may_try(const struct server *s, bool desperate)
{
	return !s->draining && (!s->away || (desperate && !s->slow));
}

static void
collect(struct plan *p, const struct hop *hop, struct server *const *found,
    size_t n, bool desperate)
{
	struct server *s;

	TAILQ_FOREACH (s, &hop->servers, next)
		if (!s->found && may_try(s, desperate))
			p->servers[p->n++] = s;
	for (size_t i = 0; i < n; i++)
		if (may_try(found[i], desperate))
			p->servers[p->n++] = found[i];
}

void
plan_make(struct plan *p, struct hop *hop, struct server *const *found,
    size_t n)
{
	p->servers =
	    xcalloc(hop->conf->n_servers + n + 1, sizeof(*p->servers));
	collect(p, hop, found, n, false);
	if (p->n == 0)
		collect(p, hop, found, n, true);
	for (size_t i = 0; i < p->n; i++)
		server_hold(p->servers[i]);
	plan_sort(p->servers, p->n, &hop->seed);
}

bool
plan_has_more(const struct plan *p)
{
	return p->at < p->n;
}

struct server *
plan_next(struct plan *p)
{
	return plan_has_more(p) ? p->servers[p->at++] : NULL;
}

void
plan_fini(struct plan *p)
{
	for (size_t i = 0; i < p->n; i++)
		server_release(p->servers[i]);
	free(p->servers);
	*p = (struct plan){ 0 };
}
