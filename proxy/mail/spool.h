/*
 * spool - the body of one message: headers and text as they came, dot-stuffing
 * undone (RFC 5321 4.5.2), CRLF as received. DATA, quarantine, inspector,
 * SIZE and edits share this one form and its offsets.
 *
 * Memory first: blocks from the worker's pool, reused and never given back
 * one by one. Past max_memory, and where the pool's messages have taken what they
 * may have together, everything moves to an unlinked file in the
 * spool directory. Made by a door at DATA, freed with the transaction. One
 * process; a spool is one thread's at a time, the pool is any thread's.
 */
#ifndef MAIL_SPOOL_H
#define MAIL_SPOOL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "filters/pn_str.h"

struct spool;
struct spool_pool;

struct spool_conf {
	const char *dir;    /* for the unlinked files */
	size_t max_memory;  /* bytes of one message kept in memory (1 MiB) ... */
	size_t all_memory;  /* ... and more, while all of the pool's together
			       hold no more than so many (128 MiB) */
};

/* One a worker: the reusable blocks and the configuration. */
struct spool_pool *spool_pool_new(const struct spool_conf *);
void spool_pool_free(struct spool_pool *);
/* Bytes it holds for messages to come. */
size_t spool_pool_idle(struct spool_pool *);

struct spool *spool_new(struct spool_pool *);
/* Another one, empty, from the same pool. */
struct spool *spool_like(const struct spool *);
void spool_free(struct spool *);

/*
 * Writing: ask for room (at least 1 byte, usually KiBs, contiguous), put bytes
 * there, commit the first n of them. -1: disk full or memory short, 452 4.3.1.
 */
char *spool_room(struct spool *, size_t *n, struct error *e);
int spool_commit(struct spool *, size_t n, struct error *e);
int spool_append(struct spool *, struct pn_str, struct error *e);
/* Some line begins with a dot: relaying must stuff (the door's dot parser
 * knows; spool_from_fd() looks). */
void spool_set_dotted(struct spool *);
bool spool_dotted(const struct spool *);

/* Reading. */
size_t spool_size(const struct spool *);
/*
 * Contiguous bytes at offset: at least 1 while offset < size, .n 0 at the
 * end, .p NULL on a read error of the file. Valid until the next call that
 * takes this spool.
 */
struct pn_str spool_at(struct spool *, size_t offset);
/* A message from a file's first n bytes (release): detects dots. */
struct spool *spool_from_fd(struct spool_pool *, int fd, size_t n,
    struct error *e);

#endif
