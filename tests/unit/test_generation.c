/* generation: who is due when, who serves, what the books say. */
#include "cm.h"

#include "base/json.h"

#include <stdlib.h>

#include "base/mem.h"
#include "proxy/generation.h"

/* A generation of two workers, pids 100 + 10 * number and on. */
static struct generation *
add(struct generations *all, unsigned number, uint64_t now_ms)
{
	struct generation *g =
	    generation_new(number, NULL, NULL, 2, 0, now_ms, NULL);

	for (unsigned i = 0; i < 2; i++) {
		struct slot *s = &g->slots[i];

		s->number = 2 * number + i;
		s->worker = (pid_t)(100 + 10 * number + 2 * i);
		s->readers[0].pid = s->worker + 1;
		s->worker_due = 0;
	}
	TAILQ_INSERT_HEAD(all, g, next);
	return g;
}

static void
drop(struct generations *all, struct generation *g)
{
	TAILQ_REMOVE(all, g, next);
	g->state = GENERATION_DRAINING;
	for (unsigned i = 0; i < g->n_slots; i++)
		g->slots[i].worker = g->slots[i].readers[0].pid = 0;
	generation_free(g);
}

static void
a_new_one_is_due_at_once(void **state)
{
	struct generation *g = generation_new(1, NULL, NULL, 2, 1, 500, NULL);

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(g->slots[i].worker_due, 500);
	assert_int_equal(g->slots[1].milter, -1); /* SMTP's first */
	assert_int_equal(g->slots[2].milter, 0);
	assert_false(generation_is_ready(g));
	assert_false(generation_is_gone(g)); /* it is only beginning */
	g->state = GENERATION_FAILED;
	assert_true(generation_is_gone(g));
	generation_free(g);
}

static void
the_newest_that_serves(void **state)
{
	struct generations all = TAILQ_HEAD_INITIALIZER(all);
	struct generation *one = add(&all, 1, 1), *two = add(&all, 2, 1);

	(void)state;
	assert_null(generations_serving(&all));
	one->state = GENERATION_SERVING;
	assert_ptr_equal(generations_serving(&all), one);
	two->slots[0].ready = true;
	assert_false(generation_is_ready(two));
	two->slots[1].ready = true;
	assert_true(generation_is_ready(two));
	two->state = GENERATION_SERVING;
	assert_ptr_equal(generations_serving(&all), two);
	drop(&all, one);
	drop(&all, two);
}

static void
death_makes_due(void **state)
{
	struct generations all = TAILQ_HEAD_INITIALIZER(all);
	struct generation *g = add(&all, 1, 1);
	struct slot *s = generations_find(&all, 111);

	(void)state;
	g->state = GENERATION_SERVING;
	assert_ptr_equal(s, &g->slots[0]);
	assert_null(generations_find(&all, 99));
	slot_died(s, 111, DEATH_SIGNAL, 5000); /* an inspector: at once */
	assert_int_equal(s->readers[0].pid, 0);
	assert_int_equal(s->readers[0].due, 5000);
	assert_int_equal(generations_due(&all), 5000);
	s->readers[0].pid = 150;
	s->readers[0].due = 0;
	slot_died(s, 150, DEATH_CLEAN, 6000); /* it left: its worker may be dead too */
	assert_int_equal(s->readers[0].due, 6050);
	slot_died(s, 110, DEATH_SIGNAL, 6010); /* and was */
	assert_int_equal(s->readers[0].due, 0);
	assert_int_equal(s->worker_due, 6010);
	g->state = GENERATION_DRAINING;
	g->slots[0].worker_due = 0;
	g->deadline = 9000; /* one that hangs is not waited for */
	assert_int_equal(generations_due(&all), 9000);
	slot_died(&g->slots[1], 112, DEATH_CLEAN, 7000); /* nobody follows it */
	assert_int_equal(g->slots[1].worker_due, 0);
	assert_false(generation_is_gone(g));
	slot_died(&g->slots[1], 113, DEATH_CLEAN, 7000);
	assert_int_equal(g->slots[1].readers[0].due, 0);
	assert_true(generation_is_gone(g));
	drop(&all, g);
}

/* Doors and next hops, and how many SMTP workers they make of three. */
static void
smtp_workers_are_there_when_needed(void **state)
{
	static const struct {
		size_t smtp, milters, upstreams;
		unsigned workers;
	} cases[] = { { 1, 0, 1, 3 }, { 1, 2, 1, 3 }, { 0, 0, 0, 3 },
		{ 0, 1, 0, 0 }, { 0, 1, 1, 1 } };

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		const struct policy p = { .daemon.workers = 3,
			.smtp.n_listeners = cases[i].smtp,
			.smtp.n_upstreams = cases[i].upstreams,
			.milter.n_listeners = cases[i].milters };

		assert_int_equal(generation_workers(&p), cases[i].workers);
	}
}

/* Poison mail does not keep the inspector away; a sandbox that fails does. */
static void
killed_inspectors_come_back_soon(void **state)
{
	struct generations all = TAILQ_HEAD_INITIALIZER(all);
	struct generation *g = add(&all, 1, 1);
	struct slot *s = &g->slots[0], *other = &g->slots[1];
	uint64_t now = 1000;

	(void)state;
	g->state = GENERATION_SERVING;
	for (int i = 0; i < 50; i++, now += 10) {
		s->readers[0].pid = 111;
		other->readers[0].pid = 113;
		slot_died(s, 111, DEATH_SIGNAL, now);
		assert_true(s->readers[0].due <= now + 100);
		slot_died(other, 113, DEATH_EXIT, now);
	}
	assert_true(other->readers[0].due >= now + 10000);
	drop(&all, g);
}

static void
dying_while_it_starts_fails_it(void **state)
{
	struct generations all = TAILQ_HEAD_INITIALIZER(all);
	struct generation *g = add(&all, 1, 1);

	(void)state;
	assert_int_equal(generations_due(&all), g->deadline);
	slot_died(&g->slots[1], 112, DEATH_SIGNAL, 2);
	assert_int_equal(g->state, GENERATION_FAILED);
	assert_int_equal(g->slots[1].worker_due, 0);
	drop(&all, g);
}

static void
numbers_run_on_and_skip_the_living(void **state)
{
	struct generations all = TAILQ_HEAD_INITIALIZER(all);
	struct generation *g = add(&all, 1, 1); /* workers 2 and 3 */
	unsigned last = 0;

	(void)state;
	assert_int_equal(generations_number(&all, &last), 1);
	assert_int_equal(generations_number(&all, &last), 4);
	last = WORKER_NUMBERS - 1;
	assert_int_equal(generations_number(&all, &last), 0);
	drop(&all, g);
}

static void
the_books_as_json(void **state)
{
	struct generations all = TAILQ_HEAD_INITIALIZER(all);
	struct generation *g = add(&all, 7, 1);
	struct buf b = { 0 };

	(void)state;
	g->state = GENERATION_SERVING;
	g->slots[1].readers[0].pid = 0;
	g->slots[1].milter = 0;
	json_begin_object(&b, NULL);
	generations_json(&all, 5, 6, NULL, &b);
	json_end_object(&b);
	assert_str(buf_str(&b),
	    "{\"generation\":7,\"missing\":5,\"processes\":["
	    "{\"role\":\"master\",\"pid\":5},"
	    "{\"role\":\"keeper\",\"pid\":6},"
	    "{\"role\":\"worker\",\"pid\":170,\"generation\":7,\"worker\":14},"
	    "{\"role\":\"inspector\",\"pid\":171,\"generation\":7,\"worker\":14,"
	    "\"lane\":\"small\"},"
	    "{\"role\":\"milter\",\"pid\":172,\"generation\":7,\"worker\":15}]}");
	buf_fini(&b);
	drop(&all, g);
}

static void
five_crashes_in_ten_seconds_wait(void **state)
{
	static const struct {
		uint64_t at, wait;
	} crashes[] = { { 1000, 0 }, { 2000, 0 }, { 3000, 0 }, { 4000, 0 },
		{ 5000, 500 }, { 6000, 1000 }, { 8000, 2000 }, { 12000, 4000 },
		{ 60000, 0 }, { 60001, 0 } };
	struct backoff b = { 0 };

	(void)state;
	for (size_t i = 0; i < PN_COUNT(crashes); i++)
		assert_int_equal(backoff_crash(&b, crashes[i].at),
		    crashes[i].wait);
	for (int i = 0; i < 20; i++)
		assert_true(backoff_crash(&b, 61000) <= BACKOFF_MAX_MS);
	assert_int_equal(b.wait_ms, BACKOFF_MAX_MS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_one_is_due_at_once),
		cmocka_unit_test(the_newest_that_serves),
		cmocka_unit_test(death_makes_due),
		cmocka_unit_test(smtp_workers_are_there_when_needed),
		cmocka_unit_test(killed_inspectors_come_back_soon),
		cmocka_unit_test(dying_while_it_starts_fails_it),
		cmocka_unit_test(numbers_run_on_and_skip_the_living),
		cmocka_unit_test(the_books_as_json),
		cmocka_unit_test(five_crashes_in_ten_seconds_wait),
	};

	return cmocka_run_group_tests_name("generation", tests, NULL, NULL);
}
