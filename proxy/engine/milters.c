/*
 * milters - see milters.h. One stage of a mail through all milters, one after
 * the other, each seeing what the last one made of the message: who is asked,
 * what it said as facts, what it changed. What it wants done is proposed
 * (propose.c), for judge.c to join as if a rule had said so.
 *
 * Called by engine.c (phase MILTERS, and the end of mails and sessions). On
 * the worker's loop.
 */
#include "engine/milter_talk.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "engine/run.h"

/* Of a worker. */
struct milters {
	struct milter_links *links;
	const char *hostname;
	uint32_t *facts; /* [n_milters]: where those of each begin */
	bool *away;      /* [n_milters]: it had no answer when last asked */
};

/* What outlives a mail: the conversations with milters. Made by the first
 * stage of the transaction that owns it (engine_leave). */
struct engine_session {
	const struct transaction *owner;
	struct milter_talk *talks[]; /* [n_milters] */
};

/* A recipient that a milter was told of. */
struct told {
	SLIST_ENTRY(told) next;
	const struct rcpt *rcpt;
};

/* One milter and one mail. In the mail's arena. */
struct milter_state {
	SLIST_HEAD(, told) told;
	bool complained; /* that it failed: once a mail is enough */
	bool asked;      /* about the message */
	bool session_told; /* what it says of the session is proposed, */
	enum stage session_stage; /* at this stage */
};

static const struct milter_peer *
block_of(const struct engine *g, size_t i)
{
	return &g->conf->milters[i];
}

/* "milter.NAME": the module that the chain knows it as. */
static const char *
name_of(const struct engine *g, size_t i)
{
	return g->conf->chain->modules[block_of(g, i)->module].filter->name;
}

/* ---- sessions ---- */

static void
begin_session(struct engine_run *r)
{
	const struct engine *g = r->engine;
	struct transaction *t = r->t;
	size_t n = g->conf->n_milters;

	if (t->session != NULL)
		return;
	t->session = xcalloc(1, sizeof(*t->session) +
	    n * sizeof(struct milter_talk *));
	t->session->owner = t;
	for (size_t i = 0; i < n; i++)
		t->session->talks[i] = milter_talk_new(g->milters->links,
		    block_of(g, i), g->milters->hostname);
}

void
engine_leave(struct engine *g, struct transaction *t)
{
	struct engine_session *s = t->session;

	must(t->run == NULL);
	t->session = NULL;
	if (s == NULL)
		return;
	for (size_t i = 0; i < g->conf->n_milters; i++)
		if (s->owner == t)
			milter_talk_free(s->talks[i]);
		else
			milter_talk_end_mail(s->talks[i]);
	if (s->owner == t)
		free(s);
}

/* ---- who is asked ---- */

static bool
has_room(struct engine_run *r)
{
	struct transaction *t = r->t;
	size_t n = r->engine->conf->n_milters;

	if (t->past->milters == NULL)
		t->past->milters =
		    arena_alloc(t->arena, n * sizeof(*t->past->milters));
	if (t->past->milters != NULL && hooks_room(r->engine, t) == 0)
		return true;
	engine_no_room(t);
	return false;
}

static struct milter_state *
state_of(const struct engine_run *r, size_t i)
{
	return &r->t->past->milters[i];
}

/* Does any recipient that it was told of get the message? */
static bool
has_rcpt(const struct milter_state *m)
{
	const struct told *told;

	SLIST_FOREACH (told, &m->told, next)
		if (told->rcpt->accepted)
			return true;
	return false;
}

static bool
tell_rcpt(struct engine_run *r, struct milter_state *m)
{
	struct told *told = arena_alloc(r->t->arena, sizeof(*told));

	if (told == NULL)
		return false;
	told->rcpt = r->t->rcpt;
	SLIST_INSERT_HEAD(&m->told, told, next);
	return true;
}

/* Somebody refused it already: no other need be asked. Of a recipient all are
 * told: a rule may take it in spite of one. */
static bool
is_refused(const struct engine_run *r)
{
	return verdict_refuses(&r->t->verdict) ||
	    (r->refused && r->stage != STAGE_RCPT);
}

/* Does its `when` hold? What is not known counts for it: a milter that is not
 * asked stops nothing. */
static bool
is_meant(struct engine_run *r, size_t i)
{
	const struct milter_peer *p = block_of(r->engine, i);

	if (!p->has_condition)
		return true;
	return rules_condition_stage(r->engine->conf->rules, p->condition) <=
	    (unsigned)r->stage &&
	    judge_condition(r, p->condition) != TRI_FALSE;
}

static bool
is_asked(struct engine_run *r, size_t i)
{
	struct milter_state *m = state_of(r, i);

	if (is_refused(r) || (r->stage != STAGE_MESSAGE && !is_meant(r, i)))
		return false;
	if (r->stage == STAGE_MESSAGE)
		return m->asked = has_rcpt(m);
	if (r->stage != STAGE_RCPT || tell_rcpt(r, m))
		return true;
	engine_no_room(r->t);
	return false;
}

/* ---- what it said ---- */

static struct milter_talk *
talk_of(const struct engine_run *r, size_t i)
{
	return r->t->session->talks[i];
}

/* The strongest of what it says of the session, the mail and, at its stage,
 * the recipient. */
static const struct milter_word *
word_of(const struct engine_run *r, size_t i)
{
	const struct milter_talk *k = talk_of(r, i);
	const struct milter_mail *m = milter_talk_mail(k);
	const struct milter_word *session = milter_talk_session(k);

	if (session->action != MILTER_SAYS_CONTINUE)
		return session;
	if (m->word.action != MILTER_SAYS_CONTINUE)
		return &m->word;
	return r->stage == STAGE_RCPT ? &m->rcpt : &m->word;
}

static bool
is_refusal(enum milter_action a)
{
	return a == MILTER_SAYS_REJECT || a == MILTER_SAYS_TEMPFAIL;
}

static struct hook *
hook_of(const struct engine_run *r, size_t i)
{
	struct hook *h = &r->t->past->hooks[block_of(r->engine, i)->module];

	h->mail.stage = r->stage;
	return h;
}

/*
 * No answer. At connect and helo nothing is lost yet: the first mail tries
 * again, and is told by then of both.
 */
static void
failed(struct engine_run *r, size_t i, const char *why)
{
	struct milter_state *m = state_of(r, i);
	struct hook *h = hook_of(r, i);

	if (!m->complained && milter_talk_mail(talk_of(r, i))->timed_out)
		module_timed_out(h);
	if (!m->complained)
		module_complain(h, why);
	m->complained = true;
	r->engine->milters->away[i] = true;
	if (r->stage <= STAGE_HELO)
		milter_talk_end_mail(talk_of(r, i));
	else
		module_lacks(h);
}

/* Said once, as it is said once a mail that it is not. */
static void
well_again(struct engine_run *r, size_t i)
{
	const char *name = name_of(r->engine, i);

	r->engine->milters->away[i] = false;
	log_info(r->t->id, "module", "module=%s result=\"well again\"", name);
}

/* ---- facts ---- */

static void
give(struct engine_run *r, size_t i, enum milter_fact which, struct pn_str key,
    struct value v)
{
	uint32_t index = r->engine->milters->facts[i] + which;
	struct facts *f = &r->t->facts;

	v.type = r->engine->conf->chain->facts[index].type;
	v.state = v.str.n > PN_VALUE_MAX ? VALUE_UNKNOWN : VALUE_KNOWN;
	/* At the arena's cap the fact is unknown, and the mail 452. */
	if (which == MILTER_FACT_HEADER)
		(void)facts_add(f, index, key, &v);
	else
		(void)facts_set(f, index, &v);
}

static void
give_text(struct engine_run *r, size_t i, enum milter_fact which,
    struct pn_str text)
{
	give(r, i, which, PN_STR_V(""), (struct value){ .str = text });
}

static void
give_number(struct engine_run *r, size_t i, enum milter_fact which, int64_t n)
{
	give(r, i, which, PN_STR_V(""), (struct value){ .number = n });
}

static bool
sets_header(const struct milter_change *c)
{
	return c->what == MILTER_ADD_HEADER || c->what == MILTER_INSERT_HEADER ||
	    (c->what == MILTER_CHANGE_HEADER && c->value.n > 0);
}

static void
give_headers(struct engine_run *r, size_t i, const struct milter_mail *m)
{
	const struct milter_change *c;
	unsigned n = 0;

	STAILQ_FOREACH (c, &m->changes, next)
		if (sets_header(c) && c->name.n <= PN_VALUE_MAX &&
		    n++ < PN_VALUES_MAX)
			give(r, i, MILTER_FACT_HEADER, c->name,
			    (struct value){ .str = pn_str_trim(c->value) });
}

static void
message_facts(struct engine_run *r, size_t i)
{
	const struct milter_mail *m = milter_talk_mail(talk_of(r, i));
	const struct milter_word *w = word_of(r, i);
	bool held = m->quarantine && w->action <= MILTER_SAYS_ACCEPT;

	give_text(r, i, MILTER_FACT_ACTION,
	    pn_str_of(held ? "quarantine" : milter_actions[w->action]));
	give_number(r, i, MILTER_FACT_CHANGED, milter_changes_any(m));
	if (is_refusal(w->action)) {
		give_text(r, i, MILTER_FACT_REPLY, w->reply.text);
		give_number(r, i, MILTER_FACT_CODE, w->reply.code);
	}
	if (m->quarantine)
		give_text(r, i, MILTER_FACT_QUARANTINE, m->reason);
	give_headers(r, i, m);
}

/* ---- changes ---- */

/* -1: they cannot be made, none is. */
static int
apply(struct engine_run *r, size_t i, struct error *e)
{
	struct transaction *t = r->t;

	if (milter_apply(t, talk_of(r, i), e) < 0)
		return -1;
	if (t->onward != NULL && t->onward->n_accepted == 0 &&
	    t->past->emptied == NULL)
		t->past->emptied = name_of(r->engine, i);
	return 0;
}

/* Where nothing is enforced, nothing is changed either. */
static bool
is_to_change(const struct engine_run *r, size_t i)
{
	return r->engine->conf->enforce &&
	    milter_changes_any(milter_talk_mail(talk_of(r, i))) &&
	    block_of(r->engine, i)->obey != MILTER_OBEY_NO &&
	    word_of(r, i)->action <= MILTER_SAYS_ACCEPT;
}

/* ---- what it wants ---- */

static enum rules_action
action_of(const struct engine_run *r, size_t i)
{
	static const enum rules_action actions[] = {
		[MILTER_SAYS_CONTINUE] = RULES_ACCEPT,
		[MILTER_SAYS_ACCEPT] = RULES_ACCEPT,
		[MILTER_SAYS_REJECT] = RULES_REJECT,
		[MILTER_SAYS_TEMPFAIL] = RULES_TEMPFAIL,
		[MILTER_SAYS_DISCARD] = RULES_DISCARD,
	};
	const struct milter_mail *m = milter_talk_mail(talk_of(r, i));
	enum rules_action a = actions[word_of(r, i)->action];

	if (block_of(r->engine, i)->obey != MILTER_OBEY_YES)
		a = RULES_ACCEPT;
	else if (a == RULES_ACCEPT && m->quarantine)
		a = RULES_HOLD;
	if (a == RULES_ACCEPT && r->stage == STAGE_MESSAGE &&
	    is_to_change(r, i))
		a = RULES_TAG;
	return a;
}

/* A recipient is no place for what is said of all: the message is. */
static bool
is_said_later(const struct engine_run *r, enum rules_action a)
{
	return r->stage == STAGE_RCPT && a == RULES_DISCARD;
}

static void
propose(struct engine_run *r, size_t i)
{
	const struct milter_word *w = word_of(r, i);
	const struct chain *c = r->engine->conf->chain;
	enum rules_action a = action_of(r, i);
	uint32_t fact = r->engine->milters->facts[i] +
	    (r->stage == STAGE_MESSAGE ? MILTER_FACT_ACTION
				       : MILTER_FACT_EARLY_ACTION);
	struct proposal p = {
		.rule = name_of(r->engine, i),
		.nr = (unsigned)i,
		.action = a,
		.code = w->reply.code,
		.status = pn_str_of(w->reply.status),
		.text = a == RULES_HOLD
			    ? milter_talk_mail(talk_of(r, i))->reason
			    : w->reply.text,
		.fact = c->facts[fact].name,
		.said = pn_str_of(milter_actions[w->action]),
	};

	if (is_said_later(r, a) ||
	    (a == RULES_ACCEPT && r->stage != STAGE_MESSAGE))
		return;
	if (judge_propose(r, &p) < 0)
		engine_no_room(r->t);
}

/* What it says of the session is proposed once a mail, but again when the
 * stage comes again at which it was. */
static bool
is_told(struct engine_run *r, size_t i)
{
	struct milter_state *m = state_of(r, i);

	if (milter_talk_session(talk_of(r, i))->action == MILTER_SAYS_CONTINUE)
		return false;
	if (m->session_told && m->session_stage != r->stage)
		return r->stage < STAGE_RCPT;
	m->session_told = true;
	m->session_stage = r->stage;
	return false;
}

void
milters_again(struct engine_run *r)
{
	struct transaction *t = r->t;

	if (t->session == NULL || !has_room(r))
		return;
	for (size_t i = 0; i < r->engine->conf->n_milters; i++)
		if (milter_talk_session(talk_of(r, i))->action !=
			MILTER_SAYS_CONTINUE &&
		    !is_told(r, i))
			propose(r, i);
}

/* ---- one stage ---- */

/* Of several results that count, all must allow. */
struct allowing {
	unsigned results, allowed;
};

static void
count_allowed(struct allowing *a, const struct stage_result *s)
{
	a->results++;
	a->allowed += s->rules.allowed;
}

/* Has a rule of an earlier stage allowed the mail, so that nothing is refused
 * by a milter any more? */
static bool
is_allowed(const struct engine_run *r)
{
	struct allowing early = { 0 }, rcpts = { 0 };
	const struct stage_result *s;

	STAILQ_FOREACH (s, &r->t->past->results, next) {
		if (s->stage < STAGE_RCPT)
			count_allowed(&early, s);
		else if (r->stage == STAGE_MESSAGE && s->rcpt->accepted)
			count_allowed(&rcpts, s);
	}
	return early.allowed > 0 ||
	    (rcpts.results > 0 && rcpts.allowed == rcpts.results);
}

static bool
obeyed(const struct engine_run *r, size_t i)
{
	return r->engine->conf->enforce &&
	    block_of(r->engine, i)->obey == MILTER_OBEY_YES;
}

static void
answered(struct engine_run *r, size_t i)
{
	const struct milter_word *w = word_of(r, i);
	const struct milter_mail *m = milter_talk_mail(talk_of(r, i));
	struct error e;

	if (m->failed) {
		failed(r, i, m->why);
		return;
	}
	if (r->stage == STAGE_MESSAGE && r->engine->milters->away[i])
		well_again(r, i);
	if (r->stage == STAGE_MESSAGE && is_to_change(r, i) &&
	    apply(r, i, &e) < 0) {
		failed(r, i, e.text);
		return;
	}
	if (r->stage == STAGE_RCPT)
		give_text(r, i, MILTER_FACT_EARLY_ACTION,
		    pn_str_of(milter_actions[w->action]));
	if (r->stage == STAGE_MESSAGE)
		message_facts(r, i);
	if (!is_told(r, i))
		propose(r, i);
	if (obeyed(r, i) && is_refusal(w->action) && !is_allowed(r))
		r->refused = true;
}

/* What it said of the last recipient says nothing of this one. */
static void
forget_last(struct engine_run *r, size_t i)
{
	facts_forget(&r->t->facts, r->engine->milters->facts[i] +
	    MILTER_FACT_EARLY_ACTION);
}

static void on_talk(void *);

/* Ask the ones that are left. */
static void
go_on(struct engine_run *r)
{
	size_t n = r->engine->conf->n_milters;

	for (; r->milter < n; r->milter++) {
		if (!r->talking && r->stage == STAGE_RCPT)
			forget_last(r, r->milter);
		if (!r->talking && !is_asked(r, r->milter))
			continue;
		if (!r->talking)
			stat_add(r->engine->modules[block_of(r->engine,
			    r->milter)->module].calls, 1);
		r->talking = !milter_talk_run(talk_of(r, r->milter), r->t,
		    r->stage, on_talk, r);
		if (r->talking)
			return;
		answered(r, r->milter);
	}
}

static void
on_talk(void *arg)
{
	struct engine_run *r = arg;

	go_on(r);
	if (!r->talking)
		run_settle(r);
}

void
milters_start(struct engine_run *r)
{
	if (r->engine->milters == NULL || !has_room(r))
		return;
	begin_session(r);
	r->milter = 0;
	go_on(r);
	if (r->talking)
		run_wait(r);
}

void
milters_cancel(struct engine_run *r)
{
	if (r->talking)
		milter_talk_cancel(talk_of(r, r->milter));
	r->talking = false;
}

/* ---- a worker's ---- */

void
engine_ask_milters(struct engine *g, const char *hostname)
{
	const struct engine_conf *conf = g->conf;
	struct milters *m;

	if (conf->n_milters == 0 || g->milters != NULL)
		return;
	m = xcalloc(1, sizeof(*m));
	m->links = milter_links_new(g->loop, g->dns);
	m->hostname = hostname;
	m->facts = xcalloc(conf->n_milters, sizeof(*m->facts));
	m->away = xcalloc(conf->n_milters, sizeof(*m->away));
	for (size_t i = 0; i < conf->n_milters; i++)
		while (conf->chain->facts[m->facts[i]].module !=
		    conf->milters[i].module)
			m->facts[i]++;
	g->milters = m;
}

void
milters_stop(struct engine *g)
{
	if (g->milters == NULL)
		return;
	milter_links_free(g->milters->links);
	free(g->milters->facts);
	free(g->milters->away);
	free(g->milters);
}
