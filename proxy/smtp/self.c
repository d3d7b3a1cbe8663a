/* self - see self.h. */
#include "smtp/self.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

#include "smtp/smtp.h"

static bool
same_host(const struct sockaddr_storage *a, const struct sockaddr *b)
{
	const struct sockaddr_in *four = (const void *)a;
	const struct sockaddr_in6 *six = (const void *)a;

	if (b == NULL || a->ss_family != b->sa_family)
		return false;
	if (a->ss_family == AF_INET)
		return four->sin_addr.s_addr ==
		    ((const struct sockaddr_in *)(const void *)b)
			->sin_addr.s_addr;
	return memcmp(&six->sin6_addr,
		   &((const struct sockaddr_in6 *)(const void *)b)->sin6_addr,
		   sizeof(six->sin6_addr)) == 0;
}

/* As a listener: every address. To connect to: this machine. */
static bool
is_any(const struct sockaddr_storage *a)
{
	return a->ss_family == AF_INET
	    ? ((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr ==
		htonl(INADDR_ANY)
	    : IN6_IS_ADDR_UNSPECIFIED(
		  &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr);
}

static bool
is_of_this_machine(const struct sockaddr_storage *a)
{
	const struct sockaddr_in *four = (const void *)a;
	struct ifaddrs *all = NULL;
	bool ours = is_any(a) ||
	    (a->ss_family == AF_INET &&
		ntohl(four->sin_addr.s_addr) >> 24 == 127);

	if (!ours && getifaddrs(&all) == 0)
		for (const struct ifaddrs *i = all; i != NULL && !ours;
		     i = i->ifa_next)
			ours = same_host(a, i->ifa_addr);
	freeifaddrs(all);
	return ours;
}

/* The port stands at the same place for both families. */
static in_port_t
port_of(const struct sockaddr_storage *a)
{
	return ((const struct sockaddr_in *)(const void *)a)->sin_port;
}

static bool
is_inet(const struct sockaddr_storage *a)
{
	return a->ss_family == AF_INET || a->ss_family == AF_INET6;
}

/* "::ffff:192.0.2.1" is dialled as 192.0.2.1. */
static struct sockaddr_storage
as_dialled(const struct sockaddr_storage *to)
{
	const struct sockaddr_in6 *six = (const void *)to;
	struct sockaddr_storage out = *to;
	struct sockaddr_in *four = (void *)&out;

	if (to->ss_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
		return out;
	memset(&out, 0, sizeof(out));
	four->sin_family = AF_INET;
	four->sin_port = six->sin6_port;
	memcpy(&four->sin_addr, six->sin6_addr.s6_addr + 12, 4);
	return out;
}

/* Where a socket has "::" it has no IPv4 (IPV6_V6ONLY, listen.c). */
bool
self_is_reached(const struct sockaddr_storage *listener,
    const struct sockaddr_storage *to)
{
	struct sockaddr_storage a = as_dialled(to);

	return is_inet(listener) && listener->ss_family == a.ss_family &&
	    port_of(listener) == port_of(&a) && port_of(&a) != 0 &&
	    (same_host(listener, (const struct sockaddr *)&a) ||
		(is_any(listener) && is_of_this_machine(&a)));
}

bool
self_leads_to(const struct smtp_listener *l, const struct smtp_upstream *u)
{
	if (l->route == NULL)
		return l->upstream == u;
	for (size_t i = 0; i < l->route->n_lines; i++)
		if (l->route->lines[i].upstream == u)
			return true;
	return l->route->n_maps > 0 || l->route->otherwise == u;
}
