/*
 * needs - see needs.h. What rules look at is asked once a policy; what of it
 * still counts for a message, when its recipients are known.
 */
#include "engine/run.h"

/* ---- of a policy ---- */

/* Is it found out only behind the header? */
static bool
is_of_body(const struct chain *c, uint32_t fact)
{
	switch (fact) {
	case FACT_SIZE:
	case FACT_MIME_AMBIGUOUS:
	case FACT_INSPECT_FAILED:
	case FACT_NORMALISED:
		return true;
	default:
		return c->facts[fact].content && !c->facts[fact].header;
	}
}

/* What is kept is kept whole, and what lies within is taken out there. */
static bool
acts_on_body(const struct rules_use *u)
{
	return u->action == RULES_QUARANTINE || u->action == RULES_STRIP;
}

/* Actions of rules that look at no message, but change it. */
#define OF_HEADER                                                              \
	(UINT32_C(1) << RULES_HEADER | UINT32_C(1) << RULES_SUBJECT_PREFIX |   \
	    UINT32_C(1) << RULES_STRIP)

struct finder {
	const struct chain *chain;
	struct engine_needs *out;
	struct policy_needs *policy;
};

static void
take_use(void *arg, const struct rules_use *u)
{
	struct finder *f = arg;
	bool body = true;

	if (u->kind == RULES_USE_FACT) {
		body = is_of_body(f->chain, u->index);
	} else if (u->kind == RULES_USE_ACTION) {
		body = acts_on_body(u);
		f->out->actions |= UINT32_C(1) << u->action;
	}
	f->out->stages[u->stage] = true;
	f->policy->body |= body;
	f->policy->body_always |= body && u->always;
}

/* ---- of modules ---- */

static void
take_module(struct engine_needs *out, const struct chain_module *m)
{
	const struct pn_filter *f = m->filter;
	const bool hooks[STAGES] = { f->connect != NULL, f->helo != NULL,
		f->mail != NULL, f->rcpt != NULL, f->message != NULL };

	for (int s = 0; s < STAGES; s++)
		out->stages[s] |= hooks[s];
	/* What it reads there it may count or learn from. */
	if (!m->builtin && (f->inspect != NULL || f->message != NULL))
		out->every_body = true;
}

/* Not every recipient has the same policy: which one is found at rcpt, and
 * may be the reason to send him away. */
static bool
is_by_rcpt(const struct rules *r)
{
	for (size_t i = 0; i < rules_policies(r); i++)
		if (rules_policy_at(r, (unsigned)i, STAGE_CONNECT) != i)
			return true;
	return false;
}

int
engine_needs_find(struct engine_needs *out, const struct engine_conf *conf,
    struct arena *a, struct error *e)
{
	size_t n = conf->rules != NULL ? rules_policies(conf->rules) : 0;
	struct policy_needs *policies = arena_alloc(a, n * sizeof(*policies));
	struct engine_needs found = { .policies = policies,
		.marks = conf->unavailable_header != NULL };
	struct finder f = { .chain = conf->chain, .out = &found };

	if (policies == NULL)
		return error_set(e, "no room for what the policy needs");
	for (uint32_t i = 0; i < conf->chain->n_modules; i++)
		take_module(&found, &conf->chain->modules[i]);
	for (size_t i = 0; i < n; i++) {
		f.policy = &policies[i];
		rules_each_use(conf->rules, (unsigned)i, take_use, &f);
		found.body |= policies[i].body;
	}
	found.body |= found.every_body;
	found.header = found.body || found.marks ||
	    found.stages[STAGE_MESSAGE] || (found.actions & OF_HEADER) != 0;
	if (n > 0 && is_by_rcpt(conf->rules))
		found.stages[STAGE_RCPT] = true;
	*out = found;
	return 0;
}

/* ---- of a message ---- */

/* Has it been allowed for the recipients of this policy? As rules_judge()
 * will find it. */
static bool
is_allowed(const struct transaction *t, unsigned policy)
{
	const struct stage_result *s;
	bool some = false, all = true;

	if (t->past == NULL)
		return false;
	STAILQ_FOREACH (s, &t->past->results, next) {
		if (s->stage < STAGE_RCPT && s->rules.allowed)
			return true;
		if (s->stage != STAGE_RCPT || s->policy != policy ||
		    !effects_count(s))
			continue;
		some = true;
		all = all && s->rules.allowed;
	}
	return some && all;
}

static bool
policy_wants(const struct engine_conf *conf, const struct transaction *t,
    unsigned policy)
{
	const struct policy_needs *n;

	if (policy == RULES_NO_POLICY)
		return false;
	n = &conf->needs.policies[policy];
	return n->body_always || (n->body && !is_allowed(t, policy));
}

/* Already to be kept: all of it. */
static bool
is_kept(const struct verdict *v)
{
	return v->action == VERDICT_QUARANTINE && !v->hold;
}

bool
engine_wants_body(const struct engine_conf *conf, const struct transaction *t)
{
	unsigned early;
	const struct rcpt *r;

	if (!conf->needs.body)
		return false;
	if (conf->needs.every_body || is_kept(&t->verdict))
		return true;
	early = rules_policy_early(conf->rules);
	if (!conf->needs.stages[STAGE_RCPT])
		return policy_wants(conf, t, early); /* everybody's */
	TAILQ_FOREACH (r, &t->envelope.rcpts, next)
		if (r->accepted && policy_wants(conf, t, r->policy))
			return true;
	return false;
}
