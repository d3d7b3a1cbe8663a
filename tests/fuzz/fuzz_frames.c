/*
 * fuzz_frames - what processes tell each other, from one that may be hostile.
 * The first byte says which frame follows. What is taken is packed again and
 * must be taken again.
 *
 * Covers: proxy/base/pack.c proxy/inspect/findings.c proxy/mail/envelope.c
 * proxy/mail/keep.c
 */
#include "base/must.h"
#include "inspect/findings.h"
#include "mail/keep.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A chain of our own: the seeds name its facts by number, and must not come to
 * mean something else with each fact that a module adds. */
static enum pn_step
inspect(struct pn_mail *m)
{
	(void)m;
	return PN_NEXT;
}
static const struct pn_filter reader = {
	.abi = PN_ABI, .name = "reader", .inspect = inspect
};
static const struct pn_filter asker = { .abi = PN_ABI, .name = "asker" };
static struct chain_module modules[] = { { .filter = &reader },
	{ .filter = &asker }, { .filter = &reader } };

static const char *const kinds[] = { "zip", "pdf", NULL };
#define OF_MESSAGE .stage = STAGE_MESSAGE, .content = true
#define OF_THING(kind) OF_MESSAGE, .of_thing = true, .thing = (kind)
static struct chain_fact chain_facts[] = {
	{ .name = "subject", .type = VALUE_STRING, OF_MESSAGE },
	{ .name = "from", .type = VALUE_ADDRESS, OF_MESSAGE },
	{ .name = "hop", .type = VALUE_IP, OF_MESSAGE },
	{ .name = "odd", .type = VALUE_BOOL, OF_MESSAGE },
	{ .name = "lines", .type = VALUE_NUMBER, OF_MESSAGE },
	{ .name = "kind", .type = VALUE_WORD, OF_MESSAGE, .words = kinds },
	{ .name = "part.name", .type = VALUE_STRING, OF_THING(THING_PART) },
	{ .name = "part.magic",
	    .type = VALUE_WORD,
	    OF_THING(THING_PART),
	    .words = kinds },
	{ .name = "url.host", .type = VALUE_STRING, OF_THING(THING_URL) },
	{ .name = "client.ip", .type = VALUE_IP, .stage = STAGE_CONNECT },
	{ .name = "header", .type = VALUE_STRING, .keyed = true, OF_MESSAGE },
};
static const struct chain chain = { .modules = modules,
	.n_modules = PN_COUNT(modules),
	.facts = chain_facts,
	.n_facts = PN_COUNT(chain_facts) };

/* What the inspector is asked: of the message, of each part, with captures. */
static const struct pn_str policy_text =
    PN_STR("policy p {"
	   "rule a { when subject ~ /(?<one>b+)(c)?/; then reject \"no\"; }"
	   "rule b { when any part ( name contains \"x\" and magic is zip ); "
	   "then tag; } }");

static struct rules *
compile(struct arena *arena)
{
	static const char *const stages[] = { "connect", "helo", "mail", "rcpt",
		"message", NULL };
	static struct rules_decl facts[PN_COUNT(chain_facts)];
	static const struct rules_decls decls = { .facts = facts,
		.n_facts = PN_COUNT(facts),
		.things = thing_names,
		.stages = stages };
	struct rules_builder *b;
	struct rules *r;
	struct error e;
	struct lex l;

	for (size_t i = 0; i < PN_COUNT(facts); i++) {
		const struct chain_fact *f = &chain_facts[i];

		facts[i] = (struct rules_decl){ f->name, .type = f->type,
			.stage = f->stage, .content = f->content,
			.keyed = f->keyed, .many = f->many, .words = f->words };
	}
	lex_init(&l, "policy.conf", policy_text);
	b = rules_builder_new(arena, &decls);
	must(rules_parse_item(b, &l, "", &e) == 0);
	must((r = rules_compile(b, &e)) != NULL);
	rules_builder_free(b);
	return r;
}

/* What rules and milters change is a copy: as good as what was sent, and a
 * recipient that comes and goes leaves no trace. */
static void
copy_job(struct keep_job *j, struct arena *arena)
{
	const struct client client = j->client;
	const struct envelope envelope = j->envelope;
	struct rcpt *added;

	if (client_copy(&j->client, &client, arena) < 0 ||
	    envelope_copy(&j->envelope, &envelope, arena) < 0)
		return; /* both may be far larger than what came */
	added = envelope_add_address(&j->envelope, arena, envelope.address);
	if (added != NULL)
		envelope_remove_rcpt(&j->envelope, added);
	(void)envelope_set_sender(&j->envelope, arena, envelope.address);
}

static bool
repack(uint8_t kind, struct unpack *u, const struct rules *rules,
    struct arena *arena, struct buf *b)
{
	union {
		struct findings findings;
		struct inspect_request request;
		struct keep_job job;
		struct keep_summary summary;
		struct keep_stat stat;
		struct keep_outcome outcome;
		struct keep_said said;
		struct keep_counter counter;
		struct rules_answers *answers;
	} to;

	switch (kind) {
	case 'f':
		if (!findings_unpack(
			&to.findings, &chain, rules, 1000, u, arena))
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
		copy_job(&to.job, arena);
		keep_job_pack(&to.job, b);
		return true;
	case 's':
		if (!keep_summary_unpack(&to.summary, u) || !unpack_done(u))
			return false;
		keep_summary_pack(&to.summary, b);
		return true;
	case 't':
		if (!keep_stat_unpack(&to.stat, u) || !unpack_done(u))
			return false;
		keep_stat_pack(&to.stat, b);
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
	static struct rules *rules;
	static struct arena *policy;
	struct arena *arena = arena_new(8 << 20);
	struct buf once = { 0 }, twice = { 0 };
	struct unpack u = unpack_of(data + 1, size ? size - 1 : 0);

	if (policy == NULL)
		rules = compile(policy = arena_new(8 << 20));
	if (size > 0 && repack(data[0], &u, rules, arena, &once)) {
		u = unpack_of(buf_data(&once), buf_len(&once));
		must(repack(data[0], &u, rules, arena, &twice));
		must(pn_str_eq(buf_str(&once), buf_str(&twice)));
	}
	buf_fini(&once);
	buf_fini(&twice);
	arena_free(arena);
	return 0;
}
