/*
 * peers - how many connections each client address holds. Owned by the door;
 * one entry for an address that has any.
 */
#ifndef SMTP_PEERS_H
#define SMTP_PEERS_H

#include <stdbool.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "smtp/smtp.h"

#define PEER_BUCKETS 1024

struct peer {
	LIST_ENTRY(peer) next;
	int family;
	unsigned char addr[16];
	unsigned connections;
};

struct peers {
	LIST_HEAD(, peer) buckets[PEER_BUCKETS];
};

/* One connection more or less. The last one frees the entry. */
struct peer *peers_enter(struct peers *, const struct sockaddr *);
void peers_leave(struct peer *);

/* Is the address in one of the networks? An IPv4-mapped one counts as IPv4. */
bool net_has(const struct site_net *, size_t n, const struct sockaddr *);

#endif
