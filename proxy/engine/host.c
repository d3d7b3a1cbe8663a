/*
 * host - the asking half of filter.h: runs the worker's hooks of a stage, all
 * together, and goes on with each when its answer comes.
 *
 * Called by engine.c. A hook owns at most one ask at a time: the last one it
 * returned PN_PENDING for. A module that fails gives no facts: all it declared
 * for this stage are unknown, and its `on unavailable` decides.
 */
#include "engine/run.h"

#include "base/log.h"
#include "base/must.h"

static void
on_fact(struct pn_mail *m, uint32_t index, uint32_t thing,
    const struct value *v)
{
	struct hook *h = (struct hook *)m;

	must(thing == FACT_OF_MESSAGE); /* things are the inspector's alone */
	if (facts_set(&h->run->t->facts, index, v) < 0)
		log_warn(h->run->t->id, "fact", "fact=%s error=\"out of memory "
		    "for this mail\"", m->chain->facts[index].name);
}

static const struct pn_mail_ops ops = { .fact = on_fact };

/* ---- steps ---- */

static void
facts_unknown(struct hook *h)
{
	const struct chain *c = h->mail.chain;

	for (uint32_t i = 0; i < c->n_facts; i++) {
		const struct chain_fact *f = &c->facts[i];
		struct value v = { .state = VALUE_UNKNOWN, .type = f->type };

		if (f->module == h->mail.module && !f->content && !f->of_thing &&
		    f->stage == h->run->stage)
			(void)facts_set(&h->run->t->facts, i, &v); /* no text */
	}
}

/* on unavailable: the message waits, or goes on with facts unknown. */
static void
failed(struct hook *h)
{
	const struct chain_module *m =
	    &h->mail.chain->modules[h->mail.module];
	struct transaction *t = h->run->t;
	struct verdict v = { .action = VERDICT_TEMPFAIL, .order = UINT32_MAX,
		.rule = pn_str_of(m->filter->name),
		.reply = { .code = 451, .status = "4.7.1",
		    .text = PN_STR("a check is not available, try again later") } };

	log_warn(t->id, "module", "module=%s result=failed stage=%d",
	    m->filter->name, (int)h->run->stage);
	facts_unknown(h);
	t->verdict.degraded = true;
	if (m->on_unavailable == CHAIN_TEMPFAIL)
		verdict_join(t->rcpt ? &t->rcpt_verdict : &t->verdict, &v);
}

/* True when the hook is done for this stage. */
static bool
step_done(struct hook *h, enum pn_step step)
{
	if (step == PN_PENDING && h->ask != NULL)
		return false;
	/* Pending for nothing would wait for ever: that is a failure, too. */
	if (step != PN_NEXT)
		failed(h);
	dns_cancel(h->ask);
	h->ask = NULL;
	return true;
}

static enum pn_step (*hook_of(const struct pn_filter *f, enum stage stage))(
    struct pn_mail *)
{
	enum pn_step (*const hooks[STAGES])(struct pn_mail *) = { f->connect,
		f->helo, f->mail, f->rcpt, f->message };

	return hooks[stage];
}

static bool
make_hooks(struct engine_run *r)
{
	const struct chain *c = r->engine->conf->chain;
	struct hook *hooks = r->t->past->hooks;

	if (hooks == NULL)
		hooks = arena_alloc(r->t->arena,
		    (c->n_modules + 1) * sizeof(*hooks));
	r->t->past->hooks = hooks;
	for (uint32_t i = 0; hooks != NULL && i < c->n_modules; i++) {
		hooks[i].mail.chain = c;
		hooks[i].mail.module = i;
		hooks[i].mail.stage = r->stage;
		hooks[i].mail.arena = r->t->arena;
		hooks[i].mail.ops = &ops;
		hooks[i].run = r;
	}
	return hooks != NULL;
}

void
hooks_start(struct engine_run *r)
{
	const struct chain *c = r->engine->conf->chain;

	if (!make_hooks(r))
		return; /* the rules find their facts absent; the cap is 452 */
	for (uint32_t i = 0; i < c->n_modules; i++) {
		struct hook *h = &r->t->past->hooks[i];
		enum pn_step (*run)(struct pn_mail *) =
		    hook_of(c->modules[i].filter, r->stage);

		if (run != NULL && !step_done(h, run(&h->mail)))
			run_wait(r);
	}
}

void
hooks_cancel(struct engine_run *r)
{
	struct hook *hooks = r->t->past->hooks;

	for (uint32_t i = 0; hooks && i < r->engine->conf->chain->n_modules; i++) {
		dns_cancel(hooks[i].ask);
		hooks[i].ask = NULL;
	}
}

/* ---- what a module may ask ---- */

static void
on_answer(void *arg, const struct pn_dns *answer)
{
	struct hook *h = arg;

	h->ask = NULL;
	if (step_done(h, h->goes_on(&h->mail, answer)))
		run_settle(h->run);
}

static enum pn_step
ask(struct pn_mail *m, enum dns_type type, struct pn_str name, pn_dns_cb *cb)
{
	struct hook *h = (struct hook *)m;
	const struct engine_conf *conf = h->run->engine->conf;
	uint64_t timeout_ms = conf->chain->modules[m->module].timeout_ms;

	dns_cancel(h->ask);
	h->goes_on = cb;
	h->ask = dns_ask(h->run->engine->dns, type, name,
	    timeout_ms > 0 ? timeout_ms : conf->dns_timeout_ms, on_answer, h);
	return PN_PENDING;
}

enum pn_step
pn_ask_dns_a(struct pn_mail *m, struct pn_str name, pn_dns_cb *cb)
{
	return ask(m, DNS_A, name, cb);
}

enum pn_step
pn_ask_dns_aaaa(struct pn_mail *m, struct pn_str name, pn_dns_cb *cb)
{
	return ask(m, DNS_AAAA, name, cb);
}

enum pn_step
pn_ask_dns_ptr(struct pn_mail *m, struct pn_str ip, pn_dns_cb *cb)
{
	return ask(m, DNS_PTR, ip, cb);
}

enum pn_step
pn_ask_dns_txt(struct pn_mail *m, struct pn_str name, pn_dns_cb *cb)
{
	return ask(m, DNS_TXT, name, cb);
}

struct pn_str
pn_client_ip(struct pn_mail *m)
{
	return ((struct hook *)m)->run->t->client.ip;
}

struct pn_str
pn_client_helo(struct pn_mail *m)
{
	return ((struct hook *)m)->run->t->client.helo;
}

struct pn_str
pn_client_login(struct pn_mail *m)
{
	return ((struct hook *)m)->run->t->client.login;
}

struct pn_str
pn_sender(struct pn_mail *m)
{
	return ((struct hook *)m)->run->t->envelope.address;
}

struct pn_str
pn_recipient(struct pn_mail *m)
{
	const struct rcpt *r = ((struct hook *)m)->run->t->rcpt;

	return r ? r->address : (struct pn_str){ "", 0 };
}
