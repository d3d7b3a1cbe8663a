/*
 * limited - which answers are unknown because a pattern met a limit, and whose
 * rules they are: what the worker logs and counts.
 */
#include "rules/tree.h"

static bool
expr_asks(const struct expr *x, const struct atom *a)
{
	if (x == NULL)
		return false;
	if (x->kind == EXPR_TEST && x->atom == a)
		return true;
	for (const struct expr *k = x->first; k != NULL; k = k->next)
		if (expr_asks(k, a))
			return true;
	return false;
}

/* The first rule that asks, and how many do: one that several policies share
 * counts once. */
static const struct rule *
find_rule(const struct rules *r, const struct atom *a, unsigned *n)
{
	const struct rule *first = NULL;

	*n = 0;
	for (size_t i = 0; i < r->n_policies; i++)
		for (const struct placed *p = r->policies[i]->placed; p;
		     p = p->next) {
			const struct rule *rule = p->rule;

			if (rule->policy != i ||
			    (!expr_asks(rule->when, a) &&
				!expr_asks(rule->unless, a)))
				continue;
			if ((*n)++ == 0)
				first = rule;
		}
	return first;
}

bool
rules_next_limited(const struct rules_answers *answers, uint32_t *at,
    struct rules_limited *out)
{
	const struct rules *r = answers->rules;

	for (; *at < r->n_content; ++*at) {
		const struct atom *a = r->content[*at];
		const struct rule *rule;

		*out = (struct rules_limited){
			.limit = (enum rules_limit)answers->of[*at].limit,
			.test = a->canonical
		};
		if (out->limit == RULES_NO_LIMIT)
			continue;
		++*at;
		rule = find_rule(r, a, &out->n_rules);
		if (rule != NULL) {
			out->rule = rule->name;
			out->file = rule->pos.file;
			out->line = rule->pos.line;
		}
		return true;
	}
	return false;
}

const char *
rules_limit_name(enum rules_limit limit)
{
	static const char *const names[RULES_LIMITS] = {
		[RULES_NO_LIMIT] = "none",
		[RULES_LIMIT_PATTERN] = "pattern",
		[RULES_LIMIT_BENCHED] = "benched",
		[RULES_LIMIT_ON_BENCH] = "on-bench",
		[RULES_LIMIT_MESSAGE] = "message",
		[RULES_LIMIT_SIZE] = "size",
	};

	return names[limit];
}
