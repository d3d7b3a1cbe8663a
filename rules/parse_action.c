/*
 * parse_action - what a rule does: then and on unknown. Called by parse.c.
 */
#include "rules/parse.h"

#include "base/log.h"

static const char *const later_actions[] = { "score", "banner", "strip", "rcpt",
	"redirect", "copy", "delay", "note" };

static const char *const action_names[] = { [RULES_ACCEPT] = "accept",
	[RULES_ALLOW] = "allow",
	[RULES_TAG] = "tag",
	[RULES_REJECT] = "reject",
	[RULES_TEMPFAIL] = "tempfail",
	[RULES_QUARANTINE] = "quarantine",
	[RULES_DISCARD] = "discard",
	[RULES_REDIRECT] = "redirect",
	[RULES_HEADER] = "header",
	[RULES_SUBJECT_PREFIX] = "subject",
	[RULES_STRIP] = "strip",
	[RULES_COPY] = "copy",
	[RULES_RCPT_ADD] = "rcpt",
	[RULES_RCPT_REMOVE] = "rcpt",
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
parse_quarantine(struct parser *p, struct action *a)
{
	struct lex_token t;
	struct word name;
	int class;

	if (lex_peek(p->l, &t, p->e) < 0)
		return -1;
	if (lex_is(&t, "copy"))
		return parse_not_yet(p->e, &t);
	class = lex_accept(p->l, "class", p->e);
	if (class <= 0)
		return class;
	if (parse_name(p, "a class of the quarantine", &name) < 0)
		return -1;
	a->name = name.text;
	return 0;
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

static int
parse_header(struct parser *p, struct action *a)
{
	struct lex_token t;
	struct word name;

	if (lex_next(p->l, &t, p->e) < 0)
		return -1;
	if (lex_is(&t, "set") || lex_is(&t, "remove"))
		return parse_not_yet(p->e, &t);
	if (!lex_is(&t, "add"))
		return parse_unexpected(p->e, &t, "\"add\"", NULL, 0);
	if (parse_text(p, "the header's name", &name) < 0)
		return -1;
	if (!is_field_name(name.text))
		return lex_error(p->e, &name.pos,
		    "\"%s\" cannot be a header's name", VIS(name.text));
	a->name = name.text;
	if (parse_string(p, "the header's value in quotes", &t) < 0)
		return -1;
	set_text(a, &t);
	return 0;
}

static int
parse_prefix(struct parser *p, struct action *a)
{
	struct lex_token t;

	if (lex_expect(p->l, "prefix", p->e) < 0 ||
	    parse_string(p, "the prefix in quotes", &t) < 0)
		return -1;
	set_text(a, &t);
	return 0;
}

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
	while (kind < PN_COUNT(action_names) && !lex_is(&t, action_names[kind]))
		kind++;
	if (kind == PN_COUNT(action_names))
		return parse_unexpected(
		    p->e, &t, "an action", action_names, kind);
	a->kind = (enum rules_action)kind;
	a->pos = t.pos;
	switch (a->kind) {
	case RULES_REJECT:
	case RULES_TEMPFAIL:
		return parse_reply(p, a);
	case RULES_QUARANTINE:
		return parse_quarantine(p, a);
	case RULES_HEADER:
		return parse_header(p, a);
	case RULES_SUBJECT_PREFIX:
		return parse_prefix(p, a);
	default:
		return 0;
	}
}

static bool
is_edit(enum rules_action kind)
{
	return kind == RULES_HEADER || kind == RULES_SUBJECT_PREFIX;
}

/* One verdict a rule, and no edit of what will not be passed on. */
static int
check_together(struct parser *p, const struct action *first)
{
	const struct action *verdict = NULL, *edit = NULL;

	for (const struct action *a = first; a != NULL; a = a->next) {
		if (is_edit(a->kind)) {
			edit = edit != NULL ? edit : a;
			continue;
		}
		if (verdict != NULL)
			return lex_error(p->e, &a->pos,
			    "a rule has one verdict: \"%s\" cannot stand "
			    "beside \"%s\"",
			    action_names[a->kind], action_names[verdict->kind]);
		verdict = a;
	}
	if (verdict == NULL || edit == NULL ||
	    (verdict->kind != RULES_REJECT && verdict->kind != RULES_TEMPFAIL &&
		verdict->kind != RULES_DISCARD))
		return 0;
	return lex_error(p->e, &edit->pos,
	    "\"%s\" changes nothing beside \"%s\": the message is not passed "
	    "on",
	    action_names[edit->kind], action_names[verdict->kind]);
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
	if (is_edit((*out)->kind) || (*out)->kind == RULES_ALLOW)
		return lex_error(p->e, &(*out)->pos,
		    "\"%s\" is no verdict: accept, tag, reject, tempfail, "
		    "quarantine or discard may stand here",
		    action_names[(*out)->kind]);
	return 0;
}
