/*
 * tally - how often each rule fired, counted where a message is done with, once
 * a message however many recipients it fired for. Handles are kept by the
 * rule's place in the set: rules_fired_total{rule="..."}, and for those in
 * shadow rules_shadow_total.
 */
#include "engine/run.h"

#include <stdlib.h>

#include "base/mem.h"

static struct stat_series **
handle(struct engine *g, const struct rules_effect *f)
{
	struct tally *t = &g->tally;

	if (f->order >= t->n) {
		size_t n = f->order + 1u;

		t->of = xrealloc(t->of, n * sizeof(*t->of));
		memset(t->of + t->n, 0, (n - t->n) * sizeof(*t->of));
		t->n = n;
	}
	return &t->of[f->order];
}

static void
count(struct engine *g, const struct rules_effect *f)
{
	const struct stat_label label = { "rule", f->rule };
	struct stat_series **at = handle(g, f);

	if (*at == NULL)
		*at = stats_counter(keep_stats(g->keep),
		    f->shadow ? "rules_shadow_total" : "rules_fired_total",
		    &label, 1);
	stat_add(*at, 1);
}

void
tally(struct engine *g, const struct transaction *t)
{
	const struct stage_result *s;

	if (t->past == NULL)
		return;
	STAILQ_FOREACH (s, &t->past->results, next)
		for (size_t i = 0; i < s->rules.n_effects; i++)
			if (effect_is_first(t, s, i))
				count(g, &s->rules.effects[i]);
}

void
tally_free(struct engine *g)
{
	free(g->tally.of);
}
