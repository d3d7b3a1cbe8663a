/*
 * fiber - calls that can wait: each on a stack of its own, all on the loop's
 * thread, one at a time.
 *
 * A fiber runs until it waits or ends; nobody is interrupted, so what is done
 * between two waits needs no lock. Ended ones keep their stack for the next.
 */
#ifndef MILTER_FIBER_H
#define MILTER_FIBER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"

struct fiber;
struct fibers;

/* Lives as long as its process, as do its fibers. */
struct fibers *fibers_new(struct loop *);
/* Runs call(arg) from the loop, soon. -1 and errno: no memory for a stack. */
int fiber_start(struct fibers *, void *(*call)(void *), void *arg);
/* Who is running; NULL: the loop. */
struct fiber *fiber_now(const struct fibers *);
/* The running one, until somebody wakes it, perhaps for another reason than it
 * waits for. False: nobody did for so long (0: without end). */
bool fiber_wait(struct fibers *, uint64_t ms);
/* From the loop or another fiber: it goes on soon, before all that are ready
 * by now. NULL and one that does not wait are fine. */
void fiber_wake(struct fiber *);
/* Those that are ready go first. */
void fiber_yield(struct fibers *);
/* So does all else that the loop has to do: for who runs for long. */
void fiber_pause(struct fibers *);

#endif
