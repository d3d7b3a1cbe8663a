/*
 * propose: what milters want done with a mail, judged behind the rules. The
 * run is this test's own, with rules and an engine without anything else.
 */
#include "cm.h"

#include <stdio.h>

#include "base/json.h"
#include "engine/run.h"

struct bench {
	struct arena *arena;
	struct chain chain;
	struct engine_conf conf;
	struct engine engine;
	struct transaction *t;
	struct rcpt *rcpt;
};

static struct rules *
compile(struct bench *b, const char *policy)
{
	static const char *const stages[] = { "connect", "helo", "mail", "rcpt",
		"message", NULL };
	struct rules_decl *facts =
	    arena_alloc(b->arena, CORE_FACTS * sizeof(*facts));
	struct rules_decls decls = { .facts = facts,
		.n_facts = CORE_FACTS,
		.things = thing_names,
		.stages = stages };
	struct rules_builder *builder = rules_builder_new(b->arena, &decls);
	struct rules *rules;
	struct lex_token t;
	struct error e;
	struct lex l;

	for (uint32_t i = 0; i < CORE_FACTS; i++) {
		const struct chain_fact *f = &b->chain.facts[i];

		facts[i] = (struct rules_decl){ .name = f->name,
			.type = f->type,
			.stage = f->stage,
			.keyed = f->keyed,
			.many = f->many,
			.words = f->words };
	}
	lex_init(&l, "test", pn_str_of(policy));
	while (lex_peek(&l, &t, &e) == 0 && t.kind != LEX_END)
		assert_int_equal(rules_parse_item(builder, &l, "", &e), 0);
	rules = rules_compile(builder, &e);
	if (rules == NULL)
		fail_msg("%s", e.text);
	rules_builder_free(builder);
	return rules;
}

static void
bench_up(struct bench *b, const char *policy)
{
	struct error e;

	*b = (struct bench){ .arena = arena_new_mapped(16 << 20),
		.t = transaction_new() };
	assert_int_equal(chain_build(&b->chain, NULL, 0, b->arena, &e), 0);
	b->conf = (struct engine_conf){ .chain = &b->chain,
		.rules = compile(b, policy),
		.enforce = true };
	b->engine = (struct engine){ .conf = &b->conf,
		.rules_run = rules_run_new() };
	b->t->past = arena_alloc(b->t->arena, sizeof(*b->t->past));
	STAILQ_INIT(&b->t->past->results);
	assert_int_equal(
	    facts_init(&b->t->facts, b->t->arena, b->chain.n_facts), 0);
	b->t->client.ip = PN_STR_V("192.0.2.1");
}

static void
bench_down(struct bench *b)
{
	transaction_free(b->t);
	rules_run_free(b->engine.rules_run);
	rules_free((struct rules *)(uintptr_t)b->conf.rules);
	arena_free(b->arena);
}

static const struct proposal all_well = { .rule = "milter.a",
	.action = RULES_ACCEPT,
	.fact = "milter.a.action",
	.said = PN_STR("accept") };
static const struct proposal reject = { .rule = "milter.b",
	.nr = 1,
	.action = RULES_REJECT,
	.code = 550,
	.status = PN_STR("5.7.9"),
	.text = PN_STR("signed by nobody"),
	.fact = "milter.b.action",
	.said = PN_STR("reject") };
static const struct proposal hold = { .rule = "milter.c",
	.nr = 2,
	.action = RULES_HOLD,
	.text = PN_STR("look"),
	.fact = "milter.c.action",
	.said = PN_STR("quarantine") };
static const struct proposal discard = { .rule = "milter.d",
	.nr = 3,
	.action = RULES_DISCARD,
	.fact = "milter.d.action",
	.said = PN_STR("discard") };

static const struct proposal changed = { .rule = "milter.e",
	.nr = 4,
	.action = RULES_TAG,
	.fact = "milter.e.action",
	.said = PN_STR("continue") };

static void
stage(struct bench *b, enum stage stage, const struct proposal *const *said)
{
	struct engine_run r = { .engine = &b->engine,
		.t = b->t,
		.stage = stage };

	b->t->rcpt = stage == STAGE_RCPT ? b->rcpt : NULL;
	if (stage == STAGE_RCPT)
		b->t->rcpt_verdict = (struct verdict){ 0 };
	if (stage == STAGE_CONNECT)
		assert_int_equal(core_facts(&r), 0);
	for (; said != NULL && *said != NULL; said++)
		assert_int_equal(judge_propose(&r, *said), 0);
	assert_int_equal(stage == STAGE_MESSAGE ? judge_message(&r)
						: judge_stage(&r),
	    0);
}

static void
add_rcpt(struct bench *b, const char *address)
{
	b->rcpt = envelope_add_address(
	    &b->t->envelope, b->t->arena, pn_str_of(address));
}

#define SAID(...)                                                              \
	((const struct proposal *const[]){ __VA_ARGS__, NULL })
#define ALLOW "policy p { rule ok { when client.ip = 192.0.2.1; then allow; } }"
#define DISCARD "policy p { rule d { then discard; } }"
#define QUARANTINE                                                             \
	"policy p { rule q { when rcpt = a@x.example; then quarantine; } }"

static void
joined_behind_the_rules(void **state)
{
	static const struct {
		const char *name, *policy;
		const struct proposal *said[3];
		enum verdict_action verdict;
		const char *rule;
	} cases[] = {
		{ "nothing said", "policy p { }", { NULL }, VERDICT_ACCEPT, "" },
		{ "all is well", "policy p { }", { &all_well }, VERDICT_ACCEPT,
		    "" },
		{ "refused", "policy p { }", { &all_well, &reject },
		    VERDICT_REJECT, "milter.b" },
		{ "no policy", "", { &reject }, VERDICT_REJECT, "milter.b" },
		{ "the strongest", "policy p { }", { &discard, &hold },
		    VERDICT_QUARANTINE, "milter.c" },
		{ "the rule is stronger", QUARANTINE, { &hold },
		    VERDICT_QUARANTINE, "q" },
		{ "the rule is weaker", QUARANTINE, { &reject }, VERDICT_REJECT,
		    "milter.b" },
		{ "the rule is first", DISCARD, { &discard }, VERDICT_DISCARD,
		    "d" },
		{ "allowed", ALLOW, { &reject }, VERDICT_ACCEPT, "" },
		{ "allowed, and changed", ALLOW, { &changed, &reject },
		    VERDICT_TAG, "milter.e" },
		{ "for whom no policy is", "policy p for rcpt b@x.example { }",
		    { &reject }, VERDICT_REJECT, "milter.b" },
	};

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct bench b;

		bench_up(&b, cases[i].policy);
		stage(&b, STAGE_CONNECT, NULL);
		add_rcpt(&b, "a@x.example");
		stage(&b, STAGE_RCPT, NULL);
		stage(&b, STAGE_MESSAGE, cases[i].said);
		if (b.t->verdict.action != cases[i].verdict)
			fail_msg("%s: %d", cases[i].name, b.t->verdict.action);
		assert_str(b.t->verdict.rule, cases[i].rule);
		if (cases[i].verdict == VERDICT_REJECT) {
			assert_int_equal(b.t->verdict.reply.code, 550);
			assert_string_equal(b.t->verdict.reply.status, "5.7.9");
			assert_str(b.t->verdict.reply.text, "signed by nobody");
		}
		bench_down(&b);
	}
}

/* Nothing is enforced: it is what would have been. */
static void
told_alone(void **state)
{
	struct bench b;

	(void)state;
	bench_up(&b, "policy p { }");
	b.conf.enforce = false;
	add_rcpt(&b, "a@x.example");
	stage(&b, STAGE_RCPT, NULL);
	stage(&b, STAGE_MESSAGE, SAID(&reject));
	assert_int_equal(b.t->verdict.action, VERDICT_ACCEPT);
	assert_int_equal(b.t->would.action, VERDICT_REJECT);
	bench_down(&b);
}

/* Who said no to one recipient has not spoken of the next. */
static void
one_recipient_alone(void **state)
{
	struct bench b;

	(void)state;
	bench_up(&b, "");
	add_rcpt(&b, "a@x.example");
	stage(&b, STAGE_RCPT, SAID(&reject));
	assert_int_equal(b.t->rcpt_verdict.action, VERDICT_REJECT);
	b.rcpt->accepted = false;
	b.rcpt->code = 550;
	add_rcpt(&b, "b@x.example");
	stage(&b, STAGE_RCPT, SAID(&all_well));
	assert_int_equal(b.t->rcpt_verdict.action, VERDICT_ACCEPT);
	stage(&b, STAGE_MESSAGE, NULL);
	assert_int_equal(b.t->verdict.action, VERDICT_ACCEPT);
	bench_down(&b);
}

/* A HELO said again is judged again, with what is said of it then. */
static void
said_again(void **state)
{
	struct bench b;

	(void)state;
	bench_up(&b, "");
	stage(&b, STAGE_CONNECT, SAID(&all_well));
	stage(&b, STAGE_HELO, SAID(&reject));
	assert_int_equal(b.t->verdict.action, VERDICT_REJECT);
	stage(&b, STAGE_HELO, NULL);
	assert_int_equal(b.t->verdict.action, VERDICT_ACCEPT);
	stage(&b, STAGE_CONNECT, SAID(&reject));
	stage(&b, STAGE_HELO, NULL);
	assert_int_equal(b.t->verdict.action, VERDICT_REJECT);
	bench_down(&b);
}

static void
how_it_is_told(void **state)
{
	static const struct {
		const char *policy, *want;
	} cases[] = {
		{ "",
		    "[{\"rule\":\"milter.a\",\"stage\":\"message\","
		    "\"result\":\"fired\",\"fact\":\"milter.a.action\","
		    "\"said\":\"accept\","
		    "\"actions\":[{\"action\":\"accept\"}]},"
		    "{\"rule\":\"milter.b\",\"stage\":\"message\","
		    "\"result\":\"fired\",\"fact\":\"milter.b.action\","
		    "\"said\":\"reject\",\"actions\":[{\"action\":\"reject\","
		    "\"code\":550,\"status\":\"5.7.9\","
		    "\"text\":\"signed by nobody\"}]}]" },
		{ "policy p { rule ok { always; when size > 5; then allow; } }",
		    "[{\"rule\":\"milter.a\",\"stage\":\"message\","
		    "\"result\":\"skipped\",\"fact\":\"milter.a.action\","
		    "\"said\":\"accept\","
		    "\"actions\":[{\"action\":\"accept\"}]},"
		    "{\"rule\":\"milter.b\",\"stage\":\"message\","
		    "\"result\":\"skipped\",\"fact\":\"milter.b.action\","
		    "\"said\":\"reject\",\"actions\":[{\"action\":\"reject\","
		    "\"code\":550,\"status\":\"5.7.9\","
		    "\"text\":\"signed by nobody\"}]}]" },
	};
	const struct value ten = { .state = VALUE_KNOWN,
		.type = VALUE_NUMBER,
		.number = 10 };

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		const struct stage_result *s;
		struct buf out = { 0 };
		struct bench b;

		bench_up(&b, cases[i].policy);
		add_rcpt(&b, "a@x.example");
		stage(&b, STAGE_RCPT, NULL);
		assert_int_equal(facts_set(&b.t->facts, FACT_SIZE, &ten), 0);
		stage(&b, STAGE_MESSAGE, SAID(&all_well, &reject));
		s = STAILQ_FIRST(&b.t->past->results);
		while (s->stage != STAGE_MESSAGE)
			s = STAILQ_NEXT(s, next);
		json_begin_array(&out, NULL);
		propose_trace(&out, s);
		json_end_array(&out);
		assert_str(buf_str(&out), cases[i].want);
		buf_fini(&out);
		bench_down(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(joined_behind_the_rules),
		cmocka_unit_test(told_alone),
		cmocka_unit_test(one_recipient_alone),
		cmocka_unit_test(said_again),
		cmocka_unit_test(how_it_is_told),
	};

	return cmocka_run_group_tests_name("propose", tests, NULL, NULL);
}
