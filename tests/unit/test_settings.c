/* settings: classes by name, waits between tries, and the flat form that a
 * reload sends. */
#include "cm.h"

#include "keeper/settings.h"

#define DAY_MS 86400000ull

static const uint64_t waits[] = { 1000, 60000, 3600000 };
static const struct keeper_class classes[] = { { "spam", DAY_MS, 42, true },
	{ "default", 2 * DAY_MS, 0, false } };
static const struct keeper_settings all = { .history_days = 7,
	.history_size = 1 << 30, .history_text = true,
	.release_life_ms = 3 * DAY_MS, .release_retry_ms = waits,
	.n_release_retry = 3, .classes = classes, .n_classes = 2 };

static void
each_class_has_a_block(void **state)
{
	struct keeper_settings none = all;

	(void)state;
	assert_ptr_equal(keeper_class_of(&all, PN_STR_V("spam")), &classes[0]);
	assert_ptr_equal(keeper_class_of(&all, PN_STR_V("spa")), &classes[1]);
	assert_ptr_equal(keeper_class_of(&all, PN_STR_V("")), &classes[1]);
	none.n_classes = 1;
	assert_int_equal(keeper_class_of(&none, PN_STR_V("x"))->keep_ms,
	    30 * DAY_MS);
	assert_int_equal(keeper_class_of(&none, PN_STR_V("x"))->quota, 0);
}

static void
the_last_wait_is_used_again(void **state)
{
	static const uint64_t want[] = { 1000, 1000, 60000, 3600000, 3600000 };

	(void)state;
	for (uint64_t tries = 0; tries < PN_COUNT(want); tries++)
		assert_int_equal(keeper_retry_wait_ms(&all, tries),
		    want[tries]);
}

static void
sent_it_is_the_same(void **state)
{
	struct arena *a = arena_new(1 << 16);
	struct buf b = { 0 }, again = { 0 };
	struct keeper_settings got;
	struct unpack u;

	(void)state;
	keeper_settings_pack(&all, &b);
	u = unpack_of(buf_data(&b), buf_len(&b));
	assert_true(keeper_settings_unpack(&got, &u, a));
	assert_string_equal(got.classes[1].name, "default");
	keeper_settings_pack(&got, &again);
	assert_int_equal(buf_len(&again), buf_len(&b));
	assert_memory_equal(buf_data(&again), buf_data(&b), buf_len(&b));
	/* Cut anywhere, it is not of our form. */
	for (size_t n = 0; n < buf_len(&b); n++) {
		u = unpack_of(buf_data(&b), n);
		assert_false(keeper_settings_unpack(&got, &u, a));
	}
	buf_fini(&b);
	buf_fini(&again);
	arena_free(a);
}

static void
settings_without_a_wait_are_none(void **state)
{
	struct arena *a = arena_new(1 << 16);
	struct keeper_settings s = all, got;
	struct buf b = { 0 };
	struct unpack u;

	(void)state;
	s.n_release_retry = 0;
	keeper_settings_pack(&s, &b);
	u = unpack_of(buf_data(&b), buf_len(&b));
	assert_false(keeper_settings_unpack(&got, &u, a));
	buf_fini(&b);
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_class_has_a_block),
		cmocka_unit_test(the_last_wait_is_used_again),
		cmocka_unit_test(sent_it_is_the_same),
		cmocka_unit_test(settings_without_a_wait_are_none),
	};

	return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
