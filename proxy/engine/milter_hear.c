/*
 * milter_hear - what a milter's answer comes to: a word about the session, the
 * mail or the recipient, which may end what is told; or a change, kept until
 * the mail's end.
 *
 * What an answer ends, as in Postfix: at connect and helo the session, at rcpt
 * the recipient, anywhere else the mail. Called by milter_talk.c for each
 * packet that it awaits; changes lie in the mail's arena, but for a new body.
 */
#include "engine/milter_talk_inside.h"

#include <stdio.h>

#include "base/mem.h"

#define BODY_MAX (1u << 30) /* of a new body: as message_size_limit */
#define CHANGES_MAX (2u << 20) /* bytes of all others, as they are kept */

/* ---- answers ---- */

static bool
is_of_session(const struct milter_talk *k)
{
	return k->at == AT_CONNECT || k->at == AT_HELO;
}

/* What the answer at hand is about. */
static struct milter_word *
word_of(struct milter_talk *k, enum milter_action action)
{
	if (is_of_session(k))
		return &k->session;
	if (k->at == AT_RCPT &&
	    (action == MILTER_SAYS_REJECT || action == MILTER_SAYS_TEMPFAIL))
		return &k->mail.rcpt;
	return &k->mail.word;
}

/* About the session: its text must outlive the mail. */
static void
keep_reply(struct milter_talk *k)
{
	struct pn_str *text = &k->session.reply.text;

	*text = (struct pn_str){ xstrndup(*text), text->n };
}

static void
decide(struct milter_talk *k, struct milter_word *w,
    enum milter_action action, const struct reply *r)
{
	static const struct reply none = { 0 };

	w->action = action;
	w->reply = r != NULL ? *r : none;
	if (w == &k->session)
		keep_reply(k);
	k->at = w == &k->mail.rcpt ? AT_NOTHING : milter_talk_next(k);
	if (action != MILTER_SAYS_CONTINUE)
		k->at = AT_NOTHING;
}

static void
refuse(struct milter_talk *k, bool for_good)
{
	static const struct reply rejected = { .code = 550, .status = "5.7.1",
		.text = PN_STR("Command rejected") };
	static const struct reply later = { .code = 451, .status = "4.7.1",
		.text = PN_STR("Service unavailable - try again later") };
	enum milter_action a = for_good ? MILTER_SAYS_REJECT
					: MILTER_SAYS_TEMPFAIL;

	decide(k, word_of(k, a), a, for_good ? &rejected : &later);
}

/* The milter wants this client's connection closed. */
static void
shut_down(struct milter_talk *k)
{
	static const struct reply bye = { .code = 421, .status = "4.7.0",
		.text = PN_STR("Service unavailable, closing the connection") };

	decide(k, &k->session, MILTER_SAYS_TEMPFAIL, &bye);
}

static void
refuse_with(struct milter_talk *k, struct pn_str text)
{
	enum milter_action a;
	struct reply r;

	if (!milter_read_reply(text, k->t->arena, &r)) {
		milter_talk_fail(k, "the reply it wants given is none");
		return;
	}
	a = r.code / 100 == 5 ? MILTER_SAYS_REJECT : MILTER_SAYS_TEMPFAIL;
	decide(k, word_of(k, a), a, &r);
}

/* ---- changes ---- */

/* What it must have asked for in the negotiation. */
static uint32_t
may_of(enum milter_answer what)
{
	switch (what) {
	case MILTER_ADD_HEADER:
	case MILTER_INSERT_HEADER:
		return MILTER_MAY_ADD_HEADERS;
	case MILTER_CHANGE_HEADER:
		return MILTER_MAY_CHANGE_HEADERS;
	case MILTER_REPLACE_BODY:
		return MILTER_MAY_CHANGE_BODY;
	case MILTER_ADD_RCPT:
		return MILTER_MAY_ADD_RCPT;
	case MILTER_ADD_RCPT_PAR:
		return MILTER_MAY_ADD_RCPT_PAR;
	case MILTER_DELETE_RCPT:
		return MILTER_MAY_DELETE_RCPT;
	case MILTER_CHANGE_FROM:
		return MILTER_MAY_CHANGE_FROM;
	case MILTER_QUARANTINE:
		return MILTER_MAY_QUARANTINE;
	default:
		return 0;
	}
}

static bool
is_change(const struct milter_talk *k, const struct milter_said *s)
{
	uint32_t may = may_of(s->what);

	return k->at == AT_END_OF_BODY && may != 0 &&
	    (milter_link_options(k->link)->may & may) != 0;
}

static void
replace_body(struct milter_talk *k, struct pn_str piece)
{
	struct milter_mail *m = &k->mail;
	struct error e;

	if (m->body == NULL) {
		m->body = xcalloc(1, sizeof(*m->body));
		m->body->to = spool_like(k->message);
	}
	if (spool_size(m->body->to) > BODY_MAX)
		milter_talk_fail(k, "its new body has no end");
	else if (milter_lines_add(m->body, piece, &e) < 0)
		milter_talk_fail(k, e.text);
}

/* The rest of the mail's memory is for those who judge it. */
static bool
has_room(struct milter_talk *k, const struct milter_said *s)
{
	k->kept += sizeof(struct milter_change) + s->name.n + s->value.n;
	return k->kept <= CHANGES_MAX;
}

static void
hold(struct milter_talk *k, const struct milter_said *s)
{
	struct pn_str why = { 0 };

	if (has_room(k, s))
		why = arena_str(k->t->arena, s->value);
	k->mail.quarantine = true;
	k->mail.reason = why;
	if (why.p == NULL)
		milter_talk_fail(k, "it changes more than a mail has memory for");
}

static void
add_change(struct milter_talk *k, const struct milter_said *s)
{
	struct arena *a = k->t->arena;
	struct milter_change *c = has_room(k, s) ? arena_alloc(a, sizeof(*c))
						 : NULL;

	if (c != NULL) {
		c->what = s->what;
		c->index = s->index;
		c->name = arena_str(a, s->name);
		c->value = arena_str(a, s->value);
	}
	if (c == NULL || c->name.p == NULL || c->value.p == NULL)
		milter_talk_fail(k, "it changes more than a mail has memory for");
	else
		STAILQ_INSERT_TAIL(&k->mail.changes, c, next);
}

static void
change(struct milter_talk *k, const struct milter_said *s)
{
	switch (s->what) {
	case MILTER_REPLACE_BODY:
		replace_body(k, s->value);
		break;
	case MILTER_QUARANTINE:
		hold(k, s);
		break;
	case MILTER_ADD_HEADER:
	case MILTER_INSERT_HEADER:
	case MILTER_CHANGE_HEADER:
		if (!milter_is_field_name(s->name)) {
			milter_talk_fail(k, "it names a header field that cannot be");
			break;
		}
		/* FALLTHROUGH */
	default:
		add_change(k, s);
	}
}

static void
unexpected(struct milter_talk *k, char what)
{
	char why[96];

	(void)snprintf(why, sizeof(why), "its answer \"%s\" makes no sense",
	    milter_answer_name(what));
	milter_talk_fail(k, why);
}

/* What it was asked, it has answered. */
static void
take_answer(struct milter_talk *k, const struct milter_packet *p,
    const struct milter_said *s)
{
	k->awaited = false;
	switch (s->what) {
	case MILTER_SKIP:
		if (k->at == AT_END_OF_BODY) {
			unexpected(k, p->what);
			break;
		}
		k->skipped |= 1u << k->at;
		/* FALLTHROUGH */
	case MILTER_CONTINUE:
		k->at = milter_talk_next(k);
		break;
	case MILTER_ACCEPT:
		decide(k, word_of(k, MILTER_SAYS_ACCEPT), MILTER_SAYS_ACCEPT,
		    NULL);
		break;
	case MILTER_DISCARD:
		decide(k, word_of(k, MILTER_SAYS_DISCARD),
		    MILTER_SAYS_DISCARD, NULL);
		break;
	case MILTER_REJECT:
		refuse(k, true);
		break;
	case MILTER_TEMPFAIL:
		refuse(k, false);
		break;
	case MILTER_SHUTDOWN:
	case MILTER_CONN_FAIL:
		shut_down(k);
		break;
	case MILTER_REPLY_CODE:
		refuse_with(k, s->value);
		break;
	default:
		unexpected(k, p->what);
	}
}

void
milter_talk_hear(struct milter_talk *k, const struct milter_packet *p)
{
	struct milter_said s;

	if (!milter_read_answer(p, &s))
		unexpected(k, p->what);
	else if (is_change(k, &s))
		change(k, &s);
	else if (s.what != MILTER_PROGRESS)
		take_answer(k, p, &s);
}
