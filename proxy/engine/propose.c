/*
 * propose - what others who see a mail (milters) want done with it, as if a
 * rule behind all others had said so.
 *
 * Whoever asks them calls judge_propose() before the run's stage is judged;
 * judge.c takes what was proposed into each result of the stage, so that it is
 * joined, counted and logged like a rule's effect; trace.c tells it. An `allow`
 * of this stage or an earlier one overrides it, as it does a rule.
 */
#include "engine/run.h"

#include "base/json.h"
#include "base/must.h"

struct proposed {
	struct proposed *next; /* in the order they came */
	const char *fact;
	struct pn_str said;
	struct rules_effect effect;
};

/* A text's copy in the arena. */
static bool
keep(struct transaction *t, struct pn_str *text)
{
	*text = text->n > 0 ? arena_str(t->arena, *text) : PN_STR_V("");
	return text->p != NULL;
}

/* Behind those that are there, with texts of its own. */
static int
add(struct engine_run *r, const struct proposed *what)
{
	struct proposed **last = &r->proposed, *p;
	struct transaction *t = r->t;

	while (*last != NULL)
		last = &(*last)->next;
	if ((p = arena_alloc(t->arena, sizeof(*p))) == NULL)
		return -1;
	*p = *what;
	p->next = NULL;
	if (!keep(t, &p->said) || !keep(t, &p->effect.status) ||
	    !keep(t, &p->effect.text) || !keep(t, &p->effect.name))
		return -1;
	*last = p;
	return 0;
}

int
judge_propose(struct engine_run *r, const struct proposal *what)
{
	unsigned behind = rules_orders(r->engine->conf->rules);
	struct proposed p = { .fact = what->fact,
		.said = what->said,
		.effect = { .action = what->action,
			.order = behind + what->nr,
			.rule = pn_str_of(what->rule),
			.code = what->code,
			.status = what->status,
			.text = what->text,
			.name = what->class_name } };

	return add(r, &p);
}

/* What only tells that all is well is no effect; what is changed already is
 * one, allowed or not. */
static bool
counts(const struct proposed *p, bool allowed)
{
	return p->effect.action == RULES_TAG ||
	       (!allowed && p->effect.action != RULES_ACCEPT);
}

int
propose_join(struct engine_run *r, struct stage_result *s)
{
	size_t n = s->rules.n_effects, at = n;
	struct rules_effect *all;

	s->proposed = r->proposed;
	for (const struct proposed *p = r->proposed; p; p = p->next)
		n += counts(p, s->rules.allowed);
	if (n == at)
		return 0;
	all = arena_alloc(r->t->arena, n * sizeof(*all));
	if (all == NULL)
		return -1;
	if (at > 0)
		memcpy(all, s->rules.effects, at * sizeof(*all));
	for (const struct proposed *p = r->proposed; p; p = p->next)
		if (counts(p, s->rules.allowed))
			all[at++] = p->effect;
	s->rules.effects = all;
	s->rules.n_effects = n;
	return 0;
}

static bool
is_skipped(const struct proposed *p, const struct stage_result *s)
{
	return s->rules.allowed && !counts(p, true);
}

/* Like a rule of rules_trace_json(), with what was seen in "said". */
void
propose_trace(struct buf *b, const struct stage_result *s)
{
	for (const struct proposed *p = s->proposed; p; p = p->next) {
		json_begin_object(b, NULL);
		json_str(b, "rule", p->effect.rule);
		json_cstr(b, "stage", stage_name(s->stage));
		json_cstr(b, "result", is_skipped(p, s) ? "skipped" : "fired");
		json_cstr(b, "fact", p->fact);
		json_str(b, "said", p->said);
		json_begin_array(b, "actions");
		rules_effect_json(&p->effect, b);
		json_end_array(b);
		json_end_object(b);
	}
}
