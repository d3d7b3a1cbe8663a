/*
 * keep_inside - what a worker's link to the keeper is made of, for the files
 * that are keep: keep.c (what the keeper is asked, and the link itself),
 * keep_tell.c (what it is told), keep_asked.c (what it asks).
 */
#ifndef ENGINE_KEEP_INSIDE_H
#define ENGINE_KEEP_INSIDE_H

#include <event2/event_struct.h>
#include <sys/queue.h>

#include "base/ipc.h"
#include "base/pack.h"
#include "engine/keep.h"

#define KEEP_MAGIC 0x6b656570u
#define BEHIND_MAX (8u << 20) /* queued at a slow keeper: then history waits no
				 more, nor does a counter */

struct said;
struct relayed;

struct keep {
	uint32_t magic;
	struct loop *loop;
	struct ipc *ipc; /* NULL: no keeper now */
	TAILQ_HEAD(, keep_ticket) tickets;
	uint64_t last_id;
	struct event grace;

	/* What it is told (keep_tell.c). */
	struct buf summaries;
	uint64_t dropped; /* summaries, since the last that were sent */
	struct stats *stats;
	STAILQ_HEAD(, said) said;
	unsigned n_said;
	struct event flush, count;

	/* What it asks (keep_asked.c). */
	LIST_HEAD(, relayed) relayed;
	keep_release *release;
	void *release_arg;
	keep_drain *drain;
	void *drain_arg;
};

/* ---- what it is told (keep_tell.c) ---- */

void keep_tell_init(struct keep *);
/* A new keeper: counters and what is said of modules, whole. */
void keep_tell_all(struct keep *);
/* Its last words, and their end. */
void keep_tell_fini(struct keep *);

/* ---- what it asks (keep_asked.c) ---- */

/* To relay a message. Takes fd. */
void keep_take_release(struct keep *, uint64_t job, struct unpack, int fd);
/* After a job that an earlier keeper may have given to us. */
void keep_take_known(struct keep *, uint64_t job);
/* What that job came to is committed. */
void keep_take_released_ok(struct keep *, uint64_t job);
void keep_take_drain(struct keep *, struct unpack);
/* A new keeper: what came of all that is relayed. */
void keep_tell_relayed(struct keep *);
void keep_forget_relayed(struct keep *);

#endif
