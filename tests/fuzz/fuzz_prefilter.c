/*
 * fuzz_prefilter - patterns, one a line, "flags/regex"; behind the first NUL
 * byte the text they are asked of. What the prefilter and the sliced search
 * say is what PCRE2 says when it is simply called, or unknown.
 *
 * Covers: rules/regex.c rules/regex_char.c rules/literal.c
 * rules/prefilter.c rules/pattern.c
 */
#include "base/must.h"
#include "tests/unit/plain_pcre.h"
#include "tests/unit/raw_facts.h"
#include "tests/unit/rules_facts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Less than zero: PCRE2 gave up. Its two matchers may differ by a CR LF. */
static int
ask_plainly(const struct atom *a, struct pn_str text, bool jit)
{
	pcre2_match_context *limits = pcre2_match_context_create(NULL);
	pcre2_match_data *pairs = pcre2_match_data_create(300, NULL);
	pcre2_code *c = plain_code(pattern_text(a->pattern),
	    pattern_flags(a->pattern), jit);
	int n;

	must(c != NULL);
	pcre2_set_match_limit(limits, 20000);
	n = pcre2_match(c, (PCRE2_SPTR)text.p, text.n, 0, 0, pairs, limits);
	pcre2_code_free(c);
	pcre2_match_data_free(pairs);
	pcre2_match_context_free(limits);
	return n > 0 ? 1 : n == PCRE2_ERROR_NOMATCH ? 0 : -1;
}

static void
compare(const struct rules *r, struct pn_str text, struct arena *arena)
{
	struct rules_facts facts = RAW_FACTS(&text);
	struct rules_run *run = rules_run_new();
	struct rules_answers *answers = rules_inspect(r, run, &facts, arena);

	must(answers != NULL);
	for (uint32_t i = 0; i < r->n_content; i++) {
		const struct atom *a = r->content[i];
		enum tri got = answers_get(answers, a, 0);
		bool held = (got == TRI_TRUE) == (a->op == OP_MATCH);
		int want;

		if (got == TRI_UNKNOWN || a->pattern == NULL)
			continue;
		want = ask_plainly(a, text, false);
		must(want < 0 || want == held ||
		     ask_plainly(a, text, true) != want);
	}
	rules_run_free(run);
}

/* "i/regex" as a rule, unless PCRE2 or the policy's own syntax refuse it. */
static void
add_rule(struct buf *policy, struct pn_str line, unsigned n)
{
	const char *slash = memchr(line.p, '/', line.n);
	size_t flags = slash != NULL ? (size_t)(slash - line.p) : line.n;
	struct buf one = { 0 };
	struct arena *arena = arena_new(4 << 20);
	struct rules *r = NULL;
	struct error e;

	buf_printf(&one, "rule r%u { when raw ~ /", n);
	buf_add_str(&one, pn_str_sub(line, flags + 1, line.n));
	buf_puts(&one, "/");
	buf_add_str(&one, pn_str_sub(line, 0, flags));
	buf_puts(&one, "; then tag; }\n");
	if (slash != NULL && flags < 5 &&
	    memchr(slash + 1, '/', line.n - flags - 1) == NULL) {
		struct buf all = { 0 };

		buf_printf(&all, "policy p { %.*s }", (int)buf_len(&one),
		    buf_data(&one));
		r = compile_text(buf_str(&all), "", arena, &e);
		buf_fini(&all);
	}
	if (r != NULL && r->n_content == 1)
		buf_add_str(policy, buf_str(&one));
	rules_free(r);
	arena_free(arena);
	buf_fini(&one);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pn_str lines = { (const char *)data,
		strnlen((const char *)data, size < 2000 ? size : 2000) };
	struct pn_str text = pn_str_sub(
	    (struct pn_str){ (const char *)data, size }, lines.n + 1, size);
	struct arena *arena = arena_new(16 << 20);
	struct buf policy = { 0 };
	struct rules *r;
	struct error e;

	buf_puts(&policy, "policy p { rule z { when raw contains \"zq x\" or "
			  "raw = \"abc qx\" or raw !~ /kxq/; then tag; }\n");
	for (unsigned n = 0; lines.n > 0 && n < 20; n++) {
		const char *nl = memchr(lines.p, '\n', lines.n);
		size_t end = nl != NULL ? (size_t)(nl - lines.p) : lines.n;

		add_rule(&policy, pn_str_sub(lines, 0, end), n);
		lines = pn_str_sub(lines, end + 1, lines.n);
	}
	buf_puts(&policy, "}");
	r = compile_text(buf_str(&policy), "", arena, &e);
	if (r != NULL)
		compare(r, text, arena);
	rules_free(r);
	buf_fini(&policy);
	arena_free(arena);
	return 0;
}
