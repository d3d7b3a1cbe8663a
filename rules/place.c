/*
 * place - where each checked rule stands: its order in the file, its stage in
 * each policy that has it, and which policy is for whom nothing else is.
 *
 * Called by check.c when every rule's own stage is known. With a `for`
 * anywhere, what is judged before rcpt is judged for everyone: only what is
 * early in a policy without one.
 */
#include "rules/tree.h"

#include "base/log.h"
#include "base/must.h"

#define NO_SLOT UINT32_MAX

/* An override lies where its root does, but has a number of its own. */
void
rules_order(struct rules_builder *b)
{
	unsigned next = 0;

	for (const struct policy *p = b->policies; p != NULL; p = p->next)
		for (struct rule *r = p->own; r != NULL; r = r->next) {
			if (r->over != NULL)
				continue;
			r->order = next++;
			for (struct rule *o = r->overs; o; o = o->next_over)
				o->order = next++;
		}
	b->rules->n_orders = next;
}

bool
policy_has(const struct policy *policy, unsigned order)
{
	const struct placed *at = policy->placed;

	while (at != NULL && at->rule->order < order)
		at = at->next;
	return at != NULL && at->rule->order == order;
}

/* ---- stages ---- */

static unsigned
later(unsigned a, unsigned b)
{
	return a > b ? a : b;
}

static void
place_rule(const struct rules *r, const struct policy *policy,
    struct placed *at, unsigned score_stage)
{
	bool early = at->rule->early && policy->conds == NULL;

	at->stage = at->rule->stage;
	if (at->rule->reads)
		at->stage = later(at->stage, score_stage);
	at->early = early && at->stage < r->rcpt_stage;
	if (r->any_for && !early)
		at->stage = later(at->stage, r->rcpt_stage);
}

/* The score is known when the last that adds to it is judged. */
static unsigned
score_stage_of(const struct rules *r, struct policy *policy)
{
	unsigned stage = 0;
	bool any = false;

	for (struct placed *at = policy->placed; at != NULL; at = at->next) {
		policy->scores |= at->rule->adds != NULL || at->rule->reads;
		if (at->rule->adds == NULL)
			continue;
		place_rule(r, policy, at, 0);
		stage = later(stage, at->stage);
		any = true;
	}
	return any ? stage : r->n_stages - 1;
}

/* The worker's atoms of one expression. */
static void
take_slots(const struct expr *x, struct staged *at)
{
	const struct atom *a = x != NULL ? x->atom : NULL;

	if (a != NULL && !a->content && a->thing == NO_THING &&
	    at->slots[a->index] == NO_SLOT)
		at->slots[a->index] = at->n_slots++;
	for (x = x != NULL ? x->first : NULL; x != NULL; x = x->next)
		take_slots(x, at);
}

static void
take_stage(struct rules_builder *b, const struct policy *policy, unsigned stage,
    struct staged *to)
{
	uint32_t n_worker = b->rules->n_worker;
	size_t n = 0;

	for (const struct placed *at = policy->placed; at; at = at->next)
		n += at->stage == stage;
	if (n == 0)
		return;
	to->rules = rules_alloc(b, n * sizeof(*to->rules));
	to->slots = rules_alloc(b, n_worker * sizeof(*to->slots));
	for (uint32_t i = 0; i < n_worker; i++)
		to->slots[i] = NO_SLOT;
	for (const struct placed *at = policy->placed; at; at = at->next)
		if (at->stage == stage) {
			to->rules[to->n_rules++] = at;
			take_slots(at->rule->when, to);
			take_slots(at->rule->unless, to);
		}
}

static void
sort_by_stage(struct rules_builder *b, struct policy *policy)
{
	unsigned n_stages = b->rules->n_stages;

	policy->at_stage = rules_alloc(b, n_stages * sizeof(*policy->at_stage));
	for (unsigned s = 0; s < n_stages; s++)
		take_stage(b, policy, s, &policy->at_stage[s]);
}

/* ---- the policy for everybody else ---- */

/* One without `for`: the only one, or "default", or the only one that is no
 * other's base. */
static int
find_fallback(struct rules_builder *b, struct error *e)
{
	const struct policy *only = NULL, *leaf = NULL, *second = NULL;
	struct rules *r = b->rules;
	size_t n = 0;

	for (const struct policy *p = b->policies; p != NULL; p = p->next) {
		if (p->conds != NULL)
			continue;
		n++;
		only = p;
		if (pn_str_eq(p->name, PN_STR_V("default")))
			r->fallback = p;
		if (!p->is_base && leaf == NULL)
			leaf = p;
		else if (!p->is_base && second == NULL)
			second = p;
	}
	if (r->fallback != NULL)
		return 0;
	r->fallback = n == 1 ? only : leaf;
	if (second == NULL)
		return 0;
	return lex_error(e, &second->pos,
	    "policies \"%s\" and \"%s\" both have no \"for\": call one that "
	    "is for everybody else \"default\"",
	    VIS(leaf->name), VIS(second->name));
}

int
rules_place(struct rules_builder *b, struct error *e)
{
	for (struct policy *p = b->policies; p != NULL; p = p->next)
		b->rules->any_for |= p->conds != NULL;
	for (struct policy *p = b->policies; p != NULL; p = p->next) {
		p->score_stage = score_stage_of(b->rules, p);
		for (struct placed *at = p->placed; at != NULL; at = at->next)
			place_rule(b->rules, p, at, p->score_stage);
		sort_by_stage(b, p);
	}
	return find_fallback(b, e);
}

/* ---- what others may ask ---- */

size_t
rules_policies(const struct rules *r)
{
	return r->n_policies;
}

struct pn_str
rules_policy_name(const struct rules *r, unsigned policy)
{
	must(policy < r->n_policies);
	return r->policies[policy]->name;
}

unsigned
rules_orders(const struct rules *r)
{
	return r->n_orders;
}

unsigned
rules_policy_early(const struct rules *r)
{
	return r->fallback != NULL ? r->fallback->nr : RULES_NO_POLICY;
}

unsigned
rules_policy_at(const struct rules *r, unsigned policy, unsigned stage)
{
	return r->any_for && stage < r->rcpt_stage ? rules_policy_early(r)
						   : policy;
}

static bool
is_for(const struct rules *r, const struct policy *policy,
    struct rules_run *run, const struct rules_facts *facts)
{
	for (const struct cond *c = policy->conds; c != NULL; c = c->next) {
		enum value_state state;
		struct match m;

		if (atom_ask(r, c->atom, run, facts, RULES_MESSAGE, &state,
			&m) != TRI_TRUE)
			return false;
	}
	return policy->conds != NULL;
}

unsigned
rules_policy_for(const struct rules *r, struct rules_run *run,
    const struct rules_facts *facts)
{
	for (size_t i = 0; i < r->n_policies; i++)
		if (is_for(r, r->policies[i], run, facts))
			return (unsigned)i;
	return rules_policy_early(r);
}
