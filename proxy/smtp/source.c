/* source - see source.h. */
#include "smtp/source.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/ip.h"
#include "base/proxy_protocol.h"

void
source_of(const struct client *c, struct source *s)
{
	*s = (struct source){ 0 };
	if (c == NULL || !ip_parse(c->ip, s->addr, &s->v4))
		return;
	s->known = true;
	s->port = c->port;
}

bool
source_is(const struct source *s, const struct client *c)
{
	struct source other;

	source_of(c, &other);
	return s->known == other.known && s->port == other.port &&
	    memcmp(s->addr, other.addr, sizeof(s->addr)) == 0;
}

bool
source_has_header(enum smtp_identity by)
{
	return by == IDENTITY_PROXY || by == IDENTITY_PROXY_V1;
}

static void
set_address(struct sockaddr_storage *ss, const unsigned char addr[16], bool v4,
    uint16_t port)
{
	struct sockaddr_in *four = (void *)ss;
	struct sockaddr_in6 *six = (void *)ss;

	*ss = (struct sockaddr_storage){ .ss_family = v4 ? AF_INET : AF_INET6 };
	if (v4) {
		four->sin_port = htons(port);
		memcpy(&four->sin_addr, addr + 12, sizeof(four->sin_addr));
	} else {
		six->sin6_port = htons(port);
		memcpy(&six->sin6_addr, addr, sizeof(six->sin6_addr));
	}
}

/*
 * Where the client connected to. A released message's is not known, and what
 * an MTA told of its client need not be of one family: the loopback then.
 */
static void
set_listener(struct sockaddr_storage *ss, const struct client *c, bool v4)
{
	static const unsigned char loopback[2][16] = { { [15] = 1 },
		{ [10] = 0xff, 0xff, 127, 0, 0, 1 } };
	unsigned char addr[16];
	bool is_v4;

	if (ip_parse(c->to_ip, addr, &is_v4) && is_v4 == v4)
		set_address(ss, addr, v4, c->to_port);
	else
		set_address(ss, loopback[v4], v4, 25);
}

void
source_put_header(struct buf *b, enum smtp_identity by, const struct client *c)
{
	struct sockaddr_storage client = { 0 }, listener = { 0 };
	struct source s;

	source_of(c, &s);
	if (s.known) {
		set_address(&client, s.addr, s.v4, s.port);
		set_listener(&listener, c, s.v4);
	}
	proxy_header_put(b, by == IDENTITY_PROXY_V1 ? 1 : 2, &client,
	    &listener);
}

/* ---- TPROXY ---- */

static bool
is_loopback(const struct source *s)
{
	struct in6_addr six;

	memcpy(&six, s->addr, sizeof(six));
	return s->v4 ? s->addr[12] == 127 : IN6_IS_ADDR_LOOPBACK(&six);
}

int
source_bind(int fd, int family, const struct source *s)
{
	struct sockaddr_storage from;
	socklen_t size = s->v4 ? sizeof(struct sockaddr_in)
			       : sizeof(struct sockaddr_in6);
	int one = 1;

	if (!s->known || is_loopback(s))
		return 0;
	if (family != (s->v4 ? AF_INET : AF_INET6)) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	/* Ports are chosen at connect(), so that one can serve several
	 * servers; where that is not known, a little earlier. */
	(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one,
	    sizeof(one));
	if (s->v4 ? setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &one,
			sizeof(one)) < 0
		  : setsockopt(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, &one,
			sizeof(one)) < 0)
		return -1;
	set_address(&from, s->addr, s->v4, 0);
	return bind(fd, (struct sockaddr *)&from, size);
}
