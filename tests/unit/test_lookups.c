/* lookups: of how many domains it takes until none can be looked up. */
#include "smtp/lookups.h"
#include "tests/unit/cm.h"

static void
two_domains_in_a_row(void **state)
{
	static const struct {
		const char *domain;
		bool answered, news;
		enum lookups_state now;
	} steps[] = {
		{ "a.example", false, false, LOOKUPS_UNKNOWN },
		{ "a.example", false, false, LOOKUPS_UNKNOWN },
		{ "b.example", true, true, LOOKUPS_FOUND },
		{ "a.example", false, false, LOOKUPS_FOUND },
		{ "b.example", true, false, LOOKUPS_FOUND },
		{ "b.example", false, false, LOOKUPS_FOUND },
		{ "a.example", false, true, LOOKUPS_FAILING },
		{ "a.example", false, false, LOOKUPS_FAILING },
		{ "c.example", true, true, LOOKUPS_FOUND },
		{ "a.example", false, false, LOOKUPS_FOUND },
	};
	struct lookups l = { 0 };

	(void)state;
	for (size_t i = 0; i < PN_COUNT(steps); i++) {
		assert_int_equal(lookups_ended(&l, steps[i].domain, false,
				     steps[i].answered),
		    steps[i].news);
		assert_int_equal(l.state, steps[i].now);
	}
}

static void
one_where_all_mail_goes_to_it(void **state)
{
	struct lookups l = { 0 };

	(void)state;
	assert_true(lookups_ended(&l, "a.example", true, false));
	assert_int_equal(l.state, LOOKUPS_FAILING);
	assert_false(lookups_ended(&l, "a.example", true, false));
	assert_true(lookups_ended(&l, "a.example", true, true));
	assert_int_equal(l.state, LOOKUPS_FOUND);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_domains_in_a_row),
		cmocka_unit_test(one_where_all_mail_goes_to_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
