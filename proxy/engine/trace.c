/*
 * trace - why: the transaction, its facts and each rule with the values it
 * saw, as one JSON object. The form that history keeps, quarantine shows and
 * `postern explain` renders; and what the keeper's summary of a message holds.
 */
#include "engine/run.h"

#include <time.h>

#include "base/json.h"

#define TRACE_MAX (96 * 1024) /* with the rest of a summary, under IPC_MAX */
#define REFUSED_MAX 100 /* recipients named with what they heard */
#define RCPTS_TEXT (32 * 1024) /* of the summary: what it is found by */

static uint64_t
now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void
add_time(struct buf *b)
{
	time_t now = time(NULL);
	char text[32];
	struct tm tm;

	(void)gmtime_r(&now, &tm);
	(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	json_cstr(b, "time", text);
}

static void
add_client(struct buf *b, const struct client *c)
{
	json_begin_object(b, "client");
	json_str(b, "ip", c->ip);
	json_str(b, "name", c->name);
	json_str(b, "helo", c->helo);
	json_str(b, "login", c->login);
	json_str(b, "listener", c->listener);
	json_end_object(b);
}

static void
add_envelope(struct buf *b, const struct envelope *e)
{
	const struct rcpt *r;
	unsigned n = 0;

	json_str(b, "sender", e->address);
	json_begin_array(b, "recipients");
	TAILQ_FOREACH (r, &e->rcpts, next)
		if (r->accepted)
			json_str(b, NULL, r->address);
	json_end_array(b);
	json_begin_array(b, "refused");
	TAILQ_FOREACH (r, &e->rcpts, next)
		if (!r->accepted && n++ < REFUSED_MAX) {
			json_begin_object(b, NULL);
			json_str(b, "rcpt", r->address);
			json_int(b, "code", r->code);
			json_end_object(b);
		}
	json_end_array(b);
}

/* What became of it: the message's verdict, or where no recipient was left to
 * have one, the last recipient's, or what an early rule said before all. */
const struct verdict *
final_verdict(const struct transaction *t)
{
	if (verdict_refuses(&t->early))
		return &t->early;
	bool none_left = t->envelope.n_accepted == 0 &&
	    t->rcpt_verdict.action > t->verdict.action;

	return none_left ? &t->rcpt_verdict : &t->verdict;
}

static void
add_verdict(struct buf *b, const struct verdict *v, bool mta_holds)
{
	json_begin_object(b, "verdict");
	json_cstr(b, "action", verdict_action_name(v->action));
	json_str(b, "rule", v->rule);
	if (v->action == VERDICT_QUARANTINE)
		json_str(b, "class", v->class_name);
	if (mta_holds && v->hold)
		json_cstr(b, "held", "mta");
	if (v->reason.n > 0)
		json_str(b, "why", v->reason);
	if (v->reply.code != 0) {
		json_int(b, "code", v->reply.code);
		json_cstr(b, "status", v->reply.status);
		json_str(b, "text", v->reply.text);
	}
	json_bool(b, "degraded", v->degraded);
	json_end_object(b);
}

/* What else rules came to, where there is something to say. */
static void
add_rest(struct buf *b, const struct transaction *t)
{
	const struct rcpt *r;

	json_str(b, "policy", t->policy);
	json_int(b, "score", t->score);
	if (t->would.action != VERDICT_ACCEPT) {
		json_begin_object(b, "would");
		json_cstr(b, "action", verdict_action_name(t->would.action));
		json_str(b, "rule", t->would.rule);
		json_end_object(b);
	}
	if (t->onward != NULL) {
		json_begin_array(b, "onward");
		TAILQ_FOREACH (r, &t->onward->rcpts, next)
			json_str(b, NULL, r->address);
		json_end_array(b);
	}
	if (transaction_sender_changed(t))
		json_str(b, "onward_sender", t->onward->address);
	if (t->copy.action == VERDICT_QUARANTINE) {
		json_begin_object(b, "copy");
		json_str(b, "class", t->copy.class_name);
		json_str(b, "rule", t->copy.rule);
		json_end_object(b);
	}
	if (t->normalised)
		json_cstr(b, "changed", "line-ends");
	if (t->notes.n > 0)
		json_str(b, "notes", t->notes);
}

/* Modules that had no answer: their facts are unknown. */
static void
add_away(struct buf *b, const struct chain *c, const struct engine_past *past)
{
	const uint8_t *early = past->missing_early, *late = past->missing;
	bool any = false;

	for (uint32_t i = 0; i < c->n_modules && late != NULL; i++) {
		if (early[i] == MISSING_NOTHING && late[i] == MISSING_NOTHING)
			continue;
		if (!any)
			json_begin_array(b, "away");
		any = true;
		json_cstr(b, NULL, c->modules[i].filter->name);
	}
	if (any)
		json_end_array(b);
}

static void
add_value(struct buf *b, const char *name, const struct value *v)
{
	if (v->state == VALUE_UNKNOWN)
		json_put_null(b, name);
	else if (v->type == VALUE_NUMBER)
		json_int(b, name, v->number);
	else if (v->type == VALUE_BOOL)
		json_bool(b, name, v->number != 0);
	else
		json_str(b, name, v->str);
}

static bool
is_same(const struct fact_given *a, const struct fact_given *b)
{
	return a->index == b->index && pn_str_caseeq(a->key, b->key);
}

static bool
is_first(const struct facts *f, const struct fact_given *g)
{
	const struct fact_given *other = STAILQ_FIRST(&f->given);

	while (!is_same(other, g))
		other = STAILQ_NEXT(other, next);
	return other == g;
}

/* "dnsbl(\"zen.example\")": one value, or a list of them. */
static void
add_given(struct buf *b, const struct chain_fact *fact,
    const struct facts *f, const struct fact_given *g)
{
	const struct fact_given *other;
	struct buf name = { 0 };

	(void)buf_puts(&name, fact->name); /* no cap */
	if (fact->keyed)
		(void)buf_printf(&name, "(\"%.*s\")", PN_STR_ARG(g->key));
	(void)buf_add(&name, "", 1);
	if (fact->many)
		json_begin_array(b, buf_data(&name));
	STAILQ_FOREACH (other, &f->given, next)
		if (is_same(other, g))
			add_value(b, fact->many ? NULL : buf_data(&name),
			    &other->value);
	if (fact->many)
		json_end_array(b);
	buf_fini(&name);
}

static void
add_facts(struct buf *b, const struct chain *c, const struct facts *f)
{
	const struct fact_given *g;

	json_begin_object(b, "facts");
	for (uint32_t i = 0; i < f->n_message; i++)
		if (facts_get(f, i)->state != VALUE_ABSENT)
			add_value(b, c->facts[i].name, facts_get(f, i));
	STAILQ_FOREACH (g, &f->given, next)
		if (is_first(f, g))
			add_given(b, &c->facts[g->index], f, g);
	json_end_object(b);
}

/* Of a message without its body only what the header tells is true. */
static void
add_found(struct buf *b, const struct chain *c, const struct facts *f,
    bool partial)
{
	json_begin_array(b, "found");
	for (uint32_t i = 0; i < f->n_of; i++) {
		const struct chain_fact *fact = &c->facts[f->of[i].index];

		if (partial && !fact->header)
			continue;
		json_begin_object(b, NULL);
		if (f->of[i].thing != FACT_OF_MESSAGE)
			json_int(b, thing_names[fact->thing], f->of[i].thing);
		add_value(b, fact->name, &f->of[i].value);
		json_end_object(b);
	}
	json_end_array(b);
}

static void
add_stages(struct buf *b, const struct rules *rules,
    const struct engine_past *past)
{
	const struct stage_result *s;

	json_begin_array(b, "stages");
	STAILQ_FOREACH (s, &past->results, next) {
		if (s->rules.trace == NULL && s->proposed == NULL)
			continue;
		json_begin_object(b, NULL);
		json_cstr(b, "stage", stage_name(s->stage));
		if (s->policy != RULES_NO_POLICY)
			json_str(b, "policy",
			    rules_policy_name(rules, s->policy));
		if (s->rcpt != NULL)
			json_str(b, "rcpt", s->rcpt->address);
		json_begin_array(b, "rules");
		rules_trace_items(rules, s->rules.trace, b);
		propose_trace(b, s);
		json_end_array(b);
		json_end_object(b);
	}
	json_end_array(b);
}

/* How much is told; a trace that passes TRACE_MAX is told again with less. */
enum detail { WITHOUT_RULES, WITHOUT_FOUND, WHOLE };

static void
write_trace(struct engine *g, struct transaction *t, enum detail detail)
{
	struct buf *b = &t->trace;

	buf_clear(b);
	json_begin_object(b, NULL);
	json_cstr(b, "id", t->id);
	add_time(b);
	add_client(b, &t->client);
	add_envelope(b, &t->envelope);
	if (t->queue_id.n > 0)
		json_str(b, "queue", t->queue_id);
	json_int(b, "size", t->spool ? (int64_t)spool_size(t->spool) : 0);
	if (t->partial)
		json_bool(b, "partial", true);
	add_verdict(b, final_verdict(t), t->door == DOOR_MILTER);
	add_rest(b, t);
	add_away(b, g->conf->chain, t->past);
	if (detail < WHOLE)
		json_bool(b, "truncated", true);
	add_facts(b, g->conf->chain, &t->facts);
	if (detail == WHOLE)
		add_found(b, g->conf->chain, &t->facts, t->partial);
	if (detail > WITHOUT_RULES)
		add_stages(b, g->conf->rules, t->past);
	json_end_object(b);
}

void
engine_trace(struct engine *g, struct transaction *t)
{
	if (t->past == NULL)
		return;
	for (int detail = WHOLE; buf_len(&t->trace) == 0 && detail >= 0;
	     detail--) {
		write_trace(g, t, detail);
		if (buf_len(&t->trace) > TRACE_MAX)
			buf_clear(&t->trace);
	}
}

static void
rcpts_text(const struct envelope *e, struct buf *b)
{
	const struct rcpt *r;
	size_t left_out = 0;

	TAILQ_FOREACH (r, &e->rcpts, next) {
		if (buf_len(b) + r->address.n > RCPTS_TEXT) {
			left_out++;
			continue;
		}
		(void)buf_puts(b, buf_len(b) ? "," : "");
		(void)buf_add_str(b, r->address);
	}
	if (left_out > 0)
		(void)buf_printf(b, ",+%zu", left_out);
}

/* A rule refused a recipient of a message that others may have got: somebody
 * holds a reference to this one, whatever became of it. */
static bool
refused_some(const struct transaction *t)
{
	const struct stage_result *s;

	if (t->past == NULL)
		return false;
	STAILQ_FOREACH (s, &t->past->results, next)
		for (size_t i = 0; s->rcpt != NULL && !s->rcpt->accepted &&
		     i < s->rules.n_effects; i++) {
			const struct rules_effect *e = &s->rules.effects[i];
			enum verdict_action a = engine_action(e);

			if (!e->shadow &&
			    (a == VERDICT_REJECT || a == VERDICT_TEMPFAIL))
				return true;
		}
	return false;
}

void
engine_summarise(struct engine *g, struct transaction *t, uint16_t code)
{
	const struct verdict *v = final_verdict(t);
	struct buf rcpts = { 0 };
	struct keep_summary s = { .id = pn_str_of(t->id),
		.time_us = now_us(),
		.action = pn_str_of(verdict_action_name(v->action)),
		.rule = v->rule,
		.code = code,
		.client_ip = t->client.ip,
		.sender = t->envelope.address,
		.subject = t->subject,
		.policy = t->policy,
		.upstream = t->upstream,
		.server = t->server,
		.scored = t->score != 0,
		.score = t->score,
		.size = t->spool ? spool_size(t->spool) : 0 };

	if (t->would.action != VERDICT_ACCEPT) {
		s.would = pn_str_of(verdict_action_name(t->would.action));
		s.would_rule = t->would.rule;
	}
	if (g->conf->log_verdicts)
		log_verdict(t, code);
	if (g->keep == NULL)
		return;
	tally(g, t);
	hooks_end(g, t);
	if (v->action != VERDICT_ACCEPT || refused_some(t))
		engine_trace(g, t);
	s.trace = buf_str(&t->trace);
	rcpts_text(&t->envelope, &rcpts);
	s.rcpts = buf_str(&rcpts);
	keep_summary(g->keep, &s);
	buf_fini(&rcpts);
}
