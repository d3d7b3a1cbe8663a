/*
 * judge - facts and answers in, verdict and trace out. Pure.
 *
 * Three values (Kleene). Rules of a stage that `allow` are asked first; then
 * all that do not read the score, then those that do. Worker atoms are asked
 * once a judging, content atoms come from the answers; expressions and
 * quantifiers are always worked out here.
 */
#include "rules/judge.h"

#include "base/must.h"

/* ---- expressions ---- */

#define TEXTS_LOOKED_BACK 8 /* rules of one stage ask for few facts */

static struct seen_text *
text_new(struct judging *j)
{
	struct rules_trace *t = j->trace;
	size_t room = t->room ? 2 * t->room : 8;
	struct seen_text *more;

	if (t->n_texts == t->room) {
		more = arena_alloc(j->arena, room * sizeof(*more));
		if (more == NULL)
			return NULL;
		if (t->n_texts > 0)
			memcpy(more, t->texts, t->n_texts * sizeof(*more));
		t->texts = more;
		t->room = room;
	}
	return &t->texts[t->n_texts++];
}

static void
keep_captures(struct judging *j, struct seen_text *to, const struct match *m)
{
	to->captures =
	    arena_alloc(j->arena, m->n_captures * sizeof(*to->captures));
	j->full |= to->captures == NULL;
	for (size_t i = 0; !j->full && i < m->n_captures; i++) {
		to->captures[i] = arena_str(j->arena, m->captures[i].text);
		j->full |= to->captures[i].p == NULL;
	}
}

/* The same text was seen a moment ago, most often. */
static bool
share_text(const struct rules_trace *t, struct pn_str text, struct seen *seen)
{
	for (size_t i = t->n_texts; i > 0 && i + TEXTS_LOOKED_BACK > t->n_texts;
	     i--)
		if (t->texts[i - 1].captures == NULL &&
		    pn_str_eq(t->texts[i - 1].text, text)) {
			seen->text = (uint32_t)(i - 1);
			return true;
		}
	return false;
}

static void
keep_text(struct judging *j, const struct atom *a, struct seen *seen,
    const struct match *m)
{
	bool captures =
	    seen->result == TRI_TRUE && a->op == OP_MATCH && m->n_captures > 0;
	struct seen_text *to;

	if (!captures && share_text(j->trace, m->text, seen))
		return;
	to = text_new(j);
	if (to == NULL) {
		j->full = true;
		return;
	}
	seen->text = (uint32_t)(to - j->trace->texts);
	to->text = arena_str(j->arena, m->text);
	j->full |= to->text.p == NULL;
	if (captures)
		keep_captures(j, to, m);
}

/* The score is no one's fact but this policy's. */
static enum tri
ask_score(struct judging *j, const struct atom *a, enum value_state *state,
    struct match *m)
{
	struct value v = {
		.state = VALUE_KNOWN, .type = VALUE_NUMBER, .number = j->score
	};

	*state = v.state;
	return atom_test(a, &j->r->decls->facts[a->fact], j->run, &v, m);
}

struct seen *
trace_seen(const struct rules_trace *t, const struct atom *a)
{
	return &t->seen[t->policy->at_stage[t->stage].slots[a->index]];
}

/* Ask it now, of the message or of a thing. */
static enum tri
see(struct judging *j, const struct atom *a, uint32_t thing, struct seen *seen)
{
	enum value_state state;
	enum tri result;
	struct match m;

	m.n_captures = 0;
	result = a->fact == j->r->score
		     ? ask_score(j, a, &state, &m)
		     : atom_ask(j->r, a, j->run, j->facts, thing, &state, &m);
	*seen = (struct seen){ .asked = 1,
		.result = (unsigned)result & 3,
		.state = (unsigned)state & 3 };
	if (state == VALUE_KNOWN)
		keep_text(j, a, seen, &m);
	return result;
}

enum tri
judge_worker_atom(struct judging *j, const struct atom *a)
{
	struct seen *seen = trace_seen(j->trace, a);

	return seen->asked ? (enum tri)seen->result
			   : see(j, a, RULES_MESSAGE, seen);
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
		return judge_worker_atom(j, a);
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

/* For the trace: what the worker's tests say of the thing that decided. */
static void
keep_deciding(struct judging *j, const struct expr *x, struct quant_seen *to)
{
	const struct atom *a = x->atom;
	struct thing_seen *of;

	for (const struct expr *kid = x->first; kid != NULL; kid = kid->next)
		keep_deciding(j, kid, to);
	if (a == NULL || a->content || a->thing == NO_THING)
		return;
	of = arena_alloc(j->arena, sizeof(*of));
	if (of == NULL) {
		j->full = true;
		return;
	}
	of->atom = a;
	(void)see(j, a, to->thing, &of->seen); /* known to be so */
	of->next = to->of;
	to->of = of;
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

bool
judge_is_true_of(struct judging *j, const struct expr *x, uint32_t n)
{
	return at_top(j, x, n) == TRI_TRUE && eval(j, x->first, n) == TRI_TRUE;
}

enum tri
judge_quant(struct judging *j, const struct expr *x)
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
		if (seen->thing != NO_THING)
			keep_deciding(j, x->first, seen);
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
		return judge_quant(j, x);
	default:
		return eval_chain(j, x, thing);
	}
}

/* ---- rules ---- */

void
rules_run_live(struct rules_run *run, const struct rules_test *test)
{
	run->live = test;
}

bool
judge_in_shadow(const struct judging *j, const struct rule *rule)
{
	const struct rules_test *live = j->run->live;

	return rule->shadow &&
	       (live == NULL || !pn_str_eq(live->rule, rule->name));
}

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

static enum outcome
judge_rule(struct judging *j, const struct rule *rule)
{
	switch (eval_rule(j, rule)) {
	case TRI_TRUE:
		return rule->allows ? ALLOWED : FIRED;
	case TRI_UNKNOWN:
		return UNKNOWN;
	default:
		return SILENT;
	}
}

/* ---- a stage ---- */

static int
trace_new(struct judging *j, unsigned stage)
{
	const struct staged *at = &j->policy->at_stage[stage];
	struct rules_trace *t = arena_alloc(j->arena, sizeof(*t));
	uint32_t n_quants = stage + 1 == j->r->n_stages ? j->r->n_quants : 0;

	if (t == NULL)
		return -1;
	t->stage = stage;
	t->policy = j->policy;
	t->answers = j->answers;
	t->rules = at->rules;
	t->n_judged = at->n_rules;
	t->judged = arena_alloc(j->arena, t->n_judged * sizeof(*t->judged));
	t->seen = arena_alloc(j->arena, at->n_slots * sizeof(*t->seen));
	/* What asks about things is judged at the last stage. */
	t->quants = arena_alloc(j->arena, n_quants * sizeof(*t->quants));
	if (t->judged == NULL || t->seen == NULL || t->quants == NULL)
		return -1;
	for (size_t i = 0; i < t->n_judged; i++)
		t->judged[i].outcome = SKIPPED;
	j->trace = j->out->trace = t;
	return 0;
}

/* What is judged one after the other. */
enum stratum { ALLOWS, ADDS, READS };

static enum stratum
stratum_of(const struct rule *r)
{
	return r->allows ? ALLOWS : r->reads ? READS : ADDS;
}

/* Once something is allowed only what is marked always counts. */
static void
judge_stratum(struct judging *j, enum stratum stratum)
{
	bool allowed = j->out->allowed;

	for (size_t i = 0; i < j->trace->n_judged; i++) {
		const struct rule *rule = j->trace->rules[i]->rule;
		enum outcome outcome;

		if (stratum_of(rule) != stratum || (allowed && !rule->always))
			continue;
		outcome = judge_rule(j, rule);
		j->trace->judged[i].outcome = (unsigned)outcome & 7;
		j->out->allowed |=
		    outcome == ALLOWED && !judge_in_shadow(j, rule);
	}
}

/* Did one of connect, helo and mail allow, or each of the recipients'? */
static bool
is_allowed(const struct judging *j)
{
	unsigned rcpt = j->r->rcpt_stage;
	size_t rcpts = 0, allowed = 0;

	for (size_t i = 0; i < j->n_earlier; i++) {
		const struct rules_result *of = j->earlier[i];

		if (of->stage < rcpt && of->allowed)
			return true;
		rcpts += of->stage == rcpt;
		allowed += of->stage == rcpt && of->allowed;
	}
	return rcpts > 0 && rcpts == allowed;
}

static int
judge_stage(struct judging *j, unsigned stage)
{
	if (trace_new(j, stage) < 0)
		return -1;
	j->out->allowed = is_allowed(j);
	judge_stratum(j, ALLOWS);
	judge_stratum(j, ADDS);
	score_add_up(j);
	judge_stratum(j, READS);
	for (size_t i = 0; i < j->trace->n_judged; i++)
		effects_take(j, i);
	j->trace->effects = j->out->effects;
	j->trace->n_effects = j->out->n_effects;
	j->out->score = j->score;
	return j->full ? -1 : 0;
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
		.earlier = earlier,
		.n_earlier = n_earlier,
		.arena = arena,
		.out = out };

	must(stage < r->n_stages);
	*out = (struct rules_result){ .stage = stage };
	if (policy == RULES_NO_POLICY)
		return 0;
	must(policy < r->n_policies);
	j.policy = r->policies[policy];
	run_begin(run);
	return judge_stage(&j, stage);
}
