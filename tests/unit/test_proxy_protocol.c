/* proxy_protocol: both versions in and out; slicing changes nothing. */
#include "cm.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/proxy_protocol.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4_PAIR "\xc0\0\2\7" "\xc6\x33\x64\1" "\x12\x67" "\0\x19"

/* "192.0.2.7:4711>198.51.100.1:25", "own", "more" or "wrong: why". */
static const char *
text_of(const struct proxy_header *h, char out[200])
{
	const struct sockaddr_storage *both[] = { &h->client, &h->listener };
	char *at = out;

	if (h->state != PROXY_GIVEN) {
		(void)snprintf(out, 200, "%s%s",
		    h->state == PROXY_MORE	? "more"
			: h->state == PROXY_NONE ? "own"
						 : "wrong: ",
		    h->state == PROXY_WRONG ? h->why : "");
		return out;
	}
	for (size_t i = 0; i < 2; i++) {
		char ip[INET6_ADDRSTRLEN];
		const struct sockaddr_in *four = (const void *)both[i];
		const struct sockaddr_in6 *six = (const void *)both[i];
		bool is_six = both[i]->ss_family == AF_INET6;

		assert_non_null(inet_ntop(both[i]->ss_family,
		    is_six ? (const void *)&six->sin6_addr
			   : (const void *)&four->sin_addr,
		    ip, sizeof(ip)));
		at += sprintf(at, "%s%s:%u", i ? ">" : "", ip,
		    ntohs(is_six ? six->sin6_port : four->sin_port));
	}
	return out;
}

/* In slices of every size; each is in memory of its own, for sanitizers. */
static void
expect(struct pn_str in, const char *want, size_t used)
{
	char text[200];

	for (size_t slice = 1; slice <= in.n; slice++) {
		struct proxy_header h = { 0 };
		size_t taken = 0;

		for (size_t at = 0; at < in.n; at += slice) {
			struct pn_str piece = pn_str_sub(in, at, slice);
			char *own = malloc(piece.n);

			memcpy(own, piece.p, piece.n);
			taken += proxy_header_read(&h, own, piece.n);
			free(own);
		}
		assert_string_equal(text_of(&h, text), want);
		assert_int_equal(taken, used);
	}
}

#define GOOD(in, want) expect(PN_STR_V(in "EHLO"), want, sizeof(in) - 1)
#define WRONG(in, why, used) expect(PN_STR_V(in), "wrong: " why, used)

static void
version_1(void **state)
{
	(void)state;
	GOOD("PROXY TCP4 192.0.2.7 198.51.100.1 4711 25\r\n",
	    "192.0.2.7:4711>198.51.100.1:25");
	GOOD("PROXY TCP4 255.255.255.255 255.255.255.255 65535 0\r\n",
	    "255.255.255.255:65535>255.255.255.255:0");
	GOOD("PROXY TCP6 2001:DB8:0::7 ::1 4711 25\r\n",
	    "2001:db8::7:4711>::1:25");
	GOOD("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	     "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:65535>"
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:65535");
	GOOD("PROXY UNKNOWN\r\n", "own");
	GOOD("PROXY UNKNOWN and whatever follows\r\n", "own");
	expect(PN_STR_V("PROXY TCP4 192.0.2.7 198.51.100.1 4711 25\r"), "more",
	    42);
}

static void
version_1_wrong(void **state)
{
	(void)state;
	WRONG("EHLO x\r\n", "it is no PROXY header", 1);
	WRONG("PROXI TCP4", "it is no PROXY header", 5);
	WRONG("proxy tcp4", "it is no PROXY header", 1);
	WRONG("PROXY\r\n", "it is no PROXY header", 6);
	WRONG("PROXY TCP5 a b c d\r\n", "neither TCP4 nor TCP6 nor UNKNOWN",
	    20);
	WRONG("PROXY \r\n", "neither TCP4 nor TCP6 nor UNKNOWN", 8);
	WRONG("PROXY TCP4\r\n", "an address or a port is none", 12);
	WRONG("PROXY TCP4 ::1 ::1 1 1\r\n", "an address or a port is none", 24);
	WRONG("PROXY TCP6 1.2.3.4 1.2.3.4 1 1\r\n",
	    "an address or a port is none", 32);
	WRONG("PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
	    "an address or a port is none", 30);
	WRONG("PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n",
	    "an address or a port is none", 36);
	WRONG("PROXY TCP4 1.2.3.4 1.2.3.4 01 1\r\n",
	    "an address or a port is none", 33);
	WRONG("PROXY TCP4 1.2.3.4 1.2.3.4 1 1 \r\n",
	    "an address or a port is none", 33);
	WRONG("PROXY TCP4  1.2.3.4 1.2.3.4 1 1\r\n",
	    "an address or a port is none", 33);
	WRONG("PROXY TCP4 1.2.3.4\0 1.2.3.4 1 1\r\n",
	    "an address or a port is none", 33);
	WRONG("PROXY TCP4 01.2.3.4 1.2.3.4 1 1\r\n",
	    "an address or a port is none", 33);
	WRONG("PROXY UNKNOWN\nEHLO x\r\n", "a line end that is no CRLF", 14);
	WRONG("PROXY UNKNOWN\rx\r\n", "a line end that is no CRLF", 15);
}

static void
version_1_length(void **state)
{
	char line[PROXY_LINE + 2] = "PROXY UNKNOWN ";

	(void)state;
	for (size_t i = strlen(line); i < PROXY_LINE + 1; i++)
		line[i] = 'x';
	expect((struct pn_str){ line, PROXY_LINE + 1 },
	    "wrong: longer than 107 bytes", PROXY_LINE);
	memcpy(line + PROXY_LINE - 2, "\r\nE", 3);
	expect((struct pn_str){ line, PROXY_LINE + 1 }, "own", PROXY_LINE);
}

static void
version_2(void **state)
{
	(void)state;
	GOOD(SIGNATURE "\x21\x11\0\x0c" V4_PAIR,
	    "192.0.2.7:4711>198.51.100.1:25");
	GOOD(SIGNATURE "\x21\x11\0\x10" V4_PAIR "\4\0\1x",
	    "192.0.2.7:4711>198.51.100.1:25");
	GOOD(SIGNATURE
	    "\x21\x21\0\x24\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\7"
	    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\x12\x67\0\x19",
	    "2001:db8::7:4711>::1:25");
	GOOD(SIGNATURE "\x20\0\0\0", "own");
	GOOD(SIGNATURE "\x20\x11\0\x0c" V4_PAIR, "own");
	GOOD(SIGNATURE "\x20\x99\0\1x", "own");
	GOOD(SIGNATURE "\x21\0\0\2xx", "own");
	GOOD(SIGNATURE "\x21\x31\0\4path", "own");
	expect(PN_STR_V(SIGNATURE "\x21\x11\0\x10" V4_PAIR "\4\0\1"), "more",
	    31);
}

static void
version_2_wrong(void **state)
{
	(void)state;
	WRONG("\r\n\r\n\0\r\nQUIT\r", "it is no PROXY header", 12);
	WRONG("\r\nEHLO", "it is no PROXY header", 3);
	WRONG(SIGNATURE "\x11\x11\0\x0c" V4_PAIR, "neither version 1 nor 2",
	    16);
	WRONG(SIGNATURE "\x31\x11\0\x0c" V4_PAIR, "neither version 1 nor 2",
	    16);
	WRONG(SIGNATURE "\x22\x11\0\x0c" V4_PAIR, "neither LOCAL nor PROXY",
	    16);
	WRONG(SIGNATURE "\x21\x12\0\x0c" V4_PAIR, "a transport that is not TCP",
	    16);
	WRONG(SIGNATURE "\x21\x13\0\x0c" V4_PAIR, "a transport that is not TCP",
	    16);
	WRONG(SIGNATURE "\x21\x11\0\x0b" V4_PAIR, "too short for its addresses",
	    16);
	WRONG(SIGNATURE "\x21\x21\0\x0c" V4_PAIR, "too short for its addresses",
	    16);
}

/* The longest header there can be is passed over without being kept. */
static void
long_version_2(void **state)
{
	size_t n = 16 + 65535;
	char *in = malloc(n + 4), text[200];

	(void)state;
	memset(in, 'x', n + 4);
	memcpy(in, SIGNATURE "\x21\x11\xff\xff" V4_PAIR, 28);
	for (size_t slice = 1; slice <= n + 4; slice = slice * 7 + 1) {
		struct proxy_header h = { 0 };
		size_t taken = 0;

		for (size_t at = 0; at < n + 4; at += slice)
			taken += proxy_header_read(&h, in + at,
			    at + slice < n + 4 ? slice : n + 4 - at);
		assert_int_equal(taken, n);
		assert_string_equal(text_of(&h, text),
		    "192.0.2.7:4711>198.51.100.1:25");
	}
	free(in);
}

static struct sockaddr_storage
address(int family, const char *ip, uint16_t port)
{
	struct sockaddr_storage ss = { .ss_family = (sa_family_t)family };
	struct sockaddr_in *four = (void *)&ss;
	struct sockaddr_in6 *six = (void *)&ss;

	if (family == AF_INET) {
		assert_int_equal(inet_pton(family, ip, &four->sin_addr), 1);
		four->sin_port = htons(port);
	} else if (family == AF_INET6) {
		assert_int_equal(inet_pton(family, ip, &six->sin6_addr), 1);
		six->sin6_port = htons(port);
	}
	return ss;
}

static void
expect_put(unsigned version, int family, const char *from, const char *to,
    struct pn_str want, const char *read)
{
	struct sockaddr_storage client = address(family, from, 4711);
	struct sockaddr_storage listener = address(family, to, 25);
	struct proxy_header h = { 0 };
	struct buf b = { 0 };
	char text[200];

	proxy_header_put(&b, version, &client, &listener);
	assert_int_equal(buf_len(&b), want.n);
	assert_memory_equal(buf_data(&b), want.p, want.n);
	assert_int_equal(proxy_header_read(&h, buf_data(&b), buf_len(&b)),
	    buf_len(&b));
	assert_string_equal(text_of(&h, text), read);
	buf_fini(&b);
}

/* What we say, we understand. */
static void
outward(void **state)
{
	(void)state;
	expect_put(1, AF_INET, "192.0.2.7", "198.51.100.1",
	    PN_STR_V("PROXY TCP4 192.0.2.7 198.51.100.1 4711 25\r\n"),
	    "192.0.2.7:4711>198.51.100.1:25");
	expect_put(1, AF_INET6, "2001:db8::7", "::1",
	    PN_STR_V("PROXY TCP6 2001:db8::7 ::1 4711 25\r\n"),
	    "2001:db8::7:4711>::1:25");
	expect_put(1, AF_UNSPEC, "", "", PN_STR_V("PROXY UNKNOWN\r\n"), "own");
	expect_put(2, AF_INET, "192.0.2.7", "198.51.100.1",
	    PN_STR_V(SIGNATURE "\x21\x11\0\x0c" V4_PAIR),
	    "192.0.2.7:4711>198.51.100.1:25");
	expect_put(2, AF_INET6, "2001:db8::7", "::1",
	    PN_STR_V(SIGNATURE
		"\x21\x21\0\x24\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\7"
		"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\x12\x67\0\x19"),
	    "2001:db8::7:4711>::1:25");
	expect_put(2, AF_UNSPEC, "", "", PN_STR_V(SIGNATURE "\x20\0\0\0"),
	    "own");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(version_1),
		cmocka_unit_test(version_1_wrong),
		cmocka_unit_test(version_1_length),
		cmocka_unit_test(version_2),
		cmocka_unit_test(version_2_wrong),
		cmocka_unit_test(long_version_2),
		cmocka_unit_test(outward),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
