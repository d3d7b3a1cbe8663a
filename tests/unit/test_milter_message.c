/* milter_message: what a milter's changes make of a message, against a list
 * of lines that is changed by hand; text to lines in any slicing. */
#include "cm.h"

#include <stdlib.h>

#include "base/must.h"
#include "engine/milter_talk.h"

static struct spool_pool *pool;

static int
make_pool(void **state)
{
	static const struct spool_conf conf = { .dir = "/tmp", .max_memory = 1u << 20 };

	(void)state;
	pool = spool_pool_new(&conf);
	return 0;
}

static int
free_pool(void **state)
{
	(void)state;
	spool_pool_free(pool);
	return 0;
}

static struct spool *
spool_of(struct pn_str text)
{
	struct spool *s = spool_new(pool);
	struct error e;

	assert_int_equal(spool_append(s, text, &e), 0);
	return s;
}

static void
assert_spool(struct spool *s, struct pn_str want, const char *name)
{
	struct buf got = { 0 };
	struct pn_str piece;

	for (size_t at = 0; (piece = spool_at(s, at)).n > 0; at += piece.n)
		(void)buf_add_str(&got, piece);
	if (!pn_str_eq(buf_str(&got), want))
		fail_msg("%s: got \"%.*s\"", name, PN_STR_ARG(buf_str(&got)));
	buf_fini(&got);
}

static const struct {
	const char *name;
	struct pn_str in;
	enum milter_answer what;
	uint32_t index;
	struct pn_str field, value;
	struct pn_str out;
	bool dotted;
} cases[] = {
	{ "no header: added in front of the body", PN_STR("\r\nbody\r\n"),
	    MILTER_ADD_HEADER, 0, PN_STR("A"), PN_STR("1"),
	    PN_STR("A: 1\r\n\r\nbody\r\n"), false },
	{ "nothing at all", PN_STR(""), MILTER_ADD_HEADER, 0, PN_STR("A"),
	    PN_STR("1"), PN_STR("A: 1\r\n"), false },
	{ "a body whose first line would fold", PN_STR(" body\r\n"),
	    MILTER_INSERT_HEADER, 0, PN_STR("A"), PN_STR("1"),
	    PN_STR("A: 1\r\n\r\n body\r\n"), false },
	{ "a last field without a line end", PN_STR("B: 2"), MILTER_ADD_HEADER,
	    0, PN_STR("A"), PN_STR("1"), PN_STR("B: 2\r\nA: 1\r\n"), false },
	{ "a line that is no field ends it", PN_STR("B: 2\r\nno field\r\nC: 3\r\n"),
	    MILTER_ADD_HEADER, 0, PN_STR("A"), PN_STR("1"),
	    PN_STR("B: 2\r\nA: 1\r\nno field\r\nC: 3\r\n"), false },
	{ "no field of that name in the body", PN_STR("B: 2\r\n\r\nA: 9\r\n"),
	    MILTER_CHANGE_HEADER, 1, PN_STR("A"), PN_STR("1"),
	    PN_STR("B: 2\r\nA: 1\r\n\r\nA: 9\r\n"), false },
	{ "blanks in front of the colon", PN_STR("A \t: 2\r\n\r\n"),
	    MILTER_CHANGE_HEADER, 1, PN_STR("a"), PN_STR(""), PN_STR("\r\n"),
	    false },
	{ "no end of the header from outside", PN_STR("B: 2\r\n\r\n"),
	    MILTER_ADD_HEADER, 0, PN_STR("A"), PN_STR("1\r\n\r\nbody\n"),
	    PN_STR("B: 2\r\nA: 1\r\n\t\r\n\tbody\r\n\r\n"), false },
	{ "a lone CR", PN_STR("B: 2\r\n\r\n"), MILTER_ADD_HEADER, 0,
	    PN_STR("A"), PN_STR("1\rC: 3"),
	    PN_STR("B: 2\r\nA: 1\r\n\tC: 3\r\n\r\n"), false },
	{ "a name with a dot in front", PN_STR("B: 2\r\n\r\n"),
	    MILTER_ADD_HEADER, 0, PN_STR(".A"), PN_STR("1"),
	    PN_STR("B: 2\r\n.A: 1\r\n\r\n"), true },
	{ "an index beyond all measure", PN_STR("B: 2\r\n\r\n"),
	    MILTER_INSERT_HEADER, UINT32_MAX, PN_STR("A"), PN_STR("1"),
	    PN_STR("B: 2\r\nA: 1\r\n\r\n"), false },
	{ "a number beyond all measure", PN_STR("B: 2\r\n\r\n"),
	    MILTER_CHANGE_HEADER, UINT32_MAX, PN_STR("B"), PN_STR(""),
	    PN_STR("B: 2\r\n\r\n"), false },
	{ "of the envelope", PN_STR("B: 2\r\n\r\n"), MILTER_ADD_RCPT, 0,
	    PN_STR("A"), PN_STR(""), PN_STR("B: 2\r\n\r\n"), false },
};

static void
one_change(void **state)
{
	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct milter_change c = { .what = cases[i].what,
			.index = cases[i].index,
			.name = cases[i].field,
			.value = cases[i].value };
		struct milter_changes all = STAILQ_HEAD_INITIALIZER(all);
		struct spool *in = spool_of(cases[i].in), *out;
		struct error e;

		STAILQ_INSERT_TAIL(&all, &c, next);
		out = milter_message(in, &all, NULL, false, &e);
		assert_non_null(out);
		assert_spool(out, cases[i].out, cases[i].name);
		assert_int_equal(spool_dotted(out), cases[i].dotted);
		assert_spool(in, cases[i].in, cases[i].name);
		spool_free(in);
		spool_free(out);
	}
}

static void
too_many_fields(void **state)
{
	struct milter_changes all = STAILQ_HEAD_INITIALIZER(all);
	struct spool *in = spool_new(pool);
	struct error e;

	(void)state;
	for (int i = 0; i < 50001; i++)
		must(spool_append(in, PN_STR_V("a:\r\n"), &e) == 0);
	assert_null(milter_message(in, &all, NULL, false, &e));
	assert_non_null(strstr(e.text, "more than 50000 fields"));
	spool_free(in);
}

static const struct {
	struct pn_str in, out;
	bool dotted;
} texts[] = {
	{ PN_STR(""), PN_STR(""), false },
	{ PN_STR("a"), PN_STR("a\r\n"), false },
	{ PN_STR("a\r\n"), PN_STR("a\r\n"), false },
	{ PN_STR("a\nb\rc\r\nd\r"), PN_STR("a\r\nb\r\nc\r\nd\r\n"), false },
	{ PN_STR("\r\r\n\n"), PN_STR("\r\n\r\n\r\n"), false },
	{ PN_STR(".\n"), PN_STR(".\r\n"), true },
	{ PN_STR("a.\r\n"), PN_STR("a.\r\n"), false },
	{ PN_STR("a\r.b"), PN_STR("a\r\n.b\r\n"), true },
	{ PN_STR("a\0b\n"), PN_STR("a\0b\r\n"), false },
};

static void
lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < PN_COUNT(texts); i++)
		for (size_t slice = 1; slice <= texts[i].in.n + 1; slice++) {
			struct milter_lines l = { .to = spool_new(pool) };
			struct error e;

			for (size_t at = 0; at < texts[i].in.n; at += slice)
				assert_int_equal(milter_lines_add(&l,
				    pn_str_sub(texts[i].in, at, slice), &e), 0);
			assert_int_equal(milter_lines_end(&l, &e), 0);
			assert_spool(l.to, texts[i].out, "lines");
			assert_int_equal(spool_dotted(l.to), texts[i].dotted);
			spool_free(l.to);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_change),
		cmocka_unit_test(too_many_fields),
		cmocka_unit_test(lines),
	};

	return cmocka_run_group_tests(tests, make_pool, free_pool);
}
