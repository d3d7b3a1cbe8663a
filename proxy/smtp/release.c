/*
 * release - a message that the keeper held goes on to the next hop: a small
 * state machine beside session, with an upstream of its own and the original
 * client's identity. It is not judged again. Each recipient's outcome is
 * reported to the keeper, which commits it.
 *
 *   DIAL -> ANSWERS -> GO_AHEAD -> LAST_WORD -> reported
 *   MAILDIR -> reported
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/must.h"
#include "mail/address.h"
#include "mail/domain.h"
#include "mail/transaction.h"
#include "smtp/door.h"
#include "smtp/received.h"

#define RELEASE_MAGIC 0x72656c65u

enum release_state { DIAL, ANSWERS, GO_AHEAD, LAST_WORD, MAILDIR, REPORTED };

/* To all of the message: it may be there (RFC 1047). */
static const struct pn_str no_answer = PN_STR("The next hop did not answer");

struct release {
	uint32_t magic;
	LIST_ENTRY(release) all;
	struct smtp *smtp;
	uint64_t number;      /* of the keeper's job */
	struct arena *arena;  /* everything below */
	struct keep_job job;
	struct spool *spool;
	struct edits edits;   /* none but Received for a maildir */
	struct edit_ranges ranges;
	struct upstream *up;
	struct keep_ticket *ticket;
	enum release_state state;
	struct keep_outcome outcome;
	bool lmtp;            /* spoken by the next hop */
	uint32_t asked;       /* answers taken: MAIL's, then each recipient's */
	uint32_t heard;       /* LMTP: last words taken, of the recipients */
};

static void
release_free(struct release *r)
{
	struct smtp *smtp = r->smtp;

	if (r->ticket != NULL)
		keep_cancel(r->ticket);
	upstream_free(r->up);
	spool_free(r->spool);
	arena_free(r->arena);
	LIST_REMOVE(r, all);
	r->magic = 0;
	free(r);
	door_left(smtp);
}

/* ---- outcomes ---- */

static void
set_outcome(struct release *r, uint32_t i, uint16_t code, struct pn_str text)
{
	r->outcome.rcpts[i].code = code;
	r->outcome.rcpts[i].text = arena_str(r->arena, text);
}

/* For each recipient that has not been refused before. */
static void
set_all(struct release *r, uint16_t code, struct pn_str text)
{
	for (uint32_t i = 0; i < r->outcome.n; i++)
		if (r->outcome.rcpts[i].code < 400)
			set_outcome(r, i, code, text);
	r->state = REPORTED;
}

/* From r->heard on: of whom LMTP has not spoken. */
static void
set_rest(struct release *r, uint16_t code, struct pn_str text)
{
	for (; r->heard < r->outcome.n; r->heard++)
		if (r->outcome.rcpts[r->heard].code / 100 == 2)
			set_outcome(r, r->heard, code, text);
	r->state = REPORTED;
}

static void
set_all_failed(struct release *r)
{
	const struct reply *why = upstream_failure(r->up);

	set_all(r, why->code, why->text);
}

static void
report(struct release *r)
{
	for (uint32_t i = 0; i < r->outcome.n; i++)
		log_info(r->outcome.id.p, "release", "to=\"<%s>\" code=%u",
		    VIS(r->outcome.rcpts[i].path), r->outcome.rcpts[i].code);
	keep_released(r->smtp->keep, r->number, &r->outcome);
	release_free(r);
}

static bool
make_outcome(struct release *r)
{
	struct rcpt *rcpt;
	uint32_t i = 0;

	r->outcome.id = arena_str(r->arena, r->job.id);
	r->outcome.n = r->job.envelope.n_accepted;
	r->outcome.rcpts = arena_alloc(r->arena,
	    (r->outcome.n + 1) * sizeof(*r->outcome.rcpts));
	if (r->outcome.rcpts == NULL || r->outcome.id.p == NULL)
		return false;
	TAILQ_FOREACH (rcpt, &r->job.envelope.rcpts, next)
		if (i < r->outcome.n)
			r->outcome.rcpts[i++].path = rcpt->path;
	return i == r->outcome.n;
}

/* ---- states: true means go on with the next at once ---- */

static bool
queue_envelope(struct release *r)
{
	const struct site *site = &r->smtp->conf->site;
	const struct rcpt *rcpt;

	if (!upstream_mail(r->up, &r->job.envelope, &r->job.client,
		r->outcome.id.p,
		site_has_client(site, r->job.client.ip)))
		return false;
	TAILQ_FOREACH (rcpt, &r->job.envelope.rcpts, next)
		if (!upstream_rcpt(r->up, rcpt))
			return false;
	upstream_flush(r->up);
	return true;
}

static bool
dial(struct release *r)
{
	if (upstream_at(r->up) == UPSTREAM_DIALLING)
		return false;
	if (upstream_at(r->up) != UPSTREAM_READY)
		set_all_failed(r);
	else if (!queue_envelope(r))
		set_all(r, 451,
		    PN_STR_V("The next hop no longer takes one of its options"));
	else
		r->state = ANSWERS;
	return true;
}

static unsigned
n_taken(const struct release *r)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < r->outcome.n; i++)
		n += r->outcome.rcpts[i].code / 100 == 2;
	return n;
}

static bool
answers(struct release *r)
{
	struct reply_lines said;

	while (r->asked <= r->outcome.n) {
		if (!upstream_take(r->up, &said)) {
			if (upstream_at(r->up) == UPSTREAM_READY)
				return false;
			set_all_failed(r);
			return true;
		}
		if (r->asked == 0 && said.code / 100 != 2) {
			set_all(r, said.code, reply_text(&said));
			return true;
		}
		if (r->asked > 0)
			set_outcome(r, r->asked - 1, said.code,
			    reply_text(&said));
		r->asked++;
	}
	if (n_taken(r) == 0) {
		r->state = REPORTED;
		return true;
	}
	upstream_data(r->up, r->spool, &r->ranges);
	upstream_flush(r->up);
	r->state = GO_AHEAD;
	return true;
}

static bool
go_ahead(struct release *r)
{
	struct reply_lines said;

	if (!upstream_take(r->up, &said)) {
		if (upstream_at(r->up) == UPSTREAM_READY)
			return false;
		set_all_failed(r);
	} else if (upstream_goes_ahead(r->up, said.code)) {
		upstream_body(r->up, r->spool, &r->ranges,
		    r->lmtp ? n_taken(r) : 1);
		r->state = LAST_WORD;
	} else {
		set_all(r,
		    upstream_refuses_message(r->up, said.code) ? said.code : 451,
		    reply_text(&said));
	}
	return true;
}

/* One reply a recipient that RCPT took (RFC 2033 4.2). Those of whom it does
 * not speak any more may have the message. */
static bool
last_words(struct release *r)
{
	struct reply_lines said;

	for (; r->heard < r->outcome.n; r->heard++) {
		if (r->outcome.rcpts[r->heard].code / 100 != 2)
			continue;
		if (!upstream_take(r->up, &said))
			break;
		set_outcome(r, r->heard, said.code, reply_text(&said));
		if (upstream_at(r->up) != UPSTREAM_READY) {
			/* Refused before it saw the end: for all. */
			set_rest(r, said.code, reply_text(&said));
			return true;
		}
	}
	if (r->heard < r->outcome.n && upstream_at(r->up) == UPSTREAM_READY)
		return false;
	if (upstream_body_sent(r->up))
		set_rest(r, 0, no_answer);
	else
		set_all_failed(r);
	return true;
}

static bool
last_word(struct release *r)
{
	struct reply_lines said;

	if (!upstream_take(r->up, &said)) {
		if (upstream_at(r->up) == UPSTREAM_READY)
			return false;
		if (upstream_body_sent(r->up))
			set_all(r, 0, no_answer);
		else
			set_all_failed(r);
	} else {
		set_all(r, said.code, reply_text(&said));
	}
	return true;
}

static void
advance(void *arg)
{
	struct release *r = arg;
	bool again = true;

	MUST_BE(r, RELEASE);
	while (again && r->state != REPORTED) {
		switch (r->state) {
		case DIAL:
			again = dial(r);
			break;
		case ANSWERS:
			again = answers(r);
			break;
		case GO_AHEAD:
			again = go_ahead(r);
			break;
		case LAST_WORD:
			again = r->lmtp ? last_words(r) : last_word(r);
			break;
		case MAILDIR:
		case REPORTED:
			again = false;
			break;
		}
	}
	if (r->state == REPORTED)
		report(r);
}

/* ---- the keeper asks ---- */

static void
delivered(void *arg, enum keep_result result, struct pn_str text)
{
	struct release *r = arg;

	r->ticket = NULL;
	if (result == KEPT)
		set_all(r, 250, PN_STR_V("Ok: delivered"));
	else if (result == KEPT_UNKNOWN)
		set_all(r, 0, text);
	else
		set_all(r, result == KEPT_NO_ROOM ? 452 : 451, text);
	advance(r);
}

/* Mail that ends here gets a Received field. */
static bool
mark(struct release *r, struct error *e)
{
	*e = (struct error){ .text = "out of memory for this mail" };
	return received_add(&r->edits, r->arena, r->smtp->conf->hostname,
		   &r->job.client, &r->job.envelope, r->outcome.id.p) == 0 &&
	    edits_resolve(&r->edits, r->spool, r->arena, &r->ranges, e) == 0;
}

/*
 * What is released may be the copy of a message that went on, and lies in the
 * maildir by its id: this is one mail more. Another try of this release is
 * none: a worker that died may have delivered it.
 */
static void
start_maildir(struct release *r, const struct smtp_upstream *next)
{
	struct error e;
	const char *id = arena_printf(
	    r->arena, "%.*s-r", PN_STR_ARG(r->outcome.id));

	r->job.id = pn_str_of(id);
	r->job.target = pn_str_of(next->maildir);
	r->state = MAILDIR;
	if (mark(r, &e) && id != NULL)
		r->ticket = keep_submit(r->smtp->keep,
		    KEEP_MAILDIR | KEEP_AGAIN, &r->job, r->spool, &r->ranges,
		    delivered, r, &e);
	if (r->ticket == NULL)
		set_all(r, 451, pn_str_of(e.text));
}

/* Of all its recipients: a mail that goes by MX has no others. */
static void
set_domain(struct release *r)
{
	const struct rcpt *first = TAILQ_FIRST(&r->job.envelope.rcpts);
	char domain[DOMAIN_MAX];

	if (first != NULL && domain_ascii(first->domain, domain))
		upstream_set_domain(r->up, domain);
}

static void
start_relay(struct release *r, struct hop *hop)
{
	const struct client *c = &r->job.client;
	const struct upstream_conf conf = { .loop = r->smtp->loop,
		.hop = hop,
		.hostname = r->smtp->conf->hostname,
		.hold_noop_ms = r->smtp->conf->hold_noop_ms,
		.wake = advance,
		.arg = r };
	struct error e;

	if (hop->conf->delivers && !mark(r, &e)) {
		set_all(r, 451, pn_str_of(e.text));
		return;
	}
	r->lmtp = hop->conf->lmtp;
	r->up = upstream_new(&conf);
	set_domain(r);
	upstream_dial(r->up, c, upstream_name(&conf, c), r->outcome.id.p);
	r->state = DIAL;
}

static struct hop *
find_hop(struct smtp *s, struct pn_str name)
{
	for (size_t i = 0; i < s->conf->n_upstreams; i++)
		if (pn_str_eq(pn_str_of(s->hops[i].conf->name), name))
			return &s->hops[i];
	return NULL;
}

/* The job's strings are the caller's: all of it flat into our arena. */
static bool
copy_job(struct release *r, const struct keep_job *job)
{
	struct buf flat = { 0 };
	struct pn_str mine;
	struct unpack u;

	keep_job_pack(job, &flat);
	mine = arena_str(r->arena, buf_str(&flat));
	buf_fini(&flat);
	if (mine.p == NULL)
		return false;
	u = unpack_of(mine.p, mine.n);
	return keep_job_unpack(&r->job, &u, r->arena);
}

static bool
is_binary(const struct release *r)
{
	struct params p;

	return params_check(r->job.envelope.params, PARAM_OF_MAIL, &p) ==
	    PARAMS_OK && p.binary;
}

static void
start(struct release *r)
{
	struct hop *hop = find_hop(r->smtp, r->job.target);

	if (hop == NULL)
		set_all(r, 451,
		    PN_STR_V("No upstream of that name is configured"));
	else if (hop->conf->maildir != NULL && is_binary(r))
		set_all(r, 554, PN_STR_V("A maildir's line ends would spoil it"));
	else if (hop->conf->maildir != NULL)
		start_maildir(r, hop->conf);
	else
		start_relay(r, hop);
}

static void
on_release(void *arg, const struct keep_job *job, uint64_t number, int fd,
    uint64_t size)
{
	struct smtp *smtp = arg;
	struct release *r = xcalloc(1, sizeof(*r));
	struct error e = { .text = "its envelope cannot be read" };

	r->magic = RELEASE_MAGIC;
	r->smtp = smtp;
	r->number = number;
	r->arena = arena_new(TRANSACTION_ARENA_MAX);
	STAILQ_INIT(&r->edits);
	LIST_INSERT_HEAD(&smtp->releases, r, all);
	if (!copy_job(r, job) || !make_outcome(r)) {
		/* Nobody to report on: the keeper sees no outcome and says so. */
		log_error("", "release", "job=%llu why=\"%s\"",
		    (unsigned long long)number, e.text);
		r->outcome = (struct keep_outcome){ 0 };
		r->state = REPORTED;
	} else if ((r->spool = spool_from_fd(smtp->pool, fd, size, &e)) ==
		NULL ||
	    edits_resolve(&r->edits, r->spool, r->arena, &r->ranges, &e) < 0) {
		set_all(r, 451, pn_str_of(e.text));
	} else {
		start(r);
	}
	io_close(fd);
	advance(r);
}

void
release_register(struct smtp *s)
{
	if (s->keep != NULL)
		keep_on_release(s->keep, on_release, s);
}

unsigned
release_count(const struct smtp *s)
{
	const struct release *r;
	unsigned n = 0;

	LIST_FOREACH (r, &s->releases, all)
		n++;
	return n;
}

void
release_free_all(struct smtp *s)
{
	while (!LIST_EMPTY(&s->releases))
		release_free(LIST_FIRST(&s->releases));
}
