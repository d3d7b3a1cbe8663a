/*
 * effects - what a rule wants, once its outcome is known: its actions with
 * their texts filled in, from the things and groups that made it fire.
 *
 * Called by judge.c for each rule judged, in file order.
 */
#include "rules/judge.h"

/* Of the rule whose effects are being taken. */
struct taking {
	struct judging *j;
	const struct rule *rule;
	bool early;
	uint32_t *found;
	uint32_t part; /* index of that thing */
};

/* ---- what made it fire ---- */

/* The first thing that made an `any` of the rule true, in the text's order. */
static void
find_things(
    struct judging *j, const struct expr *x, bool negated, uint32_t *found)
{
	if (x->kind == EXPR_QUANT) {
		if (x->quant == QUANT_ANY && !negated &&
		    found[x->thing] == NO_THING &&
		    judge_quant(j, x) == TRI_TRUE)
			found[x->thing] = j->trace->quants[x->quant_id].thing;
		return;
	}
	negated ^= x->kind == EXPR_NOT;
	for (const struct expr *kid = x->first; kid != NULL; kid = kid->next)
		find_things(j, kid, negated, found);
}

static struct pn_str
unknown_text(void)
{
	return PN_STR_V("unknown");
}

/* Of a content atom: the answer holds what matched of one thing. */
static bool
answered_capture(struct judging *j, const struct named *n, uint32_t thing,
    struct pn_str *out)
{
	const struct answer *answer;

	if (j->answers == NULL ||
	    answers_get(j->answers, n->atom,
		n->atom->thing == NO_THING ? 0 : thing) != TRI_TRUE)
		return false;
	answer = &j->answers->of[n->atom->index];
	*out = !answer->has_match ||
		       (n->atom->thing != NO_THING && answer->thing != thing)
		   ? unknown_text()
		   : answer->captures[n->index];
	return true;
}

/* Of an atom on a thing that the worker asks: asked again. */
static bool
asked_capture(struct judging *j, const struct named *n, uint32_t thing,
    struct pn_str *out)
{
	enum value_state state;
	struct match m;

	if (atom_ask(j->r, n->atom, j->run, j->facts, thing, &state, &m) !=
	    TRI_TRUE)
		return false;
	*out = arena_str(j->arena, m.captures[n->index].text);
	j->full |= out->p == NULL;
	return true;
}

static bool
capture_of(struct judging *j, const struct named *n, struct pn_str *out)
{
	uint32_t thing = NO_THING;

	if (n->quant != NULL) {
		if (judge_quant(j, n->quant) != TRI_TRUE)
			return false;
		thing = j->trace->quants[n->quant->quant_id].thing;
	}
	if (n->atom->content)
		return answered_capture(j, n, thing, out);
	if (n->atom->thing != NO_THING)
		return asked_capture(j, n, thing, out);
	if (judge_worker_atom(j, n->atom) != TRI_TRUE || j->full)
		return false;
	*out = j->trace->texts[trace_seen(j->trace, n->atom)->text]
		   .captures[n->index];
	return true;
}

/* The first regex with such a group that matched, in the text's order. */
static struct pn_str
find_capture(void *arg, struct pn_str name)
{
	const struct taking *t = arg;
	struct pn_str out = { "", 0 };

	for (const struct named *n = t->rule->named; n; n = n->next)
		if (pn_str_eq(named_name(n), name) && capture_of(t->j, n, &out))
			return out.p != NULL ? out : (struct pn_str){ "", 0 };
	return out;
}

/* ---- effects ---- */

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
take_effect(struct taking *t, const struct action *a)
{
	struct judging *j = t->j;
	const struct rule *rule = t->rule;
	struct rules_effect *f = effect_new(j);
	bool reply = a->kind == RULES_REJECT || a->kind == RULES_TEMPFAIL;
	struct text_source from = { .r = j->r,
		.facts = j->facts,
		.score = j->score,
		.found = t->found,
		.capture = find_capture,
		.arg = t };
	struct pn_str text;

	if (f == NULL)
		return;
	text = text_render(&from, &a->text, reply, j->arena);
	j->full |= text.p == NULL;
	*f = (struct rules_effect){ .action = a->kind,
		.order = rule->order,
		.rule = rule->name,
		.shadow = judge_in_shadow(j, rule),
		.early = t->early,
		.code = a->code,
		.status = a->status,
		.edit = a->edit,
		.name = a->name,
		.copy = a->copy,
		.address = a->address,
		.score = a->score,
		.group = a->group.text,
		.delay_ms = a->delay_ms };
	if (a->kind == RULES_HEADER)
		f->value = text;
	else
		f->text = text;
}

/* Is one of the rule's `any part` true of the nth? */
static bool
is_found(struct taking *t, const struct expr *x, bool negated, uint32_t n)
{
	if (x->kind == EXPR_QUANT)
		return x->quant == QUANT_ANY && !negated &&
		       x->thing == t->part &&
		       judge_quant(t->j, x) == TRI_TRUE &&
		       n < t->j->trace->quants[x->quant_id].n &&
		       judge_is_true_of(t->j, x, n);
	negated ^= x->kind == EXPR_NOT;
	for (const struct expr *kid = x->first; kid != NULL; kid = kid->next)
		if (is_found(t, kid, negated, n))
			return true;
	return false;
}

/* How many things the rule's quantifiers over parts looked at. */
static uint32_t
most_things(struct taking *t, const struct expr *x)
{
	uint32_t most = 0;

	if (x->kind == EXPR_QUANT)
		return x->thing == t->part && judge_quant(t->j, x) == TRI_TRUE
			   ? t->j->trace->quants[x->quant_id].n
			   : 0;
	for (const struct expr *kid = x->first; kid != NULL; kid = kid->next) {
		uint32_t n = most_things(t, kid);

		most = n > most ? n : most;
	}
	return most;
}

/* One for each part that was found; its note speaks of that one. */
static void
take_strip(struct taking *t, const struct action *a)
{
	const struct expr *when = t->rule->when;
	const struct rules_decls *d = t->j->r->decls;
	uint32_t first, n;

	while (strcmp(d->things[t->part], "part") != 0)
		t->part++;
	n = most_things(t, when);
	first = t->found[t->part];
	for (uint32_t i = first; i < n; i++) {
		if (!is_found(t, when, false, i))
			continue;
		t->found[t->part] = i;
		take_effect(t, a);
		if (t->j->full)
			return;
		t->j->out->effects[t->j->out->n_effects - 1].thing = i;
	}
	t->found[t->part] = first;
}

static void
take_all(struct judging *j, const struct placed *at, const struct action *first,
    bool fired)
{
	const struct rule *rule = at->rule;
	struct taking t = { .j = j, .rule = rule, .early = at->early };

	t.found = arena_alloc(j->arena, j->r->n_things * sizeof(*t.found));
	if (t.found == NULL) {
		j->full = true;
		return;
	}
	for (uint32_t i = 0; i < j->r->n_things; i++)
		t.found[i] = NO_THING;
	if (fired && rule->when != NULL)
		find_things(j, rule->when, false, t.found);
	for (const struct action *a = first; a != NULL && !j->full; a = a->next)
		if (a->kind == RULES_STRIP)
			take_strip(&t, a);
		else
			take_effect(&t, a);
}

void
effects_take(struct judging *j, size_t nth)
{
	const struct placed *at = j->trace->rules[nth];
	struct judged *judged = &j->trace->judged[nth];

	judged->first_effect = (uint32_t)j->out->n_effects & 0xfffffff;
	if (judged->outcome == FIRED || judged->outcome == ALLOWED)
		take_all(j, at, at->rule->then, true);
	if (judged->outcome != UNKNOWN)
		return;
	if (at->rule->on_unknown != NULL)
		take_all(j, at, at->rule->on_unknown, false);
	else if (!judge_in_shadow(j, at->rule))
		j->out->degraded = true;
}
