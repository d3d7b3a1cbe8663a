/* lex: tokens, positions, and where the caret stands. */
#include "cm.h"

#include "base/lex.h"

static void
tokens_of_a_rule(void **state)
{
	static const char text[] =
	    "rule a-b { # why\n\twhen subject ~ /x\\/y+/i and 5 >= 3;\n}";
	static const char *const want[] = { "rule", "a-b", "{", "when",
		"subject", "~", "x\\/y+", "and", "5", ">=", "3", ";", "}" };
	struct lex l;
	struct lex_token t;
	struct error e;

	(void)state;
	lex_init(&l, "f", PN_STR_V(text));
	for (size_t i = 0; i < PN_COUNT(want); i++) {
		bool regex = i == 6;

		assert_int_equal(
		    regex ? lex_regex(&l, &t, &e) : lex_next(&l, &t, &e), 0);
		assert_str(t.text, want[i]);
		if (regex)
			assert_str(t.flags, "i");
	}
	assert_int_equal(lex_next(&l, &t, &e), 0);
	assert_int_equal(t.kind, LEX_END);
	assert_int_equal(t.pos.line, 3);
	assert_int_equal(t.pos.column, 2);
}

static void
an_error_shows_line_and_caret(void **state)
{
	struct lex l;
	struct lex_token t;
	struct error e;

	(void)state;
	lex_init(&l, "policy.conf", PN_STR_V("ok;\n\tset ? x;"));
	for (int i = 0; i < 3; i++)
		assert_int_equal(lex_next(&l, &t, &e), 0);
	assert_int_equal(lex_next(&l, &t, &e), -1);
	assert_string_equal(e.text,
	    "policy.conf:2:6: unexpected character \"?\"\n\tset ? x;\n\t    ^");
}

static void
sizes_and_durations(void **state)
{
	unsigned long long v;

	(void)state;
	assert_int_equal(lex_size(PN_STR_V("50M"), &v), 0);
	assert_int_equal(v, 50 << 20);
	assert_int_equal(lex_size(PN_STR_V("50X"), &v), -1);
	assert_int_equal(lex_size(PN_STR_V("M"), &v), -1);
	assert_int_equal(lex_duration(PN_STR_V("20s"), &v), 0);
	assert_int_equal(v, 20000);
	assert_int_equal(lex_duration(PN_STR_V("0"), &v), 0);
	assert_int_equal(v, 0);
	assert_int_equal(lex_duration(PN_STR_V("20"), &v), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokens_of_a_rule),
		cmocka_unit_test(an_error_shows_line_and_caret),
		cmocka_unit_test(sizes_and_durations),
	};

	return cmocka_run_group_tests_name("lex", tests, NULL, NULL);
}
