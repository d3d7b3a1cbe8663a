/*
 * keeper - the process that owns what lasts: quarantine, maildirs, history,
 * suspects, and the control socket. Never sees a mail client's socket.
 */
#ifndef KEEPER_KEEPER_H
#define KEEPER_KEEPER_H

#include <sys/types.h>

#include "base/error.h"
#include "base/loop.h"
#include "keeper/settings.h"

struct keeper_conf {
	const char *state_dir;       /* quarantine/, index.db below it */
	const char *const *maildirs; /* NULL-terminated: deliverable ones */
	uid_t control_uid;           /* besides root and our own */
	struct keeper_settings settings; /* to begin with: MASTER_SETTINGS */
};

/* What a keeper is given at its birth. All descriptors become its own. */
struct keeper_start {
	const struct keeper_conf *conf; /* borrowed to the end */
	int control; /* listening unix stream socket, or -1 */
	int metrics; /* listening TCP socket for HTTP, or -1 */
	int master;  /* the child's ipc socket, or -1 */
	/*
	 * When this run of posternd began (microseconds since 1970): a release
	 * that was begun since may still be at work in a worker that lives,
	 * whatever became of the keeper that asked for it.
	 */
	uint64_t run_us;
	struct pn_str orders; /* the last MASTER_ORDERS of an earlier keeper */
};

/* Between keeper and master, over the child's control ipc (proxy/master). */
enum keeper_master_type {
	MASTER_WORKER = 64, /* -> keeper: fd = our end of a link to a worker; body
			       u32 worker number, u32 generation, str role:
			       "worker", or "milter", which does not relay */
	MASTER_STATUS,      /* keeper -> master: id = question; answered by _STATUS_IS */
	MASTER_STATUS_IS,   /* JSON object */
	MASTER_RELOAD,      /* keeper -> master; answered by _RELOADED */
	MASTER_RELOADED,    /* u8 ok, str text (the config error, or "") */
	MASTER_STOP,        /* keeper -> master: as SIGTERM; answered by _STOPPING */
	MASTER_STOPPING,    /* empty */
	MASTER_DRAIN,       /* -> child: stop, finish what is promised, exit */
	MASTER_SETTINGS,    /* -> keeper: struct keeper_settings, after a reload */
	MASTER_LOG,         /* -> any child: fd = the log from here on */
	MASTER_ORDERS       /* keeper -> master: which servers are drained, for
			       the next keeper; opaque */
};

struct keeper;
struct keeper *keeper_new(struct loop *, const struct keeper_start *,
    struct error *e);
/* Another worker's link. relays: it may be given releases. */
void keeper_add_worker(struct keeper *, int sock, unsigned worker,
    unsigned generation, bool relays);
void keeper_free(struct keeper *);
/* The process: users and sandbox are set; runs until the master is gone or
 * MASTER_DRAIN and every worker link has closed. */
_Noreturn void keeper_main(const struct keeper_start *);

/* Microseconds since 1970: the clock of keeper_start.run_us. */
uint64_t keeper_clock_us(void);

/* Made and checked before privileges are dropped: directories with their
 * owner and mode. */
int keeper_prepare(const struct keeper_conf *, uid_t, gid_t, struct error *e);

#endif
