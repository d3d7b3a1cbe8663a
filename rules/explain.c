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
	bool unasked; /* its rule was skipped */
	struct buf *b;
};

static void
explain_seen(struct explaining *x, const struct atom *a)
{
	const struct seen *seen = &x->t->seen[a->index];

	json_cstr(x->b, "result", seen->asked ? tris[seen->result] : "unasked");
	if (!seen->asked)
		return;
	if (seen->state == VALUE_KNOWN)
		json_str(x->b, "value", seen->text);
	else
		json_cstr(x->b, "value_is",
		    seen->state == VALUE_ABSENT ? "absent" : "unknown");
}

/* Of a content atom: what matched first, if that is what is asked about. */
static void
explain_answer(struct explaining *x, const struct atom *a, uint32_t thing)
{
	const struct rules_answers *all = x->t->answers;
	const struct answer *answer = all ? &all->of[a->index] : NULL;
	uint32_t n = a->pattern ? pattern_n_captures(a->pattern) : 0;
	bool of_thing = a->thing != NO_THING;
	enum tri tri = TRI_UNKNOWN;

	if (of_thing && thing == NO_THING)
		return;
	if (all != NULL)
		tri = answers_get(all, a, of_thing ? thing : 0);
	json_cstr(x->b, "result", tris[tri]);
	if (tri != TRI_TRUE || !answer->has_match ||
	    (of_thing && answer->thing != thing))
		return;
	json_str(x->b, "value", answer->match);
	if (n == 0)
		return;
	json_begin_object(x->b, "captures");
	for (uint32_t i = 0; i < n; i++)
		json_str(x->b, pattern_capture_name(a->pattern, i).p,
		    answer->captures[i]);
	json_end_object(x->b);
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
		explain_seen(x, a);
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
explain_effect(struct explaining *x, const struct rules_effect *f)
{
	json_begin_object(x->b, NULL);
	json_cstr(x->b, "action", rules_action_name(f->action));
	if (f->code != 0) {
		json_int(x->b, "code", f->code);
		json_str(x->b, "status", f->status);
	}
	if (f->action == RULES_QUARANTINE && f->name.n > 0)
		json_str(x->b, "class", f->name);
	if (f->action == RULES_HEADER) {
		json_str(x->b, "name", f->name);
		json_str(x->b, "value", f->value);
	}
	if (f->code != 0 || f->action == RULES_SUBJECT_PREFIX)
		json_str(x->b, "text", f->text);
	json_end_object(x->b);
}

static void
explain_rule(struct explaining *x, const struct judged *j)
{
	x->unasked = j->outcome == SKIPPED;
	json_begin_object(x->b, NULL);
	json_str(x->b, "rule", j->rule->name);
	json_cstr(x->b, "file", j->rule->pos.file);
	json_int(x->b, "line", j->rule->pos.line);
	json_cstr(x->b, "stage", x->r->decls->stages[x->t->stage]);
	json_cstr(x->b, "result", outcomes[j->outcome]);
	if (j->rule->when != NULL)
		explain_expr(x, "when", j->rule->when, NO_THING);
	if (j->rule->unless != NULL)
		explain_expr(x, "unless", j->rule->unless, NO_THING);
	json_begin_array(x->b, "actions");
	for (size_t i = 0; i < j->n_effects; i++)
		explain_effect(x, &x->t->effects[j->first_effect + i]);
	json_end_array(x->b);
	json_end_object(x->b);
}

void
rules_trace_json(
    const struct rules *r, const struct rules_trace *t, struct buf *b)
{
	struct explaining x = { .r = r, .t = t, .b = b };

	json_begin_array(b, NULL);
	for (size_t i = 0; t != NULL && i < t->n_judged; i++)
		explain_rule(&x, &t->judged[i]);
	json_end_array(b);
}
