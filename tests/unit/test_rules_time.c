/*
 * rules: time. Patterns and texts made to take for ever are unknown instead,
 * within what a pattern and a message may cost; who does it again sits on the
 * bench. Time is a clock of our own: each look at it takes some.
 */
#include "cm.h"

#include <stdio.h>
#include <stdlib.h>

#include "raw_facts.h"
#include "rules_facts.h"

#include "rules/tree.h"

#define MS 1000000u

/* ---- a clock ---- */

struct ticking {
	uint64_t wall, cpu;
	uint64_t wall_step, cpu_step; /* ns a look at the wall's clock */
};

static uint64_t
tick(void *arg, bool cpu)
{
	struct ticking *t = arg;

	if (cpu)
		return t->cpu;
	t->wall += t->wall_step;
	t->cpu += t->cpu_step;
	return t->wall;
}

/* ---- asking ---- */

struct fixture {
	struct arena *policy, *arena;
	struct rules *r;
	struct rules_run *run;
	struct ticking clock;
	struct buf text;
};

static struct fixture
fixture_of(const char *policy)
{
	struct fixture f = { .policy = arena_new(8 << 20),
		.arena = arena_new(8 << 20),
		.run = rules_run_new() };
	struct error e;

	f.r = compile_text(pn_str_of(policy), "", f.policy, &e);
	if (f.r == NULL)
		fail_msg("%s", e.text);
	return f;
}

static void
use_clock(struct fixture *f, uint64_t wall_step, uint64_t cpu_step)
{
	f->clock = (struct ticking){
		.wall = 1000 * MS, .wall_step = wall_step, .cpu_step = cpu_step
	};
	rules_run_clock(f->run, (struct rules_clock){ tick, &f->clock });
}

static void
fixture_end(struct fixture *f)
{
	rules_run_free(f->run);
	rules_free(f->r);
	buf_fini(&f->text);
	arena_free(f->policy);
	arena_free(f->arena);
}

static struct rules_answers *
inspect(struct fixture *f)
{
	struct pn_str text = buf_str(&f->text);
	struct rules_facts facts = RAW_FACTS(&text);
	struct rules_answers *a;

	arena_reset(f->arena);
	a = rules_inspect(f->r, f->run, &facts, f->arena);
	assert_non_null(a);
	return a;
}

static void
repeat(struct buf *b, const char *what, size_t bytes)
{
	while (buf_len(b) < bytes)
		buf_puts(b, what);
}

/* ---- hostile patterns on hostile texts ---- */

static const struct {
	const char *regex;
	const char *fill, *end; /* a megabyte of fill */
	enum tri want;
} hostile[] = {
	{ "/(a+)+$/", "a", "b", TRI_UNKNOWN },
	{ "/(a*)*b/", "a", "", TRI_UNKNOWN },
	{ "/(.*)*x/", "a", "\r\n", TRI_UNKNOWN },
	{ "/.*.*.*=.*/", "a", "", TRI_UNKNOWN },
	{ "/.*.*.*=.*\\d$/s", "=a", "=1 ", TRI_UNKNOWN },
	{ "/(?:a|b)*c/", "abbab", "", TRI_UNKNOWN },
	{ "/\\s+$/", " ", "x", TRI_UNKNOWN },
	{ "/\\s+\\d/", " ", "x", TRI_UNKNOWN },
	{ "/[^>]*[^<]*[^&]*;$/", "x", ";x", TRI_UNKNOWN },
	{ "/(x+x+)+y/", "x", "", TRI_UNKNOWN },
	{ "/^(([a-z])+.)+[A-Z]([a-z])+$/m", "a", "", TRI_UNKNOWN },
	{ "/([a-z]+)+\\1\\d/", "ab", "", TRI_UNKNOWN },
	{ "/(?:\\w+\\s?)+:$/i", "word", ":x", TRI_UNKNOWN },
	{ "/(a?){40}a{40}b/", "a", "", TRI_UNKNOWN },
	{ "/(?=(a+))a*b\\1/", "a", "b", TRI_UNKNOWN },
	/* what only looks bad */
	{ "/a.*foo=.*bar/", "a", "", TRI_FALSE },
	{ "/(a|aa)+kqz/", "a", "", TRI_FALSE },
	{ "/needle/", "a", "needle", TRI_TRUE },
	{ "/x[^>]*>/", "a", "x>", TRI_TRUE },
	{ "/(?:foo|bar)\\s*=\\s*1$/", "foo bar ", "bar =1", TRI_TRUE },
};

/* The answer, by the real clock; and how often PCRE2 was called: each call is
 * short, so that is what bounds the time. */
static void
hostile_texts_are_unknown(void **state)
{
	(void)state;
	for (size_t i = 0; i < PN_COUNT(hostile); i++) {
		struct buf policy = { 0 };
		struct rules_answers *a;
		struct fixture f;

		buf_printf(&policy,
		    "policy p { rule r { when raw ~ %s; then "
		    "tag; } }",
		    hostile[i].regex);
		buf_add(&policy, "", 1);
		f = fixture_of(buf_data(&policy));
		repeat(&f.text, hostile[i].fill, 1 << 20);
		buf_puts(&f.text, hostile[i].end);
		a = inspect(&f);
		if (a->of[0].all != hostile[i].want)
			fail_msg("%s: %d", hostile[i].regex, a->of[0].all);
		assert_int_equal(a->of[0].limit,
		    hostile[i].want == TRI_UNKNOWN ? RULES_LIMIT_PATTERN : 0);
		assert_int_equal(rules_run_spent(f.run).limits,
		    hostile[i].want == TRI_UNKNOWN);
		assert_true(rules_run_spent(f.run).calls < 100000);
		buf_fini(&policy);
		fixture_end(&f);
	}
}

/* A pattern has 5 ms: at 0.1 ms a look, 25 looks by the wall's clock and then
 * as many by the processor's. */
static void
a_pattern_has_so_much(void **state)
{
	struct fixture f = fixture_of(
	    "policy p { rule r { when raw ~ /a+b\\d/; then tag; } }");

	(void)state;
	repeat(&f.text, "a", 1 << 20);
	use_clock(&f, MS / 10, MS / 10);
	assert_int_equal(
	    answers_get(inspect(&f), f.r->content[0], 0), TRI_UNKNOWN);
	assert_in_range(rules_run_spent(f.run).calls, 40, 60);
	fixture_end(&f);
}

/* The same on a busy machine: by the wall's clock each call takes 20 ms. */
static void
who_waits_is_not_blamed(void **state)
{
	struct fixture f = fixture_of(
	    "policy p { rule r { when raw ~ /a+b\\d/; then tag; } }");

	(void)state;
	repeat(&f.text, "aaab ", 200000);
	rules_run_limit(
	    f.run, &(struct rules_limits){ 5000, 10000000, 60000000 });
	use_clock(&f, 20 * MS, MS / 100);
	assert_int_equal(
	    answers_get(inspect(&f), f.r->content[0], 0), TRI_FALSE);
	assert_in_range(rules_run_spent(f.run).calls, 100, 300);
	fixture_end(&f);
}

/* 100 patterns of 4 ms each do not fit into 250 ms. What needs no search has
 * its answer all the same. */
static void
a_message_has_so_much(void **state)
{
	struct buf policy = { 0 };
	struct rules_answers *a;
	size_t unknown = 0, of_message = 0;
	struct fixture f;

	(void)state;
	buf_puts(&policy, "policy p {");
	for (int i = 0; i < 100; i++)
		buf_printf(&policy,
		    "rule r%d { when raw ~ /a+b\\d{%d}/; then tag; }", i,
		    i + 1);
	buf_puts(&policy, "rule s { when raw contains \"aab\"; then tag; }"
			  "rule t { when raw ~ /qx/; then tag; }"
			  "rule u { when raw ~ /kqv/; then tag; }"
			  "rule v { when raw ~ /zjq/; then tag; } }");
	buf_add(&policy, "", 1);
	f = fixture_of(buf_data(&policy));
	repeat(&f.text, "a", 100000);
	buf_puts(&f.text, "b");
	use_clock(&f, MS / 10, MS / 10);
	a = inspect(&f);
	for (uint32_t i = 0; i < 100; i++) {
		unknown += a->of[i].all == TRI_UNKNOWN;
		of_message += a->of[i].limit == RULES_LIMIT_MESSAGE;
	}
	assert_true(unknown > 50 && of_message > 30);
	assert_int_equal(a->of[100].all, TRI_TRUE);
	for (uint32_t i = 101; i < 104; i++)
		assert_int_equal(a->of[i].all, TRI_FALSE);
	assert_true(f.clock.wall < 1400 * (uint64_t)MS);
	buf_fini(&policy);
	fixture_end(&f);
}

/* Three messages, then the bench; from there it comes back with one try. */
static void
again_and_again_is_benched(void **state)
{
	static const struct {
		enum rules_limit want;
		bool called;
		uint64_t pause;
	} messages[] = { { RULES_LIMIT_PATTERN, true, 0 },
		{ RULES_LIMIT_PATTERN, true, 0 },
		{ RULES_LIMIT_BENCHED, true, 0 },
		{ RULES_LIMIT_ON_BENCH, false, 0 },
		{ RULES_LIMIT_ON_BENCH, false, 30000 },
		{ RULES_LIMIT_BENCHED, true, 31000 },
		{ RULES_LIMIT_ON_BENCH, false, 0 } };
	struct fixture f = fixture_of(
	    "policy p { rule r { when raw ~ /(a+)+b\\d/; then tag; } }");

	(void)state;
	repeat(&f.text, "a", 10000);
	use_clock(&f, MS / 10, MS / 10);
	for (size_t i = 0; i < PN_COUNT(messages); i++) {
		uint64_t calls = rules_run_spent(f.run).calls;
		struct rules_answers *a;

		f.clock.wall += messages[i].pause * MS;
		a = inspect(&f);
		assert_int_equal(a->of[0].all, TRI_UNKNOWN);
		assert_int_equal(a->of[0].limit, messages[i].want);
		assert_int_equal(
		    rules_run_spent(f.run).calls > calls, messages[i].called);
	}
	buf_clear(&f.text);
	buf_puts(&f.text, "ab1");
	f.clock.wall += 61000 * (uint64_t)MS;
	assert_int_equal(inspect(&f)->of[0].all, TRI_TRUE);
	fixture_end(&f);
}

/* Many values of one text are one message, and one strike. */
static void
one_message_is_one_strike(void **state)
{
	struct fixture f = fixture_of(
	    "policy p { rule r { when raw ~ /(a+)+b\\d/ or raw !~ /(a+)+b\\d/; "
	    "then tag; } }");

	(void)state;
	repeat(&f.text, "a", 10000);
	use_clock(&f, MS / 10, MS / 10);
	for (int i = 0; i < 2; i++) {
		struct rules_answers *a = inspect(&f);

		assert_int_equal(a->of[0].limit, RULES_LIMIT_PATTERN);
		assert_int_equal(a->of[1].limit, RULES_LIMIT_PATTERN);
	}
	assert_int_equal(inspect(&f)->of[0].limit, RULES_LIMIT_BENCHED);
	fixture_end(&f);
}

/* Matches that begin behind 16 MiB are not looked for, and not denied. */
static void
behind_the_cap_is_unknown(void **state)
{
	struct fixture f =
	    fixture_of("policy p { rule r { when raw ~ /b\\d/; then tag; } "
		       "rule s { when raw ~ /\\Ab/; then tag; } }");
	struct rules_answers *a;

	(void)state;
	repeat(&f.text, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", (16 << 20) + 100);
	rules_run_limit(
	    f.run, &(struct rules_limits){ 60000000, 60000000, 60000000 });
	a = inspect(&f);
	assert_int_equal(a->of[0].all, TRI_UNKNOWN);
	assert_int_equal(a->of[0].limit, RULES_LIMIT_SIZE);
	assert_int_equal(a->of[1].all, TRI_FALSE);
	fixture_end(&f);
}

/* What was met crosses the wire, and is told with its rules. */
static void
the_worker_hears_whose_it_is(void **state)
{
	struct fixture f =
	    fixture_of("policy p { rule one { when raw contains \"zz\"; then "
		       "tag; }\n"
		       "rule two { when raw ~ /(a+)+b$/; then tag; }\n"
		       "rule three { when not raw ~ /(a+)+b$/; then tag; } }");
	struct buf frame = { 0 };
	struct rules_limited l;
	struct rules_answers *a;
	struct unpack u;
	uint32_t at = 0;

	(void)state;
	repeat(&f.text, "a", 10000);
	use_clock(&f, MS / 10, MS / 10);
	rules_answers_pack(inspect(&f), &frame);
	u = unpack_of(buf_data(&frame), buf_len(&frame));
	a = rules_answers_unpack(f.r, &u, f.arena);
	assert_non_null(a);
	assert_true(rules_next_limited(a, &at, &l));
	assert_int_equal(l.limit, RULES_LIMIT_PATTERN);
	assert_string_equal(rules_limit_name(l.limit), "pattern");
	assert_true(pn_str_eq(l.rule, PN_STR_V("two")));
	assert_true(pn_str_eq(l.test, PN_STR_V("raw ~ /(a+)+b$/")));
	assert_int_equal(l.line, 2);
	assert_int_equal(l.n_rules, 2);
	assert_false(rules_next_limited(a, &at, &l));
	buf_fini(&frame);
	fixture_end(&f);
}

/* A test that has no pattern cannot have met a limit, and there are six. */
static void
a_liar_is_refused(void **state)
{
	static const struct {
		uint32_t atom;
		uint8_t flags;
		bool taken;
	} frames[] = { { 1, RULES_LIMIT_PATTERN << 1, true },
		{ 1, RULES_LIMIT_SIZE << 1, true },
		{ 1, RULES_LIMITS << 1, false }, { 1, 0xfe, false },
		{ 0, RULES_LIMIT_PATTERN << 1, false }, { 0, 0, true } };
	struct fixture f = fixture_of(
	    "policy p { rule one { when raw contains \"zz\" or raw ~ /b/; then "
	    "tag; } }");

	(void)state;
	for (size_t i = 0; i < PN_COUNT(frames); i++) {
		struct buf frame = { 0 };
		struct unpack u;

		pack_u32(&frame, f.r->n_content);
		for (uint32_t k = 0; k < f.r->n_things; k++)
			pack_u32(&frame, 0);
		pack_u32(&frame, frames[i].atom);
		pack_u8(&frame, 2); /* all unknown */
		pack_u8(&frame, frames[i].flags);
		pack_u32(&frame, UINT32_MAX);
		pack_u32(&frame, f.r->n_content);
		u = unpack_of(buf_data(&frame), buf_len(&frame));
		assert_int_equal(rules_answers_unpack(f.r, &u, f.arena) != NULL,
		    frames[i].taken);
		buf_fini(&frame);
	}
	fixture_end(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hostile_texts_are_unknown),
		cmocka_unit_test(a_pattern_has_so_much),
		cmocka_unit_test(who_waits_is_not_blamed),
		cmocka_unit_test(a_message_has_so_much),
		cmocka_unit_test(again_and_again_is_benched),
		cmocka_unit_test(one_message_is_one_strike),
		cmocka_unit_test(behind_the_cap_is_unknown),
		cmocka_unit_test(the_worker_hears_whose_it_is),
		cmocka_unit_test(a_liar_is_refused),
	};

	return cmocka_run_group_tests_name("rules_time", tests, NULL, NULL);
}
