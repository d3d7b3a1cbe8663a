/* listen: sockets that stay over a reload, and those that go. */
#include "cm.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/must.h"
#include "proxy/endpoint.h"
#include "proxy/listen.h"

static struct smtp_listener
at(const char *name)
{
	struct smtp_listener l = { .name = name };

	must(endpoint_parse(pn_str_of(name), &l.addr, &l.addr_len) == NULL);
	return l;
}

static struct smtp_conf
conf_of(const struct smtp_listener *l, size_t n)
{
	return (struct smtp_conf){ .listeners = l, .n_listeners = n };
}

static bool
is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void
the_same_listener_keeps_its_socket(void **state)
{
	const struct smtp_listener two[] = { at("127.0.0.1:0"),
		at("127.0.0.1:0") };
	const struct smtp_listener turned[] = { at("[::1]:0"),
		at("127.0.0.1:0") };
	struct smtp_conf a = conf_of(two, 2), b = conf_of(turned, 2);
	struct sockets s = { 0 };
	struct error e;
	int old[2], again[2], new[2];

	(void)state;
	assert_int_equal(sockets_open(&s, &a, old, &e), 0);
	assert_int_not_equal(old[0], old[1]);
	sockets_keep(&s, &a, old);
	assert_int_equal(sockets_open(&s, &a, again, &e), 0);
	assert_memory_equal(old, again, sizeof(old));
	if (sockets_open(&s, &b, new, &e) < 0)
		skip(); /* no IPv6 here */
	assert_int_equal(new[1], old[0]);
	sockets_keep(&s, &b, new);
	assert_false(is_open(old[1]));
	assert_true(is_open(new[0]));
	sockets_close_others(&s, new + 1, 1);
	assert_false(is_open(new[0]));
	assert_true(is_open(new[1]));
	(void)close(new[1]);
}

static void
a_discarded_reload_leaves_nothing(void **state)
{
	const struct smtp_listener l[] = { at("127.0.0.1:0"),
		at("127.0.0.1:0") };
	struct smtp_conf one = conf_of(l, 1), two = conf_of(l, 2);
	struct sockets s = { 0 };
	struct error e;
	int a[1], b[2];

	(void)state;
	assert_int_equal(sockets_open(&s, &one, a, &e), 0);
	sockets_keep(&s, &one, a);
	assert_int_equal(sockets_open(&s, &two, b, &e), 0);
	sockets_discard(&s);
	assert_true(is_open(b[0]));
	assert_false(is_open(b[1]));
	sockets_close_others(&s, NULL, 0);
	assert_false(is_open(a[0]));
}

static void
what_cannot_be_bound_is_said(void **state)
{
	/* Of a documentation network: no machine has it. */
	const struct smtp_listener l[] = { at("127.0.0.1:0"),
		at("192.0.2.1:9925") };
	struct smtp_conf c = conf_of(l, 2);
	struct sockets s = { 0 };
	struct error e;
	int fds[2];

	(void)state;
	assert_int_equal(sockets_open(&s, &c, fds, &e), -1);
	assert_string_equal(e.text,
	    "listen 192.0.2.1:9925: Cannot assign requested address");
	assert_int_equal(s.n, 0);
	sockets_close_others(&s, NULL, 0);
}

static void
control_replaces_the_dead_alone(void **state)
{
	static const char path[] = "/tmp/test_listen.control";
	struct error e;
	struct stat st;
	int fd, again;

	(void)state;
	(void)unlink(path);
	fd = listen_control(path, &e);
	assert_true(fd >= 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	assert_int_equal(listen_control(path, &e), -1);
	assert_string_equal(e.text, "control /tmp/test_listen.control: "
				    "another posternd answers there");
	(void)close(fd);
	again = listen_control(path, &e);
	assert_true(again >= 0);
	(void)close(again);
	(void)unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_listener_keeps_its_socket),
		cmocka_unit_test(a_discarded_reload_leaves_nothing),
		cmocka_unit_test(what_cannot_be_bound_is_said),
		cmocka_unit_test(control_replaces_the_dead_alone),
	};

	return cmocka_run_group_tests_name("listen", tests, NULL, NULL);
}
