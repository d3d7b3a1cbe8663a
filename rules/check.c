/*
 * check - a parsed policy against the declared facts: every name and type,
 * the short forms written out, stages, atoms, patterns; then struct rules.
 *
 * Nothing is looked up by name after this.
 */
#include "rules/text.h"

#include <stdio.h>

#include "base/log.h"
#include "base/must.h"
#include "base/suggest.h"

/* One rule being checked. */
struct checking {
	struct rules_builder *b;
	const struct policy *policy;
	struct rule *rule;
	struct scope scope;
	bool *any_of; /* [things]: `when` has an `any` that can find one */
	const struct expr *any; /* the one around, for named groups */
	bool negated;
	bool in_when;
	struct error *e;
};

static void
no_earlier_than(struct checking *c, unsigned stage)
{
	if (c->rule->stage < stage)
		c->rule->stage = stage;
}

/* ---- quantifiers ---- */

static int
find_thing(struct checking *c, struct expr *x)
{
	const struct rules_decls *d = c->b->decls;
	struct suggest s = suggest_for(x->thing_name.text);
	char near[96];

	for (x->thing = 0; d->things[x->thing] != NULL; x->thing++) {
		struct pn_str thing = pn_str_of(d->things[x->thing]);

		if (pn_str_eq(thing, x->thing_name.text))
			return 0;
		suggest_try(&s, thing);
	}
	for (size_t i = 0; i < d->n_absent; i++)
		if (pn_str_eq(pn_str_of(d->absent[i].name), x->thing_name.text))
			return lex_error(c->e, &x->thing_name.pos,
			    "fact \"%s\" needs module %s, which is not loaded",
			    VIS(x->thing_name.text), d->absent[i].module);
	return lex_error(c->e, &x->thing_name.pos,
	    "nothing called \"%s\" has facts of its own%s",
	    VIS(x->thing_name.text), suggest_text(&s, near, sizeof(near)));
}

static struct expr *
test_expr(
    struct checking *c, const struct word *at, struct pn_str fact, enum op op)
{
	struct expr *x = rules_alloc(c->b, sizeof(*x));

	x->kind = EXPR_TEST;
	x->pos = at->pos;
	x->test = rules_alloc(c->b, sizeof(*x->test));
	x->test->name = (struct word){ .text = fact, .pos = at->pos };
	x->test->op = op;
	x->test->op_pos = at->pos;
	return x;
}

static bool
declares_word(const struct rules_decl *decl, struct pn_str word)
{
	for (size_t i = 0; decl->type == VALUE_WORD && decl->words[i]; i++)
		if (pn_str_eq(pn_str_of(decl->words[i]), word))
			return true;
	return false;
}

/* The fact of the thing that a word of `any part is WORD` speaks of. */
static int
fact_of_word(struct checking *c, const struct expr *x, const struct word *w,
    const struct rules_decl **out)
{
	const struct rules_decls *d = c->b->decls;
	struct pn_str thing = pn_str_of(d->things[x->thing]);
	struct suggest s = suggest_for(w->text);
	char near[96];

	*out = NULL;
	for (uint32_t i = 0; i < d->n_facts; i++) {
		const struct rules_decl *f = &d->facts[i];
		struct pn_str name = pn_str_of(f->name);

		if (!pn_str_starts(name, thing) || name.n <= thing.n ||
		    name.p[thing.n] != '.')
			continue;
		name = pn_str_sub(name, thing.n + 1, name.n);
		if (f->type == VALUE_BOOL)
			suggest_try(&s, name);
		for (size_t k = 0; f->type == VALUE_WORD && f->words[k]; k++)
			suggest_try(&s, pn_str_of(f->words[k]));
		if (!(f->type == VALUE_BOOL && pn_str_eq(name, w->text)) &&
		    !declares_word(f, w->text))
			continue;
		if (*out != NULL)
			return lex_error(c->e, &w->pos,
			    "\"%s\" may be said of %s and of %s: write the "
			    "test in ( )",
			    VIS(w->text), (*out)->name, f->name);
		*out = f;
	}
	return *out != NULL ? 0
			    : lex_error(c->e, &w->pos, "no %s can be \"%s\"%s",
				  d->things[x->thing], VIS(w->text),
				  suggest_text(&s, near, sizeof(near)));
}

/* `any part is a or b` becomes `any part ( a or magic is b )`. */
static int
write_out(struct checking *c, struct expr *x)
{
	size_t prefix = strlen(c->b->decls->things[x->thing]) + 1;
	struct expr *all = NULL, **last = &all, *either;
	const struct rules_decl *f;

	for (struct word *w = x->test->values; w != NULL; w = w->next) {
		struct expr *one;

		if (fact_of_word(c, x, w, &f) < 0)
			return -1;
		one = test_expr(c, w, pn_str_of(f->name + prefix),
		    f->type == VALUE_BOOL ? OP_HOLDS : OP_IS);
		if (f->type == VALUE_WORD) {
			one->test->values = rules_alloc(c->b, sizeof(*w));
			*one->test->values = *w;
			one->test->values->next = NULL;
		}
		*last = one;
		last = &one->next;
	}
	if (all->next != NULL) {
		either = rules_alloc(c->b, sizeof(*either));
		*either = (struct expr){
			.kind = EXPR_OR, .pos = all->pos, .first = all
		};
		all = either;
	}
	x->first = all;
	if (x->test->op == OP_IS_NOT) {
		x->first = rules_alloc(c->b, sizeof(*x->first));
		*x->first = (struct expr){
			.kind = EXPR_NOT, .pos = all->pos, .first = all
		};
	}
	x->test = NULL;
	return 0;
}

static int check_expr(struct checking *c, struct expr *x);

static int
check_quant(struct checking *c, struct expr *x)
{
	bool negated = c->negated;

	if (c->scope.thing != NO_THING)
		return lex_error(c->e, &x->pos,
		    "any, all and no cannot stand within one another");
	if (find_thing(c, x) < 0 || (x->test != NULL && write_out(c, x) < 0))
		return -1;
	/* A rule and its override may share it: it is numbered once. */
	if (!x->has_quant_id)
		x->quant_id = c->b->rules->n_quants++;
	x->has_quant_id = true;
	/* It needs the count of things, even if no fact is asked of them. */
	no_earlier_than(c, c->b->rules->n_stages - 1);
	if (x->quant == QUANT_ANY && c->in_when && !negated)
		c->any_of[x->thing] = true;
	c->b->rules->thing_used[x->thing] = true;
	c->scope.thing = x->thing;
	c->any = x->quant == QUANT_ANY ? x : NULL;
	if (check_expr(c, x->first) < 0)
		return -1;
	c->scope.thing = NO_THING;
	c->any = NULL;
	return 0;
}

/* The named groups of a regex that has to match for `when` to be true. */
static int
take_names(struct checking *c, const struct expr *x)
{
	const struct atom *a = x->atom;
	uint32_t n = a->op == OP_MATCH ? pattern_n_captures(a->pattern) : 0;
	struct named **last = &c->rule->named;
	struct fact_ref ref;

	if (!c->in_when || c->negated ||
	    (c->scope.thing != NO_THING && c->any == NULL))
		return 0;
	while (*last != NULL)
		last = &(*last)->next;
	for (uint32_t i = 0; i < n; i++) {
		struct pn_str name = pattern_capture_name(a->pattern, i);

		if (fact_exists(c->b->decls, NO_THING, name, &ref))
			return lex_error(c->e, &x->test->values->pos,
			    "a group cannot be named \"%s\": a fact is",
			    VIS(name));
		*last = rules_alloc(c->b, sizeof(**last));
		**last =
		    (struct named){ .atom = a, .index = i, .quant = c->any };
		last = &(*last)->next;
	}
	return 0;
}

static int
check_test(struct checking *c, struct expr *x)
{
	if (atom_make(c->b, &c->scope, x->test, &x->atom, c->e) < 0)
		return -1;
	if (x->atom->fact == c->b->rules->score)
		c->rule->reads = true;
	else
		no_earlier_than(c, c->b->decls->facts[x->atom->fact].stage);
	return take_names(c, x);
}

/* Recursion is bounded: the parser has counted the levels. */
static int
check_expr(struct checking *c, struct expr *x)
{
	if (x->kind == EXPR_QUANT)
		return check_quant(c, x);
	if (x->kind == EXPR_TEST)
		return check_test(c, x);
	c->negated ^= x->kind == EXPR_NOT;
	for (struct expr *kid = x->first; kid != NULL; kid = kid->next)
		if (check_expr(c, kid) < 0)
			return -1;
	c->negated ^= x->kind == EXPR_NOT;
	return 0;
}

/* ---- actions ---- */

/* What changes the message or its recipients is for its end. */
static bool
needs_message(const struct action *a)
{
	switch (a->kind) {
	case RULES_HEADER:
	case RULES_SUBJECT_PREFIX:
	case RULES_STRIP:
	case RULES_COPY:
	case RULES_RCPT_ADD:
	case RULES_RCPT_REMOVE:
	case RULES_REDIRECT:
		return true;
	default:
		return a->copy;
	}
}

static int
check_text(struct checking *c, struct action *a, const struct text_use *use)
{
	const struct rules_decls *d = c->b->decls;
	struct rules *r = c->b->rules;

	if (text_check(c->b, use, &a->text, c->e) < 0)
		return -1;
	for (const struct piece *p = a->text.pieces; p != NULL; p = p->next) {
		if (p->kind != PIECE_FACT)
			continue;
		if (p->fact == r->score)
			c->rule->reads = true;
		else
			no_earlier_than(c, d->facts[p->fact].stage);
		r->uses[p->fact] = true;
	}
	return 0;
}

static int
check_score(struct checking *c, const struct action *a)
{
	const struct policy *policy = c->policy;
	struct suggest s = suggest_for(a->group.text);
	char near[96];

	c->rule->adds = a;
	if (a->group.text.n == 0 || policy_cap(policy, a->group.text) != NULL)
		return 0;
	for (const struct policy *of = policy; of != NULL; of = of->base)
		for (const struct cap *cap = of->caps; cap; cap = cap->next)
			suggest_try(&s, cap->name);
	return lex_error(c->e, &a->group.pos,
	    "unknown group \"%s\" (group NAME cap N; makes one)%s",
	    VIS(a->group.text), suggest_text(&s, near, sizeof(near)));
}

/* `strip part` takes those that an `any part` of `when` is true of. */
static int
check_strip(struct checking *c, const struct action *a, const bool *any_of,
    const char *no_any)
{
	const struct rules_decls *d = c->b->decls;
	uint32_t part = 0;

	while (d->things[part] != NULL && strcmp(d->things[part], "part") != 0)
		part++;
	if (d->things[part] != NULL && any_of[part])
		return 0;
	return lex_error(c->e, &a->pos,
	    "\"strip part\" needs a part that was found: %s", no_any);
}

static int
check_actions(struct checking *c, struct action *first, const bool *any_of,
    const char *no_any)
{
	struct rules *r = c->b->rules;

	for (struct action *a = first; a != NULL; a = a->next) {
		struct text_use use = { .any_of = any_of,
			.no_any = no_any,
			.named = first == c->rule->then ? c->rule->named : NULL,
			.reply = a->kind == RULES_REJECT ||
				 a->kind == RULES_TEMPFAIL };

		if ((a->kind == RULES_STRIP &&
			check_strip(c, a, any_of, no_any) < 0) ||
		    check_text(c, a, &use) < 0 ||
		    (a->kind == RULES_SCORE && check_score(c, a) < 0))
			return -1;
		if (needs_message(a))
			no_earlier_than(c, r->n_stages - 1);
		c->rule->allows |= a->kind == RULES_ALLOW;
	}
	return 0;
}

/* Two strata: what reads the score runs after all that add to it. */
static int
check_strata(struct checking *c)
{
	const struct rule *r = c->rule;

	if (!r->reads)
		return 0;
	if (r->adds != NULL)
		return lex_error(c->e, &r->adds->pos,
		    "rule \"%s\" reads the score and so cannot add to it",
		    VIS(r->name));
	if (r->allows)
		return lex_error(c->e, &r->then->pos,
		    "rule \"%s\" reads the score and so cannot allow: that is "
		    "judged before rules that add to it",
		    VIS(r->name));
	return 0;
}

/* ---- test clauses ---- */

static int
given_bool(struct checking *c, const struct word *w, struct value *v)
{
	v->number = pn_str_eq(w->text, PN_STR_V("yes"));
	if (v->number || pn_str_eq(w->text, PN_STR_V("no")))
		return 0;
	return lex_error(
	    c->e, &w->pos, "\"%s\" is neither yes nor no", VIS(w->text));
}

static int
given_number(struct checking *c, const struct word *w, struct value *v)
{
	unsigned long long n;

	if (w->text.n > 10 || lex_size(w->text, &n) < 0)
		return lex_error(
		    c->e, &w->pos, "\"%s\" is no number", VIS(w->text));
	v->number = (int64_t)n;
	return 0;
}

static int
given_ip(struct checking *c, const struct word *w, struct value *v)
{
	struct net net;
	const char *wrong = net_parse(w->text, &net);

	if (wrong == NULL && net.bits < 128)
		wrong = "is a network, not one address";
	if (wrong != NULL)
		return lex_error(
		    c->e, &w->pos, "\"%s\" %s", VIS(w->text), wrong);
	v->str = w->text;
	if (v->str.p[0] == '[')
		v->str = pn_str_sub(v->str, 1, v->str.n - 2);
	return 0;
}

static int
given_address(struct checking *c, const struct word *w, struct value *v)
{
	size_t at = w->text.n;

	v->str = w->text;
	if (w->text.n == 0)
		return 0; /* <>, the null sender */
	if (!address_is_valid(w->text, false))
		return lex_error(
		    c->e, &w->pos, "\"%s\" is no address", VIS(w->text));
	while (w->text.p[--at] != '@')
		;
	v->local = pn_str_sub(w->text, 0, at);
	v->domain = pn_str_sub(w->text, at + 1, w->text.n);
	return 0;
}

static int
given_word(struct checking *c, const struct rules_decl *decl,
    const struct word *w, struct value *v)
{
	v->str = w->text;
	if (declares_word(decl, w->text))
		return 0;
	return lex_error(
	    c->e, &w->pos, "\"%s\" is no word of %s", VIS(w->text), decl->name);
}

static int
given_value(struct checking *c, const struct rules_decl *decl,
    const struct word *w, struct value *v)
{
	*v = (struct value){ .state = VALUE_KNOWN, .type = decl->type };
	if (!w->quoted && pn_str_eq(w->text, PN_STR_V("unknown"))) {
		v->state = VALUE_UNKNOWN;
		return 0;
	}
	switch (decl->type) {
	case VALUE_NUMBER:
		return given_number(c, w, v);
	case VALUE_BOOL:
		return given_bool(c, w, v);
	case VALUE_IP:
		return given_ip(c, w, v);
	case VALUE_ADDRESS:
		return given_address(c, w, v);
	case VALUE_WORD:
		return given_word(c, decl, w, v);
	default:
		v->str = w->text;
		return 0;
	}
}

static int
check_given(struct checking *c, const struct given *g, struct rules_given *out)
{
	const struct rules_decl *decl;
	struct fact_ref ref;

	if (fact_find(c->b->decls, NO_THING, &g->name, &ref, c->e) < 0)
		return -1;
	decl = &c->b->decls->facts[ref.fact];
	if (ref.fact == c->b->rules->score)
		return lex_error(c->e, &g->name.pos,
		    "\"score\" is what rules add up and cannot be given");
	if (decl->content)
		return lex_error(c->e, &g->name.pos,
		    "\"%s\" is read from the test's file and cannot be given",
		    VIS(g->name.text));
	if (ref.field != FIELD_WHOLE || g->has_key != decl->keyed)
		return lex_error(c->e, &g->name.pos,
		    decl->keyed ? "\"%s\" needs a name: fact(\"...\")"
				: "\"%s\" must be given whole",
		    VIS(g->name.text));
	if (g->has_key && key_known(decl, &g->key, c->e) < 0)
		return -1;
	out->fact = ref.fact;
	out->key = g->key.text;
	return given_value(c, decl, &g->value, &out->value);
}

static int
check_test_clause(
    struct checking *c, const struct test_clause *t, struct rules_test *out)
{
	struct rules_given *given =
	    rules_alloc(c->b, t->n_given * sizeof(*given));
	size_t n = 0;

	for (const struct given *g = t->given; g != NULL; g = g->next)
		if (check_given(c, g, &given[n++]) < 0)
			return -1;
	*out = (struct rules_test){ .policy = c->rule->policy,
		.rule = c->rule->name,
		.name = t->name.text,
		.file = t->path,
		.expect = t->expect.text,
		.pos = t->pos,
		.given = given,
		.n_given = n };
	return 0;
}

static int
check_tests(struct checking *c)
{
	struct rules *r = c->b->rules;

	for (const struct test_clause *t = c->rule->tests; t; t = t->next)
		if (check_test_clause(c, t, &r->tests[r->n_tests++]) < 0)
			return -1;
	return 0;
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
	bool *none = rules_alloc(b, r->n_things);

	c.scope.thing = NO_THING;
	c.any_of = rules_alloc(b, r->n_things);
	c.in_when = true;
	if (rule->when != NULL && check_expr(&c, rule->when) < 0)
		return -1;
	c.in_when = false;
	if (rule->unless != NULL && check_expr(&c, rule->unless) < 0)
		return -1;
	if (check_actions(&c, rule->then, c.any_of,
		"the rule's \"when\" has no \"any\" of it") < 0 ||
	    check_actions(&c, rule->on_unknown, none,
		"where the rule is unknown there is none") < 0)
		return -1;
	return check_strata(&c) < 0 ? -1 : check_tests(&c);
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

bool
rules_need_content(const struct rules *r)
{
	for (uint32_t i = 0; i < r->decls->n_facts; i++)
		if (r->uses[i] && r->decls->facts[i].content)
			return true;
	return r->n_content > 0;
}

size_t
rules_tests(const struct rules *r, const struct rules_test **out)
{
	*out = r->tests;
	return r->n_tests;
}
