/*
 * lend_threads - see lend.h: libmilter in threads of its own. No lock is held
 * while anybody works. A turn is a futex, for a condition variable costs a
 * second wake-up: for its mutex.
 */
#include "milter/lend.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/must.h"

/* What nobody waits for is opened so much later at most: the loop looks by
 * itself. */
#define LOOK_MS 50

struct lend {
	pthread_mutex_t lock;
	STAILQ_HEAD(, letter) letters;
	bool told;    /* fd says that there are some */
	bool looking; /* the loop will look anyway */
	int fd;       /* eventfd */
	struct event ev, look;
	struct loop *loop;
};

static void
look_soon(struct lend *l)
{
	must(event_add(&l->look, loop_timeout(l->loop, LOOK_MS)) == 0);
}

/* All that are there, until there is none: a wake-up saved each. */
static void
open_letters(struct lend *l)
{
	STAILQ_HEAD(, letter) letters = STAILQ_HEAD_INITIALIZER(letters);
	struct letter *x;

	must(pthread_mutex_lock(&l->lock) == 0);
	STAILQ_CONCAT(&letters, &l->letters);
	l->told = false;
	must(pthread_mutex_unlock(&l->lock) == 0);
	while ((x = STAILQ_FIRST(&letters)) != NULL) {
		STAILQ_REMOVE_HEAD(&letters, next);
		x->open(x);
	}
}

/* Who was lent something will post slowly before long: its end. */
static void
on_letters(evutil_socket_t fd, short what, void *arg)
{
	struct lend *l = arg;
	eventfd_t n;
	bool looking;

	(void)what;
	(void)eventfd_read(fd, &n); /* EAGAIN: an earlier one took them all */
	must(pthread_mutex_lock(&l->lock) == 0);
	looking = l->looking;
	l->looking = true;
	must(pthread_mutex_unlock(&l->lock) == 0);
	if (!looking)
		look_soon(l);
	open_letters(l);
}

/* Nothing since the last time: it looks no more until somebody wakes it. */
static void
on_look(evutil_socket_t fd, short what, void *arg)
{
	struct lend *l = arg;

	(void)fd;
	(void)what;
	must(pthread_mutex_lock(&l->lock) == 0);
	l->looking = !STAILQ_EMPTY(&l->letters);
	must(pthread_mutex_unlock(&l->lock) == 0);
	if (!l->looking) /* the loop's alone to set */
		return;
	look_soon(l);
	open_letters(l);
}

struct lend *
lend_new(struct loop *loop, struct error *e)
{
	struct lend *l = xcalloc(1, sizeof(*l));

	STAILQ_INIT(&l->letters);
	l->loop = loop;
	must(pthread_mutex_init(&l->lock, NULL) == 0);
	l->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (l->fd < 0) {
		(void)error_errno(e, "eventfd");
		free(l);
		return NULL;
	}
	must(event_assign(&l->ev, loop_base(loop), l->fd, EV_READ | EV_PERSIST,
		 on_letters, l) == 0);
	must(event_assign(&l->look, loop_base(loop), -1, 0, on_look, l) == 0);
	must(event_add(&l->ev, NULL) == 0);
	return l;
}

/* Threads inherit what is blocked: signals are the loop's thread's. */
int
lend_start(struct lend *l, void *(*call)(void *), void *arg, struct error *e)
{
	sigset_t all, before;
	pthread_t thread;
	int why;

	(void)l;
	must(sigfillset(&all) == 0);
	must(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
	why = pthread_create(&thread, NULL, call, arg);
	must(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
	if (why != 0) {
		errno = why;
		return error_errno(e, "thread for libmilter");
	}
	must(pthread_detach(thread) == 0);
	return 0;
}

/* It polls by number and looks at the number again each time. */
void
lend_forget(struct lend *l, int socket)
{
	(void)l;
	(void)socket;
}

unsigned
lend_connections(const struct lend *l)
{
	(void)l;
	return 0; /* it does not tell */
}

static void
post(struct lend *l, struct letter *x, bool slowly)
{
	bool tell;

	must(pthread_mutex_lock(&l->lock) == 0);
	STAILQ_INSERT_TAIL(&l->letters, x, next);
	tell = !l->told && !(slowly && l->looking);
	l->told = l->told || tell;
	must(pthread_mutex_unlock(&l->lock) == 0);
	if (tell)
		must(eventfd_write(l->fd, 1) == 0);
}

void
lend_post(struct lend *l, struct letter *x)
{
	post(l, x, false);
}

void
lend_post_slowly(struct lend *l, struct letter *x)
{
	post(l, x, true);
}

/* The thread may free it as soon as it can see: waking an address that nobody
 * waits at wakes nobody. */
void
turn_give_back(struct turn *t)
{
	must(atomic_exchange(&t->back, 1) == 0);
	(void)syscall(SYS_futex, &t->back, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

bool
turn_wait(struct turn *t, uint64_t ms)
{
	struct timespec most = { .tv_sec = (time_t)(ms / 1000),
		.tv_nsec = (long)(ms % 1000) * 1000000 };

	while (atomic_load(&t->back) == 0)
		if (syscall(SYS_futex, &t->back, FUTEX_WAIT_PRIVATE, 0,
			ms > 0 ? &most : NULL, NULL, 0) < 0 &&
		    errno == ETIMEDOUT)
			return atomic_load(&t->back) == 1;
	return true;
}
