/*
 * judge - the third and fourth step's seam: facts and findings go to the
 * rules of the recipients' policies, their effects go to effects.c.
 *
 * Called by engine.c when everything a stage asked for is known. Which policy
 * a recipient has is found at rcpt; at the message each one is judged once.
 */
#include "engine/run.h"

#include "base/must.h"

/* ---- where rules ask ---- */

struct asker {
	const struct transaction *t;
	const struct site *site;
	unsigned policy; /* whose recipients it is about, at the message */
};

static struct value
address_of(const struct rcpt *r)
{
	return (struct value){ .state = VALUE_KNOWN,
		.type = VALUE_ADDRESS,
		.str = r->address,
		.local = r->local,
		.domain = r->domain };
}

#define ANY_POLICY (RULES_NO_POLICY - 1)

/* A recipient of this policy that the message goes to? */
static bool
is_of(const struct rcpt *r, unsigned policy)
{
	return r->accepted && (policy == ANY_POLICY || r->policy == policy);
}

/*
 * The recipients at hand, one after the other. Before the message: the one
 * that RCPT names. At the message: the policy's accepted ones.
 */
static const struct rcpt *
next_rcpt(const struct asker *a, const struct rcpt *after)
{
	const struct transaction *t = a->t;
	const struct rcpt *r;

	if (t->rcpt != NULL)
		return after == NULL ? t->rcpt : NULL;
	r = after ? TAILQ_NEXT(after, next) : TAILQ_FIRST(&t->envelope.rcpts);
	while (r != NULL && !is_of(r, a->policy))
		r = TAILQ_NEXT(r, next);
	return r;
}

static void
get_rcpt(const struct asker *a, unsigned nth, struct value *out)
{
	const struct rcpt *r = next_rcpt(a, NULL);

	while (r != NULL && nth-- > 0)
		r = next_rcpt(a, r);
	if (r != NULL)
		*out = address_of(r);
}

/* Our own client's mail goes out or stays; a stranger's comes in. */
static struct pn_str
direction_of(
    const struct transaction *t, const struct site *site, const struct rcpt *r)
{
	if (t->client.login.n == 0 && !site_has_client(site, t->client.ip))
		return PN_STR_V("inbound");
	return site_has_domain(site, r->domain) ? PN_STR_V("internal")
						: PN_STR_V("outbound");
}

/* The nth of the directions that rcpt's values have, each once. */
static void
get_direction(const struct asker *a, unsigned nth, struct value *out)
{
	struct pn_str seen[3];
	unsigned n = 0, i;

	for (const struct rcpt *r = next_rcpt(a, NULL); r != NULL;
	     r = next_rcpt(a, r)) {
		struct pn_str word = direction_of(a->t, a->site, r);

		for (i = 0; i < n && !pn_str_eq(seen[i], word); i++)
			;
		if (i == n)
			seen[n++] = word;
	}
	if (nth < n)
		*out = (struct value){ .state = VALUE_KNOWN,
			.type = VALUE_WORD,
			.str = seen[nth] };
}

/* What the MTA told up to now, in whatever stage. */
static void
get_macro(const struct transaction *t, struct pn_str name, unsigned nth,
    struct value *out)
{
	const struct macro *m = nth == 0 ? transaction_macro(t, name) : NULL;

	if (m != NULL)
		*out = (struct value){ .state = VALUE_KNOWN,
			.type = VALUE_STRING,
			.str = m->value };
}

/* `postern try` says otherwise. */
static bool
get_instead(const struct transaction *t, uint32_t fact, struct pn_str key,
    unsigned nth, struct value *out)
{
	bool any = false;

	for (size_t i = 0; i < t->n_instead; i++) {
		const struct fact_given *g = &t->instead[i];

		if (g->index != fact || !pn_str_caseeq(g->key, key))
			continue;
		any = true;
		if (nth-- == 0)
			*out = g->value;
	}
	return any;
}

static void
get(void *arg, uint32_t fact, uint32_t thing, struct pn_str key, unsigned nth,
    struct value *out)
{
	const struct asker *a = arg;
	const struct transaction *t = a->t;

	*out = (struct value){ .state = VALUE_ABSENT };
	if (thing == RULES_MESSAGE && get_instead(t, fact, key, nth, out))
		return;
	if (fact == FACT_RCPT)
		get_rcpt(a, nth, out);
	else if (fact == FACT_DIRECTION)
		get_direction(a, nth, out);
	else if (fact == FACT_MACRO)
		get_macro(t, key, nth, out);
	else if (fact >= t->facts.n_message || thing != RULES_MESSAGE ||
		 !facts_nth(&t->facts, fact, key, nth, out))
		facts_found(t->facts.of, t->facts.n_of, t->facts.truncated,
		    fact, thing, nth, out);
}

static uint32_t
n_things(void *arg, const char *thing)
{
	const struct transaction *t = ((const struct asker *)arg)->t;

	return facts_things(t->past->findings.things, thing)->n;
}

static uint32_t
depth(void *arg, const char *thing, uint32_t n)
{
	const struct transaction *t = ((const struct asker *)arg)->t;
	const struct fact_things *things =
	    facts_things(t->past->findings.things, thing);

	must(n < things->n);
	return things->v[n].depth;
}

/* ---- one policy at one stage ---- */

/* Do the rules of this stage follow on from that result? From those of
 * connect, helo and mail, and at the message from those of this policy's
 * recipients. */
static bool
is_earlier(
    const struct engine_run *r, unsigned policy, const struct stage_result *s)
{
	return s->stage < STAGE_RCPT ||
	       (s->stage == STAGE_RCPT && r->stage == STAGE_MESSAGE &&
		   is_of(s->rcpt, policy));
}

static const struct rules_result **
earlier_results(const struct engine_run *r, unsigned policy, size_t *n)
{
	const struct rules_result **list;
	const struct stage_result *s;

	*n = 0;
	STAILQ_FOREACH (s, &r->t->past->results, next)
		*n += is_earlier(r, policy, s);
	list = arena_alloc(r->t->arena, *n * sizeof(*list));
	*n = 0;
	STAILQ_FOREACH (s, &r->t->past->results, next)
		if (list != NULL && is_earlier(r, policy, s))
			list[(*n)++] = &s->rules;
	return list;
}

static struct stage_result *
judge(struct engine_run *r, unsigned policy)
{
	struct transaction *t = r->t;
	struct asker asker = { t, &r->engine->conf->site, policy };
	struct rules_facts facts = { &asker, get, n_things, depth };
	struct stage_result *s = arena_alloc(t->arena, sizeof(*s));
	size_t n;
	const struct rules_result **earlier = earlier_results(r, policy, &n);

	if (s == NULL || earlier == NULL)
		return NULL;
	s->stage = r->stage;
	s->policy = policy;
	s->rcpt = r->stage == STAGE_RCPT ? t->rcpt : NULL;
	if (rules_judge(r->engine->conf->rules, r->engine->rules_run, policy,
		(unsigned)r->stage, &facts,
		r->stage == STAGE_MESSAGE ? t->past->findings.answers : NULL,
		earlier, n, t->arena, &s->rules) < 0 ||
	    propose_join(r, s) < 0)
		return NULL;
	t->score = s->rules.score;
	STAILQ_INSERT_TAIL(&t->past->results, s, next);
	if (r->engine->conf->enforce && effects_stage(t, &s->rules) < 0)
		return NULL;
	return s;
}

/* Without rules there may be somebody who proposes. */
static bool
is_judged(const struct engine_run *r, unsigned policy)
{
	return policy != RULES_NO_POLICY || r->proposed != NULL;
}

enum tri
judge_condition(struct engine_run *r, unsigned id)
{
	struct asker asker = { r->t, &r->engine->conf->site, ANY_POLICY };
	struct rules_facts facts = { &asker, get, n_things, depth };

	return rules_condition(
	    r->engine->conf->rules, r->engine->rules_run, id, &facts);
}

/* ---- recipients ---- */

static void
resolve_policy(struct engine_run *r)
{
	struct asker asker = { r->t, &r->engine->conf->site, RULES_NO_POLICY };
	struct rules_facts facts = { &asker, get, n_things, depth };

	r->t->rcpt->policy = rules_policy_for(
	    r->engine->conf->rules, r->engine->rules_run, &facts);
}

/*
 * One reply ends DATA, so with `mixed defer` a transaction has one policy: the
 * first recipient's who was not refused. Those of a batch that the next hop
 * has not answered yet are among them: should it refuse the first, the other
 * comes back all the same.
 */
static const struct rcpt *
first_rcpt(const struct transaction *t)
{
	const struct rcpt *r;

	TAILQ_FOREACH (r, &t->envelope.rcpts, next)
		if (r != t->rcpt && r->code < 400)
			return r;
	return NULL;
}

/* Where nothing is enforced nobody is sent away. */
static const struct rcpt *
to_go_with(const struct engine_run *r)
{
	const struct engine_conf *conf = r->engine->conf;

	return conf->enforce && conf->mixed == MIXED_DEFER ? first_rcpt(r->t)
							   : NULL;
}

/* What rules at rcpt make of the message for its recipient; that it goes on,
 * changed or not, is one thing. */
static enum verdict_action
fate(const struct verdict *v)
{
	return v->action > VERDICT_TAG ? v->action : VERDICT_ACCEPT;
}

/* A rule at rcpt that discards or holds one recipient's mail must not do so
 * to the others', of which it did not speak. */
static bool
fares_otherwise(struct transaction *t, const struct rcpt *first)
{
	struct verdict of_first = { 0 };
	const struct stage_result *s;

	if (verdict_refuses(&t->rcpt_verdict))
		return false;
	STAILQ_FOREACH (s, &t->past->results, next)
		if (s->rcpt == first)
			break;
	if (s != NULL) /* else no policy is for him */
		effects_join(t, &of_first, &s->rules, true);
	return fate(&of_first) != fate(&t->rcpt_verdict) ||
	       of_first.hold != t->rcpt_verdict.hold;
}

/* Stronger than to be held: the recipient is to come back. */
static void
send_back(struct transaction *t)
{
	static const struct verdict later = { .action = VERDICT_TEMPFAIL,
		.order = UINT_MAX,
		.reply = {
		    452, "4.5.3", PN_STR("send this recipient separately") } };
	bool degraded = t->rcpt_verdict.degraded;

	t->rcpt_verdict = later;
	t->rcpt_verdict.degraded = degraded;
}

static int
add_name(struct engine_run *r, unsigned policy)
{
	struct transaction *t = r->t;
	struct pn_str name;
	char *all;

	if (policy == RULES_NO_POLICY)
		return 0;
	name = rules_policy_name(r->engine->conf->rules, policy);
	all = arena_printf(t->arena, "%.*s%s%.*s", PN_STR_ARG(t->policy),
	    t->policy.n ? "," : "", PN_STR_ARG(name));
	t->policy = pn_str_of(all);
	return all == NULL ? -1 : 0;
}

static int
judge_rcpt(struct engine_run *r)
{
	struct transaction *t = r->t;
	const struct rcpt *first = to_go_with(r);
	struct stage_result *s;

	resolve_policy(r);
	t->policy = (struct pn_str){ 0 }; /* until all are known */
	t->score = 0;
	if (first != NULL && first->policy != t->rcpt->policy) {
		send_back(t);
		return 0;
	}
	if (!is_judged(r, t->rcpt->policy))
		return 0;
	if (add_name(r, t->rcpt->policy) < 0 ||
	    (s = judge(r, t->rcpt->policy)) == NULL)
		return -1;
	effects_join(t, &t->rcpt_verdict, &s->rules, r->engine->conf->enforce);
	if (first != NULL && fares_otherwise(t, first))
		send_back(t);
	return 0;
}

/* A client may say HELO again: what its last name came to is void. */
static void
forget_again(struct engine_run *r)
{
	struct stage_results *all = &r->t->past->results;
	struct stage_result *s, *next;
	bool again = false;

	for (s = STAILQ_FIRST(all); s != NULL; s = next) {
		next = STAILQ_NEXT(s, next);
		if (s->stage != r->stage)
			continue;
		STAILQ_REMOVE(all, s, stage_result, next);
		again = true;
	}
	if (again)
		r->t->verdict = (struct verdict){ 0 };
	STAILQ_FOREACH (s, all, next)
		if (again)
			effects_join(r->t, &r->t->verdict, &s->rules,
			    r->engine->conf->enforce);
}

int
judge_stage(struct engine_run *r)
{
	unsigned policy = rules_policy_early(r->engine->conf->rules);
	struct stage_result *s;

	if (r->stage == STAGE_RCPT)
		return judge_rcpt(r);
	forget_again(r);
	if (!is_judged(r, policy))
		return 0;
	if ((s = judge(r, policy)) == NULL)
		return -1;
	effects_join(r->t, &r->t->verdict, &s->rules, r->engine->conf->enforce);
	return 0;
}

/* ---- the message ---- */

static int
judge_without_rcpt(struct engine_run *r)
{
	unsigned policy = rules_policy_early(r->engine->conf->rules);

	if (!is_judged(r, policy))
		return 0;
	return add_name(r, policy) < 0 || judge(r, policy) == NULL ? -1 : 0;
}

/*
 * Once for each policy that some accepted recipient has, in the order they
 * came. A recipient that no policy fits has no rules: for him the message
 * passes as it is, unless somebody else wants something of it.
 */
static int
judge_policies(struct engine_run *r)
{
	struct transaction *t = r->t;
	size_t n = rules_policies(r->engine->conf->rules);
	bool *judged = arena_alloc(t->arena, (n + 1) * sizeof(*judged));
	int64_t highest = INT64_MIN;
	const struct rcpt *rcpt;

	if (judged == NULL)
		return -1;
	t->policy = (struct pn_str){ 0 };
	if (TAILQ_EMPTY(&t->envelope.rcpts)) /* a scan without an envelope */
		return judge_without_rcpt(r);
	TAILQ_FOREACH (rcpt, &t->envelope.rcpts, next) {
		unsigned policy = rcpt->policy;
		bool *done =
		    &judged[policy == RULES_NO_POLICY ? n : policy];

		if (!rcpt->accepted || *done || !is_judged(r, policy))
			continue;
		*done = true;
		if (add_name(r, policy) < 0 || judge(r, policy) == NULL)
			return -1;
		if (policy != RULES_NO_POLICY && t->score > highest)
			highest = t->score;
	}
	t->score = highest == INT64_MIN ? 0 : highest;
	return 0;
}

int
judge_message(struct engine_run *r)
{
	struct transaction *t = r->t;
	const struct stage_result *s;
	bool enforce = r->engine->conf->enforce;

	if (judge_policies(r) < 0)
		return -1;
	STAILQ_FOREACH (s, &t->past->results, next)
		if (effects_count(s))
			effects_join(t, &t->verdict, &s->rules, enforce);
	return enforce ? effects_message(t) : 0;
}
