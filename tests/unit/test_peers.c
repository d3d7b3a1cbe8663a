/* peers: networks, and the net that is one client. */
#include "cm.h"

#include <arpa/inet.h>

#include "mail/site.h"
#include "smtp/peers.h"

static struct sockaddr_storage
address(const char *text)
{
	struct sockaddr_storage sa = { 0 };
	struct sockaddr_in *four = (void *)&sa;
	struct sockaddr_in6 *six = (void *)&sa;

	if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
		sa.ss_family = AF_INET;
	} else {
		assert_int_equal(inet_pton(AF_INET6, text, &six->sin6_addr), 1);
		sa.ss_family = AF_INET6;
	}
	return sa;
}

static void
networks(void **state)
{
	static const struct site_net nets[] = {
		{ AF_INET, { 127 }, 8 },
		{ AF_INET, { 10, 1, 128 }, 17 },
		{ AF_INET6, { 0x20, 0x01, 0x0d, 0xb8 }, 33 },
		{ AF_INET6, { [15] = 1 }, 128 },
	};
	static const struct {
		const char *ip;
		bool in;
	} cases[] = { { "127.255.0.1", true }, { "128.0.0.1", false },
		{ "10.1.128.1", true }, { "10.1.127.255", false },
		{ "10.1.255.255", true }, { "::ffff:127.0.0.1", true },
		{ "2001:db8:7fff::1", true }, { "2001:db8:8000::1", false },
		{ "::1", true }, { "::2", false }, { "::", false } };

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct sockaddr_storage sa = address(cases[i].ip);

		if (net_has(nets, PN_COUNT(nets), (void *)&sa) != cases[i].in)
			fail_msg("%s", cases[i].ip);
	}
}

static void
ours(void **state)
{
	static const struct site_net nets[] = {
		{ AF_INET, { 10, 1, 128 }, 17 },
		{ AF_INET6, { [15] = 1 }, 128 },
	};
	static const char *const domains[] = { "example.com" };
	static const struct site site = { nets, 2, domains, 1 }, none = { 0 };

	(void)state;
	assert_true(site_has_client(&site, PN_STR_V("10.1.200.1")));
	assert_true(site_has_client(&site, PN_STR_V("::1")));
	assert_false(site_has_client(&site, PN_STR_V("")));
	assert_false(site_has_client(&site, PN_STR_V("nonsense")));
	assert_false(site_has_client(&none, PN_STR_V("::1")));
	assert_true(site_has_domain(&site, PN_STR_V("Example.COM")));
	assert_false(site_has_domain(&site, PN_STR_V("sub.example.com")));
	assert_true(site_has_domain(&none, PN_STR_V("")));
}

static void
names(void **state)
{
	static const struct {
		const char *a, *b;
		unsigned four, six;
		bool same;
	} cases[] = { { "192.0.2.1", "192.0.2.1", 32, 64, true },
		{ "192.0.2.1", "192.0.2.2", 32, 64, false },
		{ "192.0.2.1", "192.0.2.200", 24, 64, true },
		{ "192.0.2.127", "192.0.2.128", 25, 64, false },
		{ "192.0.2.129", "192.0.2.128", 25, 64, true },
		{ "192.0.2.1", "::ffff:192.0.2.1", 32, 64, true },
		{ "2001:db8::1", "2001:db8::ffff:0:0:2", 32, 64, true },
		{ "2001:db8::1", "2001:db8:0:1::1", 32, 64, false },
		{ "2001:db8::1", "2001:db8:0:1::1", 32, 63, true },
		{ "2001:db8::1", "2001:db8::2", 32, 128, false },
		{ "10.1.2.3", "11.1.2.3", 8, 64, false },
		{ "0.0.0.0", "::", 8, 16, false } };

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct sockaddr_storage sa = address(cases[i].a);
		struct peer a = peer_of((void *)&sa);
		struct peer b;
		unsigned char x[PEER_NAME_MAX], y[PEER_NAME_MAX];
		size_t n = peer_name(&a, cases[i].four, cases[i].six, x);
		size_t m;

		sa = address(cases[i].b);
		b = peer_of((void *)&sa);
		m = peer_name(&b, cases[i].four, cases[i].six, y);
		if ((n == m && memcmp(x, y, n) == 0) != cases[i].same)
			fail_msg("%s %s", cases[i].a, cases[i].b);
	}
}

static void
texts(void **state)
{
	struct peer four = peer_of_text(PN_STR_V("192.0.2.1"));
	struct peer six = peer_of_text(PN_STR_V("2001:db8::1"));
	struct sockaddr_storage a = address("192.0.2.1");
	struct sockaddr_storage b = address("2001:db8::1");
	struct peer of_a = peer_of((void *)&a), of_b = peer_of((void *)&b);

	(void)state;
	assert_memory_equal(four.addr, of_a.addr, 4);
	assert_int_equal(four.n, 4);
	assert_int_equal(four.family, AF_INET);
	assert_memory_equal(six.addr, of_b.addr, 16);
	assert_int_equal(six.family, AF_INET6);
	assert_int_equal(peer_of_text(PN_STR_V("nonsense")).n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(networks),
		cmocka_unit_test(ours),
		cmocka_unit_test(names),
		cmocka_unit_test(texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
