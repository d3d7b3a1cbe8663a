/*
 * fuzz_claims - two texts, a NUL between them: the first is the name of one of
 * some people, the second what somebody says. Whatever both are, the claim is
 * worked out, and a blank more at the end changes nothing.
 *
 * Covers: rules/people.c proxy/base/fold.c
 */
#include "base/must.h"
#include "rules/tree.h"
#include "tests/unit/rules_facts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum tri
claimed(const struct rules *r, struct pn_str said)
{
	return people_claimed(list_find(r, PN_STR_V("p"))->people, said);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t n = strnlen((const char *)data, size);
	struct pn_str name = { (const char *)data, n }, said;
	struct arena *arena = arena_new(4 << 20);
	struct buf text = { 0 }, more = { 0 };
	struct rules *r;
	struct error e;

	said = pn_str_sub((struct pn_str){ name.p, size }, n + 1, size);
	(void)buf_puts(&text, "people p { name ");
	print_string(&text, name);
	(void)buf_puts(&text, "; address ada@example.com; }");
	r = compile_text(buf_str(&text), "", arena, &e);
	if (r != NULL) {
		(void)buf_add_str(&more, said);
		(void)buf_puts(&more, " ");
		must(claimed(r, buf_str(&more)) == claimed(r, said) ||
		     more.end > 4096);
	}
	rules_free(r);
	buf_fini(&text);
	buf_fini(&more);
	arena_free(arena);
	return 0;
}
