/*
 * fuzz_frames - what processes tell each other, from one that may be hostile.
 * The first byte says which frame follows. What is taken is packed again and
 * must be taken again.
 *
 * Covers: proxy/base/pack.c proxy/inspect/findings.c proxy/mail/envelope.c
 * proxy/mail/keep.c
 */
#include "base/must.h"
#include "filters/builtin.h"
#include "inspect/findings.h"
#include "mail/keep.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The one type of fact that no built-in module gives. */
static enum pn_step
inspect(struct pn_mail *m)
{
	(void)m;
	return PN_NEXT;
}
static const struct pn_fact_decl hop_facts[] = {
	{ .name = "hop", .type = PN_IP, .stage = PN_STAGE_MESSAGE },
	{ .name = NULL },
};
static const struct pn_filter hop_filter = {
	.abi = PN_ABI, .name = "hop", .facts = hop_facts, .inspect = inspect
};

/* What the inspector is asked: of the message, of each part, with captures. */
static const struct pn_str policy_text =
    PN_STR("policy p {"
	   "rule a { when subject ~ /(?<one>b+)(c)?/; then reject \"no\"; }"
	   "rule b { when any part ( name contains \"x\" and magic is zip ); "
	   "then tag; } }");

static struct rules *
compile(const struct chain *c, struct arena *arena)
{
	static const char *const stages[] = { "connect", "helo", "mail", "rcpt",
		"message", NULL };
	static struct rules_decl facts[100];
	static struct rules_decls decls = {
		.facts = facts, .things = thing_names, .stages = stages
	};
	struct rules_builder *b;
	struct rules *r;
	struct error e;
	struct lex l;

	must(c->n_facts <= PN_COUNT(facts));
	for (decls.n_facts = 0; decls.n_facts < c->n_facts; decls.n_facts++) {
		const struct chain_fact *f = &c->facts[decls.n_facts];

		facts[decls.n_facts] = (struct rules_decl){ f->name,
			.type = f->type, .stage = f->stage,
			.content = f->content, .keyed = f->keyed,
			.many = f->many, .words = f->words };
	}
	lex_init(&l, "policy.conf", policy_text);
	b = rules_builder_new(arena, &decls);
	must(rules_parse_item(b, &l, "", &e) == 0);
	must((r = rules_compile(b, &e)) != NULL);
	rules_builder_free(b);
	return r;
}

static void
make_policy(struct chain *chain, struct rules **rules, struct arena *arena)
{
	const struct pn_filter *filters[] = { PN_BUILTIN_FILTERS, &hop_filter };
	struct error e;

	must(chain_build(chain, filters, PN_COUNT(filters), arena, &e) == 0);
	*rules = compile(chain, arena);
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
		struct keep_said said;
		struct keep_counter counter;
		struct rules_answers *answers;
	} to;

	switch (kind) {
	case 'f':
		if (!findings_unpack(
		&to.findings, chain, rules, 1000, u, arena))
			return false;
		findings_pack(&to.findings, b);
		return true;
	case 'a': /* lies in an 'f', where its length is in the way */
		to.answers = rules_answers_unpack(rules, u, arena);
		if (to.answers == NULL || !unpack_done(u))
			return false;
		rules_answers_pack(to.answers, b);
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
	case 'm':
		if (!keep_said_unpack(&to.said, u) || u->n > 0)
			return false;
		keep_said_pack(&to.said, b);
		return true;
	case 'c':
		if (!keep_counter_unpack(&to.counter, u))
			return false;
		keep_counter_pack(&to.counter, b);
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
