/* outage: when a server that is away is looked at again, and what the log has
 * of it. */
#include "smtp/outage.h"
#include "tests/unit/cm.h"

#define HOUR UINT64_C(3600000)

static void
pauses_double_up_to_half_a_minute(void **state)
{
	static const uint64_t want[] = { 1000, 2000, 4000, 8000, 16000, 30000,
		30000, 30000 };
	struct outage o = { 0 };

	(void)state;
	for (size_t i = 0; i < PN_COUNT(want); i++) {
		(void)outage_failed(&o, 1 + i);
		assert_int_equal(outage_pause_ms(&o), want[i]);
	}
	o.failures = UINT32_MAX;
	assert_int_equal(outage_pause_ms(&o), 30000);
}

/* Every look of two and a half hours, at the times at which it comes. */
static void
it_begins_lasts_and_ends(void **state)
{
	struct outage o = { 0 };
	uint64_t now = 5000, lasted = 99;
	unsigned looks = 0, reminders = 0;

	(void)state;
	assert_false(outage_ended(&o, now, &lasted));
	assert_int_equal(lasted, 0);
	assert_int_equal(outage_failed(&o, now), OUTAGE_BEGINS);
	while (now < 5000 + 5 * HOUR / 2) {
		now += outage_pause_ms(&o);
		looks++;
		switch (outage_failed(&o, now)) {
		case OUTAGE_BEGINS:
			fail_msg("it had begun");
			break;
		case OUTAGE_LASTS:
			reminders++;
			assert_true(outage_lasts_ms(&o, now) >=
			    reminders * HOUR);
			assert_true(outage_lasts_ms(&o, now) <
			    reminders * HOUR + 31000 * reminders);
			break;
		case OUTAGE_NO_NEWS:
			break;
		}
	}
	assert_int_equal(reminders, 2);
	assert_true(looks > 290 && looks < 310);
	assert_true(outage_ended(&o, now + 7, &lasted));
	assert_int_equal(lasted, now + 7 - 5000);
	assert_false(outage_ended(&o, now + 8, &lasted));
	assert_int_equal(outage_lasts_ms(&o, now + 9), 0);
}

static void
one_that_comes_back_begins_anew(void **state)
{
	struct outage o = { 0 };
	uint64_t lasted;

	(void)state;
	for (uint64_t now = 1; now < 6; now++)
		(void)outage_failed(&o, now);
	assert_true(outage_ended(&o, 10, &lasted));
	assert_int_equal(outage_failed(&o, 11), OUTAGE_BEGINS);
	assert_int_equal(outage_pause_ms(&o), 1000);
	assert_int_equal(outage_lasts_ms(&o, 12), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pauses_double_up_to_half_a_minute),
		cmocka_unit_test(it_begins_lasts_and_ends),
		cmocka_unit_test(one_that_comes_back_begins_anew),
	};

	return cmocka_run_group_tests_name("outage", tests, NULL, NULL);
}
