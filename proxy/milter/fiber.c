/*
 * fiber - see fiber.h. The loop runs what is ready, each up to its next wait:
 *
 *   start -> ready -> runs -> waits -> (woken, or its time is over) ready
 *                      |  '-> yields -> ready
 *                      '--> ended -> idle -> (start) ready
 */
#include "milter/fiber.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/must.h"

#if defined(__SANITIZE_ADDRESS__)
#define TELL_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TELL_ASAN 1
#endif
#endif
#ifdef TELL_ASAN
#include <sanitizer/common_interface_defs.h>
#endif

#define FIBER_MAGIC 0x66696272u
/* Address space; memory is what was touched. Below it a page nobody has. */
#define STACK (256u * 1024)
#define IDLE_MAX 32 /* with their stacks */

/* A stack, as ASan wants to hear of it. */
struct ground {
	const void *bottom;
	size_t size;
	void *fake; /* while it is left */
};

struct fiber {
	uint32_t magic;
	TAILQ_ENTRY(fiber) next; /* in .ready or .idle */
	struct fibers *of;
	void *(*call)(void *);
	void *arg;
	enum { READY, RUNS, WAITS, ENDED } state;
	bool late; /* woken by its timer */
	struct event timer;
	ucontext_t context;
	struct ground ground;
	void *memory; /* the stack's, with the page below */
	size_t memory_size;
};
TAILQ_HEAD(fiber_list, fiber);

struct fibers {
	struct loop *loop;
	struct event run;
	struct fiber_list ready, idle;
	size_t n_idle;
	struct fiber *running;
	ucontext_t context; /* the loop's */
	struct ground ground;
};

/* ---- switching ---- */

static void
leave(struct ground *from, const struct ground *to)
{
#ifdef TELL_ASAN
	__sanitizer_start_switch_fiber(&from->fake, to->bottom, to->size);
#else
	(void)from;
	(void)to;
#endif
}

static void
arrive(const struct ground *at, struct ground *from)
{
#ifdef TELL_ASAN
	__sanitizer_finish_switch_fiber(at->fake, &from->bottom, &from->size);
#else
	(void)at;
	(void)from;
#endif
}

/* The loop into a fiber; back at its next wait. */
static void
resume(struct fiber *f)
{
	struct fibers *s = f->of;
	struct ground of_fiber = f->ground;

	s->running = f;
	f->state = RUNS;
	leave(&s->ground, &f->ground);
	must(swapcontext(&s->context, &f->context) == 0);
	arrive(&s->ground, &of_fiber);
	s->running = NULL;
}

/* The running fiber into the loop. */
static void
suspend(struct fiber *f)
{
	struct fibers *s = f->of;

	leave(&f->ground, &s->ground);
	must(swapcontext(&f->context, &s->context) == 0);
	arrive(&f->ground, &s->ground);
}

/* It has ended; its stack stays for another, of a few. */
static void
rest(struct fiber *f)
{
	struct fibers *s = f->of;

	if (s->n_idle < IDLE_MAX) {
		TAILQ_INSERT_HEAD(&s->idle, f, next);
		s->n_idle++;
		return;
	}
	must(munmap(f->memory, f->memory_size) == 0);
	f->magic = 0;
	free(f);
}

/* All that are ready, and who becomes it meanwhile. */
static void
on_run(evutil_socket_t fd, short what, void *arg)
{
	struct fibers *s = arg;
	struct fiber *f;

	(void)fd;
	(void)what;
	while ((f = TAILQ_FIRST(&s->ready)) != NULL) {
		TAILQ_REMOVE(&s->ready, f, next);
		resume(f);
		if (f->state == ENDED)
			rest(f);
	}
}

static void
next_is(struct fiber *f)
{
	struct fibers *s = f->of;

	if (s->running == NULL && TAILQ_EMPTY(&s->ready))
		event_active(&s->run, EV_TIMEOUT, 0);
	f->state = READY;
	TAILQ_INSERT_HEAD(&s->ready, f, next);
}

/* ---- one fiber ---- */

static void
on_late(evutil_socket_t fd, short what, void *arg)
{
	struct fiber *f = arg;

	(void)fd;
	(void)what;
	f->late = true;
	fiber_wake(f);
}

/* Where each begins, in two halves: makecontext(3) hands over ints. */
static void
begin(unsigned high, unsigned low)
{
	struct fiber *f = (struct fiber *)(((uintptr_t)high << 16 << 16) | low);
	struct fibers *s = f->of;

	arrive(&f->ground, &s->ground);
	for (;;) {
		(void)f->call(f->arg);
		f->state = ENDED;
		suspend(f); /* until it is started again */
	}
}

static struct fiber *
fiber_new(struct fibers *s)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *mem = mmap(NULL, STACK + page, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	struct fiber *f;

	if (mem == MAP_FAILED)
		return NULL;
	must(mprotect(mem, page, PROT_NONE) == 0);
	f = xcalloc(1, sizeof(*f));
	*f = (struct fiber){ .magic = FIBER_MAGIC, .of = s,
		.memory = mem, .memory_size = STACK + page,
		.ground = { .bottom = mem + page, .size = STACK } };
	must(evtimer_assign(&f->timer, loop_base(s->loop), on_late, f) == 0);
	must(getcontext(&f->context) == 0);
	f->context.uc_stack.ss_sp = mem + page;
	f->context.uc_stack.ss_size = STACK;
	makecontext(&f->context, (void (*)(void))begin, 2,
	    (unsigned)((uintptr_t)f >> 16 >> 16), (unsigned)(uintptr_t)f);
	return f;
}

int
fiber_start(struct fibers *s, void *(*call)(void *), void *arg)
{
	struct fiber *f = TAILQ_FIRST(&s->idle);

	if (f != NULL) {
		TAILQ_REMOVE(&s->idle, f, next);
		s->n_idle--;
	} else if ((f = fiber_new(s)) == NULL) {
		return -1;
	}
	f->call = call;
	f->arg = arg;
	next_is(f);
	return 0;
}

struct fiber *
fiber_now(const struct fibers *s)
{
	return s->running;
}

/* NULL: no timer. */
static bool
wait_for(struct fiber *f, const struct timeval *most)
{
	MUST_BE(f, FIBER);
	if (most != NULL)
		must(event_add(&f->timer, most) == 0);
	f->state = WAITS;
	f->late = false;
	suspend(f);
	return !f->late;
}

bool
fiber_wait(struct fibers *s, uint64_t ms)
{
	return wait_for(s->running, ms > 0 ? loop_timeout(s->loop, ms) : NULL);
}

/* Timers are looked at after sockets. */
void
fiber_pause(struct fibers *s)
{
	(void)wait_for(s->running, &(struct timeval){ 0 });
}

void
fiber_wake(struct fiber *f)
{
	if (f == NULL || (f->state != WAITS && f->state != READY))
		return;
	MUST_BE(f, FIBER);
	if (f->state == READY)
		TAILQ_REMOVE(&f->of->ready, f, next);
	else if (!f->late)
		(void)event_del(&f->timer);
	next_is(f);
}

void
fiber_yield(struct fibers *s)
{
	if (TAILQ_EMPTY(&s->ready))
		return;
	s->running->state = READY;
	TAILQ_INSERT_TAIL(&s->ready, s->running, next);
	suspend(s->running);
}

struct fibers *
fibers_new(struct loop *l)
{
	struct fibers *s = xcalloc(1, sizeof(*s));

	s->loop = l;
	TAILQ_INIT(&s->ready);
	TAILQ_INIT(&s->idle);
	must(evtimer_assign(&s->run, loop_base(l), on_run, s) == 0);
	return s;
}
