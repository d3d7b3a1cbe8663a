/* reply: lines of at most 512 bytes out, whole replies in. */
#include "cm.h"

#include <stdlib.h>

#include "smtp/reply.h"

static void
one_line(void **state)
{
	struct buf b = { 0 };

	(void)state;
	reply_put(&b, &(struct reply){ 550, "5.7.1", PN_STR("no entry") });
	reply_put(&b, &(struct reply){ 354, "", PN_STR("go") });
	assert_str(buf_str(&b), "550 5.7.1 no entry\r\n354 go\r\n");
	buf_fini(&b);
}

/* Long text goes on in further lines; each has code and status, nothing but
 * blanks at the cuts is lost. */
static void
long_text(void **state)
{
	struct buf b = { 0 };
	char text[3000];
	struct reply r = { .code = 550, .status = "5.7.1",
		.text = { text, sizeof(text) } };
	struct pn_str rest;
	size_t letters = 0, lines = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = i % 50 == 49 ? ' ' : 'x';
	reply_put(&b, &r);
	rest = buf_str(&b);
	while (rest.n > 0) {
		size_t n = (size_t)((const char *)memchr(rest.p, '\n', rest.n) -
			       rest.p) +
		    1;

		assert_true(n <= REPLY_LINE);
		assert_memory_equal(rest.p,
		    n == rest.n ? "550 5.7.1 " : "550-5.7.1 ", 10);
		for (size_t i = 10; i < n; i++)
			letters += rest.p[i] == 'x';
		rest = pn_str_sub(rest, n, rest.n);
		lines++;
	}
	assert_true(lines > 1);
	assert_int_equal(letters, 3000 - 60);
	buf_fini(&b);
}

static const struct {
	const char *in;
	enum reply_taken taken;
	uint16_t code;
	size_t left;
	const char *text;
} cases[] = {
	{ "250 Ok\r\n", REPLY_WHOLE, 250, 0, "Ok" },
	{ "250\r\n", REPLY_WHOLE, 250, 0, "" },
	{ "250 2.1.5 Ok\r\n220 x", REPLY_WHOLE, 250, 5, "Ok" },
	{ "250-a\r\n250-b\r\n250 5.7 c\r\n", REPLY_WHOLE, 250, 0, "5.7 c" },
	{ "250-a\r\n", REPLY_NONE, 0, 0, "" },
	{ "250 a\r", REPLY_NONE, 0, 0, "" },
	{ "", REPLY_NONE, 0, 0, "" },
	{ "250 a\n", REPLY_BROKEN, 0, 0, "" },
	{ "250 a\rb\r\n", REPLY_BROKEN, 0, 0, "" },
	{ "250 a\r\r\n", REPLY_BROKEN, 0, 0, "" },
	{ "250-a\r\n251 b\r\n", REPLY_BROKEN, 0, 0, "" },
	{ "hello\r\n", REPLY_BROKEN, 0, 0, "" },
	{ "150 x\r\n", REPLY_BROKEN, 0, 0, "" },
	{ "600 x\r\n", REPLY_BROKEN, 0, 0, "" },
	{ "25\r\n", REPLY_BROKEN, 0, 0, "" },
	{ "250x\r\n", REPLY_BROKEN, 0, 0, "" },
	{ "\r\n", REPLY_BROKEN, 0, 0, "" },
};

static void
replies_in(void **state)
{
	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct buf b = { 0 };
		struct reply_lines r = { 0 };

		(void)buf_puts(&b, cases[i].in);
		if (reply_take(&b, &r) != cases[i].taken)
			fail_msg("%s", cases[i].in);
		if (cases[i].taken == REPLY_WHOLE) {
			assert_int_equal(r.code, cases[i].code);
			assert_int_equal(buf_len(&b), cases[i].left);
			assert_str(reply_text(&r), cases[i].text);
		}
		buf_fini(&b);
	}
}

static void
endless_replies(void **state)
{
	struct buf b = { 0 };
	struct reply_lines r;

	(void)state;
	while (buf_len(&b) <= REPLY_BYTES)
		(void)buf_puts(&b, "250-more\r\n");
	assert_int_equal(reply_take(&b, &r), REPLY_BROKEN);
	buf_clear(&b);
	while (buf_len(&b) <= REPLY_BYTES)
		(void)buf_puts(&b, "250");
	assert_int_equal(reply_take(&b, &r), REPLY_BROKEN);
	(void)buf_puts(&b, "\r\n"); /* whole at last */
	assert_int_equal(reply_take(&b, &r), REPLY_BROKEN);
	buf_fini(&b);
}

static void
nul_in_a_reply(void **state)
{
	struct buf b = { 0 };
	struct reply_lines r;

	(void)state;
	(void)buf_add(&b, "250 a\0b\r\n", 9);
	assert_int_equal(reply_take(&b, &r), REPLY_BROKEN);
	buf_fini(&b);
}

/* What a next hop says in longer lines than a client need read. */
static void
long_lines_passed(void **state)
{
	struct buf in = { 0 }, out = { 0 };
	struct reply_lines r;

	(void)state;
	(void)buf_printf(&in, "250-short\r\n250-%0*d\r\n250 %0*d\r\n", 506, 0,
	    507, 0);
	assert_int_equal(reply_take(&in, &r), REPLY_WHOLE);
	reply_pass(&out, &r);
	assert_int_equal(buf_len(&out), 11 + REPLY_LINE + REPLY_LINE);
	assert_memory_equal(buf_data(&out), r.raw.p, 11 + REPLY_LINE + 510);
	assert_memory_equal(buf_data(&out) + buf_len(&out) - 2, "\r\n", 2);
	buf_fini(&in);
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_line),
		cmocka_unit_test(long_text),
		cmocka_unit_test(replies_in),
		cmocka_unit_test(endless_replies),
		cmocka_unit_test(nul_in_a_reply),
		cmocka_unit_test(long_lines_passed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
