/*
 * shuffle - the order of answers changes nothing: ten modules that ask at
 * every stage, several questions at once and further ones behind them, hear
 * the same answers in other orders; verdict, edits and trace stay the same.
 *
 * Real engine, real rules; whom it asks is this file. What an answer says, and
 * what a module makes of it, follows from the question and the world's seed.
 */
#include "cm.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "engine/engine.h"
#include "engine/service.h"

#define MODULES 10
#define ASKS 4  /* of one hook, at once */
#define DEPTH 3 /* questions one behind another */
#define WORLDS 60
#define ORDERS 12

/* ---- what is random, and what only looks so ---- */

static uint64_t world; /* the seed of all answers */

static uint32_t
mix(uint64_t x)
{
	x ^= world * 0x9e3779b97f4a7c15u;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return (uint32_t)(x ^ x >> 31);
}

/* Of this question, for that purpose. */
static uint32_t
dice(unsigned question, unsigned purpose, unsigned sides)
{
	return mix((uint64_t)question * 64 + purpose) % sides;
}

static uint64_t order; /* of answers */

static uint32_t
draw(uint32_t n)
{
	order = order * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(order >> 33) % n;
}

/* ---- who is asked ---- */

enum kind { DNS, SERVICE, COUNTER, INSPECTOR };

struct pending {
	enum kind kind;
	unsigned question;
	void *arg;
	dns_done *on_dns;
	service_done *on_service;
	keep_number *on_number;
	pool_done *on_findings;
};

/* Whoever asks gets a pointer to one of these: each is its own handle. */
static struct pending *pending[4096];
static size_t n_pending;

static struct pending *
add(enum kind kind, struct pn_str question, void *arg)
{
	struct pending *p = xcalloc(1, sizeof(*p));

	p->kind = kind;
	p->arg = arg;
	p->question = (unsigned)strtoul(question.p ? question.p : "0", NULL, 10);
	must(n_pending < PN_COUNT(pending));
	pending[n_pending++] = p;
	return p;
}

static void
drop(void *handle)
{
	for (size_t i = 0; i < n_pending; i++)
		if (pending[i] == handle) {
			pending[i] = pending[--n_pending];
			free(handle);
			return;
		}
	must(!"somebody cancels what is not under way");
}

struct dns *
dns_new(struct loop *l, const char *server, struct error *e)
{
	(void)server;
	(void)e;
	return (struct dns *)l;
}

int
dns_trust(struct dns *d, struct pn_str anchors, struct error *e)
{
	(void)d;
	(void)anchors;
	(void)e;
	return 0;
}

void
dns_know_hosts(struct dns *d)
{
	(void)d;
}

void
dns_free(struct dns *d)
{
	(void)d;
}

struct dns_ask *
dns_ask(struct dns *d, enum dns_type type, struct pn_str name, uint64_t ms,
    dns_done *done, void *arg)
{
	struct pending *p = add(DNS, name, arg);

	(void)d;
	(void)type;
	(void)ms;
	p->on_dns = done;
	return (struct dns_ask *)p;
}

void
dns_cancel(struct dns_ask *a)
{
	if (a != NULL)
		drop(a);
}

struct services *
services_new(struct loop *l, struct dns *d)
{
	(void)d;
	return (struct services *)l;
}

void
services_free(struct services *s)
{
	(void)s;
}

struct service_call *
service_ask(struct services *s, const struct pn_request *r, service_done *done,
    void *arg)
{
	struct pending *p = add(SERVICE, r->bytes, arg);

	(void)s;
	p->on_service = done;
	return (struct service_call *)p;
}

void
service_cancel(struct service_call *c)
{
	drop(c);
}

struct keep_ticket *
keep_count(struct keep *k, const struct keep_counter *c, keep_number *number,
    void *arg)
{
	struct pending *p = add(COUNTER, c->key, arg);

	(void)k;
	p->on_number = number;
	return (struct keep_ticket *)p;
}

bool
keep_count_only(struct keep *k, const struct keep_counter *c)
{
	(void)k;
	(void)c;
	return true;
}

void
keep_cancel(struct keep_ticket *t)
{
	drop(t);
}

struct keep_ticket *
keep_suspect(struct keep *k, const unsigned char sha256[32], bool count,
    keep_counted *done, void *arg)
{
	(void)k;
	(void)sha256;
	(void)count;
	(void)done;
	(void)arg;
	return NULL;
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
	(void)text;
	return false;
}

void
keep_summary(struct keep *k, const struct keep_summary *s)
{
	(void)k;
	(void)s;
}

struct pool_job *
pool_submit(struct pool *p, struct spool *s, struct arena *a, pool_done *done,
    void *arg)
{
	struct pending *one = add(INSPECTOR, PN_STR_V(""), arg);

	(void)p;
	(void)s;
	(void)a;
	one->on_findings = done;
	return (struct pool_job *)one;
}

void
pool_cancel(struct pool_job *j)
{
	drop(j);
}

static void
answer_dns(const struct pending *p)
{
	static const enum pn_dns_status statuses[] = { PN_DNS_OK, PN_DNS_OK,
		PN_DNS_OK, PN_DNS_NONE, PN_DNS_TEMPORARY, PN_DNS_TIMEOUT };
	char text[2][24];
	struct pn_str answers[2];
	struct pn_dns a = { .status = statuses[dice(p->question, 1, 6)],
		.answers = answers };

	for (unsigned i = 0; a.status == PN_DNS_OK && i < 2; i++) {
		(void)snprintf(text[i], sizeof(text[i]), "v%u",
		    dice(p->question, 2 + i, 4));
		answers[a.n++] = pn_str_of(text[i]);
	}
	p->on_dns(p->arg, &a);
}

static void
answer(const struct pending *p)
{
	static const struct findings nothing;
	char text[24];

	(void)snprintf(text, sizeof(text), "v%u", dice(p->question, 2, 4));
	if (p->kind == DNS)
		answer_dns(p);
	else if (p->kind == SERVICE)
		p->on_service(p->arg, dice(p->question, 1, 5) ? PN_REPLY_OK
		    : (enum pn_reply_status)dice(p->question, 9, 4),
		    pn_str_of(text));
	else if (p->kind == COUNTER)
		p->on_number(p->arg, dice(p->question, 1, 6) > 0,
		    dice(p->question, 2, 4), 0);
	else
		p->on_findings(p->arg, POOL_FOUND, &nothing);
}

static void
answer_one(void)
{
	uint32_t i = draw((uint32_t)n_pending);
	struct pending *p = pending[i];

	pending[i] = pending[--n_pending];
	answer(p);
	free(p);
}

/* ---- who asks ---- */

struct settings {
	int64_t nr;
};

/* A question's number tells who asks it, when and behind what. */
static unsigned
number_of(unsigned module, unsigned stage, unsigned nth, unsigned depth)
{
	return ((module * STAGES + stage) * ASKS + nth) * DEPTH + depth;
}

/* Continuations get the address of an element: its index is the question. */
static const char questions[MODULES * STAGES * ASKS * DEPTH];

static unsigned
question_of(const void *arg)
{
	return (unsigned)((const char *)arg - questions);
}

static const char *
fact_name(unsigned question, const char *what, char out[32])
{
	unsigned hook = question / (ASKS * DEPTH);

	(void)snprintf(out, 32, "m%u.s%u.%s", hook / STAGES, hook % STAGES,
	    what);
	return out;
}

static enum pn_step ask(struct pn_mail *, unsigned question);

/* The same of whatever kind of answer. */
static enum pn_step
go_on(struct pn_mail *m, unsigned q, bool known, struct pn_str value)
{
	char name[32], key[8];

	if (dice(q, 20, 30) == 0)
		return PN_FAIL;
	(void)snprintf(key, sizeof(key), "k%u", q / DEPTH % ASKS);
	if (!known)
		pn_keyed_unknown(m, fact_name(q, "key", name), pn_str_of(key));
	else if (q % DEPTH == 0)
		pn_keyed_bool(m, fact_name(q, "key", name), pn_str_of(key),
		    dice(q, 21, 2) ? PN_TRUE : PN_FALSE);
	if (known && value.n > 0)
		pn_fact_str(m, fact_name(q, "text", name), value);
	if (q % DEPTH + 1 < DEPTH && dice(q, 22, 2))
		return ask(m, q + 1);
	return PN_NEXT;
}

static enum pn_step
on_dns(struct pn_mail *m, const struct pn_dns *a)
{
	unsigned q = question_of(a->arg);
	enum pn_step step = PN_NEXT;
	char name[32];

	for (size_t i = 1; i < a->n; i++)
		pn_fact_str(m, fact_name(q, "text", name), a->answers[i]);
	step = go_on(m, q, a->status == PN_DNS_OK || a->status == PN_DNS_NONE,
	    a->n > 0 ? a->answers[0] : PN_STR_V(""));
	return step;
}

static enum pn_step
on_reply(struct pn_mail *m, const struct pn_reply *r)
{
	return go_on(m, question_of(r->arg), r->status == PN_REPLY_OK, r->bytes);
}

static enum pn_step
on_count(struct pn_mail *m, const struct pn_count *c)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "v%lld", (long long)c->value);
	return go_on(m, question_of(c->arg), c->known, pn_str_of(text));
}

/* Replies come whole here. */
static long
whole(struct pn_str so_far, bool closed)
{
	(void)closed;
	return (long)so_far.n;
}

static enum pn_step
ask(struct pn_mail *m, unsigned q)
{
	static const char *const anywhere = "somewhere";
	struct pn_request r = { .whole = whole,
		.service = (const struct pn_service *)(const void *)anywhere };
	char text[16];

	(void)snprintf(text, sizeof(text), "%u", q);
	r.bytes = pn_str_of(text);
	if (dice(q, 10, 3) == 0)
		return pn_ask_dns_txt(m, r.bytes, on_dns, &questions[q]);
	if (dice(q, 10, 3) == 1)
		return pn_ask_service(m, &r, on_reply, &questions[q]);
	return pn_ask_count(m, r.bytes, 1, 1000, on_count, &questions[q]);
}

static enum pn_step
start(struct pn_mail *m, unsigned stage)
{
	const struct settings *s = pn_settings(m);
	unsigned first = number_of((unsigned)s->nr, stage, 0, 0);
	unsigned n = dice(first, 30, ASKS + 1);
	enum pn_step step = PN_NEXT;
	char name[32];

	pn_fact_number(m, fact_name(first, "n", name), n);
	for (unsigned i = 0; i < n && step != PN_FAIL; i++)
		step = ask(m, number_of((unsigned)s->nr, stage, i, 0));
	return step;
}

#define HOOK(name, stage)                                                      \
	static enum pn_step name(struct pn_mail *m)                            \
	{                                                                      \
		return start(m, stage);                                        \
	}
HOOK(hook_connect, STAGE_CONNECT)
HOOK(hook_helo, STAGE_HELO)
HOOK(hook_mail, STAGE_MAIL)
HOOK(hook_rcpt, STAGE_RCPT)
HOOK(hook_message, STAGE_MESSAGE)

#define AT(m, s)                                                               \
	{ .name = "m" #m ".s" #s ".text", .type = PN_STRING,                   \
	    .stage = (enum pn_stage)(s), .flags = PN_FACT_MANY },              \
	{ .name = "m" #m ".s" #s ".key", .type = PN_BOOL,                      \
	    .stage = (enum pn_stage)(s), .flags = PN_FACT_KEYED },             \
	{ .name = "m" #m ".s" #s ".n", .type = PN_NUMBER,                      \
	    .stage = (enum pn_stage)(s) }
#define MODULE(m)                                                              \
	{ .abi = PN_ABI, .name = "m" #m, .settings_size = sizeof(struct settings), \
	    .options = (const struct pn_option[]){ { "nr", PN_OPT_NUMBER, 0, #m, \
		"" }, { .name = NULL } },                                      \
	    .facts = (const struct pn_fact_decl[]){ AT(m, 0), AT(m, 1),        \
		AT(m, 2), AT(m, 3), AT(m, 4), { .name = NULL } },              \
	    .connect = hook_connect, .helo = hook_helo, .mail = hook_mail,     \
	    .rcpt = hook_rcpt, .message = hook_message }

static const struct pn_filter modules[MODULES] = { MODULE(0), MODULE(1),
	MODULE(2), MODULE(3), MODULE(4), MODULE(5), MODULE(6), MODULE(7),
	MODULE(8), MODULE(9) };

/* ---- rules ---- */

static void
write_policy(struct buf *b)
{
	static const char *const then[] = { "tag", "score +1 \"one\"",
		"header add X-Seen \"rule\"", "tempfail 451 4.7.1 \"later\"",
		"tag", "quarantine", "tag", "reject 550 5.7.1 \"no\"" };
	static const char *const unknown[] = { "", "on unknown tag; ", "",
		"on unknown tempfail; " };
	unsigned nr = 0;

	(void)buf_puts(b, "policy default {\n threshold tag 3;\n");
	for (unsigned m = 0; m < MODULES; m++)
		for (unsigned s = 0; s < STAGES; s++, nr++) {
			(void)buf_printf(b, " rule t%u { when m%u.s%u.text = "
			    "\"v%u\" and m%u.s%u.n > 2; %sthen %s; }\n", nr, m,
			    s, nr % 4, m, s, unknown[nr % 4], then[nr % 8]);
			(void)buf_printf(b, " rule k%u { when m%u.s%u.key("
			    "\"k%u\") and m%u.s%u.key(\"k%u\"); then tag; }\n",
			    nr, m, s, nr % ASKS, (m + 1) % MODULES, s,
			    (nr + 1) % ASKS);
		}
	(void)buf_puts(b, "}\n");
}

static struct rules *
compile(const struct chain *c, struct arena *arena)
{
	static const char *const stages[] = { "connect", "helo", "mail", "rcpt",
		"message", NULL };
	struct rules_decl *facts = arena_alloc(arena,
	    c->n_facts * sizeof(*facts));
	struct rules_decls *decls = arena_alloc(arena, sizeof(*decls));
	struct rules_builder *builder;
	struct rules *rules = NULL;
	struct buf text = { 0 };
	struct error e;
	struct lex l;

	for (uint32_t i = 0; i < c->n_facts; i++)
		facts[i] = (struct rules_decl){ .name = c->facts[i].name,
			.type = c->facts[i].type, .stage = c->facts[i].stage,
			.keyed = c->facts[i].keyed, .many = c->facts[i].many,
			.words = c->facts[i].words, .module = "test" };
	*decls = (struct rules_decls){ .facts = facts, .n_facts = c->n_facts,
		.things = thing_names, .stages = stages };
	write_policy(&text);
	builder = rules_builder_new(arena, decls);
	lex_init(&l, "policy", arena_str(arena, buf_str(&text)));
	if (rules_parse_item(builder, &l, ".", &e) < 0 ||
	    (rules = rules_compile(builder, &e)) == NULL)
		fail_msg("%s", e.text);
	rules_builder_free(builder);
	buf_fini(&text);
	return rules;
}

/* ---- one mail ---- */

struct bench {
	struct loop *loop;
	struct arena *arena;
	struct chain chain;
	struct rules *rules;
	struct engine_conf conf;
	struct spool_pool *spools;
	unsigned woken;
};

static void
on_wake(struct transaction *t)
{
	((struct bench *)t->owner)->woken++;
}

static void
run(struct bench *b, struct engine *g, struct transaction *t, enum stage stage)
{
	unsigned woken = b->woken;
	enum engine_turn turn = engine_run(g, t, stage);

	while (turn == ENGINE_PENDING) {
		while (b->woken == woken) {
			must(n_pending > 0); /* else nobody could wake it */
			answer_one();
		}
		woken = b->woken;
		turn = engine_run(g, t, stage);
	}
	assert_int_equal(n_pending, 0);
}

static void
put_verdict(struct buf *out, const struct verdict *v)
{
	(void)buf_printf(out, "%d %u %.*s %d %s %.*s %d\n", v->action, v->order,
	    PN_STR_ARG(v->rule), v->reply.code, v->reply.status,
	    PN_STR_ARG(v->reply.text), v->degraded);
}

static void
run_rcpt(struct bench *b, struct engine *g, struct transaction *t,
    const char *address, struct buf *out)
{
	struct rcpt *r = envelope_add_rcpt(&t->envelope, t->arena);

	r->address = r->path = pn_str_of(address);
	r->local = PN_STR_V("a");
	r->domain = PN_STR_V("x");
	t->rcpt = r;
	run(b, g, t, STAGE_RCPT);
	put_verdict(out, &t->rcpt_verdict);
	r->accepted = true; /* whatever was said: the message stage is to come */
	t->envelope.n_accepted++;
}

/* All that came of it, in words. */
static void
run_mail(struct bench *b, struct engine *g, struct transaction *t,
    struct buf *out)
{
	struct edit *edit;
	struct error e;

	t->owner = b;
	t->wake = on_wake;
	t->client.ip = PN_STR_V("192.0.2.7");
	t->client.listener = PN_STR_V("*:25");
	run(b, g, t, STAGE_CONNECT);
	run(b, g, t, STAGE_HELO);
	t->envelope.address = PN_STR_V("a@b");
	run(b, g, t, STAGE_MAIL);
	put_verdict(out, &t->verdict);
	run_rcpt(b, g, t, "a@x", out);
	run_rcpt(b, g, t, "b@x", out);
	t->spool = spool_new(b->spools);
	assert_int_equal(
	    spool_append(t->spool, PN_STR_V("A: 1\r\n\r\nx\r\n"), &e), 0);
	run(b, g, t, STAGE_MESSAGE);
	put_verdict(out, &t->verdict);
	STAILQ_FOREACH (edit, &t->edits, next)
		(void)buf_printf(out, "%d %.*s: %.*s\n", edit->kind,
		    PN_STR_ARG(edit->name), PN_STR_ARG(edit->value));
	engine_trace(g, t);
	(void)buf_add(&t->trace, "", 1);
	/* Before it are the id and the time. */
	(void)buf_puts(out, strstr(buf_data(&t->trace), "\"client\""));
	(void)buf_add(out, "", 1);
}

static void
one_order(struct bench *b, uint64_t seed, struct buf *out)
{
	struct error e;
	struct engine *g = engine_new(b->loop, &b->conf, NULL, NULL, NULL, &e);
	struct transaction *t = transaction_new();

	must(g != NULL);
	order = seed;
	run_mail(b, g, t, out);
	transaction_free(t);
	engine_free(g);
}

/* Each world has its own answers, and its own idea of what a failure means. */
static void
new_world(struct bench *b, unsigned nr)
{
	world = nr + 1;
	for (unsigned m = 0; m < MODULES; m++)
		b->chain.modules[m].on_unavailable =
		    (enum chain_unavailable)dice(m, 40, 3);
}

static void
no_order_changes_anything(void **state)
{
	static const struct pn_filter *filters[MODULES];
	static const struct spool_conf spool = { .dir = "/tmp", .max_memory = 1 << 20 };
	struct bench b = { .loop = loop_new(),
		.arena = arena_new_mapped(64 << 20) };
	unsigned differ = 0, degraded = 0;
	struct buf last = { 0 };
	struct error e;

	(void)state;
	for (size_t i = 0; i < MODULES; i++)
		filters[i] = &modules[i];
	if (chain_build(&b.chain, filters, MODULES, b.arena, &e) < 0)
		fail_msg("%s", e.text);
	b.rules = compile(&b.chain, b.arena);
	b.conf = (struct engine_conf){ .chain = &b.chain, .rules = b.rules,
		.dns_timeout_ms = 5000, .enforce = true,
		.unavailable_header = "X-Missing", .trace_accept_percent = 100 };
	b.spools = spool_pool_new(&spool);
	for (unsigned nr = 0; nr < WORLDS; nr++) {
		struct buf first = { 0 };

		new_world(&b, nr);
		one_order(&b, 1, &first);
		for (unsigned seed = 2; seed <= ORDERS; seed++) {
			struct buf other = { 0 };

			one_order(&b, seed, &other);
			if (strcmp(buf_data(&first), buf_data(&other)) != 0)
				fail_msg("world %u, order %u:\n%s\n%s", nr,
				    seed, buf_data(&first), buf_data(&other));
			buf_fini(&other);
		}
		differ += last.mem == NULL ||
		    strcmp(buf_data(&first), buf_data(&last)) != 0;
		degraded += strstr(buf_data(&first), "X-Missing: m") != NULL;
		buf_fini(&last);
		last = first;
	}
	assert_int_equal(differ, WORLDS); /* the worlds are not all one */
	assert_true(degraded > WORLDS / 4 && degraded <= WORLDS);
	buf_fini(&last);
	spool_pool_free(b.spools);
	rules_free(b.rules);
	arena_free(b.arena);
	loop_free(b.loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_order_changes_anything),
	};

	must(log_open("shuffle", "/dev/null", LOG_LEVEL_ERROR) == 0);
	return cmocka_run_group_tests_name("shuffle", tests, NULL, NULL);
}
