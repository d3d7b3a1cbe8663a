/*
 * run - what one loop (or thread) needs to ask: scratch memory, the time that
 * is left, and which patterns took too long before.
 *
 * Made by the inspector and by each worker, never shared. The wall's clock is
 * read often, for it costs nothing (vDSO); the processor's is a system call
 * and only asked when the wall's says that time is up: a busy machine must not
 * make rules unknown.
 */
#include "rules/tree.h"

#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "base/must.h"

#define STRIKES 3	/* messages, then the bench */
#define STRIKES_MAX 256 /* patterns kept in mind */

struct strike {
	const struct pattern *pattern;
	unsigned count;
	uint64_t message;	/* the last that counted */
	uint64_t benched_until; /* 0: it is not */
};

static uint64_t
real_clock(void *arg, bool cpu)
{
	struct timespec t;

	(void)arg;
	must(clock_gettime(
		 cpu ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t) == 0);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

struct rules_run *
rules_run_new(void)
{
	struct rules_run *run = xcalloc(1, sizeof(*run));

	run->scratch = pattern_scratch_new();
	run->clock.now = real_clock;
	run->limits = (struct rules_limits){
		.pattern_us = 5000, .message_us = 250000, .bench_us = 60000000
	};
	run_begin(run);
	return run;
}

void
rules_run_free(struct rules_run *run)
{
	if (run == NULL)
		return;
	pattern_scratch_free(run->scratch);
	free(run->candidates.set);
	free(run->candidates.spans);
	free(run->strikes);
	free(run);
}

struct rules_limits
rules_run_limits(const struct rules_run *run)
{
	return run->limits;
}

void
rules_run_limit(struct rules_run *run, const struct rules_limits *limits)
{
	run->limits = *limits;
}

void
rules_run_clock(struct rules_run *run, struct rules_clock clock)
{
	run->clock = clock;
}

void
rules_run_costs(struct rules_run *run, struct rules_cost *costs)
{
	run->costs = costs;
}

struct rules_spent
rules_run_spent(const struct rules_run *run)
{
	return run->spent;
}

/* ---- time ---- */

uint64_t
run_now(struct rules_run *run)
{
	return run->clock.now(run->clock.arg, false);
}

void
budget_start(struct budget *b, uint64_t now, uint64_t ns)
{
	*b = (struct budget){ .half_ns = ns / 2, .wall_end = now + ns / 2 };
}

bool
budget_has(struct rules_run *run, struct budget *b, uint64_t now, uint64_t ns)
{
	uint64_t cpu;

	/* Who was kept waiting seems to have taken long: half of what is left
	 * then must do. */
	if (ns > b->half_ns / 2)
		ns = b->half_ns / 2;
	if (b->cpu_end == 0 && now + ns < b->wall_end)
		return true;
	cpu = run->clock.now(run->clock.arg, true);
	if (b->cpu_end == 0)
		b->cpu_end = cpu + b->half_ns;
	return cpu + ns < b->cpu_end;
}

void
run_begin(struct rules_run *run)
{
	run->messages++;
	budget_start(
	    &run->message, run_now(run), run->limits.message_us * 1000);
}

/* ---- the bench ---- */

static struct strike *
find_strike(struct rules_run *run, const struct pattern *p)
{
	for (size_t i = 0; i < run->n_strikes; i++)
		if (run->strikes[i].pattern == p)
			return &run->strikes[i];
	return NULL;
}

/* Where no more fit, one that struck least makes room. */
static struct strike *
new_strike(struct rules_run *run, const struct pattern *p)
{
	struct strike *s;

	if (run->strikes == NULL)
		run->strikes = xcalloc(STRIKES_MAX, sizeof(*run->strikes));
	s = &run->strikes[0];
	if (run->n_strikes < STRIKES_MAX)
		s = &run->strikes[run->n_strikes++];
	else
		for (size_t i = 1; i < STRIKES_MAX; i++)
			if (run->strikes[i].count < s->count)
				s = &run->strikes[i];
	*s = (struct strike){ .pattern = p };
	return s;
}

enum rules_limit
run_strike(struct rules_run *run, const struct pattern *p)
{
	struct strike *s = find_strike(run, p);

	if (s == NULL)
		s = new_strike(run, p);
	if (s->message == run->messages)
		return RULES_LIMIT_PATTERN;
	s->message = run->messages;
	if (++s->count < STRIKES)
		return RULES_LIMIT_PATTERN;
	s->benched_until = run_now(run) + run->limits.bench_us * 1000;
	return RULES_LIMIT_BENCHED;
}

/* Back from the bench it has one try. */
bool
run_is_benched(struct rules_run *run, const struct pattern *p)
{
	struct strike *s = run->n_strikes > 0 ? find_strike(run, p) : NULL;

	if (s == NULL || s->benched_until == 0)
		return false;
	if (run_now(run) < s->benched_until)
		return true;
	s->benched_until = 0;
	s->count = STRIKES - 1;
	return false;
}
