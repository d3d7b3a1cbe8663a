/* crowd: counts over seats, windows of time on a clock of the test's, what a
 * dead worker held, and what happens when there is no more room. */
#include "cm.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/crowd.h"

#define NET(i) (const char *)(const uint32_t[]){ (i) }, sizeof(uint32_t)

static struct crowd_hold
enter(struct crowd_seat *s, uint32_t net, unsigned *here)
{
	struct crowd_hold h;
	unsigned all;

	assert_true(crowd_enter(s, &h, &all));
	*here = crowd_is(s, &h, NET(net), 100);
	return h;
}

static unsigned
look(struct crowd_seat *s, uint32_t net)
{
	unsigned here;
	struct crowd_hold h = enter(s, net, &here);

	crowd_leave(s, &h);
	return here - 1;
}

/* Of all workers; the seat has a place left to look from. */
static unsigned
look_at_all(struct crowd_seat *s)
{
	struct crowd_hold h;
	unsigned all;

	assert_true(crowd_enter(s, &h, &all));
	crowd_leave(s, &h);
	return all - 1;
}

/* Two workers, as two seats; names and numbers are of both. */
static void
counts(void **state)
{
	struct crowd *c = crowd_new();
	struct crowd_seat *a = crowd_seat_new(c, 10);
	struct crowd_seat *b = crowd_seat_new(c, 10);
	struct crowd_hold h[4];
	unsigned here, all;

	(void)state;
	h[0] = enter(a, 1, &here);
	assert_int_equal(here, 1);
	h[1] = enter(b, 1, &here);
	assert_int_equal(here, 2);
	h[2] = enter(b, 2, &here);
	assert_int_equal(here, 1);
	assert_int_equal(look_at_all(a), 3);
	assert_true(crowd_enter(a, &h[3], &all));
	assert_int_equal(all, 4);
	crowd_leave(a, &h[0]);
	crowd_leave(a, &h[0]); /* harmless */
	assert_int_equal(look(a, 1), 1);
	assert_int_equal(crowd_is(b, &h[1], NET(2), 100), 2); /* another now */
	assert_int_equal(look(a, 1), 0);
	assert_int_equal(crowd_is(b, &h[1], NULL, 0, 100), 0); /* nobody */
	assert_int_equal(look(a, 2), 1);
	crowd_leave(b, &h[1]);
	crowd_leave(b, &h[2]);
	crowd_leave(a, &h[3]);
	assert_int_equal(look_at_all(a), 0);
	crowd_seat_free(a);
	crowd_seat_free(b);
	crowd_forget(c);
}

/* A seat is of so many places, and they come back. */
static void
seat_full(void **state)
{
	struct crowd *c = crowd_new();
	struct crowd_seat *s = crowd_seat_new(c, 3);
	struct crowd_seat *other = crowd_seat_new(c, 1);
	struct crowd_hold h[4];
	unsigned all;

	(void)state;
	for (int round = 0; round < 100; round++) {
		for (int i = 0; i < 3; i++)
			assert_true(crowd_enter(s, &h[i], &all));
		assert_false(crowd_enter(s, &h[3], &all));
		crowd_leave(s, &h[3]);
		assert_int_equal(look_at_all(other), 3);
		for (int i = 0; i < 3; i++)
			crowd_leave(s, &h[(i + round) % 3]);
	}
	crowd_seat_free(s);
	crowd_seat_free(other);
	crowd_forget(c);
}

static void
windows(void **state)
{
	static const struct {
		uint64_t now;
		unsigned n;
	} steps[] = { { 1000, 1 }, { 1000, 2 }, { 1059, 3 }, { 999, 4 },
		{ 1060, 1 }, { 1061, 2 }, { 1119, 3 }, { 1120, 1 },
		{ 500000, 1 } };
	struct crowd *c = crowd_new();
	struct crowd_seat *s = crowd_seat_new(c, 10);
	unsigned here;
	struct crowd_hold h = enter(s, 7, &here), none;

	(void)state;
	for (size_t i = 0; i < PN_COUNT(steps); i++)
		assert_int_equal(crowd_count(s, &h, 2, steps[i].now, 60),
		    steps[i].n);
	assert_int_equal(crowd_count(s, &h, 3, 1000, 60), 1);
	/* It leaves and comes again within its time. */
	crowd_leave(s, &h);
	assert_int_equal(crowd_count(s, &h, 2, 500001, 60), 0);
	h = enter(s, 7, &here);
	assert_int_equal(crowd_count(s, &h, 2, 500001, 60), 2);
	crowd_leave(s, &h);
	assert_true(crowd_enter(s, &none, &here));
	assert_int_equal(crowd_count(s, &none, 2, 500001, 60), 0);
	crowd_leave(s, &none);
	crowd_seat_free(s);
	crowd_forget(c);
}

/* Killed in the middle: the others' counts stay, its own are given back. */
static void
killed(void **state)
{
	struct crowd *c = crowd_new();
	struct crowd_seat *mine = crowd_seat_new(c, 100);
	struct crowd_seat *its = crowd_seat_new(c, 100000);
	unsigned here;
	struct crowd_hold h = enter(mine, 1, &here);
	int ready[2], status;
	char byte;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	if ((pid = fork()) == 0) {
		struct crowd_hold gone = enter(its, 5, &here);

		for (uint32_t i = 0; i < 90000; i++)
			(void)enter(its, 1 + i % 3, &here);
		crowd_leave(its, &gone);
		(void)!write(ready[1], "x", 1);
		for (uint32_t i = 0;; i++) { /* until killed at any point */
			gone = enter(its, i % 5, &here);
			crowd_leave(its, &gone);
		}
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_in_range(look_at_all(mine), 90001, 90002);
	assert_int_equal(look(mine, 2), 30000);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	crowd_seat_free(its);
	/* One too few is what a death between two words may leave. */
	assert_in_range(look_at_all(mine), 0, 1);
	assert_in_range(look(mine, 1), 0, 1);
	assert_int_equal(look(mine, 2), 0);
	assert_int_equal(look(mine, 3), 0);
	crowd_leave(mine, &h);
	assert_int_equal(look_at_all(mine), 0);
	close(ready[0]);
	close(ready[1]);
	crowd_seat_free(mine);
	crowd_forget(c);
}

/* More nets than there is room for: those that hold something, and were seen
 * last, are still counted; nothing is counted wrongly. */
static void
no_room(void **state)
{
	struct crowd *c = crowd_new();
	struct crowd_seat *s = crowd_seat_new(c, 1000);
	struct crowd_hold held[100], h;
	unsigned here, all;

	(void)state;
	for (uint32_t i = 0; i < 100; i++) {
		held[i] = enter(s, i, &here);
		assert_int_equal(here, 1);
	}
	for (uint32_t i = 1000; i < 1000 + 4 * CROWD_ROOM; i++) {
		h = enter(s, i, &here);
		assert_int_equal(here, 1);
		assert_int_equal(crowd_count(s, &h, 0, 100 + i / 100, 60), 1);
		crowd_leave(s, &h);
	}
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(look(s, i), 1);
	for (uint32_t i = 0; i < 100; i++) {
		crowd_leave(s, &held[i]);
		assert_int_equal(look(s, i), 0);
	}
	assert_true(crowd_enter(s, &h, &all));
	assert_int_equal(all, 1);
	crowd_leave(s, &h);
	crowd_seat_free(s);
	crowd_forget(c);
}

/* All that there is room for holds something: the longest unseen is forgotten,
 * and when its connection ends, that takes nothing from who stands there. */
static void
forgotten(void **state)
{
	enum { MANY = CROWD_ROOM * 3 / 2 };
	struct crowd *c = crowd_new();
	struct crowd_seat *s = crowd_seat_new(c, MANY);
	struct crowd_hold *h = calloc(MANY, sizeof(*h));
	unsigned all, known = 0;

	(void)state;
	for (uint32_t i = 0; i < MANY; i++) {
		assert_true(crowd_enter(s, &h[i], &all));
		assert_int_equal(crowd_is(s, &h[i], NET(i), i / 64), 1);
	}
	for (uint32_t i = 0; i < MANY; i++)
		known += crowd_count(s, &h[i], 0, MANY, 60) == 1;
	assert_in_range(known, CROWD_ROOM / 2, CROWD_ROOM);
	assert_int_equal(crowd_count(s, &h[MANY - 1], 0, MANY, 60), 2);
	for (uint32_t i = 0; i < MANY - 1; i++)
		crowd_leave(s, &h[i]);
	assert_int_equal(look(s, MANY - 1), 1);
	crowd_leave(s, &h[MANY - 1]);
	assert_int_equal(look(s, MANY - 1), 0);
	assert_int_equal(look_at_all(s), 0);
	free(h);
	crowd_seat_free(s);
	crowd_forget(c);
}

/* Workers on both cores: when all have left, nothing is left. */
static void
together(void **state)
{
	enum { WORKERS = 4, ROUNDS = 50000 };
	struct crowd *c = crowd_new();
	struct crowd_seat *seats[WORKERS], *mine = crowd_seat_new(c, 4);
	unsigned here;
	struct crowd_hold h = enter(mine, 1, &here);

	(void)state;
	for (int w = 0; w < WORKERS; w++)
		seats[w] = crowd_seat_new(c, 16);
	for (int w = 0; w < WORKERS; w++) {
		if (fork() != 0)
			continue;
		for (uint32_t i = 0; i < ROUNDS; i++) {
			struct crowd_hold x = enter(seats[w], 1 + i % 2, &here);

			(void)crowd_count(seats[w], &x, 1, 100, 60);
			crowd_leave(seats[w], &x);
		}
		_exit(0);
	}
	for (int w = 0; w < WORKERS; w++) {
		int status;

		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	assert_int_equal(crowd_count(mine, &h, 1, 100, 60),
	    WORKERS * ROUNDS / 2 + 1);
	assert_int_equal(look(mine, 1), 1);
	assert_int_equal(look(mine, 2), 0);
	assert_int_equal(look_at_all(mine), 1);
	for (int w = 0; w < WORKERS; w++)
		crowd_seat_free(seats[w]);
	crowd_leave(mine, &h);
	crowd_seat_free(mine);
	crowd_forget(c);
}

/* A worker that was taken over wrote over all it could: the master reads it
 * when the worker is dead, and stays well. */
static void
nonsense(void **state)
{
	struct crowd *c = crowd_new();
	struct crowd_seat *s = crowd_seat_new(c, 16), *other;
	unsigned here;
	struct crowd_hold h = { .place = 1, .at = UINT32_MAX, .tag = 99 };

	(void)state;
	for (uint32_t i = 0; i < 16; i++)
		(void)enter(s, i, &here);
	crowd_leave(s, &h); /* somebody else's entry */
	assert_int_equal(look_at_all(s), 15);
	crowd_seat_free(s);
	other = crowd_seat_new(c, 1);
	assert_int_equal(look_at_all(other), 0);
	crowd_seat_free(other);
	crowd_forget(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts),
		cmocka_unit_test(seat_full),
		cmocka_unit_test(windows),
		cmocka_unit_test(killed),
		cmocka_unit_test(no_room),
		cmocka_unit_test(forgotten),
		cmocka_unit_test(together),
		cmocka_unit_test(nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
