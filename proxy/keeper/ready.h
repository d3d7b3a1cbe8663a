/*
 * ready - would mail that comes now find its next hop? From what the workers
 * of the generation that serves say of each server (upstream_servers of
 * /metrics): an upstream none of whose servers is up, to any of them, is a
 * reason against. Of the mail hosts of the world (mx) it counts whether they
 * can be looked up at all (upstream_lookups), for of themselves, as of servers
 * whose name has not been found, nothing is known. Called by http.c.
 */
#ifndef KEEPER_READY_H
#define KEEPER_READY_H

#include "base/buf.h"
#include "keeper/metrics.h"

/* A line for each such upstream, behind what stands there. */
void ready_look(const struct metrics *, struct buf *reasons);

#endif
