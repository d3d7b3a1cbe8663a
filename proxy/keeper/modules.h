/*
 * modules - what workers say of filter modules (KEEP_SAID): which there are,
 * when one last had no answer and why, and what is the matter with their
 * parts. What a part's state is goes with the worker that said it. Owned by
 * keeper.c; one thread.
 */
#ifndef KEEPER_MODULES_H
#define KEEPER_MODULES_H

#include "base/error.h"
#include "base/pack.h"
#include "keeper/metrics.h"

struct modules;

struct modules *modules_new(void);
void modules_free(struct modules *);
/* A frame of KEEP_SAID; from: whose it is. -1: not of our form. */
int modules_take(struct modules *, const void *from, struct unpack *frame,
    struct error *e);
void modules_gone(struct modules *, const void *from);

/*
 * "modules":[{"name","calls","failures","timeouts","refused",
 * "last_error":{"time_us","text"}, "parts":[{"part","state","time_us"}]}]
 * into an open JSON object; the numbers are the metrics' sums.
 */
void modules_json(const struct modules *, const struct metrics *, struct buf *);

#endif
