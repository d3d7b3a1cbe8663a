/*
 * lend - the one mailbox between libmilter's threads and the loop.
 *
 * A thread posts a letter, the loop opens it. When the thread wants an answer
 * it waits for its turn to come back: all that hangs on the letter belongs to
 * the loop meanwhile, and to the thread before and after. Letters are opened
 * in the order they were posted.
 */
#ifndef MILTER_LEND_H
#define MILTER_LEND_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "base/error.h"
#include "base/loop.h"

/* Lies in what it is about. */
struct letter {
	STAILQ_ENTRY(letter) next;
	void (*open)(struct letter *); /* on the loop; the letter may go */
};

struct lend {
	pthread_mutex_t lock;
	STAILQ_HEAD(, letter) letters;
	bool told;    /* fd says that there are some */
	bool looking; /* the loop will look anyway */
	int fd;       /* eventfd */
	struct event ev, look;
	struct loop *loop;
};

/* Lives as long as its process. -1 and *e: no descriptor. */
int lend_open(struct lend *, struct loop *, struct error *e);
/* From any thread. */
void lend_post(struct lend *, struct letter *);
/* The same for what nobody waits for: opened with the next one, or when the
 * loop looks by itself, LEND_LOOK_MS later at most. */
void lend_post_slowly(struct lend *, struct letter *);
#define LEND_LOOK_MS 50

/*
 * Whose turn it is: the thread waits, the loop gives back. A futex of its own,
 * for a condition variable costs a second wake-up: for its mutex.
 */
struct turn {
	atomic_uint back;
};

void turn_init(struct turn *);
/* The thread, before it posts. */
void turn_take(struct turn *);
/* The loop: touch nothing of it afterwards. */
void turn_give_back(struct turn *);
/* False: not back after so long (0: without end); wait again. */
bool turn_wait(struct turn *, uint64_t ms);

#endif
