/*
 * lint_doors - what only means something where an MTA asks us by the milter
 * protocol: the macros that it tells, and its hold queue. Called by lint.c
 * where there is no such door.
 */
#include "base/log.h"
#include "rules/lint.h"

static void
look_at_macros(struct lint *l, const struct expr *x)
{
	if (x == NULL)
		return;
	if (x->kind == EXPR_TEST &&
	    strcmp(l->r->decls->facts[x->atom->fact].name, "macro") == 0)
		lint_warn(l, &x->pos,
		    "without \"listen milter\" nobody tells macros: this is "
		    "never true");
	for (const struct expr *k = x->first; k != NULL; k = k->next)
		look_at_macros(l, k);
}

static void
look_at_actions(
    struct lint *l, const struct rule *rule, const struct action *a)
{
	for (; a != NULL; a = a->next)
		if (a->kind == RULES_HOLD)
			lint_warn(l, &a->pos,
			    "rule \"%s\" holds: without \"listen milter\" "
			    "there is no MTA that does, the keeper keeps it",
			    VIS(rule->name));
}

void
lint_doors(struct lint *l)
{
	for (size_t i = 0; i < l->r->n_policies; i++)
		for (const struct rule *r = l->r->policies[i]->own; r;
		     r = r->next) {
			look_at_macros(l, r->when);
			look_at_macros(l, r->unless);
			look_at_actions(l, r, r->then);
			look_at_actions(l, r, r->on_unknown);
		}
	for (const struct condition *c = l->r->conditions; c; c = c->next)
		look_at_macros(l, c->expr);
}
