/* milter_packet: bytes to structs and back; that slicing changes nothing; and
 * what is none. */
#include "cm.h"

#include <stdlib.h>

#include "engine/milter_packet.h"

static struct arena *arena;

static int
make_arena(void **state)
{
	(void)state;
	arena = arena_new(1u << 20);
	return 0;
}

static int
free_arena(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

/* ---- packets ---- */

static void
slicing(void **state)
{
	struct buf all = { 0 }, in = { 0 };
	const struct pn_str words[] = { PN_STR("one"), PN_STR("two") };
	struct milter_packet p;
	unsigned seen;

	(void)state;
	milter_put(&all, MILTER_ABORT, PN_STR_V(""));
	assert_true(milter_put_strings(&all, MILTER_HELO, words, 2));
	assert_true(milter_put_macros(&all, MILTER_MAIL, words, 2));
	milter_put(&all, MILTER_BODY, PN_STR_V("x\0y"));
	for (size_t slice = 1; slice <= buf_len(&all); slice++) {
		static const char kinds[] = "AHDB";
		static const size_t sizes[] = { 0, 8, 9, 3 };

		seen = 0;
		for (size_t at = 0; at < buf_len(&all); at += slice) {
			long n;

			(void)buf_add_str(&in,
			    pn_str_sub(buf_str(&all), at, slice));
			while ((n = milter_packet_take(buf_str(&in),
				    MILTER_ANSWER_MAX, &p)) > 0) {
				assert_int_equal(p.what, kinds[seen]);
				assert_int_equal(p.data.n, sizes[seen]);
				buf_drop(&in, (size_t)n);
				seen++;
			}
			assert_int_equal(n, 0);
		}
		assert_int_equal(seen, 4);
		assert_int_equal(buf_len(&in), 0);
	}
	buf_fini(&all);
	buf_fini(&in);
}

static void
no_packets(void **state)
{
	struct milter_packet p;

	(void)state;
	assert_int_equal(milter_packet_take(PN_STR_V(""), 10, &p), 0);
	assert_int_equal(milter_packet_take(PN_STR_V("\0\0\0"), 10, &p), 0);
	assert_int_equal(milter_packet_take(PN_STR_V("\0\0\0\0"), 10, &p), -1);
	assert_int_equal(milter_packet_take(PN_STR_V("\0\0\0\1"), 10, &p), 0);
	assert_int_equal(milter_packet_take(PN_STR_V("\0\0\0\1c"), 0, &p), 5);
	assert_int_equal(milter_packet_take(PN_STR_V("\0\0\0\14"), 10, &p), -1);
	assert_int_equal(milter_packet_take(PN_STR_V("\0\0\0\13"), 10, &p), 0);
	assert_int_equal(
	    milter_packet_take(PN_STR_V("\377\377\377\377"), 10, &p), -1);
}

/* ---- commands ---- */

static void
commands(void **state)
{
	struct buf b = { 0 };
	const struct pn_str nul[] = { PN_STR("a\0b"), PN_STR("") };
	struct pn_str large[2];
	char *much = calloc(1, MILTER_DATA_MAX + 1);

	(void)state;
	assert_non_null(much);
	memset(much, 'x', MILTER_DATA_MAX + 1);
	assert_true(milter_put_strings(&b, MILTER_RCPT, nul, 2));
	assert_int_equal(buf_len(&b), 9);
	assert_memory_equal(buf_data(&b), "\0\0\0\5Rab\0\0", 9);
	buf_clear(&b);
	milter_put_connect(&b, PN_STR_V("mx"), '4', 258, PN_STR_V("1.2.3.4"));
	assert_int_equal(buf_len(&b), 19);
	assert_memory_equal(buf_data(&b), "\0\0\0\17Cmx\0""4\1\2""1.2.3.4\0", 19);
	buf_clear(&b);
	milter_put_connect(&b, PN_STR_V("mx"), 'U', 0, PN_STR_V(""));
	assert_int_equal(buf_len(&b), 9);
	assert_memory_equal(buf_data(&b), "\0\0\0\5Cmx\0U", 9);
	buf_clear(&b);
	/* Exactly what fits, and one byte more. */
	large[0] = (struct pn_str){ much, MILTER_DATA_MAX - 3 };
	large[1] = PN_STR_V("v");
	assert_true(milter_put_strings(&b, MILTER_HEADER, large, 2));
	assert_int_equal(buf_len(&b), MILTER_DATA_MAX + 5);
	assert_false(milter_put_macros(&b, MILTER_HEADER, large, 2));
	large[0].n++;
	assert_false(milter_put_strings(&b, MILTER_HEADER, large, 2));
	assert_int_equal(buf_len(&b), MILTER_DATA_MAX + 5);
	buf_fini(&b);
	free(much);
}

static void
offers(void **state)
{
	static const struct {
		unsigned version;
		uint32_t may, protocol;
	} cases[] = { { 2, 0x3f, 0x7f }, { 3, 0x3f, 0x17f }, { 4, 0x3f, 0x37f },
		{ 5, 0x3f, 0x37f }, { 6, 0x1ff, 0x1ff7ff } };

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct milter_options o = milter_offer(cases[i].version), back;
		struct milter_packet p;
		struct buf b = { 0 };

		assert_int_equal(o.version, cases[i].version);
		assert_int_equal(o.may, cases[i].may);
		assert_int_equal(o.protocol, cases[i].protocol);
		milter_put_options(&b, &o);
		assert_int_equal(milter_packet_take(buf_str(&b), 12, &p), 17);
		assert_true(milter_read_options(p.data, &back));
		assert_int_equal(back.protocol, o.protocol);
		assert_int_equal(back.may, o.may);
		buf_fini(&b);
	}
}

static void
options(void **state)
{
#define TWELVE "\0\0\0\6\0\0\1\0\0\0\0\177"
	struct milter_options o;

	(void)state;
	assert_true(milter_read_options(
	    PN_STR_V(TWELVE "\0\0\0\0j {_}\0\0\0\0\6i\0"), &o));
	assert_int_equal(o.version, 6);
	assert_int_equal(o.may, 0x100);
	assert_int_equal(o.protocol, 0x7f);
	assert_str(o.macros[MILTER_LIST_CONNECT], "j {_}");
	assert_str(o.macros[MILTER_LIST_END_OF_HEADER], "i");
	assert_null(o.macros[MILTER_LIST_HELO].p);
	assert_true(milter_read_options(PN_STR_V(TWELVE "\0\0\0\3\0"), &o));
	assert_non_null(o.macros[MILTER_LIST_RCPT].p);
	assert_int_equal(o.macros[MILTER_LIST_RCPT].n, 0);
	assert_false(milter_read_options(PN_STR_V("\0\0\0\6\0\0\1\0\0\0\0"), &o));
	assert_false(milter_read_options(PN_STR_V(TWELVE "\0\0\0\7x\0"), &o));
	assert_false(milter_read_options(PN_STR_V(TWELVE "\0\0\0\0x"), &o));
	assert_false(milter_read_options(PN_STR_V(TWELVE "\0\0"), &o));
}

/* ---- answers ---- */

static const struct {
	struct pn_str in; /* what it is, then its data */
	bool ok;
	uint32_t index;
	const char *name, *value;
} answers[] = {
	{ PN_STR("c"), true, 0, "", "" },
	{ PN_STR("cx"), false, 0, "", "" },
	{ PN_STR("p"), true, 0, "", "" },
	{ PN_STR("!"), false, 0, "", "" },
	{ PN_STR("\300"), false, 0, "", "" },
	{ PN_STR("+<a@b>\0"), true, 0, "<a@b>", "" },
	{ PN_STR("+<a@b>"), false, 0, "", "" },
	{ PN_STR("+<a@b>\0x\0"), false, 0, "", "" },
	{ PN_STR("2<a@b>\0"), true, 0, "<a@b>", "" },
	{ PN_STR("2<a@b>\0X=1\0"), true, 0, "<a@b>", "X=1" },
	{ PN_STR("2<a@b>\0X=1"), false, 0, "", "" },
	{ PN_STR("e<>\0"), true, 0, "<>", "" },
	{ PN_STR("hX\0v\0"), true, 0, "X", "v" },
	{ PN_STR("hX\0v"), false, 0, "", "" },
	{ PN_STR("hX\0"), false, 0, "", "" },
	{ PN_STR("hX\0v\0w\0"), false, 0, "", "" },
	{ PN_STR("i\0\0\1\2X\0v\0"), true, 258, "X", "v" },
	{ PN_STR("m\0\0\0\1X\0\0"), true, 1, "X", "" },
	{ PN_STR("m\0\0\0"), false, 0, "", "" },
	{ PN_STR("q\0"), true, 0, "", "" },
	{ PN_STR("qwhy\0"), true, 0, "", "why" },
	{ PN_STR("b"), true, 0, "", "" },
	{ PN_STR("by550 no\0"), true, 0, "", NULL },
};

static void
reads_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < PN_COUNT(answers); i++) {
		struct pn_str in = answers[i].in;
		struct milter_packet p = { in.p[0], pn_str_sub(in, 1, in.n) };
		struct milter_said s;
		bool ok = milter_read_answer(&p, &s);

		if (ok != answers[i].ok)
			fail_msg("answer %zu", i);
		if (!ok)
			continue;
		assert_int_equal(s.index, answers[i].index);
		assert_str(s.name, answers[i].name);
		if (answers[i].value != NULL)
			assert_str(s.value, answers[i].value);
		else
			assert_int_equal(s.value.n, in.n - 1);
	}
}

static const struct {
	const char *in;
	uint16_t code; /* 0: no reply */
	const char *status, *text;
} replies[] = {
	{ "550 5.7.1 no", 550, "5.7.1", "no" },
	{ "550 no", 550, "5.7.1", "no" },
	{ "451 no", 451, "4.7.1", "no" },
	{ "451", 451, "4.7.1", "" },
	{ "451 4.2.0", 451, "4.2.0", "" },
	{ "550 4.2.0 no", 550, "5.7.1", "4.2.0 no" },
	{ "550 5.7.1no", 550, "5.7.1", "5.7.1no" },
	{ "550 5.7. no", 550, "5.7.1", "5.7. no" },
	{ "550 5.700000.700000 no", 550, "5.7.1", "5.700000.700000 no" },
	{ "550 5.7.1 100%% and%n 50%", 550, "5.7.1", "100% andn 50" },
	{ "550-5.7.1 one\r\n550 5.7.1 two\r\n", 550, "5.7.1", "one\ntwo" },
	{ "550-5.7.1 one\n550-two\n550 5.7.2 three", 550, "5.7.1",
	    "one\ntwo\nthree" },
	{ "550 5.7.1 bell\a", 550, "5.7.1", "bell" },
	{ "550-5.7.1 one", 0, "", "" },
	{ "550-5.7.1 one\r\n551 5.7.1 two", 0, "", "" },
	{ "550-5.7.1 one\r\n\r\n550 two", 0, "", "" },
	{ "550x no", 0, "", "" },
	{ "250 2.0.0 yes", 0, "", "" },
	{ "354 go", 0, "", "" },
	{ "5", 0, "", "" },
	{ "", 0, "", "" },
};

static void
reads_replies(void **state)
{
	(void)state;
	for (size_t i = 0; i < PN_COUNT(replies); i++) {
		struct reply r;
		bool ok = milter_read_reply(
		    pn_str_of(replies[i].in), arena, &r);

		if (ok != (replies[i].code != 0))
			fail_msg("\"%s\"", replies[i].in);
		if (!ok)
			continue;
		assert_int_equal(r.code, replies[i].code);
		assert_string_equal(r.status, replies[i].status);
		assert_str(r.text, replies[i].text);
	}
}

static void
reply_limits(void **state)
{
	struct buf b = { 0 };
	struct reply r;

	(void)state;
	for (int i = 0; i < 31; i++)
		(void)buf_puts(&b, "550-x\r\n");
	(void)buf_puts(&b, "550 x");
	assert_true(milter_read_reply(buf_str(&b), arena, &r));
	buf_clear(&b);
	for (int i = 0; i < 32; i++)
		(void)buf_puts(&b, "550-x\r\n");
	(void)buf_puts(&b, "550 x");
	assert_false(milter_read_reply(buf_str(&b), arena, &r));
	buf_clear(&b);
	(void)buf_printf(&b, "550 5.7.1 %01000d", 0);
	assert_false(milter_read_reply(buf_str(&b), arena, &r));
	buf_fini(&b);
}

static void
names(void **state)
{
	(void)state;
	assert_string_equal(milter_command_name('E'), "end of message");
	assert_string_equal(milter_command_name('z'), "?");
	assert_string_equal(milter_command_name((char)200), "?");
	assert_string_equal(milter_answer_name('y'), "reply code");
	assert_string_equal(milter_answer_name('z'), "?");
	assert_string_equal(milter_answer_name((char)200), "?");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slicing),
		cmocka_unit_test(no_packets),
		cmocka_unit_test(commands),
		cmocka_unit_test(offers),
		cmocka_unit_test(options),
		cmocka_unit_test(reads_answers),
		cmocka_unit_test(reads_replies),
		cmocka_unit_test(reply_limits),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, make_arena, free_arena);
}
