/*
 * inspect_world - what tests of inspector and pool stand on: a chain of the
 * built-in modules and one of the test's own, a policy of one rule, a channel
 * and a loop.
 */
#ifndef TESTS_INSPECT_WORLD_H
#define TESTS_INSPECT_WORLD_H

#include <event2/event.h>
#include <stdlib.h>

#include "filters/builtin.h"
#include "inspect/inspector.h"
#include "inspect/pool.h"

struct world {
	struct arena *arena;
	struct chain chain;
	struct rules_decls decls;
	struct rules *rules;
	struct inspect_conf conf;
	struct inspect_channel channel;
	struct loop *loop;
	struct spool_pool *spools;
	struct pool *pool;
};

static inline int
world_rules(struct world *w, const char *text)
{
	static const char *const stages[] = { "connect", "helo", "mail", "rcpt",
		"message", NULL };
	const struct chain *c = &w->chain;
	struct rules_decl *facts =
	    arena_alloc(w->arena, c->n_facts * sizeof(*facts));
	struct rules_builder *b;
	struct lex l;
	struct error e;
	int rc;

	for (uint32_t i = 0; i < c->n_facts; i++)
		facts[i] = (struct rules_decl){ .name = c->facts[i].name,
			.type = c->facts[i].type,
			.stage = c->facts[i].stage,
			.content = c->facts[i].content,
			.keyed = c->facts[i].keyed,
			.many = c->facts[i].many,
			.module = "test",
			.words = c->facts[i].words };
	w->decls = (struct rules_decls){ .facts = facts,
		.n_facts = c->n_facts,
		.things = thing_names,
		.stages = stages };
	b = rules_builder_new(w->arena, &w->decls);
	lex_init(&l, "policy", pn_str_of(text));
	rc = rules_parse_item(b, &l, ".", &e);
	w->rules = rc < 0 ? NULL : rules_compile(b, &e);
	rules_builder_free(b);
	if (w->rules == NULL)
		print_error("%s\n", e.text);
	return w->rules == NULL ? -1 : 0;
}

/* `own` is the test's module; slots take max_message bytes. */
static inline int
world_make(struct world *w, const struct pn_filter *own, size_t max_message)
{
	const struct pn_filter *filters[] = { PN_BUILTIN_FILTERS, own };
	struct error e;

	*w = (struct world){ .arena = arena_new(16 << 20) };
	if (chain_build(&w->chain, filters, PN_COUNT(filters), w->arena, &e) <
		0 ||
	    inspect_channel_make(&w->channel, max_message, &e) < 0) {
		print_error("%s\n", e.text);
		return -1;
	}
	if (world_rules(w, "policy default { rule poison { "
			   "when subject contains \"poison\"; "
			   "then reject 550 5.7.1 \"no\"; } }") < 0)
		return -1;
	w->conf = (struct inspect_conf){ .deadline_ms = 10000,
		.max_memory = 1 << 30,
		.limits = view_limits_default,
		.chain = &w->chain,
		.rules = w->rules,
		.charsets = charsets_open() };
	w->loop = loop_new();
	w->spools = spool_pool_new(
	    &(struct spool_conf){ .dir = "/tmp", .max_memory = 1 << 20 });
	return 0;
}

static inline void
world_end(struct world *w)
{
	pool_free(w->pool);
	loop_free(w->loop);
	spool_pool_free(w->spools);
	inspect_channel_free(&w->channel);
	rules_free(w->rules);
	charsets_close(w->conf.charsets);
	arena_free(w->arena);
}

/* What became of one message. */
struct told {
	struct world *world;
	struct spool *spool;
	struct arena *arena;
	struct pool_job *job;
	unsigned times;
	enum pool_result result;
	struct findings findings;
};

/* How often they were, together. */
static inline unsigned
told_of(const struct told *t, size_t n)
{
	unsigned times = 0;

	for (size_t i = 0; i < n; i++)
		times += t[i].times;
	return times;
}

static inline void
on_told(void *arg, enum pool_result result, const struct findings *f)
{
	struct told *t = arg;

	t->times++;
	t->job = NULL;
	t->result = result;
	if (f != NULL)
		t->findings = *f;
}

/* head, then so many bytes of lines that differ from message to message. */
static inline void
submit(struct world *w, struct told *t, const char *head, size_t size)
{
	struct error e;
	size_t n = strlen(head);
	char *text = malloc(size + 1);

	for (size_t i = 0; i < size; i++)
		text[i] = i % 61 == 59	 ? '\r'
			  : i % 61 == 60 ? '\n'
					 : (char)('a' + (i + size / 7) % 26);
	memcpy(text, head, n < size ? n : size);
	*t = (struct told){ .world = w,
		.spool = spool_new(w->spools),
		.arena = arena_new(16 << 20) };
	assert_int_equal(
	    spool_append(t->spool, (struct pn_str){ text, size }, &e), 0);
	free(text);
	t->job = pool_submit(w->pool, t->spool, t->arena, on_told, t);
	assert_int_equal(t->times, 0); /* never from pool_submit */
}

static inline void
forget(struct told *t)
{
	if (t->job != NULL)
		pool_cancel(t->job);
	spool_free(t->spool);
	arena_free(t->arena);
}

#endif
