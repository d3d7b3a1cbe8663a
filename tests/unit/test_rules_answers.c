/*
 * rules: the answer frame. What the inspector found comes out of it again;
 * no frame, however bent, does more than be refused; a compiled set is sealed
 * and used in a forked child.
 */
#include "cm.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rules_facts.h"

#define M RULES_MESSAGE

static const char policy_text[] =
    "policy p {"
    " rule a { when subject ~ /(?<one>b+)(?<two>c)?/ or subject = \"x\"; then "
    "reject \"no\"; }"
    " rule b { when any part ( ext = \"exe\" or name ~ /(?<n>e.)e/ ); then "
    "tag; }"
    " rule c { when all part ( size > 5 ) and no part is encrypted; then tag; }"
    " rule d { when header(\"X\") contains \"y\" and mime.broken; then tag; } "
    "}";

static const struct test_value letter[] = {
	{ "subject", M, "abbbd", "" },
	{ "header", M, "?", "x" },
	{ "mime.broken", M, "yes", "" },
	{ "part.ext", 1, "exe", "" },
	{ "part.name", 1, "a.exe", "" },
	{ "part.name", 2, "?", "" },
	{ "part.size", 0, "9", "" },
	{ "part.size", 1, "9", "" },
	{ "part.size", 2, "9", "" },
	{ "part.encrypted", 0, "?", "" },
	{ "part.encrypted", 1, "?", "" },
	{ "part.encrypted", 2, "?", "" },
	{ .fact = NULL },
};
static const struct test_mail the_letter = { .values = letter, .n_parts = 3 };

struct fixture {
	struct arena *policy, *arena;
	struct rules *r;
	struct rules_run *run;
	struct rules_facts facts;
	struct buf frame;
};

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct error e;

	f->policy = arena_new_mapped(POLICY_ARENA);
	f->arena = arena_new(16 << 20);
	f->r = compile_text(PN_STR_V(policy_text), "", f->policy, &e);
	f->run = rules_run_new();
	f->facts = FACTS_OF(&the_letter);
	if (f->r == NULL)
		return -1;
	arena_seal(f->policy);
	rules_answers_pack(
	    rules_inspect(f->r, f->run, &f->facts, f->arena), &f->frame);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	rules_free(f->r);
	rules_run_free(f->run);
	buf_fini(&f->frame);
	arena_free(f->arena);
	arena_free(f->policy);
	free(f);
	return 0;
}

/* The whole trace, which shows each answer; false: the frame was refused. */
static bool
trace_of(struct fixture *f, struct pn_str frame, struct buf *trace)
{
	struct unpack u = unpack_of(frame.p, frame.n);
	struct rules_answers *a = rules_answers_unpack(f->r, &u, f->arena);
	struct rules_result result;

	if (a == NULL)
		return false;
	assert_int_equal(rules_judge(f->r, f->run, rules_policy_early(f->r),
			     MESSAGE, &f->facts, a, NULL, 0, f->arena, &result),
	    0);
	rules_trace_json(f->r, result.trace, trace);
	return true;
}

static void
what_goes_in_comes_out(void **state)
{
	struct fixture *f = *state;
	struct rules_answers *a =
	    rules_inspect(f->r, f->run, &f->facts, f->arena);
	struct buf direct = { 0 }, wire = { 0 }, again = { 0 };
	struct rules_result result;
	struct unpack u;

	assert_int_equal(rules_judge(f->r, f->run, rules_policy_early(f->r),
			     MESSAGE, &f->facts, a, NULL, 0, f->arena, &result),
	    0);
	rules_trace_json(f->r, result.trace, &direct);
	assert_true(trace_of(f, buf_str(&f->frame), &wire));
	assert_int_equal(buf_len(&direct), buf_len(&wire));
	assert_memory_equal(buf_data(&direct), buf_data(&wire), buf_len(&wire));
	assert_non_null(strstr(
	    buf_data(&wire), "\"captures\":{\"one\":\"bbb\",\"two\":\"\"}"));
	u = unpack_of(buf_data(&f->frame), buf_len(&f->frame));
	rules_answers_pack(rules_answers_unpack(f->r, &u, f->arena), &again);
	assert_int_equal(buf_len(&again), buf_len(&f->frame));
	assert_memory_equal(
	    buf_data(&again), buf_data(&f->frame), buf_len(&again));
	buf_fini(&direct);
	buf_fini(&wire);
	buf_fini(&again);
}

static void
every_cut_is_refused(void **state)
{
	struct fixture *f = *state;

	for (size_t n = 0; n < buf_len(&f->frame); n++) {
		struct unpack u = unpack_of(buf_data(&f->frame), n);

		assert_null(rules_answers_unpack(f->r, &u, f->arena));
	}
}

/* Each byte takes each value: refused, or judged to the end. */
static void
bent_frames_do_no_harm(void **state)
{
	struct fixture *f = *state;
	size_t n = buf_len(&f->frame), refused = 0, taken = 0;
	char *copy = malloc(n);

	for (size_t i = 0; i < n; i++)
		for (int v = 0; v < 256; v++) {
			struct arena *all = f->arena;
			struct buf trace = { 0 };

			memcpy(copy, buf_data(&f->frame), n);
			copy[i] = (char)v;
			f->arena = arena_new(1 << 20);
			if (trace_of(f, (struct pn_str){ copy, n }, &trace))
				taken++;
			else
				refused++;
			arena_free(f->arena);
			f->arena = all;
			buf_fini(&trace);
		}
	free(copy);
	/* Bits of matches may be anything; most of the rest may not. */
	assert_true(refused > taken / 2 && taken > n);
}

/* Too much to say: what does not fit is unknown, nothing is false. */
static void
what_does_not_fit_is_unknown(void **state)
{
	enum { PARTS = 60000 };
	struct test_value *values = calloc(PARTS / 2 + 1, sizeof(*values));
	struct test_mail mail = { .values = values, .n_parts = 6000 };
	struct rules_facts facts = FACTS_OF(&mail);
	struct arena *arena = arena_new(64 << 20);
	struct rules_run *run = rules_run_new();
	struct buf text = { 0 }, frame = { 0 };
	struct rules_result result;
	struct error e;
	struct unpack u;
	struct rules *r;

	(void)state;
	/* Every other of 6,000 parts: 1,500 bytes for each of 40 atoms. */
	for (uint32_t i = 0; i < 3000 / 50; i++)
		values[i] =
		    (struct test_value){ "part.size", 100 * i, "50", "" };
	buf_puts(&text, "policy p {");
	for (int i = 0; i < 40; i++)
		buf_printf(&text,
		    "rule r%d { when any part ( size > %d ); then tag; }", i,
		    i);
	buf_puts(&text, "}");
	r = compile_text(buf_str(&text), "", arena, &e);
	assert_non_null(r);
	rules_answers_pack(rules_inspect(r, run, &facts, arena), &frame);
	assert_true(buf_len(&frame) < 44 * 1024);
	u = unpack_of(buf_data(&frame), buf_len(&frame));
	assert_int_equal(
	    rules_judge(r, run, rules_policy_early(r), MESSAGE, &facts,
		rules_answers_unpack(r, &u, arena), NULL, 0, arena, &result),
	    0);
	assert_true(unpack_done(&u));
	assert_in_range(result.n_effects, 20, 30);
	assert_true(result.degraded);
	free(values);
	buf_fini(&text);
	buf_fini(&frame);
	rules_run_free(run);
	rules_free(r);
	arena_free(arena);
}

/* As in life: sealed by the master, used by a forked child, freed by the
 * master. A write to the set would kill the child. */
static void
a_sealed_set_works_in_a_child(void **state)
{
	struct fixture *f = *state;
	pid_t child = fork();
	int status;

	if (child == 0) {
		struct rules_run *run = rules_run_new();
		struct buf frame = { 0 };
		bool same;

		rules_answers_pack(
		    rules_inspect(f->r, run, &f->facts, f->arena), &frame);
		same = buf_len(&frame) == buf_len(&f->frame) &&
		       memcmp(buf_data(&frame), buf_data(&f->frame),
			   buf_len(&frame)) == 0;
		_exit(same ? 0 : 1);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* 2,000 rules share their atoms, and the patterns leave no scrap behind. */
static void
equal_tests_are_one(void **state)
{
	struct arena *arena = arena_new_mapped(64 << 20);
	struct buf text = { 0 }, said = { 0 };
	struct error e;
	struct rules *r;

	(void)state;
	buf_puts(&text, "policy p {");
	for (int i = 0; i < 2000; i++)
		buf_printf(&text,
		    "rule r%d { when subject ~ /word%d/i and size > 5; then "
		    "tag; }",
		    i, i / 2);
	buf_puts(&text, "}");
	r = compile_text(buf_str(&text), "", arena, &e);
	assert_non_null(r);
	rules_describe(r, &said);
	assert_non_null(strstr(buf_data(&said),
	    "2000 rules, 1000 tests in the inspector, 1 in the worker, 1 texts "
	    "to search\n"));
	assert_true(arena_used(arena) < 8 << 20);
	buf_fini(&text);
	buf_fini(&said);
	rules_free(r);
	arena_free(arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    what_goes_in_comes_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    every_cut_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    bent_frames_do_no_harm, set_up, tear_down),
		cmocka_unit_test(what_does_not_fit_is_unknown),
		cmocka_unit_test_setup_teardown(
		    a_sealed_set_works_in_a_child, set_up, tear_down),
		cmocka_unit_test(equal_tests_are_one),
	};

	return cmocka_run_group_tests_name("rules_answers", tests, NULL, NULL);
}
