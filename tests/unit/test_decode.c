/* decode: what lenient readers make of it, and that heads, tails and sizes
 * agree with the whole. */
#include "cm.h"

#include "base/arena.h"
#include "inspect/decode.h"

static void
what_readers_make_of_it(void **state)
{
	static const struct {
		enum encoding how;
		struct pn_str text, want;
		bool broken, resumed;
	} cases[] = {
		{ ENCODING_BASE64, PN_STR("aGVsbG8="), PN_STR("hello"), 0, 0 },
		{ ENCODING_BASE64, PN_STR("aGV\r\n s bG8"), PN_STR("hello"), 1,
		    0 },
		{ ENCODING_BASE64, PN_STR("aG!Vs\0bG8="), PN_STR("hello"), 1,
		    0 },
		{ ENCODING_BASE64, PN_STR("aGU=bGxv"), PN_STR("hello"), 0, 1 },
		{ ENCODING_BASE64, PN_STR("aA==ZWxsbw=="), PN_STR("hello"), 0,
		    1 },
		{ ENCODING_BASE64, PN_STR("=aGVsbG8="), PN_STR("hello"), 1, 1 },
		{ ENCODING_BASE64, PN_STR("a"), PN_STR(""), 1, 0 },
		{ ENCODING_BASE64, PN_STR(""), PN_STR(""), 0, 0 },
		{ ENCODING_QP, PN_STR("a=3Db=\r\nc=e4"), PN_STR("a=bc\xe4"), 0,
		    0 },
		{ ENCODING_QP, PN_STR("a= \t\r\nb"), PN_STR("ab"), 0, 0 },
		{ ENCODING_QP, PN_STR("a=\nb="), PN_STR("ab"), 0, 0 },
		{ ENCODING_QP, PN_STR("a=xy=4"), PN_STR("a=xy=4"), 1, 0 },
		{ ENCODING_UU, PN_STR("#0V%T\r\n`\r\n"), PN_STR("Cat"), 0, 0 },
		{ ENCODING_UU, PN_STR("#0V%"), PN_STR("Ca@"), 0, 0 },
		{ ENCODING_UU, PN_STR("&0V%T\r\n"), PN_STR("Cat"), 1, 0 },
		{ ENCODING_YENC, PN_STR("m\x8b=\xde\r\n=n"),
		    PN_STR("Cat\4"), 0, 0 },
		{ ENCODING_YENC, PN_STR("m="), PN_STR("C"), 1, 0 },
		{ ENCODING_NONE, PN_STR("a=3D"), PN_STR("a=3D"), 0, 0 },
	};
	char out[64];

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct decoded d =
		    decode(cases[i].how, cases[i].text, out, sizeof(out));

		if (!pn_str_eq((struct pn_str){ out, d.n }, cases[i].want) ||
		    d.broken != cases[i].broken ||
		    d.resumed != cases[i].resumed)
			fail_msg("%zu: \"%.*s\" gave \"%.*s\" %d %d", i,
			    PN_STR_ARG(cases[i].text), (int)d.n, out, d.broken,
			    d.resumed);
		assert_true(decode_room(cases[i].how, cases[i].text) >= d.n);
	}
}

static size_t
encode_base64(const unsigned char *p, size_t n, char *out)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklm"
				     "nopqrstuvwxyz0123456789+/";
	size_t len = 0;

	for (size_t i = 0; i < n; i += 3) {
		uint32_t b = (uint32_t)p[i] << 16;

		if (i + 1 < n)
			b |= (uint32_t)p[i + 1] << 8;
		if (i + 2 < n)
			b |= p[i + 2];
		out[len++] = digits[b >> 18];
		out[len++] = digits[b >> 12 & 63];
		out[len++] = i + 1 < n ? digits[b >> 6 & 63] : '=';
		out[len++] = i + 2 < n ? digits[b & 63] : '=';
		if (i % 57 == 54) {
			out[len++] = '\r';
			out[len++] = '\n';
		}
	}
	return len;
}

/* For every length: the whole, each head, the size and the tail. */
static void
heads_tails_and_sizes_agree(void **state)
{
	unsigned char data[300];
	char text[500], out[300], tail[64];

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (unsigned char)(i * 167 + (i >> 3));
	for (size_t n = 0; n <= sizeof(data); n++) {
		struct pn_str s = { text, encode_base64(data, n, text) };
		struct decoded d = decode(ENCODING_BASE64, s, out, sizeof(out));
		struct pn_str end =
		    decode_tail(ENCODING_BASE64, s, 0, tail, sizeof(tail));

		assert_int_equal(d.n, n);
		assert_false(d.broken);
		assert_memory_equal(out, data, n);
		assert_int_equal(decode_size(ENCODING_BASE64, s), n);
		assert_true(end.n <= n && (end.n == n || end.n > 50));
		assert_memory_equal(end.p, data + n - end.n, end.n);
		for (size_t k = 0; k <= n; k += 7) {
			d = decode(ENCODING_BASE64, s, out, k);
			assert_int_equal(d.n, k);
			assert_memory_equal(out, data, k);
		}
	}
}

static void
some_shift_gives_the_tail(void **state)
{
	static const char *const cases[] = { "QUJDREVGR0hJSktMTU5PUFFSU1Q",
		"QUJDREVGR0hJSktMTU5PUFFSU1RV=", "QUJDREVGR0hJSktMTU5PUFFSUw=",
		"QUJDREVGR0hJSktMTU5PUFFSU===", "QUI=QUJDREVGR0hJSktMTU5PUFFS",
		"Q*UJDREVGR0hJSktMTU5PUFFSUw" };
	char out[100], tail[12];

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct pn_str s = pn_str_of(cases[i]);
		size_t n = decode(ENCODING_BASE64, s, out, sizeof(out)).n;
		unsigned found = 0;

		for (unsigned shift = 0; shift < DECODE_SHIFTS; shift++) {
			struct pn_str end = decode_tail(
			    ENCODING_BASE64, s, shift, tail, sizeof(tail));

			found += end.n > 6 && end.n < n &&
				 memcmp(out + n - end.n, end.p, end.n) == 0;
		}
		assert_int_equal(found, 1);
	}
}

static void
sizes_of_the_others(void **state)
{
	(void)state;
	assert_int_equal(decode_size(ENCODING_QP, PN_STR_V("a=3Db=\r\nc")), 4);
	assert_int_equal(decode_size(ENCODING_QP, PN_STR_V("a=b")), 3);
	assert_int_equal(
	    decode_size(ENCODING_UU, PN_STR_V("#0V%T\r\n#0V%T\r\n`\r\n")), 6);
	assert_int_equal(
	    decode_size(ENCODING_YENC, PN_STR_V("m\x8b=\xde\r\n=n==k")), 6);
	assert_int_equal(decode_size(ENCODING_NONE, PN_STR_V("abc")), 3);
	assert_true(decode_looks_base64(PN_STR_V("TVqQAAMAAAAEAAAA\r\nAAAA")));
	assert_false(decode_looks_base64(PN_STR_V("This is some plain text")));
	assert_false(decode_looks_base64(PN_STR_V("short")));
}

static void
percents(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = { { "", "" }, { "plain", "plain" }, { "a%20b", "a b" },
		{ "%41%6d%6D", "Amm" }, { "100%", "100%" }, { "%4", "%4" },
		{ "%4g%g4", "%4g%g4" }, { "%2541", "%41" }, { "%%41", "%A" } };
	struct arena *a = arena_new(1 << 16);

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++)
		assert_str(percent_decode(pn_str_of(cases[i].in), a),
		    cases[i].out);
	/* Cut wherever it may be, it reads no further. */
	assert_str(percent_decode((struct pn_str){ "%41", 2 }, a), "%4");
	assert_int_equal(hex_pair(PN_STR_V("0fF0"), 1), 0xff);
	assert_int_equal(hex_pair(PN_STR_V("0fF0"), 3), -1);
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_readers_make_of_it),
		cmocka_unit_test(heads_tails_and_sizes_agree),
		cmocka_unit_test(some_shift_gives_the_tail),
		cmocka_unit_test(sizes_of_the_others),
		cmocka_unit_test(percents),
	};

	return cmocka_run_group_tests_name("decode", tests, NULL, NULL);
}
