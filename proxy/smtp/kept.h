/*
 * kept - connections to one server that no client has at the moment: what a
 * mail left in good order, for the next one, and what was dialled ahead of
 * mails (`warm`). The one that was used last goes first, so that those nobody
 * needs grow old and are closed.
 *
 * Every client gives its connection back between its mails, and mostly wants
 * it again at once: `keep` counts those alone that nobody took within a second.
 *
 * Which may be kept is upstream_may_serve()'s to say. One list a server,
 * embedded in it; owns its connections.
 */
#ifndef SMTP_KEPT_H
#define SMTP_KEPT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "filters/pn_str.h"

struct hop;
struct server;
struct upstream;

struct kept {
	TAILQ_HEAD(kept_list, upstream) all;
	unsigned n;
	bool closed; /* nothing is kept any more */
};

void kept_init(struct kept *);
/* How long this one waits for what comes next. */
uint64_t kept_patience(const struct upstream *);
/* One that is READY, if possible one that knows this client's name; NULL. */
struct upstream *kept_take(struct server *, struct pn_str helo);
/* The client has done with it: kept if it may be, else freed. NULL is fine. */
void kept_give(struct upstream *);
/* As many as `warm` says shall wait at this hop's servers for the next mails. */
void kept_warm(struct hop *);
/* All are closed. */
void kept_empty(struct kept *);
/* All are closed, and from now on those that are given, too. */
void kept_close(struct kept *);

#endif
