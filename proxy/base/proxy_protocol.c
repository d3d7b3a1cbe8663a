/* proxy_protocol - see proxy_protocol.h. */
#include "base/proxy_protocol.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "filters/pn_str.h"

static const unsigned char signature[12] = "\r\n\r\n\0\r\nQUIT\n";

#define FIXED 16 /* signature, version and command, family, length */
#define VERSION_2 0x20
enum { COMMAND_LOCAL, COMMAND_PROXY };
/* Address family and transport, of one byte. */
enum { OVER_UNKNOWN = 0x00, OVER_TCP4 = 0x11, OVER_TCP6 = 0x21,
	OVER_UNIX = 0x31 };

static void
wrong(struct proxy_header *h, const char *why)
{
	h->state = PROXY_WRONG;
	h->why = why;
}

static void
set_address(struct sockaddr_storage *ss, int family, const void *raw,
    uint16_t port)
{
	struct sockaddr_in *four = (void *)ss;
	struct sockaddr_in6 *six = (void *)ss;

	*ss = (struct sockaddr_storage){ .ss_family = (sa_family_t)family };
	if (family == AF_INET) {
		four->sin_port = htons(port);
		memcpy(&four->sin_addr, raw, sizeof(four->sin_addr));
	} else {
		six->sin6_port = htons(port);
		memcpy(&six->sin6_addr, raw, sizeof(six->sin6_addr));
	}
}

/* ---- version 1 ---- */

/* Words are parted by one blank each. */
static struct pn_str
next_word(struct pn_str *rest)
{
	struct pn_str w = *rest;
	const char *blank = w.n > 0 ? memchr(w.p, ' ', w.n) : NULL;

	if (blank == NULL) {
		*rest = (struct pn_str){ 0 };
		return w;
	}
	w.n = (size_t)(blank - w.p);
	*rest = pn_str_sub(*rest, w.n + 1, rest->n);
	return w;
}

static bool
read_address(struct pn_str w, int family, unsigned char raw[16])
{
	char text[INET6_ADDRSTRLEN];

	if (w.n == 0 || w.n >= sizeof(text) || memchr(w.p, '\0', w.n) != NULL)
		return false;
	memcpy(text, w.p, w.n);
	text[w.n] = '\0';
	return inet_pton(family, text, raw) == 1;
}

static bool
read_port(struct pn_str w, uint16_t *port)
{
	unsigned v = 0;

	if (w.n == 0 || w.n > 5 || (w.n > 1 && w.p[0] == '0'))
		return false;
	for (size_t i = 0; i < w.n; i++) {
		if (w.p[i] < '0' || w.p[i] > '9')
			return false;
		v = v * 10 + (unsigned)(w.p[i] - '0');
	}
	*port = (uint16_t)v;
	return v <= UINT16_MAX;
}

/* "192.0.2.1 192.0.2.2 4711 25" */
static void
read_pair(struct proxy_header *h, struct pn_str rest, int family)
{
	unsigned char from[16], to[16];
	uint16_t from_port, to_port;

	if (!read_address(next_word(&rest), family, from) ||
	    !read_address(next_word(&rest), family, to) ||
	    !read_port(next_word(&rest), &from_port) ||
	    !read_port(rest, &to_port)) {
		wrong(h, "an address or a port is none");
		return;
	}
	set_address(&h->client, family, from, from_port);
	set_address(&h->listener, family, to, to_port);
	h->state = PROXY_GIVEN;
}

static void
read_line(struct proxy_header *h)
{
	struct pn_str rest = { (const char *)h->have, h->n - 2 };
	struct pn_str family;

	(void)next_word(&rest); /* PROXY */
	family = next_word(&rest);
	if (pn_str_eq(family, PN_STR_V("UNKNOWN")))
		h->state = PROXY_NONE; /* whatever follows */
	else if (pn_str_eq(family, PN_STR_V("TCP4")))
		read_pair(h, rest, AF_INET);
	else if (pn_str_eq(family, PN_STR_V("TCP6")))
		read_pair(h, rest, AF_INET6);
	else
		wrong(h, "neither TCP4 nor TCP6 nor UNKNOWN");
}

static void
take_text(struct proxy_header *h)
{
	static const char begin[] = "PROXY ";

	if (h->n < sizeof(begin)) {
		if (memcmp(h->have, begin, h->n < 6 ? h->n : 6) != 0)
			wrong(h, "it is no PROXY header");
	} else if (h->have[h->n - 1] == '\n' && h->have[h->n - 2] == '\r') {
		read_line(h);
	} else if (h->have[h->n - 1] == '\n' || h->have[h->n - 2] == '\r') {
		wrong(h, "a line end that is no CRLF");
	} else if (h->n == PROXY_LINE) {
		wrong(h, "longer than 107 bytes");
	}
}

/* ---- version 2 ---- */

static size_t
announced(const struct proxy_header *h)
{
	return (size_t)h->have[14] << 8 | h->have[15];
}

/* How many of the bytes behind the fixed ones are addresses that we read. */
static size_t
addresses_of(const struct proxy_header *h)
{
	if ((h->have[12] & 15) != COMMAND_PROXY)
		return 0;
	switch (h->have[13]) {
	case OVER_TCP4:
		return 12;
	case OVER_TCP6:
		return PROXY_ADDRESSES;
	default:
		return 0;
	}
}

static void
check_fixed(struct proxy_header *h)
{
	unsigned command = h->have[12] & 15, over = h->have[13];

	if ((h->have[12] & 0xf0) != VERSION_2)
		wrong(h, "neither version 1 nor 2");
	else if (command != COMMAND_LOCAL && command != COMMAND_PROXY)
		wrong(h, "neither LOCAL nor PROXY");
	else if (command == COMMAND_PROXY && over != OVER_UNKNOWN &&
	    over != OVER_TCP4 && over != OVER_TCP6 && over != OVER_UNIX)
		wrong(h, "a transport that is not TCP");
	else if (announced(h) < addresses_of(h))
		wrong(h, "too short for its addresses");
	else
		h->skip = announced(h) - addresses_of(h);
}

static void
read_binary(struct proxy_header *h)
{
	size_t size = h->have[13] == OVER_TCP4 ? 4 : 16;
	int family = size == 4 ? AF_INET : AF_INET6;
	const unsigned char *from = h->have + FIXED, *to = from + size;
	const unsigned char *ports = to + size;

	if (addresses_of(h) == 0) {
		h->state = PROXY_NONE;
		return;
	}
	set_address(&h->client, family, from,
	    (uint16_t)(ports[0] << 8 | ports[1]));
	set_address(&h->listener, family, to,
	    (uint16_t)(ports[2] << 8 | ports[3]));
	h->state = PROXY_GIVEN;
}

static void
take_binary(struct proxy_header *h)
{
	if (h->n <= sizeof(signature)) {
		if (memcmp(h->have, signature, h->n) != 0)
			wrong(h, "it is no PROXY header");
		return;
	}
	if (h->n == FIXED)
		check_fixed(h);
	if (h->state == PROXY_MORE && h->n >= FIXED &&
	    h->n == FIXED + addresses_of(h) && h->skip == 0)
		read_binary(h);
}

/* ---- both ---- */

/* The addresses are there: what stands behind them is passed over. */
static size_t
skip(struct proxy_header *h, size_t n)
{
	if (n > h->skip)
		n = h->skip;
	h->skip -= n;
	if (h->skip == 0)
		read_binary(h);
	return n;
}

size_t
proxy_header_read(struct proxy_header *h, const void *p, size_t n)
{
	const unsigned char *at = p;
	size_t used = 0;

	while (h->state == PROXY_MORE && used < n) {
		if (h->skip > 0 && h->n == FIXED + addresses_of(h)) {
			used += skip(h, n - used);
			continue;
		}
		h->have[h->n++] = at[used++];
		if (h->have[0] == signature[0])
			take_binary(h);
		else
			take_text(h);
	}
	return used;
}

/* ---- outward ---- */

static void
put_text(struct buf *b, const struct sockaddr_storage *from,
    const struct sockaddr_storage *to)
{
	char client[INET6_ADDRSTRLEN], listener[INET6_ADDRSTRLEN];
	const struct sockaddr_in *four[] = { (const void *)from,
		(const void *)to };
	const struct sockaddr_in6 *six[] = { (const void *)from,
		(const void *)to };

	if (from->ss_family == AF_INET)
		(void)buf_printf(b, "PROXY TCP4 %s %s %u %u\r\n",
		    inet_ntop(AF_INET, &four[0]->sin_addr, client,
			sizeof(client)),
		    inet_ntop(AF_INET, &four[1]->sin_addr, listener,
			sizeof(listener)),
		    ntohs(four[0]->sin_port), ntohs(four[1]->sin_port));
	else if (from->ss_family == AF_INET6)
		(void)buf_printf(b, "PROXY TCP6 %s %s %u %u\r\n",
		    inet_ntop(AF_INET6, &six[0]->sin6_addr, client,
			sizeof(client)),
		    inet_ntop(AF_INET6, &six[1]->sin6_addr, listener,
			sizeof(listener)),
		    ntohs(six[0]->sin6_port), ntohs(six[1]->sin6_port));
	else
		(void)buf_puts(b, "PROXY UNKNOWN\r\n");
}

static void
put_binary(struct buf *b, const struct sockaddr_storage *from,
    const struct sockaddr_storage *to)
{
	const struct sockaddr_in *four[] = { (const void *)from,
		(const void *)to };
	const struct sockaddr_in6 *six[] = { (const void *)from,
		(const void *)to };
	unsigned char rest[4] = { VERSION_2 | COMMAND_PROXY, OVER_TCP4, 0, 12 };

	if (from->ss_family == AF_INET6) {
		rest[1] = OVER_TCP6;
		rest[3] = PROXY_ADDRESSES;
	} else if (from->ss_family != AF_INET) {
		rest[0] = VERSION_2 | COMMAND_LOCAL;
		rest[1] = OVER_UNKNOWN;
		rest[3] = 0;
	}
	(void)buf_add(b, signature, sizeof(signature));
	(void)buf_add(b, rest, sizeof(rest));
	if (from->ss_family == AF_INET) {
		(void)buf_add(b, &four[0]->sin_addr, 4);
		(void)buf_add(b, &four[1]->sin_addr, 4);
		(void)buf_add(b, &four[0]->sin_port, 2);
		(void)buf_add(b, &four[1]->sin_port, 2);
	} else if (from->ss_family == AF_INET6) {
		(void)buf_add(b, &six[0]->sin6_addr, 16);
		(void)buf_add(b, &six[1]->sin6_addr, 16);
		(void)buf_add(b, &six[0]->sin6_port, 2);
		(void)buf_add(b, &six[1]->sin6_port, 2);
	}
}

void
proxy_header_put(struct buf *b, unsigned version,
    const struct sockaddr_storage *client,
    const struct sockaddr_storage *listener)
{
	if (version == 1)
		put_text(b, client, listener);
	else
		put_binary(b, client, listener);
}
