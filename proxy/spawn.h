/*
 * spawn - the master's processes: what it holds, and how a child is forked
 * from it. master.c decides when; nothing here decides.
 *
 * Children are forked from the master's own event, never from a callback of
 * an ipc: there the end at hand could not be closed in the child, and a
 * sibling would not see the master die.
 */
#ifndef PROXY_SPAWN_H
#define PROXY_SPAWN_H

#include "base/crowd.h"
#include "base/ipc.h"
#include "proxy/generation.h"
#include "proxy/listen.h"
#include "proxy/users.h"
#include "proxy/watch.h"

#define MASTER_MAGIC 0x6d737431u
#define ASKERS_MAX 16

struct event;

/* One that asked for a reload over the control socket: its question's id. */
struct askers {
	uint64_t id[ASKERS_MAX];
	unsigned n;
};

/* A reload under way: loaded, checked, and then a generation like any. */
struct reload {
	const struct policy *policy; /* being checked; NULL: no reload is */
	int *sockets;
	pid_t checker;
	struct ipc *ipc; /* to the checker */
	uint64_t deadline;
	bool answered; /* the checker said ... */
	bool passed;   /* ... this */
	char why[1024];
};

enum { DIED_WORKER, DIED_MILTER, DIED_INSPECTOR, DIED_KEEPER, DIED_ROLES };

struct master {
	uint32_t magic;
	const char *path; /* of postern.conf */
	struct loop *loop;
	struct users users;
	struct sockets sockets;
	int control; /* listening, for the keeper */
	int metrics; /* likewise, or -1 */
	uint64_t run_us; /* when this began: keeper_start.run_us */
	const char *control_path;
	struct keeper_child {
		pid_t pid;
		struct ipc *ipc;
		uint64_t due;
		struct backoff crashes;
		struct buf orders; /* MASTER_ORDERS, the last */
	} keeper;
	struct crowd *crowd; /* the clients of all workers, for ever */
	struct generations generations;
	unsigned last_generation, last_worker;
	struct watch watch; /* the serving generation's maps */
	struct reload reload;
	bool reload_wanted;
	struct askers next_askers; /* of the reload that is wanted */
	struct askers askers;	   /* of the one under way */
	unsigned stops;		   /* SIGTERM and SIGINT so far */
	bool draining;		   /* the first was acted upon */
	int status;		   /* exit status, once there is nothing left */
	unsigned reloads, reloads_failed;
	struct arena *secrets; /* the tickets' keys: workers have it, too */
	struct tls_tickets *tickets;
	uint64_t tickets_due; /* when they change; 0: nobody needs any yet */
	/* By a signal, or with a status that is not 0. */
	unsigned deaths[DIED_ROLES];
	struct event *signals[5];
	struct event *kick;  /* master_advance(), soon */
	struct event *timer; /* ... or when something is due */
};

/* Soon: one master_advance(). */
void master_kick(struct master *);
/* The folders that milter sockets lie in, made where they are not there. */
int master_socket_folders(struct master *, const struct policy *,
    struct error *e);
/* What the children say; master.c and reload.c have them. */
extern const struct ipc_ops worker_ops, keeper_ops, checker_ops;

/* Other keys for tickets, and all workers hear of them. */
void spawn_rotate_tickets(struct master *);
/* Fork what is not there. -1 and *e: nothing was left behind. */
int spawn_keeper(struct master *, const struct policy *, struct error *e);
int spawn_worker(struct master *, struct slot *, struct error *e);
int spawn_inspector(struct master *, struct slot *, enum inspect_lane,
    struct error *e);
/* "worker" or "milter": what a slot's worker is called in log and status. */
const char *slot_role(const struct slot *);
/* Its worker is dead: what it held of the crowd is given back. */
void slot_free_seat(struct slot *);
/* What a slot's worker shared with its inspectors, unmapped here. */
void slot_free_channels(struct slot *);
int spawn_checker(struct master *, struct error *e);

#endif
