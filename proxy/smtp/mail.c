/*
 * mail - the envelope: MAIL and RCPT through the engine to the next hop, and
 * its replies back, word for word. States of session; owns nothing else.
 *
 * What a client pipelined goes on as one batch: each MAIL and RCPT queues its
 * command with the upstream and its place among the answers; when no RCPT
 * follows in the buffer, the batch is sent and the answers are waited for.
 * RFC 5321 3.3, RFC 2920 3.1 and 3.2.
 */
#include "base/must.h"
#include "smtp/auth.h"
#include "smtp/lmtp.h"
#include "smtp/route.h"

bool
mail_new(struct session *s)
{
	if (s->t != NULL)
		return true; /* XFORWARD made it */
	(void)clock_gettime(CLOCK_MONOTONIC, &s->began);
	s->t = session_transaction(s);
	s->t->client = s->base->client;
	s->stage = STAGE_MAIL;
	if (engine_inherit(s->smtp->engine, s->t, s->base) == 0)
		return true;
	mail_end(s);
	session_say_no_room(s);
	return false;
}

/* Copied: a server that was found by name goes with its connection. */
void
mail_name_next_hop(struct session *s)
{
	const struct server *to;

	if (s->hop == NULL || (route_is_open(s) && !s->routed))
		return;
	to = s->up != NULL && s->hop->conf->maildir == NULL
	    ? upstream_server(s->up) : NULL;
	s->t->upstream = arena_str(s->t->arena, pn_str_of(s->hop->conf->name));
	s->t->server = arena_str(
	    s->t->arena, pn_str_of(to != NULL ? to->name : ""));
}

void
mail_end(struct session *s)
{
	bool unfinished = s->mail;

	if (s->t != NULL && unfinished)
		mail_name_next_hop(s);
	s->mail = s->utf8 = s->redialled = false;
	s->received = s->delay.so_far_ms = 0;
	s->copying = s->chunked = s->answered_each = false;
	s->routed = s->opened = false;
	s->domain = NULL;
	s->mail_refused = (struct reply_lines){ 0 };
	s->then = SESSION_COMMAND;
	s->rest = NULL;
	s->last_words = NULL;
	s->n_rcpts = s->pace.overshoot = 0;
	pace_data_end(s);
	s->fault = (struct reply){ 0 };
	s->dot = (struct dot){ 0 };
	STAILQ_INIT(&s->answers);
	if (s->t == NULL)
		return;
	engine_cancel(s->smtp->engine, s->t);
	if (unfinished)
		record_abandoned(s->smtp->engine, s->t);
	engine_leave(s->smtp->engine, s->t);
	transaction_free(s->t);
	s->t = NULL;
}

bool
mail_is_local(const struct session *s)
{
	return site_has_client(&s->smtp->conf->site, s->t->client.ip);
}

static void
wake(void *arg)
{
	session_advance(arg);
}

/* Where the client connected to, for a next hop that is told it. Not asked
 * before: it is a system call. */
static void
find_listener(struct session *s)
{
	enum smtp_identity by = s->hop->conf->identity;
	struct sockaddr_storage sa = { 0 };
	socklen_t n = sizeof(sa);
	struct client *c = &s->base->client;

	if (c->to_ip.n == 0 &&
	    (by == IDENTITY_PROXY || by == IDENTITY_PROXY_V1 ||
		(by == IDENTITY_XCLIENT &&
		    (s->hop->known.xclient & ATTR_DESTADDR))) &&
	    getsockname(s->wire.fd, (struct sockaddr *)&sa, &n) == 0)
		session_set_listener(s, (struct sockaddr *)&sa);
	if (s->t != NULL && s->t->client.to_ip.n == 0) {
		s->t->client.to_ip = c->to_ip;
		s->t->client.to_port = c->to_port;
	}
}

void
mail_dial(struct session *s)
{
	const struct transaction *t = s->t != NULL ? s->t : s->base;
	const struct upstream_conf conf = {
		.loop = s->smtp->loop,
		.hop = s->hop,
		.hostname = s->smtp->conf->hostname,
		.hold_noop_ms = s->smtp->conf->hold_noop_ms,
		.wake = wake,
		.arg = s };
	struct pn_str helo = upstream_name(&conf, &t->client);

	must(!s->logged_in); /* who asks has looked: auth_is_lost() */
	find_listener(s);
	upstream_free(s->up);
	/* The transaction lives as long as the dialling: RSET ends neither.
	 * What is kept may be as dead as what was lost, and is for mails. */
	if (s->redialled || s->t == NULL) {
		s->up = upstream_new(&conf);
		upstream_set_domain(s->up, s->domain);
		upstream_dial(s->up, &t->client, helo, t->id);
	} else {
		s->up = upstream_get(&conf, s->domain, &t->client, helo,
		    t->id);
		kept_warm(s->hop);
	}
}

void
mail_give_back(struct session *s)
{
	kept_give(s->up);
	s->up = NULL;
}

void
mail_drop(struct session *s)
{
	upstream_free(s->up);
	s->up = NULL;
}

/* ---- answers ---- */

/* A place among the answers; at the arena's cap the session ends. */
static void
await(struct session *s, int kind, struct rcpt *r)
{
	struct answer *a = arena_alloc(s->t->arena, sizeof(*a));

	if (a == NULL) {
		s->gone = true;
		return;
	}
	a->kind = kind;
	a->rcpt = r;
	STAILQ_INSERT_TAIL(&s->answers, a, next);
}

void
mail_await_hidden(struct session *s)
{
	await(s, ANSWER_HIDDEN, NULL);
}

static void
note(struct session *s, const struct answer *a, uint16_t code)
{
	if (a->kind == ANSWER_MAIL) {
		s->mail_code = code;
		s->t->envelope.has_sender = code / 100 == 2;
	} else if (a->kind == ANSWER_RCPT) {
		a->rcpt->code = code;
		a->rcpt->accepted = code / 100 == 2;
		if (!a->rcpt->accepted) {
			count_refused(&s->smtp->count, REFUSED_BY_NEXT_HOP);
			shape_refused_there(s, a->rcpt);
		}
		s->t->envelope.n_accepted += a->rcpt->accepted;
	}
}

static void
answer_ours(struct session *s, const struct answer *a)
{
	(void)buf_add_str(&s->wire.out, a->text);
	session_count(s, a->code);
}

static void
answer_theirs(struct session *s, const struct answer *a,
    const struct reply_lines *r)
{
	if (a->kind == ANSWER_HIDDEN) {
		route_heard(s, r);
		return;
	}
	if (a->kind == ANSWER_RCPT && route_refusal(s) != NULL)
		r = route_refusal(s);
	session_pass_on(s, r);
	note(s, a, r->code);
}

/* What waits for a next hop that is gone gets our own answer. */
static void
answer_failed(struct session *s, const struct answer *a)
{
	const struct reply *r = upstream_failure(s->up);

	if (a->kind == ANSWER_HIDDEN)
		return;
	reply_put(&s->wire.out, r);
	s->errors++;
	shape_reply(s, r);
	note(s, a, r->code);
}

/* The first of the answers into .out; false: the next hop has yet to speak. */
static bool
answer_first(struct session *s)
{
	struct answer *a = STAILQ_FIRST(&s->answers);
	struct reply_lines r;

	if (a->kind == ANSWER_OURS) {
		answer_ours(s, a);
	} else if (upstream_take(s->up, &r)) {
		answer_theirs(s, a, &r);
	} else if (upstream_at(s->up) == UPSTREAM_READY) {
		return false;
	} else {
		answer_failed(s, a);
	}
	STAILQ_REMOVE_HEAD(&s->answers, next);
	return true;
}

enum turn
session_answers(struct session *s)
{
	upstream_flush(s->up);
	while (!STAILQ_EMPTY(&s->answers))
		if (!answer_first(s))
			return TURN_WAIT; /* one write for the whole batch */
	if (!s->t->envelope.has_sender) {
		/* An open transaction there would make the next MAIL nested. */
		mail_end(s);
	}
	s->state = s->then;
	s->then = SESSION_COMMAND;
	return TURN_AGAIN;
}

/* ---- MAIL ---- */

static void
send_mail(struct session *s)
{
	s->state = SESSION_COMMAND;
	if (upstream_mail(s->up, &s->t->envelope, &s->t->client, s->t->id,
		mail_is_local(s))) {
		await(s, ANSWER_MAIL, NULL);
		return;
	}
	session_say(s, 451, "4.3.0",
	    "The next hop no longer takes one of these options");
	mail_end(s);
}

/* By an early rule: the next hop has not heard of it. */
static enum turn
refuse_mail(struct session *s)
{
	stage_refuse(s, s->t);
	s->mail = false; /* recorded */
	mail_end(s);
	return TURN_AGAIN;
}

bool
mail_is_connected(struct session *s)
{
	const struct transaction *t = s->t != NULL ? s->t : s->base;

	if (s->up == NULL || upstream_at(s->up) != UPSTREAM_READY)
		return false;
	if (upstream_is_for(s->up, &t->client))
		return true;
	mail_drop(s); /* it was dialled as the one of the mail before */
	return false;
}

enum turn
session_mail(struct session *s)
{
	for (; s->stage <= STAGE_MAIL; s->stage++) {
		if (!stage_done(s, s->t, s->stage))
			return session_wait_elsewhere(s);
		if (verdict_refuses(&s->t->early))
			return refuse_mail(s);
	}
	if (auth_is_lost(s)) {
		auth_lost(s);
	} else if (route_is_open(s) || s->hop->conf->maildir != NULL) {
		s->t->envelope.has_sender = true;
		s->mail_code = 250;
		session_say(s, 250, "2.1.0", "Ok");
		s->state = SESSION_COMMAND;
	} else if (mail_is_connected(s)) {
		send_mail(s);
	} else if (s->logged_in) { /* as another client than this mail's */
		auth_lost(s);
	} else {
		mail_dial(s);
		s->state = SESSION_DIAL;
	}
	return TURN_AGAIN;
}

enum turn
session_dial(struct session *s)
{
	if (upstream_at(s->up) == UPSTREAM_DIALLING)
		return session_wait_elsewhere(s);
	if (upstream_at(s->up) == UPSTREAM_READY) {
		send_mail(s);
		return TURN_AGAIN;
	}
	session_reply(s, upstream_failure(s->up));
	mail_end(s);
	s->state = SESSION_COMMAND;
	return TURN_AGAIN;
}

/* ---- RCPT ---- */

/* Refusals of connect, helo and mail are given here too, so that the log
 * knows who wrote to whom. */
static const struct verdict *
refusal(const struct transaction *t)
{
	if (verdict_refuses(&t->verdict))
		return &t->verdict;
	return verdict_refuses(&t->rcpt_verdict) ? &t->rcpt_verdict : NULL;
}

/* What the rule that refuses looked at, as far as its stage tells. */
static enum shape_about
about(const struct session *s)
{
	if (verdict_refuses(&s->base->verdict))
		return SHAPE_CLIENT;
	return verdict_refuses(&s->t->verdict) ? SHAPE_SENDER : SHAPE_RCPT;
}

void
mail_refuse_rcpt(struct session *s, const struct reply *r)
{
	s->t->rcpt->code = r->code;
	if (r->code != 452) /* for now, and by no rule */
		count_refused(&s->smtp->count, REFUSED_BY_RULES);
	shape_refused(s, s->t->rcpt, about(s), r);
	session_refuse(s, s->t, r);
}

static void
take_rcpt(struct session *s, struct rcpt *r)
{
	r->code = 250;
	r->accepted = true;
	s->t->envelope.n_accepted++;
	session_say(s, 250, "2.1.5", "Ok");
}

void
mail_deny_rcpt(struct session *s, struct rcpt *r)
{
	static const struct reply denied = { .code = 554, .status = "5.7.1",
		.text = PN_STR("Relay access denied") };

	r->code = 554;
	count_refused(&s->smtp->count, REFUSED_BY_RELAYING);
	shape_refused(s, r, SHAPE_AS_IS, &denied);
	session_reply(s, &denied);
}

static void
relay_rcpt(struct session *s, struct rcpt *r)
{
	if (upstream_at(s->up) != UPSTREAM_READY) {
		r->code = 451;
		session_say(s, 451, "4.4.2",
		    "The connection to the next hop was lost");
	} else if (upstream_rcpt(s->up, r)) {
		await(s, ANSWER_RCPT, r);
	} else {
		r->code = 451;
		session_say(s, 451, "4.3.0",
		    "The next hop no longer takes one of these options");
	}
}

void
mail_pass_rcpt(struct session *s, struct rcpt *r)
{
	static const struct reply one_by_one = { .code = 452, .status = "4.5.3",
		.text = PN_STR("One recipient a mail here, send the next again") };

	if (s->hop->conf->delivers && !deliver_takes(s, r))
		mail_deny_rcpt(s, r);
	else if (lmtp_is_full(s))
		mail_refuse_rcpt(s, &one_by_one);
	else if (s->hop->conf->maildir != NULL)
		take_rcpt(s, r);
	else
		relay_rcpt(s, r);
}

enum turn
session_rcpt(struct session *s)
{
	const struct verdict *no;

	if (!stage_done(s, s->t, STAGE_RCPT))
		return session_wait_elsewhere(s);
	s->stage = STAGE_MESSAGE;
	s->state = SESSION_COMMAND;
	no = refusal(s->t);
	if (no != NULL)
		mail_refuse_rcpt(s, &no->reply);
	else if (route_is_open(s))
		s->state = SESSION_ROUTE;
	else
		mail_pass_rcpt(s, s->t->rcpt);
	return TURN_AGAIN;
}
