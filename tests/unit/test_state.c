/* state: counters count, end, are bounded and outlive the keeper. modules:
 * what workers say of modules comes together. */
#include "keeper_world.h"

#include "base/json.h"
#include "keeper/modules.h"
#include "keeper/state.h"

#define SECOND 1000000ull

struct count {
	int64_t value;
	uint64_t age_ms;
};

static struct count
count(struct state *s, const char *key, int64_t add, uint64_t life_ms,
    uint64_t now_us)
{
	struct keep_counter c = { PN_STR("m"), pn_str_of(key), add, life_ms };
	struct count got;
	struct error e;

	if (state_count(s, &c, now_us, &got.value, &got.age_ms, &e) < 0)
		fail_msg("%s", e.text);
	return got;
}

static void
counters_count_and_end(void **state)
{
	struct world *w = *state;
	struct error e;
	struct state *s = state_open(w->dir, STATE_MAX, &e);
	struct count c;

	assert_non_null(s);
	assert_int_equal(count(s, "a", 0, 10000, SECOND).value, 0);
	assert_int_equal(count(s, "a", 1, 10000, SECOND).value, 1);
	c = count(s, "a", 2, 99999, 4 * SECOND);
	assert_int_equal(c.value, 3);
	assert_int_equal(c.age_ms, 3000);
	assert_int_equal(count(s, "b", 5, 10000, 4 * SECOND).value, 5);
	assert_int_equal(count(s, "b", -7, 10000, 4 * SECOND).value, -2);
	/* What was added meanwhile does not prolong it. */
	assert_int_equal(count(s, "a", 0, 10000, 11 * SECOND).value, 0);
	c = count(s, "a", 1, 10000, 12 * SECOND);
	assert_int_equal(c.value, 1);
	assert_int_equal(c.age_ms, 0);
	assert_int_equal(count(s, "a", INT64_MAX, 10000, 12 * SECOND).value,
	    INT64_MAX);
	state_close(s);
}

static void
counters_outlive_the_keeper(void **state)
{
	struct world *w = *state;
	struct error e;
	struct state *s = state_open(w->dir, STATE_MAX, &e);

	assert_int_equal(count(s, "a", 4, 10000, SECOND).value, 4);
	state_close(s);
	s = state_open(w->dir, STATE_MAX, &e);
	assert_non_null(s);
	assert_int_equal(count(s, "a", 1, 10000, 2 * SECOND).value, 5);
	assert_int_equal(state_flush(s, &e), 0);
	assert_int_equal(count(s, "a", 1, 10000, 2 * SECOND).value, 6);
	assert_int_equal(state_expire(s, 3 * SECOND, &e), 0);
	assert_int_equal(state_expire(s, 11 * SECOND, &e), 1);
	state_close(s);
}

static void
the_ones_that_end_next_make_room(void **state)
{
	struct world *w = *state;
	struct error e;
	struct state *s = state_open(w->dir, 100, &e);
	unsigned left = 0;
	char key[16];

	for (unsigned i = 0; i < 150; i++) {
		(void)snprintf(key, sizeof(key), "k%u", i);
		assert_int_equal(
		    count(s, key, 1, 1000 + i * 10, SECOND).value, 1);
	}
	for (unsigned i = 0; i < 150; i++) {
		(void)snprintf(key, sizeof(key), "k%u", i);
		left += count(s, key, 0, 1, SECOND).value == 1;
	}
	assert_true(left <= 100 && left > 95);
	assert_int_equal(count(s, "k149", 0, 1, SECOND).value, 1);
	assert_int_equal(count(s, "k0", 0, 1, SECOND).value, 0);
	state_close(s);
}

static void
modules_keep_their_counters_apart(void **state)
{
	struct world *w = *state;
	struct keep_counter c = { PN_STR("n"), PN_STR("a"), 1, 1000 };
	struct error e;
	struct state *s = state_open(w->dir, STATE_MAX, &e);
	struct count got;

	assert_int_equal(count(s, "a", 9, 1000, SECOND).value, 9);
	assert_int_equal(state_count(s, &c, SECOND, &got.value, &got.age_ms, &e),
	    0);
	assert_int_equal(got.value, 1);
	state_close(s);
}

/* ---- what is said of modules ---- */

static void
say(struct modules *m, const void *from, const char *module, const char *part,
    const char *text, uint64_t time_us)
{
	struct keep_said s = { pn_str_of(module), pn_str_of(part),
		pn_str_of(text), time_us };
	struct buf b = { 0 };
	struct unpack u;
	struct error e;

	keep_said_pack(&s, &b);
	u = unpack_of(buf_data(&b), buf_len(&b));
	assert_int_equal(modules_take(m, from, &u, &e), 0);
	buf_fini(&b);
}

static void
check_json(struct modules *m, const char *want)
{
	struct metrics *none = metrics_new();
	struct buf b = { 0 };

	json_begin_object(&b, NULL);
	modules_json(m, none, &b);
	json_end_object(&b);
	(void)buf_add(&b, "", 1);
	assert_string_equal(buf_data(&b), want);
	buf_fini(&b);
	metrics_free(none);
}

static void
what_workers_say_comes_together(void **state)
{
	static const char zeros[] = "\"calls\":0,\"failures\":0,\"timeouts\":0,"
				    "\"refused\":0";
	struct modules *m = modules_new();
	int one, two;
	char want[600];

	(void)state;
	say(m, &one, "a", "", "", 1);
	say(m, &two, "a", "", "", 1);
	say(m, &one, "a", "", "late", 5);
	say(m, &two, "a", "", "earlier", 4);
	say(m, &one, "b", "x", "off", 6);
	say(m, &two, "b", "x", "off", 7);
	say(m, &two, "b", "y", "odd", 8);
	(void)snprintf(want, sizeof(want), "{\"modules\":[{\"name\":\"a\",%s,"
	    "\"last_error\":{\"time_us\":5,\"text\":\"late\"},\"parts\":[]},"
	    "{\"name\":\"b\",%s,\"parts\":[{\"part\":\"x\",\"state\":\"off\","
	    "\"time_us\":6},{\"part\":\"y\",\"state\":\"odd\",\"time_us\":8}]}]}",
	    zeros, zeros);
	check_json(m, want);
	say(m, &two, "b", "y", "", 9); /* taken back */
	modules_gone(m, &one);
	(void)snprintf(want, sizeof(want), "{\"modules\":[{\"name\":\"a\",%s,"
	    "\"last_error\":{\"time_us\":5,\"text\":\"late\"},\"parts\":[]},"
	    "{\"name\":\"b\",%s,\"parts\":[{\"part\":\"x\",\"state\":\"off\","
	    "\"time_us\":7}]}]}", zeros, zeros);
	check_json(m, want);
	modules_free(m);
}

static void
nonsense_is_refused(void **state)
{
	struct modules *m = modules_new();
	struct unpack u = unpack_of("\1\0\0\0a\2", 6);
	struct error e;

	(void)state;
	assert_int_equal(modules_take(m, m, &u, &e), -1);
	check_json(m, "{\"modules\":[]}");
	modules_free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(counters_count_and_end,
		    world_open, world_close),
		cmocka_unit_test_setup_teardown(counters_outlive_the_keeper,
		    world_open, world_close),
		cmocka_unit_test_setup_teardown(the_ones_that_end_next_make_room,
		    world_open, world_close),
		cmocka_unit_test_setup_teardown(
		    modules_keep_their_counters_apart, world_open, world_close),
		cmocka_unit_test(what_workers_say_comes_together),
		cmocka_unit_test(nonsense_is_refused),
	};

	return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
