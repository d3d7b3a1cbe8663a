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

static void
keep_captures(struct judging *j, struct seen *seen, const struct match *m)
{
	seen->captures =
	    arena_alloc(j->arena, m->n_captures * sizeof(*seen->captures));
	j->full |= seen->captures == NULL;
	for (size_t i = 0; !j->full && i < m->n_captures; i++) {
		seen->captures[i] = arena_str(j->arena, m->captures[i].text);
		j->full |= seen->captures[i].p == NULL;
	}
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

enum tri
judge_worker_atom(struct judging *j, const struct atom *a)
{
	struct seen *seen = &j->trace->seen[a->index];
	enum value_state state;
	struct match m;

	if (seen->asked)
		return (enum tri)seen->result;
	seen->asked = true;
	m.n_captures = 0;
	seen->result = (uint8_t)(a->fact == j->r->score
				     ? ask_score(j, a, &state, &m)
				     : atom_ask(j->r, a, j->run, j->facts,
					   RULES_MESSAGE, &state, &m));
	seen->state = (uint8_t)state;
	if (state == VALUE_KNOWN) {
		seen->text = arena_str(j->arena, m.text);
		j->full |= seen->text.p == NULL;
	}
	if (seen->result == TRI_TRUE && a->op == OP_MATCH)
		keep_captures(j, seen, &m);
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

/* ---- a stage ---- */

static int
trace_new(struct judging *j, unsigned stage)
{
	const struct rules *r = j->r;
	const struct placed **at = j->policy->at_stage[stage];
	struct rules_trace *t = arena_alloc(j->arena, sizeof(*t));

	if (t == NULL)
		return -1;
	while (at[t->n_judged] != NULL)
		t->n_judged++;
	t->stage = stage;
	t->policy = j->policy;
	t->answers = j->answers;
	t->judged = arena_alloc(j->arena, t->n_judged * sizeof(*t->judged));
	if (t->judged == NULL)
		return -1;
	for (size_t i = 0; i < t->n_judged; i++) {
		t->judged[i].rule = at[i]->rule;
		t->judged[i].early = at[i]->early;
		t->judged[i].outcome = SKIPPED;
	}
	j->trace = j->out->trace = t;
	if (t->n_judged == 0)
		return 0;
	t->seen = arena_alloc(j->arena, r->n_worker * sizeof(*t->seen));
	t->quants = arena_alloc(j->arena, r->n_quants * sizeof(*t->quants));
	return t->seen != NULL && t->quants != NULL ? 0 : -1;
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
		struct judged *judged = &j->trace->judged[i];

		if (stratum_of(judged->rule) != stratum ||
		    (allowed && !judged->rule->always))
			continue;
		judge_rule(j, judged);
		j->out->allowed |= judged->outcome == ALLOWED &&
				   !judge_in_shadow(j, judged->rule);
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
		effects_take(j, &j->trace->judged[i]);
	j->trace->effects = j->out->effects;
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
