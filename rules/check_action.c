/*
 * check_action - what a rule does: the texts' facts, groups of scores, parts
 * to strip, the stage it takes; and that who reads the score does not add.
 */
#include "rules/check.h"

#include "base/log.h"
#include "base/suggest.h"

/* What changes the message or its recipients is for its end. */
static bool
needs_message(const struct action *a)
{
	switch (a->kind) {
	case RULES_HEADER:
	case RULES_SUBJECT_PREFIX:
	case RULES_STRIP:
	case RULES_COPY:
	case RULES_RCPT_ADD:
	case RULES_RCPT_REMOVE:
	case RULES_SENDER:
	case RULES_REDIRECT:
		return true;
	default:
		return a->copy;
	}
}

static int
check_text(struct checking *c, struct action *a, const struct text_use *use)
{
	const struct rules_decls *d = c->b->decls;
	struct rules *r = c->b->rules;

	if (text_check(c->b, use, &a->text, c->e) < 0)
		return -1;
	for (const struct piece *p = a->text.pieces; p != NULL; p = p->next) {
		if (p->kind != PIECE_FACT)
			continue;
		if (p->fact == r->score)
			c->rule->reads = true;
		else
			check_no_earlier(c, d->facts[p->fact].stage);
		r->uses[p->fact] = true;
	}
	return 0;
}

static int
check_score(struct checking *c, const struct action *a)
{
	const struct policy *policy = c->policy;
	struct suggest s = suggest_for(a->group.text);
	char near[96];

	c->rule->adds = a;
	if (a->group.text.n == 0 || policy_cap(policy, a->group.text) != NULL)
		return 0;
	for (const struct policy *of = policy; of != NULL; of = of->base)
		for (const struct cap *cap = of->caps; cap; cap = cap->next)
			suggest_try(&s, cap->name);
	return lex_error(c->e, &a->group.pos,
	    "unknown group \"%s\" (group NAME cap N; makes one)%s",
	    VIS(a->group.text), suggest_text(&s, near, sizeof(near)));
}

/* `strip part` takes those that an `any part` of `when` is true of. */
static int
check_strip(struct checking *c, const struct action *a, const bool *any_of,
    const char *no_any)
{
	const struct rules_decls *d = c->b->decls;
	uint32_t part = 0;

	while (d->things[part] != NULL && strcmp(d->things[part], "part") != 0)
		part++;
	if (d->things[part] != NULL && any_of[part])
		return 0;
	return lex_error(c->e, &a->pos,
	    "\"strip part\" needs a part that was found: %s", no_any);
}

static int
check_actions(struct checking *c, struct action *first, const bool *any_of,
    const char *no_any)
{
	struct rules *r = c->b->rules;

	for (struct action *a = first; a != NULL; a = a->next) {
		struct text_use use = { .any_of = any_of,
			.no_any = no_any,
			.named = first == c->rule->then ? c->rule->named : NULL,
			.reply = a->kind == RULES_REJECT ||
				 a->kind == RULES_TEMPFAIL };

		if ((a->kind == RULES_STRIP &&
			check_strip(c, a, any_of, no_any) < 0) ||
		    check_text(c, a, &use) < 0 ||
		    (a->kind == RULES_SCORE && check_score(c, a) < 0))
			return -1;
		if (needs_message(a))
			check_no_earlier(c, r->n_stages - 1);
		c->rule->allows |= a->kind == RULES_ALLOW;
	}
	return 0;
}

/* Two strata: what reads the score runs after all that add to it. */
static int
check_strata(struct checking *c)
{
	const struct rule *r = c->rule;

	if (!r->reads)
		return 0;
	if (r->adds != NULL)
		return lex_error(c->e, &r->adds->pos,
		    "rule \"%s\" reads the score and so cannot add to it",
		    VIS(r->name));
	if (r->allows)
		return lex_error(c->e, &r->then->pos,
		    "rule \"%s\" reads the score and so cannot allow: that is "
		    "judged before rules that add to it",
		    VIS(r->name));
	return 0;
}

int
check_all_actions(struct checking *c)
{
	bool *none = rules_alloc(c->b, c->b->rules->n_things);

	if (check_actions(c, c->rule->then, c->any_of,
		"the rule's \"when\" has no \"any\" of it") < 0 ||
	    check_actions(c, c->rule->on_unknown, none,
		"where the rule is unknown there is none") < 0)
		return -1;
	return check_strata(c);
}
