/* loop - see loop.h. */
#include "base/loop.h"

#include <event2/event.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "base/must.h"

#define DURATIONS 32

struct loop {
	struct event_base *base;
	struct {
		uint64_t ms;
		const struct timeval *common;
	} durations[DURATIONS];
	size_t n_durations;
	struct timeval spare; /* when there are more durations than that */
	char scratch[LOOP_SCRATCH];
};

struct loop *
loop_new(void)
{
	struct loop *l = xcalloc(1, sizeof(*l));

	l->base = event_base_new();
	must(l->base != NULL);
	return l;
}

void
loop_free(struct loop *l)
{
	if (l == NULL)
		return;
	event_base_free(l->base);
	free(l);
}

void
loop_run(struct loop *l)
{
	must(event_base_dispatch(l->base) >= 0);
}

void
loop_stop(struct loop *l)
{
	must(event_base_loopbreak(l->base) == 0);
}

struct event_base *
loop_base(struct loop *l)
{
	return l->base;
}

char *
loop_scratch(struct loop *l)
{
	return l->scratch;
}

uint64_t
loop_now_ms(struct loop *l)
{
	struct timespec now;

	(void)l;
	(void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now); /* vDSO */
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

const struct timeval *
loop_timeout(struct loop *l, uint64_t ms)
{
	struct timeval tv = { (time_t)(ms / 1000),
		(suseconds_t)(ms % 1000 * 1000) };

	for (size_t i = 0; i < l->n_durations; i++)
		if (l->durations[i].ms == ms)
			return l->durations[i].common;
	if (l->n_durations == DURATIONS) {
		l->spare = tv;
		return &l->spare;
	}
	l->durations[l->n_durations].ms = ms;
	l->durations[l->n_durations].common =
	    event_base_init_common_timeout(l->base, &tv);
	return l->durations[l->n_durations++].common;
}
