/*
 * state - counters that all workers share and that outlive them: how often
 * within a time something was seen (pn_ask_count of filter.h). state.db in the
 * state folder.
 *
 * Counting is one row of an open transaction; state_flush() commits it, every
 * second. A power cut takes what was counted since, a keeper's death too.
 * Owned by keeper.c; one thread.
 */
#ifndef KEEPER_STATE_H
#define KEEPER_STATE_H

#include <stdint.h>

#include "base/error.h"
#include "mail/keep.h"

#define STATE_MAX 1000000   /* counters that the keeper keeps */
#define STATE_LIFE_MAX_MS (366ull * 86400000)
#define STATE_FLUSH_MS 1000

struct state;

/* At most max counters: at more those that end next go first. */
struct state *state_open(const char *state_dir, int64_t max, struct error *e);
void state_close(struct state *); /* flushes */

/*
 * Add c->add to the counter and say what it is now, and how old. A counter
 * that is over begins anew. Looking (add 0) creates none. -1: *e.
 */
int state_count(struct state *, const struct keep_counter *c, uint64_t now_us,
    int64_t *value, uint64_t *age_ms, struct error *e);
int state_flush(struct state *, struct error *e);
/* Forget what is over; how many, or -1. */
int state_expire(struct state *, uint64_t now_us, struct error *e);

#endif
