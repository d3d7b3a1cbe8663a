/*
 * pool - a worker's side of one of its inspectors: sends requests, keeps several
 * outstanding, matches answers, and when the inspector dies finds the suspect
 * by the shared word and offers the others again unharmed.
 *
 * Used by engine/ alone; owns the ipc and the list of jobs. The worker tells
 * it when the master has forked a new inspector (pool_attach) and how to ask
 * the master for a kill (deadline passed).
 */
#ifndef INSPECT_POOL_H
#define INSPECT_POOL_H

#include "base/loop.h"
#include "inspect/findings.h"
#include "inspect/inspector.h"
#include "mail/spool.h"

struct pool;
struct pool_job;

enum pool_result {
	POOL_FOUND,   /* findings are valid */
	POOL_SUSPECT, /* it broke the inspector twice, once alone */
	POOL_DOWN     /* no inspector for too long, or the request cannot be made */
};
/* findings (borrowed by nobody: they lie in the job's arena) or NULL. */
typedef void pool_done(void *arg, enum pool_result, const struct findings *);

/* kill: ask the master to kill -9 this worker's inspector (deadline). */
struct pool *pool_new(struct loop *, const struct inspect_conf *,
    struct inspect_channel *, int sock, void (*kill)(void *), void *kill_arg);
void pool_free(struct pool *);
/* The master forked another inspector: its socket. */
void pool_attach(struct pool *, int sock);

/*
 * Inspect all of spool; done is called later from the loop (never from here).
 * Findings are unpacked into arena. Borrows spool and arena until done or
 * pool_cancel().
 */
struct pool_job *pool_submit(struct pool *, struct spool *, struct arena *,
    pool_done *, void *arg);
void pool_cancel(struct pool_job *); /* the client left; done is not called */

#endif
