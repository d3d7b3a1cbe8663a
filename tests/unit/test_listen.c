/* listen: sockets that stay over a reload, and those that go. */
#include "cm.h"

#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
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

static struct doors
door_of(const struct smtp_conf *c)
{
	return (struct doors){ c, NULL, NULL };
}

static const struct smtp_conf no_smtp;

static struct milter_listener
milter_at(const char *name, mode_t mode, const char *group)
{
	struct milter_listener l = { .name = name,
		.mode = mode,
		.group = group,
		.upstream = "" };

	must(endpoint_parse_milter(pn_str_of(name), &l.addr, &l.addr_len) ==
	     NULL);
	return l;
}

static struct milter_conf
milters_of(const struct milter_listener *l, size_t n)
{
	return (struct milter_conf){ .listeners = l, .n_listeners = n };
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
	struct smtp_conf first = conf_of(two, 2), second = conf_of(turned, 2);
	struct doors a = door_of(&first), b = door_of(&second);
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
	struct smtp_conf first = conf_of(l, 1), second = conf_of(l, 2);
	struct doors one = door_of(&first), two = door_of(&second);
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
a_port_of_another_program_is_said(void **state)
{
	const struct smtp_listener any[] = { at("127.0.0.1:0") };
	struct smtp_conf first = conf_of(any, 1), second;
	struct doors a = door_of(&first), b = door_of(&second);
	struct sockets s = { 0 }, others = { 0 };
	struct smtp_listener taken = any[0];
	struct error e;
	int fd, fds[1];

	(void)state;
	assert_int_equal(sockets_open(&others, &a, &fd, &e), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&taken.addr,
			     &taken.addr_len), 0);
	taken.name = "there";
	second = conf_of(&taken, 1);
	assert_int_equal(sockets_open(&s, &b, fds, &e), -1);
	assert_string_equal(e.text, "listen there: Address already in use "
	    "(another program has it: ss -lntp shows which)");
	sockets_close_others(&others, NULL, 0);
	sockets_close_others(&s, NULL, 0);
}

static void
what_cannot_be_bound_is_said(void **state)
{
	/* Of a documentation network: no machine has it. */
	const struct smtp_listener l[] = { at("127.0.0.1:0"),
		at("192.0.2.1:9925") };
	struct smtp_conf both = conf_of(l, 2);
	struct doors c = door_of(&both);
	struct sockets s = { 0 };
	struct error e;
	int fds[2];

	(void)state;
	assert_int_equal(sockets_open(&s, &c, fds, &e), -1);
	assert_string_equal(e.text,
	    "listen 192.0.2.1:9925: Cannot assign requested address "
	    "(no interface of this machine has that address)");
	assert_int_equal(s.n, 0);
	sockets_close_others(&s, NULL, 0);
}

static bool
has(int fd, int level, int option)
{
	int value = 0;
	socklen_t n = sizeof(value);

	must(getsockopt(fd, level, option, &value, &n) == 0);
	return value != 0;
}

/* What libmilter and its drain rely on (see worker.c). */
static void
a_milters_socket_is_as_libmilter_needs_it(void **state)
{
	const struct smtp_listener l[] = { at("127.0.0.1:0") };
	const struct milter_listener m[] = { milter_at("inet:0@127.0.0.1", 0,
						 NULL),
		milter_at("unix:/tmp/test_listen.milter", 0640, NULL) };
	struct smtp_conf smtp = conf_of(l, 1);
	struct milter_conf milter = milters_of(m, 2);
	struct doors d = { &smtp, &milter, NULL };
	struct sockets s = { 0 };
	struct error e;
	struct stat st;
	int fds[3], again[3];

	(void)state;
	assert_int_equal(doors_count(&d), 3);
	assert_int_equal(sockets_open(&s, &d, fds, &e), 0);
	for (int i = 0; i < 3; i++) {
		assert_true(fcntl(fds[i], F_GETFL) & O_NONBLOCK);
		assert_true(fcntl(fds[i], F_GETFD) & FD_CLOEXEC);
		assert_true(has(fds[i], SOL_SOCKET, SO_ACCEPTCONN));
	}
	assert_false(has(fds[0], IPPROTO_TCP, TCP_NODELAY));
	assert_true(has(fds[1], IPPROTO_TCP, TCP_NODELAY));
	assert_int_equal(stat("/tmp/test_listen.milter", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	sockets_keep(&s, &d, fds);
	assert_int_equal(sockets_open(&s, &d, again, &e), 0);
	assert_memory_equal(fds, again, sizeof(fds));
	sockets_end(&s);
	assert_int_equal(stat("/tmp/test_listen.milter", &st), -1);
}

static int
open_one(struct sockets *s, const struct milter_listener *m, struct error *e)
{
	struct milter_conf c = milters_of(m, 1);
	struct doors d = { &no_smtp, &c, NULL };
	int fd, done = sockets_open(s, &d, &fd, e);

	if (done == 0)
		sockets_keep(s, &d, &fd);
	return done;
}

static void
a_socket_file_is_replaced_if_nobody_answers(void **state)
{
	const struct milter_listener
	    m = milter_at("unix:/tmp/test_listen.milter", 0600, NULL),
	    wide = milter_at("unix:/tmp/test_listen.milter", 0666, NULL),
	    elsewhere = milter_at("unix:/nowhere/m", 0600, NULL),
	    nobody = milter_at("unix:/tmp/test_listen.m2", 0600, "no such");
	struct sockets s = { 0 }, other = { 0 };
	struct error e;
	struct stat st;

	(void)state;
	assert_int_equal(open_one(&s, &m, &e), 0);
	assert_int_equal(open_one(&other, &m, &e), -1);
	assert_string_equal(e.text, "listen milter unix:/tmp/test_listen.milter:"
				    " another program answers there");
	assert_int_equal(open_one(&s, &wide, &e), -1);
	assert_string_equal(e.text, "listen milter unix:/tmp/test_listen.milter:"
				    " its mode or group changed: that needs a"
				    " restart");
	sockets_close_others(&s, NULL, 0); /* a child, or a crash: it stays */
	assert_int_equal(stat("/tmp/test_listen.milter", &st), 0);
	assert_int_equal(open_one(&s, &wide, &e), 0);
	assert_int_equal(stat("/tmp/test_listen.milter", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0666);
	assert_int_equal(unlink("/tmp/test_listen.milter"), 0);
	assert_int_equal(open_one(&other, &m, &e), 0);
	sockets_end(&s); /* not its file any more */
	assert_int_equal(stat("/tmp/test_listen.milter", &st), 0);
	sockets_end(&other);
	assert_int_equal(open_one(&s, &elsewhere, &e), -1);
	assert_string_equal(e.text,
	    "listen milter unix:/nowhere/m: No such file or directory");
	assert_int_equal(doors_check(&(struct doors){ &no_smtp,
	    &(struct milter_conf){ .listeners = &nobody, .n_listeners = 1 },
	    NULL },
	    &e), -1);
	assert_int_equal(open_one(&s, &nobody, &e), -1);
	assert_string_equal(e.text, "listen milter unix:/tmp/test_listen.m2: "
				    "there is no group \"no such\"");
	sockets_end(&s);
}

/* Born with it: the master may set that, and no longer change it after. */
static void
the_file_gets_its_group(void **state)
{
	const struct group *g = getgrnam("mail");
	struct milter_listener m =
	    milter_at("unix:/tmp/test_listen.milter", 0660, "mail");
	struct sockets s = { 0 };
	struct error e;
	struct stat st;

	(void)state;
	if (geteuid() != 0 || g == NULL)
		skip();
	assert_int_equal(open_one(&s, &m, &e), 0);
	assert_int_equal(stat("/tmp/test_listen.milter", &st), 0);
	assert_int_equal(st.st_gid, g->gr_gid);
	assert_int_equal(st.st_mode & 0777, 0660);
	sockets_end(&s);
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
		cmocka_unit_test(a_port_of_another_program_is_said),
		cmocka_unit_test(what_cannot_be_bound_is_said),
		cmocka_unit_test(a_milters_socket_is_as_libmilter_needs_it),
		cmocka_unit_test(a_socket_file_is_replaced_if_nobody_answers),
		cmocka_unit_test(the_file_gets_its_group),
		cmocka_unit_test(control_replaces_the_dead_alone),
	};

	return cmocka_run_group_tests_name("listen", tests, NULL, NULL);
}
