/* source: the header for a client and for nobody, and whose connection it is. */
#include "cm.h"

#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

#include "smtp/source.h"

static const struct client four = { .ip = PN_STR("192.0.2.7"),
	.port = 4711,
	.to_ip = PN_STR("198.51.100.1"),
	.to_port = 25 };
static const struct client six = { .ip = PN_STR("2001:db8::7"),
	.port = 4711,
	.to_ip = PN_STR("198.51.100.1"),
	.to_port = 25 };

static void
expect(enum smtp_identity by, const struct client *c, const char *want)
{
	struct buf b = { 0 };

	source_put_header(&b, by, c);
	assert_str(buf_str(&b), want);
	buf_fini(&b);
}

static void
headers(void **state)
{
	static const struct client unix_socket = { .ip = PN_STR("unix"),
		.port = 1 };

	(void)state;
	expect(IDENTITY_PROXY_V1, &four,
	    "PROXY TCP4 192.0.2.7 198.51.100.1 4711 25\r\n");
	/* One family for both; the listener's is not the point. */
	expect(IDENTITY_PROXY_V1, &six, "PROXY TCP6 2001:db8::7 ::1 4711 25\r\n");
	/* A probe is our own. */
	expect(IDENTITY_PROXY_V1, NULL, "PROXY UNKNOWN\r\n");
	expect(IDENTITY_PROXY_V1, &unix_socket, "PROXY UNKNOWN\r\n");
}

static void
a_probe_is_local(void **state)
{
	static const char want[16] = "\r\n\r\n\0\r\nQUIT\n\x20";
	struct buf b = { 0 };

	(void)state;
	source_put_header(&b, IDENTITY_PROXY, NULL);
	assert_int_equal(buf_len(&b), sizeof(want));
	assert_memory_equal(buf_data(&b), want, sizeof(want));
	buf_fini(&b);
}

static void
whose(void **state)
{
	struct client other = four;
	struct source s;

	(void)state;
	source_of(&four, &s);
	assert_true(source_is(&s, &four));
	assert_false(source_is(&s, &six));
	assert_false(source_is(&s, NULL));
	other.port++;
	assert_false(source_is(&s, &other));
	other = four;
	other.helo = PN_STR_V("another");
	assert_true(source_is(&s, &other));
	source_of(NULL, &s);
	assert_false(s.known);
	assert_true(source_is(&s, NULL));
	assert_false(source_is(&s, &four));
}

/* Nothing to pretend for ourselves; no way from one family to the other. */
static void
binding(void **state)
{
	static const struct client here = { .ip = PN_STR("127.0.0.9") };
	static const struct client here_six = { .ip = PN_STR("::1") };
	struct sockaddr_in a = { 0 };
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct source s;

	(void)state;
	assert_true(fd >= 0);
	source_of(NULL, &s);
	assert_int_equal(source_bind(fd, AF_INET, &s), 0);
	source_of(&here, &s);
	assert_int_equal(source_bind(fd, AF_INET, &s), 0);
	source_of(&here_six, &s);
	assert_int_equal(source_bind(fd, AF_INET, &s), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	assert_int_equal(a.sin_addr.s_addr, INADDR_ANY);
	source_of(&six, &s);
	assert_int_equal(source_bind(fd, AF_INET, &s), -1);
	assert_int_equal(errno, EAFNOSUPPORT);
	source_of(&four, &s);
	assert_int_equal(source_bind(fd, AF_INET6, &s), -1);
	assert_int_equal(errno, EAFNOSUPPORT);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers),
		cmocka_unit_test(a_probe_is_local),
		cmocka_unit_test(whose),
		cmocka_unit_test(binding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
