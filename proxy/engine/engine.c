/*
 * engine - see engine.h: one stage of one transaction, phase by phase.
 *
 *   connect helo mail rcpt     ASK --------------> MILTERS ---> JUDGE -> DONE
 *   message           INSPECT (-> BLAME) -> HOOKS -> MILTERS -> JUDGE -> DONE
 *
 * A phase's function starts what is to be asked and returns; when nothing is
 * awaited any more, the next begins. Called by the doors and `postern scan`.
 */
#include "engine/run.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"

#define BLAME_LIMIT 3 /* attempts of one body that broke the inspector */
#define SHA256_BYTES 32

/* Beside the other: where a forwarder strips signatures, nothing validates,
 * and only who needs that may suffer it. Nor has it /etc/hosts: a name that
 * stands there too would count as one that nobody signs. */
static int
make_secure_dns(struct engine *g, struct error *e)
{
	g->secure_dns = dns_new(g->loop, g->conf->dns_server, e);
	if (g->secure_dns == NULL)
		return -1;
	return dns_trust(g->secure_dns, g->conf->dns_anchors, e);
}

struct engine *
engine_new(struct loop *loop, const struct engine_conf *conf,
    struct pool *small, struct pool *large, struct keep *keep,
    struct error *e)
{
	struct engine *g = xcalloc(1, sizeof(*g));

	g->loop = loop;
	g->conf = conf;
	g->pools[LANE_SMALL] = small;
	g->pools[LANE_LARGE] = large;
	g->keep = keep;
	g->rules_run = rules_run_new();
	g->dns = dns_new(loop, conf->dns_server, e);
	if (g->dns == NULL) {
		engine_free(g);
		return NULL;
	}
	dns_know_hosts(g->dns);
	if (conf->dns_anchors.n > 0 && make_secure_dns(g, e) < 0) {
		engine_free(g);
		return NULL;
	}
	g->services = services_new(loop, g->dns);
	watches_start(g);
	return g;
}

void
engine_free(struct engine *g)
{
	if (g == NULL)
		return;
	rules_run_free(g->rules_run);
	tally_free(g);
	watches_stop(g);
	milters_stop(g);
	services_free(g->services);
	dns_free(g->dns);
	dns_free(g->secure_dns);
	free(g);
}

/* ---- verdicts of our own ---- */

static void
tempfail(struct transaction *t, uint16_t code, const char *status,
    const char *text)
{
	struct verdict v = { .action = VERDICT_TEMPFAIL,
		.order = UINT32_MAX,
		.reply = { .code = code, .text = pn_str_of(text) } };

	memcpy(v.reply.status, status, strlen(status) + 1);
	verdict_join(&t->verdict, &v);
	if (t->rcpt != NULL)
		verdict_join(&t->rcpt_verdict, &v);
}

void
engine_no_room(struct transaction *t)
{
	tempfail(t, 452, "4.3.1", "this message needs more memory than it may use");
}

/* ---- inspection ---- */

static void
no_inspector(struct engine_run *r)
{
	tempfail(r->t, 451, "4.7.1",
	    "the message cannot be inspected now, try again later");
	r->phase = PHASE_JUDGE;
}

static void
on_findings(void *arg, enum pool_result result, const struct findings *f)
{
	struct engine_run *r = arg;

	r->job = NULL;
	FAULT("found");
	if (result == POOL_FOUND) {
		r->t->past->findings = *f;
		r->t->past->inspected = true;
		limits_tell(r->engine, r->t, f->answers);
		hooks_inspected(r);
	} else if (result == POOL_SUSPECT) {
		r->phase = PHASE_BLAME;
		if (f != NULL)
			hooks_blame(r, f->troubles[0].module);
	} else {
		no_inspector(r);
	}
	run_settle(r);
}

static enum inspect_lane
lane_of(const struct spool *s)
{
	return spool_size(s) <= INSPECT_INLINE_MAX ? LANE_SMALL : LANE_LARGE;
}

static void
inspect(struct engine_run *r)
{
	struct transaction *t = r->t;

	r->job = pool_submit(r->engine->pools[lane_of(t->spool)], t->spool,
	    t->arena, on_findings, r);
	if (r->job != NULL)
		run_wait(r);
	else
		no_inspector(r);
}

/* The key of a body that broke the inspector. */
static bool
body_sha256(struct spool *s, unsigned char out[SHA256_BYTES])
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool ok = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;
	struct pn_str piece;

	for (size_t at = 0; ok && at < spool_size(s); at += piece.n) {
		piece = spool_at(s, at);
		ok = piece.n > 0 && EVP_DigestUpdate(md, piece.p, piece.n) == 1;
	}
	ok = ok && EVP_DigestFinal_ex(md, out, NULL) == 1;
	EVP_MD_CTX_free(md);
	return ok;
}

static void
count_attempt(struct engine_run *r, bool ok, uint32_t count)
{
	log_warn(r->t->id, "inspect", "result=broken attempt=%u",
	    ok ? count : 0);
	stat_add(stats_counter(keep_stats(r->engine->keep),
	    "inspections_failed_total", NULL, 0), 1);
	if (ok && count >= BLAME_LIMIT)
		r->t->past->blamed = true;
	else
		tempfail(r->t, 451, "4.7.1",
		    "the message could not be inspected, try again later");
}

static void
on_count(void *arg, bool ok, uint32_t count)
{
	struct engine_run *r = arg;

	r->ticket = NULL;
	count_attempt(r, ok, count);
	run_settle(r);
}

/* Nobody counts for a scan: there the first time is the last. */
static void
blame(struct engine_run *r)
{
	unsigned char key[SHA256_BYTES];

	if (r->engine->keep == NULL) {
		r->t->past->blamed = true;
		return;
	}
	if (body_sha256(r->t->spool, key))
		r->ticket = keep_suspect(r->engine->keep, key, true, on_count,
		    r);
	if (r->ticket != NULL)
		run_wait(r);
	else
		count_attempt(r, false, 0);
}

/* Uninspected mail is held, whatever else was found, unless refused. */
static void
hold_blamed(struct transaction *t, bool enforce)
{
	struct verdict v = { .action = VERDICT_QUARANTINE,
		.order = UINT32_MAX,
		.class_name = PN_STR("failed"),
		.degraded = true };

	verdict_join(enforce ? &t->verdict : &t->would, &v);
}

/* Nobody may keep a part for the whole. What rules want to be kept is not
 * partial: this is what could not be inspected, once too often. */
static void
keep_whole(struct transaction *t)
{
	if (t->verdict.action == VERDICT_QUARANTINE && !t->verdict.hold) {
		t->verdict = (struct verdict){ .degraded = true };
		tempfail(t, 451, "4.7.1",
		    "the message could not be inspected, try again later");
	}
}

/* ---- phases ---- */

static void
judge_run(struct engine_run *r)
{
	struct transaction *t = r->t;
	bool judgeable = r->stage != STAGE_MESSAGE || t->past->inspected ||
	    t->past->blamed;

	/* What could not be inspected and comes back is not judged: it would
	 * be with everything unknown. */
	if (judgeable &&
	    (r->stage == STAGE_MESSAGE ? judge_message(r) : judge_stage(r)) < 0)
		engine_no_room(t);
	if (r->stage == STAGE_MESSAGE && missing_edit(r) < 0)
		engine_no_room(t);
	if (r->stage == STAGE_MESSAGE && t->past->blamed)
		hold_blamed(t, r->engine->conf->enforce);
	if (r->stage == STAGE_MESSAGE && t->partial)
		keep_whole(t);
}

static void
ask(struct engine_run *r)
{
	struct transaction *t = r->t;

	if (r->stage == STAGE_CONNECT && r->engine->conf->ask_client_name &&
	    t->client.name_state == CLIENT_NAME_UNASKED)
		client_name_start(r);
	hooks_start(r);
}

static void
run_phase(struct engine_run *r)
{
	switch (r->phase) {
	case PHASE_ASK:
		r->phase = r->stage == STAGE_MESSAGE ? PHASE_INSPECT
						     : PHASE_MILTERS;
		if (r->stage != STAGE_MESSAGE)
			ask(r);
		break;
	case PHASE_INSPECT:
		r->phase = PHASE_HOOKS; /* on_findings may say otherwise */
		if (r->t->partial && !r->engine->conf->needs.header)
			r->t->past->inspected = true; /* there is nothing */
		else
			inspect(r);
		break;
	case PHASE_BLAME:
		r->phase = PHASE_JUDGE;
		blame(r);
		break;
	case PHASE_HOOKS:
		r->phase = PHASE_MILTERS;
		if (core_facts(r) < 0)
			engine_no_room(r->t);
		hooks_start(r);
		break;
	case PHASE_MILTERS:
		r->phase = PHASE_JUDGE;
		if (r->engine->milters != NULL && r->stage != STAGE_MESSAGE &&
		    core_facts(r) < 0) /* for `when` */
			engine_no_room(r->t);
		milters_start(r);
		break;
	case PHASE_JUDGE:
		r->phase = PHASE_DONE;
		if (r->stage != STAGE_MESSAGE || r->t->past->blamed)
			if (core_facts(r) < 0)
				engine_no_room(r->t);
		judge_run(r);
		break;
	case PHASE_DONE:
		break;
	}
}

/* On until something is awaited or the stage is done. */
static void
proceed(struct engine_run *r)
{
	while (r->waiting == 0 && r->phase != PHASE_DONE)
		run_phase(r);
}

void
run_wait(struct engine_run *r)
{
	r->waiting++;
}

void
run_settle(struct engine_run *r)
{
	must(r->waiting > 0);
	if (--r->waiting > 0)
		return;
	proceed(r);
	if (r->waiting == 0)
		r->t->wake(r->t);
}

/* ---- the doors' side ---- */

static bool
first_time(struct engine *g, struct transaction *t)
{
	t->past = arena_alloc(t->arena, sizeof(*t->past));
	if (t->past == NULL ||
	    facts_init(&t->facts, t->arena, g->conf->chain->n_facts) < 0)
		return false;
	STAILQ_INIT(&t->past->results);
	return true;
}

static struct engine_run *
run_new(struct engine *g, struct transaction *t, enum stage stage)
{
	struct engine_run *r;

	if (t->past == NULL && !first_time(g, t))
		return NULL;
	if ((r = arena_alloc(t->arena, sizeof(*r))) == NULL)
		return NULL;
	if (stage == STAGE_MESSAGE)
		t->rcpt = NULL; /* from here on it is about all of them */
	if (stage == STAGE_RCPT)
		t->rcpt_verdict = (struct verdict){ 0 };
	t->early = (struct verdict){ 0 };
	t->delay_ms = 0;
	r->engine = g;
	r->t = t;
	r->stage = stage;
	return r;
}

/* A rule that scored, allowed, noted, or would have done something. */
static bool
some_rule_fired(const struct transaction *t)
{
	const struct stage_result *s;

	STAILQ_FOREACH (s, &t->past->results, next)
		if (s->rules.n_effects > 0)
			return true;
	return false;
}

static bool
wants_trace(struct engine *g, const struct transaction *t)
{
	if (t->verdict.action != VERDICT_ACCEPT || t->verdict.degraded ||
	    (t->past != NULL && some_rule_fired(t)))
		return true;
	return g->conf->trace_accept_percent > 0 &&
	    g->n_accepted++ % 100 < g->conf->trace_accept_percent;
}

enum engine_turn
engine_run(struct engine *g, struct transaction *t, enum stage stage)
{
	struct engine_run *r = t->run;

	MUST_BE(t, TRANSACTION);
	if (r == NULL) {
		if ((r = run_new(g, t, stage)) == NULL) {
			engine_no_room(t);
			return ENGINE_DONE;
		}
		proceed(r);
	}
	must(r->stage == stage);
	if (r->phase != PHASE_DONE || r->waiting > 0) {
		t->run = r;
		return ENGINE_PENDING;
	}
	t->run = NULL;
	if (stage == STAGE_MESSAGE && wants_trace(g, t))
		engine_trace(g, t);
	return ENGINE_DONE;
}

void
engine_cancel(struct engine *g, struct transaction *t)
{
	struct engine_run *r = t->run;

	(void)g;
	if (r == NULL)
		return;
	client_name_cancel(r);
	hooks_cancel(r);
	milters_cancel(r);
	if (r->job != NULL)
		pool_cancel(r->job);
	if (r->ticket != NULL)
		keep_cancel(r->ticket);
	t->run = NULL;
}

/* Facts of connect and helo, the modules' own among them. */
static int
inherit_facts(struct engine *g, struct transaction *to,
    const struct transaction *from)
{
	const struct chain *c = g->conf->chain;
	const struct fact_given *given;

	STAILQ_FOREACH (given, &from->facts.given, next)
		if (c->facts[given->index].stage <= STAGE_HELO &&
		    facts_add(&to->facts, given->index, given->key,
			&given->value) < 0)
			return -1;
	for (uint32_t i = 0; i < c->n_facts; i++) {
		const struct value *v = facts_get(&from->facts, i);

		if (c->facts[i].stage <= STAGE_HELO &&
		    v->state != VALUE_ABSENT && facts_set(&to->facts, i, v) < 0)
			return -1;
	}
	return 0;
}

int
engine_inherit(struct engine *g, struct transaction *to,
    const struct transaction *from)
{
	const struct macro *m;

	to->session = from->session;
	to->wake = from->wake;
	to->owner = from->owner;
	to->door = from->door;
	STAILQ_FOREACH (m, &from->macros, next)
		if (transaction_set_macro(to, m->name, m->value) < 0)
			return -1;
	if (client_copy(&to->client, &from->client, to->arena) < 0 ||
	    !first_time(g, to))
		return -1;
	if (from->past == NULL)
		return 0;
	if (inherit_facts(g, to, from) < 0)
		return -1;
	missing_inherit(g, to, from);
	/* Their rules are judged again from the same facts: cheaper and simpler
	 * than copying effects, and a pure function gives the same. */
	for (enum stage stage = STAGE_CONNECT; stage <= STAGE_HELO; stage++) {
		struct engine_run again = { .engine = g, .t = to,
			.stage = stage };

		milters_again(&again);
		if (judge_stage(&again) < 0)
			return -1;
	}
	to->early = (struct verdict){ 0 }; /* had their time */
	to->delay_ms = 0;
	return 0;
}

struct dns *
engine_dns(struct engine *g)
{
	return g->dns;
}

struct dns *
engine_secure_dns(struct engine *g)
{
	return g->secure_dns;
}

uint64_t
engine_dns_timeout_ms(const struct engine *g)
{
	return g->conf->dns_timeout_ms;
}
