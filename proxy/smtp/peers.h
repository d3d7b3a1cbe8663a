/*
 * peers - client addresses as limits see them: in a network or not, and cut to
 * the net that is one client.
 */
#ifndef SMTP_PEERS_H
#define SMTP_PEERS_H

#include <stdbool.h>
#include <sys/socket.h>

#include "smtp/smtp.h"

#define PEER_NAME_MAX 17 /* of a client's net: its family and its address */

/* An IPv4-mapped address counts as IPv4. .n 0: it is none of the internet. */
struct peer {
	int family;
	size_t n;
	unsigned char addr[16];
};

struct peer peer_of(const struct sockaddr *);
/* "192.0.2.1" */
struct peer peer_of_text(struct pn_str ip);
/* The net it is in, of so many bits; bytes written. */
size_t peer_name(const struct peer *, unsigned ipv4_bits, unsigned ipv6_bits,
    unsigned char name[PEER_NAME_MAX]);

bool peer_is_in(const struct peer *, const struct site_net *, size_t n);
bool net_has(const struct site_net *, size_t n, const struct sockaddr *);

#endif
