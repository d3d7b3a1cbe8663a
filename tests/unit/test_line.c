/* line: only CRLF ends one, faults do not spread, slicing changes nothing. */
#include "cm.h"

#include <stdlib.h>

#include "smtp/line.h"

/* Lines and faults of a whole input as text: "good:NOOP|bare:...|". */
static void
read_lines(struct pn_str in, size_t slice, struct buf *out)
{
	static const char *const names[] = { "good", "long", "nul", "bare",
		"chunk" };
	struct line l = { 0 };
	struct buf b = { 0 };
	struct pn_str text;
	enum line_fault fault;

	for (size_t at = 0; at < in.n; at += slice) {
		struct pn_str piece = pn_str_sub(in, at, slice);

		assert_true(buf_add_str(&b, piece));
		while (line_next(&l, &b, &text, &fault)) {
			(void)buf_printf(out, "%s:", names[fault]);
			(void)buf_add_str(out, text);
			(void)buf_puts(out, "|");
		}
	}
	buf_fini(&b);
}

static void
expect(struct pn_str in, const char *want)
{
	for (size_t slice = 1; slice <= in.n; slice = slice < 9 ? slice + 1 : slice * 2) {
		struct buf got = { 0 };

		read_lines(in, slice, &got);
		assert_str(buf_str(&got), want);
		buf_fini(&got);
	}
}

static void
only_crlf_ends_a_line(void **state)
{
	(void)state;
	expect(PN_STR_V("NOOP\r\nQUIT\r\n"), "good:NOOP|good:QUIT|");
	expect(PN_STR_V("\r\n\r\n"), "good:|good:|");
	expect(PN_STR_V("a\nb\r\nc\r\n"), "bare:a\nb|good:c|");
	expect(PN_STR_V("a\rb\r\nc\r\n"), "bare:a\rb|good:c|");
	expect(PN_STR_V("a\r\r\nb\r\n"), "bare:a\r|good:b|");
	expect(PN_STR_V("\n\r\nb\r\n"), "bare:\n|good:b|");
	expect(PN_STR_V("no end"), "");
	expect(PN_STR_V("no end\n"), "");
}

static void
a_nul_is_a_fault(void **state)
{
	struct buf got = { 0 };

	(void)state;
	read_lines(PN_STR_V("NO\0OP\r\nNOOP\r\n"), 100, &got);
	assert_int_equal(buf_len(&got), strlen("nul:NO?OP|good:NOOP|"));
	assert_memory_equal(buf_data(&got), "nul:NO\0OP|good:NOOP|",
	    buf_len(&got));
	buf_fini(&got);
}

/* A line of n bytes with its CRLF, then one that must be read all the same. */
static void
expect_long(const char *verb, size_t n, bool too_long)
{
	struct buf in = { 0 }, got = { 0 };
	size_t have = strlen(verb);

	(void)buf_puts(&in, verb);
	for (; have < n - 2; have++)
		(void)buf_puts(&in, "x");
	(void)buf_puts(&in, "\r\nQUIT\r\n");
	for (size_t slice = 1; slice < 3 * n; slice = slice * 3 + 1) {
		buf_clear(&got);
		read_lines(buf_str(&in), slice, &got);
		assert_memory_equal(buf_data(&got), too_long ? "long:" : "good:", 5);
		assert_true(pn_str_ends(buf_str(&got), PN_STR_V("|good:QUIT|")));
		assert_int_equal(buf_len(&got),
		    too_long ? 16 : n - 2 + 16);
	}
	buf_fini(&in);
	buf_fini(&got);
}

static void
limits(void **state)
{
	(void)state;
	expect_long("NOOP ", LINE_BYTES, false);
	expect_long("NOOP ", LINE_BYTES + 1, true);
	expect_long("NOOP ", 50000, true);
	expect_long("MAIL FROM:<", LINE_BYTES + 1, false);
	expect_long("rcpt TO:<", LINE_BYTES_PATH, false);
	expect_long("RCPT TO:<", LINE_BYTES_PATH + 1, true);
	expect_long("MAILING ", LINE_BYTES + 1, true);
}

/* Whatever is wrong with BDAT, its fault is the same: all is lost behind it. */
static void
a_broken_chunk_is_told_apart(void **state)
{
	struct buf in = { 0 };

	(void)state;
	expect(PN_STR_V("BDAT 5\r\nbdatum\r\n"), "good:BDAT 5|good:bdatum|");
	expect(PN_STR_V("BDAT\n5\r\nBDA\nT\r\n"), "chunk:BDAT\n5|bare:BDA\nT|");
	expect(PN_STR_V("x\r\nbDaT \r5\r\nx\n\r\n"),
	    "good:x|chunk:bDaT \r5|bare:x\n|");
	(void)buf_puts(&in, "BDAT 5 ");
	for (size_t i = 0; i < LINE_BYTES; i++)
		(void)buf_puts(&in, "x");
	(void)buf_puts(&in, "\r\nNOOP\r\n");
	expect(buf_str(&in), "chunk:|good:NOOP|");
	buf_fini(&in);
}

static void
a_long_line_holds_no_memory(void **state)
{
	struct line l = { 0 };
	struct buf b = { 0 };
	struct pn_str text;
	enum line_fault fault;
	char piece[1000];

	(void)state;
	memset(piece, 'x', sizeof(piece));
	for (int i = 0; i < 1000; i++) {
		assert_true(buf_add(&b, piece, sizeof(piece)));
		assert_false(line_next(&l, &b, &text, &fault));
		assert_true(buf_len(&b) < LINE_BYTES_PATH);
	}
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_crlf_ends_a_line),
		cmocka_unit_test(a_nul_is_a_fault),
		cmocka_unit_test(limits),
		cmocka_unit_test(a_broken_chunk_is_told_apart),
		cmocka_unit_test(a_long_line_holds_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
