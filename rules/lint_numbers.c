/*
 * lint_numbers - comparisons that say nothing: sizes, depths and counts are
 * never below 0, so that all of them are at least that, and none is less. Called
 * by lint.c, behind what tells of whole rules.
 */
#include "rules/lint.h"

/* Of no number, or of every one? */
enum says { SAYS_SOMETHING, SAYS_NEVER, SAYS_ALWAYS };

static enum says
says(enum op op, int64_t n)
{
	switch (op) {
	case OP_EQ:
	case OP_LE:
		return n < 0 ? SAYS_NEVER : SAYS_SOMETHING;
	case OP_LT:
		return n <= 0 ? SAYS_NEVER : SAYS_SOMETHING;
	case OP_NE:
	case OP_GT:
		return n < 0 ? SAYS_ALWAYS : SAYS_SOMETHING;
	case OP_GE:
		return n <= 0 ? SAYS_ALWAYS : SAYS_SOMETHING;
	default:
		return SAYS_SOMETHING;
	}
}

static void
look_at_tests(struct lint *l, const struct expr *x)
{
	const struct rules_decl *d;
	enum says what = SAYS_SOMETHING;

	if (x == NULL)
		return;
	if (x->kind == EXPR_TEST) {
		d = &l->r->decls->facts[x->atom->fact];
		if (d->type == VALUE_NUMBER && !d->below_zero)
			what = says(x->atom->op, x->atom->number);
		if (what != SAYS_SOMETHING)
			lint_warn(l, &x->pos,
			    "this is %s true: \"%s\" is never below 0",
			    what == SAYS_NEVER ? "never" : "always", d->name);
	}
	for (const struct expr *k = x->first; k != NULL; k = k->next)
		look_at_tests(l, k);
}

void
lint_numbers(struct lint *l)
{
	for (size_t i = 0; i < l->r->n_policies; i++)
		for (const struct rule *r = l->r->policies[i]->own; r;
		     r = r->next) {
			if (r->kind != RULE_PLAIN)
				continue;
			look_at_tests(l, r->when);
			look_at_tests(l, r->unless);
		}
	for (const struct condition *c = l->r->conditions; c; c = c->next)
		look_at_tests(l, c->expr);
}
