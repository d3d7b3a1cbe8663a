/*
 * proxy_protocol - the header a load balancer puts before everything else, to
 * say whose connection it hands on. HAProxy's proxy-protocol.txt, version 1
 * (one line of text) and version 2 (binary).
 *
 * Pure: bytes in, addresses out, and the reverse. Inward called by session,
 * outward by upstream; owns nothing.
 */
#ifndef BASE_PROXY_PROTOCOL_H
#define BASE_PROXY_PROTOCOL_H

#include <sys/socket.h>

#include "base/buf.h"

#define PROXY_LINE 107 /* version 1, with its CRLF */
#define PROXY_ADDRESSES 36 /* the largest pair of version 2 we read */

enum proxy_state {
	PROXY_MORE,  /* not all of it was seen */
	PROXY_GIVEN, /* .client and .listener */
	PROXY_NONE,  /* LOCAL, UNKNOWN: the connection is the proxy's own */
	PROXY_WRONG  /* .why */
};

struct proxy_header {
	enum proxy_state state;
	unsigned char have[PROXY_LINE]; /* what was seen and is still to read */
	size_t n;
	size_t skip; /* bytes of version 2 that tell nothing here */
	struct sockaddr_storage client, listener;
	const char *why; /* for the log */
};

/*
 * Read on; the struct is zeroed before the first call. Returns how many of the
 * n bytes belong to the header: fewer than n when it ends before them. Slices
 * of any size give the same result. Nothing is taken once state is not MORE.
 */
size_t proxy_header_read(struct proxy_header *, const void *p, size_t n);

/*
 * A header in version 1 or 2 for a connection from client to listener, of one
 * family. Neither known (AF_UNSPEC): UNKNOWN, and LOCAL in version 2.
 */
void proxy_header_put(struct buf *, unsigned version,
    const struct sockaddr_storage *client,
    const struct sockaddr_storage *listener);

#endif
