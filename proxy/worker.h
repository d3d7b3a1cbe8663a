/*
 * worker - one worker: a loop, and on it everything a message passes from door
 * to door. The door is SMTP's, or that of one milter listener. Forked by the
 * master (or begun by single.c), which hands it what it may have.
 */
#ifndef PROXY_WORKER_H
#define PROXY_WORKER_H

#include "proxy/policy.h"

/* All descriptors become the worker's. */
struct worker_args {
	const struct policy *policy;
	const int *sockets; /* [policy->smtp.n_listeners], listening */
	/* The milter door's listener and its socket (or -1: libmilter binds
	 * for itself); NULL: the SMTP door. */
	const struct milter_listener *milter;
	int milter_socket;
	struct inspect_channel *channels[INSPECT_LANES];
	struct crowd_seat *seat; /* its own; NULL for the milter door */
	const struct tls_tickets *tickets; /* of all workers; NULL: its own */
	unsigned number; /* ids of transactions begin with it */
	unsigned generation;
	int master;    /* its ipc socket */
	int inspectors[INSPECT_LANES]; /* its inspectors' */
	int keeper;    /* the keeper's */
};

/* The process, after users are set. Ends by _exit. */
_Noreturn void worker_main(const struct worker_args *);

/* The parts, for a process that has more than a worker on its loop. */
struct worker;
struct loop;
/* kill: what pool_new() wants. Does not close the sandbox. NULL and *e. */
struct worker *worker_new(struct loop *, const struct worker_args *,
    void (*kill)(void *), void *kill_arg, struct error *e);
/* Stop accepting, finish within drain_timeout, then call drained. SMTP's door
 * alone can be one of several parts. */
void worker_drain(struct worker *, void (*drained)(void *), void *arg);
void worker_free(struct worker *);

#endif
