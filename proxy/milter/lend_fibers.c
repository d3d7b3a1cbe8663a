/*
 * lend_fibers - see lend.h: libmilter in fibers of the loop (fiber.h). Letters
 * are opened on the loop's own stack, which is large; that costs no wake-up.
 */
#include <event2/event.h>
#include <event2/event_struct.h>
#include <errno.h>

#include "base/mem.h"
#include "base/must.h"
#include "milter/calls.h"
#include "milter/lend.h"

struct lend {
	struct fibers *fibers;
	STAILQ_HEAD(, letter) letters;
	struct event open;
};

static void
on_open(evutil_socket_t fd, short what, void *arg)
{
	struct lend *l = arg;
	struct letter *x;

	(void)fd;
	(void)what;
	while ((x = STAILQ_FIRST(&l->letters)) != NULL) {
		STAILQ_REMOVE_HEAD(&l->letters, next);
		x->open(x);
	}
}

struct lend *
lend_new(struct loop *loop, struct error *e)
{
	struct lend *l = xcalloc(1, sizeof(*l));

	(void)e; /* nothing that can fail */
	STAILQ_INIT(&l->letters);
	must(evtimer_assign(&l->open, loop_base(loop), on_open, l) == 0);
	l->fibers = fibers_new(loop);
	calls_init(loop, l->fibers);
	return l;
}

int
lend_start(struct lend *l, void *(*call)(void *), void *arg, struct error *e)
{
	return fiber_start(l->fibers, call, arg) == 0
	    ? 0
	    : error_errno(e, "stack for libmilter");
}

void
lend_forget(struct lend *l, int socket)
{
	(void)l;
	calls_forget(socket);
}

unsigned
lend_connections(const struct lend *l)
{
	(void)l;
	return calls_open();
}

void
lend_post(struct lend *l, struct letter *x)
{
	if (STAILQ_EMPTY(&l->letters))
		event_active(&l->open, EV_TIMEOUT, 0);
	STAILQ_INSERT_TAIL(&l->letters, x, next);
}

void
lend_post_slowly(struct lend *l, struct letter *x)
{
	lend_post(l, x);
}

void
turn_give_back(struct turn *t)
{
	must(atomic_exchange(&t->back, 1) == 0);
	fiber_wake(t->who);
}

bool
turn_wait(struct turn *t, uint64_t ms)
{
	bool in_time = true;

	t->who = fiber_now(t->of->fibers);
	while (atomic_load(&t->back) == 0 && in_time)
		in_time = fiber_wait(t->of->fibers, ms);
	t->who = NULL;
	return atomic_load(&t->back) == 1;
}
