/*
 * judge - facts and answers in, verdict and trace out. Pure.
 *
 * Three values (Kleene). Rules of a stage that `allow` are asked first; then
 * all in file order. Worker atoms are asked once a judging, content atoms
 * come from the answers; expressions and quantifiers are always worked out
 * here.
 */
#include "rules/text.h"

#include "base/must.h"

struct judging {
	const struct rules *r;
	struct rules_run *run;
	const struct rules_facts *facts;
	const struct rules_answers *answers;
	struct arena *arena;
	struct rules_trace *trace;
	struct rules_result *out;
	size_t room; /* of out->effects */
	bool full;   /* the arena is */
};

/* ---- expressions ---- */

static enum tri
ask_worker(struct judging *j, const struct atom *a)
{
	struct seen *seen = &j->trace->seen[a->index];
	enum value_state state;
	struct match m;

	if (seen->asked)
		return (enum tri)seen->result;
	seen->asked = true;
	seen->result = (uint8_t)atom_ask(
	    j->r, a, j->run, j->facts, RULES_MESSAGE, &state, &m);
	seen->state = (uint8_t)state;
	if (state == VALUE_KNOWN) {
		seen->text = arena_str(j->arena, m.text);
		j->full |= seen->text.p == NULL;
	}
	return (enum tri)seen->result;
}

static enum tri
eval_atom(struct judging *j, const struct atom *a, uint32_t thing)
{
	enum value_state state;
	struct match m;

	if (a->content)
		return j->answers == NULL ? TRI_UNKNOWN
					  : answers_get(j->answers, a, thing);
	if (a->thing == NO_THING)
		return ask_worker(j, a);
	return atom_ask(j->r, a, j->run, j->facts, thing, &state, &m);
}

static enum tri
opposite(enum tri t)
{
	return t == TRI_UNKNOWN ? t : tri_of(t == TRI_FALSE);
}

static enum tri eval(struct judging *j, const struct expr *x, uint32_t thing);

/* and: false ends it; or: true does. */
static enum tri
eval_chain(struct judging *j, const struct expr *x, uint32_t thing)
{
	enum tri ends = x->kind == EXPR_AND ? TRI_FALSE : TRI_TRUE;
	enum tri all = opposite(ends);

	for (const struct expr *kid = x->first; kid != NULL; kid = kid->next) {
		enum tri one = eval(j, kid, thing);

		if (one == ends)
			return one;
		if (one == TRI_UNKNOWN)
			all = one;
	}
	return all;
}

/* How many things there are: the inspector's word where it gives them. */
static uint32_t
count_things(struct judging *j, uint32_t thing)
{
	if (j->r->thing_content[thing])
		return j->answers->n_things[thing];
	return j->facts->n_things(j->facts->arg, j->r->decls->things[thing]);
}

/* Is the nth at top? Unknown if the facts know fewer things than answered. */
static enum tri
at_top(struct judging *j, const struct expr *x, uint32_t nth)
{
	const char *thing = j->r->decls->things[x->thing];

	if (!x->top)
		return TRI_TRUE;
	if (nth >= j->facts->n_things(j->facts->arg, thing))
		return TRI_UNKNOWN;
	return tri_of(j->facts->depth(j->facts->arg, thing, nth) == 0);
}

/* `all ( e )` is `no ( not e )`, `no` is `not any`: so one loop. */
static enum tri
find_one(struct judging *j, const struct expr *x, struct quant_seen *seen)
{
	enum tri all = TRI_FALSE;

	for (uint32_t i = 0; i < seen->n; i++) {
		enum tri here = at_top(j, x, i), one;

		if (here == TRI_FALSE)
			continue;
		one = eval(j, x->first, i);
		if (x->quant == QUANT_ALL)
			one = opposite(one);
		if (one == TRI_TRUE && here == TRI_TRUE) {
			seen->thing = i;
			return TRI_TRUE;
		}
		if (one != TRI_FALSE)
			all = TRI_UNKNOWN;
	}
	return all;
}

static enum tri
eval_quant(struct judging *j, const struct expr *x)
{
	struct quant_seen *seen = &j->trace->quants[x->quant_id];
	enum tri found = TRI_UNKNOWN;

	if (seen->asked)
		return (enum tri)seen->result;
	seen->asked = true;
	seen->thing = NO_THING;
	if (j->answers != NULL || !j->r->thing_content[x->thing]) {
		seen->n = count_things(j, x->thing);
		found = find_one(j, x, seen);
	}
	seen->result =
	    (uint8_t)(x->quant == QUANT_ANY ? found : opposite(found));
	return (enum tri)seen->result;
}

static enum tri
eval(struct judging *j, const struct expr *x, uint32_t thing)
{
	switch (x->kind) {
	case EXPR_TEST:
		return eval_atom(j, x->atom, thing);
	case EXPR_NOT:
		return opposite(eval(j, x->first, thing));
	case EXPR_QUANT:
		return eval_quant(j, x);
	default:
		return eval_chain(j, x, thing);
	}
}

/* ---- effects ---- */

/* The first thing that made an `any` of the rule true, in the text's order. */
static void
find_things(
    struct judging *j, const struct expr *x, bool negated, uint32_t *found)
{
	if (x->kind == EXPR_QUANT) {
		if (x->quant == QUANT_ANY && !negated &&
		    found[x->thing] == NO_THING && eval_quant(j, x) == TRI_TRUE)
			found[x->thing] = j->trace->quants[x->quant_id].thing;
		return;
	}
	negated ^= x->kind == EXPR_NOT;
	for (const struct expr *kid = x->first; kid != NULL; kid = kid->next)
		find_things(j, kid, negated, found);
}

static struct rules_effect *
effect_new(struct judging *j)
{
	struct rules_result *out = j->out;
	struct rules_effect *more;

	if (out->n_effects == j->room) {
		j->room = j->room ? 2 * j->room : 8;
		more = arena_alloc(j->arena, j->room * sizeof(*more));
		if (more == NULL) {
			j->full = true;
			return NULL;
		}
		if (out->n_effects > 0)
			memcpy(
			    more, out->effects, out->n_effects * sizeof(*more));
		out->effects = more;
	}
	return &out->effects[out->n_effects++];
}

static void
take_effect(struct judging *j, const struct rule *rule, const struct action *a,
    const uint32_t *found)
{
	struct rules_effect *f = effect_new(j);
	bool reply = a->kind == RULES_REJECT || a->kind == RULES_TEMPFAIL;
	struct pn_str text;

	if (f == NULL)
		return;
	text = text_render(j->r, &a->text, reply, j->facts, found, j->arena);
	j->full |= text.p == NULL;
	*f = (struct rules_effect){ .action = a->kind,
		.order = rule->order,
		.rule = rule->name,
		.code = a->code,
		.status = a->status,
		.name = a->name };
	if (a->kind == RULES_HEADER)
		f->value = text;
	else
		f->text = text;
}

static void
take_effects(struct judging *j, struct judged *judged,
    const struct action *first, bool fired)
{
	const struct rule *rule = judged->rule;
	uint32_t *found =
	    arena_alloc(j->arena, j->r->n_things * sizeof(*found));

	if (found == NULL) {
		j->full = true;
		return;
	}
	for (uint32_t i = 0; i < j->r->n_things; i++)
		found[i] = NO_THING;
	if (fired && rule->when != NULL)
		find_things(j, rule->when, false, found);
	judged->first_effect = j->out->n_effects;
	for (const struct action *a = first; a != NULL; a = a->next)
		take_effect(j, rule, a, found);
	judged->n_effects = j->out->n_effects - judged->first_effect;
}

/* ---- rules ---- */

static enum tri
eval_rule(struct judging *j, const struct rule *rule)
{
	enum tri when =
	    rule->when ? eval(j, rule->when, RULES_MESSAGE) : TRI_TRUE;
	enum tri unless;

	if (when == TRI_FALSE || rule->unless == NULL)
		return when;
	unless = eval(j, rule->unless, RULES_MESSAGE);
	if (unless == TRI_TRUE)
		return TRI_FALSE;
	return unless == TRI_UNKNOWN ? TRI_UNKNOWN : when;
}

static void
judge_rule(struct judging *j, struct judged *judged)
{
	switch (eval_rule(j, judged->rule)) {
	case TRI_TRUE:
		judged->outcome = judged->rule->allows ? ALLOWED : FIRED;
		break;
	case TRI_UNKNOWN:
		judged->outcome = UNKNOWN;
		break;
	default:
		judged->outcome = SILENT;
	}
}

/* What the rule wants, its outcome being known. */
static void
take_outcome(struct judging *j, struct judged *judged)
{
	const struct rule *rule = judged->rule;

	if (judged->outcome == FIRED || judged->outcome == ALLOWED)
		take_effects(j, judged, rule->then, true);
	if (judged->outcome != UNKNOWN)
		return;
	if (rule->on_unknown != NULL)
		take_effects(j, judged, rule->on_unknown, false);
	else
		j->out->degraded = true;
}

static int
trace_new(struct judging *j, unsigned stage)
{
	const struct rules *r = j->r;
	struct rules_trace *t = arena_alloc(j->arena, sizeof(*t));
	size_t n = 0;

	if (t == NULL)
		return -1;
	while (r->at_stage[stage][n] != NULL)
		n++;
	t->stage = stage;
	t->n_judged = n;
	t->answers = j->answers;
	t->judged = arena_alloc(j->arena, n * sizeof(*t->judged));
	if (t->judged == NULL)
		return -1;
	for (size_t i = 0; i < n; i++) {
		t->judged[i].rule = r->at_stage[stage][i];
		t->judged[i].outcome = SKIPPED;
	}
	j->trace = j->out->trace = t;
	if (n == 0)
		return 0;
	t->seen = arena_alloc(j->arena, r->n_worker * sizeof(*t->seen));
	t->quants = arena_alloc(j->arena, r->n_quants * sizeof(*t->quants));
	return t->seen != NULL && t->quants != NULL ? 0 : -1;
}

static void
judge_some(struct judging *j, bool allows)
{
	for (size_t i = 0; i < j->trace->n_judged; i++)
		if (j->trace->judged[i].rule->allows == allows) {
			judge_rule(j, &j->trace->judged[i]);
			j->out->allowed |=
			    j->trace->judged[i].outcome == ALLOWED;
		}
}

/* ---- which policy ---- */

unsigned
rules_policy_for(const struct rules *r, struct rules_run *run,
    const struct rules_facts *facts)
{
	(void)run;
	(void)facts;
	return rules_policy_early(r);
}

/* ---- a stage ---- */

/* Did one of connect, helo and mail allow, or each of the recipients'? */
static bool
is_allowed(
    const struct rules *r, const struct rules_result *const *earlier, size_t n)
{
	size_t rcpts = 0, allowed = 0;

	for (size_t i = 0; i < n; i++) {
		if (earlier[i]->stage < r->rcpt_stage && earlier[i]->allowed)
			return true;
		rcpts += earlier[i]->stage == r->rcpt_stage;
		allowed +=
		    earlier[i]->stage == r->rcpt_stage && earlier[i]->allowed;
	}
	return rcpts > 0 && rcpts == allowed;
}

int
rules_judge(const struct rules *r, struct rules_run *run, unsigned policy,
    unsigned stage, const struct rules_facts *facts,
    const struct rules_answers *answers,
    const struct rules_result *const *earlier, size_t n_earlier,
    struct arena *arena, struct rules_result *out)
{
	struct judging j = { .r = r,
		.run = run,
		.facts = facts,
		.answers = answers,
		.arena = arena,
		.out = out };

	must(stage < r->n_stages);
	*out = (struct rules_result){ .stage = stage };
	if (policy == RULES_NO_POLICY)
		return 0;
	if (trace_new(&j, stage) < 0)
		return -1;
	out->allowed = is_allowed(r, earlier, n_earlier);
	if (!out->allowed)
		judge_some(&j, true);
	if (!out->allowed)
		judge_some(&j, false);
	for (size_t i = 0; i < j.trace->n_judged; i++)
		take_outcome(&j, &j.trace->judged[i]);
	j.trace->effects = out->effects;
	return j.full ? -1 : 0;
}
