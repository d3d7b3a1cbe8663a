/*
 * judge - the third and fourth step's seam: facts and findings go to the
 * rules, their effects come back as verdict and edits.
 *
 * Called by engine.c when everything a stage asked for is known. Order never
 * decides a verdict: effects are joined, strongest first (mail/verdict).
 */
#include "engine/run.h"

#include "base/must.h"

/* ---- where rules ask ---- */

struct asker {
	const struct transaction *t;
	const struct site *site;
};

static struct value
address_of(const struct rcpt *r)
{
	return (struct value){ .state = VALUE_KNOWN, .type = VALUE_ADDRESS,
		.str = r->address, .local = r->local, .domain = r->domain };
}

/*
 * The recipients at hand, one after the other. Before the message: the one
 * that RCPT names. At the message: all accepted ones.
 */
static const struct rcpt *
next_rcpt(const struct transaction *t, const struct rcpt *after)
{
	const struct rcpt *r;

	if (t->rcpt != NULL)
		return after == NULL ? t->rcpt : NULL;
	r = after ? TAILQ_NEXT(after, next) : TAILQ_FIRST(&t->envelope.rcpts);
	while (r != NULL && !r->accepted)
		r = TAILQ_NEXT(r, next);
	return r;
}

static void
get_rcpt(const struct asker *a, unsigned nth, struct value *out)
{
	const struct rcpt *r = next_rcpt(a->t, NULL);

	while (r != NULL && nth-- > 0)
		r = next_rcpt(a->t, r);
	if (r != NULL)
		*out = address_of(r);
}

/* Our own client's mail goes out or stays; a stranger's comes in. */
static struct pn_str
direction_of(const struct transaction *t, const struct site *site,
    const struct rcpt *r)
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

	for (const struct rcpt *r = next_rcpt(a->t, NULL); r != NULL;
	     r = next_rcpt(a->t, r)) {
		struct pn_str word = direction_of(a->t, a->site, r);

		for (i = 0; i < n && !pn_str_eq(seen[i], word); i++)
			;
		if (i == n)
			seen[n++] = word;
	}
	if (nth < n)
		*out = (struct value){ .state = VALUE_KNOWN,
			.type = VALUE_WORD, .str = seen[nth] };
}

static void
get(void *arg, uint32_t fact, uint32_t thing, struct pn_str key, unsigned nth,
    struct value *out)
{
	const struct asker *a = arg;
	const struct transaction *t = a->t;

	*out = (struct value){ .state = VALUE_ABSENT };
	if (fact == FACT_RCPT)
		get_rcpt(a, nth, out);
	else if (fact == FACT_DIRECTION)
		get_direction(a, nth, out);
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

/* ---- effects ---- */

enum verdict_action
engine_action(enum rules_action a)
{
	static const enum verdict_action verdict_of[] = {
		[RULES_ACCEPT] = VERDICT_ACCEPT,
		[RULES_ALLOW] = VERDICT_ACCEPT,
		[RULES_TAG] = VERDICT_TAG,
		[RULES_REJECT] = VERDICT_REJECT,
		[RULES_TEMPFAIL] = VERDICT_TEMPFAIL,
		[RULES_QUARANTINE] = VERDICT_QUARANTINE,
		[RULES_DISCARD] = VERDICT_DISCARD,
		[RULES_HEADER] = VERDICT_TAG,
		[RULES_SUBJECT_PREFIX] = VERDICT_TAG,
	};

	return verdict_of[a];
}

static struct verdict
verdict_from(const struct rules_effect *e)
{
	struct verdict v = { .action = engine_action(e->action),
		.order = e->order,
		.rule = e->rule,
		.class_name = e->name,
		.reply = { .code = e->code, .text = e->text } };

	must(e->status.n < sizeof(v.reply.status));
	if (e->status.n > 0)
		memcpy(v.reply.status, e->status.p, e->status.n);
	if (v.class_name.n == 0)
		v.class_name = PN_STR_V("default");
	return v;
}

static int
edit_from(struct transaction *t, const struct rules_effect *e)
{
	if (e->action == RULES_HEADER)
		return edits_add(&t->edits, t->arena, EDIT_HEADER_ADD, e->name,
		    e->value);
	if (e->action == RULES_SUBJECT_PREFIX)
		return edits_add(&t->edits, t->arena, EDIT_HEADER_PREFIX,
		    PN_STR_V("Subject"), e->text);
	return 0;
}

static void
join_effects(struct verdict *v, const struct rules_result *r)
{
	for (size_t i = 0; i < r->n_effects; i++) {
		struct verdict one = verdict_from(&r->effects[i]);

		verdict_join(v, &one);
	}
	v->degraded = v->degraded || r->degraded;
}

/* Does this finished stage speak for the message? A refused recipient's
 * result does not. */
static bool
counts(const struct stage_result *s)
{
	return s->stage != STAGE_RCPT || s->rcpt->accepted;
}

/* The results that the rules of this stage follow on from. */
static const struct rules_result **
earlier_results(const struct transaction *t, size_t *n)
{
	const struct rules_result **list;
	const struct stage_result *s;

	*n = 0;
	STAILQ_FOREACH (s, &t->past->results, next)
		++*n;
	list = arena_alloc(t->arena, *n * sizeof(*list));
	*n = 0;
	STAILQ_FOREACH (s, &t->past->results, next)
		if (list != NULL && (s->stage != STAGE_RCPT ||
					(t->rcpt == NULL && s->rcpt->accepted)))
			list[(*n)++] = &s->rules;
	return list;
}

static struct stage_result *
judge(struct engine_run *r)
{
	struct transaction *t = r->t;
	struct asker asker = { t, &r->engine->conf->site };
	struct rules_facts facts = { &asker, get, n_things, depth };
	struct stage_result *s = arena_alloc(t->arena, sizeof(*s));
	const struct rules *rules = r->engine->conf->rules;
	size_t n;
	const struct rules_result **earlier = earlier_results(t, &n);

	if (s == NULL || earlier == NULL)
		return NULL;
	s->stage = r->stage;
	s->rcpt = r->stage == STAGE_RCPT ? t->rcpt : NULL;
	if (rules_judge(rules, r->engine->rules_run, rules_policy_early(rules),
		(unsigned)r->stage, &facts,
		r->stage == STAGE_MESSAGE ? t->past->findings.answers : NULL,
		earlier, n, t->arena, &s->rules) < 0)
		return NULL;
	STAILQ_INSERT_TAIL(&t->past->results, s, next);
	return s;
}

int
judge_stage(struct engine_run *r)
{
	struct transaction *t = r->t;
	struct verdict *v = r->stage == STAGE_RCPT ? &t->rcpt_verdict
						   : &t->verdict;
	struct stage_result *s = judge(r);

	if (s == NULL)
		return -1;
	if (r->engine->conf->enforce)
		join_effects(v, &s->rules);
	return 0;
}

/* The next rule in file order that fired, and a result that holds its effects:
 * one is enough, a rule edits once however many recipients it fired for. */
static const struct rules_result *
next_rule(const struct transaction *t, int64_t after, unsigned *order)
{
	const struct rules_result *best = NULL;
	const struct stage_result *s;

	STAILQ_FOREACH (s, &t->past->results, next)
		for (size_t i = 0; counts(s) && i < s->rules.n_effects; i++) {
			unsigned o = s->rules.effects[i].order;

			if (o > after && (best == NULL || o < *order)) {
				best = &s->rules;
				*order = o;
			}
		}
	return best;
}

static int
make_edits(struct transaction *t)
{
	const struct rules_result *r;
	unsigned order = 0;

	for (int64_t after = -1; (r = next_rule(t, after, &order)) != NULL;
	     after = order)
		for (size_t i = 0; i < r->n_effects; i++)
			if (r->effects[i].order == order &&
			    edit_from(t, &r->effects[i]) < 0)
				return -1;
	return 0;
}

int
judge_message(struct engine_run *r)
{
	struct transaction *t = r->t;
	const struct stage_result *s;

	if (judge(r) == NULL)
		return -1;
	if (!r->engine->conf->enforce)
		return 0;
	STAILQ_FOREACH (s, &t->past->results, next)
		if (counts(s))
			join_effects(&t->verdict, &s->rules);
	return make_edits(t);
}
