/*
 * findings: what is packed comes back; what no declaration allows does not.
 * The rules' answers are a stand-in here: they are rules' own business.
 */
#include "cm.h"

#include <stdlib.h>

#include "inspect/findings.h"

/* ---- stand-in for the rule set ---- */

struct rules_answers {
	struct pn_str text;
};

void
rules_answers_pack(const struct rules_answers *a, struct buf *b)
{
	pack_str(b, a->text);
}

struct rules_answers *
rules_answers_unpack(const struct rules *r, struct unpack *u, struct arena *m)
{
	struct rules_answers *a = arena_alloc(m, sizeof(*a));

	(void)r;
	a->text = unpack_str(u);
	return u->failed ? NULL : a;
}

/* ---- a chain with a fact of each kind ---- */

static enum pn_step
hook(struct pn_mail *m)
{
	(void)m;
	return PN_NEXT;
}

static const char *const words[] = { "red", "green", NULL };
static const struct pn_fact_decl decls[] = {
	{ .name = "text", .type = PN_STRING, .stage = PN_STAGE_MESSAGE },
	{ .name = "count", .type = PN_NUMBER, .stage = PN_STAGE_MESSAGE },
	{ .name = "yes", .type = PN_BOOL, .stage = PN_STAGE_MESSAGE },
	{ .name = "from", .type = PN_ADDRESS, .stage = PN_STAGE_MESSAGE },
	{ .name = "hop", .type = PN_IP, .stage = PN_STAGE_MESSAGE },
	{ .name = "colour",
	    .type = PN_WORD,
	    .stage = PN_STAGE_MESSAGE,
	    .words = words },
	{ .name = "part.name",
	    .type = PN_STRING,
	    .stage = PN_STAGE_MESSAGE,
	    .flags = PN_FACT_MANY },
	{ .name = "url.host", .type = PN_STRING, .stage = PN_STAGE_MESSAGE },
	{ .name = "header",
	    .type = PN_STRING,
	    .stage = PN_STAGE_MESSAGE,
	    .flags = PN_FACT_KEYED },
	{ 0 }
};
enum { TEXT = CORE_FACTS, COUNT, YES, FROM, HOP, COLOUR, PART_NAME, URL_HOST, HEAD };

static const struct pn_filter filter = {
	.abi = PN_ABI, .name = "test", .facts = decls, .inspect = hook
};

struct world {
	struct arena *arena;
	struct chain chain;
	struct buf b;
};

static int
make_world(void **state)
{
	static struct world w;
	const struct pn_filter *one = &filter;
	struct error e;

	w = (struct world){ .arena = arena_new(8 << 20) };
	*state = &w;
	return chain_build(&w.chain, &one, 1, w.arena, &e);
}

static int
end_world(void **state)
{
	struct world *w = *state;

	buf_fini(&w->b);
	arena_free(w->arena);
	return 0;
}

static struct fact_of
fact(uint32_t index, uint32_t thing, struct value v)
{
	v.state = VALUE_KNOWN;
	return (struct fact_of){ index, thing, v };
}

#define MSG FACT_OF_MESSAGE
#define KNOWN(...) ((struct value){ .state = VALUE_KNOWN, __VA_ARGS__ })

#define MESSAGE 100 /* bytes of the message they are about */

static bool
unpack_all(struct world *w, struct findings *f)
{
	/* In a place of its own size, so that a sanitizer sees a byte too far.
	 */
	void *copy = arena_str(w->arena, buf_str(&w->b)).p
			 ? memcpy(arena_alloc(w->arena, buf_len(&w->b)),
			       buf_data(&w->b), buf_len(&w->b))
			 : NULL;
	struct unpack u = unpack_of(copy, buf_len(&w->b));

	return findings_unpack(f, &w->chain, NULL, MESSAGE, &u, w->arena);
}

static void
what_is_packed_comes_back(void **state)
{
	struct world *w = *state;
	struct fact_of facts[] = {
		fact(TEXT, MSG,
		    KNOWN(.type = VALUE_STRING, .str = PN_STR("a\0b"))),
		fact(COUNT, MSG, KNOWN(.type = VALUE_NUMBER, .number = -5)),
		fact(YES, MSG, KNOWN(.type = VALUE_BOOL, .number = 1)),
		fact(FROM, MSG,
		    KNOWN(.type = VALUE_ADDRESS, .str = PN_STR("a@b"),
			.local = PN_STR("a"), .domain = PN_STR("b"),
			.display = PN_STR("A"))),
		fact(HOP, MSG,
		    KNOWN(.type = VALUE_IP, .str = PN_STR("2001:db8::1"))),
		fact(COLOUR, MSG,
		    KNOWN(.type = VALUE_WORD, .str = PN_STR("green"))),
		fact(PART_NAME, 1,
		    KNOWN(.type = VALUE_STRING, .str = PN_STR("x.exe"))),
		{ PART_NAME, 0, { .state = VALUE_UNKNOWN } },
		fact(URL_HOST, 0,
		    KNOWN(.type = VALUE_STRING, .str = PN_STR("a.b"))),
	};
	struct fact_thing parts[] = { { .depth = 0 },
		{ 3, THING_BLOCK | THING_WITHIN, 40, 60 } };
	struct fact_thing urls[] = { { 7, 0, 0, 0 } };
	struct chain_trouble troubles[] = { { 0, 7, true } };
	struct rules_answers answers = { PN_STR("yes, no") };
	struct findings in = { .facts = facts,
		.troubles = troubles,
		.n_troubles = 1,
		.n_facts = PN_COUNT(facts),
		.things = { { 2, parts }, { 1, urls } },
		.truncated = true,
		.defects = PN_DEFECT_BROKEN,
		.answers = &answers };
	struct findings out;

	findings_pack(&in, &w->b);
	assert_true(unpack_all(w, &out));
	assert_int_equal(out.n_facts, in.n_facts);
	assert_int_equal(out.things[THING_PART].n, 2);
	assert_memory_equal(out.things[THING_PART].v, parts, sizeof(parts));
	assert_int_equal(out.things[THING_URL].n, 1);
	assert_int_equal(out.things[THING_URL].v[0].depth, 7);
	assert_true(out.truncated);
	assert_int_equal(out.defects, PN_DEFECT_BROKEN);
	assert_str(out.answers->text, "yes, no");
	assert_int_equal(out.facts[0].value.str.n, 3);
	assert_memory_equal(out.facts[0].value.str.p, "a\0b", 3);
	assert_int_equal(out.facts[1].value.number, -5);
	assert_int_equal(out.facts[2].value.number, 1);
	assert_str(out.facts[3].value.str, "a@b");
	assert_str(out.facts[3].value.local, "a");
	assert_str(out.facts[3].value.domain, "b");
	assert_str(out.facts[3].value.display, "A");
	assert_str(out.facts[4].value.str, "2001:db8::1");
	assert_str(out.facts[5].value.str, "green");
	assert_int_equal(out.facts[6].thing, 1);
	assert_str(out.facts[6].value.str, "x.exe");
	assert_int_equal(out.facts[7].value.state, VALUE_UNKNOWN);
	assert_str(out.facts[8].value.str, "a.b");
	assert_int_equal(out.n_troubles, 1);
	assert_int_equal(out.troubles[0].module, 0);
	assert_int_equal(out.troubles[0].dropped, 7);
	assert_true(out.troubles[0].failed);
	troubles[0].module = 1; /* there is none */
	buf_clear(&w->b);
	findings_pack(&in, &w->b);
	assert_false(unpack_all(w, &out));
}

static void
nothing_is_a_finding_too(void **state)
{
	struct world *w = *state;
	struct findings in = { 0 }, out;

	findings_pack(&in, &w->b);
	assert_true(unpack_all(w, &out));
	assert_int_equal(out.n_facts, 0);
	for (int i = 0; i < THINGS; i++)
		assert_int_equal(out.things[i].n, 0);
	assert_false(out.truncated);
	assert_null(out.answers);
}

static void
long_values_are_cut_between_letters(void **state)
{
	struct world *w = *state;
	char text[FINDINGS_VALUE_MAX + 10];
	struct fact_of f;
	struct findings in = { .facts = &f, .n_facts = 1 }, out;

	memset(text, 'a', sizeof(text));
	text[FINDINGS_VALUE_MAX - 1] = '\xc3';
	text[FINDINGS_VALUE_MAX] = '\xa4';
	f = fact(TEXT, MSG,
	    KNOWN(.type = VALUE_STRING, .str = { text, sizeof(text) }));
	findings_pack(&in, &w->b);
	assert_true(unpack_all(w, &out));
	assert_int_equal(out.facts[0].value.str.n, FINDINGS_VALUE_MAX - 1);
}

static void
too_much_says_truncated(void **state)
{
	struct world *w = *state;
	uint32_t n = 30000;
	struct fact_of *facts = calloc(n, sizeof(*facts));
	struct findings in = { .facts = facts, .n_facts = n }, out;

	for (uint32_t i = 0; i < n; i++)
		facts[i] =
		    fact(COUNT, MSG, KNOWN(.type = VALUE_NUMBER, .number = i));
	findings_pack(&in, &w->b);
	assert_true(buf_len(&w->b) <= FINDINGS_MAX);
	assert_true(buf_len(&w->b) > FINDINGS_MAX - 32);
	assert_true(unpack_all(w, &out));
	assert_true(out.truncated);
	assert_true(out.n_facts > 5000 && out.n_facts < n);
	assert_int_equal(
	    out.facts[out.n_facts - 1].value.number, out.n_facts - 1);
	free(facts);
}

static void
parts_do_not_push_out_the_message(void **state)
{
	struct world *w = *state;
	uint32_t n = 30000;
	struct fact_of *facts = calloc(n, sizeof(*facts));
	struct fact_thing parts[] = { { .depth = 0 } };
	struct findings in = { .facts = facts,
		.n_facts = n,
		.things = { { 1, parts } } },
			out;

	for (uint32_t i = 0; i < n; i++)
		facts[i] = fact(PART_NAME, 0, KNOWN(.type = VALUE_STRING));
	facts[n - 1] = fact(COUNT, MSG, KNOWN(.type = VALUE_NUMBER));
	findings_pack(&in, &w->b);
	assert_true(unpack_all(w, &out));
	assert_true(out.truncated);
	assert_int_equal(out.facts[0].index, COUNT);
	free(facts);
}

static void
answers_that_do_not_fit_are_none(void **state)
{
	struct world *w = *state;
	char *big = calloc(1, FINDINGS_MAX);
	struct rules_answers answers = { { big, FINDINGS_MAX } };
	struct fact_of f = fact(COUNT, MSG, KNOWN(.type = VALUE_NUMBER));
	struct findings in = { .facts = &f, .n_facts = 1, .answers = &answers },
			out;

	findings_pack(&in, &w->b);
	assert_true(unpack_all(w, &out));
	assert_null(out.answers);
	assert_int_equal(out.defects, PN_DEFECT_LIMIT);
	assert_int_equal(out.n_facts, 1);
	free(big);
}

static void
what_cannot_be_is_dropped(void **state)
{
	const struct {
		const char *name;
		struct fact_of fact;
	} cases[] = {
		{ "no such index",
		    { HEAD + 1, MSG, KNOWN(.type = VALUE_NUMBER) } },
		{ "huge index",
		    { UINT32_MAX, MSG, KNOWN(.type = VALUE_NUMBER) } },
		{ "fact of the worker",
		    { FACT_SENDER, MSG, KNOWN(.type = VALUE_ADDRESS) } },
		{ "keyed", { HEAD, MSG, KNOWN(.type = VALUE_STRING) } },
		{ "other type", { COUNT, MSG, KNOWN(.type = VALUE_BOOL) } },
		{ "unknown of other type",
		    { COUNT, MSG,
			{ .state = VALUE_UNKNOWN, .type = VALUE_BOOL } } },
		{ "absent",
		    { COUNT, MSG,
			{ .state = VALUE_ABSENT, .type = VALUE_NUMBER } } },
		{ "no such state", { COUNT, MSG,
				       { .state = (enum value_state)7,
					   .type = VALUE_NUMBER } } },
		{ "word not listed",
		    { COLOUR, MSG,
			KNOWN(.type = VALUE_WORD, .str = PN_STR("blue")) } },
		{ "no ip", { HOP, MSG,
			       KNOWN(.type = VALUE_IP,
				   .str = PN_STR("1.2.3.4 or so")) } },
		{ "empty ip", { HOP, MSG, KNOWN(.type = VALUE_IP) } },
		{ "part fact of the message",
		    { PART_NAME, MSG, KNOWN(.type = VALUE_STRING) } },
		{ "no such url", { URL_HOST, 0, KNOWN(.type = VALUE_STRING) } },
		{ "no such part",
		    { PART_NAME, 2, KNOWN(.type = VALUE_STRING) } },
		{ "message fact of a part",
		    { COUNT, 0, KNOWN(.type = VALUE_NUMBER) } },
	};
	struct world *w = *state;

	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct fact_thing parts[2] = { { .depth = 0 } };
		struct fact_of f = cases[i].fact;
		struct findings in = { .facts = &f,
			.n_facts = 1,
			.things = { { 2, parts } } },
				out;

		buf_clear(&w->b);
		findings_pack(&in, &w->b);
		if (unpack_all(w, &out))
			fail_msg("%s: taken", cases[i].name);
	}
}

static void
ranges_lie_in_the_message(void **state)
{
	const struct {
		struct fact_thing thing;
		bool taken;
	} cases[] = {
		{ { 0, 0, 0, MESSAGE }, true },
		{ { 0, 0, MESSAGE, 0 }, true },
		{ { 0, THING_FLAGS, MESSAGE - 1, 1 }, true },
		{ { 0, 0, 0, MESSAGE + 1 }, false },
		{ { 0, 0, MESSAGE + 1, 0 }, false },
		{ { 0, 0, 1, UINT32_MAX }, false },
		{ { 0, 0, UINT32_MAX, 1 }, false },
		{ { 0, THING_FLAGS + 1, 0, 0 }, false },
	};
	struct world *w = *state;

	for (size_t i = 0; i < PN_COUNT(cases); i++)
		for (int kind = 0; kind < THINGS; kind++) {
			struct fact_thing thing = cases[i].thing;
			struct findings in = { .n_facts = 0 }, out;

			in.things[kind] = (struct fact_things){ 1, &thing };
			buf_clear(&w->b);
			findings_pack(&in, &w->b);
			if (unpack_all(w, &out) != cases[i].taken)
				fail_msg("case %zu", i);
		}
}

/* Every cut and every changed byte is either refused or still within bounds
 * (the sanitizer's to see); a cut is always refused. */
static void
broken_frames_do_no_harm(void **state)
{
	struct world *w = *state;
	struct fact_of facts[] = {
		fact(FROM, MSG,
		    KNOWN(.type = VALUE_ADDRESS, .str = PN_STR("a@b"),
			.local = PN_STR("a"))),
		fact(COLOUR, MSG,
		    KNOWN(.type = VALUE_WORD, .str = PN_STR("red"))),
		fact(PART_NAME, 0,
		    KNOWN(.type = VALUE_STRING, .str = PN_STR("x"))),
	};
	struct fact_thing parts[] = { { .depth = 0 } };
	struct rules_answers answers = { PN_STR("a") };
	struct findings in = { .facts = facts,
		.n_facts = 3,
		.things = { { 1, parts } },
		.answers = &answers },
			out;
	size_t n;

	findings_pack(&in, &w->b);
	n = buf_len(&w->b);
	for (size_t cut = 0; cut < n; cut++) {
		w->b.end = w->b.start + cut;
		assert_false(unpack_all(w, &out));
	}
	w->b.end = w->b.start + n;
	for (size_t i = 0; i < n; i++)
		for (int bit = 0; bit < 8; bit++) {
			buf_data(&w->b)[i] ^= (char)(1 << bit);
			(void)unpack_all(w, &out);
			buf_data(&w->b)[i] ^= (char)(1 << bit);
		}
	assert_true(unpack_all(w, &out));
	assert_true(buf_add(&w->b, "", 1));
	assert_false(unpack_all(w, &out));
}

static void
a_small_arena_is_no_crash(void **state)
{
	struct world *w = *state;
	struct fact_of f = fact(COUNT, MSG, KNOWN(.type = VALUE_NUMBER));
	struct findings in = { .facts = &f, .n_facts = 1 }, out;
	struct arena *small = arena_new(32);
	struct unpack u;

	findings_pack(&in, &w->b);
	u = unpack_of(buf_data(&w->b), buf_len(&w->b));
	assert_false(findings_unpack(&out, &w->chain, NULL, MESSAGE, &u, small));
	arena_free(small);
}

static void
requests(void **state)
{
	static const struct {
		struct inspect_request r;
		size_t body;
		bool taken;
	} cases[] = {
		{ { false, 0, 0 }, 0, true },
		{ { false, 0, 5 }, 5, true },
		{ { false, 0, 5 }, 4, false },
		{ { false, 0, 5 }, 6, false },
		{ { false, 1, 5 }, 5, false },
		{ { true, 0, 1 << 20 }, 0, true },
		{ { true, 1, 1 << 20 }, 0, true },
		{ { true, 2, 1 << 20 }, 0, false },
		{ { true, 0, 5 }, 5, false },
	};
	struct world *w = *state;

	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct inspect_request r;
		struct unpack u;

		buf_clear(&w->b);
		inspect_request_pack(&cases[i].r, &w->b);
		assert_true(buf_add(&w->b, "123456789", cases[i].body));
		u = unpack_of(buf_data(&w->b), buf_len(&w->b));
		assert_int_equal(
		    inspect_request_unpack(&r, &u), cases[i].taken);
		if (cases[i].taken) {
			assert_int_equal(r.in_slot, cases[i].r.in_slot);
			assert_int_equal(r.slot, cases[i].r.slot);
			assert_int_equal(r.size, cases[i].r.size);
			assert_int_equal(u.n, cases[i].body);
		}
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_world, end_world)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_packed_comes_back),
		TEST(nothing_is_a_finding_too),
		TEST(long_values_are_cut_between_letters),
		TEST(too_much_says_truncated),
		TEST(parts_do_not_push_out_the_message),
		TEST(answers_that_do_not_fit_are_none),
		TEST(what_cannot_be_is_dropped),
		TEST(ranges_lie_in_the_message),
		TEST(broken_frames_do_no_harm),
		TEST(a_small_arena_is_no_crash),
		TEST(requests),
	};

	return cmocka_run_group_tests_name("findings", tests, NULL, NULL);
}
