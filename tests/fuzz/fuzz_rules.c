/*
 * fuzz_rules - a policy, and behind its first NUL byte an answer frame from an
 * inspector that may be hostile. What compiles must print to what compiles to
 * the same text; any frame is refused or judged.
 *
 * Covers: rules/parse.c rules/check.c rules/atoms.c rules/text.c
 * rules/answers.c
 */
#include "base/must.h"
#include "tests/unit/rules_facts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct test_value letter[] = {
	{ "subject", RULES_MESSAGE, "abbbc x", "" },
	{ "sender", RULES_MESSAGE, "a@b.example", "" },
	{ "client.ip", RULES_MESSAGE, "10.1.2.3", "" },
	{ "size", RULES_MESSAGE, "4096", "" },
	{ "header", RULES_MESSAGE, "?", "x" },
	{ "part.magic", 0, "zip", "" },
	{ "part.ext", 1, "exe", "" },
	{ "part.encrypted", 1, "?", "" },
	{ .fact = NULL },
};

static void
judge(const struct rules *r, struct unpack frame, struct arena *arena)
{
	static const struct test_mail mail = { .values = letter, .n_parts = 2 };
	struct rules_facts facts = FACTS_OF(&mail);
	struct rules_run *run = rules_run_new();
	struct rules_answers *a = rules_inspect(r, run, &facts, arena);
	struct rules_result result;
	struct buf b = { 0 };

	if (frame.n == 0 && a != NULL) {
		rules_answers_pack(a, &b);
		frame = unpack_of(buf_data(&b), buf_len(&b));
	}
	a = rules_answers_unpack(r, &frame, arena);
	for (unsigned stage = CONNECT; stage <= MESSAGE; stage++) {
		struct buf json = { 0 };

		if (rules_judge(r, run, stage, &facts,
			stage == MESSAGE ? a : NULL, arena, &result) == 0)
			rules_trace_json(r, result.trace, &json);
		buf_fini(&json);
	}
	buf_fini(&b);
	rules_run_free(run);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pn_str text = { (const char *)data,
		strnlen((const char *)data, size) };
	struct arena *arena = arena_new(4 << 20), *again = arena_new(8 << 20);
	size_t n = text.n < size ? text.n + 1 : size;
	struct buf one = { 0 }, two = { 0 };
	struct rules *r = NULL, *same;
	struct error e;

	/* No file is read: a map is another's input. */
	if (memmem(text.p, text.n, "text:", 5) == NULL)
		r = compile_text(text, "", arena, &e);
	if (r != NULL) {
		rules_print(r, &one);
		same = compile_text(buf_str(&one), "", again, &e);
		must(same != NULL);
		rules_print(same, &two);
		must(pn_str_eq(buf_str(&one), buf_str(&two)));
		buf_clear(&two);
		rules_describe(r, &two);
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
