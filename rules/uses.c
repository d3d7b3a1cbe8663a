/*
 * uses - what the rules of a policy look at and may want, for those who would
 * rather not fetch what nobody asks for.
 */
#include "rules/tree.h"

#include "base/must.h"

struct walk {
	struct rules_use use; /* of the rule at hand */
	rules_use_take *take;
	void *arg;
};

static void
take(struct walk *w, enum rules_use_kind kind, uint32_t index)
{
	w->use.kind = kind;
	w->use.index = index;
	w->take(w->arg, &w->use);
}

static void
walk_expr(struct walk *w, const struct expr *x)
{
	if (x == NULL)
		return;
	if (x->kind == EXPR_QUANT)
		take(w, RULES_USE_THINGS, x->thing);
	if (x->atom != NULL)
		take(w, RULES_USE_FACT, x->atom->fact);
	for (x = x->first; x != NULL; x = x->next)
		walk_expr(w, x);
}

static void
walk_actions(struct walk *w, const struct action *a)
{
	for (; a != NULL; a = a->next) {
		w->use.action = a->kind;
		w->use.copy = a->copy;
		take(w, RULES_USE_ACTION, 0);
		for (const struct piece *p = a->text.pieces; p; p = p->next)
			if (p->kind == PIECE_FACT)
				take(w, RULES_USE_FACT, p->fact);
	}
}

void
rules_each_use(const struct rules *r, unsigned policy, rules_use_take *take_one,
    void *arg)
{
	struct walk w = { .take = take_one, .arg = arg };
	const struct policy *p;

	must(policy < r->n_policies);
	p = r->policies[policy];
	if (p->conds == NULL && p != r->fallback)
		return; /* nobody's: a base */
	for (const struct placed *at = p->placed; at != NULL; at = at->next) {
		w.use.stage = at->stage;
		w.use.always = at->rule->always;
		walk_expr(&w, at->rule->when);
		walk_expr(&w, at->rule->unless);
		walk_actions(&w, at->rule->then);
		walk_actions(&w, at->rule->on_unknown);
	}
}
