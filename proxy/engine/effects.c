/*
 * effects - what fired rules want becomes what the door does: the verdict,
 * edits, other recipients, a copy for the keeper, a delay, notes.
 *
 * Called by judge.c. Order never decides a verdict: effects are joined,
 * strongest first (mail/verdict). All that changes the message or its
 * envelope goes by the rules' order in the file, each rule once, whatever
 * policies and recipients it fired for. What is in shadow is told, not done.
 */
#include "engine/run.h"

#include "base/must.h"

#define NOTES_MAX 4096 /* bytes of all notes: they go into one log line */

/* ---- verdicts ---- */

enum verdict_action
engine_action(const struct rules_effect *e)
{
	static const enum verdict_action verdict_of[RULES_ACTIONS] = {
		[RULES_ACCEPT] = VERDICT_ACCEPT,
		[RULES_ALLOW] = VERDICT_ACCEPT,
		[RULES_TAG] = VERDICT_TAG,
		[RULES_REJECT] = VERDICT_REJECT,
		[RULES_TEMPFAIL] = VERDICT_TEMPFAIL,
		[RULES_QUARANTINE] = VERDICT_QUARANTINE,
		[RULES_HOLD] = VERDICT_QUARANTINE,
		[RULES_DISCARD] = VERDICT_DISCARD,
		[RULES_REDIRECT] = VERDICT_REDIRECT,
		[RULES_HEADER] = VERDICT_TAG,
		[RULES_SUBJECT_PREFIX] = VERDICT_TAG,
		[RULES_STRIP] = VERDICT_TAG,
		[RULES_COPY] = VERDICT_TAG,
		[RULES_RCPT_ADD] = VERDICT_TAG,
		[RULES_RCPT_REMOVE] = VERDICT_TAG,
		[RULES_SENDER] = VERDICT_TAG,
		[RULES_SCORE] = VERDICT_ACCEPT,
		[RULES_DELAY] = VERDICT_ACCEPT,
		[RULES_NOTE] = VERDICT_ACCEPT,
	};

	if (e->action == RULES_QUARANTINE && e->copy)
		return VERDICT_TAG; /* the message goes on */
	return verdict_of[e->action];
}

static struct verdict
verdict_from(const struct rules_effect *e)
{
	struct verdict v = { .action = engine_action(e),
		.order = e->order,
		.rule = e->rule,
		.class_name = e->name,
		.hold = e->action == RULES_HOLD,
		.reply = { .code = e->code, .text = e->text } };

	must(e->status.n < sizeof(v.reply.status));
	if (e->status.n > 0)
		memcpy(v.reply.status, e->status.p, e->status.n);
	if (v.hold) {
		v.class_name = PN_STR_V("hold");
		v.reason = e->text;
		v.reply.text = PN_STR_V("");
	}
	if (v.class_name.n == 0)
		v.class_name = PN_STR_V("default");
	return v;
}

void
effects_join(struct transaction *t, struct verdict *v,
    const struct rules_result *r, bool enforce)
{
	for (size_t i = 0; i < r->n_effects; i++) {
		const struct rules_effect *e = &r->effects[i];
		struct verdict one = verdict_from(e);

		verdict_join(e->shadow || !enforce ? &t->would : v, &one);
		if (e->early && !e->shadow && enforce && verdict_refuses(&one))
			verdict_join(&t->early, &one);
	}
	v->degraded = v->degraded || r->degraded;
}

/* ---- at any stage ---- */

int
effects_note(struct transaction *t, struct pn_str text)
{
	char *all;

	if (text.n == 0 || (t->notes.n > 0 && memmem(t->notes.p, t->notes.n,
						  text.p, text.n) != NULL))
		return 0; /* of another recipient */
	if (t->notes.n + text.n > NOTES_MAX)
		text = PN_STR_V("...");
	if (pn_str_ends(t->notes, PN_STR_V("...")))
		return 0;
	all = arena_printf(t->arena, "%.*s%s%.*s", PN_STR_ARG(t->notes),
	    t->notes.n ? "; " : "", PN_STR_ARG(text));
	t->notes = pn_str_of(all);
	return all == NULL ? -1 : 0;
}

int
effects_stage(struct transaction *t, const struct rules_result *r)
{
	for (size_t i = 0; i < r->n_effects; i++) {
		const struct rules_effect *e = &r->effects[i];

		if (e->shadow)
			continue;
		if (e->action == RULES_DELAY && e->delay_ms > t->delay_ms)
			t->delay_ms = e->delay_ms;
		if (e->action == RULES_NOTE && effects_note(t, e->text) < 0)
			return -1;
	}
	return 0;
}

/* ---- in file order, at the message ---- */

/* Does this finished stage speak for the message? A refused recipient's
 * result does not. */
bool
effects_count(const struct stage_result *s)
{
	return s->stage != STAGE_RCPT || s->rcpt->accepted;
}

/* The next rule in file order that fired, and a result that holds its effects:
 * one is enough, a rule edits once however many recipients it fired for. */
static const struct rules_result *
next_rule(const struct transaction *t, int64_t after, unsigned *order)
{
	const struct rules_result *best = NULL;
	const struct stage_result *s;

	STAILQ_FOREACH (s, &t->past->results, next)
		for (size_t i = 0; effects_count(s) && i < s->rules.n_effects;
		     i++) {
			unsigned o = s->rules.effects[i].order;

			if (o > after && (best == NULL || o < *order)) {
				best = &s->rules;
				*order = o;
			}
		}
	return best;
}

int
effects_walk(struct transaction *t, effects_take *take, void *arg)
{
	const struct rules_result *r;
	unsigned order = 0;

	for (int64_t after = -1; (r = next_rule(t, after, &order)) != NULL;
	     after = order)
		for (size_t i = 0; i < r->n_effects; i++)
			if (r->effects[i].order == order &&
			    !r->effects[i].shadow &&
			    take(t, &r->effects[i], arg) < 0)
				return -1;
	return 0;
}

static int
edit(struct transaction *t, const struct rules_effect *e, void *arg)
{
	static const enum edit_kind kinds[] = {
		[RULES_HEADER_ADD] = EDIT_HEADER_ADD,
		[RULES_HEADER_SET] = EDIT_HEADER_SET,
		[RULES_HEADER_REMOVE] = EDIT_HEADER_REMOVE,
		[RULES_HEADER_INSERT] = EDIT_HEADER_INSERT,
	};

	(void)arg;
	if (e->action == RULES_HEADER)
		return edits_add(
		    &t->edits, t->arena, kinds[e->edit], e->name, e->value);
	if (e->action == RULES_SUBJECT_PREFIX)
		return edits_add(&t->edits, t->arena, EDIT_HEADER_PREFIX,
		    PN_STR_V("Subject"), e->text);
	return 0;
}

static int
copy(struct transaction *t, const struct rules_effect *e, void *arg)
{
	struct verdict v = verdict_from(e);

	(void)arg;
	v.action = VERDICT_QUARANTINE;
	if (e->action == RULES_QUARANTINE && e->copy)
		verdict_join(&t->copy, &v);
	return 0;
}

/* ---- recipients ---- */

/* To be changed: made when the first rule does. NULL: the arena's cap. */
static struct envelope *
onward(struct transaction *t)
{
	struct envelope *e = t->onward;

	if (e == NULL && (e = arena_alloc(t->arena, sizeof(*e))) != NULL &&
	    envelope_copy(e, &t->envelope, t->arena) < 0)
		e = NULL;
	t->onward = e;
	return e;
}

/* Among those that the message would go on to; NULL: not one of them. */
static struct rcpt *
find_rcpt(const struct transaction *t, struct pn_str address)
{
	struct rcpt *r;

	TAILQ_FOREACH (r, &transaction_onward(t)->rcpts, next)
		if (r->accepted && pn_str_caseeq(r->address, address))
			return r;
	return NULL;
}

/* Once is enough, and who was asked for by the sender stays so. */
static int
add_rcpt(struct transaction *t, struct pn_str address)
{
	struct rcpt *r;

	if (find_rcpt(t, address) != NULL)
		return 0;
	if (onward(t) == NULL ||
	    (r = envelope_add_address(t->onward, t->arena, address)) == NULL)
		return -1;
	r->quiet = true;
	return 0;
}

/* However often the client named it. *last: who took the last one away. */
static int
remove_rcpt(struct transaction *t, const struct rules_effect *e,
    const struct rules_effect **last)
{
	struct rcpt *r;

	if (find_rcpt(t, e->address) == NULL)
		return 0;
	if (onward(t) == NULL)
		return -1;
	while ((r = find_rcpt(t, e->address)) != NULL)
		envelope_remove_rcpt(t->onward, r);
	if (t->onward->n_accepted == 0)
		*last = e;
	return 0;
}

static int
set_sender(struct transaction *t, struct pn_str address)
{
	return onward(t) == NULL
		   ? -1
		   : envelope_set_sender(t->onward, t->arena, address);
}

static int
change_envelope(struct transaction *t, const struct rules_effect *e, void *arg)
{
	if (e->action == RULES_RCPT_ADD)
		return add_rcpt(t, e->address);
	if (e->action == RULES_RCPT_REMOVE)
		return remove_rcpt(t, e, arg);
	if (e->action == RULES_SENDER)
		return set_sender(t, e->address);
	return 0;
}

/*
 * Nobody left is the end of the message, once all milters and rules have added
 * whom they add: who took the last one away discards it. Where rules redirect
 * it, whom a milter took away does not matter.
 */
static void
discard_for_nobody(struct transaction *t, const struct rules_effect *last)
{
	struct verdict v = { .order = UINT32_MAX };

	if (t->onward == NULL || t->onward->n_accepted > 0)
		return;
	if (last != NULL)
		v = verdict_from(last);
	else if (t->past->emptied != NULL &&
		 t->verdict.action != VERDICT_REDIRECT)
		v.rule = pn_str_of(t->past->emptied);
	else
		return;
	v.action = VERDICT_DISCARD;
	verdict_join(&t->verdict, &v);
}

/*
 * The parameters of one recipient who takes the place of all: what all of
 * them asked for (RFC 3461 5.2.7.2: NOTIFY and ORCPT go on with a message that
 * is redirected), or none where they differ.
 */
static struct pn_str
params_of_all(const struct envelope *e)
{
	const struct rcpt *first = TAILQ_FIRST(&e->rcpts), *r;

	TAILQ_FOREACH (r, &e->rcpts, next)
		if (!pn_str_eq(r->params, first->params))
			return PN_STR_V("");
	return first != NULL ? first->params : PN_STR_V("");
}

/* The first in the file, as of the verdict. */
static int
redirect(struct transaction *t, const struct rules_effect *e, void *arg)
{
	struct pn_str params;
	struct rcpt *r;

	(void)arg;
	if (e->action != RULES_REDIRECT ||
	    t->verdict.action != VERDICT_REDIRECT ||
	    t->verdict.order != e->order)
		return 0;
	if (onward(t) == NULL)
		return -1;
	params = params_of_all(t->onward);
	while ((r = TAILQ_FIRST(&t->onward->rcpts)) != NULL)
		envelope_remove_rcpt(t->onward, r);
	r = envelope_add_address(t->onward, t->arena, e->address);
	if (r == NULL)
		return -1;
	r->params = params;
	return 0;
}

/* Copies go to whom they are meant for, redirected or not. */
static int
copy_to(struct transaction *t, const struct rules_effect *e, void *arg)
{
	(void)arg;
	return e->action == RULES_COPY ? add_rcpt(t, e->address) : 0;
}

/* What was meant for a message that goes on, when it does not. */
static void
forget(struct transaction *t)
{
	t->onward = NULL;
	t->copy = (struct verdict){ 0 };
}

int
effects_message(struct transaction *t)
{
	const struct rules_effect *last = NULL;

	if (effects_walk(t, edit, NULL) < 0 ||
	    effects_walk(t, copy, NULL) < 0 ||
	    effects_walk(t, change_envelope, &last) < 0)
		return -1;
	discard_for_nobody(t, last);
	if (effects_walk(t, redirect, NULL) < 0 ||
	    effects_walk(t, copy_to, NULL) < 0)
		return -1;
	if (verdict_passes(&t->verdict) && strip_message(t) < 0)
		return -1;
	if (!verdict_passes(&t->verdict))
		forget(t);
	return 0;
}
