/* peers - see peers.h. */
#include "smtp/peers.h"

#include <string.h>

#include "base/ip.h"

struct peer
peer_of(const struct sockaddr *sa)
{
	struct peer p = { .family = sa->sa_family };
	const struct sockaddr_in6 *six = (const void *)sa;

	if (sa->sa_family == AF_INET) {
		p.n = 4;
		memcpy(p.addr, &((const struct sockaddr_in *)(const void *)sa)
				    ->sin_addr, 4);
	} else if (sa->sa_family == AF_INET6 &&
	    IN6_IS_ADDR_V4MAPPED(&six->sin6_addr)) {
		p.family = AF_INET;
		p.n = 4;
		memcpy(p.addr, six->sin6_addr.s6_addr + 12, 4);
	} else if (sa->sa_family == AF_INET6) {
		p.n = 16;
		memcpy(p.addr, &six->sin6_addr, 16);
	}
	return p;
}

struct peer
peer_of_text(struct pn_str ip)
{
	struct peer p = { 0 };
	bool v4;

	if (!ip_parse(ip, p.addr, &v4))
		return p;
	p.family = v4 ? AF_INET : AF_INET6;
	p.n = v4 ? 4 : 16;
	if (v4)
		memmove(p.addr, p.addr + 12, 4);
	return p;
}

size_t
peer_name(const struct peer *p, unsigned ipv4_bits, unsigned ipv6_bits,
    unsigned char name[PEER_NAME_MAX])
{
	unsigned bits = p->n == 4 ? ipv4_bits : ipv6_bits;

	name[0] = (unsigned char)p->n;
	for (size_t i = 0; i < p->n; i++, bits -= bits < 8 ? bits : 8)
		name[1 + i] = bits >= 8
		    ? p->addr[i]
		    : p->addr[i] & (unsigned char)(0xff00 >> bits);
	return 1 + p->n;
}

bool
peer_is_in(const struct peer *p, const struct site_net *nets, size_t n)
{
	return site_nets_have(nets, n, p->family, p->addr);
}

bool
net_has(const struct site_net *nets, size_t n, const struct sockaddr *sa)
{
	struct peer p = peer_of(sa);

	return peer_is_in(&p, nets, n);
}
