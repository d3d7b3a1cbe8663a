/*
 * missing - modules that had no answer: what becomes of their facts and of the
 * mail, and that somebody sees it: counters, log, `postern status`, and where
 * the configuration wants it a field in the message.
 *
 * Called by host.c and ask.c when it happens, by engine.c at the end.
 */
#include "engine/run.h"

#include "base/log.h"
#include "base/must.h"

static struct module_work *
work_of(struct hook *h)
{
	return &h->engine->modules[h->mail.module];
}

static const struct chain_module *
module_of(const struct hook *h)
{
	return &h->mail.chain->modules[h->mail.module];
}

static struct pn_str
name_of(const struct hook *h)
{
	return pn_str_of(module_of(h)->filter->name);
}

static void
note(struct hook *h, enum missing what)
{
	struct engine_past *past = h->t->past;
	uint8_t *to = h->mail.stage <= STAGE_HELO ? past->missing_early
						  : past->missing;

	if (to[h->mail.module] < what)
		to[h->mail.module] = (uint8_t)what;
}

void
module_misses(struct hook *h)
{
	h->t->verdict.degraded = true;
	note(h, MISSING_FACT);
}

void
module_timed_out(struct hook *h)
{
	h->timed_out = true;
	stat_add(work_of(h)->timeouts, 1);
	(void)keep_say(h->engine->keep, name_of(h), PN_STR_V(""),
	    PN_STR_V("no answer in time"));
}

void
module_refused(struct hook *h)
{
	uint32_t n = h->mail.dropped - h->told;

	if (n == 0)
		return;
	h->told = h->mail.dropped;
	stat_add(work_of(h)->refused, n);
	log_warn(h->t ? h->t->id : "", "module", "module=%s refused=%u "
	    "why=\"facts that it did not declare so, or calls that its hook "
	    "may not make\"", module_of(h)->filter->name, n);
}

/* All that it declared for this stage; unknown, or as if it found nothing. */
static void
forget_facts(struct hook *h)
{
	const struct chain *c = h->mail.chain;
	bool unknown = module_of(h)->on_unavailable != CHAIN_ACCEPT;

	for (uint32_t i = 0; i < c->n_facts; i++) {
		const struct chain_fact *f = &c->facts[i];
		struct value v = { .state = VALUE_UNKNOWN, .type = f->type };

		if (f->module != h->mail.module || f->content ||
		    f->stage != h->mail.stage)
			continue;
		facts_forget(&h->t->facts, i);
		if (unknown)
			(void)facts_set(&h->t->facts, i, &v); /* no text */
	}
}

static void
hold_back(const struct engine *g, uint32_t module, struct transaction *t)
{
	const struct chain *c = g->conf->chain;
	const struct chain_module *m = &c->modules[module];
	struct verdict *to = t->rcpt ? &t->rcpt_verdict : &t->verdict;
	/* Behind all rules; of two, the one that stands first in the chain. */
	struct verdict v = { .action = VERDICT_TEMPFAIL,
		.order = UINT32_MAX - c->n_modules + module,
		.rule = pn_str_of(m->filter->name),
		.reply = { .code = 451, .status = "4.7.1",
		    .text = PN_STR("a check is not available, try again later") } };

	if (m->on_unavailable == CHAIN_TEMPFAIL)
		verdict_join(g->conf->enforce ? to : &t->would, &v);
}

void
module_complain(struct hook *h, const char *why)
{
	static const char *const stages[STAGES] = { "connect", "helo", "mail",
		"rcpt", "message" };
	struct transaction *t = h->t;

	stat_add(work_of(h)->failures, 1);
	(void)keep_say(h->engine->keep, name_of(h), PN_STR_V(""),
	    pn_str_of(why));
	log_warn(t ? t->id : "", "module", "module=%s result=failed stage=%s "
	    "why=\"%s\"", module_of(h)->filter->name,
	    t ? stages[h->mail.stage] : "watch", why);
}

void
module_lacks(struct hook *h)
{
	forget_facts(h);
	h->t->verdict.degraded = true;
	note(h, MISSING_ALL);
	hold_back(h->engine, h->mail.module, h->t);
}

void
module_failed(struct hook *h, const char *why)
{
	module_complain(h, why);
	if (h->t != NULL)
		module_lacks(h);
}

/* ---- the message's field ---- */

int
missing_edit(struct engine_run *r)
{
	const struct engine_conf *conf = r->engine->conf;
	const struct engine_past *past = r->t->past;
	struct buf names = { 0 };
	int done = 0;

	if (conf->unavailable_header == NULL || !conf->enforce ||
	    past->missing == NULL)
		return 0;
	for (uint32_t i = 0; i < conf->chain->n_modules; i++)
		if (past->missing[i] || past->missing_early[i])
			(void)buf_printf(&names, "%s%s",
			    buf_len(&names) ? ", " : "",
			    conf->chain->modules[i].filter->name); /* no cap */
	if (buf_len(&names) > 0)
		done = edits_add(&r->t->edits, r->t->arena, EDIT_HEADER_ADD,
		    pn_str_of(conf->unavailable_header), buf_str(&names));
	buf_fini(&names);
	return done;
}

void
missing_inherit(struct engine *g, struct transaction *to,
    const struct transaction *from)
{
	const struct chain *c = g->conf->chain;

	if (from->past->missing == NULL || hooks_room(g, to) < 0)
		return;
	for (uint32_t i = 0; i < c->n_modules; i++) {
		to->past->missing_early[i] = from->past->missing_early[i];
		if (from->past->missing_early[i] == MISSING_NOTHING)
			continue;
		to->verdict.degraded = true;
		if (from->past->missing_early[i] == MISSING_ALL)
			hold_back(g, i, to);
	}
}
