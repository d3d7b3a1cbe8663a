/*
 * engine: what stages decide, who waits for what, and that nothing is heard
 * after a cancel. Real rules, real DNS; pool and keep are this file's own.
 */
#include "cm.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "dnsserver.h"
#include "engine/engine.h"

/* ---- the inspector and the keeper, as this test plays them ---- */

struct pool {
	enum pool_result result;
	struct findings findings;
	pool_done *done;
	void *arg;
	bool down;
};
struct pool_job {
	struct pool *pool;
};
static struct pool_job the_job;

struct pool_job *
pool_submit(struct pool *p, struct spool *s, struct arena *a, pool_done *done,
    void *arg)
{
	(void)s;
	(void)a;
	p->done = done;
	p->arg = arg;
	the_job.pool = p;
	return p->down ? NULL : &the_job;
}

void
pool_cancel(struct pool_job *j)
{
	j->pool->done = NULL;
}

struct keep {
	uint32_t attempts;
	keep_counted *counted;
	void *arg;
	char summary[64];
};
struct keep_ticket {
	struct keep *keep;
};
static struct keep_ticket the_ticket;

struct keep_ticket *
keep_suspect(struct keep *k, const unsigned char sha256[32], bool count,
    keep_counted *done, void *arg)
{
	(void)sha256;
	k->attempts += count;
	k->counted = done;
	k->arg = arg;
	the_ticket.keep = k;
	return &the_ticket;
}

void
keep_cancel(struct keep_ticket *t)
{
	t->keep->counted = NULL;
}

void
keep_summary(struct keep *k, const struct keep_summary *s)
{
	(void)snprintf(k->summary, sizeof(k->summary), "%.*s %.*s %d",
	    PN_STR_ARG(s->action), PN_STR_ARG(s->rule), s->code);
}

struct stats *
keep_stats(struct keep *k)
{
	(void)k;
	return NULL;
}

bool
keep_say(struct keep *k, struct pn_str module, struct pn_str part,
    struct pn_str text)
{
	(void)k;
	(void)module;
	(void)part;
	return text.n > 0;
}

struct keep_ticket *
keep_count(struct keep *k, const struct keep_counter *c, keep_number *number,
    void *arg)
{
	(void)k;
	(void)c;
	(void)number;
	(void)arg;
	return NULL;
}

bool
keep_count_only(struct keep *k, const struct keep_counter *c)
{
	(void)k;
	(void)c;
	return false;
}

/* ---- a module that asks ---- */

static enum pn_step
on_listing(struct pn_mail *m, const struct pn_dns *answer)
{
	if (answer->status == PN_DNS_TIMEOUT)
		return PN_FAIL;
	pn_fact_bool(m, "listed", answer->n > 0 ? PN_TRUE : PN_FALSE);
	return PN_NEXT;
}

static enum pn_step
ask_list(struct pn_mail *m)
{
	return pn_ask_dns_a(m, pn_sender(m), on_listing, NULL);
}

static enum pn_step
note_name(struct pn_mail *m)
{
	pn_fact_str(m, "claimed", pn_client_helo(m));
	return PN_NEXT;
}

static const struct pn_fact_decl list_facts[] = {
	{ .name = "listed", .type = PN_BOOL, .stage = PN_STAGE_MAIL },
	{ .name = "claimed", .type = PN_STRING, .stage = PN_STAGE_HELO,
	    .flags = PN_FACT_MANY },
	{ 0 }
};
static const struct pn_filter list_filter = { .abi = PN_ABI,
	.name = "list",
	.facts = list_facts,
	.helo = note_name,
	.mail = ask_list };

static enum pn_step
inspect_nothing(struct pn_mail *m)
{
	(void)m;
	return PN_NEXT;
}

static const struct pn_fact_decl text_facts[] = {
	{ .name = "subject", .type = PN_STRING, .stage = PN_STAGE_MESSAGE },
	{ 0 }
};
static const struct pn_filter text_filter = { .abi = PN_ABI,
	.name = "text",
	.facts = text_facts,
	.inspect = inspect_nothing };

static const struct dns_record records[] = {
	{ "7.2.0.192.in-addr.arpa", 12, "mx.example.org" },
	{ "mx.example.org", 1, "192.0.2.7" },
	{ "8.2.0.192.in-addr.arpa", 12, "mx.example.org" },
	{ "9.2.0.192.in-addr.arpa", 12, "silent" },
	{ "listed.example.org", 1, "127.0.0.2" },
	{ "slow.example.org", 1, "silent" },
	{ NULL, 0, NULL },
};

/* ---- a bench to put a transaction on ---- */

struct bench {
	struct loop *loop;
	struct arena *arena;
	struct chain chain;
	struct rules *rules;
	struct engine_conf conf;
	struct engine *engine;
	struct pool pool;
	struct keep keep;
	struct spool_pool *spools;
	pid_t dns;
	char server[32];
	unsigned woken;
};

static void
on_wake(struct transaction *t)
{
	struct bench *b = t->owner;

	b->woken++;
	loop_stop(b->loop);
}

static struct rules *
compile(struct bench *b, const char *policy)
{
	static const char *const stages[] = { "connect", "helo", "mail", "rcpt",
		"message", NULL };
	struct rules_decl *facts = arena_alloc(b->arena,
	    b->chain.n_facts * sizeof(*facts));
	struct rules_decls *decls = arena_alloc(b->arena, sizeof(*decls));
	struct rules_builder *builder;
	struct rules *rules = NULL;
	struct error e;
	struct lex_token token;
	struct lex l;

	for (uint32_t i = 0; i < b->chain.n_facts; i++) {
		const struct chain_fact *f = &b->chain.facts[i];

		facts[i] = (struct rules_decl){ .name = f->name,
			.type = f->type, .stage = f->stage,
			.content = f->content, .many = f->many,
			.words = f->words, .module = "test" };
	}
	*decls = (struct rules_decls){ .facts = facts,
		.n_facts = b->chain.n_facts, .things = thing_names,
		.stages = stages };
	builder = rules_builder_new(b->arena, decls);
	lex_init(&l, "test", pn_str_of(policy));
	while (lex_peek(&l, &token, &e) == 0 && token.kind != LEX_END)
		if (rules_parse_item(builder, &l, ".", &e) < 0)
			fail_msg("%s", e.text);
	if ((rules = rules_compile(builder, &e)) == NULL)
		fail_msg("%s", e.text);
	rules_builder_free(builder);
	return rules;
}

static void
bench_up(struct bench *b, const char *policy)
{
	static const struct pn_filter *const filters[] = { &list_filter,
		&text_filter };
	static const struct spool_conf spool = { .dir = "/tmp", .max_memory = 1 << 20 };
	struct error e;

	*b = (struct bench){ .loop = loop_new(),
		.arena = arena_new_mapped(16 << 20) };
	if (chain_build(&b->chain, filters, PN_COUNT(filters), b->arena, &e) < 0)
		fail_msg("%s", e.text);
	b->rules = compile(b, policy);
	b->dns = dnsserver_start(records, b->server);
	b->conf = (struct engine_conf){ .chain = &b->chain, .rules = b->rules,
		.ask_client_name = true, .dns_timeout_ms = 300,
		.dns_server = b->server, .enforce = true };
	b->chain.modules[0].timeout_ms = 300;
	b->spools = spool_pool_new(&spool);
	b->engine = engine_new(b->loop, &b->conf, &b->pool, &b->pool,
	    &b->keep, &e);
	assert_non_null(b->engine);
}

static void
bench_down(struct bench *b)
{
	engine_free(b->engine);
	spool_pool_free(b->spools);
	rules_free(b->rules);
	arena_free(b->arena);
	loop_free(b->loop);
	dnsserver_stop(b->dns);
}

static struct transaction *
new_mail(struct bench *b, const char *ip)
{
	struct transaction *t = transaction_new();

	t->owner = b;
	t->wake = on_wake;
	t->client.ip = pn_str_of(ip);
	t->client.listener = PN_STR_V("*:25");
	t->client.helo = PN_STR_V("there");
	return t;
}

static void
run(struct bench *b, struct transaction *t, enum stage stage)
{
	unsigned woken = b->woken;

	if (engine_run(b->engine, t, stage) == ENGINE_DONE)
		return;
	assert_int_equal(b->woken, woken); /* never from within the call */
	loop_run(b->loop);
	assert_int_equal(b->woken, woken + 1);
	assert_int_equal(engine_run(b->engine, t, stage), ENGINE_DONE);
}

static void
run_to_rcpt(struct bench *b, struct transaction *t, const char *domain)
{
	run(b, t, STAGE_CONNECT);
	run(b, t, STAGE_HELO);
	t->envelope.address = pn_str_of(domain);
	t->envelope.domain = pn_str_of(domain);
	run(b, t, STAGE_MAIL);
}

static struct rcpt *
add_rcpt(struct bench *b, struct transaction *t, const char *address)
{
	struct rcpt *r = envelope_add_rcpt(&t->envelope, t->arena);

	r->address = r->path = pn_str_of(address);
	for (r->local = r->address; r->local.n > 0 && address[r->local.n] != '@';)
		r->local.n--;
	r->domain = r->local.n > 0
	    ? pn_str_sub(r->address, r->local.n + 1, r->address.n)
	    : PN_STR_V("");
	t->rcpt = r;
	run(b, t, STAGE_RCPT);
	r->accepted = t->rcpt_verdict.action < VERDICT_TEMPFAIL;
	t->envelope.n_accepted += r->accepted;
	return r;
}

/* The message stage with what the inspector (this test) has to say. */
static void
run_message(struct bench *b, struct transaction *t, enum pool_result result)
{
	struct error e;

	t->spool = spool_new(b->spools);
	assert_int_equal(
	    spool_append(t->spool, PN_STR_V("A: 1\r\n\r\nx\r\n"), &e), 0);
	if (engine_run(b->engine, t, STAGE_MESSAGE) == ENGINE_DONE)
		return;
	b->pool.done(b->pool.arg, result,
	    result == POOL_FOUND ? &b->pool.findings : NULL);
	if (b->keep.counted != NULL)
		b->keep.counted(b->keep.arg, true, b->keep.attempts);
	b->keep.counted = NULL;
	assert_int_equal(engine_run(b->engine, t, STAGE_MESSAGE), ENGINE_DONE);
}

/* ---- what is promised ---- */

static void
names_are_confirmed(void **state)
{
	static const struct {
		const char *ip;
		enum client_name_state state;
		const char *name;
	} cases[] = {
		{ "192.0.2.7", CLIENT_NAME_OK, "mx.example.org" },
		{ "192.0.2.8", CLIENT_NAME_NONE, "" },
		{ "192.0.2.9", CLIENT_NAME_TEMPORARY, "" },
		{ "192.0.2.10", CLIENT_NAME_NONE, "" },
	};
	struct bench b;

	(void)state;
	bench_up(&b, "policy default { rule r { when client.name = "
		     "\"mx.example.org\"; then reject 550 5.7.1 \"no\"; } }");
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct transaction *t = new_mail(&b, cases[i].ip);

		run(&b, t, STAGE_CONNECT);
		assert_int_equal(t->client.name_state, cases[i].state);
		assert_str(t->client.name, cases[i].name);
		assert_int_equal(t->verdict.action,
		    i == 0 ? VERDICT_REJECT : VERDICT_ACCEPT);
		assert_int_equal(t->verdict.degraded,
		    cases[i].state == CLIENT_NAME_TEMPORARY);
		transaction_free(t);
	}
	bench_down(&b);
}

static void
a_module_asks_and_a_rule_decides(void **state)
{
	struct bench b;
	struct transaction *t;

	(void)state;
	bench_up(&b, "policy default { rule r { when listed; then reject 550 "
		     "5.7.1 \"listed\"; } }");
	t = new_mail(&b, "192.0.2.7");
	run_to_rcpt(&b, t, "listed.example.org");
	assert_int_equal(t->verdict.action, VERDICT_REJECT);
	assert_str(t->verdict.rule, "r");
	transaction_free(t);

	t = new_mail(&b, "192.0.2.7");
	run_to_rcpt(&b, t, "clean.example.org");
	assert_int_equal(t->verdict.action, VERDICT_ACCEPT);
	assert_false(t->verdict.degraded);
	transaction_free(t);

	t = new_mail(&b, "192.0.2.7"); /* no answer: unknown, and said so */
	run_to_rcpt(&b, t, "slow.example.org");
	assert_int_equal(t->verdict.action, VERDICT_ACCEPT);
	assert_true(t->verdict.degraded);
	transaction_free(t);

	b.chain.modules[0].on_unavailable = CHAIN_TEMPFAIL;
	t = new_mail(&b, "192.0.2.7");
	run_to_rcpt(&b, t, "slow.example.org");
	assert_int_equal(t->verdict.action, VERDICT_TEMPFAIL);
	assert_int_equal(t->verdict.reply.code, 451);
	transaction_free(t);
	bench_down(&b);
}

static void
a_refused_recipient_decides_nothing_for_the_others(void **state)
{
	struct bench b;
	struct transaction *t;
	struct edit *e;

	(void)state;
	bench_up(&b,
	    "policy default {"
	    " rule refuse { when rcpt = \"bad@x\"; then reject 550 5.1.1 \"no\"; }"
	    " rule hold { when rcpt = \"bad@x\"; then quarantine; }"
	    " rule seen { when rcpt.domain = \"x\"; then tag; }"
	    " rule mark { when rcpt.domain = \"x\"; then header add X \"y\"; }"
	    "}");
	t = new_mail(&b, "192.0.2.7");
	run_to_rcpt(&b, t, "clean.example.org");
	add_rcpt(&b, t, "a@x");
	add_rcpt(&b, t, "bad@x");
	assert_int_equal(t->rcpt_verdict.action, VERDICT_REJECT);
	add_rcpt(&b, t, "b@x");
	assert_int_equal(t->rcpt_verdict.action, VERDICT_TAG);
	assert_int_equal(t->verdict.action, VERDICT_ACCEPT);
	run_message(&b, t, POOL_FOUND);
	assert_int_equal(t->verdict.action, VERDICT_TAG);
	e = STAILQ_FIRST(&t->edits);
	assert_non_null(e);
	assert_str(e->value, "y");
	assert_null(STAILQ_NEXT(e, next)); /* once, not once a recipient */
	assert_true(buf_len(&t->trace) > 0);
	engine_summarise(b.engine, t, 250);
	assert_string_equal(b.keep.summary, "tag seen 250");
	transaction_free(t);
	bench_down(&b);
}

/* Per recipient; at the message, of all that were accepted. */
static void
directions(void **state)
{
	static const struct {
		const char *ip, *login, *rcpt, *rule;
	} cases[] = {
		{ "192.0.2.7", NULL, "a@ours.example", "inbound-mail" },
		{ "192.0.2.7", NULL, "a@foreign.example", "inbound-mail" },
		{ "192.0.2.7", "ada", "a@foreign.example", "out" },
		{ "10.1.2.3", NULL, "a@foreign.example", "out" },
		{ "10.1.2.3", NULL, "a@Ours.Example", "within" },
		{ "10.1.2.3", NULL, "postmaster", "within" },
	};
	static const struct site_net ours = { AF_INET, { 10 }, 8 };
	static const char *const domains[] = { "ours.example" };
	struct bench b;

	(void)state;
	bench_up(&b, "policy default {"
		     " rule inbound-mail { when direction is inbound; then tag; }"
		     " rule out { when direction is outbound; then tag; }"
		     " rule within { when direction is internal; then tag; }"
		     " rule later { when size >= 0 and direction is internal; "
		     "   then discard; } }");
	b.conf.site = (struct site){ &ours, 1, domains, 1 };
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct transaction *t = new_mail(&b, cases[i].ip);

		t->client.login = pn_str_of(cases[i].login);
		run_to_rcpt(&b, t, "clean.example.org");
		add_rcpt(&b, t, cases[i].rcpt);
		assert_str(t->rcpt_verdict.rule, cases[i].rule);
		add_rcpt(&b, t, "b@ours.example");
		run_message(&b, t, POOL_FOUND);
		assert_int_equal(t->verdict.action,
		    strcmp(cases[i].rule, "inbound-mail") == 0 ? VERDICT_TAG
						     : VERDICT_DISCARD);
		transaction_free(t);
	}
	bench_down(&b);
}

#define TWO                                                                    \
	"policy default { rule d { when rcpt.local = \"no\"; then reject 550 "  \
	"5.1.1 \"no\"; } rule t { when size >= 0; then tag; } }"                \
	"policy x for rcpt @x { rule h { when size >= 0; then quarantine; } }"

/* What becomes of recipients of two policies in one message. */
static void
mixed(void **state)
{
	struct bench b;
	struct transaction *t;
	struct rcpt *first;

	(void)state;
	bench_up(&b, TWO);
	t = new_mail(&b, "192.0.2.7");
	run_to_rcpt(&b, t, "clean.example.org");
	add_rcpt(&b, t, "no@y")->code = 550; /* refused: not the first */
	assert_int_equal(t->rcpt_verdict.action, VERDICT_REJECT);
	first = add_rcpt(&b, t, "a@y");
	first->accepted = false; /* the next hop has yet to speak */
	add_rcpt(&b, t, "a@x")->code = 452;
	assert_int_equal(t->rcpt_verdict.reply.code, 452);
	assert_string_equal(t->rcpt_verdict.reply.status, "4.5.3");
	add_rcpt(&b, t, "b@y");
	assert_int_equal(t->rcpt_verdict.action, VERDICT_ACCEPT);
	assert_str(t->policy, "default");
	transaction_free(t);

	t = new_mail(&b, "192.0.2.7");
	run_to_rcpt(&b, t, "clean.example.org");
	first = add_rcpt(&b, t, "a@y");
	first->accepted = false;
	first->code = 550; /* it has: the second is the first now */
	add_rcpt(&b, t, "a@x");
	assert_int_equal(t->rcpt_verdict.action, VERDICT_ACCEPT);
	run_message(&b, t, POOL_FOUND);
	assert_int_equal(t->verdict.action, VERDICT_QUARANTINE);
	assert_str(t->policy, "x");
	transaction_free(t);

	b.conf.mixed = MIXED_STRICTEST;
	t = new_mail(&b, "192.0.2.7");
	run_to_rcpt(&b, t, "clean.example.org");
	add_rcpt(&b, t, "a@y");
	add_rcpt(&b, t, "a@x");
	add_rcpt(&b, t, "b@y");
	assert_int_equal(t->envelope.n_accepted, 3);
	run_message(&b, t, POOL_FOUND);
	assert_int_equal(t->verdict.action, VERDICT_QUARANTINE);
	assert_str(t->verdict.rule, "h");
	assert_str(t->policy, "default,x");
	transaction_free(t);
	bench_down(&b);
}

/* What rules at rcpt decide for one recipient is not the others' fate. */
static void
a_recipient_that_fares_otherwise(void **state)
{
	static const struct {
		const char *to[2];
		enum engine_mixed mixed;
		bool shadow;
		uint16_t second; /* what the second one hears; 0: taken */
		enum verdict_action verdict, would;
	} cases[] = {
		{ { "a@x", "trap@x" }, MIXED_DEFER, false, 452, VERDICT_ACCEPT,
		    VERDICT_ACCEPT },
		{ { "trap@x", "a@x" }, MIXED_DEFER, false, 452,
		    VERDICT_DISCARD, VERDICT_ACCEPT },
		{ { "a@x", "held@x" }, MIXED_DEFER, false, 452, VERDICT_ACCEPT,
		    VERDICT_ACCEPT },
		{ { "a@x", "no@x" }, MIXED_DEFER, false, 550, VERDICT_ACCEPT,
		    VERDICT_ACCEPT },
		{ { "a@x", "tag@x" }, MIXED_DEFER, false, 0, VERDICT_TAG,
		    VERDICT_ACCEPT },
		{ { "trap@x", "trap@x" }, MIXED_DEFER, false, 0,
		    VERDICT_DISCARD, VERDICT_ACCEPT },
		{ { "a@x", "trap@x" }, MIXED_STRICTEST, false, 0,
		    VERDICT_DISCARD, VERDICT_ACCEPT },
		{ { "a@x", "trap@x" }, MIXED_DEFER, true, 0, VERDICT_ACCEPT,
		    VERDICT_DISCARD },
		{ { "a@y", "a@x" }, MIXED_DEFER, true, 0, VERDICT_ACCEPT,
		    VERDICT_ACCEPT },
	};
	struct bench b;

	(void)state;
	bench_up(&b, "policy default {"
		     " rule one { when rcpt.local = \"trap\"; then discard; }"
		     " rule two { when rcpt.local = \"held\"; then quarantine; }"
		     " rule three { when rcpt.local = \"no\"; "
		     "   then reject 550 5.1.1 \"no\"; }"
		     " rule four { when rcpt.local = \"tag\"; then tag; } }"
		     "policy y for rcpt @y { rule n { when size < 0; then tag; } }");
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct transaction *t = new_mail(&b, "192.0.2.7");

		b.conf.mixed = cases[i].mixed;
		b.conf.enforce = !cases[i].shadow;
		run_to_rcpt(&b, t, "clean.example.org");
		add_rcpt(&b, t, cases[i].to[0]);
		add_rcpt(&b, t, cases[i].to[1]);
		if (t->rcpt_verdict.reply.code != cases[i].second)
			fail_msg("%zu: %u", i, t->rcpt_verdict.reply.code);
		run_message(&b, t, POOL_FOUND);
		if (t->verdict.action != cases[i].verdict ||
		    t->would.action != cases[i].would)
			fail_msg("%zu: %d, would %d", i, t->verdict.action,
			    t->would.action);
		transaction_free(t);
	}
	bench_down(&b);
}

/* Without a policy for everybody a recipient may have none. */
static void
whom_no_policy_is_for(void **state)
{
	struct bench b;
	struct transaction *t;

	(void)state;
	bench_up(&b, "policy x for rcpt @x { rule h { when size >= 0; "
		     "then reject 550 5.7.1 \"no\"; } }");
	t = new_mail(&b, "192.0.2.7");
	run_to_rcpt(&b, t, "clean.example.org");
	add_rcpt(&b, t, "a@y");
	assert_int_equal(t->rcpt_verdict.action, VERDICT_ACCEPT);
	add_rcpt(&b, t, "a@x")->code = 452;
	assert_int_equal(t->rcpt_verdict.reply.code, 452);
	run_message(&b, t, POOL_FOUND);
	assert_int_equal(t->verdict.action, VERDICT_ACCEPT);
	assert_int_equal(t->policy.n, 0);
	transaction_free(t);
	bench_down(&b);
}

/* A name refused at HELO is forgotten with the next one, an allow as well, and
 * what modules found of it. */
static void
helo_is_said_again(void **state)
{
	static const struct {
		const char *name;
		enum verdict_action early;
	} names[] = { { "evil", VERDICT_REJECT }, { "good", VERDICT_ACCEPT },
		{ "evil", VERDICT_REJECT }, { "free", VERDICT_ACCEPT },
		{ "evil", VERDICT_REJECT } };
	struct bench b;
	struct transaction *t, *next;

	(void)state;
	bench_up(&b, "policy default {"
		     " rule e { when claimed = \"evil\"; early; "
		     "   then reject 550 5.7.1 \"no\"; }"
		     " rule f { when helo.name = \"free\"; then allow; }"
		     " rule d { when helo.name = \"free\"; always; "
		     "   then delay 2s; } }");
	t = new_mail(&b, "192.0.2.7");
	run(&b, t, STAGE_CONNECT);
	for (size_t i = 0; i < PN_COUNT(names); i++) {
		t->client.helo = pn_str_of(names[i].name);
		run(&b, t, STAGE_HELO);
		if (t->early.action != names[i].early ||
		    t->verdict.action != names[i].early)
			fail_msg("%zu: %s", i, names[i].name);
		assert_int_equal(t->delay_ms,
		    strcmp(names[i].name, "free") == 0 ? 2000 : 0);
	}
	t->client.helo = PN_STR_V("free");
	run(&b, t, STAGE_HELO);
	next = transaction_new();
	assert_int_equal(engine_inherit(b.engine, next, t), 0);
	assert_int_equal(next->verdict.action, VERDICT_ACCEPT);
	assert_int_equal(next->delay_ms, 0); /* had its time */
	transaction_free(next);
	transaction_free(t);
	bench_down(&b);
}

static void
what_breaks_the_inspector_waits_and_is_held(void **state)
{
	struct bench b;
	struct transaction *t;

	(void)state;
	bench_up(&b, "policy default { rule r { when subject contains \"x\"; "
		     "then discard; } }");
	for (int attempt = 1; attempt <= 3; attempt++) {
		t = new_mail(&b, "192.0.2.7");
		run_to_rcpt(&b, t, "clean.example.org");
		add_rcpt(&b, t, "a@x");
		run_message(&b, t, POOL_SUSPECT);
		assert_int_equal(t->verdict.action,
		    attempt < 3 ? VERDICT_TEMPFAIL : VERDICT_QUARANTINE);
		if (attempt < 3)
			assert_int_equal(t->verdict.reply.code, 451);
		else
			assert_str(t->verdict.class_name, "failed");
		transaction_free(t);
	}
	b.conf.needs.header = true;
	t = new_mail(&b, "192.0.2.7"); /* what is not whole cannot be held */
	t->partial = true;
	run_to_rcpt(&b, t, "clean.example.org");
	add_rcpt(&b, t, "a@x");
	run_message(&b, t, POOL_SUSPECT);
	assert_int_equal(t->verdict.action, VERDICT_TEMPFAIL);
	assert_int_equal(t->verdict.reply.code, 451);
	transaction_free(t);
	b.conf.enforce = false; /* then nothing is held */
	t = new_mail(&b, "192.0.2.7");
	run_to_rcpt(&b, t, "clean.example.org");
	add_rcpt(&b, t, "a@x");
	run_message(&b, t, POOL_SUSPECT);
	assert_int_equal(t->verdict.action, VERDICT_ACCEPT);
	assert_int_equal(t->would.action, VERDICT_QUARANTINE);
	transaction_free(t);
	b.conf.enforce = true;
	t = new_mail(&b, "192.0.2.7");
	run_to_rcpt(&b, t, "clean.example.org");
	run_message(&b, t, POOL_DOWN);
	assert_int_equal(t->verdict.action, VERDICT_TEMPFAIL);
	transaction_free(t);
	b.pool.down = true;
	t = new_mail(&b, "192.0.2.7");
	run_to_rcpt(&b, t, "clean.example.org");
	run_message(&b, t, POOL_DOWN);
	assert_int_equal(t->verdict.action, VERDICT_TEMPFAIL);
	transaction_free(t);
	bench_down(&b);
}

static void
what_cannot_be_found_is_unknown(void **state)
{
	struct bench b;
	struct transaction *t;

	(void)state;
	bench_up(&b, "policy default { rule r { when subject contains \"x\"; "
		     "on unknown tempfail; then discard; } }");
	t = new_mail(&b, "192.0.2.7");
	run_to_rcpt(&b, t, "clean.example.org");
	add_rcpt(&b, t, "a@x");
	run_message(&b, t, POOL_FOUND); /* found, but without answers */
	assert_int_equal(t->verdict.action, VERDICT_TEMPFAIL);
	transaction_free(t);
	bench_down(&b);
}

static void
after_a_cancel_nothing_is_heard(void **state)
{
	struct bench b;
	struct transaction *t, *other;

	(void)state;
	bench_up(&b, "policy default { rule r { when listed; then discard; } }");
	t = new_mail(&b, "192.0.2.9");
	assert_int_equal(engine_run(b.engine, t, STAGE_CONNECT), ENGINE_PENDING);
	engine_cancel(b.engine, t);
	transaction_free(t);

	t = new_mail(&b, "192.0.2.7");
	run(&b, t, STAGE_CONNECT);
	t->envelope.address = PN_STR_V("slow.example.org");
	assert_int_equal(engine_run(b.engine, t, STAGE_MAIL), ENGINE_PENDING);
	engine_cancel(b.engine, t);
	transaction_free(t);

	other = new_mail(&b, "192.0.2.9"); /* longer than what was cancelled */
	run(&b, other, STAGE_CONNECT);
	assert_int_equal(b.woken, 2);
	transaction_free(other);
	bench_down(&b);
}

static void
the_next_mail_of_a_session_knows_its_client(void **state)
{
	struct bench b;
	struct transaction *t, *next;

	(void)state;
	bench_up(&b,
	    "policy default {"
	    " rule r { when client.fcrdns is ok and helo.name = \"there\";"
	    " then reject 550 5.7.1 \"no\"; } }");
	t = new_mail(&b, "192.0.2.7");
	run(&b, t, STAGE_CONNECT);
	run(&b, t, STAGE_HELO);
	next = transaction_new();
	assert_int_equal(engine_inherit(b.engine, next, t), 0);
	transaction_free(t);
	assert_int_equal(next->verdict.action, VERDICT_REJECT);
	assert_str(next->client.name, "mx.example.org");
	assert_str(facts_get(&next->facts, FACT_CLIENT_NAME)->str,
	    "mx.example.org");
	transaction_free(next);

	b.conf.enforce = false;
	t = new_mail(&b, "192.0.2.7");
	run(&b, t, STAGE_CONNECT);
	run(&b, t, STAGE_HELO);
	assert_int_equal(t->verdict.action, VERDICT_ACCEPT);
	transaction_free(t);
	bench_down(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_confirmed),
		cmocka_unit_test(a_module_asks_and_a_rule_decides),
		cmocka_unit_test(
		    a_refused_recipient_decides_nothing_for_the_others),
		cmocka_unit_test(directions),
		cmocka_unit_test(mixed),
		cmocka_unit_test(a_recipient_that_fares_otherwise),
		cmocka_unit_test(whom_no_policy_is_for),
		cmocka_unit_test(helo_is_said_again),
		cmocka_unit_test(what_breaks_the_inspector_waits_and_is_held),
		cmocka_unit_test(what_cannot_be_found_is_unknown),
		cmocka_unit_test(after_a_cancel_nothing_is_heard),
		cmocka_unit_test(the_next_mail_of_a_session_knows_its_client),
	};

	return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
