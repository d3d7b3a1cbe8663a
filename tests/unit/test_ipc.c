/* ipc: frames, order, a slow peer, descriptors, and peers that lie. */
#include "cm.h"

#include <event2/event.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"
#include "base/ipc.h"

/* One end on a loop; the test plays the other. */
struct end {
	struct loop *loop;
	struct ipc *ipc;
	int peer;
	unsigned n_messages;
	uint64_t next_id; /* expected, if not 0 */
	size_t last_n;
	char last[64];
	int last_fd;
	bool closed;
	bool free_on_message;
};

static void
on_message(
    void *arg, uint32_t type, uint64_t id, const void *body, size_t n, int fd)
{
	struct end *e = arg;

	assert_int_equal(type, 7);
	if (e->next_id > 0)
		assert_int_equal(id, e->next_id++);
	e->n_messages++;
	e->last_n = n;
	memcpy(e->last, body, n < sizeof(e->last) ? n : sizeof(e->last));
	e->last_fd = fd;
	if (e->free_on_message) {
		ipc_free(e->ipc);
		e->ipc = NULL;
	}
}

static void
on_closed(void *arg)
{
	struct end *e = arg;

	assert_false(e->closed);
	e->closed = true;
}

static const struct ipc_ops ops = { on_message, on_closed };

static int
set_up(void **state)
{
	static struct end e;
	struct error err;
	int fd[2];

	e = (struct end){ .loop = loop_new(), .last_fd = -1 };
	if (ipc_pair(fd, &err) < 0)
		return -1;
	e.peer = fd[1];
	e.ipc = ipc_new(e.loop, fd[0], &ops, &e);
	*state = &e;
	return 0;
}

static int
tear_down(void **state)
{
	struct end *e = *state;

	ipc_free(e->ipc);
	loop_free(e->loop);
	io_close(e->peer);
	io_close(e->last_fd);
	return 0;
}

static void
turn(struct end *e)
{
	(void)event_base_loop(loop_base(e->loop), EVLOOP_NONBLOCK);
}

static void
frames_keep_order_and_edges(void **state)
{
	struct end *e = *state;
	struct error err;

	e->next_id = 1;
	for (uint64_t id = 1; id <= 100; id++)
		assert_int_equal(
		    ipc_write(e->peer, 7, id, "abcdef", id % 7, -1, &err), 0);
	for (int i = 0; i < 10 && e->n_messages < 100; i++)
		turn(e);
	assert_int_equal(e->n_messages, 100);
	assert_int_equal(e->last_n, 100 % 7);
	assert_memory_equal(e->last, "ab", 2);
}

static void
pieces_are_joined(void **state)
{
	struct end *e = *state;
	const struct iovec body[] = { { (char[]){ "ab" }, 2 }, { NULL, 0 },
		{ (char[]){ "cde" }, 3 } };
	char *got = malloc(IPC_MAX);
	struct error err;
	uint32_t type;
	uint64_t id;

	assert_true(ipc_sendv(e->ipc, 9, 1ull << 63, body, 3, -1));
	assert_int_equal(ipc_read(e->peer, &type, &id, got, NULL, &err), 5);
	assert_int_equal(type, 9);
	assert_true(id == 1ull << 63);
	assert_memory_equal(got, "abcde", 5);
	free(got);
}

/* More than the socket takes: queued, and all of it comes, in order. */
static void
a_slow_peer_gets_everything(void **state)
{
	struct end *e = *state;
	char *body = calloc(1, IPC_MAX), *got = malloc(IPC_MAX);
	struct error err;
	uint32_t type;
	uint64_t id;

	for (uint64_t i = 0; i < 40; i++) {
		memset(body, (int)i, IPC_MAX);
		assert_true(ipc_send(e->ipc, 1, i, body, IPC_MAX - i, -1));
	}
	assert_true(ipc_queued(e->ipc) > 30 * (size_t)IPC_MAX);
	for (uint64_t i = 0; i < 40; i++) {
		assert_int_equal(ipc_read(e->peer, &type, &id, got, NULL, &err),
		    IPC_MAX - i);
		assert_int_equal(id, i);
		assert_int_equal(got[IPC_MAX - 100], (char)i);
		turn(e);
	}
	assert_int_equal(ipc_queued(e->ipc), 0);
	free(body);
	free(got);
}

static void
too_large_is_refused(void **state)
{
	struct end *e = *state;
	char *body = calloc(1, IPC_MAX + 1);

	assert_false(ipc_send(e->ipc, 1, 1, body, IPC_MAX + 1, -1));
	assert_true(ipc_send(e->ipc, 1, 1, body, IPC_MAX, -1));
	free(body);
}

/* A queued frame holds a duplicate: the sender may close its own. */
static void
descriptors_travel(void **state)
{
	struct end *e = *state;
	char *body = calloc(1, IPC_MAX);
	char c = 0;
	int p[2], fd = -1;
	struct error err;
	uint32_t type;
	uint64_t id;

	assert_int_equal(pipe(p), 0);
	while (ipc_queued(e->ipc) == 0)
		assert_true(ipc_send(e->ipc, 1, 1, body, IPC_MAX, -1));
	assert_true(ipc_send(e->ipc, 2, 2, "", 0, p[0]));
	(void)close(p[0]);
	for (type = 0; type != 2; turn(e))
		assert_true(
		    ipc_read(e->peer, &type, &id, body, &fd, &err) >= 0);
	assert_true(fd >= 0);
	assert_int_equal(write(p[1], "x", 1), 1);
	assert_int_equal(read(fd, &c, 1), 1);
	assert_int_equal(c, 'x');
	(void)close(fd);

	assert_int_equal(ipc_write(e->peer, 7, 3, "", 0, p[1], &err), 0);
	turn(e);
	assert_true(e->last_fd >= 0);
	(void)close(p[1]);
	free(body);
}

static void
the_end_is_told_once(void **state)
{
	struct end *e = *state;
	struct error err;

	e->next_id = 1;
	assert_int_equal(ipc_write(e->peer, 7, 1, "", 0, -1, &err), 0);
	(void)close(e->peer);
	e->peer = -1;
	assert_false(ipc_send(e->ipc, 1, 1, "", 0, -1));
	assert_false(e->closed);
	turn(e);
	turn(e);
	assert_int_equal(e->n_messages, 1); /* what came before still counts */
	assert_true(e->closed);
	assert_false(ipc_send(e->ipc, 1, 1, "", 0, -1));
}

static void
the_blocking_end_sees_it_too(void **state)
{
	struct end *e = *state;
	char *got = malloc(IPC_MAX);
	struct error err;
	uint32_t type;
	uint64_t id;

	ipc_free(e->ipc);
	e->ipc = NULL;
	assert_int_equal(ipc_read(e->peer, &type, &id, got, NULL, &err), -1);
	assert_string_equal(err.text, "");
	assert_int_equal(ipc_write(e->peer, 1, 1, "", 0, -1, &err), -1);
	assert_string_not_equal(err.text, "");
	free(got);
}

static void
the_callee_may_free(void **state)
{
	struct end *e = *state;
	struct error err;

	e->free_on_message = true;
	for (int i = 0; i < 3; i++)
		assert_int_equal(ipc_write(e->peer, 7, 1, "", 0, -1, &err), 0);
	turn(e);
	assert_int_equal(e->n_messages, 1);
}

static void
who_lies_is_gone(void **state)
{
	static const struct pn_str cases[] = { PN_STR("x"),
		PN_STR("ppi1\7\0\0\0\0\0\0\0\0\0\0"), /* a byte short */
		PN_STR("PPI1\7\0\0\0\1\0\0\0\0\0\0\0"),
		PN_STR("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0body") };

	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct end *e = *state;

		assert_int_equal(
		    send(e->peer, cases[i].p, cases[i].n, 0), cases[i].n);
		turn(e);
		assert_true(e->closed);
		assert_int_equal(e->n_messages, 0);
		assert_int_equal(tear_down(state), 0);
		assert_int_equal(set_up(state), 0);
	}
}

/* One byte more than any frame may have is cut by the kernel, and seen. */
static void
an_overlong_frame_is_a_lie(void **state)
{
	struct end *e = *state;
	char *frame = calloc(1, IPC_HEAD + IPC_MAX + 1);

	memcpy(frame, "ppi1\7", 5);
	assert_int_equal(send(e->peer, frame, IPC_HEAD + IPC_MAX + 1, 0),
	    IPC_HEAD + IPC_MAX + 1);
	turn(e);
	assert_true(e->closed);
	assert_int_equal(e->n_messages, 0);
	free(frame);
}

/* Nobody may wait for an answer to what was never sent. */
static void
a_failed_send_ends_the_link(void **state)
{
	struct end *e = *state;
	struct error err;
	char buf[IPC_MAX];
	uint32_t type;
	uint64_t id;

	assert_int_equal(ipc_write(e->peer, 7, 1, "x", 1, -1, &err), 0);
	assert_false(ipc_send(e->ipc, 7, 1, NULL, 0, 9999)); /* no descriptor */
	assert_false(ipc_send(e->ipc, 7, 2, NULL, 0, -1));
	assert_false(e->closed);
	turn(e);
	assert_int_equal(e->n_messages, 1); /* what had come is read */
	assert_true(e->closed);
	assert_int_equal(ipc_read(e->peer, &type, &id, buf, NULL, &err), -1);
	assert_string_equal(err.text, "");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(frames_keep_order_and_edges),
		TEST(pieces_are_joined),
		TEST(a_slow_peer_gets_everything),
		TEST(too_large_is_refused),
		TEST(descriptors_travel),
		TEST(the_end_is_told_once),
		TEST(the_blocking_end_sees_it_too),
		TEST(the_callee_may_free),
		TEST(who_lies_is_gone),
		TEST(an_overlong_frame_is_a_lie),
		TEST(a_failed_send_ends_the_link),
	};

	return cmocka_run_group_tests_name("ipc", tests, NULL, NULL);
}
