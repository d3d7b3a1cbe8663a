/*
 * hop - a next hop in a worker: one upstream block, its servers, what each of
 * them announces and how it does.
 *
 * Made and freed by listener.c, one a block. A server that could not be dialled is
 * away: nobody is sent to it but a probe, after a time that grows with each
 * failure. Where all are away, those that said so at once (a refusal costs
 * nothing) are asked nevertheless; the others leave us with 451 at once.
 */
#ifndef SMTP_HOP_H
#define SMTP_HOP_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/queue.h>

#include "smtp/ehlo.h"
#include "smtp/kept.h"
#include "smtp/lookups.h"
#include "smtp/outage.h"
#include "smtp/smtp.h"

enum server_state { SERVER_UP, SERVER_AWAY, SERVER_DRAINING, SERVER_STATES };

struct hop;
struct smtp;
struct resolve;
struct upstream;

struct server {
	TAILQ_ENTRY(server) next;
	struct hop *hop;
	const char *name;       /* as written, for the log */
	const char *host;       /* as written or looked up; NULL: an address */
	const struct sockaddr_storage *addr;
	socklen_t addr_len;
	unsigned priority;      /* the lowest first */
	unsigned weight;        /* among those of one priority */
	bool draining;          /* gets no new mail, */
	bool drained;           /* ... as it is written */
	struct keywords known;  /* what it last announced */
	bool wants_ehlo;        /* before XCLIENT */
	bool breaks_tls;        /* said in the log: a handshake failed, and it
				 * may go on in clear */
	struct tls_memory tls;  /* the session that it may resume */
	struct upstream *probe; /* under way, or NULL */
	uint64_t probed_ms;     /* when one was last begun; 0 never */
	struct outage outage;   /* .failures 0: it is well */
	bool away;              /* not to be dialled until it is probed, */
	bool slow;              /* as the last failure took its time */
	struct event retry;     /* the next probe */
	struct stat_series *is[SERVER_STATES];
	struct kept kept;       /* connections that no client has */

	/* One that was found by name: its own text and address, gone when
	 * nobody holds it and room is wanted. */
	bool found;
	unsigned holds;
	struct sockaddr_storage own;
	char *text, *own_host;
};
TAILQ_HEAD(servers, server);

struct hop {
	const struct smtp_upstream *conf;
	struct smtp *smtp;
	struct servers servers; /* those found by name last, by use */
	unsigned n_found;
	bool draining;          /* as are servers that are yet to be found, */
	LIST_HEAD(, drain_order) orders; /* ... but for these */
	struct tls_client *tls; /* NULL: no TLS, or it could not be made */
	struct keywords known;  /* what all of them announce, as far as known */
	uint64_t seed;          /* of the draws among servers */
	void (*probed)(struct hop *); /* a probe has ended */
	struct resolve *resolve; /* under way, for probes; or NULL */
	uint64_t resolved_ms;    /* when it was last begun; 0 never */
	struct lookups lookups;  /* of mail hosts; `mx` alone */
	struct event forget;     /* ... that they failed */
	struct stat_series *looks[LOOKUPS_STATES];
};

void hop_init(struct hop *, struct smtp *, const struct smtp_upstream *,
    void (*probed)(struct hop *));
void hop_fini(struct hop *);
/* Its server of that name ("": all) gets no new mail, or again; all: those do
 * that are not written with drain. */
void hop_drain(struct hop *, struct pn_str server, bool on);
/* No connection waits for a mail, and none will. */
void hop_close_kept(struct hop *);
/* Some of its servers are written by name. */
bool hop_has_names(const struct hop *);
/* A look-up of a domain's mail hosts has ended. answered: by whatever. */
void hop_looked_up(struct hop *, const char *domain, bool answered);
/* The server of that name at that address: known, or new. */
struct server *hop_server(struct hop *, const char *host,
    const struct sockaddr_storage *, socklen_t, unsigned priority,
    unsigned weight);
void server_hold(struct server *);
void server_release(struct server *); /* NULL is fine */
/* Nothing is known of any of its servers yet, but one is being asked. */
bool hop_is_new(const struct hop *);

/* It answered: these are its keywords. */
void server_answered(struct server *, const struct keywords *);
/* It could not be dialled; that took so long. */
void server_failed(struct server *, uint64_t took_ms, const char *why);

/* ---- which of them: one dial's way through the servers ---- */

struct plan {
	struct server **servers; /* in the order in which they are tried */
	size_t n, at;
};

/* Those that may be tried now, of the hop's own and of these. The plan holds them
 * until it is finished by plan_fini(). */
void plan_make(struct plan *, struct hop *, struct server *const *found,
    size_t n);
/* The next one, or NULL. */
struct server *plan_next(struct plan *);
bool plan_has_more(const struct plan *);
void plan_fini(struct plan *);
/* By priority; within one, drawn by weight. */
void plan_sort(struct server **, size_t n, uint64_t *seed);

#endif
