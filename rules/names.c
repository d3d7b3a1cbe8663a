/*
 * names - what a set of policies names, for those who list, complete, check or
 * edit it: policies, their own rules, sets and maps, each with where it stands;
 * and what is no policy's own, as the names of listeners.
 */
#include "rules/tree.h"

static void
take_rules(const struct policy *p, rules_name_take *take, void *arg)
{
	for (const struct rule *r = p->own; r != NULL; r = r->next)
		if (r->kind == RULE_PLAIN)
			take(arg, &(struct rules_name){ .kind = RULES_NAME_RULE,
				      .name = r->name,
				      .policy = p->name,
				      .pos = &r->pos,
				      .shadow = r->shadow,
				      .mode_here = r->own & CLAUSE_MODE });
}

void
rules_texts(const struct rules *r, uint32_t fact, rules_text_take *take, void *arg)
{
	for (const struct atom *a = r->atoms; a != NULL; a = a->next) {
		if (a->fact != fact)
			continue;
		if (a->op == OP_EQ || a->op == OP_NE)
			take(arg, a->text, &a->values->pos);
		for (size_t i = 0; i < a->n_lists; i++)
			for (const struct word *w = a->lists[i]->members;
			     a->lists[i]->name.n == 0 && w != NULL; w = w->next)
				take(arg, w->text, &w->pos);
	}
}

void
rules_each_name(const struct rules *r, rules_name_take *take, void *arg)
{
	for (const struct list *l = r->lists; l != NULL; l = l->next)
		if (l->name.n > 0)
			take(arg,
			    &(struct rules_name){ .kind = l->kind >= LIST_TEXT
							      ? RULES_NAME_MAP
							      : RULES_NAME_SET,
				.name = l->name,
				.path = l->file.path,
				.pos = &l->pos });
	for (size_t i = 0; i < r->n_policies; i++) {
		const struct policy *p = r->policies[i];

		take(arg, &(struct rules_name){ .kind = RULES_NAME_POLICY,
			      .name = p->name,
			      .pos = &p->pos });
		take_rules(p, take, arg);
	}
}
