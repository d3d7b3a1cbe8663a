/*
 * profile - what rules cost: the inspector measures each content atom and each
 * group's prefilter into costs that somebody shares with it; here they are
 * added up by rule. Atoms that several rules use count for each of them.
 */
#include "rules/tree.h"

size_t
rules_n_costs(const struct rules *r)
{
	return r->n_content + r->n_groups;
}

struct adding {
	const struct rules_cost *costs;
	struct rules_expense *to;
	const struct atom *seen[64]; /* of this rule; more count doubly */
	size_t n_seen;
};

static void
add_atom(struct adding *a, const struct atom *atom)
{
	const struct rules_cost *c = &a->costs[atom->index];

	for (size_t i = 0; i < a->n_seen; i++)
		if (a->seen[i] == atom)
			return;
	if (a->n_seen < PN_COUNT(a->seen))
		a->seen[a->n_seen++] = atom;
	a->to->atoms++;
	a->to->cost.ns += c->ns;
	a->to->cost.tests += c->tests;
	a->to->cost.hits += c->hits;
	if (a->to->dearest.p == NULL || c->ns > a->to->dearest_ns) {
		a->to->dearest = atom->canonical;
		a->to->dearest_ns = c->ns;
	}
}

static void
add_expr(struct adding *a, const struct expr *e)
{
	if (e == NULL)
		return;
	if (e->kind == EXPR_TEST && e->atom->content)
		add_atom(a, e->atom);
	for (const struct expr *k = e->first; k != NULL; k = k->next)
		add_expr(a, k);
}

void
rules_each_expense(const struct rules *r, const struct rules_cost *costs,
    rules_expense_take *take, void *arg)
{
	for (size_t i = 0; i < r->n_policies; i++)
		for (const struct rule *rule = r->policies[i]->own;
		     rule != NULL; rule = rule->next) {
			struct rules_expense to = { .rule = rule->name,
				.policy = r->policies[i]->name,
				.pos = &rule->pos };
			struct adding a = { .costs = costs, .to = &to };

			if (rule->kind == RULE_OFF)
				continue;
			add_expr(&a, rule->when);
			add_expr(&a, rule->unless);
			if (to.atoms > 0)
				take(arg, &to);
		}
}

uint64_t
rules_prefilter_ns(const struct rules *r, const struct rules_cost *costs)
{
	uint64_t ns = 0;

	for (size_t i = 0; i < r->n_groups; i++)
		ns += costs[r->n_content + i].ns;
	return ns;
}
