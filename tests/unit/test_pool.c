/*
 * pool: a worker's side, against an inspector that the test plays by hand and
 * that does what no real one does. The clock is the test's: clock_gettime(2)
 * is defined here, and libevent asks it.
 */
#include "cm.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/ipc.h"
#include "inspect_world.h"

#define BIG (INSPECT_INLINE_MAX + 1000)

/* ---- the clock ---- */

static time_t ahead;

__attribute__((visibility("default"))) int
clock_gettime(clockid_t clock, struct timespec *t)
{
	int rc = (int)syscall(SYS_clock_gettime, clock, t);

	t->tv_sec += ahead;
	return rc;
}

/* ---- the inspector, by hand ---- */

struct play {
	struct world w; /* first */
	int peer;	/* the inspector's end, -1: dead */
	unsigned kills;
	char *frame;
	/* the last request */
	uint64_t id;
	struct inspect_request request;
	struct pn_str body;
};

static int
new_peer(struct play *p)
{
	int fd[2];
	struct error e;

	assert_int_equal(ipc_pair(fd, &e), 0);
	p->peer = fd[1];
	return fd[0];
}

static void
on_kill(void *arg)
{
	struct play *p = arg;

	p->kills++;
}

static void
turn(struct play *p)
{
	for (int i = 0; i < 4; i++)
		(void)event_base_loop(loop_base(p->w.loop), EVLOOP_NONBLOCK);
}

/* The next request, if there is one. */
static bool
request(struct play *p)
{
	uint32_t type;
	struct error e;
	struct unpack u;
	char c;
	ssize_t n;

	turn(p);
	if (recv(p->peer, &c, 1, MSG_PEEK | MSG_DONTWAIT) <= 0)
		return false;
	n = ipc_read(p->peer, &type, &p->id, p->frame, NULL, &e);
	assert_true(n >= 0);
	assert_int_equal(type, INSPECT_REQUEST);
	u = unpack_of(p->frame, (size_t)n);
	assert_true(inspect_request_unpack(&p->request, &u));
	p->body =
	    p->request.in_slot
		? (struct pn_str){ p->w.channel.slots_ro +
				       p->request.slot * p->w.channel.slot_size,
			  p->request.size }
		: (struct pn_str){ (const char *)u.p, u.n };
	atomic_store(p->w.channel.working_on, p->id);
	return true;
}

/* How many requests there are. */
static unsigned
requests(struct play *p)
{
	unsigned n = 0;

	while (request(p))
		n++;
	return n;
}

static void
answer(struct play *p, uint64_t id)
{
	struct findings f = { .defects = PN_DEFECT_BROKEN };
	struct buf b = { 0 };
	struct error e;

	findings_pack(&f, &b);
	assert_int_equal(ipc_write(p->peer, INSPECT_ANSWER, id, buf_data(&b),
			     buf_len(&b), -1, &e),
	    0);
	buf_fini(&b);
	atomic_store(p->w.channel.working_on, 0);
	turn(p);
}

static void
die(struct play *p)
{
	io_close(p->peer);
	p->peer = -1;
	turn(p);
}

static void
live(struct play *p)
{
	io_close(p->peer);
	pool_attach(p->w.pool, new_peer(p));
	turn(p);
}

static const struct pn_filter nothing = { .abi = PN_ABI, .name = "nothing" };

static int
set_up(void **state)
{
	static struct play p;

	ahead = 0;
	p = (struct play){ .frame = malloc(IPC_MAX) };
	if (world_make(&p.w, &nothing, 1 << 20) < 0)
		return -1;
	p.w.pool = pool_new(
	    p.w.loop, &p.w.conf, &p.w.channel, new_peer(&p), on_kill, &p);
	*state = &p;
	return 0;
}

static int
tear_down(void **state)
{
	struct play *p = *state;

	world_end(&p->w);
	io_close(p->peer);
	free(p->frame);
	return 0;
}

/* ---- tests ---- */

static void
requests_carry_the_message(void **state)
{
	struct play *p = *state;
	struct told small, big;

	submit(&p->w, &small, "abc", 3);
	submit(&p->w, &big, "Subject: x\r\n\r\n", BIG);
	assert_true(request(p));
	assert_false(p->request.in_slot);
	assert_str(p->body, "abc");
	answer(p, p->id);
	assert_int_equal(small.times, 1);
	assert_int_equal(small.result, POOL_FOUND);
	assert_int_equal(small.findings.defects, PN_DEFECT_BROKEN);
	assert_int_equal(big.times, 0);
	assert_true(request(p));
	assert_true(p->request.in_slot);
	assert_int_equal(p->body.n, BIG);
	assert_memory_equal(p->body.p, "Subject: x\r\n", 12);
	assert_memory_equal(
	    p->body.p + BIG - 100, spool_at(big.spool, BIG - 100).p, 100);
	answer(p, p->id);
	assert_int_equal(big.result, POOL_FOUND);
	forget(&small);
	forget(&big);
}

static void
many_are_outstanding_but_not_all(void **state)
{
	struct play *p = *state;
	struct told t[40];
	unsigned sent;

	for (size_t i = 0; i < PN_COUNT(t); i++)
		submit(&p->w, &t[i], "", i + 1);
	sent = requests(p);
	assert_true(sent >= 9 && sent < PN_COUNT(t));
	assert_int_equal(told_of(t, PN_COUNT(t)), 0);
	for (uint64_t id = 1; id <= PN_COUNT(t); id++) {
		answer(p, id);
		assert_int_equal(t[id - 1].times, 1);
		sent += requests(p);
	}
	assert_int_equal(sent, PN_COUNT(t));
	for (size_t i = 0; i < PN_COUNT(t); i++)
		forget(&t[i]);
}

static void
large_ones_wait_for_a_slot_and_small_ones_pass(void **state)
{
	struct play *p = *state;
	struct told t[4];

	for (size_t i = 0; i < 3; i++)
		submit(&p->w, &t[i], "", BIG);
	submit(&p->w, &t[3], "", 10);
	assert_true(request(p) && p->id == 1 && p->request.slot == 0);
	assert_true(request(p) && p->id == 2 && p->request.slot == 1);
	assert_true(request(p) && p->id == 4);
	assert_false(request(p));
	answer(p, 2);
	assert_true(request(p) && p->id == 3 && p->request.slot == 1);
	for (size_t i = 0; i < 4; i++)
		forget(&t[i]);
}

static void
too_large_for_a_slot_cannot_be(void **state)
{
	struct play *p = *state;
	struct told t;

	submit(&p->w, &t, "", (1 << 20) + 1);
	turn(p);
	assert_int_equal(t.times, 1);
	assert_int_equal(t.result, POOL_DOWN);
	forget(&t);
}

static void
a_stray_answer_is_dropped(void **state)
{
	struct play *p = *state;
	struct told t;

	submit(&p->w, &t, "x", 1);
	assert_true(request(p));
	answer(p, 77);
	answer(p, UINT64_MAX);
	assert_int_equal(t.times, 0);
	assert_int_equal(p->kills, 0);
	answer(p, p->id);
	assert_int_equal(t.result, POOL_FOUND);
	answer(p, p->id); /* twice */
	assert_int_equal(t.times, 1);
	forget(&t);
}

static void
a_broken_answer_makes_a_suspect(void **state)
{
	struct play *p = *state;
	struct told t[3];
	struct error e;

	for (size_t i = 0; i < 3; i++)
		submit(&p->w, &t[i], "x", 1);
	assert_int_equal(requests(p), 3);
	assert_int_equal(
	    ipc_write(p->peer, INSPECT_ANSWER, 2, "junk", 4, -1, &e), 0);
	turn(p);
	assert_int_equal(p->kills, 1);
	live(p);
	/* The innocent first, then the suspect, alone. */
	assert_true(request(p) && p->id == 1);
	assert_true(request(p) && p->id == 3);
	assert_false(request(p));
	answer(p, 1);
	assert_false(request(p));
	answer(p, 3);
	assert_true(request(p) && p->id == 2);
	assert_int_equal(
	    ipc_write(p->peer, INSPECT_ANSWER, 2, "junk", 4, -1, &e), 0);
	turn(p);
	assert_int_equal(p->kills, 2);
	assert_int_equal(t[1].times, 1);
	assert_int_equal(t[1].result, POOL_SUSPECT);
	assert_int_equal(t[0].result, POOL_FOUND);
	assert_int_equal(t[2].result, POOL_FOUND);
	for (size_t i = 0; i < 3; i++)
		forget(&t[i]);
}

static void
while_a_suspect_is_alone_others_wait(void **state)
{
	struct play *p = *state;
	struct told bad, good;

	submit(&p->w, &bad, "x", 1);
	assert_true(request(p));
	die(p);
	live(p);
	assert_true(request(p) && p->id == 1);
	submit(&p->w, &good, "x", 1);
	assert_false(request(p));
	answer(p, 1); /* it was not its fault after all */
	assert_int_equal(bad.result, POOL_FOUND);
	assert_true(request(p) && p->id == 2);
	forget(&bad);
	forget(&good);
}

static void
an_idle_death_suspects_nobody(void **state)
{
	struct play *p = *state;
	struct told t[2];

	for (size_t i = 0; i < 2; i++)
		submit(&p->w, &t[i], "x", 1);
	assert_int_equal(requests(p), 2);
	atomic_store(p->w.channel.working_on, 0);
	die(p);
	live(p);
	assert_int_equal(requests(p), 2); /* both at once, nobody alone */
	for (size_t i = 0; i < 2; i++)
		forget(&t[i]);
}

/* The shared word is the inspector's to write: a broken one may name another
 * for ever. Who saw too many deaths is tried alone. */
static void
a_liar_does_not_go_on_for_ever(void **state)
{
	struct play *p = *state;
	struct told t[2];
	unsigned deaths = 0;

	for (size_t i = 0; i < 2; i++)
		submit(&p->w, &t[i], "x", 1);
	while (t[0].times == 0 && deaths++ < 20) {
		while (request(p)) {
			/* 1 kills it, and it says nobody did; 2 is good. */
			if (p->id == 2)
				answer(p, 2);
			atomic_store(p->w.channel.working_on, 0);
			if (p->id == 1)
				break;
		}
		die(p);
		live(p);
	}
	assert_int_equal(t[0].result, POOL_SUSPECT);
	assert_int_equal(t[1].result, POOL_FOUND);
	assert_true(deaths <= 5);
	for (size_t i = 0; i < 2; i++)
		forget(&t[i]);
}

static void
cancelled_before_it_was_sent(void **state)
{
	struct play *p = *state;
	struct told t[3];

	for (size_t i = 0; i < 3; i++)
		submit(&p->w, &t[i], "", BIG);
	forget(&t[2]); /* waits for a slot */
	assert_int_equal(requests(p), 2);
	answer(p, 1);
	assert_false(request(p));
	assert_int_equal(t[2].times, 0);
	forget(&t[0]);
	forget(&t[1]);
}

static void
cancelled_while_it_is_read_keeps_its_slot(void **state)
{
	struct play *p = *state;
	struct told t[3];

	for (size_t i = 0; i < 2; i++)
		submit(&p->w, &t[i], "", BIG);
	assert_int_equal(requests(p), 2);
	forget(&t[0]);
	submit(&p->w, &t[2], "", BIG);
	assert_false(request(p)); /* slot 0 is still being read */
	answer(p, 1);
	assert_true(request(p) && p->id == 3 && p->request.slot == 0);
	assert_int_equal(t[0].times, 0);
	forget(&t[1]);
	forget(&t[2]);
}

static void
cancelled_and_dead_is_gone(void **state)
{
	struct play *p = *state;
	struct told t[3];

	for (size_t i = 0; i < 3; i++)
		submit(&p->w, &t[i], "", i == 0 ? BIG : 1);
	assert_int_equal(requests(p), 3);
	forget(&t[0]);
	forget(&t[2]);
	atomic_store(p->w.channel.working_on, 1);
	die(p);
	live(p);
	assert_true(request(p) && p->id == 2);
	assert_false(request(p));
	answer(p, 2);
	assert_int_equal(t[1].result, POOL_FOUND);
	forget(&t[1]);
}

static void
a_finished_one_can_be_cancelled(void **state)
{
	struct play *p = *state;
	struct told t;

	submit(&p->w, &t, "", (1 << 20) + 1); /* cannot be: told at next turn */
	forget(&t);
	turn(p);
	assert_int_equal(t.times, 0);
}

static void
silence_is_killed(void **state)
{
	struct play *p = *state;
	struct told t[2];

	for (size_t i = 0; i < 2; i++)
		submit(&p->w, &t[i], "x", 1);
	assert_int_equal(requests(p), 2);
	ahead += 10;
	turn(p);
	assert_int_equal(p->kills, 0); /* it has itself to make ready first */
	answer(p, 1);
	ahead += 9;
	turn(p);
	assert_int_equal(p->kills, 0); /* counted from when its turn came */
	ahead += 2;
	turn(p);
	assert_int_equal(p->kills, 1);
	assert_int_equal(t[1].times, 0);
	live(p);
	assert_true(request(p) && p->id == 2);
	ahead += 10;
	turn(p);
	assert_int_equal(p->kills, 1);
	ahead += 2;
	turn(p);
	assert_int_equal(p->kills, 2);
	assert_int_equal(t[1].result, POOL_SUSPECT);
	/* Nothing outstanding: no clock runs. */
	live(p);
	ahead += 60;
	turn(p);
	assert_int_equal(p->kills, 2);
	for (size_t i = 0; i < 2; i++)
		forget(&t[i]);
}

static void
half_a_minute_without_one_is_down(void **state)
{
	struct play *p = *state;
	struct told t[3];

	submit(&p->w, &t[0], "x", 1);
	die(p);
	submit(&p->w, &t[1], "x", 1);
	ahead += 29;
	turn(p);
	assert_int_equal(t[0].times + t[1].times, 0);
	ahead += 2;
	turn(p);
	assert_int_equal(t[0].times, 1);
	assert_int_equal(t[0].result, POOL_DOWN);
	assert_int_equal(t[1].result, POOL_DOWN);
	/* Nobody waits another half minute. */
	submit(&p->w, &t[2], "x", 1);
	turn(p);
	assert_int_equal(t[2].result, POOL_DOWN);
	forget(&t[2]);
	live(p);
	submit(&p->w, &t[2], "x", 1);
	assert_true(request(p));
	answer(p, p->id);
	assert_int_equal(t[2].result, POOL_FOUND);
	for (size_t i = 0; i < 3; i++)
		forget(&t[i]);
}

static void
another_may_come_before_the_news_of_the_death(void **state)
{
	struct play *p = *state;
	struct told t;

	submit(&p->w, &t, "x", 1);
	assert_true(request(p));
	io_close(p->peer);
	p->peer = -1;
	live(p); /* the loop has not seen the end of the old one */
	assert_true(request(p) && p->id == 1);
	answer(p, 1);
	assert_int_equal(t.result, POOL_FOUND);
	assert_int_equal(t.times, 1);
	forget(&t);
}

static void
a_full_arena_is_not_the_inspectors_fault(void **state)
{
	struct play *p = *state;
	struct told t;

	submit(&p->w, &t, "x", 1);
	assert_true(request(p));
	assert_non_null(arena_alloc(t.arena, (16 << 20) - 16));
	answer(p, 1);
	assert_int_equal(t.result, POOL_DOWN);
	assert_int_equal(p->kills, 0);
	forget(&t);
}

/* Mail is spooled to a file when large, or always: pieces come and go. */
static void
a_spool_in_a_file(void **state)
{
	struct play *p = *state;
	struct spool_pool *memory = p->w.spools;
	struct told t;

	p->w.spools = spool_pool_new(
	    &(struct spool_conf){ .dir = "/tmp", .max_memory = 1 });
	submit(&p->w, &t, "Subject: x\r\n\r\n", 120000);
	assert_true(request(p));
	assert_false(p->request.in_slot);
	assert_int_equal(p->body.n, 120000);
	for (size_t at = 0; at < p->body.n;) {
		struct pn_str s = spool_at(t.spool, at);

		assert_memory_equal(p->body.p + at, s.p, s.n);
		at += s.n;
	}
	forget(&t);
	spool_pool_free(p->w.spools);
	p->w.spools = memory;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(requests_carry_the_message),
		TEST(many_are_outstanding_but_not_all),
		TEST(large_ones_wait_for_a_slot_and_small_ones_pass),
		TEST(too_large_for_a_slot_cannot_be),
		TEST(a_stray_answer_is_dropped),
		TEST(a_broken_answer_makes_a_suspect),
		TEST(while_a_suspect_is_alone_others_wait),
		TEST(an_idle_death_suspects_nobody),
		TEST(a_liar_does_not_go_on_for_ever),
		TEST(cancelled_before_it_was_sent),
		TEST(cancelled_while_it_is_read_keeps_its_slot),
		TEST(cancelled_and_dead_is_gone),
		TEST(a_finished_one_can_be_cancelled),
		TEST(silence_is_killed),
		TEST(half_a_minute_without_one_is_down),
		TEST(another_may_come_before_the_news_of_the_death),
		TEST(a_full_arena_is_not_the_inspectors_fault),
		TEST(a_spool_in_a_file),
	};

	return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
