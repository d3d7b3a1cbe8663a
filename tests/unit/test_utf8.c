/* utf8: RFC 3629's table at its edges, and every code point there and back. */
#include "cm.h"

#include "base/utf8.h"

static void
edges(void **state)
{
	static const struct {
		struct pn_str s;
		size_t len;
	} cases[] = {
		{ PN_STR(""), 0 },
		{ PN_STR("\0"), 1 },
		{ PN_STR("\x7f"), 1 },
		{ PN_STR("\x80"), 0 },
		{ PN_STR("\xc0\x80"), 0 },
		{ PN_STR("\xc1\xbf"), 0 },
		{ PN_STR("\xc2\x80"), 2 },
		{ PN_STR("\xdf\xbf"), 2 },
		{ PN_STR("\xdf"), 0 },
		{ PN_STR("\xdf\x41"), 0 },
		{ PN_STR("\xe0\x9f\xbf"), 0 },
		{ PN_STR("\xe0\xa0\x80"), 3 },
		{ PN_STR("\xed\x9f\xbf"), 3 },
		{ PN_STR("\xed\xa0\x80"), 0 },
		{ PN_STR("\xee\x80\x80"), 3 },
		{ PN_STR("\xef\xbf\xbf"), 3 },
		{ PN_STR("\xef\xbf"), 0 },
		{ PN_STR("\xf0\x8f\xbf\xbf"), 0 },
		{ PN_STR("\xf0\x90\x80\x80"), 4 },
		{ PN_STR("\xf4\x8f\xbf\xbf"), 4 },
		{ PN_STR("\xf4\x90\x80\x80"), 0 },
		{ PN_STR("\xf5\x80\x80\x80"), 0 },
		{ PN_STR("\xff"), 0 },
	};

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++)
		if (utf8_len(cases[i].s) != cases[i].len)
			fail_msg("case %zu: %zu", i, utf8_len(cases[i].s));
}

static void
every_code_point(void **state)
{
	(void)state;
	for (uint32_t c = 0; c <= 0x110000; c++) {
		char s[4];
		size_t n = utf8_put(s, c);
		bool possible = c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);

		if (utf8_len((struct pn_str){ s, n }) != n ||
		    utf8_len((struct pn_str){ s, n - 1 }) != 0 ||
		    (!possible && (n != 3 || memcmp(s, "\xef\xbf\xbd", 3))))
			fail_msg("U+%04X", c);
	}
}

static void
whole_strings(void **state)
{
	(void)state;
	assert_true(utf8_valid(PN_STR_V("")));
	assert_true(
	    utf8_valid(PN_STR_V("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80")));
	assert_false(utf8_valid(PN_STR_V("a\xc3")));
	assert_false(utf8_valid(PN_STR_V("\xa4"
					 "a")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(edges),
		cmocka_unit_test(every_code_point),
		cmocka_unit_test(whole_strings),
	};

	return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
