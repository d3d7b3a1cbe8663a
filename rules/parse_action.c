/*
 * parse_action - what a rule does: then and on unknown. Called by parse.c.
 */
#include "rules/parse.h"

#include "base/log.h"

/* Known, so that the error can say that it comes later. */
static const char *const later_actions[] = { "banner" };

static const char *const action_names[RULES_ACTIONS] = { [RULES_ACCEPT] =
							     "accept",
	[RULES_ALLOW] = "allow",
	[RULES_TAG] = "tag",
	[RULES_REJECT] = "reject",
	[RULES_TEMPFAIL] = "tempfail",
	[RULES_QUARANTINE] = "quarantine",
	[RULES_HOLD] = "hold",
	[RULES_DISCARD] = "discard",
	[RULES_REDIRECT] = "redirect",
	[RULES_HEADER] = "header",
	[RULES_SUBJECT_PREFIX] = "subject",
	[RULES_STRIP] = "strip",
	[RULES_COPY] = "copy",
	[RULES_RCPT_ADD] = "rcpt",
	[RULES_RCPT_REMOVE] = "rcpt",
	[RULES_SENDER] = "sender",
	[RULES_SCORE] = "score",
	[RULES_DELAY] = "delay",
	[RULES_NOTE] = "note" };

const char *
rules_action_name(enum rules_action action)
{
	return action_names[action];
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int
take_code(struct parser *p, const struct lex_token *t, struct action *a)
{
	char class = a->kind == RULES_REJECT ? '5' : '4';
	struct pn_str s = t->text;

	if (s.n != 3 || !is_digit(s.p[0]) || s.p[1] < '0' || s.p[1] > '5' ||
	    !is_digit(s.p[2]))
		return lex_error(
		    p->e, &t->pos, "\"%s\" is no reply code", VIS(s));
	if (s.p[0] != class)
		return lex_error(p->e, &t->pos,
		    "%s needs a %cxx code, %s is none", action_names[a->kind],
		    class, VIS(s));
	if (pn_str_eq(s, PN_STR_V("421")))
		return lex_error(
		    p->e, &t->pos, "421 closes the connection; use 450 or 451");
	a->code = (uint16_t)((s.p[0] - '0') * 100 + (s.p[1] - '0') * 10 +
			     (s.p[2] - '0'));
	return 0;
}

/* X.Y.Z of RFC 3463 2: class, subject and detail of up to three digits. */
static bool
is_status(struct pn_str s)
{
	size_t digits = 0, dots = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '.' && digits > 0) {
			digits = 0;
			dots++;
		} else if (!is_digit(s.p[i]) || ++digits > 3) {
			return false;
		}
	}
	return dots == 2 && digits > 0 && s.p[1] == '.';
}

static int
take_status(struct parser *p, const struct lex_token *t, struct action *a)
{
	if (!is_status(t->text))
		return lex_error(p->e, &t->pos,
		    "\"%s\" is no enhanced status code (like %d.7.1)",
		    VIS(t->text), a->code / 100);
	if (t->text.p[0] - '0' != a->code / 100)
		return lex_error(p->e, &t->pos,
		    "status %s does not agree with code %u", VIS(t->text),
		    a->code);
	a->status = t->text;
	return 0;
}

static void
set_text(struct action *a, const struct lex_token *t)
{
	a->text = (struct text){ .raw = t->text, .pos = t->pos };
}

/* [CODE [X.Y.Z]] "text" */
static int
parse_reply(struct parser *p, struct action *a)
{
	bool reject = a->kind == RULES_REJECT;
	struct lex_token t;

	a->code = reject ? 550 : 451;
	a->status = reject ? PN_STR_V("5.7.1") : PN_STR_V("4.7.1");
	if (lex_peek(p->l, &t, p->e) < 0)
		return -1;
	if (t.kind == LEX_WORD) {
		(void)lex_next(p->l, &t, p->e); /* peeked */
		if (take_code(p, &t, a) < 0 || lex_peek(p->l, &t, p->e) < 0)
			return -1;
		if (t.kind == LEX_WORD) {
			(void)lex_next(p->l, &t, p->e); /* peeked */
			if (take_status(p, &t, a) < 0 ||
			    lex_peek(p->l, &t, p->e) < 0)
				return -1;
		}
	}
	if (t.kind != LEX_STRING && !reject) {
		a->text =
		    (struct text){ .raw = PN_STR("please try again later"),
			    .pos = a->pos };
		return 0;
	}
	if (parse_string(p, "the text of the reply", &t) < 0)
		return -1;
	set_text(a, &t);
	return 0;
}

static int
parse_text_of(struct parser *p, const char *what, struct action *a)
{
	struct lex_token t;

	if (parse_string(p, what, &t) < 0)
		return -1;
	set_text(a, &t);
	return 0;
}

/* quarantine [class NAME] [copy] */
static int
parse_quarantine(struct parser *p, struct action *a)
{
	struct word name;
	int is;

	is = lex_accept(p->l, "class", p->e);
	if (is < 0)
		return -1;
	if (is) {
		if (parse_name(p, "a class of the quarantine", &name) < 0)
			return -1;
		a->name = name.text;
	}
	is = lex_accept(p->l, "copy", p->e);
	a->copy = is > 0;
	return is < 0 ? -1 : 0;
}

/* hold ["reason"] */
static int
parse_hold(struct parser *p, struct action *a)
{
	struct lex_token t;

	if (lex_peek(p->l, &t, p->e) < 0)
		return -1;
	a->has_text = t.kind == LEX_STRING;
	if (!a->has_text && !lex_is(&t, ",") && !lex_is(&t, ";"))
		return t.pos.line > a->pos.line
			   ? lex_expect(p->l, ";", p->e)
			   : parse_unexpected(p->e, &t,
				 "a reason in quotes, \",\" or \";\"", NULL, 0);
	return a->has_text ? parse_text_of(p, "the reason", a) : 0;
}

/* RFC 5322 2.2: printable ASCII but the colon. */
static bool
is_field_name(struct pn_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 33 || s.p[i] > 126 || s.p[i] == ':')
			return false;
	return s.n > 0 && s.n <= 76;
}

static const char *const header_edits[] = { [RULES_HEADER_ADD] = "add",
	[RULES_HEADER_SET] = "set",
	[RULES_HEADER_REMOVE] = "remove",
	[RULES_HEADER_INSERT] = "insert" };

const char *
rules_edit_name(enum rules_header_edit edit)
{
	return header_edits[edit];
}

/* header add|set|insert NAME "value"; header remove NAME */
static int
parse_header(struct parser *p, struct action *a)
{
	struct lex_token t;
	struct word name;
	size_t edit = 0;

	if (lex_next(p->l, &t, p->e) < 0)
		return -1;
	while (edit < PN_COUNT(header_edits) && !lex_is(&t, header_edits[edit]))
		edit++;
	if (edit == PN_COUNT(header_edits))
		return parse_unexpected(p->e, &t, "add, set, remove or insert",
		    header_edits, PN_COUNT(header_edits));
	if (parse_text(p, "the header's name", &name) < 0)
		return -1;
	if (!is_field_name(name.text))
		return lex_error(p->e, &name.pos,
		    "\"%s\" cannot be a header's name", VIS(name.text));
	a->edit = (enum rules_header_edit)edit;
	a->name = name.text;
	return edit == RULES_HEADER_REMOVE
		   ? 0
		   : parse_text_of(p, "the header's value in quotes", a);
}

static int
parse_address(struct parser *p, struct action *a)
{
	struct word w;

	if (parse_text(p, "an address", &w) < 0)
		return -1;
	if (!address_is_valid(w.text, false) || w.text.n > 254)
		return lex_error(p->e, &w.pos, "\"%s\" is no address%s",
		    VIS(w.text),
		    pn_str_starts(w.text, PN_STR_V("<"))
			? ": it stands without < and >"
			: "");
	a->address = w.text;
	return 0;
}

/* rcpt add|remove ADDRESS */
static int
parse_rcpt(struct parser *p, struct action *a)
{
	static const char *const words[] = { "add", "remove" };
	struct lex_token t;

	if (lex_next(p->l, &t, p->e) < 0)
		return -1;
	if (!lex_is(&t, "add") && !lex_is(&t, "remove"))
		return parse_unexpected(
		    p->e, &t, "\"add\" or \"remove\"", words, PN_COUNT(words));
	a->kind = lex_is(&t, "add") ? RULES_RCPT_ADD : RULES_RCPT_REMOVE;
	return parse_address(p, a);
}

/* sender set ADDRESS|<> */
static int
parse_sender(struct parser *p, struct action *a)
{
	struct lex_token t;
	int null;

	if (lex_expect(p->l, "set", p->e) < 0 ||
	    (null = lex_accept(p->l, "<", p->e)) < 0 ||
	    lex_peek(p->l, &t, p->e) < 0)
		return -1;
	if (null && !lex_is(&t, ">"))
		return lex_error(p->e, &t.pos,
		    "an address stands without < and >; <> is nobody");
	if (!null && t.kind == LEX_STRING && t.text.n == 0)
		return lex_error(p->e, &t.pos, "nobody is written <>");
	return null ? lex_next(p->l, &t, p->e) : parse_address(p, a);
}

/* score +N ["why"] [in GROUP] */
static int
parse_score(struct parser *p, struct action *a)
{
	struct lex_token t;
	int in;

	if (parse_integer(p, "a score", true, &a->score) < 0 ||
	    lex_peek(p->l, &t, p->e) < 0)
		return -1;
	a->has_text = t.kind == LEX_STRING;
	if (a->has_text && parse_text_of(p, "why", a) < 0)
		return -1;
	in = lex_accept(p->l, "in", p->e);
	if (in <= 0)
		return in;
	return parse_name(p, "the name of a group", &a->group);
}

/* strip part [with note "..."] */
static int
parse_strip(struct parser *p, struct action *a)
{
	int with;

	if (lex_expect(p->l, "part", p->e) < 0)
		return -1;
	with = lex_accept(p->l, "with", p->e);
	if (with <= 0)
		return with;
	a->has_text = true;
	return lex_expect(p->l, "note", p->e) < 0
		   ? -1
		   : parse_text_of(p, "the note in quotes", a);
}

#define DELAY_MAX 60000

static int
parse_delay(struct parser *p, struct action *a)
{
	unsigned long long ms;
	struct word w;

	if (parse_text(p, "a time", &w) < 0)
		return -1;
	if (w.quoted || lex_duration(w.text, &ms) < 0)
		return lex_error(
		    p->e, &w.pos, "\"%s\" is no time (like 5s)", VIS(w.text));
	if (ms > DELAY_MAX || ms == 0)
		return lex_error(p->e, &w.pos,
		    "a delay is more than nothing and at most 60s");
	a->delay_ms = ms;
	return 0;
}

static int
parse_prefix(struct parser *p, struct action *a)
{
	return lex_expect(p->l, "prefix", p->e) < 0
		   ? -1
		   : parse_text_of(p, "the prefix in quotes", a);
}

static int
parse_note(struct parser *p, struct action *a)
{
	return parse_text_of(p, "the note in quotes", a);
}

/* What stands behind an action's word; NULL: nothing. */
static int (*const parse_rest[RULES_ACTIONS])(
    struct parser *, struct action *) = { [RULES_REJECT] = parse_reply,
	[RULES_TEMPFAIL] = parse_reply,
	[RULES_QUARANTINE] = parse_quarantine,
	[RULES_HOLD] = parse_hold,
	[RULES_REDIRECT] = parse_address,
	[RULES_HEADER] = parse_header,
	[RULES_SUBJECT_PREFIX] = parse_prefix,
	[RULES_STRIP] = parse_strip,
	[RULES_COPY] = parse_address,
	[RULES_RCPT_ADD] = parse_rcpt,
	[RULES_SENDER] = parse_sender,
	[RULES_SCORE] = parse_score,
	[RULES_DELAY] = parse_delay,
	[RULES_NOTE] = parse_note };

static int
parse_action(struct parser *p, struct action **out)
{
	struct action *a = *out = rules_alloc(p->b, sizeof(*a));
	struct lex_token t;
	size_t kind = 0;

	if (lex_next(p->l, &t, p->e) < 0)
		return -1;
	if (t.kind == LEX_WORD && AMONG(t.text, later_actions))
		return parse_not_yet(p->e, &t);
	while (kind < RULES_ACTIONS && !lex_is(&t, action_names[kind]))
		kind++;
	if (kind == RULES_ACTIONS)
		return parse_unexpected(
		    p->e, &t, "an action", action_names, kind);
	a->kind = (enum rules_action)kind;
	a->pos = t.pos;
	return parse_rest[kind] != NULL ? parse_rest[kind](p, a) : 0;
}

/* ---- what may stand beside what ---- */

static bool
is_verdict(const struct action *a)
{
	return a->kind <= RULES_REDIRECT && !a->copy;
}

/* Does it change the message, its recipients, or make a copy? */
static bool
is_edit(const struct action *a)
{
	return !is_verdict(a) && a->kind != RULES_SCORE &&
	       a->kind != RULES_DELAY && a->kind != RULES_NOTE;
}

static bool
is_passed_on(const struct action *verdict)
{
	return verdict->kind != RULES_REJECT &&
	       verdict->kind != RULES_TEMPFAIL &&
	       verdict->kind != RULES_DISCARD;
}

/* Of a kind that a rule has one of: is there one before a? */
static const struct action *
same_before(const struct action *first, const struct action *a)
{
	for (; first != a; first = first->next)
		if ((is_verdict(first) && is_verdict(a)) ||
		    (first->kind == a->kind &&
			(a->kind == RULES_SCORE || a->kind == RULES_DELAY ||
			    a->kind == RULES_STRIP ||
			    a->kind == RULES_SENDER)))
			return first;
	return NULL;
}

static int
check_one(struct parser *p, const struct action *first, const struct action *a)
{
	const struct action *before = same_before(first, a);

	if (before == NULL)
		return 0;
	if (is_verdict(a))
		return lex_error(p->e, &a->pos,
		    "a rule has one verdict: \"%s\" cannot stand beside "
		    "\"%s\"",
		    action_names[a->kind], action_names[before->kind]);
	return lex_error(
	    p->e, &a->pos, "a rule has one \"%s\"", action_names[a->kind]);
}

/* No edit of what will not be passed on, no recipients beside a redirect. */
static int
check_beside(
    struct parser *p, const struct action *verdict, const struct action *a)
{
	if (!is_edit(a))
		return 0;
	if (!is_passed_on(verdict))
		return lex_error(p->e, &a->pos,
		    "\"%s\" changes nothing beside \"%s\": the message is not "
		    "passed on",
		    action_names[a->kind], action_names[verdict->kind]);
	if (verdict->kind == RULES_REDIRECT &&
	    (a->kind == RULES_RCPT_ADD || a->kind == RULES_RCPT_REMOVE))
		return lex_error(p->e, &a->pos,
		    "\"rcpt\" changes nothing beside \"redirect\", which "
		    "replaces all recipients");
	return 0;
}

static int
check_together(struct parser *p, const struct action *first)
{
	const struct action *verdict = first;

	for (const struct action *a = first; a != NULL; a = a->next)
		if (check_one(p, first, a) < 0)
			return -1;
	while (verdict != NULL && !is_verdict(verdict))
		verdict = verdict->next;
	for (const struct action *a = first; verdict && a; a = a->next)
		if (check_beside(p, verdict, a) < 0)
			return -1;
	return 0;
}

int
parse_then(struct parser *p, struct action **last)
{
	struct action *first;
	int more;

	if (parse_action(p, last) < 0)
		return -1;
	first = *last;
	while ((more = lex_accept(p->l, ",", p->e)) > 0) {
		last = &(*last)->next;
		if (parse_action(p, last) < 0)
			return -1;
	}
	return more < 0 ? -1 : check_together(p, first);
}

int
parse_on_unknown(struct parser *p, struct action **out)
{
	if (lex_expect(p->l, "unknown", p->e) < 0 || parse_action(p, out) < 0)
		return -1;
	if (!is_verdict(*out) || (*out)->kind == RULES_ALLOW)
		return lex_error(p->e, &(*out)->pos,
		    "\"%s%s\" is no verdict: accept, tag, reject, tempfail, "
		    "quarantine, hold, discard or redirect may stand here",
		    action_names[(*out)->kind], (*out)->copy ? " copy" : "");
	return 0;
}
