/*
 * milter_talk - see milter_talk.h. One step at a time: open the link, tell the
 * callback at hand (its macros in front), hear its answer (milter_hear.c), go
 * on with the next, until the stage is told. Silent callbacks (the milter said
 * that it will not answer them) go out together with what comes behind.
 */
#include "engine/milter_talk_inside.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/must.h"

static const struct {
	enum milter_command command;
	uint32_t no, mute; /* what a milter says of it in the negotiation */
	unsigned since;    /* version */
	int list;          /* enum milter_list, or -1: no macros */
} callbacks[] = {
	[AT_CONNECT] = { MILTER_CONNECT, MILTER_NO_CONNECT,
	    MILTER_MUTE_CONNECT, 2, MILTER_LIST_CONNECT },
	[AT_HELO] = { MILTER_HELO, MILTER_NO_HELO, MILTER_MUTE_HELO, 2,
	    MILTER_LIST_HELO },
	[AT_MAIL] = { MILTER_MAIL, MILTER_NO_MAIL, MILTER_MUTE_MAIL, 2,
	    MILTER_LIST_MAIL },
	[AT_RCPT] = { MILTER_RCPT, MILTER_NO_RCPT, MILTER_MUTE_RCPT, 2,
	    MILTER_LIST_RCPT },
	[AT_DATA] = { MILTER_DATA, MILTER_NO_DATA, MILTER_MUTE_DATA, 4,
	    MILTER_LIST_DATA },
	[AT_HEADER] = { MILTER_HEADER, MILTER_NO_HEADERS, MILTER_MUTE_HEADER,
	    2, -1 },
	[AT_END_OF_HEADER] = { MILTER_END_OF_HEADER, MILTER_NO_END_OF_HEADER,
	    MILTER_MUTE_END_OF_HEADER, 2, MILTER_LIST_END_OF_HEADER },
	[AT_BODY] = { MILTER_BODY, MILTER_NO_BODY, MILTER_MUTE_BODY, 2, -1 },
	[AT_END_OF_BODY] = { MILTER_END_OF_BODY, 0, 0, 2,
	    MILTER_LIST_END_OF_BODY },
};

/* ---- ends ---- */

void
milter_talk_fail(struct milter_talk *k, const char *why)
{
	struct milter_mail *m = &k->mail;

	m->failed = true;
	(void)snprintf(m->why, sizeof(m->why), "%s, at %s", why,
	    k->at < AT_NOTHING
		? milter_command_name((char)callbacks[k->at].command)
		: "the end");
	milter_link_close(k->link, false);
	k->link = NULL;
	k->told_connect = k->told_helo = false;
}

/* ---- what is told ---- */

static struct buf *
out(struct milter_talk *k)
{
	return milter_link_out(k->link);
}

static const char *
put_macros(struct milter_talk *k)
{
	const struct milter_options *o = milter_link_options(k->link);
	int list = callbacks[k->at].list;
	struct pn_str words[2 * MILTER_MACROS_MAX];
	size_t n;

	if (list < 0 || o->version < callbacks[k->at].since)
		return NULL;
	n = milter_macros(k->t, k->hostname, (enum milter_list)list,
	    k->block->macros[list], o->macros[list], words);
	return milter_tell_macros(out(k), callbacks[k->at].command, words, n);
}

/* NULL, or why it cannot be told. */
static const char *
put(struct milter_talk *k)
{
	const struct transaction *t = k->t;
	enum milter_command command = callbacks[k->at].command;

	switch (k->at) {
	case AT_CONNECT:
		return milter_tell_connect(out(k), t);
	case AT_HELO:
		return milter_tell_strings(out(k), command, &t->client.helo, 1);
	case AT_MAIL:
		return milter_tell_path(out(k), command, t->arena,
		    t->envelope.path, t->envelope.params);
	case AT_RCPT:
		return milter_tell_path(out(k), command, t->arena,
		    t->rcpt->path, t->rcpt->params);
	case AT_HEADER:
		return milter_tell_field(out(k), k->message, &k->field,
		    k->leading_space);
	case AT_BODY:
		return milter_tell_body(out(k), k->message, &k->body);
	default:
		milter_put(out(k), command, PN_STR_V(""));
		return NULL;
	}
}

/* ---- which is next ---- */

static bool
has_flag(const struct milter_talk *k, uint32_t flag)
{
	return (milter_link_options(k->link)->protocol & flag) != 0;
}

/* Does this milter hear of the callback at hand? */
static bool
is_wanted(const struct milter_talk *k)
{
	return !has_flag(k, callbacks[k->at].no) &&
	    milter_link_options(k->link)->version >= callbacks[k->at].since &&
	    (k->skipped & 1u << k->at) == 0;
}

/* Behind the empty line that ends the header, or where it ends without. */
static size_t
body_start(const struct milter_talk *k)
{
	size_t at = k->field.start;
	size_t end = field_line_end(k->message, at);

	return end - at == 2 && field_byte(k->message, at) == '\r' ? end : at;
}

static enum callback
first_of_message(const struct milter_talk *k)
{
	return k->stage == STAGE_RCPT ? AT_RCPT
	    : k->stage == STAGE_MESSAGE ? AT_DATA
					: AT_NOTHING;
}

/* The first one that is due at this stage. */
static enum callback
first(const struct milter_talk *k)
{
	if (!k->told_connect)
		return AT_CONNECT;
	if (!k->told_helo && k->stage >= STAGE_HELO)
		return AT_HELO;
	if (!k->told_mail && k->stage >= STAGE_MAIL)
		return AT_MAIL;
	return first_of_message(k);
}

enum callback
milter_talk_next(struct milter_talk *k)
{
	switch (k->at) {
	case AT_CONNECT:
		k->told_connect = true;
		return first(k);
	case AT_HELO:
		k->told_helo = true;
		return first(k);
	case AT_MAIL:
		k->told_mail = true;
		return first(k);
	case AT_RCPT:
		k->told_rcpt = true;
		return AT_NOTHING;
	case AT_DATA:
		k->field = (struct field){ .start = 0 };
		return field_read(k->message, &k->field) ? AT_HEADER
							 : AT_END_OF_HEADER;
	case AT_HEADER:
		k->field.start = k->field.end;
		return field_read(k->message, &k->field) ? AT_HEADER
							 : AT_END_OF_HEADER;
	case AT_END_OF_HEADER:
		k->body = body_start(k);
		/* FALLTHROUGH */
	case AT_BODY:
		/* The end goes alone, as from Postfix: libmilter hands a piece
		 * in it to the callback of the body, and one that is not to be
		 * answered takes the answer to the end with it. */
		return spool_size(k->message) > k->body &&
			!has_flag(k, MILTER_NO_BODY) &&
			(k->skipped & 1u << AT_BODY) == 0
		    ? AT_BODY
		    : AT_END_OF_BODY;
	case AT_END_OF_BODY:
		k->told_mail = false; /* libmilter has forgotten it, too */
		return AT_NOTHING;
	default:
		return AT_NOTHING;
	}
}

/* ---- steps ---- */

static uint64_t
patience(const struct milter_talk *k)
{
	return k->at >= AT_HEADER ? k->block->content_timeout_ms
				  : k->block->command_timeout_ms;
}

static void
on_link(void *arg)
{
	struct milter_talk *k = arg;

	MUST_BE(k, TALK);
	if (k->running) /* else what it has to say is heard with the next stage */
		k->wake(k->arg);
}

/* True: the link is there. */
static bool
has_link(struct milter_talk *k)
{
	if (k->link == NULL) {
		k->link = milter_link_open(k->links, k->block, on_link, k);
		k->told_connect = k->told_helo = false;
		k->at = AT_CONNECT;
		k->awaited = false;
	}
	return milter_link_state(k->link) == MILTER_LINK_READY;
}

/*
 * It failed. One that had been another session's may just have been closed
 * meanwhile, and one may have gone between two mails: once more, from the
 * start, if nothing is lost by that.
 */
static void
lost(struct milter_talk *k)
{
	char why[128];

	(void)snprintf(why, sizeof(why), "%s", milter_link_why(k->link));
	if (!k->redialled && (k->untouched ||
	    (milter_link_is_stale(k->link) && k->at <= AT_RCPT &&
		!k->told_rcpt))) {
		k->redialled = true;
		k->told_mail = false;
		k->untouched = false;
		milter_link_close(k->link, false);
		k->link = NULL;
		return;
	}
	k->mail.timed_out = milter_link_timed_out(k->link);
	milter_talk_fail(k, why);
}

/*
 * Tell the callback at hand. False: the output has to go first. An answer that
 * lies there already is to nothing that was asked: taken for this one's, all
 * that follow would be one late, and the last, which may refuse, never heard.
 */
static bool
tell(struct milter_talk *k)
{
	bool wanted = is_wanted(k);
	const char *why;

	if (milter_link_has_more(k->link)) {
		milter_talk_fail(k, "it answers what it was not asked");
		return true;
	}
	if (milter_link_is_full(k->link))
		return false;
	k->leading_space = has_flag(k, MILTER_LEADING_SPACE);
	why = put_macros(k);
	if (why == NULL && wanted)
		why = put(k);
	if (why != NULL) {
		milter_talk_fail(k, why);
		return true;
	}
	if (wanted && !has_flag(k, callbacks[k->at].mute))
		k->awaited = true;
	else
		k->at = milter_talk_next(k);
	return true;
}

/* True: go on. */
static bool
step(struct milter_talk *k)
{
	struct milter_packet p;

	if (!has_link(k)) {
		if (milter_link_state(k->link) == MILTER_LINK_OPENING)
			return false;
		lost(k);
		return true;
	}
	if (!k->awaited)
		return tell(k);
	if (milter_link_take(k->link, &p)) {
		milter_talk_hear(k, &p);
		return true;
	}
	if (milter_link_state(k->link) == MILTER_LINK_FAILED) {
		lost(k);
		return true;
	}
	return false;
}

static bool
is_over(const struct milter_talk *k)
{
	return k->session.action != MILTER_SAYS_CONTINUE ||
	    k->mail.word.action != MILTER_SAYS_CONTINUE || k->mail.failed;
}

static bool
is_done(const struct milter_talk *k)
{
	return is_over(k) || k->at == AT_NOTHING;
}

/* What was in the way of telling has gone at once: no wake comes for that. */
static bool
has_more_room(const struct milter_talk *k)
{
	return milter_link_state(k->link) == MILTER_LINK_READY && !k->awaited &&
	    !milter_link_is_full(k->link);
}

/* It said more of the last mail than it was asked: not this one's fault. */
static void
drop_if_ahead(struct milter_talk *k)
{
	if (k->told_mail || k->link == NULL || !milter_link_has_more(k->link))
		return;
	milter_link_close(k->link, false);
	k->link = NULL;
}

static void
begin(struct milter_talk *k, struct transaction *t, enum stage stage)
{
	if (stage == STAGE_MAIL) /* what failed before may be well again */
		milter_talk_end_mail(k);
	k->running = true;
	drop_if_ahead(k);
	k->t = t;
	k->stage = stage;
	k->awaited = false;
	k->redialled = false;
	k->untouched = !k->told_mail && k->link != NULL &&
	    milter_link_state(k->link) == MILTER_LINK_FAILED;
	k->mail.rcpt = (struct milter_word){ 0 };
	if (stage == STAGE_HELO)
		k->told_helo = false; /* said again */
	if (stage == STAGE_MESSAGE)
		k->message = transaction_message(t);
	k->at = first(k);
}

bool
milter_talk_run(struct milter_talk *k, struct transaction *t,
    enum stage stage, milter_link_wake *wake, void *arg)
{
	MUST_BE(k, TALK);
	k->wake = wake;
	k->arg = arg;
	if (!k->running)
		begin(k, t, stage);
	do {
		while (!is_done(k) && step(k))
			;
		if (k->link != NULL &&
		    milter_link_state(k->link) == MILTER_LINK_READY)
			milter_link_send(k->link,
			    is_done(k) ? 0 : patience(k));
	} while (!is_done(k) && has_more_room(k));
	k->running = !is_done(k);
	return !k->running;
}

void
milter_talk_cancel(struct milter_talk *k)
{
	MUST_BE(k, TALK);
	if (!k->running)
		return;
	milter_link_close(k->link, false);
	k->link = NULL;
	k->running = k->told_connect = k->told_helo = k->told_mail = false;
}

/* ---- the mail's end, the session's ---- */

void
milter_talk_end_mail(struct milter_talk *k)
{
	struct milter_mail *m = &k->mail;

	MUST_BE(k, TALK);
	must(!k->running);
	if (k->told_mail && k->link != NULL &&
	    milter_link_state(k->link) == MILTER_LINK_READY) {
		milter_put(out(k), MILTER_ABORT, PN_STR_V(""));
		milter_link_send(k->link, 0);
	}
	if (m->body != NULL)
		spool_free(m->body->to);
	free(m->body);
	*m = (struct milter_mail){ 0 };
	STAILQ_INIT(&m->changes);
	k->told_mail = k->told_rcpt = false;
	k->kept = 0;
	k->skipped = 0;
	k->t = NULL;
}

struct milter_talk *
milter_talk_new(struct milter_links *links, const struct milter_peer *block,
    const char *hostname)
{
	struct milter_talk *k = xcalloc(1, sizeof(*k));

	k->magic = TALK_MAGIC;
	k->links = links;
	k->block = block;
	k->hostname = hostname;
	STAILQ_INIT(&k->mail.changes);
	return k;
}

void
milter_talk_free(struct milter_talk *k)
{
	if (k == NULL)
		return;
	MUST_BE(k, TALK);
	milter_talk_end_mail(k);
	milter_link_close(k->link, true);
	free((char *)k->session.reply.text.p);
	k->magic = 0;
	free(k);
}

const struct milter_word *
milter_talk_session(const struct milter_talk *k)
{
	return &k->session;
}

const struct milter_mail *
milter_talk_mail(const struct milter_talk *k)
{
	return &k->mail;
}

bool
milter_talk_has_leading_space(const struct milter_talk *k)
{
	return k->leading_space;
}
