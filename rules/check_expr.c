/*
 * check_expr - conditions against the declared facts: quantifiers and their
 * short forms, tests, and what the named groups of a regex will stand for.
 */
#include "rules/check.h"

#include "base/log.h"
#include "base/suggest.h"

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
		if (d->absent[i].module != NULL &&
		    pn_str_eq(pn_str_of(d->absent[i].name), x->thing_name.text))
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
		    !check_declares_word(f, w->text))
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

static int
error_of_message(struct checking *c, const struct lex_pos *pos)
{
	return lex_error(c->e, pos,
	    "this is known only after the message was read: a condition here "
	    "may ask for what is known at %s",
	    c->b->decls->stages[c->b->rules->rcpt_stage]);
}

static int
check_quant(struct checking *c, struct expr *x)
{
	bool negated = c->negated;

	if (c->is_condition)
		return error_of_message(c, &x->pos);
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
	check_no_earlier(c, c->b->rules->n_stages - 1);
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
	const struct rules_decl *decl;

	if (atom_make(c->b, &c->scope, x->test, &x->atom, c->e) < 0)
		return -1;
	decl = &c->b->decls->facts[x->atom->fact];
	if (c->is_condition && (x->atom->fact == c->b->rules->score ||
				   decl->stage > c->b->rules->rcpt_stage))
		return error_of_message(c, &x->test->name.pos);
	if (x->atom->fact == c->b->rules->score)
		c->rule->reads = true;
	else
		check_no_earlier(c, decl->stage);
	return take_names(c, x);
}

/* Recursion is bounded: the parser has counted the levels. */
int
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
