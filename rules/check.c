/*
 * check - a parsed policy against the declared facts: every name and type,
 * the short forms written out, stages, atoms, patterns; then struct rules.
 *
 * Nothing is looked up by name after this.
 */
#include "rules/check.h"

#include <stdio.h>

#include "base/log.h"
#include "base/must.h"

void
check_no_earlier(struct checking *c, unsigned stage)
{
	if (c->rule->stage < stage)
		c->rule->stage = stage;
}

bool
check_declares_word(const struct rules_decl *decl, struct pn_str word)
{
	for (size_t i = 0; decl->type == VALUE_WORD && decl->words[i]; i++)
		if (pn_str_eq(pn_str_of(decl->words[i]), word))
			return true;
	return false;
}

/* ---- whom a policy is for ---- */

/* The values as a test of that fact would have them. */
static struct word *
cond_values(struct checking *c, const struct cond *cond)
{
	bool listener = pn_str_eq(cond->fact.text, PN_STR_V("listener"));
	struct word *first = NULL, **last = &first;

	/* The names of listeners and logins are no lists' names. */
	if (!listener && !pn_str_eq(cond->fact.text, PN_STR_V("login")))
		return cond->values;
	for (const struct word *w = cond->values; w != NULL; w = w->next) {
		*last = rules_alloc(c->b, sizeof(*w));
		**last = *w;
		(*last)->quoted = true;
		(*last)->next = NULL;
		last = &(*last)->next;
	}
	return first;
}

static bool
is_login_any(const struct cond *cond)
{
	return pn_str_eq(cond->fact.text, PN_STR_V("login")) &&
	       !cond->values->quoted &&
	       pn_str_eq(cond->values->text, PN_STR_V("any"));
}

/* rcpt a b: rcpt in a b; direction a b: direction is a or b; login any: login
 * != "", as what is absent makes every test false. */
static int
check_cond(struct checking *c, struct cond *cond)
{
	struct test test = {
		.name = cond->fact, .op = OP_IN, .op_pos = cond->fact.pos
	};
	const struct rules_decls *d = c->b->decls;

	test.values = cond_values(c, cond);
	if (pn_str_eq(test.name.text, PN_STR_V("client")))
		test.name.text = PN_STR_V("client.ip");
	if (pn_str_eq(test.name.text, PN_STR_V("direction")))
		test.op = OP_IS;
	if (is_login_any(cond)) {
		test.op = OP_NE;
		test.values->text = PN_STR_V("");
	}
	if (atom_make(c->b, &c->scope, &test, &cond->atom, c->e) < 0)
		return -1;
	must(!cond->atom->content &&
	     d->facts[cond->atom->fact].stage <= c->b->rules->rcpt_stage);
	return 0;
}

static int
check_conds(struct rules_builder *b, struct policy *policy, struct error *e)
{
	struct checking c = { .b = b, .policy = policy, .e = e };

	c.scope.thing = NO_THING;
	for (struct cond *cond = policy->conds; cond; cond = cond->next)
		if (check_cond(&c, cond) < 0)
			return -1;
	return 0;
}

/* ---- the whole ---- */

static int
check_rule(struct rules_builder *b, const struct policy *policy,
    struct rule *rule, struct error *e)
{
	struct rules *r = b->rules;
	struct checking c = { .b = b, .policy = policy, .rule = rule, .e = e };

	c.scope.thing = NO_THING;
	c.any_of = rules_alloc(b, r->n_things);
	c.in_when = true;
	if (rule->when != NULL && check_expr(&c, rule->when) < 0)
		return -1;
	c.in_when = false;
	if (rule->unless != NULL && check_expr(&c, rule->unless) < 0)
		return -1;
	return check_all_actions(&c) < 0 ? -1 : check_tests(&c);
}

/* The place may be one in the base, whose text is right there. */
static int
tell_override(
    const struct policy *policy, const struct rule *r, struct error *e)
{
	size_t n = strlen(e->text);

	(void)snprintf(e->text + n, sizeof(e->text) - n,
	    "\n(in rule \"%s\" as policy \"%s\" overrides it at %s:%u)",
	    VIS(r->name), VIS(policy->name), r->pos.file, r->pos.line);
	return -1;
}

static int
check_policy(struct rules_builder *b, struct policy *policy, struct error *e)
{
	if (check_conds(b, policy, e) < 0)
		return -1;
	for (struct rule *r = policy->own; r != NULL; r = r->next)
		if (r->kind != RULE_OFF && check_rule(b, policy, r, e) < 0)
			return r->over != NULL ? tell_override(policy, r, e)
					       : -1;
	return 0;
}

/* ---- what there is to begin with ---- */

/* The caller's facts and, unless he lists it himself, `score`. */
static const struct rules_decls *
with_score(struct rules_builder *b)
{
	static const struct rules_decl score = { .name = "score",
		.type = VALUE_NUMBER,
		.below_zero = true,
		.module = "rules",
		.help = "what the rules of the policy have added up" };
	struct rules_decls *d = rules_alloc(b, sizeof(*d));
	struct rules_decl *facts;

	*d = *b->decls;
	for (uint32_t i = 0; i < d->n_facts; i++)
		if (strcmp(d->facts[i].name, score.name) == 0) {
			b->rules->score = i;
			return d;
		}
	facts = rules_alloc(b, (d->n_facts + 1) * sizeof(*facts));
	memcpy(facts, d->facts, d->n_facts * sizeof(*facts));
	facts[d->n_facts] = score;
	b->rules->score = d->n_facts++;
	d->facts = facts;
	return d;
}

static void
count_things(struct rules_builder *b)
{
	const struct rules_decls *d = b->decls;
	struct rules *r = b->rules;

	while (d->things[r->n_things] != NULL)
		r->n_things++;
	r->thing_used = rules_alloc(b, r->n_things);
	r->thing_content = rules_alloc(b, r->n_things);
	for (uint32_t i = 0; i < d->n_facts; i++)
		for (uint32_t t = 0; t < r->n_things; t++) {
			struct pn_str thing = pn_str_of(d->things[t]);
			struct pn_str fact = pn_str_of(d->facts[i].name);

			if (d->facts[i].content && pn_str_starts(fact, thing) &&
			    fact.n > thing.n && fact.p[thing.n] == '.')
				r->thing_content[t] = true;
		}
}

static void
count_up(struct rules_builder *b)
{
	struct rules *r = b->rules;
	size_t n_tests = 0, n = 0;

	b->decls = with_score(b);
	r->arena = b->arena;
	r->decls = b->decls;
	for (; r->decls->stages[r->n_stages] != NULL; r->n_stages++)
		if (strcmp(r->decls->stages[r->n_stages], "rcpt") == 0)
			r->rcpt_stage = r->n_stages;
	r->uses = rules_alloc(b, r->decls->n_facts);
	count_things(b);
	r->policies = rules_alloc(b, r->n_policies * sizeof(*r->policies));
	for (struct policy *p = b->policies; p != NULL; p = p->next) {
		r->policies[n++] = p;
		for (const struct rule *rule = p->own; rule; rule = rule->next)
			for (const struct test_clause *t = rule->tests; t;
			     t = t->next)
				n_tests++;
	}
	r->tests = rules_alloc(b, n_tests * sizeof(*r->tests));
}

static int
compile(struct rules_builder *b, struct error *e)
{
	count_up(b);
	for (struct policy *p = b->policies; p != NULL; p = p->next)
		if (check_policy(b, p, e) < 0)
			return -1;
	if (check_conditions(b, e) < 0)
		return -1;
	atoms_number(b);
	rules_order(b);
	return rules_place(b, e);
}

static int
compile_guarded(struct rules_builder *b, struct error *e)
{
	if (b->rules == NULL || setjmp(b->full) != 0)
		return error_set(
		    e, "the policy needs more memory than it may have");
	return compile(b, e);
}

struct rules *
rules_compile(struct rules_builder *b, struct error *e)
{
	int status = compile_guarded(b, e);

	pattern_memory_close(b->memory);
	if (status < 0)
		return NULL; /* rules_builder_free() cleans up */
	b->rules->patterns = b->patterns;
	b->compiled = true;
	return b->rules;
}

void
rules_free(struct rules *r)
{
	if (r == NULL)
		return;
	pattern_free_all(r->patterns);
	maps_close(r);
}

bool
rules_counts(const struct rules *r, uint32_t thing)
{
	return thing < r->n_things && r->thing_used[thing];
}

bool
rules_uses(const struct rules *r, uint32_t fact)
{
	return fact < r->decls->n_facts && r->uses[fact];
}

size_t
rules_tests(const struct rules *r, const struct rules_test **out)
{
	*out = r->tests;
	return r->n_tests;
}
