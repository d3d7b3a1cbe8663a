/*
 * deliver - copies of our own, by the keeper: the maildir next hop, and
 * quarantine. The client hears 250 only after the keeper's word that its copy
 * is fsynced. State KEEPER of session.
 */
#include <stdio.h>

#include "base/fault.h"
#include "base/log.h"
#include "smtp/lmtp.h"
#include "smtp/received.h"

/* Only for domains we are the mail host of; <postmaster> is always ours. */
bool
deliver_takes(const struct session *s, const struct rcpt *r)
{
	return site_has_domain(&s->smtp->conf->site, r->domain);
}

/* Is every recipient that rules left or added one of ours? */
static bool
takes_all(const struct session *s)
{
	const struct rcpt *r;

	TAILQ_FOREACH (r, &transaction_onward(s->t)->rcpts, next)
		if (r->accepted && !deliver_takes(s, r))
			return false;
	return true;
}

/*
 * A maildir is named by its path; what is held, by where it would have gone. The
 * rest of a message whose copy is held is another one for the keeper.
 */
static struct keep_job
job_of(const struct session *s, enum keep_type type)
{
	const struct transaction *t = s->t;
	const struct smtp_upstream *next = s->hop->conf;
	const struct verdict *why = s->copying ? &t->copy : &t->verdict;
	struct keep_job job = keep_job_of(t, why, next->name);

	if (type == KEEP_MAILDIR || s->rest != NULL)
		job.size = spool_size(transaction_message(t));
	if (type == KEEP_MAILDIR) {
		job.target = pn_str_of(next->maildir);
		job.envelope = *transaction_onward(t);
	}
	if (s->rest != NULL) {
		job.class_name = PN_STR_V("failed");
		job.envelope = *s->rest;
		job.id = pn_str_of(s->rest_id);
	}
	return job;
}

static void
keeper_spoke(void *arg, enum keep_result result, struct pn_str text)
{
	struct session *s = arg;

	s->ticket = NULL;
	s->keeper_spoke = true;
	s->kept = result;
	if (result != KEPT)
		log_error(s->t->id, "keep", "why=\"%s\"", VIS(text));
	session_advance(s);
}

/* ranges: of the message that goes on; NULL: it is held as it came. */
static void
submit(struct session *s, enum keep_type type,
    const struct edit_ranges *ranges)
{
	struct spool *body =
	    ranges != NULL ? transaction_message(s->t) : s->t->spool;
	struct keep_job job = job_of(s, type);
	struct error e = { .text = "no keeper" };

	s->keeper_spoke = false;
	s->state = SESSION_KEEPER;
	s->ticket = s->smtp->keep == NULL
	    ? NULL
	    : keep_submit(s->smtp->keep, type, &job, body, ranges,
		  keeper_spoke, s, &e);
	if (s->ticket == NULL) {
		log_error(s->t->id, "keep", "why=\"%s\"", e.text);
		s->keeper_spoke = true;
		s->kept = e.no_room ? KEPT_NO_ROOM : KEPT_NOT;
	}
	FAULT("relaying");
}

bool
deliver_prepare(struct session *s)
{
	struct transaction *t = s->t;

	if (!takes_all(s)) {
		relay_added_refused(s, PN_STR_V("not in relay_domains"));
		return false;
	}
	if (received_add(&t->edits, t->arena, s->smtp->conf->hostname,
		&t->client, transaction_onward(t), t->id) == 0)
		return true;
	relay_no_room(s, "out of memory for this mail");
	return false;
}

void
deliver_start(struct session *s)
{
	struct error e;

	if (!deliver_prepare(s))
		return;
	if (edits_resolve(&s->t->edits, transaction_message(s->t),
		s->t->arena, &s->ranges, &e) == 0)
		submit(s, KEEP_MAILDIR, &s->ranges);
	else
		relay_no_room(s, e.text);
}

void
rest_start(struct session *s, const struct envelope *rest)
{
	const struct transaction *t = s->t;

	s->rest = rest;
	if (t->copy.action == VERDICT_QUARANTINE)
		transaction_new_id(s->rest_id, s->smtp->worker);
	else
		(void)snprintf(s->rest_id, sizeof(s->rest_id), "%s", t->id);
	log_warn(t->id, "lmtp",
	    "why=\"taken for some recipients only\" kept=%u as=%s",
	    rest->n_accepted, s->rest_id);
	submit(s, KEEP_QUARANTINE, &s->ranges);
}

/* Here there is no MTA that could hold it with what rules make of it. */
void
hold_start(struct session *s)
{
	s->t->onward = NULL;
	s->t->copy = (struct verdict){ 0 };
	upstream_rset(s->up);
	submit(s, KEEP_QUARANTINE, NULL);
}

/* The message itself, unchanged: it may be what a rule strips of it. None of
 * what is known to come again. */
void
copy_start(struct session *s)
{
	if (s->hop->conf->delivers && !takes_all(s)) {
		relay_added_refused(s, PN_STR_V("not in relay_domains"));
		return;
	}
	s->copying = true;
	submit(s, KEEP_QUARANTINE, NULL);
}

/* A client that has left meanwhile sends the message again: it goes on then. */
static enum turn
copied(struct session *s)
{
	FAULT("copied");
	s->copying = false;
	if (s->gone) {
		mail_done(s, 0);
		return session_leave(s);
	}
	pass_start(s);
	return TURN_AGAIN;
}

enum turn
session_keeper(struct session *s)
{
	static const uint16_t codes[] = { [KEPT] = 250, [KEPT_NOT] = 451,
		[KEPT_NO_ROOM] = 452 };

	if (!s->keeper_spoke)
		return session_wait_elsewhere(s);
	if (s->copying && s->kept == KEPT)
		return copied(s);
	FAULT("relayed");
	if (s->rest != NULL && s->kept == KEPT && s->listener->lmtp)
		return lmtp_answer(s);
	if (s->copying)
		upstream_rset(s->up);
	if (s->kept == KEPT_UNKNOWN) {
		mail_done(s, 0);
		return session_leave(s);
	}
	if (s->kept == KEPT_NO_ROOM)
		session_say_no_room(s);
	else if (s->kept == KEPT_NOT)
		session_say(s, 451, "4.3.0", "Error: queue file write error");
	else if (s->t->verdict.action == VERDICT_QUARANTINE)
		session_say(s, 250, "2.0.0", "Ok: held as %s", s->t->id);
	else
		session_say(s, 250, "2.0.0", "Ok: delivered as %s", s->t->id);
	mail_done(s, codes[s->kept]);
	s->state = SESSION_COMMAND;
	return TURN_AGAIN;
}
