/*
 * outcome - the verdict is there: what is told the MTA, and what the keeper is
 * given first. On the loop; called by stages.c at the end of a message. The
 * MTA hears of a copy of ours only when it is fsynced.
 */
#include <stdio.h>

#include "base/fault.h"
#include "base/log.h"
#include "milter/apply.h"
#include "milter/conversation.h"

static void
give_back(struct conversation *c)
{
	turn_give_back(&c->turn);
}

static void
refuse(struct conversation *c, uint16_t code, const char *status,
    const char *text)
{
	struct mail *m = c->mail;

	m->outcome = OUTCOME_REFUSE;
	m->reply = (struct reply){ .code = code, .text = pn_str_of(text) };
	(void)snprintf(m->reply.status, sizeof(m->reply.status), "%s", status);
}

/* ---- what is kept ---- */

/*
 * UNKNOWN: a keeper had it and none will say what became of it. An MTA cannot
 * be left without an answer as a client can; of the two, the one that loses
 * nothing: the message comes again, and may be held twice.
 */
static void
not_kept(struct conversation *c, enum keep_result result)
{
	if (result == KEPT_NO_ROOM)
		refuse(c, 452, "4.3.1", "Insufficient system storage");
	else
		refuse(c, 451, "4.3.0", "Error: queue file write error");
}

static void
keeper_spoke(void *arg, enum keep_result result, struct pn_str text)
{
	struct conversation *c = arg;

	c->ticket = NULL;
	if (result == KEPT)
		FAULT("copied");
	else
		log_error(c->mail->t->id, "keep", "why=\"%s\"", VIS(text));
	if (result != KEPT)
		not_kept(c, result);
	give_back(c);
}

/* To the keeper; what is kept decides nothing but whether the rest may be. */
static void
keep(struct conversation *c, const struct verdict *why)
{
	struct keep_job job =
	    keep_job_of(c->mail->t, why, c->milter->listener->upstream);
	struct error e = { .text = "no keeper" };

	c->ticket = c->milter->keep == NULL
	    ? NULL
	    : keep_submit(c->milter->keep, KEEP_QUARANTINE, &job,
		  c->mail->t->spool, NULL, keeper_spoke, c, &e);
	FAULT("relaying");
	if (c->ticket != NULL)
		return;
	log_error(c->mail->t->id, "keep", "why=\"%s\"", e.text);
	not_kept(c, e.no_room ? KEPT_NO_ROOM : KEPT_NOT);
	give_back(c);
}

/* ---- the verdict ---- */

/* It goes on, if what rules want of it can be done there. */
static void
pass(struct conversation *c, enum outcome outcome)
{
	struct mail *m = c->mail;
	struct error e;

	m->outcome = outcome;
	if (apply_prepare(m, &e) < 0) {
		log_error(m->t->id, "edits", "why=\"%s\"", e.text);
		if (e.no_room)
			refuse(c, 452, "4.3.1", "Insufficient system storage");
		else
			refuse(c, 451, "4.7.1",
			    "The message cannot be changed as it must be");
		give_back(c);
	} else if (m->t->copy.action == VERDICT_QUARANTINE) {
		keep(c, &m->t->copy);
	} else {
		give_back(c);
	}
}

void
outcome_decide(struct conversation *c)
{
	struct mail *m = c->mail;
	const struct verdict *v = &m->t->verdict;

	if (m->fault.code != 0) { /* the arena's cap */
		m->outcome = OUTCOME_REFUSE;
		m->reply = m->fault;
		give_back(c);
		return;
	}
	switch (v->action) {
	case VERDICT_ACCEPT:
	case VERDICT_TAG:
	case VERDICT_REDIRECT:
		pass(c, OUTCOME_PASS);
		break;
	case VERDICT_QUARANTINE:
		m->outcome = OUTCOME_DISCARD;
		if (v->hold)
			pass(c, OUTCOME_HOLD);
		else
			keep(c, v);
		break;
	case VERDICT_DISCARD:
		m->outcome = OUTCOME_DISCARD;
		give_back(c);
		break;
	case VERDICT_TEMPFAIL:
	case VERDICT_REJECT:
		m->outcome = OUTCOME_REFUSE;
		m->reply = v->reply;
		give_back(c);
		break;
	}
}
