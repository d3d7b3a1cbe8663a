/*
 * host - the worker's half of filter.h: runs the hooks of a stage, all
 * together, each with its own asks (ask.c), and .watch beside all mail.
 *
 * Called by engine.c. A module has answered when its hook and the continuations
 * of all it asked have returned. One that fails gives no facts (missing.c).
 */
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "engine/run.h"

#define WATCH_ARENA (1u << 20)
#define ALLOC_MAX (512u << 10) /* of pn_alloc(), a module and mail */

struct watch {
	struct hook hook; /* first */
	struct event timer;
	uint64_t again_ms; /* 0: never */
};

static struct hook *
hook_of_mail(struct pn_mail *m)
{
	return (struct hook *)m;
}

/* ---- facts ---- */

/* No more than a mail has room for; what is too large is not known. */
static bool
fits(struct hook *h, struct value *v)
{
	if (h->given < PN_VALUES_MAX && v->str.n <= PN_VALUE_MAX &&
	    v->display.n <= PN_VALUE_MAX) {
		h->given++;
		return true;
	}
	h->mail.dropped++;
	*v = (struct value){ .state = VALUE_UNKNOWN, .type = v->type };
	return false;
}

static void
gave(struct hook *h, uint32_t index, const struct value *v, int done)
{
	if (v->state == VALUE_UNKNOWN)
		module_misses(h);
	if (done < 0)
		log_warn(h->t->id, "fact", "fact=%s error=\"out of memory "
		    "for this mail\"", h->mail.chain->facts[index].name);
}

/* One value that is not known stands for all that have no room. */
static bool
is_unknown(const struct hook *h, uint32_t index)
{
	struct value first;

	return facts_nth(&h->t->facts, index, PN_STR_V(""), 0, &first) &&
	    first.state == VALUE_UNKNOWN; /* sorted: it would stand first */
}

static void
on_fact(struct pn_mail *m, uint32_t index, uint32_t thing,
    const struct value *given)
{
	struct hook *h = hook_of_mail(m);
	struct value v = *given;

	must(thing == FACT_OF_MESSAGE); /* things are the inspector's alone */
	if (!m->chain->facts[index].many) {
		(void)fits(h, &v);
		gave(h, index, &v, facts_set(&h->t->facts, index, &v));
	} else if (fits(h, &v) || !is_unknown(h, index)) {
		gave(h, index, &v,
		    facts_add(&h->t->facts, index, PN_STR_V(""), &v));
	}
}

static void
on_keyed(struct pn_mail *m, uint32_t index, struct pn_str key,
    const struct value *given)
{
	struct hook *h = hook_of_mail(m);
	struct value v = *given;

	if (fits(h, &v) && key.n <= PN_VALUE_MAX)
		gave(h, index, &v, facts_add(&h->t->facts, index, key, &v));
	else
		gave(h, index, &v, facts_set(&h->t->facts, index, &v));
}

static const struct pn_mail_ops ops = { .fact = on_fact, .keyed = on_keyed };

/* ---- steps ---- */

static void watch_over(struct watch *);

/* Why this is no answer; NULL: it is one, or one to come. */
static const char *
fault_of(const struct hook *h, enum pn_step step)
{
	if (step == PN_FAIL)
		return h->timed_out ? "no answer in time" : "it gave up";
	if (step == PN_PENDING && h->n_asks == 0)
		return "it waits for nothing";
	if (step != PN_NEXT && step != PN_PENDING)
		return "it returned what is no step";
	return NULL;
}

/* True when the module is done with this stage. */
static bool
step_done(struct hook *h, enum pn_step step)
{
	const char *why = fault_of(h, step);

	module_refused(h);
	if (why == NULL)
		return h->n_asks == 0;
	asks_cancel(h);
	module_failed(h, why);
	return true;
}

void
hook_step(struct hook *h, enum pn_step step)
{
	if (!step_done(h, step))
		return;
	if (h->watch != NULL)
		watch_over(h->watch);
	else
		run_settle(h->run);
}

static enum pn_step (*function_of(const struct pn_filter *f, enum stage stage))(
    struct pn_mail *)
{
	enum pn_step (*const hooks[STAGES])(struct pn_mail *) = { f->connect,
		f->helo, f->mail, f->rcpt, f->message };

	return hooks[stage];
}

/* ---- the hooks of a mail ---- */

int
hooks_room(struct engine *g, struct transaction *t)
{
	const struct chain *c = g->conf->chain;
	struct engine_past *past = t->past;
	size_t n = c->n_modules + 1; /* none is not NULL */

	if (past->hooks != NULL)
		return 0;
	past->missing_early = arena_alloc(t->arena, n);
	past->missing = arena_alloc(t->arena, n);
	past->hooks = arena_alloc(t->arena, n * sizeof(*past->hooks));
	if (!past->missing_early || !past->missing || !past->hooks) {
		past->hooks = NULL;
		return -1;
	}
	for (uint32_t i = 0; i < c->n_modules; i++) {
		struct hook *h = &past->hooks[i];

		h->engine = g;
		h->t = t;
		h->mail.chain = c;
		h->mail.module = i;
		h->mail.arena = t->arena;
		h->mail.room = ALLOC_MAX;
		h->mail.ops = &ops;
		LIST_INIT(&h->asks);
	}
	return 0;
}

/* What was found for the last recipient says nothing of this one, nor that of
 * one name of another that the client says behind it. */
static void
forget_last(struct engine_run *r)
{
	const struct chain *c = r->engine->conf->chain;

	for (uint32_t i = 0; i < c->n_facts; i++) {
		const struct chain_fact *f = &c->facts[i];

		if (f->stage == r->stage && f->module != CHAIN_CORE &&
		    function_of(c->modules[f->module].filter, r->stage) != NULL)
			facts_forget(&r->t->facts, i);
	}
}

static void
start(struct hook *h, enum pn_step (*run)(struct pn_mail *))
{
	const struct chain_module *m =
	    &h->mail.chain->modules[h->mail.module];

	h->made = 0;
	h->timed_out = false;
	h->deadline_ms = loop_now_ms(h->engine->loop) + m->timeout_ms;
	stat_add(h->engine->modules[h->mail.module].calls, 1);
	if (!step_done(h, run(&h->mail)))
		run_wait(h->run);
}

void
hooks_start(struct engine_run *r)
{
	const struct chain *c = r->engine->conf->chain;

	if (hooks_room(r->engine, r->t) < 0)
		return; /* the rules find their facts absent; the cap is 452 */
	if (r->stage == STAGE_RCPT ||
	    (r->stage == STAGE_HELO && r->t->past->named))
		forget_last(r);
	r->t->past->named |= r->stage == STAGE_HELO;
	for (uint32_t i = 0; i < c->n_modules; i++) {
		struct hook *h = &r->t->past->hooks[i];
		enum pn_step (*run)(struct pn_mail *) =
		    function_of(c->modules[i].filter, r->stage);

		h->mail.stage = r->stage;
		h->run = r;
		if (run != NULL)
			start(h, run);
	}
}

void
hooks_cancel(struct engine_run *r)
{
	struct hook *hooks = r->t->past->hooks;

	for (uint32_t i = 0; hooks && i < r->engine->conf->chain->n_modules; i++)
		asks_cancel(&hooks[i]);
}

void
hooks_end(struct engine *g, struct transaction *t)
{
	const struct chain *c = g->conf->chain;

	if (t->past == NULL || hooks_room(g, t) < 0)
		return;
	for (uint32_t i = 0; i < c->n_modules; i++) {
		struct hook *h = &t->past->hooks[i];

		if (c->modules[i].filter->end == NULL)
			continue;
		h->ending = true;
		h->mail.stage = (enum stage)STAGES; /* every fact is late */
		stat_add(g->modules[i].calls, 1);
		(void)c->modules[i].filter->end(&h->mail);
		module_refused(h);
	}
}

void
hooks_inspected(struct engine_run *r)
{
	const struct chain *c = r->engine->conf->chain;
	const struct findings *f = &r->t->past->findings;

	if (hooks_room(r->engine, r->t) < 0)
		return;
	for (uint32_t i = 0; i < c->n_modules; i++)
		if (c->modules[i].filter->inspect != NULL)
			stat_add(r->engine->modules[i].calls, 1);
	for (uint32_t i = 0; i < f->n_troubles; i++) {
		struct hook *h = &r->t->past->hooks[f->troubles[i].module];

		h->mail.stage = STAGE_MESSAGE;
		h->mail.dropped += f->troubles[i].dropped;
		module_refused(h);
		if (f->troubles[i].failed)
			module_failed(h, "its .inspect gave up");
	}
}

void
hooks_blame(struct engine_run *r, uint32_t module)
{
	struct hook *h;

	if (hooks_room(r->engine, r->t) < 0)
		return;
	h = &r->t->past->hooks[module];
	h->mail.stage = STAGE_MESSAGE;
	stat_add(r->engine->modules[module].calls, 1);
	module_failed(h, "its .inspect crashed, or did not end");
}

/* ---- beside all mail ---- */

static void
watch_run(struct watch *w)
{
	struct hook *h = &w->hook;
	const struct chain_module *m =
	    &h->mail.chain->modules[h->mail.module];

	arena_reset(h->mail.arena);
	h->mail.state = NULL;
	h->mail.room = ALLOC_MAX;
	h->made = 0;
	h->timed_out = false;
	h->deadline_ms = loop_now_ms(h->engine->loop) + m->timeout_ms;
	w->again_ms = 0;
	stat_add(h->engine->modules[h->mail.module].calls, 1);
	hook_step(h, m->filter->watch(&h->mail));
}

static void
watch_over(struct watch *w)
{
	struct timeval tv = { (time_t)(w->again_ms / 1000),
		(suseconds_t)(w->again_ms % 1000 * 1000) };

	if (w->again_ms > 0)
		must(event_add(&w->timer, &tv) == 0);
}

static void
on_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	watch_run(arg);
}

static struct watch *
watch_new(struct engine *g, uint32_t module)
{
	struct watch *w = xcalloc(1, sizeof(*w));
	struct hook *h = &w->hook;

	h->engine = g;
	h->watch = w;
	h->mail.chain = g->conf->chain;
	h->mail.module = module;
	h->mail.stage = (enum stage)STAGES; /* every fact is late */
	h->mail.arena = arena_new(WATCH_ARENA);
	h->mail.ops = &ops;
	LIST_INIT(&h->asks);
	event_assign(&w->timer, loop_base(g->loop), -1, 0, on_again, w);
	return w;
}

static struct stat_series *
series(struct engine *g, const char *name, struct pn_str module)
{
	const struct stat_label label = { "module", module };

	return stats_counter(keep_stats(g->keep), name, &label, 1);
}

static void
work_init(struct engine *g, uint32_t i)
{
	const struct pn_filter *f = g->conf->chain->modules[i].filter;
	struct module_work *w = &g->modules[i];
	struct pn_str name = pn_str_of(f->name);

	w->worker = xcalloc(1, f->worker_size + 1);
	w->calls = series(g, "module_calls_total", name);
	w->failures = series(g, "module_failures_total", name);
	w->timeouts = series(g, "module_timeouts_total", name);
	w->refused = series(g, "module_refused_total", name);
	(void)keep_say(g->keep, name, PN_STR_V(""), PN_STR_V(""));
}

void
watches_start(struct engine *g)
{
	const struct chain *c = g->conf->chain;

	g->modules = xcalloc(c->n_modules + 1, sizeof(*g->modules));
	for (uint32_t i = 0; i < c->n_modules; i++) {
		work_init(g, i);
		if (c->modules[i].filter->watch == NULL)
			continue;
		g->modules[i].watch = watch_new(g, i);
		watch_run(g->modules[i].watch);
	}
}

void
watches_stop(struct engine *g)
{
	for (uint32_t i = 0; g->modules && i < g->conf->chain->n_modules; i++) {
		struct watch *w = g->modules[i].watch;

		if (w != NULL) {
			asks_cancel(&w->hook);
			(void)event_del(&w->timer); /* assigned: cannot fail */
			arena_free(w->hook.mail.arena);
			free(w);
		}
		free(g->modules[i].worker);
	}
	free(g->modules);
	g->modules = NULL;
}

/* ---- what a module is told ---- */

void *
pn_worker(struct pn_mail *m)
{
	if (!m->content)
		return hook_of_mail(m)->engine->modules[m->module].worker;
	m->dropped++;
	return NULL;
}

void
pn_again(struct pn_mail *m, uint64_t ms)
{
	struct hook *h = m->content ? NULL : hook_of_mail(m);

	if (h != NULL && h->watch != NULL)
		h->watch->again_ms = ms;
	else
		m->dropped++;
}

void
pn_status(struct pn_mail *m, struct pn_str key, struct pn_str text)
{
	const char *name = m->chain->modules[m->module].filter->name;
	struct engine *g;

	if (m->content || key.n == 0) {
		m->dropped++;
		return;
	}
	g = hook_of_mail(m)->engine;
	key = pn_str_sub(key, 0, PN_VALUE_MAX);
	text = pn_str_sub(text, 0, PN_VALUE_MAX);
	if (keep_say(g->keep, pn_str_of(name), key, text))
		log_warn("", "module", "module=%s part=\"%s\" state=\"%s\"",
		    name, VIS(key), text.n > 0 ? VIS(text) : "well again");
}

/* What .inspect of the same module gave. */
static bool
found(struct pn_mail *m, const char *name, unsigned nth, enum value_type type,
    struct value *v)
{
	const struct chain_fact *f = pn_mail_declared(m, name);
	const struct transaction *t = m->content ? NULL : hook_of_mail(m)->t;

	*v = (struct value){ .state = VALUE_ABSENT };
	if (t == NULL || m->stage != STAGE_MESSAGE || f == NULL ||
	    !f->content || f->of_thing || f->keyed ||
	    (f->type == VALUE_NUMBER || f->type == VALUE_BOOL) !=
		(type == VALUE_NUMBER)) {
		m->dropped++;
		return false;
	}
	facts_found(t->facts.of, t->facts.n_of, t->facts.truncated,
	    (uint32_t)(f - m->chain->facts), FACT_OF_MESSAGE, nth, v);
	return v->state == VALUE_KNOWN;
}

bool
pn_found_str(struct pn_mail *m, const char *name, unsigned nth,
    struct pn_str *value)
{
	struct value v;

	if (!found(m, name, nth, VALUE_STRING, &v))
		return false;
	*value = v.str;
	return true;
}

bool
pn_found_number(struct pn_mail *m, const char *name, unsigned nth,
    int64_t *value)
{
	struct value v;

	if (!found(m, name, nth, VALUE_NUMBER, &v))
		return false;
	*value = v.number;
	return true;
}

/* .inspect and .watch have no session to tell of. */
static const struct transaction *
session_of(struct pn_mail *m)
{
	if (!m->content && hook_of_mail(m)->t != NULL)
		return hook_of_mail(m)->t;
	m->dropped++;
	return NULL;
}

struct pn_str
pn_client_ip(struct pn_mail *m)
{
	const struct transaction *t = session_of(m);

	return t ? t->client.ip : PN_STR_V("");
}

struct pn_str
pn_client_helo(struct pn_mail *m)
{
	const struct transaction *t = session_of(m);

	return t ? t->client.helo : PN_STR_V("");
}

struct pn_str
pn_client_login(struct pn_mail *m)
{
	const struct transaction *t = session_of(m);

	return t ? t->client.login : PN_STR_V("");
}

struct pn_str
pn_sender(struct pn_mail *m)
{
	const struct transaction *t = session_of(m);

	return t ? t->envelope.address : PN_STR_V("");
}

struct pn_str
pn_recipient(struct pn_mail *m)
{
	const struct transaction *t = session_of(m);

	return t && t->rcpt ? t->rcpt->address : PN_STR_V("");
}
