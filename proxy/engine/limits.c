/*
 * limits - patterns that took too long, or had a text too long for them: what
 * the inspector could not find out for that reason is logged with its rule, and
 * counted in rules_limits_total{rule="...",limit="..."}.
 *
 * Called by engine.c with the findings. On the bench a pattern is counted only:
 * that it went there was said. Where the message's time was up, many are
 * unknown at once: one line says how many.
 */
#include "engine/run.h"

#include "base/log.h"

static void
count(struct engine *g, const struct rules_limited *l)
{
	const struct stat_label labels[] = { { "rule", l->rule },
		{ "limit", pn_str_of(rules_limit_name(l->limit)) } };

	stat_add(stats_counter(keep_stats(g->keep), "rules_limits_total",
		     labels, PN_COUNT(labels)), 1);
}

static void
tell(const struct transaction *t, const struct rules_limited *l)
{
	log_warn(t->id, "limit",
	    "limit=%s rule=%s at=%s:%u rules=%u test=\"%s\"",
	    rules_limit_name(l->limit), VIS(l->rule), l->file ? l->file : "",
	    l->line, l->n_rules, VIS(l->test));
}

void
limits_tell(struct engine *g, const struct transaction *t,
    const struct rules_answers *answers)
{
	struct rules_limited l, first = { .limit = RULES_NO_LIMIT };
	unsigned of_message = 0;
	uint32_t at = 0;

	while (answers != NULL && rules_next_limited(answers, &at, &l)) {
		count(g, &l);
		if (l.limit == RULES_LIMIT_MESSAGE && of_message++ == 0)
			first = l;
		else if (l.limit != RULES_LIMIT_MESSAGE &&
		    l.limit != RULES_LIMIT_ON_BENCH)
			tell(t, &l);
	}
	if (of_message > 0)
		log_warn(t->id, "limit",
		    "limit=message tests=%u rule=%s at=%s:%u", of_message,
		    VIS(first.rule), first.file ? first.file : "", first.line);
}
