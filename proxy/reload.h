/*
 * reload - from "there may be a new policy" to one that has passed its own
 * tests. Called by master.c, which makes a generation of it; struct master
 * (spawn.h) holds what is under way.
 */
#ifndef PROXY_RELOAD_H
#define PROXY_RELOAD_H

#include "proxy/spawn.h"

/* One step of what is wanted or under way. True: the policy and its sockets
 * passed every check; they are the caller's now. */
bool reload_advance(
    struct master *, const struct policy **, int **sockets);
/* What is under way ends, without an answer. */
void reload_drop(struct master *);
/* It did not come to anything; who asked is told, and the log. */
void reload_failed(struct master *, const char *why);
/* g serves: who asked is told, and the service manager. */
void reload_done(struct master *, const struct generation *g);
/* Tell the keeper what became of that question. */
void reload_answer(struct master *, uint64_t id, bool ok, const char *text);
/* May maps be looked at now, and so when they are due? Not while a reload is
 * under way: it may have read what changed already. */
bool reload_may_look(const struct master *);

#endif
