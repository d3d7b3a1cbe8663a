/* peers: networks, and connections counted by address. */
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
connections(void **state)
{
	struct peers all = { 0 };
	struct sockaddr_storage a = address("192.0.2.1");
	struct sockaddr_storage same = address("::ffff:192.0.2.1");
	struct sockaddr_storage b = address("192.0.2.2");
	struct peer *p = peers_enter(&all, (void *)&a), *other;

	(void)state;
	assert_ptr_equal(peers_enter(&all, (void *)&same), p);
	assert_int_equal(p->connections, 2);
	other = peers_enter(&all, (void *)&b);
	assert_ptr_not_equal(other, p);
	assert_int_equal(other->connections, 1);
	peers_leave(p);
	assert_int_equal(p->connections, 1);
	peers_leave(p);
	peers_leave(other);
	p = peers_enter(&all, (void *)&a);
	assert_int_equal(p->connections, 1);
	peers_leave(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(networks),
		cmocka_unit_test(ours),
		cmocka_unit_test(connections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
