/* milter/fiber and milter/calls: who runs when, and what libmilter's calls do
 * on the loop. */
#include "cm.h"

#include <errno.h>
#include <event2/event.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/must.h"
#include "milter/calls.h"

/* One of each, as in a milter's process. */
static struct loop *loop;
static struct fibers *fibers;
static struct buf told;

static void
tell(const char *what)
{
	assert_true(buf_puts(&told, what));
}

static void
assert_told(const char *want)
{
	assert_str(buf_str(&told), want);
	buf_clear(&told);
}

/* Until nothing is left that could happen. */
static void
run(void)
{
	assert_true(event_base_dispatch(loop_base(loop)) >= 0);
}

static void
start(void *(*call)(void *), const char *name)
{
	assert_int_equal(fiber_start(fibers, call, (void *)(uintptr_t)name), 0);
}

/* ---- fibers ---- */

static struct fiber *sleeper;

static void *
sleeps(void *arg)
{
	tell(arg);
	sleeper = fiber_now(fibers);
	tell(fiber_wait(fibers, 0) ? "woken " : "late ");
	return NULL;
}

static void *
wakes(void *arg)
{
	tell(arg);
	fiber_wake(sleeper);
	tell("still ");
	fiber_yield(fibers);
	tell("again ");
	return NULL;
}

static void *
says(void *arg)
{
	tell(arg);
	return NULL;
}

/* The last one that was started or woken first; who yields, behind all. */
static void
test_order(void **state)
{
	(void)state;
	start(says, "says ");
	start(wakes, "wakes ");
	start(sleeps, "sleeps ");
	assert_null(fiber_now(fibers));
	assert_told("");
	run();
	assert_told("sleeps wakes still woken says again ");
	fiber_wake(NULL);
}

static void *
is_late(void *arg)
{
	(void)arg;
	tell(fiber_wait(fibers, 20) ? "woken " : "late ");
	return NULL;
}

static void
test_late(void **state)
{
	(void)state;
	start(is_late, NULL);
	run();
	assert_told("late ");
}

static void *
is_long(void *arg)
{
	(void)arg;
	fiber_pause(fibers);
	tell("paused ");
	return NULL;
}

static void
on_loop(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	tell(arg);
}

/* Even what becomes due later goes before who pauses. */
static void
test_pause(void **state)
{
	static char socket[] = "socket ";
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "", 1), 1);
	start(is_long, NULL);
	assert_int_equal(event_base_once(loop_base(loop), ends[0], EV_READ,
			     on_loop, socket, NULL), 0);
	run();
	assert_told("socket paused ");
	assert_int_equal(close(ends[0]) | close(ends[1]), 0);
}

/* Each on a stack of its own, more than are kept. */
#define MANY 200
static unsigned n_many;

static void *
is_one_of_many(void *arg)
{
	char mine[4096];

	(void)arg;
	memset(mine, (int)n_many, sizeof(mine));
	n_many++;
	fiber_yield(fibers);
	for (size_t i = 1; i < sizeof(mine); i++)
		assert_int_equal(mine[i], mine[0]);
	n_many--;
	return NULL;
}

static void
test_many(void **state)
{
	(void)state;
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < MANY; i++)
			start(is_one_of_many, NULL);
		run();
		assert_int_equal(n_many, 0);
	}
}

/* ---- sockets ---- */

#define LARGE (4 << 20) /* more than a socket takes at once */
static int pair[2];

/* Of bodies, one after the other, as large as they can be. */
static char
byte_of(size_t i)
{
	static const char head[] = { 0, 1, 0, 0, 'B' };
	size_t at = i % (sizeof(head) + 65535);

	return at < sizeof(head) ? head[at] : (char)(i / 251);
}

static void *
writes(void *arg)
{
	static char large[LARGE];
	struct pollfd p = { pair[0], POLLOUT, 0 };
	size_t done = 0;

	(void)arg;
	for (size_t i = 0; i < LARGE; i++)
		large[i] = byte_of(i);
	while (done < LARGE) {
		struct iovec iov = { large + done, LARGE - done };
		ssize_t n;

		assert_int_equal(milter_poll(&p, 1, 1000), 1);
		n = milter_writev(pair[0], &iov, 1);
		assert_true(n > 0);
		done += (size_t)n;
	}
	assert_int_equal(milter_close(pair[0]), 0);
	return NULL;
}

static void *
reads(void *arg)
{
	char piece[5000];
	struct pollfd p = { pair[1], POLLIN, 0 };
	size_t all = 0;
	ssize_t n;

	(void)arg;
	for (;;) {
		assert_int_equal(milter_poll(&p, 1, 1000), 1);
		assert_int_equal(p.revents, POLLIN);
		n = milter_read(pair[1], piece, sizeof(piece));
		if (n <= 0)
			break;
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(piece[i], byte_of(all + (size_t)i));
		all += (size_t)n;
	}
	assert_int_equal(n, 0);
	assert_int_equal(all, LARGE);
	tell("all ");
	assert_int_equal(milter_close(pair[1]), 0);
	return NULL;
}

static void
test_large(void **state)
{
	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	start(reads, NULL);
	start(writes, NULL);
	run();
	assert_told("all ");
}

/* However small the packets are, the loop has its turn before there are many. */
#define SMALL 20000

static void *
reads_small(void *arg)
{
	struct pollfd p = { pair[1], POLLIN, 0 };
	char packet[5];

	(void)arg;
	for (size_t i = 0; i < SMALL; i++) {
		assert_int_equal(milter_poll(&p, 1, 1000), 1);
		assert_int_equal(milter_read(pair[1], packet, sizeof(packet)), 5);
	}
	tell("all ");
	assert_int_equal(milter_close(pair[1]), 0);
	return NULL;
}

static void
test_small(void **state)
{
	static char socket[] = "socket ", small[SMALL][5];

	(void)state;
	for (size_t i = 0; i < SMALL; i++)
		memcpy(small[i], "\0\0\0\1N", 5);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(write(pair[0], small, sizeof(small)), sizeof(small));
	start(reads_small, NULL);
	assert_int_equal(event_base_once(loop_base(loop), pair[0], EV_WRITE,
			     on_loop, socket, NULL), 0);
	run();
	assert_told("socket all ");
	assert_int_equal(close(pair[0]), 0);
}

/* libmilter hears of a broken packet as of a broken connection. */
static void *
reads_broken(void *arg)
{
	char head[5];
	struct pollfd p = { pair[1], POLLIN, 0 };

	(void)arg;
	assert_int_equal(milter_poll(&p, 1, 1), 1);
	assert_int_equal(milter_read(pair[1], head, sizeof(head)), -1);
	assert_int_equal(errno, EPROTO);
	tell("broken ");
	assert_int_equal(milter_close(pair[1]), 0);
	return NULL;
}

static void
test_broken(void **state)
{
	static const char bad[] = "\0\0\0\4DCi";

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(write(pair[0], bad, sizeof(bad)), sizeof(bad));
	start(reads_broken, NULL);
	run();
	assert_told("broken ");
	assert_int_equal(close(pair[0]), 0);
}

/* ---- the listener ---- */

static int listening;
static unsigned n_accepted;

/* As libmilter's, with more impatience. */
static void *
listens(void *arg)
{
	struct pollfd p = { listening, POLLIN, 0 };
	int got;

	(void)arg;
	while (n_accepted < 3) {
		if (milter_poll(&p, 1, 5000) == 0)
			continue;
		got = milter_accept(listening, NULL, NULL);
		if (got >= 0) {
			n_accepted++;
			assert_int_equal(calls_open(), 1);
			assert_int_equal(milter_close(got), 0);
			assert_int_equal(calls_open(), 0);
		} else if (errno != EAGAIN) {
			assert_int_equal(errno, EMFILE);
			tell("full ");
		}
	}
	assert_int_equal(milter_close(listening), 0);
	return NULL;
}

static int
dial(const struct sockaddr_un *to)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (const struct sockaddr *)to, sizeof(to->sun_family) + 6), 0);
	return fd;
}

static void
on_room(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	tell("room ");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, arg), 0);
}

/* With no descriptor left the loop goes on, and so does it when there is. */
static void
test_listener(void **state)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct rlimit was, few;
	int client[3];

	(void)state;
	listening = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(listening, (struct sockaddr *)&un, sizeof(un.sun_family)), 0);
	assert_int_equal(listen(listening, 8), 0);
	assert_int_equal(getsockname(listening, (struct sockaddr *)&un,
			     &(socklen_t){ sizeof(un) }), 0);
	for (int i = 0; i < 3; i++)
		client[i] = dial(&un);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	few = was;
	few.rlim_cur = (rlim_t)client[2] + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	start(listens, NULL);
	assert_int_equal(event_base_once(loop_base(loop), -1, EV_TIMEOUT, on_room, &was,
			     &(struct timeval){ .tv_usec = 50000 }), 0);
	run();
	assert_told("room full "); /* it waits before it says so */
	assert_int_equal(n_accepted, 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(close(client[i]), 0);
}

/* ---- a worker gives its connection back, the pool hands it on ---- */

static int wake_up[2];

static void *
gives_back(void *arg)
{
	struct pollfd p = { pair[1], POLLIN, 0 };

	(void)arg;
	assert_int_equal(milter_poll(&p, 1, 1), 0); /* after a while */
	tell("back ");
	assert_int_equal(milter_write(wake_up[1], "", 1), 1);
	return NULL;
}

static void *
takes(void *arg)
{
	struct pollfd p[] = { { wake_up[0], POLLIN, 0 }, { pair[1], POLLIN, 0 } };
	char what[8];

	(void)arg;
	assert_int_equal(milter_poll(p, 1, 10000), 1);
	assert_int_equal(p[0].revents, POLLIN);
	assert_int_equal(milter_read(wake_up[0], what, sizeof(what)), 1);
	assert_int_equal(milter_read(wake_up[0], what, sizeof(what)), -1);
	tell("has ");
	assert_int_equal(write(pair[0], "\0\0\0\1E", 5), 5);
	p[0].revents = 0;
	assert_int_equal(milter_poll(p, 2, 10000), 1);
	assert_int_equal(p[0].revents, 0);
	assert_int_equal(p[1].revents, POLLIN);
	assert_int_equal(milter_read(pair[1], what, sizeof(what)), 5);
	tell("reads ");
	assert_int_equal(milter_close(pair[1]), 0);
	return NULL;
}

static void
test_pool(void **state)
{
	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(milter_pipe(wake_up), 0);
	start(takes, NULL);
	start(gives_back, NULL);
	run();
	assert_told("back has reads ");
	assert_int_equal(close(pair[0]), 0);
}

/* ---- the condition ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond;

static void *
waits_for_work(void *arg)
{
	struct timespec end = { .tv_sec = time(NULL) + 1 };

	assert_int_equal(pthread_mutex_lock(&lock), 0);
	tell(milter_pthread_cond_timedwait(&cond, &lock, &end) == 0 ? arg : "none ");
	assert_int_equal(pthread_mutex_unlock(&lock), 0);
	return NULL;
}

static void *
has_work(void *arg)
{
	(void)arg;
	assert_int_equal(milter_pthread_cond_signal(&cond), 0);
	tell("work ");
	return NULL;
}

static void
test_condition(void **state)
{
	pthread_t id;

	(void)state;
	assert_int_equal(milter_pthread_cond_init(&cond, NULL), 0);
	assert_int_equal(milter_pthread_create(&id, NULL, has_work, NULL), 0);
	start(waits_for_work, "one ");
	start(waits_for_work, "other ");
	run();
	assert_told("work one none ");
	assert_int_equal(milter_pthread_cond_destroy(&cond), 0);
}

static int
set_up(void **state)
{
	(void)state;
	loop = loop_new();
	fibers = fibers_new(loop);
	calls_init(loop, fibers);
	return 0;
}

static int
tidy(void **state)
{
	(void)state;
	buf_fini(&told);
	return 0; /* the rest lives as long as the process */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_small),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_listener),
		cmocka_unit_test(test_pool),
		cmocka_unit_test(test_condition),
	};

	return cmocka_run_group_tests(tests, set_up, tidy);
}
