/*
 * fuzz_rules - a policy, and behind its first NUL byte an answer frame from an
 * inspector that may be hostile. A byte 1 ends the policy earlier: then comes
 * what its map text:99 holds. What compiles must print to what compiles to the
 * same text; any frame is refused or judged. A text that begins with no item is
 * a condition of a setting (`EXPR;`).
 *
 * Covers: proxy/base/lex.c rules/parse.c rules/parse_words.c
 * rules/parse_expr.c rules/parse_rule.c rules/parse_policy.c
 * rules/parse_action.c rules/parse_list.c rules/roster.c rules/check.c
 * rules/check_expr.c rules/check_action.c rules/check_test.c rules/place.c
 * rules/fact.c rules/atoms.c rules/operand.c rules/ask.c rules/text.c
 * rules/answers.c rules/sets.c rules/nets.c rules/print.c rules/describe.c
 * rules/judge.c rules/effects.c rules/score.c rules/explain.c
 */
#include <sys/mman.h>
#include <unistd.h>

#include "base/must.h"
#include "tests/unit/rules_facts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct test_value letter[] = {
	{ "subject", RULES_MESSAGE, "abbbc x", "" },
	{ "sender", RULES_MESSAGE, "a@b.example", "" },
	{ "from", RULES_MESSAGE, "ada@b.example", "" },
	{ "client.ip", RULES_MESSAGE, "10.1.2.3", "" },
	{ "size", RULES_MESSAGE, "4096", "" },
	{ "header", RULES_MESSAGE, "?", "x" },
	{ "part.magic", 0, "zip", "" },
	{ "part.ext", 1, "exe", "" },
	{ "part.encrypted", 1, "?", "" },
	{ .fact = NULL },
};

/* Every stage by that policy, each on top of those before. */
static void
judge_by(const struct rules *r, struct rules_run *run, unsigned policy,
    const struct rules_facts *facts, const struct rules_answers *a,
    struct arena *arena)
{
	struct rules_result of[MESSAGE + 1];
	const struct rules_result *earlier[MESSAGE + 1];

	must(rules_policy_for(r, run, facts) < rules_policies(r) ||
	     rules_policy_early(r) == RULES_NO_POLICY);
	for (unsigned stage = CONNECT; stage <= MESSAGE; stage++) {
		struct buf json = { 0 };

		if (rules_judge(r, run, rules_policy_at(r, policy, stage),
			stage, facts, stage == MESSAGE ? a : NULL, earlier,
			stage, arena, &of[stage]) < 0)
			return;
		rules_trace_json(r, of[stage].trace, &json);
		buf_fini(&json);
		earlier[stage] = &of[stage];
	}
}

static void
judge(const struct rules *r, struct unpack frame, struct arena *arena)
{
	static const struct test_mail mail = { .values = letter, .n_parts = 4 };
	struct rules_facts facts = FACTS_OF(&mail);
	struct rules_run *run = rules_run_new();
	struct rules_answers *a = rules_inspect(r, run, &facts, arena);
	bool ours = frame.n == 0 && a != NULL;
	struct buf b = { 0 };

	if (ours) {
		rules_answers_pack(a, &b);
		frame = unpack_of(buf_data(&b), buf_len(&b));
	}
	a = rules_answers_unpack(r, &frame, arena);
	must(!ours || (a != NULL && unpack_done(&frame)));
	for (unsigned i = 0; i < rules_policies(r); i++)
		judge_by(r, run, i, &facts, a, arena);
	buf_fini(&b);
	rules_run_free(run);
}

/* ---- conditions ---- */

/* NULL: it is none. */
static struct rules *
compile_condition(struct pn_str text, struct arena *arena, unsigned *id)
{
	struct rules_builder *b = rules_builder_new(arena, &test_decls);
	struct rules *r = NULL;
	struct error e;
	struct lex l;

	lex_init(&l, "postern.conf", text);
	if (rules_parse_condition(b, &l, id, &e) == 0 &&
	    lex_expect(&l, ";", &e) == 0)
		r = rules_compile(b, &e);
	rules_builder_free(b);
	return r;
}

static void
ask_condition(struct pn_str text, struct arena *arena, struct arena *again)
{
	static const struct test_mail mail = { .values = letter };
	struct rules_facts facts = FACTS_OF(&mail);
	struct rules_run *run;
	struct buf printed = { 0 };
	unsigned id, same_id;
	struct rules *r = compile_condition(text, arena, &id), *same;

	if (r == NULL)
		return;
	rules_condition_print(r, id, &printed);
	must(buf_puts(&printed, ";"));
	same = compile_condition(buf_str(&printed), again, &same_id);
	must(same != NULL && rules_condition_stage(r, id) ==
		rules_condition_stage(same, same_id));
	run = rules_run_new();
	(void)rules_condition(r, run, id, &facts);
	rules_run_free(run);
	buf_fini(&printed);
	rules_free(r);
	rules_free(same);
}

static bool
begins_with_item(struct pn_str text)
{
	struct lex_token t;
	struct error e;
	struct lex l;

	lex_init(&l, "policy.conf", text);
	return lex_next(&l, &t, &e) < 0 || t.kind == LEX_END ||
	    rules_is_item(t.text);
}

/* The only file a policy may name is MAP_WRITTEN, in memory. */
#define MAP_FD 99
#define MAP_BASE "/proc/self/fd"
#define MAP_WRITTEN "text:99;"
#define MAP_PRINTED "text: \"" MAP_BASE "/99\";"

static bool
reads_only_map(struct pn_str text)
{
	static const char *const others[] = { "cidr:", "pcre:", "cdb:" };
	const char *end = text.p + text.n, *at = text.p;

	for (size_t i = 0; i < PN_COUNT(others); i++)
		if (memmem(text.p, text.n, others[i], strlen(others[i])))
			return false; /* fuzz_maps's business */
	while ((at = memmem(at, (size_t)(end - at), "text:", 5)) != NULL) {
		struct pn_str rest = { at, (size_t)(end - at) };

		if (!pn_str_starts(rest, PN_STR_V(MAP_WRITTEN)) &&
		    !pn_str_starts(rest, PN_STR_V(MAP_PRINTED)))
			return false;
		at += 5;
	}
	return true;
}

/* What stands behind a byte 1 goes into the map's file. */
static struct pn_str
take_map(struct pn_str text)
{
	static bool open_already;
	const char *one = memchr(text.p, 1, text.n);
	struct pn_str map = { "", 0 };
	int fd;

	if (!open_already) {
		fd = memfd_create("map", MFD_CLOEXEC);
		must(fd >= 0 && dup2(fd, MAP_FD) == MAP_FD && close(fd) == 0);
		open_already = true;
	}
	if (one != NULL) {
		map = pn_str_sub(text, (size_t)(one + 1 - text.p), text.n);
		text.n = (size_t)(one - text.p);
	}
	must(ftruncate(MAP_FD, 0) == 0);
	must(pwrite(MAP_FD, map.p, map.n, 0) == (ssize_t)map.n);
	return text;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pn_str text = { (const char *)data,
		strnlen((const char *)data, size) };
	struct arena *arena = arena_new(16 << 20), *again = arena_new(32 << 20);
	size_t n = text.n < size ? text.n + 1 : size;
	struct buf one = { 0 }, two = { 0 };
	struct rules *r = NULL, *same;
	struct error e;

	text = take_map(text);
	if (!begins_with_item(text))
		ask_condition(text, arena, again);
	else if (reads_only_map(text))
		r = compile_text(text, MAP_BASE, arena, &e);
	if (r != NULL) {
		rules_print(r, &one);
		same = compile_text(buf_str(&one), "", again, &e);
		must(same != NULL);
		rules_print(same, &two);
		must(pn_str_eq(buf_str(&one), buf_str(&two)));
		buf_clear(&two);
		rules_describe(r, &two);
		(void)rules_lint(r, size % 2 == 0, NULL, NULL, &two);
		judge(r, unpack_of(data + n, size - n), arena);
		rules_free(same);
	}
	rules_free(r);
	buf_fini(&one);
	buf_fini(&two);
	arena_free(arena);
	arena_free(again);
	return 0;
}
