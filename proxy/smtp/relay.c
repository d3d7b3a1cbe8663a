/*
 * relay - a message that passed, to the next hop. States of session.
 *
 * The next hop sees DATA only now; its last reply is the client's, sent only
 * after it came. If it closed the connection before it saw DATA, one more is
 * dialled, identity, MAIL and RCPT are repeated, and only if it says what it
 * said before does the message go on. RFC 5321 4.1.1.4, RFC 1047.
 *
 * Rules may have changed the recipients (redirect, copy, rcpt) or the sender:
 * then RSET and a new envelope come first. SMTP has no other way to take a RCPT
 * back. A new recipient or sender that is not taken is 451 for all: nobody may
 * get the message in another way than the rules say.
 */
#include "base/fault.h"
#include "base/log.h"
#include "smtp/lmtp.h"

static enum turn
end(struct session *s, uint16_t code)
{
	mail_done(s, code);
	s->state = SESSION_COMMAND;
	return TURN_AGAIN;
}

static enum turn
end_with(struct session *s, uint16_t code, const char *status,
    const char *text)
{
	session_say(s, code, status, "%s", text);
	return end(s, code);
}

static enum turn
end_lost(struct session *s)
{
	return end_with(s, 451, "4.4.2",
	    "The connection to the next hop was lost");
}

static enum turn
ask_for_go_ahead(struct session *s)
{
	if (!lmtp_expect(s)) {
		relay_no_room(s, "out of memory for this mail");
		return TURN_AGAIN;
	}
	upstream_data(s->up, transaction_message(s->t), &s->ranges);
	s->state = SESSION_GO_AHEAD;
	return TURN_AGAIN;
}

void
relay_no_room(struct session *s, const char *why)
{
	log_error(s->t->id, "edits", "why=\"%s\"", why);
	upstream_rset(s->up);
	(void)end_with(s, 452, "4.3.1", "Insufficient system storage");
}

static enum turn
redial(struct session *s)
{
	if (s->redialled || s->logged_in) /* the login was that connection's */
		return end_lost(s);
	s->redialled = true;
	mail_dial(s);
	s->state = SESSION_REDIAL;
	return TURN_AGAIN;
}

static bool
repeat_envelope(struct session *s)
{
	const struct envelope *e = transaction_onward(s->t);
	const struct rcpt *r;

	if (!upstream_mail(s->up, e, &s->t->client, s->t->id,
		mail_is_local(s)))
		return false;
	TAILQ_FOREACH (r, &e->rcpts, next)
		if (r->accepted && !upstream_rcpt(s->up, r))
			return false;
	s->repeat = NULL;
	s->state = SESSION_REPEAT;
	return true;
}

/* Part of the envelope may be queued: for no mail to come. */
static enum turn
drop_next_hop(struct session *s)
{
	(void)end_lost(s); /* names it */
	mail_drop(s);
	return TURN_AGAIN;
}

static void
change_refused(struct session *s, struct pn_str why, const char *text)
{
	log_warn(s->t->id, "onward", "why=\"%s\"", VIS(why));
	(void)end_with(s, 451, "4.3.0", text);
}

void
relay_added_refused(struct session *s, struct pn_str why)
{
	upstream_rset(s->up);
	change_refused(s, why, "A recipient that was added is not taken");
}

static void
change_envelope(struct session *s)
{
	upstream_forget(s->up);
	if (!repeat_envelope(s))
		(void)drop_next_hop(s);
}

void
relay_start(struct session *s)
{
	struct error e;

	if (s->hop->conf->delivers && !deliver_prepare(s))
		return;
	if (edits_resolve(&s->t->edits, transaction_message(s->t), s->t->arena,
		&s->ranges, &e) < 0) {
		relay_no_room(s, e.text);
	} else if (upstream_at(s->up) == UPSTREAM_READY) {
		if (s->t->onward != NULL)
			change_envelope(s);
		else
			(void)ask_for_go_ahead(s);
	} else {
		(void)redial(s);
	}
}

/* ---- the envelope once more ---- */

enum turn
session_redial(struct session *s)
{
	if (upstream_at(s->up) == UPSTREAM_DIALLING)
		return session_wait_elsewhere(s);
	if (upstream_at(s->up) != UPSTREAM_READY || !repeat_envelope(s))
		return drop_next_hop(s);
	return TURN_AGAIN;
}

/* What it said before; to an address it has not heard of, any yes. */
static bool
is_as_before(const struct session *s, uint16_t code)
{
	if (s->repeat == NULL)
		return transaction_sender_changed(s->t)
			   ? code / 100 == 2
			   : code == s->mail_code;
	return s->repeat->added ? code / 100 == 2 : code == s->repeat->code;
}

static enum turn
answered_otherwise(struct session *s, const struct reply_lines *r)
{
	bool added = s->repeat != NULL && s->repeat->added;
	bool sender = s->repeat == NULL && transaction_sender_changed(s->t);

	if (!added && !sender)
		return drop_next_hop(s);
	/* r->raw lies in s->up */
	change_refused(s, pn_str_trim(r->raw),
	    added ? "A recipient that was added is not taken"
		  : "The sender that was set is not taken");
	mail_drop(s); /* other answers are on their way */
	return TURN_AGAIN;
}

/* MAIL's answer first, then one for each recipient. */
enum turn
session_repeat(struct session *s)
{
	struct reply_lines r;

	for (;;) {
		if (!upstream_take(s->up, &r)) {
			if (upstream_at(s->up) == UPSTREAM_READY)
				return session_wait_elsewhere(s);
			return end_lost(s);
		}
		if (!is_as_before(s, r.code))
			return answered_otherwise(s, &r);
		s->repeat = envelope_next_accepted(transaction_onward(s->t),
		    s->repeat);
		if (s->repeat == NULL)
			return ask_for_go_ahead(s);
	}
}

/* ---- DATA there ---- */

/* No 354: its answer is the client's, unless it makes no sense here. */
static enum turn
no_go_ahead(struct session *s, const struct reply_lines *r)
{
	uint16_t code = r->code;

	if (upstream_refuses_message(s->up, code)) {
		session_pass_on(s, r);
		upstream_rset(s->up);
		return end(s, code);
	}
	(void)end_with(s, 451, "4.3.0", "The next hop is out of step");
	mail_drop(s);
	return TURN_AGAIN;
}

enum turn
session_go_ahead(struct session *s)
{
	struct reply_lines r;

	if (!upstream_take(s->up, &r)) {
		if (upstream_at(s->up) == UPSTREAM_READY)
			return session_wait_elsewhere(s);
		return redial(s);
	}
	if (!upstream_goes_ahead(s->up, r.code))
		return no_go_ahead(s, &r);
	FAULT("relaying");
	upstream_body(s->up, transaction_message(s->t), &s->ranges,
	    lmtp_replies(s));
	s->state = SESSION_LAST_WORD;
	return TURN_AGAIN;
}

/*
 * The client may leave now, but once all is sent the outcome is the next
 * hop's: it is waited for and logged (RFC 1047's window).
 */
enum turn
session_last_word(struct session *s)
{
	struct reply_lines r;

	if (s->gone && upstream_at(s->up) == UPSTREAM_READY &&
	    !upstream_body_sent(s->up))
		return session_leave(s);
	if (s->hop->conf->lmtp)
		return lmtp_last_word(s);
	if (!upstream_take(s->up, &r)) {
		if (upstream_at(s->up) == UPSTREAM_READY)
			return session_wait_elsewhere(s);
		session_reply(s, upstream_failure(s->up));
		return end(s, upstream_failure(s->up)->code);
	}
	FAULT("relayed");
	session_pass_on(s, &r);
	return end(s, r.code);
}
