/* delay - see delay.h. */
#include "engine/delay.h"

#include <event2/event.h>

#include "base/must.h"

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct delay *d = arg;

	(void)fd;
	(void)what;
	d->over = true;
	d->on_over(d->arg);
}

void
delay_init(struct delay *d, struct loop *loop, void (*on_over)(void *),
    void *arg)
{
	*d = (struct delay){ .on_over = on_over, .arg = arg };
	must(event_assign(&d->timer, loop_base(loop), -1, 0, on_timer, d) == 0);
}

/* True when the reply has to wait. */
static bool
begin(struct delay *d, uint64_t ms)
{
	struct timeval tv;

	if (ms > DELAYS_MAX_MS - d->so_far_ms)
		ms = DELAYS_MAX_MS - d->so_far_ms;
	if (ms == 0)
		return false;
	d->so_far_ms += ms;
	d->running = true;
	d->over = false;
	tv = (struct timeval){ .tv_sec = (time_t)(ms / 1000),
		.tv_usec = (suseconds_t)(ms % 1000 * 1000) };
	must(event_add(&d->timer, &tv) == 0);
	return true;
}

bool
delay_wait(struct delay *d, uint64_t ms)
{
	if (!d->running)
		return !begin(d, ms);
	d->running = !d->over;
	return !d->running;
}

bool
delay_stage(struct delay *d, struct engine *g, struct transaction *t,
    enum stage stage, uint64_t most_ms)
{
	if (d->running)
		return delay_wait(d, 0);
	if (engine_run(g, t, stage) == ENGINE_PENDING)
		return false;
	return !begin(d, t->delay_ms < most_ms ? t->delay_ms : most_ms);
}

void
delay_cancel(struct delay *d)
{
	if (d->running)
		(void)event_del(&d->timer); /* assigned: cannot fail */
	d->running = false;
}
