/* dot: what ends a message, and that slicing and stuffing change nothing. */
#include "cm.h"

#include <stdlib.h>

#include "base/buf.h"
#include "smtp/normal.h"

struct result {
	struct buf text;
	size_t used;
	struct dot dot;
};

/* Feed in slices of sizes that seed chooses (0: all at once). */
static struct result
feed(struct pn_str in, unsigned seed)
{
	struct result r = { 0 };

	while (r.used < in.n && !r.dot.ended) {
		size_t n = in.n - r.used, kept, used;
		char *copy;

		if (seed != 0) {
			seed = seed * 1103515245u + 12345u;
			n = 1 + (seed >> 16) % 5;
		}
		if (n > in.n - r.used)
			n = in.n - r.used;
		copy = malloc(n); /* exactly: a sanitizer sees one byte more */
		assert_non_null(copy);
		memcpy(copy, in.p + r.used, n);
		used = dot_feed(&r.dot, copy, n, &kept);
		assert_true(used == n || r.dot.ended);
		assert_true(kept <= used);
		(void)buf_add(&r.text, copy, kept);
		r.used += used;
		free(copy);
	}
	return r;
}

static const struct {
	const char *name;
	struct pn_str in;
	const char *text;
	size_t left; /* bytes behind the end */
	bool ended, bare, dotted;
} cases[] = {
	{ "empty", PN_STR(".\r\n"), "", 0, true, false, false },
	{ "one line", PN_STR("a\r\n.\r\nQUIT\r\n"), "a\r\n", 6, true, false, false },
	{ "empty lines", PN_STR("\r\n\r\n.\r\n"), "\r\n\r\n", 0, true, false, false },
	{ "stuffed", PN_STR("..\r\n..a\r\n.\r\n"), ".\r\n.a\r\n", 0, true, false, true },
	{ "one dot too few", PN_STR(".a\r\n.\r\n"), "a\r\n", 0, true, false, false },
	{ "dot within", PN_STR("a.\r\n.\r\n"), "a.\r\n", 0, true, false, false },
	{ "no end", PN_STR("a\r\n."), "a\r\n", 0, false, false, false },
	{ "no end either", PN_STR("a\r\n.\r"), "a\r\n", 0, false, false, false },
	{ "not at a line's start", PN_STR("a.\r\n"), "a.\r\n", 0, false, false, false },
	{ "LF.LF", PN_STR("a\n.\nb\r\n"), "a\n.\nb\r\n", 0, false, true, false },
	{ "LF.CRLF", PN_STR("a\n.\r\nb\r\n"), "a\n.\r\nb\r\n", 0, false, true, false },
	{ "CRLF.LF", PN_STR("a\r\n.\nb\r\n"), "a\r\n\nb\r\n", 0, false, true, false },
	{ "CRLF.CR", PN_STR("a\r\n.\rb\r\n"), "a\r\nb\r\n", 0, false, true, false },
	{ "CR.CR", PN_STR("a\r.\rb\r\n"), "a\r.\rb\r\n", 0, false, true, false },
	{ "CR.CRLF", PN_STR("a\r.\r\nb\r\n"), "a\r.\r\nb\r\n", 0, false, true, false },
	{ "CRCRLF.CRLF", PN_STR("a\r\r\n.\r\n"), "a\r\r\n", 0, true, true, false },
	{ "CRLF.CRCRLF", PN_STR("a\r\n.\r\r\n"), "a\r\n\r\n", 0, false, true, false },
	{ "LF at the start", PN_STR("\n.\r\n"), "\n.\r\n", 0, false, true, false },
};

static void
ends_and_dots(void **state)
{
	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++)
		for (unsigned seed = 0; seed < 50; seed++) {
			struct result r = feed(cases[i].in, seed);

			if (r.dot.ended != cases[i].ended ||
			    r.dot.bare != cases[i].bare ||
			    r.dot.dotted != cases[i].dotted)
				fail_msg("%s, seed %u", cases[i].name, seed);
			assert_str(buf_str(&r.text), cases[i].text);
			assert_int_equal(cases[i].in.n - r.used, cases[i].left);
			buf_fini(&r.text);
		}
}

/* What is made of the same by bare_newline normalise. */
static const struct {
	struct pn_str in;
	const char *text;
	bool ended, changed, dotted;
} normal_cases[] = {
	{ PN_STR(".\r\n"), "", true, false, false },
	{ PN_STR("a\r\n..b\r\n.\r\n"), "a\r\n.b\r\n", true, false, true },
	{ PN_STR("a\n.\nb\r\n.\r\n"), "a\r\n.\r\nb\r\n", true, true, true },
	{ PN_STR("a\n.\r\nb\r\n.\r\n"), "a\r\n.\r\nb\r\n", true, true, true },
	{ PN_STR("a\r\n.\nb\r\n.\r\n"), "a\r\n\r\nb\r\n", true, true, false },
	{ PN_STR("a\r\n.\rb\r\n.\r\n"), "a\r\n\r\nb\r\n", true, true, false },
	{ PN_STR("a\r.\rb\r\n.\r\n"), "a\r\n.\r\nb\r\n", true, true, true },
	{ PN_STR("a\r\r\n.\r\n"), "a\r\n\r\n", true, true, false },
	{ PN_STR("a\r\n.\r\r\n.\r\n"), "a\r\n\r\n\r\n", true, true, false },
	{ PN_STR("a\n\r.\r\n"), "a\r\n\r\n.\r\n", false, true, true },
	{ PN_STR("\n.\n"), "\r\n.\r\n", false, true, true },
};

static void
lone_line_ends_are_put_right(void **state)
{
	(void)state;
	for (size_t i = 0; i < PN_COUNT(normal_cases); i++)
		for (size_t slice = 1; slice < 20; slice++) {
			struct dot d = { 0 };
			struct buf out = { 0 };
			struct pn_str in = normal_cases[i].in;

			for (size_t at = 0; at < in.n && !d.ended; at += slice)
				(void)normal_feed(&d, in.p + at,
				    pn_str_sub(in, at, slice).n, &out);
			assert_str(buf_str(&out), normal_cases[i].text);
			assert_int_equal(d.ended, normal_cases[i].ended);
			assert_int_equal(d.bare, normal_cases[i].changed);
			assert_int_equal(d.dotted, normal_cases[i].dotted);
			buf_fini(&out);
		}
}

/* Text of the bytes that matter, from a seed. */
static struct pn_str
random_text(unsigned seed, char *out, size_t n)
{
	static const char bytes[] = ".\r\n.\r\nax\0.";

	for (size_t i = 0; i < n; i++) {
		seed = seed * 1103515245u + 12345u;
		out[i] = bytes[(seed >> 16) % (sizeof(bytes) - 1)];
	}
	return (struct pn_str){ out, n };
}

/* The same as in slices of a size the seed chooses, too. */
static void
assert_slices(struct pn_str in, unsigned seed)
{
	struct result whole = feed(in, 0), sliced = feed(in, seed);

	assert_int_equal(whole.used, sliced.used);
	assert_int_equal(whole.dot.state, sliced.dot.state);
	assert_int_equal(whole.dot.ended, sliced.dot.ended);
	assert_int_equal(whole.dot.bare, sliced.dot.bare);
	assert_int_equal(whole.dot.dotted, sliced.dot.dotted);
	assert_true(pn_str_eq(buf_str(&whole.text), buf_str(&sliced.text)));
	buf_fini(&whole.text);
	buf_fini(&sliced.text);
}

static void
any_slicing_gives_the_same(void **state)
{
	char text[64];

	(void)state;
	for (unsigned i = 1; i < 20000; i++)
		assert_slices(random_text(i, text, 1 + i % sizeof(text)), i);
}

/* Lines as mail has them, which are read in blocks, with something that is
 * not so at each place of a block. */
static void
an_odd_byte_is_seen_wherever_it_stands(void **state)
{
	static const char *const odd[] = { "\r", "\n", "\r\n.", "\n.", "\r\r\n",
		"\r\n.\r\n", "\r\n..\r\n", ".\r", "." };
	char text[400];

	(void)state;
	for (unsigned i = 0; i < 300 * PN_COUNT(odd); i++) {
		struct pn_str o = pn_str_of(odd[i % PN_COUNT(odd)]);

		for (size_t at = 0; at < sizeof(text); at++)
			text[at] = at % 78 == 76   ? '\r'
				   : at % 78 == 77 ? '\n' : 'a';
		memcpy(text + i / PN_COUNT(odd), o.p, o.n);
		assert_slices((struct pn_str){ text, sizeof(text) }, i % 64);
	}
}

/* A message of whole lines, stuffed as RFC 5321 4.5.2 says. */
static void
put_lines(unsigned seed, struct buf *plain, struct buf *stuffed)
{
	static const char *const lines[] = { "", ".", "..", "a", ".a", "a.", "..." };

	for (unsigned n = seed % 7; n > 0; n--) {
		const char *line;

		seed = seed * 1103515245u + 12345u;
		line = lines[(seed >> 16) % PN_COUNT(lines)];
		(void)buf_printf(plain, "%s\r\n", line);
		(void)buf_printf(stuffed, "%s%s\r\n", line[0] == '.' ? "." : "",
		    line);
	}
	(void)buf_puts(stuffed, ".\r\n");
}

static void
unstuffing_undoes_stuffing(void **state)
{
	(void)state;
	for (unsigned i = 1; i < 5000; i++) {
		struct buf plain = { 0 }, stuffed = { 0 };
		struct result r;

		put_lines(i, &plain, &stuffed);
		r = feed(buf_str(&stuffed), i);
		assert_true(r.dot.ended);
		assert_false(r.dot.bare);
		assert_int_equal(buf_len(&r.text), buf_len(&plain));
		assert_true(pn_str_eq(buf_str(&r.text), buf_str(&plain)));
		buf_fini(&r.text);
		buf_fini(&plain);
		buf_fini(&stuffed);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_and_dots),
		cmocka_unit_test(lone_line_ends_are_put_right),
		cmocka_unit_test(any_slicing_gives_the_same),
		cmocka_unit_test(an_odd_byte_is_seen_wherever_it_stands),
		cmocka_unit_test(unstuffing_undoes_stuffing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
