/*
 * fuzz_frames - what processes tell each other, from one that may be hostile.
 * The first byte says which frame follows. What is taken is packed again and
 * must be taken again.
 *
 * Covers: proxy/inspect/findings.c proxy/mail/keep.c proxy/mail/parcel.c
 */
#include "base/must.h"
#include "filters/builtin.h"
#include "inspect/findings.h"
#include "mail/keep.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The built-in modules' facts, and a rule set that asks for none. */
static void
make_policy(struct chain *chain, struct rules **rules, struct arena *arena)
{
	static const char *const none[] = { NULL };
	static struct rules_decls decls = { .things = none, .stages = none };
	const struct pn_filter *filters[] = { PN_BUILTIN_FILTERS };
	struct rules_builder *b = rules_builder_new(arena, &decls);
	struct error e;

	must(chain_build(chain, filters, PN_COUNT(filters), arena, &e) == 0);
	must((*rules = rules_compile(b, &e)) != NULL);
	rules_builder_free(b);
}

static bool
repack(uint8_t kind, struct unpack *u, const struct chain *chain,
    const struct rules *rules, struct arena *arena, struct buf *b)
{
	union {
		struct findings findings;
		struct inspect_request request;
		struct keep_job job;
		struct keep_summary summary;
		struct keep_outcome outcome;
	} to;

	switch (kind) {
	case 'f':
		if (!findings_unpack(&to.findings, chain, rules, u, arena))
			return false;
		findings_pack(&to.findings, b);
		return true;
	case 'r':
		if (!inspect_request_unpack(&to.request, u))
			return false;
		inspect_request_pack(&to.request, b);
		(void)buf_add(b, u->p, u->n); /* no cap: the inline message */
		return true;
	case 'j':
		if (!keep_job_unpack(&to.job, u, arena))
			return false;
		keep_job_pack(&to.job, b);
		return true;
	case 's':
		if (!keep_summary_unpack(&to.summary, u))
			return false;
		keep_summary_pack(&to.summary, b);
		return true;
	case 'o':
		if (!keep_outcome_unpack(&to.outcome, u, arena))
			return false;
		keep_outcome_pack(&to.outcome, b);
		return true;
	}
	return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct chain chain;
	static struct rules *rules;
	static struct arena *policy;
	struct arena *arena = arena_new(8 << 20);
	struct buf once = { 0 }, twice = { 0 };
	struct unpack u = unpack_of(data + 1, size ? size - 1 : 0);

	if (policy == NULL)
		make_policy(&chain, &rules, policy = arena_new(8 << 20));
	if (size > 0 && repack(data[0], &u, &chain, rules, arena, &once)) {
		u = unpack_of(buf_data(&once), buf_len(&once));
		must(repack(data[0], &u, &chain, rules, arena, &twice));
		must(pn_str_eq(buf_str(&once), buf_str(&twice)));
	}
	buf_fini(&once);
	buf_fini(&twice);
	arena_free(arena);
	return 0;
}
