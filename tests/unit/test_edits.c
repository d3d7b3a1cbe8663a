/* edits: what the header looks like after them, and that the rest is untouched. */
#include "cm.h"

#include <time.h>

#include "base/buf.h"
#include "mail/edits.h"
#include "mta.h"

static const struct spool_conf conf = { .dir = "/tmp", .max_memory = 1 << 20 };

struct want_edit {
	enum edit_kind kind;
	const char *name, *value;
};

static const struct {
	const char *name;
	struct want_edit edits[3];
	size_t n_edits;
	const char *before, *after;
} cases[] = {
	{ "none", { { 0 } }, 0, "A: 1\r\n\r\nx\r\n", "A: 1\r\n\r\nx\r\n" },
	{ "add goes behind the last field",
	    { { EDIT_HEADER_ADD, "X", "y" } }, 1,
	    "A: 1\r\n B\r\nC: 2\r\n\r\nX: body\r\n",
	    "A: 1\r\n B\r\nC: 2\r\nX: y\r\n\r\nX: body\r\n" },
	{ "add where there is no blank line",
	    { { EDIT_HEADER_ADD, "X", "y" } }, 1, "A: 1\r\n",
	    "A: 1\r\nX: y\r\n" },
	{ "add where there is no header",
	    { { EDIT_HEADER_ADD, "X", "y" } }, 1, "\r\nbody\r\n",
	    "X: y\r\n\r\nbody\r\n" },
	{ "add before a line that is the rest of nothing",
	    { { EDIT_HEADER_ADD, "X", "y" } }, 1, " z\r\n\r\nbody\r\n",
	    "X: y\r\n\r\n z\r\n\r\nbody\r\n" },
	{ "insert before such a line",
	    { { EDIT_HEADER_INSERT, "X", "y" } }, 1, "\tz\r\n",
	    "X: y\r\n\r\n\tz\r\n" },
	{ "nothing is added to such a line in vain",
	    { { EDIT_HEADER_REMOVE, "X", "" } }, 1, " z\r\n", " z\r\n" },
	{ "add where there is nothing at all",
	    { { EDIT_HEADER_ADD, "X", "y" } }, 1, "", "X: y\r\n" },
	{ "a line that is no field ends the header",
	    { { EDIT_HEADER_ADD, "X", "y" } }, 1,
	    "A: 1\r\nno field\r\nB: 2\r\n", "A: 1\r\nX: y\r\nno field\r\nB: 2\r\n" },
	{ "insert stands in front", { { EDIT_HEADER_INSERT, "X", "y" } }, 1,
	    "A: 1\r\n\r\n", "X: y\r\nA: 1\r\n\r\n" },
	{ "set replaces the first and deletes the others",
	    { { EDIT_HEADER_SET, "x-a", "new" } }, 1,
	    "X-A: 1\r\nB: 2\r\nX-a: 3\r\n 4\r\n\r\n",
	    "x-a: new\r\nB: 2\r\n\r\n" },
	{ "set adds when there is none", { { EDIT_HEADER_SET, "X", "y" } }, 1,
	    "A: 1\r\n\r\n", "A: 1\r\nX: y\r\n\r\n" },
	{ "remove takes every one, folded ones whole",
	    { { EDIT_HEADER_REMOVE, "X", "" } }, 1,
	    "X: 1\r\n 2\r\nA: 1\r\nx : 3\r\n\r\nX: no\r\n",
	    "A: 1\r\n\r\nX: no\r\n" },
	{ "prefix stands before the value",
	    { { EDIT_HEADER_PREFIX, "Subject", "[SPAM] " } }, 1,
	    "Subject: hello\r\n\r\n", "Subject: [SPAM] hello\r\n\r\n" },
	{ "prefix of a subject without a blank",
	    { { EDIT_HEADER_PREFIX, "Subject", "[SPAM] " } }, 1,
	    "Subject:hello\r\n\r\n", "Subject: [SPAM] hello\r\n\r\n" },
	{ "prefix of a folded, empty first line",
	    { { EDIT_HEADER_PREFIX, "Subject", "[SPAM]" } }, 1,
	    "Subject:\r\n hello\r\n\r\n", "Subject: [SPAM]\r\n hello\r\n\r\n" },
	{ "prefix adds the field", { { EDIT_HEADER_PREFIX, "Subject", "[S] " } },
	    1, "A: 1\r\n\r\n", "A: 1\r\nSubject: [S]\r\n\r\n" },
	{ "prefix that is no ASCII is an encoded word",
	    { { EDIT_HEADER_PREFIX, "Subject", "\xc3\xa4 " } }, 1,
	    "Subject: hello\r\n\r\n",
	    "Subject: =?UTF-8?B?w6Qg?= hello\r\n\r\n" },
	{ "long values are folded at blanks", { { EDIT_HEADER_ADD, "X",
	      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa "
	      "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb" } }, 1,
	    "\r\n",
	    "X: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n "
	    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n\r\n" },
	{ "the last to set has it", { { EDIT_HEADER_SET, "X", "1" },
	      { EDIT_HEADER_SET, "x", "2" } }, 2,
	    "A: 1\r\n\r\n", "A: 1\r\nx: 2\r\n\r\n" },
	{ "the last to set has it, in the place of the first",
	    { { EDIT_HEADER_SET, "X", "1" }, { EDIT_HEADER_SET, "X", "2" } }, 2,
	    "X: 0\r\nA: 1\r\n\r\n", "X: 2\r\nA: 1\r\n\r\n" },
	{ "added, then removed", { { EDIT_HEADER_ADD, "X", "1" },
	      { EDIT_HEADER_INSERT, "X", "2" }, { EDIT_HEADER_REMOVE, "X", "" } },
	    3, "A: 1\r\nX: 0\r\n\r\n", "A: 1\r\n\r\n" },
	{ "removed, then added", { { EDIT_HEADER_REMOVE, "X", "" },
	      { EDIT_HEADER_ADD, "X", "1" } }, 2,
	    "X: 0\r\nA: 1\r\n\r\n", "A: 1\r\nX: 1\r\n\r\n" },
	{ "set, then a prefix", { { EDIT_HEADER_SET, "Subject", "new" },
	      { EDIT_HEADER_PREFIX, "Subject", "[S] " } }, 2,
	    "Subject: old\r\n\r\n", "Subject: [S] new\r\n\r\n" },
	{ "removed, then a prefix", { { EDIT_HEADER_REMOVE, "Subject", "" },
	      { EDIT_HEADER_PREFIX, "Subject", "[S] " } }, 2,
	    "Subject: old\r\nA: 1\r\n\r\n", "Subject: [S]\r\nA: 1\r\n\r\n" },
	{ "two prefixes", { { EDIT_HEADER_PREFIX, "Subject", "[A] " },
	      { EDIT_HEADER_PREFIX, "Subject", "[B] " } }, 2,
	    "Subject: s\r\n\r\n", "Subject: [A] [B] s\r\n\r\n" },
	{ "several at once",
	    { { EDIT_HEADER_PREFIX, "Subject", "[S] " },
		{ EDIT_HEADER_REMOVE, "A", "" }, { EDIT_HEADER_ADD, "X", "y" } },
	    3, "A: 1\r\nSubject: s\r\n\r\nb\r\n",
	    "Subject: [S] s\r\nX: y\r\n\r\nb\r\n" },
};

static void
apply(struct spool *s, const struct edits *edits, struct arena *a,
    struct buf *out)
{
	struct edit_ranges ranges;
	struct edit_cursor c = { 0 };
	struct pn_str piece;
	struct error e;

	assert_int_equal(edits_resolve(edits, s, a, &ranges, &e), 0);
	while ((piece = edit_cursor_peek(&c, &ranges, s)).n > 0) {
		(void)buf_add_str(out, piece);
		edit_cursor_skip(&c, piece.n);
	}
	assert_non_null(piece.p);
	assert_int_equal(buf_len(out), edit_ranges_size(&ranges));
}

static void
table_of_edits(void **state)
{
	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct spool_pool *pool = spool_pool_new(&conf);
		struct spool *s = spool_new(pool);
		struct arena *a = arena_new(1 << 20);
		struct edits edits = STAILQ_HEAD_INITIALIZER(edits);
		struct buf out = { 0 };
		struct error e;

		assert_int_equal(
		    spool_append(s, pn_str_of(cases[i].before), &e), 0);
		for (size_t j = 0; j < cases[i].n_edits; j++)
			assert_int_equal(
			    edits_add(&edits, a, cases[i].edits[j].kind,
				pn_str_of(cases[i].edits[j].name),
				pn_str_of(cases[i].edits[j].value)),
			    0);
		apply(s, &edits, a, &out);
		(void)buf_add(&out, "", 1);
		if (strcmp(buf_data(&out), cases[i].after) != 0)
			fail_msg("%s: got \"%s\"", cases[i].name,
			    buf_data(&out));
		buf_fini(&out);
		arena_free(a);
		spool_free(s);
		spool_pool_free(pool);
	}
}

/* The same edits over a header that lies across blocks and in a file. */
static void
edits_over_a_large_message_in_a_file(void **state)
{
	const struct spool_conf small = { .dir = "/tmp", .max_memory = 100000 };
	struct spool_pool *pool = spool_pool_new(&small);
	struct spool *s = spool_new(pool);
	struct arena *a = arena_new(1 << 20);
	struct edits edits = STAILQ_HEAD_INITIALIZER(edits);
	struct buf out = { 0 }, want = { 0 };
	struct error e;

	(void)state;
	for (int i = 0; i < 20000; i++)
		(void)buf_printf(&want, "X-%d: some value\r\n", i);
	(void)buf_puts(&want, "\r\nbody\r\n");
	assert_int_equal(spool_append(s, buf_str(&want), &e), 0);
	assert_int_equal(spool_size(s), buf_len(&want));
	apply(s, &edits, a, &out);
	assert_int_equal(buf_len(&out), buf_len(&want));
	assert_memory_equal(buf_data(&out), buf_data(&want), buf_len(&want));
	buf_clear(&out);
	assert_int_equal(edits_add(&edits, a, EDIT_HEADER_REMOVE,
			     PN_STR_V("X-19999"), PN_STR_V("")), 0);
	apply(s, &edits, a, &out);
	assert_int_equal(buf_len(&out),
	    buf_len(&want) - strlen("X-19999: some value\r\n"));
	buf_fini(&out);
	buf_fini(&want);
	arena_free(a);
	spool_free(s);
	spool_pool_free(pool);
}

/* A sender chooses how many fields there are: time must not be their square. */
static void
a_million_bytes_of_fields_are_read_once(void **state)
{
	struct spool_pool *pool = spool_pool_new(&conf);
	struct spool *s = spool_new(pool);
	struct arena *a = arena_new(8 << 20);
	struct edits edits = STAILQ_HEAD_INITIALIZER(edits);
	struct buf out = { 0 };
	struct error e;
	clock_t began;

	(void)state;
	for (int i = 0; i < 100000; i++)
		assert_int_equal(spool_append(s, PN_STR_V("A:\r\n"), &e), 0);
	for (int i = 0; i < 60000; i++)
		assert_int_equal(spool_append(s, PN_STR_V("Subject:\r\n"),
				     &e), 0);
	assert_int_equal(edits_add(&edits, a, EDIT_HEADER_PREFIX,
			     PN_STR_V("Subject"), PN_STR_V("[S]")), 0);
	began = clock();
	apply(s, &edits, a, &out);
	assert_true(clock() - began < 5 * CLOCKS_PER_SEC);
	assert_int_equal(buf_len(&out), spool_size(s) + strlen(" [S]"));
	buf_clear(&out);
	assert_int_equal(edits_add(&edits, a, EDIT_HEADER_REMOVE,
			     PN_STR_V("a"), PN_STR_V("")), 0);
	apply(s, &edits, a, &out);
	assert_int_equal(buf_len(&out),
	    60000 * strlen("Subject:\r\n") + strlen(" [S]"));
	buf_fini(&out);
	arena_free(a);
	spool_free(s);
	spool_pool_free(pool);
}

/* ---- bytes of the body ---- */

static void
spool_of(struct spool *s, struct pn_str text)
{
	struct error e;

	assert_int_equal(spool_append(s, text, &e), 0);
}

static const struct {
	const char *name;
	size_t offset[2], n[2];
	bool body;
	const char *before, *after; /* NULL: cannot be done */
} body_cases[] = {
	{ "one", { 8 }, { 3 }, false, "A: 1\r\n\r\nabcdef\r\n",
	    "A: 1\r\n\r\n<>def\r\n" },
	{ "two, the later one said first", { 12, 8 }, { 2, 2 }, false,
	    "A: 1\r\n\r\nabcdef\r\n", "A: 1\r\n\r\n<>cd<>\r\n" },
	{ "side by side", { 8, 10 }, { 2, 4 }, false,
	    "A: 1\r\n\r\nabcdef\r\n", "A: 1\r\n\r\n<><>\r\n" },
	{ "to the end", { 8 }, { 8 }, false, "A: 1\r\n\r\nabcdef\r\n",
	    "A: 1\r\n\r\n<>" },
	{ "behind the end", { 8 }, { 9 }, false, "A: 1\r\n\r\nabcdef\r\n",
	    NULL },
	{ "far behind the end", { SIZE_MAX }, { SIZE_MAX }, false,
	    "A: 1\r\n\r\nabcdef\r\n", NULL },
	{ "within another", { 8, 9 }, { 4, 1 }, false,
	    "A: 1\r\n\r\nabcdef\r\n", NULL },
	{ "twice the same", { 8, 8 }, { 4, 4 }, false,
	    "A: 1\r\n\r\nabcdef\r\n", NULL },
	{ "in the header", { 3 }, { 1 }, false, "A: 1\r\n\r\nabcdef\r\n",
	    NULL },
	{ "all", { 0 }, { 0 }, true, "A: 1\r\n\r\nabcdef\r\n",
	    "A: 1\r\n\r\n<>" },
	{ "all, without an empty line", { 0 }, { 0 }, true, "A: 1\r\nabc\r\n",
	    "A: 1\r\n\r\n<>" },
	{ "all, with a header alone", { 0 }, { 0 }, true, "A: 1\r\n",
	    "A: 1\r\n\r\n<>" },
	{ "all, and a range", { 8 }, { 1 }, true, "A: 1\r\n\r\nabc\r\n",
	    NULL },
};

static void
table_of_body_edits(void **state)
{
	(void)state;
	for (size_t i = 0; i < PN_COUNT(body_cases); i++) {
		struct spool_pool *pool = spool_pool_new(&conf);
		struct spool *s = spool_new(pool);
		struct arena *a = arena_new(1 << 20);
		struct edits edits = STAILQ_HEAD_INITIALIZER(edits);
		struct edit_ranges ranges;
		struct buf out = { 0 };
		struct error e;

		spool_of(s, pn_str_of(body_cases[i].before));
		for (size_t k = 0; k < 2; k++)
			if (body_cases[i].n[k] > 0)
				assert_int_equal(edits_add_range(&edits, a,
				    body_cases[i].offset[k], body_cases[i].n[k],
				    PN_STR_V("<>")), 0);
		if (body_cases[i].body)
			assert_int_equal(
			    edits_add_body(&edits, a, PN_STR_V("<>")), 0);
		if (body_cases[i].after == NULL) {
			if (edits_resolve(&edits, s, a, &ranges, &e) == 0)
				fail_msg("%s", body_cases[i].name);
		} else {
			apply(s, &edits, a, &out);
			(void)buf_add(&out, "", 1);
			if (strcmp(buf_data(&out), body_cases[i].after) != 0)
				fail_msg("%s: got \"%s\"", body_cases[i].name,
				    buf_data(&out));
		}
		buf_fini(&out);
		arena_free(a);
		spool_free(s);
		spool_pool_free(pool);
	}
}

static unsigned
dice(unsigned *seed, unsigned sides)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (*seed >> 8) % sides;
}

/*
 * Disjoint ranges at random, in random order and with edits of the header:
 * every byte outside of them is where it was, whatever blocks the spool has.
 */
static void
bytes_outside_are_the_same(void **state)
{
	unsigned seed = 1;

	(void)state;
	for (int round = 0; round < 300; round++) {
		const struct spool_conf small = { .dir = "/tmp",
			.max_memory = 1 + dice(&seed, 70000) };
		struct spool_pool *pool = spool_pool_new(&small);
		struct spool *s = spool_new(pool);
		struct arena *a = arena_new(1 << 20);
		struct edits edits = STAILQ_HEAD_INITIALIZER(edits);
		struct buf text = { 0 }, want = { 0 }, out = { 0 };
		size_t from[8], n[8], at, header;
		unsigned count = 0, first = 0;

		(void)buf_puts(&text, "A: 1\r\nB: 2\r\n\r\n");
		header = buf_len(&text);
		for (unsigned k = dice(&seed, 90000); k > 0; k--)
			(void)buf_add(&text, &"\r\n.abc:"[dice(&seed, 7)], 1);
		spool_of(s, buf_str(&text));
		for (at = header; count < 8 && at < buf_len(&text); count++) {
			from[count] = at + dice(&seed, 20000);
			n[count] = 1 + dice(&seed, 3000);
			if (from[count] + n[count] > buf_len(&text))
				break;
			at = from[count] + n[count];
		}
		if (count > 0)
			first = dice(&seed, count);
		for (unsigned k = 0; k < count; k++)
			assert_int_equal(edits_add_range(&edits, a,
			    from[(first + k) % count], n[(first + k) % count],
			    PN_STR_V("gone\r\n")), 0);
		assert_int_equal(edits_add(&edits, a, EDIT_HEADER_SET,
				     PN_STR_V("A"), PN_STR_V("3")), 0);
		(void)buf_puts(&want, "A: 3\r\nB: 2\r\n\r\n");
		at = header;
		for (unsigned k = 0; k < count; k++) {
			(void)buf_add(&want, buf_data(&text) + at, from[k] - at);
			(void)buf_puts(&want, "gone\r\n");
			at = from[k] + n[k];
		}
		(void)buf_add(&want, buf_data(&text) + at, buf_len(&text) - at);
		apply(s, &edits, a, &out);
		assert_int_equal(buf_len(&out), buf_len(&want));
		assert_memory_equal(buf_data(&out), buf_data(&want),
		    buf_len(&want));
		buf_fini(&text);
		buf_fini(&want);
		buf_fini(&out);
		arena_free(a);
		spool_free(s);
		spool_pool_free(pool);
	}
}

/* ---- the same by an MTA ---- */

static const char *
one_of(unsigned *seed, const char *const *words, unsigned n)
{
	return words[dice(seed, n)];
}

#define TOO_LONG                                                               \
	"X-Too-Long-0123456789-0123456789-0123456789-0123456789-0123456789-"   \
	"0123456789-0123456789"
#define FOLDED                                                                 \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa "                            \
	"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb cccccccccccc"
static const char *const names[] = { "A", "a", "Subject", "SUBJECT", "X-Spam",
	"x-spam", "Received", "X-Odd!#", "B",
	"X-Long-Name-0123456789-0123456789-0123456789-0123456789-0123456789-01234",
	TOO_LONG };
#define EDITED (PN_COUNT(names) - 1) /* rules take no name that is too long */

static void
random_header(unsigned *seed, struct buf *b)
{
	static const char *const values[] = { "", " ", " v", "v", "\tv",
		" folded\r\n line", "\r\n behind", " 8 bit: \xe4 \xc3\xa4",
		" =?UTF-8?B?w6Q=?=", " a: b", " end ",
		" two\r\n\tfolds\r\n  here" };

	for (unsigned n = dice(seed, 12); n > 0; n--)
		(void)buf_printf(b, "%s:%s\r\n",
		    one_of(seed, names, PN_COUNT(names)),
		    one_of(seed, values, PN_COUNT(values)));
	(void)buf_puts(b, "\r\n");
}

static void
random_body(unsigned *seed, struct buf *b)
{
	for (unsigned n = dice(seed, 400); n > 0; n--)
		(void)buf_add(b, &"\r\n.abc: "[dice(seed, 8)], 1);
}

static void
random_edits(unsigned *seed, struct arena *a, struct edits *edits,
    size_t header, size_t size)
{
	static const char *const values[] = { "", "y", "[S] ", "two words",
		"\xc3\xa4 gr\xc3\xbcn", "\xff no UTF-8",
		FOLDED };

	for (unsigned n = dice(seed, 7); n > 0; n--)
		assert_int_equal(edits_add(edits, a,
				     (enum edit_kind)dice(seed, EDIT_RANGE),
				     pn_str_of(one_of(seed, names, EDITED)),
				     pn_str_of(one_of(seed, values,
					 PN_COUNT(values)))), 0);
	if (dice(seed, 4) == 0 && size > header)
		assert_int_equal(edits_add_range(edits, a,
		    header + dice(seed, (unsigned)(size - header)),
		    dice(seed, 50), PN_STR_V("gone\r\n")), 0);
	if (dice(seed, 6) == 0)
		assert_int_equal(
		    edits_add_body(edits, a, PN_STR_V("new\r\n")), 0);
}

/* What is written and what an MTA is asked to do must come to the same. */
static bool
one_round(unsigned *seed)
{
	const struct spool_conf small = { .dir = "/tmp", .max_memory = 1 << 20 };
	struct spool_pool *pool = spool_pool_new(&small);
	struct spool *s = spool_new(pool);
	struct arena *a = arena_new(1 << 20);
	struct edits edits = STAILQ_HEAD_INITIALIZER(edits);
	struct buf text = { 0 }, ours = { 0 }, theirs = { 0 };
	struct edit_ranges ranges;
	struct mta mta;
	struct error e;
	size_t header;
	bool done;

	random_header(seed, &text);
	header = buf_len(&text);
	random_body(seed, &text);
	spool_of(s, buf_str(&text));
	random_edits(seed, a, &edits, header, buf_len(&text));
	assert_true(mta_read(&mta, a, buf_str(&text)));
	done = edits_resolve(&edits, s, a, &ranges, &e) == 0;
	assert_int_equal(mta_edit(&mta, &edits, s, &theirs), done);
	if (done) {
		apply(s, &edits, a, &ours);
		if (!pn_str_eq(buf_str(&ours), buf_str(&theirs)))
			fail_msg("of \"%.*s\" we make \"%.*s\", the MTA \"%.*s\"",
			    PN_STR_ARG(buf_str(&text)),
			    PN_STR_ARG(buf_str(&ours)),
			    PN_STR_ARG(buf_str(&theirs)));
	}
	buf_fini(&text);
	buf_fini(&ours);
	buf_fini(&theirs);
	arena_free(a);
	spool_free(s);
	spool_pool_free(pool);
	return done;
}

static void
an_mta_makes_the_same_of_it(void **state)
{
	unsigned seed = 7, done = 0;

	(void)state;
	for (int round = 0; round < 20000; round++)
		done += one_round(&seed);
	assert_in_range(done, 15000, 19999);
}

static const struct {
	const char *name;
	struct want_edit edits[3];
	size_t n_edits;
	const char *before;
	struct {
		enum edit_op_kind kind;
		unsigned nth;
		const char *name, *value;
	} ops[4];
	size_t n_ops;
} op_cases[] = {
	{ "no edit, no operation", { { 0 } }, 0, "A: 1\r\n\r\n", { { 0 } }, 0 },
	{ "the last of a name goes first", { { EDIT_HEADER_REMOVE, "x", "" } },
	    1, "X: 1\r\nA: 1\r\nX: 2\r\n\r\n",
	    { { EDIT_OP_DELETE, 2, "X", "" }, { EDIT_OP_DELETE, 1, "X", "" } },
	    2 },
	{ "set: the others go, then the first changes",
	    { { EDIT_HEADER_SET, "x", "new" } }, 1,
	    "X: 1\r\nX: 2\r\n\r\n",
	    { { EDIT_OP_DELETE, 2, "X", "" },
		{ EDIT_OP_CHANGE, 1, "x", " new" } }, 2 },
	{ "inserted last first, behind the changes, before what is added",
	    { { EDIT_HEADER_ADD, "Z", "z" }, { EDIT_HEADER_INSERT, "X", "1" },
		{ EDIT_HEADER_INSERT, "X", "2" } }, 3, "A: 1\r\n\r\n",
	    { { EDIT_OP_INSERT, 0, "X", " 2" }, { EDIT_OP_INSERT, 0, "X", " 1" },
		{ EDIT_OP_ADD, 0, "Z", " z" } }, 3 },
	{ "a folded value has LF", { { EDIT_HEADER_PREFIX, "Subject", "[S] " } },
	    1, "SUBJECT: a\r\n b\r\n\r\n",
	    { { EDIT_OP_CHANGE, 1, "SUBJECT", " [S] a\n b" } }, 1 },
};

static void
table_of_operations(void **state)
{
	(void)state;
	for (size_t i = 0; i < PN_COUNT(op_cases); i++) {
		struct spool_pool *pool = spool_pool_new(&conf);
		struct spool *s = spool_new(pool);
		struct arena *a = arena_new(1 << 20);
		struct edits edits = STAILQ_HEAD_INITIALIZER(edits);
		struct edit_ops ops;
		struct edit_op *op;
		struct error e;
		size_t n = 0;

		print_message("%s\n", op_cases[i].name);
		spool_of(s, pn_str_of(op_cases[i].before));
		for (size_t j = 0; j < op_cases[i].n_edits; j++)
			assert_int_equal(
			    edits_add(&edits, a, op_cases[i].edits[j].kind,
				pn_str_of(op_cases[i].edits[j].name),
				pn_str_of(op_cases[i].edits[j].value)),
			    0);
		assert_int_equal(edits_header_ops(&edits, s, a, &ops, &e), 0);
		STAILQ_FOREACH (op, &ops, next) {
			assert_true(n < op_cases[i].n_ops);
			assert_int_equal(op->kind, op_cases[i].ops[n].kind);
			assert_int_equal(op->nth, op_cases[i].ops[n].nth);
			assert_string_equal(op->name.p, op_cases[i].ops[n].name);
			assert_string_equal(
			    op->value.p, op_cases[i].ops[n].value);
			n++;
		}
		assert_int_equal(n, op_cases[i].n_ops);
		arena_free(a);
		spool_free(s);
		spool_pool_free(pool);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_of_edits),
		cmocka_unit_test(edits_over_a_large_message_in_a_file),
		cmocka_unit_test(table_of_body_edits),
		cmocka_unit_test(bytes_outside_are_the_same),
		cmocka_unit_test(a_million_bytes_of_fields_are_read_once),
		cmocka_unit_test(table_of_operations),
		cmocka_unit_test(an_mta_makes_the_same_of_it),
	};

	return cmocka_run_group_tests_name("edits", tests, NULL, NULL);
}
