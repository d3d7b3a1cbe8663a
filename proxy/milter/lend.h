/*
 * lend - the one mailbox between libmilter's threads and the loop.
 *
 * There are two of it, and the build takes one: lend_fibers.c, where libmilter
 * is told to take fibers of the loop for threads (calls.h), and
 * lend_threads.c, where it has its own.
 *
 * A thread posts a letter, the loop opens it. When the thread wants an answer
 * it waits for its turn to come back: all that hangs on the letter belongs to
 * the loop meanwhile, and to the thread before and after. Letters are opened
 * in the order they were posted.
 */
#ifndef MILTER_LEND_H
#define MILTER_LEND_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "base/error.h"
#include "base/loop.h"
#include "base/must.h"

/* Lies in what it is about. */
struct letter {
	STAILQ_ENTRY(letter) next;
	void (*open)(struct letter *); /* on the loop; the letter may go */
};

struct lend;

/* Lives as long as its process. NULL and *e: no descriptor. */
struct lend *lend_new(struct loop *, struct error *e);
/* Runs call(arg) in libmilter's first thread. */
int lend_start(struct lend *, void *(*call)(void *), void *arg,
    struct error *e);
/* libmilter shall not look at this listening socket any more; from the loop,
 * before another lies over its number. */
void lend_forget(struct lend *, int socket);
/* How many connections libmilter has, as far as it can be known: those that
 * have called nothing yet, too. */
unsigned lend_connections(const struct lend *);
/* From any thread. */
void lend_post(struct lend *, struct letter *);
/* The same for what nobody waits for: it may be opened a little later, with the
 * next one. */
void lend_post_slowly(struct lend *, struct letter *);

/* Whose turn it is: the thread waits, the loop gives back. */
struct turn {
	atomic_uint back;
	struct lend *of;
	struct fiber *who; /* waits, where it is a fiber */
};

static inline void
turn_init(struct turn *t, struct lend *l)
{
	*t = (struct turn){ .of = l };
	atomic_init(&t->back, 1);
}

/* The thread, before it posts. */
static inline void
turn_take(struct turn *t)
{
	must(atomic_exchange(&t->back, 0) == 1);
}

/* The loop: touch nothing of it afterwards. */
void turn_give_back(struct turn *);
/* False: not back after so long (0: without end); wait again. */
bool turn_wait(struct turn *, uint64_t ms);

#endif
