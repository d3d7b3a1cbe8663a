/*
 * explain - the trace as JSON: every rule judged with the values it saw.
 *
 * Deterministic: the same facts and answers give the same bytes. An atom that
 * short-circuit left unasked says "unasked"; one within a quantifier shows
 * what the deciding thing answered.
 */
#include "rules/tree.h"

#include "base/json.h"

static const char *const outcomes[] = { [SILENT] = "silent",
	[FIRED] = "fired",
	[UNKNOWN] = "unknown",
	[SKIPPED] = "skipped",
	[ALLOWED] = "allowed" };
static const char *const tris[] = {
	[TRI_FALSE] = "false", [TRI_TRUE] = "true", [TRI_UNKNOWN] = "unknown"
};

struct explaining {
	const struct rules *r;
	const struct rules_trace *t;
	bool unasked;			/* its rule was skipped */
	const struct quant_seen *quant; /* the one around */
	struct buf *b;
};

static void
explain_captures(
    struct explaining *x, const struct atom *a, const struct pn_str *captures)
{
	uint32_t n = a->pattern ? pattern_n_captures(a->pattern) : 0;

	if (n == 0)
		return;
	json_begin_object(x->b, "captures");
	for (uint32_t i = 0; i < n; i++)
		json_str(
		    x->b, pattern_capture_name(a->pattern, i).p, captures[i]);
	json_end_object(x->b);
}

static void
explain_seen(
    struct explaining *x, const struct atom *a, const struct seen *seen)
{
	const struct seen_text *text;

	json_cstr(x->b, "result", seen->asked ? tris[seen->result] : "unasked");
	if (!seen->asked)
		return;
	if (seen->state != VALUE_KNOWN) {
		json_cstr(x->b, "value_is",
		    seen->state == VALUE_ABSENT ? "absent" : "unknown");
		return;
	}
	text = &x->t->texts[seen->text];
	json_str(x->b, "value", text->text);
	if (text->captures != NULL)
		explain_captures(x, a, text->captures);
}

/* Why a pattern has no answer. */
static const char *const limits[RULES_LIMITS] = {
	[RULES_LIMIT_PATTERN] = "the pattern took too long",
	[RULES_LIMIT_BENCHED] = "the pattern took too long, once too often",
	[RULES_LIMIT_ON_BENCH] = "the pattern took too long before",
	[RULES_LIMIT_MESSAGE] = "all patterns together took too long",
	[RULES_LIMIT_SIZE] = "the text is too long"
};

/* Of a content atom: what matched first, if that is what is asked about. */
static void
explain_answer(struct explaining *x, const struct atom *a, uint32_t thing)
{
	const struct rules_answers *all = x->t->answers;
	const struct answer *answer = all ? &all->of[a->index] : NULL;
	bool of_thing = a->thing != NO_THING;
	enum tri tri = TRI_UNKNOWN;

	if (of_thing && thing == NO_THING)
		return;
	if (all != NULL)
		tri = answers_get(all, a, of_thing ? thing : 0);
	json_cstr(x->b, "result", tris[tri]);
	if (tri == TRI_UNKNOWN && answer != NULL &&
	    answer->limit < RULES_LIMITS && limits[answer->limit] != NULL)
		json_cstr(x->b, "limit", limits[answer->limit]);
	if (tri != TRI_TRUE || !answer->has_match ||
	    (of_thing && answer->thing != thing))
		return;
	json_str(x->b, "value", answer->match);
	explain_captures(x, a, answer->captures);
}

static void
explain_of_thing(struct explaining *x, const struct atom *a)
{
	const struct thing_seen *of = x->quant->of;

	while (of != NULL && of->atom != a)
		of = of->next;
	if (of != NULL)
		explain_seen(x, a, &of->seen);
}

static void
explain_atom(struct explaining *x, const struct atom *a, uint32_t thing)
{
	json_str(x->b, "test", a->canonical);
	if (x->unasked)
		json_cstr(x->b, "result", "unasked");
	else if (a->content)
		explain_answer(x, a, thing);
	else if (a->thing == NO_THING)
		explain_seen(x, a, trace_seen(x->t, a));
	else
		explain_of_thing(x, a);
}

static void explain_expr(struct explaining *x, const char *key,
    const struct expr *e, uint32_t thing);

static void
explain_quant(struct explaining *x, const struct expr *e)
{
	static const char *const names[] = {
		[QUANT_ANY] = "any", [QUANT_ALL] = "all", [QUANT_NO] = "no"
	};
	const struct quant_seen *q = &x->t->quants[e->quant_id];
	bool asked = !x->unasked && q->asked;
	uint32_t thing = asked ? q->thing : NO_THING;

	json_cstr(x->b, names[e->quant], x->r->decls->things[e->thing]);
	json_cstr(x->b, "at", e->top ? "top" : "any depth");
	json_cstr(x->b, "result", asked ? tris[q->result] : "unasked");
	if (asked)
		json_int(x->b, "of", q->n);
	if (thing != NO_THING)
		json_int(x->b, "decided_by", thing);
	x->quant = q;
	explain_expr(x, "that", e->first, thing);
}

static void
explain_expr(
    struct explaining *x, const char *key, const struct expr *e, uint32_t thing)
{
	json_begin_object(x->b, key);
	if (e->kind == EXPR_TEST) {
		explain_atom(x, e->atom, thing);
	} else if (e->kind == EXPR_QUANT) {
		explain_quant(x, e);
	} else if (e->kind == EXPR_NOT) {
		explain_expr(x, "not", e->first, thing);
	} else {
		json_begin_array(x->b, e->kind == EXPR_AND ? "and" : "or");
		for (const struct expr *k = e->first; k != NULL; k = k->next)
			explain_expr(x, NULL, k, thing);
		json_end_array(x->b);
	}
	json_end_object(x->b);
}

static void
explain_text(struct explaining *x, const char *key, struct pn_str text)
{
	if (text.n > 0)
		json_str(x->b, key, text);
}

static void
explain_what(struct explaining *x, const struct rules_effect *f)
{
	switch (f->action) {
	case RULES_QUARANTINE:
		explain_text(x, "class", f->name);
		if (f->copy)
			json_bool(x->b, "copy", true);
		return;
	case RULES_HOLD:
		explain_text(x, "why", f->text);
		return;
	case RULES_HEADER:
		json_cstr(x->b, "edit", rules_edit_name(f->edit));
		json_str(x->b, "name", f->name);
		if (f->edit != RULES_HEADER_REMOVE)
			json_str(x->b, "value", f->value);
		return;
	case RULES_STRIP:
		json_int(x->b, "part", f->thing);
		explain_text(x, "note", f->text);
		return;
	case RULES_SCORE:
		json_int(x->b, "add", f->score);
		explain_text(x, "why", f->text);
		explain_text(x, "group", f->group);
		return;
	case RULES_DELAY:
		json_int(x->b, "ms", (int64_t)f->delay_ms);
		return;
	case RULES_RCPT_ADD:
	case RULES_RCPT_REMOVE:
		json_cstr(x->b, "edit",
		    f->action == RULES_RCPT_ADD ? "add" : "remove");
		break;
	case RULES_SENDER:
		json_cstr(x->b, "edit", "set");
		json_str(x->b, "address", f->address);
		return;
	default:
		if (f->code != 0 || f->action == RULES_SUBJECT_PREFIX ||
		    f->action == RULES_NOTE)
			json_str(x->b, "text", f->text);
	}
	explain_text(x, "address", f->address);
}

void
rules_effect_json(const struct rules_effect *f, struct buf *b)
{
	struct explaining x = { .b = b };

	json_begin_object(b, NULL);
	json_cstr(b, "action", rules_action_name(f->action));
	if (f->code != 0) {
		json_int(b, "code", f->code);
		json_str(b, "status", f->status);
	}
	explain_what(&x, f);
	json_end_object(b);
}

static void
explain_effects(struct explaining *x, unsigned order, size_t first)
{
	const struct rules_trace *t = x->t;

	json_begin_array(x->b, "actions");
	for (size_t i = first; i < t->n_effects && t->effects[i].order == order;
	     i++)
		rules_effect_json(&t->effects[i], x->b);
	json_end_array(x->b);
}

static void
explain_rule(struct explaining *x, size_t nth)
{
	const struct rule *rule = x->t->rules[nth]->rule;
	const struct judged *judged = &x->t->judged[nth];

	x->unasked = judged->outcome == SKIPPED;
	json_begin_object(x->b, NULL);
	json_str(x->b, "rule", rule->name);
	json_cstr(x->b, "file", rule->pos.file);
	json_int(x->b, "line", rule->pos.line);
	json_cstr(x->b, "stage", x->r->decls->stages[x->t->stage]);
	if (rule->shadow)
		json_cstr(x->b, "mode", "shadow");
	json_cstr(x->b, "result", outcomes[judged->outcome]);
	if (rule->when != NULL)
		explain_expr(x, "when", rule->when, NO_THING);
	if (rule->unless != NULL)
		explain_expr(x, "unless", rule->unless, NO_THING);
	explain_effects(x, rule->order, judged->first_effect);
	json_end_object(x->b);
}

/* The `why` of one addition: in the effect that added. */
static struct pn_str
why_of(const struct explaining *x, const struct addition *a)
{
	const struct rules_trace *t = x->t;

	if (a->before != NULL)
		return a->before->text;
	for (size_t i = 0; i < t->n_effects; i++)
		if (t->effects[i].order == a->order &&
		    t->effects[i].action == RULES_SCORE)
			return t->effects[i].text;
	return (struct pn_str){ "", 0 };
}

/* {"score":7,"from":[...]} once something counts, or all has been added. */
static void
explain_score(struct explaining *x)
{
	if (!x->t->scored && x->t->n_additions == 0)
		return;
	json_begin_object(x->b, NULL);
	json_int(x->b, "score", x->t->score);
	json_begin_array(x->b, "from");
	for (size_t i = 0; i < x->t->n_additions; i++) {
		const struct addition *a = &x->t->additions[i];

		json_begin_object(x->b, NULL);
		json_str(x->b, "rule", a->rule);
		json_int(x->b, "add", a->add);
		explain_text(x, "why", why_of(x, a));
		explain_text(x, "group", a->group);
		json_int(x->b, "counted", a->counted);
		json_end_object(x->b);
	}
	json_end_array(x->b);
	json_end_object(x->b);
}

void
rules_trace_items(
    const struct rules *r, const struct rules_trace *t, struct buf *b)
{
	struct explaining x = { .r = r, .t = t, .b = b };

	for (size_t i = 0; t != NULL && i < t->n_judged; i++)
		explain_rule(&x, i);
	if (t != NULL)
		explain_score(&x);
}

void
rules_trace_json(
    const struct rules *r, const struct rules_trace *t, struct buf *b)
{
	json_begin_array(b, NULL);
	rules_trace_items(r, t, b);
	json_end_array(b);
}
