/* url - see url.h. Sections named are those of the WHATWG URL standard. */
#include "inspect/url.h"

#include <arpa/inet.h>
#include <idn2.h>
#include <libpsl.h>
#include <stdio.h>
#include <stdlib.h>

#include "inspect/decode.h"

#define HOST_MAX 255 /* bytes; a longer one is no name */

/* ---- small things ---- */

static bool
is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is(struct pn_str s, const char *word)
{
	return pn_str_eq(s, pn_str_of(word));
}

static struct pn_str
lowered(struct pn_str s, struct arena *a)
{
	char *p = arena_alloc(a, s.n);

	for (size_t i = 0; p != NULL && i < s.n; i++)
		p[i] = pn_lower(s.p[i]);
	return (struct pn_str){ p, p != NULL ? s.n : 0 };
}

/* Without what browsers drop (4.4): outer controls and blanks, and tabs and
 * line ends wherever they are. */
static struct pn_str
stripped(struct pn_str s, struct arena *a)
{
	size_t n = 0;
	char *p;

	while (s.n > 0 && (unsigned char)s.p[0] <= ' ')
		s = pn_str_sub(s, 1, s.n);
	while (s.n > 0 && (unsigned char)s.p[s.n - 1] <= ' ')
		s.n--;
	if ((p = arena_alloc(a, s.n)) == NULL)
		return (struct pn_str){ NULL, 0 };
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != '\t' && s.p[i] != '\n' && s.p[i] != '\r')
			p[n++] = s.p[i];
	return (struct pn_str){ p, n };
}

/* Bytes in front of the first of these. */
static size_t
span_to(struct pn_str s, const char *stops)
{
	size_t i = 0;

	while (i < s.n && (s.p[i] == '\0' || strchr(stops, s.p[i]) == NULL))
		i++;
	return i;
}

/* ---- hosts (3.5) ---- */

/* One number of an IPv4 address: decimal, 0octal, 0xhex; false: none. */
static bool
read_part(struct pn_str s, uint64_t *out)
{
	unsigned base = 10;

	if (s.n == 0)
		return false;
	if (s.n >= 2 && s.p[0] == '0' && pn_lower(s.p[1]) == 'x') {
		base = 16;
		s = pn_str_sub(s, 2, s.n);
	} else if (s.n >= 2 && s.p[0] == '0') {
		base = 8;
		s = pn_str_sub(s, 1, s.n);
	}
	*out = 0;
	for (size_t i = 0; i < s.n; i++) {
		int d = hex_digit(s.p[i]);

		if (d < 0 || d >= (int)base)
			return false;
		if (*out <= UINT32_MAX)
			*out = *out * base + (unsigned)d;
	}
	return true;
}

static struct pn_str
last_label(struct pn_str host)
{
	const char *dot;

	if (host.n > 0 && host.p[host.n - 1] == '.')
		host.n--;
	dot = host.n > 0 ? memrchr(host.p, '.', host.n) : NULL;
	return dot == NULL ? host :
	    pn_str_sub(host, (size_t)(dot - host.p) + 1, host.n);
}

/* Such a host is an address or nothing. */
static bool
ends_in_number(struct pn_str host)
{
	struct pn_str last = last_label(host);
	uint64_t number;
	size_t i = 0;

	while (i < last.n && is_digit(last.p[i]))
		i++;
	return (i == last.n && i > 0) || read_part(last, &number);
}

/* "0x7f.1", "2130706433", "0177.0.0.1": dotted in the arena. */
static bool
read_ipv4(struct pn_str host, struct pn_str *out, struct arena *a)
{
	uint64_t address = 0, part;
	unsigned n = 0;
	char *text;

	if (host.n > 0 && host.p[host.n - 1] == '.')
		host.n--;
	for (bool last = false; !last; n++) {
		size_t size = span_to(host, ".");

		last = size == host.n;
		if (n == 4 || !read_part(pn_str_sub(host, 0, size), &part) ||
		    part >= (last ? (uint64_t)1 << (8 * (4 - n)) : 256))
			return false;
		address |= last ? part : part << (8 * (3 - n));
		host = pn_str_sub(host, size + 1, host.n);
	}
	text = arena_printf(a, "%u.%u.%u.%u", (unsigned)(address >> 24 & 255),
	    (unsigned)(address >> 16 & 255), (unsigned)(address >> 8 & 255),
	    (unsigned)(address & 255));
	*out = pn_str_of(text);
	return text != NULL;
}

static bool
read_ipv6(struct pn_str host, struct pn_str *out, struct arena *a)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr address;

	if (host.n >= sizeof(text) || host.n == 0)
		return false;
	memcpy(text, host.p, host.n);
	text[host.n] = '\0';
	if (inet_pton(AF_INET6, text, &address) != 1 ||
	    inet_ntop(AF_INET6, &address, text, sizeof(text)) == NULL)
		return false;
	*out = arena_str(a, pn_str_of(text));
	return out->p != NULL;
}

static bool
is_ascii(struct pn_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((s.p[i] & 0x80) != 0)
			return false;
	return true;
}

/* IDNA (UTS 46) of what is not ASCII. What IDNA refuses some browsers take all
 * the same (emoji): it stays as it is. */
static struct pn_str
to_ascii(struct pn_str host, struct arena *a)
{
	struct pn_str copy = arena_str(a, host); /* NUL-terminated */
	char *ascii = NULL;

	if (copy.p == NULL || memchr(copy.p, '\0', copy.n) != NULL)
		return lowered(host, a);
	if (idn2_to_ascii_8z(copy.p, &ascii,
		IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL |
		    IDN2_ALLOW_UNASSIGNED) != IDN2_OK)
		return lowered(host, a);
	copy = arena_str(a, pn_str_of(ascii));
	idn2_free(ascii);
	return lowered(copy, a);
}

static struct pn_str
domain_of(struct pn_str host, struct arena *a)
{
	struct pn_str copy = arena_str(a, host); /* NUL-terminated */
	const char *domain = NULL;

	if (copy.p != NULL && host.n <= HOST_MAX)
		domain = psl_registrable_domain(psl_builtin(), copy.p);
	return domain != NULL ? pn_str_of(domain) : host;
}

static bool
set_host(struct url *u, struct pn_str s, struct arena *a)
{
	if (s.n > 2 && s.p[0] == '[' && s.p[s.n - 1] == ']') {
		u->ip = read_ipv6(pn_str_sub(s, 1, s.n - 2), &u->host, a);
		u->domain = u->host;
		return u->ip;
	}
	s = percent_decode(s, a);
	s = is_ascii(s) ? lowered(s, a) : to_ascii(s, a);
	if (s.n == 0 || span_to(s, " #/:<>?@[\\]^|%\x7f") < s.n)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ')
			return false;
	if (ends_in_number(s)) {
		u->ip = read_ipv4(s, &u->host, a);
		u->domain = u->host;
		return u->ip;
	}
	if (s.p[0] == '.' || memmem(s.p, s.n, "..", 2) != NULL)
		return false; /* no name has an empty label */
	if (s.p[s.n - 1] == '.')
		s.n--;
	u->host = s;
	u->domain = domain_of(s, a);
	return true;
}

/* user:password@host:port */
static bool
set_authority(struct url *u, struct pn_str s, struct arena *a)
{
	const char *at = s.n > 0 ? memrchr(s.p, '@', s.n) : NULL;
	const char *colon;

	if (at != NULL) {
		u->user = true;
		s = pn_str_sub(s, (size_t)(at - s.p) + 1, s.n);
	}
	colon = s.n > 0 ? memrchr(s.p, ':', s.n) : NULL;
	if (colon != NULL && memchr(colon, ']', (size_t)(s.p + s.n - colon)) ==
	    NULL) {
		u->port = pn_str_sub(s, (size_t)(colon - s.p) + 1, s.n);
		s.n = (size_t)(colon - s.p);
	}
	for (size_t i = 0; i < u->port.n; i++)
		if (!is_digit(u->port.p[i]))
			return false;
	return set_host(u, s, a);
}

/* ---- the whole ---- */

/* Those whose '\' is '/', and that have a host (3.1). */
static bool
is_special(struct pn_str scheme)
{
	static const char *const special[] = { "http", "https", "ftp", "ws",
		"wss" };

	for (size_t i = 0; i < PN_COUNT(special); i++)
		if (is(scheme, special[i]))
			return true;
	return false;
}

/* "http:" with its colon; 0: none. */
static size_t
scheme_size(struct pn_str s)
{
	size_t i = 1;

	if (s.n == 0 || !is_alpha(s.p[0]))
		return 0;
	while (i < s.n && (is_alpha(s.p[i]) || is_digit(s.p[i]) ||
	    s.p[i] == '+' || s.p[i] == '-' || s.p[i] == '.'))
		i++;
	return i < s.n && s.p[i] == ':' ? i + 1 : 0;
}

static void
set_path(struct url *u, struct pn_str s, struct pn_str *path,
    struct pn_str *query, struct arena *a)
{
	size_t n;

	s.n = span_to(s, "#");
	n = span_to(s, "?");
	*path = pn_str_sub(s, 0, n);
	*query = pn_str_sub(s, n + 1, s.n);
	if (path->n == 0 && u->host.n > 0)
		*path = PN_STR_V("/");
	u->path = percent_decode(*path, a);
	u->query = percent_decode(*query, a);
}

static bool
set_whole(struct url *u, struct pn_str path, struct pn_str query,
    struct arena *a)
{
	bool six = u->host.n > 0 && memchr(u->host.p, ':', u->host.n) != NULL;
	char *text = arena_printf(a, "%.*s:%s%s%.*s%s%s%.*s%.*s%s%.*s",
	    PN_STR_ARG(u->scheme), u->host.n > 0 ? "//" : "", six ? "[" : "",
	    PN_STR_ARG(u->host), six ? "]" : "", u->port.n > 0 ? ":" : "",
	    PN_STR_ARG(u->port), PN_STR_ARG(path), query.n > 0 ? "?" : "",
	    PN_STR_ARG(query));

	u->whole = pn_str_of(text);
	return text != NULL;
}

/* Behind the scheme's colon. */
static bool
read_rest(struct url *u, struct pn_str s, struct arena *a)
{
	bool special = is_special(u->scheme);
	struct pn_str path, query;
	size_t n = 0;

	while (special && n < s.n && (s.p[n] == '/' || s.p[n] == '\\'))
		n++;
	if (!special && pn_str_starts(s, PN_STR_V("//")))
		n = 2;
	s = pn_str_sub(s, n, s.n);
	if (special || n == 2) {
		n = span_to(s, special ? "/\\?#" : "/?#");
		if (!set_authority(u, pn_str_sub(s, 0, n), a) && special)
			return false;
		s = pn_str_sub(s, n, s.n);
	}
	set_path(u, s, &path, &query, a);
	return set_whole(u, path, query, a);
}

static struct pn_str
joined(struct pn_str a, struct pn_str b, struct arena *arena)
{
	char *p = arena_alloc(arena, a.n + b.n);

	if (p == NULL)
		return (struct pn_str){ NULL, 0 };
	if (a.n > 0)
		memcpy(p, a.p, a.n);
	if (b.n > 0)
		memcpy(p + a.n, b.p, b.n);
	return (struct pn_str){ p, a.n + b.n };
}

/* Against a base with a host: another host, or a path of this one. */
static bool
read_relative(struct url *u, struct pn_str s, const struct url *base,
    struct arena *a)
{
	struct pn_str path = base->path, query;
	const char *slash;

	u->scheme = base->scheme;
	if (s.n >= 2 && (s.p[0] == '/' || s.p[0] == '\\') &&
	    (s.p[1] == '/' || s.p[1] == '\\'))
		return read_rest(u, s, a);
	u->host = base->host;
	u->domain = base->domain;
	u->port = base->port;
	u->ip = base->ip;
	slash = path.n > 0 ? memrchr(path.p, '/', path.n) : NULL;
	if (s.n > 0 && (s.p[0] == '/' || s.p[0] == '\\'))
		path.n = 0;
	else if (s.n > 0 && s.p[0] != '?' && s.p[0] != '#')
		path.n = slash ? (size_t)(slash - path.p) + 1 : 0;
	s = joined(path, s, a);
	set_path(u, s, &path, &query, a);
	return set_whole(u, path, query, a);
}

/* name is NUL-terminated and in lower case. */
static bool
has_suffix(struct pn_str name)
{
	const char *dot = memrchr(name.p, '.', name.n);

	return dot != NULL && name.n <= HOST_MAX &&
	    psl_registrable_domain(psl_builtin(), name.p) != NULL &&
	    psl_is_public_suffix2(psl_builtin(), dot + 1,
		PSL_TYPE_ANY | PSL_TYPE_NO_STAR_RULE);
}

bool
url_is_public(const struct url *u, struct arena *a)
{
	struct pn_str copy = arena_str(a, u->host);

	return u->ip || (copy.p != NULL && copy.n > 0 && has_suffix(copy));
}

bool
url_looks_like_host(struct pn_str s, struct arena *a)
{
	struct pn_str host = pn_str_sub(s, 0, span_to(s, "/\\?#:"));
	struct pn_str copy;

	if (host.n <= HOST_MAX && !is_ascii(host))
		host = to_ascii(host, a); /* full-width letters and dots */
	if (host.n > HOST_MAX || host.n == 0 ||
	    memchr(host.p, '.', host.n) == NULL || host.p[0] == '.' ||
	    span_to(host, " <>\"'()[]{},;!@") < host.n)
		return false;
	if (pn_str_caseeq(pn_str_sub(host, 0, 4), PN_STR_V("www.")))
		return true;
	copy = arena_str(a, lowered(host, a)); /* NUL-terminated */
	return copy.p != NULL && copy.n > 0 && !ends_in_number(copy) &&
	    has_suffix(copy);
}

bool
url_parse(struct url *u, struct pn_str s, const struct url *base,
    struct arena *a)
{
	size_t n;

	*u = (struct url){ .ip = false };
	s = stripped(s, a);
	if (s.n == 0)
		return false;
	n = scheme_size(s);
	/* "example.com:80/" has a port and no scheme. */
	if (n > 0 && !(n < s.n && is_digit(s.p[n]) &&
	    memchr(s.p, '.', n) != NULL)) {
		u->scheme = lowered(pn_str_sub(s, 0, n - 1), a);
		return u->scheme.p != NULL &&
		    read_rest(u, pn_str_sub(s, n, s.n), a);
	}
	if (base != NULL && base->host.n > 0)
		return read_relative(u, s, base, a);
	u->scheme = PN_STR_V("http");
	if (s.n > 2 && (s.p[0] == '/' || s.p[0] == '\\') &&
	    (s.p[1] == '/' || s.p[1] == '\\'))
		return read_rest(u, s, a);
	return url_looks_like_host(s, a) && read_rest(u, s, a);
}
