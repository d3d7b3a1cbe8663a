/* stats: one handle a series, labels made printable, a bound that is told;
 * and their flat form, which a keeper takes only when it can show it. */
#include "cm.h"

#include <stdio.h>

#include "base/stats.h"
#include "mail/keep.h"

static void
a_series_is_one_handle(void **state)
{
	struct stats *s = stats_new();
	struct stat_label one[] = { { "action", PN_STR("reject") } };
	struct stat_label other[] = { { "action", PN_STR("accept") } };
	struct stat_series *a = stats_counter(s, "messages_total", one, 1);

	(void)state;
	stat_add(a, 2);
	stat_add(stats_counter(s, "messages_total", one, 1), 3);
	assert_int_equal(a->value, 5);
	assert_ptr_not_equal(a, stats_counter(s, "messages_total", other, 1));
	assert_ptr_not_equal(a, stats_counter(s, "messages_total", NULL, 0));
	assert_string_equal(a->labels, "action=\"reject\"");
	assert_false(a->gauge);
	stats_free(s);
}

static void
a_level_changes_only_when_it_does(void **state)
{
	struct stats *s = stats_new();
	struct stat_series *a = stats_gauge(s, "sessions", NULL, 0);

	(void)state;
	assert_true(a->gauge && a->changed);
	a->changed = false;
	stat_set(a, 0);
	assert_false(a->changed);
	stat_set(a, -3);
	assert_true(a->changed);
	assert_int_equal(a->value, -3);
	stats_free(s);
}

static void
no_stats_count_nothing(void **state)
{
	struct stat_series *none = stats_counter(NULL, "messages_total", NULL,
	    0);

	(void)state;
	assert_null(none);
	stat_add(none, 1);
	stat_set(none, 1);
}

static void
labels_are_printable(void **state)
{
	static const struct {
		struct pn_str value;
		const char *text;
	} cases[] = { { PN_STR("a\"b"), "rule=\"a\\\"b\"" },
		{ PN_STR("a\\b"), "rule=\"a\\\\b\"" },
		{ PN_STR("a\nb\0c\177"), "rule=\"a?b?c?\"" },
		{ PN_STR("m\xc3\xbcll"), "rule=\"m??ll\"" },
		{ PN_STR(""), "rule=\"\"" } };
	struct stats *s = stats_new();

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct stat_label l[] = { { "rule", cases[i].value } };
		struct stat_series *a = stats_counter(s, "fired_total", l, 1);

		assert_string_equal(a->labels, cases[i].text);
	}
	stats_free(s);
}

/* Past the bound nothing is counted but that. */
static void
too_many_are_dropped_and_counted(void **state)
{
	struct stats *s = stats_new();
	char name[16], longer[STATS_LABELS_MAX] = { 0 };
	struct stat_label l[] = { { "rule", { name, 0 } } };

	(void)state;
	memset(longer, 'x', sizeof(longer) - 1);
	l[0].value = pn_str_of(longer);
	assert_null(stats_counter(s, "fired_total", l, 1));
	for (int i = 1; i < STATS_MAX; i++) {
		l[0].value = (struct pn_str){ name,
			(size_t)snprintf(name, sizeof(name), "r%d", i) };
		assert_non_null(stats_counter(s, "fired_total", l, 1));
	}
	l[0].value = PN_STR_V("one more");
	assert_null(stats_counter(s, "fired_total", l, 1));
	assert_non_null(stats_counter(s, "stats_dropped_total", NULL, 0));
	assert_int_equal(stats_at(s, 0)->value, 2);
	assert_null(stats_at(s, STATS_MAX));
	stats_free(s);
}

static void
only_what_can_be_shown_is_taken(void **state)
{
	static const struct {
		struct pn_str name, labels;
		bool good;
	} cases[] = { { PN_STR("a_total"), PN_STR(""), true },
		{ PN_STR("a2"), PN_STR("b=\"c\""), true },
		{ PN_STR("a"), PN_STR("b=\"c\",d_e=\"f\\\"\""), true },
		{ PN_STR("a"), PN_STR("b=\"\""), true },
		{ PN_STR(""), PN_STR(""), false },
		{ PN_STR("A"), PN_STR(""), false },
		{ PN_STR("1a"), PN_STR(""), false },
		{ PN_STR("a b"), PN_STR(""), false },
		{ PN_STR("a\n"), PN_STR(""), false },
		{ PN_STR("a"), PN_STR("b"), false },
		{ PN_STR("a"), PN_STR("b="), false },
		{ PN_STR("a"), PN_STR("b=c"), false },
		{ PN_STR("a"), PN_STR("b=\"c"), false },
		{ PN_STR("a"), PN_STR("b=\"c\\\""), false },
		{ PN_STR("a"), PN_STR("b=\"c\","), false },
		{ PN_STR("a"), PN_STR("b=\"c\"d=\"e\""), false },
		{ PN_STR("a"), PN_STR("b=\"c\n\""), false },
		{ PN_STR("a"), PN_STR("=\"c\""), false },
		{ PN_STR("a"), PN_STR("b=\"\\"), false } };

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct keep_stat in = { cases[i].name, cases[i].labels, true,
			-7 }, out;
		struct buf b = { 0 };
		struct unpack u;
		bool got;

		keep_stat_pack(&in, &b);
		u = unpack_of(buf_data(&b), buf_len(&b));
		got = keep_stat_unpack(&out, &u) && unpack_done(&u);
		if (got != cases[i].good)
			fail_msg("%.*s %.*s", PN_STR_ARG(in.name),
			    PN_STR_ARG(in.labels));
		if (got) {
			assert_true(pn_str_eq(out.labels, in.labels));
			assert_int_equal(out.value, -7);
			assert_true(out.gauge);
		}
		buf_fini(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_series_is_one_handle),
		cmocka_unit_test(a_level_changes_only_when_it_does),
		cmocka_unit_test(no_stats_count_nothing),
		cmocka_unit_test(labels_are_printable),
		cmocka_unit_test(too_many_are_dropped_and_counted),
		cmocka_unit_test(only_what_can_be_shown_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
