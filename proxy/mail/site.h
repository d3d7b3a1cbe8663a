/*
 * site - whose mail we are here for: the networks our own clients are in and
 * the domains we take mail for. Read from postern.conf by proxy/config;
 * read-only. Asked by the engine (direction) and the doors.
 */
#ifndef MAIL_SITE_H
#define MAIL_SITE_H

#include <stdbool.h>

#include "filters/pn_str.h"

struct site_net {
	int family; /* AF_INET, AF_INET6 */
	unsigned char addr[16];
	unsigned prefix; /* bits */
};

struct site {
	const struct site_net *mynetworks;
	size_t n_mynetworks;
	const char *const *relay_domains; /* lower case */
	size_t n_relay_domains;
};

/* Is the address (of that family, as in the network's order) in one of them? */
bool site_nets_have(
    const struct site_net *, size_t n, int family, const unsigned char *addr);
/* Is the client ("192.0.2.1") in mynetworks? False for what is no address. */
bool site_has_client(const struct site *, struct pn_str ip);
/* Do we take mail for it? "" is the domain of <postmaster>: ours. */
bool site_has_domain(const struct site *, struct pn_str domain);

#endif
