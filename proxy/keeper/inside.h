/* inside - what keeper.c, release.c and command.c share: the keeper itself. */
#ifndef KEEPER_INSIDE_H
#define KEEPER_INSIDE_H

#include <event2/event_struct.h>
#include <sys/queue.h>

#include "base/ipc.h"
#include "keeper/control.h"
#include "keeper/history.h"
#include "keeper/http.h"
#include "keeper/keeper.h"
#include "keeper/metrics.h"
#include "keeper/modules.h"
#include "keeper/quarantine.h"
#include "keeper/state.h"

#define KEEPER_MAGIC 0x6b707231u
#define JOB_ARENA (48u << 20) /* a parcel's job and what it unpacks to */

/* A worker. Made with its socket, freed when that closes. */
struct link {
	LIST_ENTRY(link) next;
	struct keeper *keeper;
	struct ipc *ipc;
	struct metrics_source *stats;
	unsigned worker, generation;
	bool relays; /* may be given releases */
};

/* A message that a worker is relaying for us. */
struct release {
	LIST_ENTRY(release) next;
	struct keeper *keeper;
	struct link *link; /* NULL: an earlier keeper's, whose worker is not
			      linked to us (yet): worker, generation */
	unsigned worker, generation;
	uint64_t job;
	struct event again;
	char id[32];
	struct control_call *call; /* who waits; NULL: left */
};

/* Something the master was asked. */
struct question {
	LIST_ENTRY(question) next;
	uint64_t id;
	uint32_t answer; /* the type that answers it */
	struct control_call *call; /* NULL: left, or nobody but http */
	bool ours; /* http's */
};

struct keeper {
	uint32_t magic;
	struct loop *loop;
	const struct keeper_conf *conf;
	struct keeper_settings settings; /* in force */
	struct arena *arena; /* of the settings, when a reload sent them */
	uint64_t run_us;
	bool alone; /* no earlier keeper lives */
	struct quarantine *quarantine;
	struct history *history;
	struct metrics *metrics;
	struct modules *modules;
	struct state *state;
	struct control *control; /* NULL: no socket */
	struct http *http;	 /* likewise */
	char trouble[1100];	 /* the last error of our files, and when */
	uint64_t trouble_us, troubles;
	int64_t lines, bytes;	 /* of history, as of counted_us */
	uint64_t counted_us;
	struct ipc *master;      /* NULL: gone, or there is none */
	bool leaving;            /* ends with the last link */
	struct event hourly, sweep, recover, flush, retry;
	unsigned n_releases;
	uint64_t last_job, last_question;
	LIST_HEAD(, link) links;
	LIST_HEAD(, release) releases;
	LIST_HEAD(, question) questions;
	TAILQ_HEAD(, order) orders; /* drain.c's */
	LIST_HEAD(, asked_history) searches;
};

/* keeper.c: an error of our files, for the log, /health and /metrics. */
void keeper_trouble(struct keeper *, const char *event, const char *text);
/* Many lines take a while to count: then it is what they were a minute ago. */
int keeper_count_history(struct keeper *, int64_t *lines, int64_t *bytes,
    struct error *e);

/* ask_history.c: a search under way, from slice to slice. */
struct asked_history;
void ask_history(struct keeper *, struct control_call *, const json_t *request);
void ask_history_free_all(struct keeper *);

/* command.c */
/* The master's status for http, unless that is asked already. */
void command_ask_status(struct keeper *);
control_ask command_ask;
/* The master's answer; false: nobody asked. */
bool command_master_said(struct keeper *, uint32_t type, uint64_t id,
    struct unpack);
void command_master_gone(struct keeper *);

/* drain.c: a server, or all of an upstream's, out of use or back. */
void drain_ask(struct keeper *, struct control_call *, const json_t *request,
    bool drain);
void drain_link_new(struct keeper *, const struct link *);
/* What an earlier keeper was told (MASTER_ORDERS). */
void drain_restore(struct keeper *, struct pn_str orders);
void drain_forget_all(struct keeper *);

/* release.c */
void release_start(struct keeper *, struct pn_str id, struct control_call *);
void release_outcome(struct keeper *, const struct link *, uint64_t job,
    struct unpack);
void release_link_new(struct keeper *, struct link *);
void release_link_gone(struct keeper *, const struct link *);
/* What an earlier keeper had begun. */
void release_resume(struct keeper *);
/* Begin what is due, and be woken for what comes next. */
void release_plan(struct keeper *);
void release_on_retry(evutil_socket_t, short, void *);

#endif
