/*
 * source - who the client is, told by the connection itself rather than by a
 * command: a PROXY header before everything else, or the connection's very
 * address (TPROXY, Linux; Documentation/networking/tproxy.rst). Also which client a
 * connection was dialled for. Called by upstream; owns nothing.
 */
#ifndef SMTP_SOURCE_H
#define SMTP_SOURCE_H

#include "base/buf.h"
#include "mail/envelope.h"
#include "smtp/smtp.h"

/* A client's end of its connection. IPv4 as ::ffff:a.b.c.d. */
struct source {
	bool known; /* false: our own connection, a probe */
	unsigned char addr[16];
	bool v4;
	uint16_t port;
};

/* client may be NULL. */
void source_of(const struct client *, struct source *);
bool source_is(const struct source *, const struct client *);

/* Do connections begin with a PROXY header? */
bool source_has_header(enum smtp_identity);
/* It, for this client; NULL: for a connection of our own. */
void source_put_header(struct buf *, enum smtp_identity,
    const struct client *);

/*
 * The socket (of that family, not connected yet) will come from that address,
 * with a port of the kernel's choice; from our own where the client is nobody
 * or on this machine. -1 and errno: EPERM, the right to do so is missing;
 * EAFNOSUPPORT, the client's address is of the other family.
 */
int source_bind(int fd, int family, const struct source *);

#endif
