/*
 * describe - what posternd -t -v says of the policies: whom each is for, which
 * rules it has, from where, what they override, when and where they are
 * judged. What cannot be meant: lint.c.
 */
#include "rules/tree.h"

/* Everything here appends to a buf without a cap. */
static void
put(struct buf *b, const char *s)
{
	(void)buf_puts(b, s);
}

static void
describe_atoms(const struct rules *r, const struct expr *x, struct buf *b)
{
	const struct rules_decl *decl;

	if (x == NULL)
		return;
	if (x->kind == EXPR_TEST) {
		decl = &r->decls->facts[x->atom->fact];
		(void)buf_printf(
		    b, "\t\t# %.*s: ", PN_STR_ARG(x->atom->canonical));
		if (x->atom->fact == r->score)
			put(b, "added up by the rules of the policy\n");
		else
			(void)buf_printf(b, "known at %s, tested by the %s\n",
			    r->decls->stages[decl->stage],
			    x->atom->content ? "inspector" : "worker");
	}
	for (const struct expr *k = x->first; k != NULL; k = k->next)
		describe_atoms(r, k, b);
}

static void
describe_origin(const struct rules *r, const struct policy *policy,
    const struct rule *rule, struct buf *b)
{
	const struct rule *over = rule->over;

	if (rule->policy != policy->nr)
		(void)buf_printf(b, ", from policy %.*s",
		    PN_STR_ARG(r->policies[rule->policy]->name));
	if (over != NULL)
		(void)buf_printf(b, ", overrides %s:%u of policy %.*s",
		    over->pos.file, over->pos.line,
		    PN_STR_ARG(r->policies[over->policy]->name));
}

/* The policies that have another one in its place, or do without. */
static void
describe_overrides(const struct rules *r, struct rule *rule, struct buf *b)
{
	const struct rule *root = rule;

	while (root->over != NULL)
		root = root->over;
	for (const struct rule *o = root->overs; o != NULL; o = o->next_over)
		if (o->over == rule)
			(void)buf_printf(b, "\t\t# %s in policy %.*s (%s:%u)\n",
			    o->kind == RULE_OFF ? "off" : "overridden",
			    PN_STR_ARG(r->policies[o->policy]->name),
			    o->pos.file, o->pos.line);
}

/* What is inherited as it is was described where it stands. */
static void
describe_rule(const struct rules *r, const struct policy *policy,
    const struct placed *at, struct buf *b)
{
	const struct rule *rule = at->rule;

	(void)buf_printf(b, "%s%.*s (%s:%u), judged at %s%s%s",
	    rule->kind == RULE_PLAIN ? "rule " : "", PN_STR_ARG(rule->name),
	    rule->pos.file, rule->pos.line, r->decls->stages[at->stage],
	    at->early ? ", answered at once" : "",
	    rule->shadow ? ", in shadow" : "");
	describe_origin(r, policy, rule, b);
	put(b, "\n");
	if (rule->policy != policy->nr)
		return;
	print_clauses(r, rule, ~0u & ~(unsigned)CLAUSE_MODE, b);
	describe_atoms(r, rule->when, b);
	describe_atoms(r, rule->unless, b);
	describe_overrides(r, at->rule, b);
}

static void
describe_taken_out(
    const struct rules *r, const struct policy *policy, struct buf *b)
{
	for (const struct rule *rule = policy->own; rule; rule = rule->next)
		if (rule->kind == RULE_OFF)
			(void)buf_printf(b,
			    "%s%.*s (%s:%u) is off, overrides %s:%u of policy "
			    "%.*s\n",
			    rule->over->kind == RULE_PLAIN ? "rule " : "",
			    PN_STR_ARG(rule->name), rule->pos.file,
			    rule->pos.line, rule->over->pos.file,
			    rule->over->pos.line,
			    PN_STR_ARG(r->policies[rule->over->policy]->name));
}

static void
describe_groups(const struct policy *policy, struct buf *b)
{
	for (const struct policy *of = policy; of != NULL; of = of->base)
		for (const struct cap *c = of->caps; c != NULL; c = c->next)
			if (policy_cap(policy, c->name) == c)
				(void)buf_printf(b,
				    "group %.*s counts at most %lld\n",
				    PN_STR_ARG(c->name), (long long)c->most);
}

static void
describe_policy(
    const struct rules *r, const struct policy *policy, struct buf *b)
{
	print_heading(policy, b);
	put(b, policy == r->fallback   ? ", for everybody else"
	       : policy->conds == NULL ? ", for nobody: a base"
				       : "");
	if (policy->scores)
		(void)buf_printf(b, ", score known at %s",
		    r->decls->stages[policy->score_stage]);
	(void)buf_printf(b, " (%s:%u)\n", policy->pos.file, policy->pos.line);
	describe_groups(policy, b);
	for (const struct placed *at = policy->placed; at; at = at->next)
		describe_rule(r, policy, at, b);
	describe_taken_out(r, policy, b);
}

void
rules_describe(const struct rules *r, struct buf *b)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n_policies; i++) {
		describe_policy(r, r->policies[i], b);
		put(b, "\n");
		n += r->policies[i]->n_placed;
	}
	(void)buf_printf(b,
	    "%zu rules, %u tests in the inspector, %u in the worker, "
	    "%zu texts to search\n",
	    n, r->n_content, r->n_worker, r->n_groups);
}
