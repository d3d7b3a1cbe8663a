/* endpoint - see endpoint.h. Called by those who read the configuration, by
 * listen.c and single.c, and by postern(1). */
#include "proxy/endpoint.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/un.h>

/* Digits alone, at most `most`; -1 when it is anything else. */
static long
number(struct pn_str s, long most)
{
	long v = 0;

	if (s.n == 0 || s.n > 5)
		return -1;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return -1;
		v = v * 10 + (s.p[i] - '0');
	}
	return v <= most ? v : -1;
}

static bool
presentation(int family, struct pn_str s, void *out)
{
	char text[INET6_ADDRSTRLEN];

	if (s.n >= sizeof(text))
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	return inet_pton(family, text, out) == 1;
}

/* Position of the byte behind the host: brackets shield an IPv6 one's colons.
 */
static size_t
host_end(struct pn_str s, char mark)
{
	const char *p = s.n > 0 && s.p[0] == '[' ? memchr(s.p, ']', s.n) : s.p;

	if (p != NULL)
		p = memchr(p, mark, s.n - (size_t)(p - s.p));
	return p == NULL ? s.n : (size_t)(p - s.p);
}

static const char *
fill(
    struct pn_str host, unsigned port, struct sockaddr_storage *a, socklen_t *n)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)a;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)a;

	memset(a, 0, sizeof(*a));
	if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']') {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)port);
		*n = sizeof(*v6);
		return presentation(AF_INET6, pn_str_sub(host, 1, host.n - 2),
			   &v6->sin6_addr)
			   ? NULL
			   : "is not an IPv6 address in brackets";
	}
	v4->sin_family = AF_INET;
	v4->sin_port = htons((uint16_t)port);
	*n = sizeof(*v4);
	if (pn_str_eq(host, PN_STR_V("*")))
		return NULL;
	return presentation(AF_INET, host, &v4->sin_addr)
		   ? NULL
		   : "is not a numeric address (127.0.0.1:25, [::1]:25)";
}

const char *
endpoint_parse(struct pn_str s, struct sockaddr_storage *a, socklen_t *n)
{
	size_t end = host_end(s, ':');
	long port = number(pn_str_sub(s, end + 1, s.n), 65535);

	if (end == s.n)
		return "has no port";
	if (port < 0)
		return "has no port of 0 to 65535";
	return fill(pn_str_sub(s, 0, end), (unsigned)port, a, n);
}

const char *
endpoint_parse_default(struct pn_str s, unsigned default_port,
    struct sockaddr_storage *a, socklen_t *n)
{
	if (host_end(s, ':') == s.n)
		return fill(s, default_port, a, n);
	return endpoint_parse(s, a, n);
}

static const char *
fill_path(struct pn_str path, struct sockaddr_storage *a, socklen_t *n)
{
	struct sockaddr_un *u = (struct sockaddr_un *)a;

	memset(a, 0, sizeof(*a));
	if (path.n == 0 || path.p[0] != '/')
		return "is not an absolute path";
	if (path.n >= sizeof(u->sun_path))
		return "is longer than the 107 bytes of a socket's path";
	u->sun_family = AF_UNIX;
	memcpy(u->sun_path, path.p, path.n);
	*n = sizeof(*u);
	return NULL;
}

/* PORT@HOST, the host with brackets or, if it is IPv6, without. */
static const char *
fill_reversed(
    struct pn_str s, size_t at, struct sockaddr_storage *a, socklen_t *n)
{
	struct pn_str host = pn_str_sub(s, at + 1, s.n);
	long port = number(pn_str_sub(s, 0, at), 65535);
	char bracketed[INET6_ADDRSTRLEN + 2];

	if (port < 0)
		return "has no port of 0 to 65535";
	if (host.n > 0 && host.p[0] != '[' && host.n < INET6_ADDRSTRLEN &&
	    memchr(host.p, ':', host.n) != NULL) {
		(void)snprintf(bracketed, sizeof(bracketed), "[%.*s]",
		    PN_STR_ARG(host));
		host = pn_str_of(bracketed);
	}
	return fill(host, (unsigned)port, a, n);
}

const char *
endpoint_parse_milter(
    struct pn_str s, struct sockaddr_storage *a, socklen_t *n)
{
	static const struct pn_str unixes[] = { PN_STR("unix:"),
		PN_STR("local:") };
	bool v6 = pn_str_starts(s, PN_STR_V("inet6:"));
	const char *at, *wrong;

	for (size_t i = 0; i < PN_COUNT(unixes); i++)
		if (pn_str_starts(s, unixes[i]))
			return fill_path(pn_str_sub(s, unixes[i].n, s.n), a, n);
	if (v6 || pn_str_starts(s, PN_STR_V("inet:")))
		s = pn_str_sub(s, v6 ? 6 : 5, s.n);
	else if (s.n > 0 && s.p[0] == '/')
		return "needs \"unix:\" before it";
	at = s.n > 0 ? memchr(s.p, '@', s.n) : NULL;
	if (at == NULL && host_end(s, ':') == s.n)
		return "is not unix:/PATH or inet:PORT@HOST";
	wrong = at != NULL ? fill_reversed(s, (size_t)(at - s.p), a, n)
			   : endpoint_parse(s, a, n);
	if (wrong == NULL && v6 && a->ss_family != AF_INET6)
		return "is not an IPv6 address";
	return wrong;
}

static bool
zero_behind(const unsigned char *addr, unsigned prefix, unsigned bits)
{
	for (unsigned i = prefix; i < bits; i++)
		if (addr[i / 8] & (128 >> i % 8))
			return false;
	return true;
}

const char *
network_parse(struct pn_str s, struct site_net *net)
{
	size_t end = host_end(s, '/');
	struct pn_str host = pn_str_sub(s, 0, end);
	long prefix;
	unsigned bits;

	*net = (struct site_net){ .family = AF_INET };
	if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = pn_str_sub(host, 1, host.n - 2);
	if (presentation(AF_INET6, host, net->addr))
		net->family = AF_INET6;
	else if (!presentation(AF_INET, host, net->addr))
		return "is not a network (10.0.0.0/8, [2001:db8::]/32)";
	bits = net->family == AF_INET ? 32 : 128;
	prefix =
	    end == s.n ? (long)bits : number(pn_str_sub(s, end + 1, s.n), bits);
	if (prefix < 0)
		return "has no prefix length that fits";
	net->prefix = (unsigned)prefix;
	return zero_behind(net->addr, net->prefix, bits)
		   ? NULL
		   : "has address bits behind its prefix";
}

bool
endpoint_is_any_port(const struct sockaddr_storage *a)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)a;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)a;

	return (a->ss_family == AF_INET && v4->sin_port == 0) ||
	       (a->ss_family == AF_INET6 && v6->sin6_port == 0);
}

bool
endpoint_is_loopback(const struct sockaddr_storage *a)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)a;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)a;

	if (a->ss_family == AF_INET)
		return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
	return a->ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

const char *
endpoint_text(const struct sockaddr_storage *a, char out[ENDPOINT_TEXT_MAX])
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)a;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)a;
	char host[INET6_ADDRSTRLEN] = "?";

	if (a->ss_family == AF_INET6) {
		(void)inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
		(void)snprintf(out, ENDPOINT_TEXT_MAX, "[%s]:%u", host,
		    ntohs(v6->sin6_port));
	} else {
		(void)inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
		(void)snprintf(
		    out, ENDPOINT_TEXT_MAX, "%s:%u", host, ntohs(v4->sin_port));
	}
	return out;
}

const char *
network_text(const struct site_net *net, char out[ENDPOINT_TEXT_MAX])
{
	char host[INET6_ADDRSTRLEN] = "?";

	(void)inet_ntop(net->family, net->addr, host, sizeof(host));
	(void)snprintf(out, ENDPOINT_TEXT_MAX,
	    net->family == AF_INET6 ? "[%s]/%u" : "%s/%u", host, net->prefix);
	return out;
}
