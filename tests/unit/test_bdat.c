/* bdat: the argument of BDAT, and how the octets of chunks are read. */
#include "cm.h"

#include "smtp/bdat.h"
#include "smtp/dot.h"

static const struct {
	const char *arg;
	bool good;
	uint64_t size;
	bool last;
} args[] = {
	{ "0", true, 0, false },
	{ "0 LAST", true, 0, true },
	{ "86 last", true, 86, true },
	{ "000000000000000000000000000012", true, 12, false },
	{ "7 \t LaSt", true, 7, true },
	{ "999999999999999999", true, BDAT_MAX, false },
	{ "1000000000000000000", false, 0, false },
	{ "18446744073709551616", false, 0, false },
	{ "18446744073709551622 LAST", false, 0, false },
	{ "", false, 0, false },
	{ "LAST", false, 0, false },
	{ "-1", false, 0, false },
	{ "+1", false, 0, false },
	{ "0x10", false, 0, false },
	{ "10LAST", false, 0, false },
	{ "10 LAS", false, 0, false },
	{ "10 LAST LAST", false, 0, false },
	{ "10 11", false, 0, false },
	{ "1 0", false, 0, false },
	{ "10;", false, 0, false },
};

static void
arguments(void **state)
{
	(void)state;
	for (size_t i = 0; i < PN_COUNT(args); i++) {
		struct chunk c;

		if (bdat_parse(pn_str_of(args[i].arg), &c) != args[i].good)
			fail_msg("\"%s\"", args[i].arg);
		if (!args[i].good)
			continue;
		assert_int_equal(c.size, args[i].size);
		assert_int_equal(c.left, args[i].size);
		assert_int_equal(c.last, args[i].last);
		assert_int_equal(c.no.code, 0);
	}
}

static const struct {
	struct pn_str text;
	bool bare, dotted;
	enum dot_state end;
} bodies[] = {
	{ PN_STR(""), false, false, DOT_BOL },
	{ PN_STR("a\r\n"), false, false, DOT_BOL },
	{ PN_STR("a\r\n.\r\n"), false, true, DOT_BOL },
	{ PN_STR(".\r\n"), false, true, DOT_BOL },
	{ PN_STR("a."), false, false, DOT_TEXT },
	{ PN_STR("a\r\n."), false, true, DOT_TEXT },
	{ PN_STR("a\r"), false, false, DOT_CR },
	{ PN_STR("a\n"), true, false, DOT_TEXT },
	{ PN_STR("\n"), true, false, DOT_TEXT },
	{ PN_STR("\r"), false, false, DOT_CR },
	{ PN_STR("a\rb\r\n"), true, false, DOT_BOL },
	{ PN_STR("a\r\r\n.\r\n"), true, true, DOT_BOL },
	{ PN_STR("a\n.\r\n"), true, false, DOT_BOL },
	{ PN_STR("\0\r\n\0."), false, false, DOT_TEXT },
};

static void
octets_are_looked_at_in_any_slices(void **state)
{
	(void)state;
	for (size_t i = 0; i < PN_COUNT(bodies); i++)
		for (size_t slice = 1; slice < 9; slice++) {
			struct dot d = { .raw = true };
			struct pn_str text = bodies[i].text;

			for (size_t at = 0; at < text.n; at += slice) {
				char piece[8];
				size_t n = pn_str_sub(text, at, slice).n, kept;

				memcpy(piece, text.p + at, n);
				assert_int_equal(dot_feed(&d, piece, n, &kept), n);
				assert_int_equal(kept, n);
				assert_memory_equal(piece, text.p + at, n);
			}
			if (d.bare != bodies[i].bare ||
			    d.dotted != bodies[i].dotted || d.ended ||
			    d.state != bodies[i].end)
				fail_msg("%zu in slices of %zu", i, slice);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arguments),
		cmocka_unit_test(octets_are_looked_at_in_any_slices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
