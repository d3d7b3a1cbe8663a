/* peers - see peers.h. */
#include "smtp/peers.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct raw {
	int family;
	size_t n;
	unsigned char addr[16];
};

static struct raw
raw_of(const struct sockaddr *sa)
{
	struct raw r = { .family = sa->sa_family, .n = 4 };
	const struct sockaddr_in6 *six = (const void *)sa;

	if (sa->sa_family == AF_INET) {
		memcpy(r.addr, &((const struct sockaddr_in *)(const void *)sa)
				    ->sin_addr, 4);
	} else if (sa->sa_family == AF_INET6 &&
	    IN6_IS_ADDR_V4MAPPED(&six->sin6_addr)) {
		r.family = AF_INET;
		memcpy(r.addr, six->sin6_addr.s6_addr + 12, 4);
	} else if (sa->sa_family == AF_INET6) {
		r.n = 16;
		memcpy(r.addr, &six->sin6_addr, 16);
	} else {
		r.n = 0;
	}
	return r;
}

static unsigned
bucket_of(const struct raw *r)
{
	unsigned h = 2166136261u;

	for (size_t i = 0; i < r->n; i++)
		h = (h ^ r->addr[i]) * 16777619u;
	return (h ^ h >> 16) % PEER_BUCKETS;
}

struct peer *
peers_enter(struct peers *all, const struct sockaddr *sa)
{
	struct raw r = raw_of(sa);
	unsigned at = bucket_of(&r);
	struct peer *p;

	LIST_FOREACH (p, &all->buckets[at], next)
		if (p->family == r.family &&
		    memcmp(p->addr, r.addr, sizeof(r.addr)) == 0)
			break;
	if (p == NULL) {
		p = xcalloc(1, sizeof(*p));
		p->family = r.family;
		memcpy(p->addr, r.addr, sizeof(r.addr));
		LIST_INSERT_HEAD(&all->buckets[at], p, next);
	}
	p->connections++;
	return p;
}

void
peers_leave(struct peer *p)
{
	if (--p->connections > 0)
		return;
	LIST_REMOVE(p, next);
	free(p);
}

bool
net_has(const struct site_net *nets, size_t n, const struct sockaddr *sa)
{
	struct raw r = raw_of(sa);

	return site_nets_have(nets, n, r.family, r.addr);
}
