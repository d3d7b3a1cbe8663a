/*
 * arena - memory that goes all at once: a mail's, or a policy's.
 *
 * A mail's arena grows by chunks and has a cap; arena_alloc() gives NULL at
 * the cap, which is 452 for that mail. A policy's arena is one mapping, so
 * that it can be made read-only when compiled and inherited by fork.
 * One owner, one thread.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

#include "filters/pn_str.h"

struct arena;

/* At most max_bytes in all. */
struct arena *arena_new(size_t max_bytes);
/* One anonymous mapping of max_bytes, committed as touched. */
struct arena *arena_new_mapped(size_t max_bytes);
void arena_free(struct arena *);
/* Forget everything but keep the first chunk: for the next mail. */
void arena_reset(struct arena *);
/* Mapped arenas only: read-only from here on, unused address space given back. */
void arena_seal(struct arena *);
/* Mapped arenas only: do children that are forked from now on have it too? */
void arena_bequeath(struct arena *, bool yes);

/* Zeroed, aligned for any type; NULL at the cap. */
void *arena_alloc(struct arena *, size_t n);
/* Copies; .p is NULL at the cap. The copy is NUL-terminated behind .n. */
struct pn_str arena_str(struct arena *, struct pn_str);
/* NUL-terminated; NULL at the cap. */
char *arena_printf(struct arena *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
size_t arena_used(const struct arena *);

#endif
