/*
 * child - what master and children share: the frames between them, how a
 * child shakes off what it inherited, and how long a crashed one waits.
 *
 * Each child has a socketpair of base/ipc to the master. Its end means the
 * master's death: the child closes its listeners at once, finishes within
 * drain_timeout and exits. MASTER_DRAIN (keeper/keeper.h) asks for the same.
 */
#ifndef PROXY_CHILD_H
#define PROXY_CHILD_H

#include <stdint.h>

/* Beside enum keeper_master_type, which begins at 64. */
enum child_type {
	CHILD_READY = 96,     /* worker -> master: it accepts from now on */
	CHILD_KILL_INSPECTOR, /* worker -> master: mine passed its deadline;
				 id = its lane */
	CHILD_INSPECTOR, /* master -> worker: fd = socket of a new inspector,
			    id = its lane */
	CHILD_KEEPER,	 /* master -> worker: fd = link to a new keeper */
	CHILD_TICKETS,	 /* master -> worker: struct tls_tickets, as it is */
	CHILD_CHECKED	 /* checker -> master: u8 ok, str why not */
};

/*
 * First thing after fork: signals as a child wants them. Terminals and service
 * managers send INT, HUP and TERM to the whole group; the master alone
 * answers them, and tells its children in its own words.
 */
void child_signals(void);

/*
 * The crashes of one child's place. The first ones are mended at once; five
 * within ten seconds and it waits, longer each time, until it has lived for
 * a while.
 */
#define BACKOFF_CRASHES 5
#define BACKOFF_WINDOW_MS 10000
#define BACKOFF_MAX_MS 30000
struct backoff {
	uint64_t at[BACKOFF_CRASHES]; /* times of the last ones, a ring */
	unsigned count;
	uint64_t wait_ms; /* the last one given */
};
/* It crashed now: milliseconds to wait before the next fork, 0: at once. */
uint64_t backoff_crash(struct backoff *, uint64_t now_ms);

#endif
