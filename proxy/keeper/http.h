/*
 * http - the keeper's answers to programs that watch: GET /metrics, GET
 * /health (does it live?) and GET /ready (would mail find its next hop?), on
 * the address that `metrics` names. Nothing here changes anything,
 * and nothing else is answered. What the master knows is asked for every
 * HTTP_ASK_MS, so that no watcher waits for it. Owned by keeper.c.
 */
#ifndef KEEPER_HTTP_H
#define KEEPER_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct keeper;
struct http;

#define HTTP_ASK_MS 2000
#define HTTP_HEAD_MAX 8192 /* bytes of a request; it has no body */
#define HTTP_PATIENCE_S 5

/* Takes sock: listening. */
struct http *http_new(struct keeper *, int sock);
void http_free(struct http *);
/* The master's object, as `postern status` shows it. */
void http_master_said(struct http *, struct pn_str json);

/* A reason for 503, which is `sick` in a line of its own. */
struct health {
	struct buf reasons; /* "": all is well */
};
/* Room left on the disk: bytes free, of so many. */
void health_disk(struct health *, const char *what, uint64_t free,
    uint64_t size);

#endif
