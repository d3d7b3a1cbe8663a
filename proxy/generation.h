/*
 * generation - the books of the master: which policy is served by which
 * processes, who died, what is due to be forked again. Pure: no fork, no
 * signal, no clock; master.c and spawn.c act on what stands here.
 *
 *   STARTING --all ready--> SERVING --a newer one serves--> DRAINING -> gone
 *       '--one dies or it takes too long--> FAILED -> gone
 *
 * A slot is a worker's place, of the SMTP door or of one milter listener: the
 * worker, an inspector for each lane and the channels between them. A worker that is forked again gets a new number,
 * channels and inspectors; an inspector that is forked again keeps worker and
 * channel.
 */
#ifndef PROXY_GENERATION_H
#define PROXY_GENERATION_H

#include <sys/queue.h>
#include <sys/types.h>

#include "inspect/inspector.h"
#include "proxy/child.h"
#include "proxy/policy.h"

#define WORKER_NUMBERS 1024 /* ids of transactions begin with one */

struct generation;
struct crowd_seat;
struct ipc;

/* An inspector's place beside its worker. */
struct reader {
	pid_t pid; /* 0: not there */
	bool has_channel;
	struct inspect_channel channel;
	uint64_t due; /* when to fork; 0: not */
	struct backoff crashes;
};

struct slot {
	struct generation *generation;
	int milter; /* which milter listener it serves; -1: it speaks SMTP */
	unsigned number;
	pid_t worker; /* 0: not there */
	struct reader readers[INSPECT_LANES];
	struct ipc *ipc; /* to the worker; NULL: not there */
	struct crowd_seat *seat; /* what the worker holds there; or NULL */
	bool ready;
	uint64_t worker_due; /* when to fork; 0: not */
	struct backoff worker_crashes;
	void *owner; /* the master */
};

enum generation_state {
	GENERATION_STARTING,
	GENERATION_SERVING,
	GENERATION_DRAINING,
	GENERATION_FAILED
};

struct generation {
	TAILQ_ENTRY(generation) next;
	unsigned number;
	const struct policy *policy; /* owned */
	int *sockets;		     /* [doors_count()]; whose they are:
					listen.h */
	enum generation_state state;
	uint64_t deadline; /* STARTING: ready by then; DRAINING: gone; 0: none */
	unsigned n_slots; /* SMTP workers, and behind them the milters' */
	struct slot slots[];
};
TAILQ_HEAD(generations, generation); /* the newest first */

/* Takes policy and sockets (malloc). STARTING, every worker due at once. */
struct generation *generation_new(unsigned number, const struct policy *,
    int *sockets, unsigned n_workers, unsigned n_milters, uint64_t now_ms,
    void *owner);
/* How many SMTP workers that policy is served by: those it asks for; where it
 * has milter listeners alone, one that releases need, or none. */
unsigned generation_workers(const struct policy *);
/* No process of it may be left. Frees the policy. */
void generation_free(struct generation *);

bool generation_is_ready(const struct generation *);
bool generation_is_gone(const struct generation *); /* no process left */
/* The one that is starting, or NULL. */
struct generation *generations_starting(const struct generations *);
/* The newest that serves, or NULL. */
struct generation *generations_serving(const struct generations *);

/* Whose process is pid? NULL: none here. */
struct slot *generations_find(const struct generations *, pid_t pid);
/* It left with status 0, gave up with another one, or was killed. */
enum death { DEATH_CLEAN, DEATH_EXIT, DEATH_SIGNAL };
/* The process is dead: what follows is written into the slot (and its
 * generation). */
void slot_died(struct slot *, pid_t pid, enum death, uint64_t now_ms);
/* Earliest time something is due, 0: nothing. */
uint64_t generations_due(const struct generations *);

/* The next worker's number after *last: a running count, skipping those that
 * still live. */
unsigned generations_number(const struct generations *, unsigned *last);

/*
 * "generation", "missing" (processes that ought to be there, of the generation
 * that serves) and "processes" into an open object; keeper 0: not there. rss:
 * a process's resident bytes, or NULL.
 */
typedef uint64_t process_rss(pid_t);
void generations_json(const struct generations *, pid_t master, pid_t keeper,
    process_rss *, struct buf *);

#endif
