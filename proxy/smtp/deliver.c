/*
 * deliver - copies of our own, by the keeper: the maildir next hop, and
 * quarantine. The client hears 250 only after the keeper's word that its copy
 * is fsynced. State KEEPER of session. RFC 5321 4.4 (Received).
 */
#include <stdio.h>
#include <time.h>

#include "base/fault.h"
#include "base/log.h"
#include "smtp/session.h"

/* Only for domains we are the mail host of; <postmaster> is always ours. */
bool
deliver_takes(const struct session *s, const struct rcpt *r)
{
	const struct smtp_conf *c = s->smtp->conf;

	if (r->domain.n == 0)
		return true;
	for (size_t i = 0; i < c->n_relay_domains; i++)
		if (pn_str_caseeq(r->domain, pn_str_of(c->relay_domains[i])))
			return true;
	return false;
}

static const char *
date_now(char out[64])
{
	time_t now = time(NULL);
	struct tm tm;

	(void)gmtime_r(&now, &tm);
	(void)strftime(out, 64, "%a, %d %b %Y %H:%M:%S +0000", &tm);
	return out;
}

static const char *
protocol(const struct session *s)
{
	if (s->utf8)
		return "UTF8SMTP"; /* RFC 6531 4.3 */
	return pn_str_caseeq(s->t->client.helo_verb, PN_STR_V("HELO")) ? "SMTP"
								       : "ESMTP";
}

/* The field's value; the recipient is told only if there is one (RFC 5321
 * 7.2: others must not learn of a Bcc). */
static struct pn_str
received_value(const struct session *s)
{
	const struct client *c = &s->t->client;
	const struct rcpt *r = TAILQ_FIRST(&s->t->envelope.rcpts);
	char date[64], to[600] = "";
	bool six = c->ip.n > 0 && memchr(c->ip.p, ':', c->ip.n) != NULL;

	while (r != NULL && !r->accepted)
		r = TAILQ_NEXT(r, next);
	if (s->t->envelope.n_accepted == 1 && r != NULL && r->path.n < 512)
		(void)snprintf(to, sizeof(to), " for <%.*s>",
		    PN_STR_ARG(r->path));
	return pn_str_of(arena_printf(s->t->arena,
	    "from %.*s (%.*s [%s%.*s]) by %s (postern) with %s id %s%s; %s",
	    PN_STR_ARG(c->helo),
	    c->name.n ? (int)c->name.n : 7, c->name.n ? c->name.p : "unknown",
	    six ? "IPv6:" : "", PN_STR_ARG(c->ip), s->smtp->conf->hostname,
	    protocol(s), s->t->id, to, date_now(date)));
}

/* A maildir is named by its path; what is held, by where it would have gone. */
static struct keep_job
job_of(const struct session *s, enum keep_type type)
{
	const struct transaction *t = s->t;
	const struct smtp_upstream *next = s->hop->conf;

	return (struct keep_job){
		.id = pn_str_of(t->id),
		.class_name = t->verdict.class_name,
		.target = pn_str_of(
		    type == KEEP_MAILDIR ? next->maildir : next->name),
		.rule = t->verdict.rule,
		.trace = buf_str(&t->trace),
		.subject = t->subject,
		.size = spool_size(t->spool),
		.client = t->client,
		.envelope = t->envelope,
	};
}

static void
keeper_spoke(void *arg, bool ok, struct pn_str text)
{
	struct session *s = arg;

	s->ticket = NULL;
	s->kept = ok;
	s->keep_failed = !ok;
	if (!ok)
		log_error(s->t->id, "keep", "why=\"%s\"", VIS(text));
	session_advance(s);
}

static void
submit(struct session *s, enum keep_type type,
    const struct edit_ranges *ranges)
{
	struct keep_job job = job_of(s, type);
	struct error e = { "no keeper" };

	s->kept = s->keep_failed = false;
	s->state = SESSION_KEEPER;
	s->ticket = s->smtp->keep == NULL
	    ? NULL
	    : keep_submit(s->smtp->keep, type, &job, s->t->spool, ranges,
		  keeper_spoke, s, &e);
	if (s->ticket == NULL) {
		log_error(s->t->id, "keep", "why=\"%s\"", e.text);
		s->keep_failed = true;
	}
	FAULT("relaying");
}

void
deliver_start(struct session *s)
{
	struct pn_str value = received_value(s);
	struct error e = { "out of memory for this mail" };

	if (value.p != NULL &&
	    edits_add(&s->t->edits, s->t->arena, EDIT_HEADER_INSERT,
		PN_STR_V("Received"), value) == 0 &&
	    edits_resolve(&s->t->edits, s->t->spool, s->t->arena, &s->ranges,
		&e) == 0) {
		submit(s, KEEP_MAILDIR, &s->ranges);
		return;
	}
	log_error(s->t->id, "edits", "why=\"%s\"", e.text);
	session_say(s, 452, "4.3.1", "Insufficient system storage");
	mail_done(s, 452);
	s->state = SESSION_COMMAND;
}

void
hold_start(struct session *s)
{
	upstream_rset(s->up);
	submit(s, KEEP_QUARANTINE, NULL);
}

enum turn
session_keeper(struct session *s)
{
	uint16_t code = s->kept ? 250 : 451;

	if (!s->kept && !s->keep_failed)
		return session_wait_elsewhere(s);
	FAULT("relayed");
	if (!s->kept)
		session_say(s, 451, "4.3.0", "Error: queue file write error");
	else if (s->t->verdict.action == VERDICT_QUARANTINE)
		session_say(s, 250, "2.0.0", "Ok: held as %s", s->t->id);
	else
		session_say(s, 250, "2.0.0", "Ok: delivered as %s", s->t->id);
	mail_done(s, code);
	s->state = SESSION_COMMAND;
	return TURN_AGAIN;
}
