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

/* Behind which token, of which line and column, something is missing. */
static void
what_is_missing_is_missing_at_a_lines_end(void **state)
{
	static const struct {
		const char *text, *says; /* its last token should be a ";" */
	} cases[] = {
		{ "a b\nc", "f:1:4: missing \";\" after \"b\"\na b\n   ^" },
		{ "a\n\t\"b c\"  # d\n\nc",
		    "f:2:7: missing \";\" after \"b c\"\n\t\"b c\"  # d\n\t     ^" },
		{ "a b", "f:1:4: missing \";\" after \"b\"\na b\n   ^" },
		{ "a b\n", "f:1:4: missing \";\" after \"b\"\na b\n   ^" },
		{ "a b c", "f:1:5: \";\" must stand here, not \"c\"\na b c\n    ^" },
	};

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct lex l;
		struct lex_token t;
		struct error e;

		lex_init(&l, "f", pn_str_of(cases[i].text));
		for (int n = 0; n < 2; n++)
			assert_int_equal(lex_next(&l, &t, &e), 0);
		assert_int_equal(lex_peek(&l, &t, &e), 0);
		assert_int_equal(lex_expect(&l, ";", &e), -1);
		assert_string_equal(e.text, cases[i].says);
	}
}

/* A regex's end is behind its flags. */
static void
a_regex_ends_behind_its_flags(void **state)
{
	struct lex l;
	struct lex_token t;
	struct error e;

	(void)state;
	lex_init(&l, "f", PN_STR_V("/a\\/b/is\n"));
	assert_int_equal(lex_regex(&l, &t, &e), 0);
	assert_int_equal(lex_end(&t).column, 9);
	assert_int_equal(lex_expect(&l, ";", &e), -1);
	assert_string_equal(e.text,
	    "f:1:9: missing \";\" after the regex\n/a\\/b/is\n        ^");
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
		cmocka_unit_test(what_is_missing_is_missing_at_a_lines_end),
		cmocka_unit_test(a_regex_ends_behind_its_flags),
		cmocka_unit_test(sizes_and_durations),
	};

	return cmocka_run_group_tests_name("lex", tests, NULL, NULL);
}
