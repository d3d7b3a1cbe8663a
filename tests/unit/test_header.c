/* header, mailbox, charset: fields and what they say. */
#include "cm.h"

#include "base/buf.h"
#include "inspect/charset.h"
#include "inspect/header.h"
#include "inspect/mailbox.h"

#define MAX_MEMORY (1u << 20)

static void
fields_with_offsets(void **state)
{
	static const char text[] =
	    "A: 1\r\nB :\r\n 2\r\n\t3\r\nA:4\r\n\r\nbody";
	struct arena *a = arena_new(MAX_MEMORY);
	struct header h;

	(void)state;
	assert_int_equal(header_parse(&h, PN_STR_V(text), 10, a), 0);
	assert_int_equal(h.n, 3);
	assert_str(h.fields[1].name, "B");
	assert_str(h.fields[1].body, "\r\n 2\r\n\t3");
	assert_ptr_equal(h.fields[1].name.p, text + 6);
	assert_int_equal(h.size, sizeof(text) - 1 - 4);
	assert_str(header_unfold(h.fields[1].body, a), "2\t3");
	assert_str(h.fields[2].name, "A");
	assert_false(h.unended || h.bare || h.cut);
	assert_int_equal(h.early, 0);
	arena_free(a);
}

static void
odd_lines_are_noted(void **state)
{
	static const struct {
		const char *text;
		size_t n, size, early;
		bool bare, unended;
	} cases[] = {
		{ "From x Mon Jan 1\r\nA: 1\r\n\r\n", 1, 26, 0, false, false },
		{ "A: 1\r\nno field\r\nB: 2\r\n\r\n", 2, 24, 6, false, false },
		{ "A: 1\r\n \r\nB: 2\r\n\r\n", 2, 17, 9, false, false },
		{ " A: 1\r\n\r\n", 0, 9, 7, false, false },
		{ "A: 1\nB: 2\n\n", 2, 11, 0, false, false },
		{ "A: 1\r\nB: 2\n\r\n", 2, 13, 0, true, false },
		{ "A: 1\rB: 2\r\n\r\n", 2, 13, 0, true, false },
		{ "A: 1", 1, 4, 0, false, true },
		{ "", 0, 0, 0, false, true },
	};
	struct arena *a = arena_new(MAX_MEMORY);

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct header h;

		assert_int_equal(
		    header_parse(&h, pn_str_of(cases[i].text), 10, a), 0);
		if (h.n != cases[i].n || h.size != cases[i].size ||
		    h.early != cases[i].early || h.bare != cases[i].bare ||
		    h.unended != cases[i].unended)
			fail_msg("%zu: %zu fields, size %zu, early %zu, %d %d",
			    i, h.n, h.size, h.early, h.bare, h.unended);
	}
	arena_free(a);
}

static void
encoded_words(void **state)
{
	static const struct {
		const char *text, *want;
		bool unknown;
	} cases[] = {
		{ "plain", "plain", false },
		{ "", "", false },
		{ "=?utf-8?Q?a_b=21?=", "a b!", false },
		{ "=?UTF-8?b?w7w=?=", "\303\274", false },
		{ "x =?utf-8?q?a?=  =?utf-8?q?b?= y", "x ab y", false },
		{ "=?utf-8?q?a?= x =?utf-8?q?b?=", "a x b", false },
		{ "=?utf-8?B?w?= =?utf-8?B?7w=?=", "\357\277\275", false },
		{ "=?utf-8?Q?=C3?= =?utf-8?Q?=BC?=", "\303\274", false },
		{ "=?iso-8859-1?q?=e4?= =?utf-8?q?=C3=BC?=", "\303\244\303\274",
		    false },
		{ "=?windows-1252?q?=80?=", "\342\202\254", false },
		{ "=?utf-8*en?q?a?=", "a", false },
		{ "=?x-klingon?q?=c1a?=", "\357\277\275a", true },
		{ "=?utf-8?q?not closed", "=?utf-8?q?not closed", false },
		{ "=?utf-8?x?a?=", "=?utf-8?x?a?=", false },
		{ "a=?utf-8?q?b?=c", "abc", false },
		{ "\374", "\303\274", false },
		{ "\303\274", "\303\274", false },
	};
	struct arena *a = arena_new(MAX_MEMORY);

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		bool unknown = false;
		struct pn_str s =
		    header_decode(pn_str_of(cases[i].text), a, &unknown);

		if (!pn_str_eq(s, pn_str_of(cases[i].want)) ||
		    unknown != cases[i].unknown)
			fail_msg("\"%s\" gave \"%.*s\" %d", cases[i].text,
			    PN_STR_ARG(s), unknown);
	}
	arena_free(a);
}

static void
charsets(void **state)
{
	static const struct {
		const char *name;
		struct pn_str text, want;
	} cases[] = {
		{ "UTF-8", PN_STR("a\303\274\377"),
		    PN_STR("a\303\274\357\277\275") },
		{ "us-ascii", PN_STR("\303\274"), PN_STR("\303\274") },
		{ "Latin1", PN_STR("\374\0"), PN_STR("\303\274\0") },
		{ "windows-1252", PN_STR("\223x\224"),
		    PN_STR("\342\200\234x\342\200\235") },
		{ "utf-16", PN_STR("\376\377\0a\0\374"), PN_STR("a\303\274") },
		{ "utf-16", PN_STR("\377\376a\0"), PN_STR("a") },
		{ "utf-16le", PN_STR("=\330\0\336"),
		    PN_STR("\360\237\230\200") },
		{ "utf-16be", PN_STR("\330=x"),
		    PN_STR("\357\277\275\357\277\275") },
		{ "", PN_STR("\374"), PN_STR("\303\274") },
		/* UTF-7: RFC 2152's own examples, and what is broken */
		{ "utf-7", PN_STR("A+ImIDkQ."),
		    PN_STR("A\342\211\242\316\221.") },
		{ "utf-7", PN_STR("Hi Mom -+Jjo--!"),
		    PN_STR("Hi Mom -\342\230\272-!") },
		{ "unicode-1-1-utf-7", PN_STR("+ZeVnLIqe-"),
		    PN_STR("\346\227\245\346\234\254\350\252\236") },
		{ "utf-7", PN_STR("1 +- 1"), PN_STR("1 + 1") },
		{ "utf-7", PN_STR("+ADw-a+AD4"), PN_STR("<a>") },
		{ "utf-7", PN_STR("+2D3eAA-"), PN_STR("\360\237\230\200") },
		{ "utf-7", PN_STR("+2D3-x"), PN_STR("\357\277\275x") },
		{ "utf-7", PN_STR("a+*b\374"),
		    PN_STR("a\357\277\275*b\357\277\275") },
		{ "utf-7", PN_STR("+"), PN_STR("\357\277\275") },
		/* HZ: RFC 1843's example */
		{ "hz-gb-2312", PN_STR("a.~{<:Ky2;S{#,NpJ)l6HK!#~}b~~"),
		    PN_STR("a.\345\267\261\346\211\200\344\270\215\346"
			   "\254\262\357\274\214\345\213\277\346\226\275"
			   "\346\226\274\344\272\272\343\200\202b~") },
		{ "hz", PN_STR("~{<:\nKy"), PN_STR("\345\267\261\nKy") },
		/* iconv: a word of each, and broken bytes in front of good ones */
		{ "koi8-r", PN_STR("\360\322\311\327\305\324"),
		    PN_STR("\320\237\321\200\320\270\320\262\320\265\321"
			   "\202") },
		{ "windows-1251", PN_STR("\317\360\350\342\345\362"),
		    PN_STR("\320\237\321\200\320\270\320\262\320\265\321"
			   "\202") },
		{ "iso-8859-2", PN_STR("\261"), PN_STR("\304\205") },
		{ "iso-8859-9", PN_STR("\376"), PN_STR("\305\237") },
		{ "gb2312", PN_STR("\304\343\272\303"),
		    PN_STR("\344\275\240\345\245\275") },
		{ "Big5", PN_STR("\247A\246n"),
		    PN_STR("\344\275\240\345\245\275") },
		{ "shift_jis", PN_STR("\223\372\226{"),
		    PN_STR("\346\227\245\346\234\254") },
		{ "iso-2022-jp", PN_STR("\33$BF|K\\\33(B!"),
		    PN_STR("\346\227\245\346\234\254!") },
		{ "euc-jp", PN_STR("\306\374\313\334"),
		    PN_STR("\346\227\245\346\234\254") },
		{ "ks_c_5601-1987", PN_STR("\307\321"),
		    PN_STR("\355\225\234") },
		{ "gb2312", PN_STR("\304<b>\304\343\377x"),
		    PN_STR("\357\277\275<b>\344\275\240\357\277\275x") },
		{ "gb2312", PN_STR("x\304"), PN_STR("x\357\277\275") },
		{ "x-klingon", PN_STR("ab\304"), PN_STR("ab\357\277\275") },
	};

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct pn_str name = pn_str_of(cases[i].name);
		struct buf out = { 0 };

		assert_int_equal(charset_read(name, cases[i].text, &out),
		    charset_is_read(name));
		if (!pn_str_eq(buf_str(&out), cases[i].want))
			fail_msg("%zu: \"%.*s\"", i, PN_STR_ARG(buf_str(&out)));
		buf_fini(&out);
	}
	assert_false(charset_is_read(PN_STR_V("x-klingon")));
}

/* Each mailbox as "display|local|domain", one behind the other. */
static void
mailboxes(void **state)
{
	static const struct {
		const char *field, *want;
	} cases[] = {
		{ " a@b", "[|a|b]" },
		{ "Ada <a@b>", "[Ada|a|b]" },
		{ "\"M, \\\"A\\\" \" <a@b>, c@d", "[M, \"A\"|a|b][|c|d]" },
		{ "a@b (Ada)", "[Ada|a|b]" },
		{ "Ada <a@b.c.>", "[Ada|a|b.c]" },
		{ "<a@b> (Ada)", "[Ada|a|b]" },
		{ "=?utf-8?q?=C3=BC?= <a@b>", "[\303\274|a|b]" },
		{ "G: a@b, c@d;, e@f", "[|a|b][|c|d][|e|f]" },
		{ "undisclosed-recipients:;", "" },
		{ "<@x,@y:a@b>", "[|a|b]" },
		{ "\"a b\"@c", "[|a b|c]" },
		{ "\"a@b\"@c", "[|a@b|c]" },
		{ "a (x) @ (y) b", "[y|a|b]" },
		{ "<>", "[||]" },
		{ ",, a@b,", "[|a|b]" },
		{ "postmaster", "[|postmaster|]" },
		{ "\"boss@bank.com\" <evil@x>", "[boss@bank.com|evil|x]" },
		{ "<good@a> <evil@b>", "[|good|a][|evil|b]" },
		{ "Ada\r\n <a@b>", "[Ada|a|b]" },
		{ "<a@b", "[|a|b]" },
		{ "\"never closed <a@b>", "[never closed|a|b]" },
		{ "", "" },
	};
	struct arena *a = arena_new(MAX_MEMORY);

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct buf out = { 0 };
		struct mailbox m;
		size_t at = 0;

		while (mailbox_next(pn_str_of(cases[i].field), &at, &m, a))
			buf_printf(&out, "[%.*s|%.*s|%.*s]",
			    PN_STR_ARG(m.display), PN_STR_ARG(m.local),
			    PN_STR_ARG(m.domain));
		if (!pn_str_eq(buf_str(&out), pn_str_of(cases[i].want)))
			fail_msg("\"%s\" gave %.*s", cases[i].field,
			    PN_STR_ARG(buf_str(&out)));
		buf_fini(&out);
	}
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_with_offsets),
		cmocka_unit_test(odd_lines_are_noted),
		cmocka_unit_test(encoded_words),
		cmocka_unit_test(charsets),
		cmocka_unit_test(mailboxes),
	};

	return cmocka_run_group_tests_name("header", tests, NULL, NULL);
}
