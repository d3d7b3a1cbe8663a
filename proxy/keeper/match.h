/*
 * match - is this the mail that an operator looks for? The conditions of
 * `history` and `quarantine.list` on what a row holds. Letters of ASCII match
 * in either case, everywhere: people type addresses as they please.
 */
#ifndef KEEPER_MATCH_H
#define KEEPER_MATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "filters/pn_str.h"

/* "ada@example.com" that address, "@example.com" any of that domain. */
bool match_address(struct pn_str wanted, struct pn_str address);
/* The same, of any in "a@x,b@y". */
bool match_addresses(struct pn_str wanted, struct pn_str list);
/* wanted stands somewhere in text. */
bool match_text(struct pn_str wanted, struct pn_str text);

/* Clients: an address, or a network 192.0.2.0/24, 2001:db8::/32. */
struct match_net {
	unsigned char addr[16]; /* as of base/ip.h */
	unsigned prefix;	/* bits of it */
};
bool match_net_parse(struct pn_str, struct match_net *);
bool match_net(const struct match_net *, struct pn_str ip);

#endif
