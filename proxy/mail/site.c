/* site - see site.h. */
#include "mail/site.h"

#include <arpa/inet.h>

#include "base/ip.h"

static bool
in_net(const struct site_net *net, int family, const unsigned char *addr)
{
	unsigned whole = net->prefix / 8, bits = net->prefix % 8;

	if (net->family != family || memcmp(net->addr, addr, whole) != 0)
		return false;
	return bits == 0 ||
	       ((net->addr[whole] ^ addr[whole]) >> (8 - bits)) == 0;
}

bool
site_nets_have(const struct site_net *nets, size_t n, int family,
    const unsigned char *addr)
{
	for (size_t i = 0; i < n; i++)
		if (in_net(&nets[i], family, addr))
			return true;
	return false;
}

/* Text of an IPv4-mapped address is IPv4's already (smtp/session). */
bool
site_has_client(const struct site *s, struct pn_str ip)
{
	unsigned char addr[16];
	bool v4;

	if (!ip_parse(ip, addr, &v4))
		return false;
	return site_nets_have(s->mynetworks, s->n_mynetworks,
	    v4 ? AF_INET : AF_INET6, v4 ? addr + 12 : addr);
}

bool
site_has_domain(const struct site *s, struct pn_str domain)
{
	if (domain.n == 0)
		return true;
	for (size_t i = 0; i < s->n_relay_domains; i++)
		if (pn_str_caseeq(domain, pn_str_of(s->relay_domains[i])))
			return true;
	return false;
}
