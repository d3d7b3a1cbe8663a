/*
 * stages - the door's way through the stages of the engine: what a thread
 * lends, the loop runs here and gives back. Stages at which nothing is asked
 * or judged are run together with the first that is, so that a usual message
 * is lent once. Also where mails and conversations end.
 */
#include <stddef.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/must.h"
#include "engine/record.h"
#include "milter/conversation.h"

/* Those in front of one reply before the end of the message: Postfix waits 30 s
 * for each, and can be told that we are at it only at the end
 * (milter_command_timeout). */
#define DELAY_MAX_MS 20000

/* The one that this letter lies in. */
#define OF(l, type)                                                            \
	((struct type *)(void *)((char *)(l) - offsetof(struct type, letter)))

/* ---- the thread's side ---- */

static void open_stages(struct letter *);
static void open_end(struct letter *);
static void open_close(struct letter *);

void
stages_lend(struct conversation *c, enum stage until, SMFICTX *ctx)
{
	uint64_t ms = ctx != NULL ? c->milter->conf->progress_ms : 0;

	c->until = until;
	c->letter.open = open_stages;
	turn_take(&c->turn);
	lend_post(c->milter->lend, &c->letter);
	while (!turn_wait(&c->turn, ms))
		(void)smfi_progress(ctx); /* gone: its last callbacks say so */
}

void
stages_end(struct mail *m)
{
	m->letter.open = open_end;
	lend_post_slowly(m->of->milter->lend, &m->letter);
}

void
stages_close(struct conversation *c)
{
	c->letter.open = open_close;
	lend_post_slowly(c->milter->lend, &c->letter);
}

/* ---- stages ---- */

static void
name_transaction(const struct conversation *c, struct transaction *t)
{
	if (t->id[0] == '\0')
		transaction_new_id(t->id, c->milter->worker);
}

/* What the MTA told since it was last here. */
static int
take_told(struct mail *m)
{
	const struct macro *x;

	STAILQ_FOREACH (x, &m->told, next)
		if (transaction_set_macro(m->t, x->name, x->value) < 0)
			return -1;
	STAILQ_INIT(&m->told);
	return 0;
}

static bool
inherit(struct conversation *c, struct mail *m)
{
	struct transaction *t = m->t;

	name_transaction(c, t);
	if (!m->inherited) {
		if (engine_inherit(c->milter->engine, t, c->base) < 0)
			return false;
		t->client.login = m->login;
		m->inherited = true;
	}
	return take_told(m) == 0;
}

/* The mail's next stage, of those that it was lent for. */
static bool
next_of_mail(struct conversation *c, struct mail *m, enum stage *stage)
{
	if (m->ended_early || m->fault.code != 0)
		return false;
	if (!inherit(c, m)) {
		mail_fault(m, 452, "4.3.1", "Insufficient system storage");
		return false;
	}
	if (m->next == STAGE_MAIL) {
		*stage = STAGE_MAIL;
		return true;
	}
	if (c->until >= STAGE_RCPT && m->rcpt != NULL) {
		m->t->rcpt = m->rcpt;
		*stage = STAGE_RCPT;
		return true;
	}
	*stage = STAGE_MESSAGE;
	return c->until == STAGE_MESSAGE && m->next <= STAGE_MESSAGE;
}

static bool
next_stage(struct conversation *c, struct transaction **t, enum stage *stage)
{
	*t = c->base;
	name_transaction(c, c->base);
	if (c->next == STAGE_CONNECT ||
	    (c->next == STAGE_HELO && c->named && c->until >= STAGE_HELO)) {
		*stage = c->next;
		return true;
	}
	if (c->mail == NULL || c->until < STAGE_MAIL)
		return false;
	*t = c->mail->t;
	return next_of_mail(c, c->mail, stage);
}

/* Run, and a rule's delay over? */
static bool
stage_done(struct conversation *c, struct transaction *t, enum stage stage)
{
	bool at_end = c->until == STAGE_MESSAGE, done;
	uint64_t before = c->delay.so_far_ms;

	done = delay_stage(&c->delay, c->milter->engine, t, stage,
	    at_end ? DELAYS_MAX_MS : DELAY_MAX_MS - c->waited_ms);
	if (!at_end)
		c->waited_ms += c->delay.so_far_ms - before;
	return done;
}

/* Of the connection or its name: there is no reply at connect, so it waits
 * for HELO or MAIL. A better name takes back what the last one came to. */
static void
keep_early(struct conversation *c, enum stage stage)
{
	if (verdict_refuses(&c->kept) && c->kept_of < stage)
		return;
	c->kept = c->base->early;
	c->kept_of = stage;
}

static void
say_early(struct milter *d, struct transaction *t, const struct verdict *why)
{
	t->early = *why;
	record_early(d->engine, t, why->reply.code);
	count_refused(&d->count, REFUSED_BY_RULES);
}

static void
end_early(struct mail *m, const struct verdict *why)
{
	if (m->ended_early || !verdict_refuses(why))
		return;
	m->ended_early = true;
	m->reply = why->reply;
	say_early(m->of->milter, m->t, why);
}

static void
after_rcpt(struct conversation *c, struct transaction *t)
{
	const struct reply *r = verdict_refuses(&t->verdict)
	    ? &t->verdict.reply
	    : &t->rcpt_verdict.reply;

	if (!verdict_refuses(&t->verdict) && !verdict_refuses(&t->rcpt_verdict))
		return;
	if (c->until == STAGE_MESSAGE) /* too late to refuse this one alone */
		verdict_join(&t->verdict, &t->rcpt_verdict);
	else if (r->code != 452) /* for now, and by no rule */
		count_refused(&c->milter->count, REFUSED_BY_RULES);
}

static void
after_mail_stage(struct conversation *c, struct mail *m, enum stage stage)
{
	switch (stage) {
	case STAGE_CONNECT:
	case STAGE_HELO:
		break;
	case STAGE_MAIL:
		m->next = STAGE_RCPT;
		end_early(m, &m->t->early);
		break;
	case STAGE_RCPT:
		m->rcpt = TAILQ_NEXT(m->rcpt, next);
		after_rcpt(c, m->t);
		break;
	case STAGE_MESSAGE:
		m->next = STAGE_MESSAGE + 1;
		break;
	}
}

static void
after_stage(struct conversation *c, struct transaction *t, enum stage stage)
{
	if (t == c->base) {
		keep_early(c, stage);
		c->next = stage + 1;
	} else {
		after_mail_stage(c, c->mail, stage);
	}
}

/* An early refusal that waited is said now, by HELO or MAIL. */
static void
say_kept(struct conversation *c)
{
	if (!verdict_refuses(&c->kept))
		return;
	if (c->until == STAGE_HELO)
		say_early(c->milter, c->base, &c->kept);
	else if (c->until == STAGE_MAIL)
		end_early(c->mail, &c->kept);
}

void
stages_advance(struct conversation *c)
{
	struct transaction *t;
	enum stage stage;

	MUST_BE(c, CONVERSATION);
	while (next_stage(c, &t, &stage)) {
		if (!stage_done(c, t, stage))
			return;
		after_stage(c, t, stage);
	}
	if (c->until == STAGE_MESSAGE) {
		outcome_decide(c);
		return;
	}
	say_kept(c);
	if (c->until != STAGE_CONNECT) /* has none: HELO's is next */
		c->waited_ms = 0;
	turn_give_back(&c->turn);
}

/* ---- letters ---- */

static void
on_delay_over(void *arg)
{
	stages_advance(arg);
}

static void
seen(struct conversation *c)
{
	struct milter *d = c->milter;

	if (c->counted)
		return;
	c->counted = true;
	delay_init(&c->delay, d->loop, on_delay_over, c);
	d->all_conversations++;
	count_session(&d->count, true, ++d->n_seen);
}

static void
open_stages(struct letter *l)
{
	struct conversation *c = OF(l, conversation);

	MUST_BE(c, CONVERSATION);
	seen(c);
	stages_advance(c);
}

static void
record(struct milter *d, struct mail *m)
{
	struct transaction *t = m->t;

	if (m->trouble.text[0] != '\0')
		log_error(t->id, "milter", "why=\"%s\"",
		    VIS(pn_str_of(m->trouble.text)));
	record_message(t, m->received, m->code);
	count_message(&d->count, t->verdict.action, m->code, m->received);
	if (m->inherited) /* else the engine has never heard of it */
		engine_summarise(d->engine, t, m->code);
	if (m->code / 100 == 2) {
		d->all_messages++;
		m->of->n_messages++;
	}
}

static void
open_end(struct letter *l)
{
	struct mail *m = OF(l, mail);
	struct conversation *c = m->of;

	seen(c);
	c->delay.so_far_ms = 0;
	/* One that was never lent, and is told of all the same. */
	if (m->code != 0 && !inherit(c, m))
		m->t->client = c->base->client;
	if (m->code != 0)
		record(c->milter, m);
	else if (!m->ended_early && m->inherited)
		record_abandoned(c->milter->engine, m->t);
	transaction_free(m->t);
	free(m);
}

static void
open_close(struct letter *l)
{
	struct conversation *c = OF(l, conversation);
	struct milter *d = c->milter;

	MUST_BE(c, CONVERSATION);
	seen(c);
	count_session(&d->count, false, --d->n_seen);
	record_connection(c->base, c->n_messages, 0);
	atomic_fetch_sub(&d->n_conversations, 1);
	transaction_free(c->base);
	c->magic = 0;
	free(c);
}
