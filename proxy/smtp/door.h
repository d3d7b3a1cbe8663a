/*
 * door - what struct smtp is made of, for the files of this folder: listeners,
 * next hops, sessions, releases. One a worker, on its loop; made and freed by
 * listener.c.
 */
#ifndef SMTP_DOOR_H
#define SMTP_DOOR_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/queue.h>

#include "base/crowd.h"
#include "engine/count.h"
#include "smtp/peers.h"
#include "smtp/shortage.h"
#include "smtp/upstream.h"

#define SMTP_MAGIC 0x736d7470u

struct session;
struct release;
struct lingerer;

struct listener {
	struct smtp *smtp;
	const struct smtp_listener *conf;
	struct hop **hops; /* to which mail may go; of a route, several */
	size_t n_hops;
	struct tls_server *tls; /* NULL: none, or it could not be made */
	int fd; /* borrowed */
	struct event ev;
	struct event again; /* descriptors were short: ev comes back */
};

struct smtp {
	uint32_t magic;
	struct loop *loop;
	const struct smtp_conf *conf;
	struct engine *engine;
	struct keep *keep;
	struct spool_pool *pool;
	unsigned worker;
	struct listener *listeners; /* [conf->n_listeners] */
	struct hop *hops;           /* [conf->n_upstreams] */
	struct crowd_seat *seat;    /* borrowed */
	struct tls_tickets tickets;
	TAILQ_HEAD(, session) sessions;
	LIST_HEAD(, release) releases;
	TAILQ_HEAD(, lingerer) lingering; /* the oldest first */
	unsigned n_lingering;
	struct shortage shortage;
	unsigned n_sessions;
	uint64_t all_sessions, all_messages;
	struct count count;
	bool draining;
	void (*drained)(void *);
	void *drained_arg;
	struct event said_drained; /* drained() comes from the loop alone */
};

/* A session, what lingered of one, or a release has gone. */
void door_left(struct smtp *);
/* Releases: registered with keep by smtp_new(), all freed by smtp_free(). */
void release_register(struct smtp *);
void release_free_all(struct smtp *);
unsigned release_count(const struct smtp *);

#endif
