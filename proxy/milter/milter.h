/*
 * milter - door two: a milter beside an MTA, over libmilter. What the rest of
 * postern sees of it: its compiled configuration and how its process starts,
 * counts and drains it.
 *
 * libmilter keeps its listener and its settings in globals, so there is one
 * door a process, for one listener. It may run in threads of its own (lend.h):
 * block every signal before the process's first thread, and close the sandbox
 * before milter_new(), which starts them. All other calls are the loop's.
 */
#ifndef MILTER_MILTER_H
#define MILTER_MILTER_H

#include <sys/socket.h>
#include <sys/stat.h>

#include "engine/engine.h"
#include "mail/spool.h"

struct milter_listener {
	const char *name;       /* as written: "unix:/run/postern/milter",
				   "inet:8890@127.0.0.1" */
	struct sockaddr_storage addr;
	socklen_t addr_len;
	mode_t mode;            /* of the unix socket's file: 0660 */
	const char *group;      /* ... and whose it is, or NULL */
	const char *upstream;   /* name of the next hop for what the keeper
				   releases, or "": there is none */
};

struct milter_conf {
	const char *hostname;
	const struct milter_listener *listeners;
	size_t n_listeners;
	size_t message_size_limit; /* 50 MiB; 0: none */
	/* What rules ask for with macro(): "{daemon_name}" is daemon_name. */
	const struct pn_str *macros;
	size_t n_macros;
	const struct engine_conf *engine; /* the same that the engine has */
	uint64_t progress_ms;      /* at end of message: 10 s */
};

struct milter;

/*
 * Socket: bound and listening, non-blocking; stays the caller's. Where
 * libmilter does not take one that is open (no HAVE_MILTER_FD) it is -1:
 * libmilter binds the listener's address, as soon as it is free. Borrows all.
 * Ids of transactions begin with worker. NULL and *e: no thread.
 */
struct milter *milter_new(struct loop *, const struct milter_conf *,
    const struct milter_listener *, int socket, struct engine *, struct keep *,
    struct spool_pool *, unsigned worker, struct error *e);
/*
 * Take no connection any more, at once: a dead listening socket lies over the
 * number of ours then (the caller may close it). Conversations go on until
 * the MTA ends them; drained is called from the loop when there has been none
 * for a while. Then _exit: smfi_stop() would wait, and breaks what it finds.
 */
void milter_drain(struct milter *, void (*drained)(void *), void *arg);
/* No more time for that. Returns how many conversations there are, or
 * connections that may become one. */
unsigned milter_hurry(const struct milter *);
/* For status: conversations now, conversations and messages since the start. */
void milter_count(const struct milter *, unsigned *now, uint64_t *sessions,
    uint64_t *messages);

#endif
