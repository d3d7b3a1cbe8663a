/* milter/answer: what of a reply libmilter and MTAs take. */
#include "cm.h"

#include <stdio.h>

#include "milter/answer.h"

static void
make(struct answer *a, uint16_t code, const char *status, struct pn_str text,
    const char *id)
{
	struct reply r = { .code = code, .text = text };

	(void)snprintf(r.status, sizeof(r.status), "%s", status);
	answer_make(a, &r, id);
}

/* Code, status and class agree, or an MTA drops the text. */
static void
test_classes(void **state)
{
	static const struct {
		uint16_t code;
		const char *status, *want_code, *want_status;
		bool later;
	} cases[] = {
		{ 550, "5.7.1", "550", "5.7.1", false },
		{ 451, "4.7.1", "451", "4.7.1", true },
		{ 421, "4.3.2", "421", "4.3.2", true },
		{ 550, "", "550", "5.7.1", false },
		{ 450, "", "450", "4.7.1", true },
		{ 450, "5.7.1", "450", "4.7.1", true },
		{ 554, "4.2.0", "554", "5.2.0", false },
		{ 552, "5.3.4", "552", "5.3.4", false },
		{ 250, "2.0.0", "550", "5.0.0", false },
		{ 0, "", "451", "4.7.1", true },
	};

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct answer a;

		make(&a, cases[i].code, cases[i].status, PN_STR_V("no"), "");
		assert_string_equal(a.code, cases[i].want_code);
		assert_string_equal(a.status, cases[i].want_status);
		assert_int_equal(a.later, cases[i].later);
	}
}

static void
test_one_line(void **state)
{
	static const struct {
		struct pn_str text;
		const char *id, *want;
	} cases[] = {
		{ PN_STR("no"), "", "no" },
		{ PN_STR("no"), "abc", "no [ref abc]" },
		{ PN_STR(""), "", "" },
		{ PN_STR(""), "abc", " [ref abc]" },
		{ PN_STR("100% sure"), "x", "100%% sure [ref x]" },
		{ PN_STR("%%"), "", "%%%%" },
		{ PN_STR("a\r\nb\0c"), "", "a  b c" },
	};

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct answer a;

		make(&a, 550, "5.7.1", cases[i].text, cases[i].id);
		assert_int_equal(a.n, 1);
		assert_false(a.cut);
		assert_string_equal(a.lines[0], cases[i].want);
		assert_null(a.lines[1]);
	}
}

/* What was passed, without the line ends and with `%` as it was. */
static size_t
undone(const struct answer *a, char *out)
{
	size_t n = 0;

	for (unsigned i = 0; i < a->n; i++)
		for (const char *p = a->lines[i]; *p != '\0'; p++) {
			if (*p == '%')
				assert_int_equal(*++p, '%');
			out[n++] = *p;
		}
	return n;
}

static void
check_lines(const struct answer *a)
{
	assert_in_range(a->n, 1, ANSWER_LINES);
	for (unsigned i = 0; i < ANSWER_LINES; i++) {
		assert_int_equal(a->lines[i] != NULL, i < a->n);
		if (i < a->n)
			assert_true(strlen(a->lines[i]) <= ANSWER_LINE);
	}
}

/* Text of any length: all of it in as many lines as it takes, or 32 lines
 * whose last one still says the reference. */
static void
test_lengths(void **state)
{
	static char text[40000], out[64000];
	static const char *const of[] = { "x", "%", "word ", "\303\244" };

	(void)state;
	for (size_t k = 0; k < PN_COUNT(of); k++) {
		size_t unit = strlen(of[k]);

		for (size_t i = 0; i + unit <= sizeof(text); i += unit)
			memcpy(text + i, of[k], unit);
		for (size_t n = unit; n < sizeof(text); n += unit * 97) {
			struct answer a;

			make(&a, 550, "5.7.1", (struct pn_str){ text, n },
			    "id0");
			check_lines(&a);
			assert_true(pn_str_ends(pn_str_of(a.lines[a.n - 1]),
			    PN_STR_V("[ref id0]")));
			if (a.cut)
				assert_int_equal(a.n, ANSWER_LINES);
			else if (of[k][unit - 1] != ' ')
				assert_true(undone(&a, out) >= n);
		}
	}
}

/* A character of UTF-8 is in one line. */
static void
test_utf8(void **state)
{
	static char text[3000];

	(void)state;
	for (size_t i = 0; i + 2 <= sizeof(text); i += 2)
		memcpy(text + i, "\303\244", 2);
	for (size_t from = 0; from < 2; from++) {
		struct answer a;

		text[0] = text[1] = 'x';
		make(&a, 550, "5.7.1",
		    (struct pn_str){ text + from, sizeof(text) - from }, "");
		for (unsigned i = 0; i < a.n; i++)
			assert_int_not_equal(
			    (unsigned char)a.lines[i][0] & 0xc0, 0x80);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_one_line),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
