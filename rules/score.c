/*
 * score - what the rules of a policy have added up so far: at the stages before
 * (once a rule, however many recipients it fired for) and at this one.
 *
 * Groups: what was added in one counts as far as its cap, in file order.
 * Called by judge.c between the rules that add and those that read.
 */
#include "rules/judge.h"

#include <stdlib.h>

static int
by_order(const void *a, const void *b)
{
	unsigned x = ((const struct addition *)a)->order;
	unsigned y = ((const struct addition *)b)->order;

	return x < y ? -1 : x > y;
}

/* Does this effect count? Another policy's early rule does not. */
static bool
counts(const struct judging *j, const struct rules_effect *f)
{
	return f->action == RULES_SCORE && !f->shadow &&
	       policy_has(j->policy, f->order);
}

static bool
adds(const struct judging *j, size_t nth)
{
	const struct rule *rule = j->trace->rules[nth]->rule;
	enum outcome outcome = (enum outcome)j->trace->judged[nth].outcome;

	return rule->adds != NULL && !judge_in_shadow(j, rule) &&
	       (outcome == FIRED || outcome == ALLOWED);
}

static size_t
count_additions(const struct judging *j)
{
	size_t n = 0;

	for (size_t i = 0; i < j->n_earlier; i++)
		for (size_t k = 0; k < j->earlier[i]->n_effects; k++)
			n += counts(j, &j->earlier[i]->effects[k]);
	for (size_t i = 0; i < j->trace->n_judged; i++)
		n += adds(j, i);
	return n;
}

static void
gather(const struct judging *j, struct addition *to)
{
	for (size_t i = 0; i < j->n_earlier; i++)
		for (size_t k = 0; k < j->earlier[i]->n_effects; k++) {
			const struct rules_effect *f =
			    &j->earlier[i]->effects[k];

			if (counts(j, f))
				*to++ = (struct addition){ .order = f->order,
					.rule = f->rule,
					.group = f->group,
					.before = f,
					.add = f->score };
		}
	for (size_t i = 0; i < j->trace->n_judged; i++) {
		const struct rule *r = j->trace->rules[i]->rule;

		if (adds(j, i))
			*to++ = (struct addition){ .order = r->order,
				.rule = r->name,
				.group = r->adds->group.text,
				.add = r->adds->score };
	}
}

/* They are sorted: what is told twice stands together. */
static size_t
drop_doubles(struct addition *all, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (kept == 0 || all[kept - 1].order != all[i].order)
			all[kept++] = all[i];
	return kept;
}

static int64_t
within(int64_t v, int64_t most)
{
	return v > most ? most : v < -most ? -most : v;
}

/* What the nth adds: how much its group's capped sum moves by it. */
static int64_t
counted(const struct judging *j, const struct addition *all, size_t nth)
{
	const struct cap *cap =
	    all[nth].group.n > 0 ? policy_cap(j->policy, all[nth].group) : NULL;
	int64_t before = 0;

	if (cap == NULL)
		return all[nth].add;
	for (size_t i = 0; i < nth; i++)
		if (pn_str_eq(all[i].group, all[nth].group))
			before += all[i].add;
	return within(before + all[nth].add, cap->most) -
	       within(before, cap->most);
}

void
score_add_up(struct judging *j)
{
	struct rules_trace *t = j->trace;
	size_t n;

	if (!j->policy->scores)
		return;
	n = count_additions(j);
	t->additions = arena_alloc(j->arena, n * sizeof(*t->additions));
	if (t->additions == NULL) {
		j->full = true;
		return;
	}
	gather(j, t->additions);
	qsort(t->additions, n, sizeof(*t->additions), by_order);
	t->n_additions = drop_doubles(t->additions, n);
	for (size_t i = 0; i < t->n_additions; i++) {
		t->additions[i].counted = counted(j, t->additions, i);
		j->score += t->additions[i].counted;
	}
	t->score = j->score;
	t->scored = t->stage >= j->policy->score_stage;
}
