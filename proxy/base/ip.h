/* ip - an address's text as 16 bytes, IPv4 and IPv6 alike; no sockets. */
#ifndef BASE_IP_H
#define BASE_IP_H

#include <stdbool.h>

#include "filters/pn_str.h"

/*
 * "192.0.2.1" or "2001:db8::1", no brackets; IPv4 becomes ::ffff:a.b.c.d and
 * *v4 is set. False: it is neither.
 */
bool ip_parse(struct pn_str text, unsigned char addr[16], bool *v4);

#endif
