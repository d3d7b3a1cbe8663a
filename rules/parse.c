/*
 * parse - policy text to tree: grammar alone, no names are looked up.
 *
 * Called through rules_parse_item() by proxy/config.c, item by item. The
 * caller's text is copied into the arena first, so tokens and positions stay.
 * The grammar stands in postern-rules(5).
 */
#include "rules/tree.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/suggest.h"

/* ---- words ---- */

static const char *const reserved[] = { "set", "map", "policy", "rule", "when",
	"unless", "on", "unknown", "then", "test", "file", "with", "expect",
	"and", "or", "not", "any", "all", "no", "at", "top", "depth", "in",
	"is", "contains", "fires", "silent", "accept", "allow", "tag", "reject",
	"tempfail", "quarantine", "discard", "class", "add", "prefix" };

/* The language of later versions: known, so that the error can say so. */
static const char *const later_items[] = { "people", "engine", "milter" };
static const char *const later_clauses[] = { "mode", "early", "always" };
static const char *const later_in_policy[] = { "threshold", "mixed" };
static const char *const later_actions[] = { "score", "banner", "strip", "rcpt",
	"redirect", "copy", "delay", "note" };

static const char *const ops[OPS] = { [OP_EQ] = "=",
	[OP_NE] = "!=",
	[OP_LT] = "<",
	[OP_GT] = ">",
	[OP_LE] = "<=",
	[OP_GE] = ">=",
	[OP_MATCH] = "~",
	[OP_NOMATCH] = "!~",
	[OP_CONTAINS] = "contains",
	[OP_IN] = "in",
	[OP_IS] = "is",
	[OP_IS_NOT] = "is not",
	[OP_HOLDS] = "" };

static const char *const action_names[] = { [RULES_ACCEPT] = "accept",
	[RULES_ALLOW] = "allow",
	[RULES_TAG] = "tag",
	[RULES_REJECT] = "reject",
	[RULES_TEMPFAIL] = "tempfail",
	[RULES_QUARANTINE] = "quarantine",
	[RULES_DISCARD] = "discard",
	[RULES_HEADER_ADD] = "header",
	[RULES_SUBJECT_PREFIX] = "subject" };

static bool
among(struct pn_str word, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (pn_str_eq(word, pn_str_of(list[i])))
			return true;
	return false;
}
#define AMONG(word, list) among((word), (list), PN_COUNT(list))

bool
rules_is_reserved(struct pn_str word)
{
	return AMONG(word, reserved);
}

const char *
rules_op_name(enum op op)
{
	return ops[op];
}

const char *
rules_action_name(enum rules_action action)
{
	return action_names[action];
}

bool
rules_is_item(struct pn_str word)
{
	return pn_str_eq(word, PN_STR_V("set")) ||
	       pn_str_eq(word, PN_STR_V("map")) ||
	       pn_str_eq(word, PN_STR_V("policy")) || AMONG(word, later_items);
}

static int
not_yet(struct error *e, const struct lex_token *t)
{
	return lex_error(e, &t->pos, "\"%s\" is not available in this version",
	    VIS(t->text));
}

/* `what must stand here, not "found"` with the nearest of the words. */
static int
unexpected(struct error *e, const struct lex_token *t, const char *what,
    const char *const *words, size_t n)
{
	struct suggest s = suggest_for(t->text);
	char near[96], found[160];

	for (size_t i = 0; t->kind == LEX_WORD && i < n; i++)
		suggest_try(&s, pn_str_of(words[i]));
	(void)snprintf(found, sizeof(found), "\"%.150s\"", VIS(t->text));
	return lex_error(e, &t->pos, "%s must stand here, not %s%s", what,
	    t->kind == LEX_END ? "the end of the file" : found,
	    suggest_text(&s, near, sizeof(near)));
}

/* ---- the parser's own floor ---- */

struct parser {
	struct rules_builder *b;
	struct lex *l;
	struct error *e;
	unsigned depth;
};

void *
rules_alloc(struct rules_builder *b, size_t n)
{
	void *p = arena_alloc(b->arena, n);

	if (p == NULL)
		longjmp(b->full, 1);
	return p;
}

struct pn_str
rules_copy(struct rules_builder *b, struct pn_str s)
{
	struct pn_str copy = arena_str(b->arena, s);

	if (copy.p == NULL)
		longjmp(b->full, 1);
	return copy;
}

static struct pn_str
unescaped(struct rules_builder *b, struct pn_str raw)
{
	return lex_unescape(raw, rules_alloc(b, raw.n + 1));
}

static struct word
word_of(struct rules_builder *b, const struct lex_token *t)
{
	bool quoted = t->kind == LEX_STRING;

	return (struct word){ .text = quoted ? unescaped(b, t->text) : t->text,
		.pos = t->pos,
		.quoted = quoted };
}

/* A word or a string must stand here. */
static int
take_text(struct parser *p, const char *what, struct word *out)
{
	struct lex_token t;

	if (lex_next(p->l, &t, p->e) < 0)
		return -1;
	if (t.kind != LEX_WORD && t.kind != LEX_STRING)
		return unexpected(p->e, &t, what, NULL, 0);
	*out = word_of(p->b, &t);
	return 0;
}

static int
take_string(struct parser *p, const char *what, struct lex_token *t)
{
	if (lex_next(p->l, t, p->e) < 0)
		return -1;
	if (t->kind != LEX_STRING)
		return unexpected(p->e, t, what, NULL, 0);
	return 0;
}

static bool
is_name(struct pn_str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

		if (!letter && (i == 0 || strchr("0123456789-_", c) == NULL))
			return false;
	}
	return s.n > 0 && s.n <= 63;
}

/* The name of a set, map, rule, class: not a keyword. */
static int
take_name(struct parser *p, const char *what, struct word *out)
{
	struct lex_token t;

	if (lex_next(p->l, &t, p->e) < 0)
		return -1;
	if (t.kind != LEX_WORD)
		return unexpected(p->e, &t, what, NULL, 0);
	if (rules_is_reserved(t.text))
		return lex_error(p->e, &t.pos,
		    "\"%s\" is a keyword and cannot be %s", VIS(t.text), what);
	if (!is_name(t.text))
		return lex_error(p->e, &t.pos,
		    "\"%s\" cannot be %s: a letter, then letters, digits, - "
		    "and _, 63 at most",
		    VIS(t.text), what);
	*out = word_of(p->b, &t);
	return 0;
}

static int
nest(struct parser *p, const struct lex_pos *pos)
{
	if (++p->depth <= NESTING_MAX)
		return 0;
	return lex_error(
	    p->e, pos, "nested too deeply (%d levels at most)", NESTING_MAX);
}

/* ---- expressions ---- */

static struct expr *
expr_new(struct parser *p, enum expr_kind kind, const struct lex_pos *pos)
{
	struct expr *x = rules_alloc(p->b, sizeof(*x));

	x->kind = kind;
	x->pos = *pos;
	return x;
}

static int parse_or(struct parser *p, struct expr **out);

/* Does a test of another fact begin here, or one more word of an `is`? */
static bool
is_another_word(struct parser *p)
{
	static const char *const begins[] = { "any", "all", "no", "not" };
	static const char *const goes_on[] = { "=", "!=", "<", ">",
		"<=", ">=", "~", "!~", "(", "contains", "in", "is", "claims" };
	struct lex ahead = *p->l;
	struct lex_token t;
	struct error ignored;

	if (lex_next(&ahead, &t, &ignored) < 0 || !lex_is(&t, "or") ||
	    lex_next(&ahead, &t, &ignored) < 0 || t.kind != LEX_WORD ||
	    AMONG(t.text, begins))
		return false;
	if (lex_next(&ahead, &t, &ignored) < 0)
		return true; /* the error will be met where it stands */
	return (t.kind != LEX_OP && t.kind != LEX_WORD) ||
	       !AMONG(t.text, goes_on);
}

/* After `is`: [not] word {or word} */
static int
parse_is(struct parser *p, struct test *test)
{
	struct word **last = &test->values;
	int negated = lex_accept(p->l, "not", p->e);
	struct lex_token t;

	if (negated < 0)
		return -1;
	test->op = negated ? OP_IS_NOT : OP_IS;
	do {
		if (lex_next(p->l, &t, p->e) < 0)
			return -1;
		if (t.kind != LEX_WORD || rules_is_reserved(t.text)) {
			/* "unknown" is also a word that facts have. */
			if (!lex_is(&t, "unknown"))
				return unexpected(p->e, &t, "a word", NULL, 0);
		}
		*last = rules_alloc(p->b, sizeof(**last));
		**last = word_of(p->b, &t);
		last = &(*last)->next;
	} while (is_another_word(p) && lex_expect(p->l, "or", p->e) == 0);
	return 0;
}

/* Words and strings up to a keyword or an op. */
static int
parse_list(struct parser *p, struct word **last, const char *what)
{
	struct lex_token t;
	size_t n = 0;

	for (;; n++) {
		if (lex_peek(p->l, &t, p->e) < 0)
			return -1;
		if ((t.kind != LEX_WORD && t.kind != LEX_STRING) ||
		    (t.kind == LEX_WORD && rules_is_reserved(t.text)))
			break;
		if (n == VALUES_MAX)
			return lex_error(p->e, &t.pos,
			    "a list has at most %d members", VALUES_MAX);
		(void)lex_next(p->l, &t, p->e); /* peeked: cannot fail */
		*last = rules_alloc(p->b, sizeof(**last));
		**last = word_of(p->b, &t);
		last = &(*last)->next;
	}
	return n > 0 ? 0 : unexpected(p->e, &t, what, NULL, 0);
}

static int
parse_regex(struct parser *p, struct test *test)
{
	struct lex_token t;

	if (lex_regex(p->l, &t, p->e) < 0)
		return -1;
	test->values = rules_alloc(p->b, sizeof(*test->values));
	*test->values = word_of(p->b, &t);
	test->flags = t.flags;
	return 0;
}

static int
parse_operand(struct parser *p, struct test *test)
{
	switch (test->op) {
	case OP_IS:
		return parse_is(p, test);
	case OP_IN:
		return parse_list(
		    p, &test->values, "the name of a set or map, or values");
	case OP_MATCH:
	case OP_NOMATCH:
		return parse_regex(p, test);
	default:
		test->values = rules_alloc(p->b, sizeof(*test->values));
		return take_text(p, "a value", test->values);
	}
}

static int
parse_key(struct parser *p, struct word *key, bool *has_key)
{
	struct lex_token t;
	int open = lex_accept(p->l, "(", p->e);

	if (open <= 0)
		return open;
	if (take_string(p, "a name in quotes", &t) < 0 ||
	    lex_expect(p->l, ")", p->e) < 0)
		return -1;
	*key = word_of(p->b, &t);
	*has_key = true;
	return 0;
}

/* fact [("key")] [op operand] */
static int
parse_test(struct parser *p, const struct lex_token *name, struct expr *x)
{
	static const char *const op_words[] = { "is", "in", "contains", "and",
		"or" };
	struct test *test = x->test = rules_alloc(p->b, sizeof(*test));
	struct lex_token t;

	test->name = word_of(p->b, name);
	test->op = OP_HOLDS;
	if (parse_key(p, &test->key, &test->has_key) < 0 ||
	    lex_peek(p->l, &t, p->e) < 0)
		return -1;
	test->op_pos = t.pos;
	for (int op = 0; op < OP_HOLDS; op++)
		if (op != OP_IS_NOT && lex_is(&t, ops[op])) {
			(void)lex_next(p->l, &t, p->e); /* peeked */
			test->op = (enum op)op;
			return parse_operand(p, test);
		}
	if (lex_is(&t, "claims"))
		return not_yet(p->e, &t);
	if ((t.kind == LEX_WORD && !rules_is_reserved(t.text)) ||
	    t.kind == LEX_STRING)
		return unexpected(p->e, &t,
		    "an operator (= != < > <= >= ~ !~ contains in is)",
		    op_words, PN_COUNT(op_words));
	return 0;
}

/* [at top | at any depth] */
static int
parse_depth(struct parser *p, struct expr *x)
{
	struct lex_token t;
	int at = lex_accept(p->l, "at", p->e);

	if (at <= 0)
		return at;
	if (lex_next(p->l, &t, p->e) < 0)
		return -1;
	if (lex_is(&t, "any"))
		return lex_expect(p->l, "depth", p->e);
	x->top = lex_is(&t, "top");
	return x->top
		   ? 0
		   : unexpected(p->e, &t, "\"top\" or \"any depth\"", NULL, 0);
}

static int
parse_group(struct parser *p, const struct lex_pos *pos, struct expr **out)
{
	if (nest(p, pos) < 0 || parse_or(p, out) < 0)
		return -1;
	p->depth--;
	return lex_expect(p->l, ")", p->e);
}

/* any|all|no THING [at ...] ( expr ) | is ... */
static int
parse_quant(struct parser *p, struct expr *x)
{
	struct lex_token t;

	if (lex_next(p->l, &t, p->e) < 0)
		return -1;
	if (t.kind != LEX_WORD || rules_is_reserved(t.text))
		return unexpected(
		    p->e, &t, "what to look at (\"part\")", NULL, 0);
	x->thing_name = word_of(p->b, &t);
	if (parse_depth(p, x) < 0 || lex_next(p->l, &t, p->e) < 0)
		return -1;
	if (lex_is(&t, "("))
		return parse_group(p, &t.pos, &x->first);
	if (!lex_is(&t, "is"))
		return unexpected(p->e, &t, "\"(\", \"is\" or \"at\"", NULL, 0);
	x->test = rules_alloc(p->b, sizeof(*x->test));
	x->test->op_pos = t.pos;
	return parse_is(p, x->test);
}

static bool
quant_of(const struct lex_token *t, enum quant *q)
{
	*q = lex_is(t, "all")  ? QUANT_ALL
	     : lex_is(t, "no") ? QUANT_NO
			       : QUANT_ANY;
	return *q != QUANT_ANY || lex_is(t, "any");
}

static int
parse_prim(struct parser *p, struct expr **out)
{
	struct lex_token t;
	enum quant q;

	if (lex_next(p->l, &t, p->e) < 0)
		return -1;
	if (lex_is(&t, "("))
		return parse_group(p, &t.pos, out);
	if (quant_of(&t, &q)) {
		*out = expr_new(p, EXPR_QUANT, &t.pos);
		(*out)->quant = q;
		return parse_quant(p, *out);
	}
	if (t.kind != LEX_WORD || rules_is_reserved(t.text))
		return unexpected(p->e, &t, "a test", NULL, 0);
	*out = expr_new(p, EXPR_TEST, &t.pos);
	return parse_test(p, &t, *out);
}

static int
parse_not(struct parser *p, struct expr **out)
{
	struct lex_token t;

	if (lex_peek(p->l, &t, p->e) < 0)
		return -1;
	if (!lex_is(&t, "not"))
		return parse_prim(p, out);
	(void)lex_next(p->l, &t, p->e); /* peeked */
	*out = expr_new(p, EXPR_NOT, &t.pos);
	if (nest(p, &t.pos) < 0 || parse_not(p, &(*out)->first) < 0)
		return -1;
	p->depth--;
	return 0;
}

/* operand {word operand}: a flat node, so that depth is only what is nested. */
static int
parse_chain(struct parser *p, enum expr_kind kind, const char *word,
    int (*operand)(struct parser *, struct expr **), struct expr **out)
{
	struct expr *one, *x, **last;
	int more;

	if (operand(p, &one) < 0 || (more = lex_accept(p->l, word, p->e)) < 0)
		return -1;
	*out = one;
	if (!more)
		return 0;
	*out = x = expr_new(p, kind, &one->pos);
	x->first = one;
	for (last = &one->next; more > 0; last = &(*last)->next) {
		if (operand(p, last) < 0)
			return -1;
		more = lex_accept(p->l, word, p->e);
	}
	return more;
}

static int
parse_and(struct parser *p, struct expr **out)
{
	return parse_chain(p, EXPR_AND, "and", parse_not, out);
}

static int
parse_or(struct parser *p, struct expr **out)
{
	return parse_chain(p, EXPR_OR, "or", parse_and, out);
}

/* ---- actions ---- */

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
	if (take_string(p, "the text of the reply", &t) < 0)
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
		return not_yet(p->e, &t);
	class = lex_accept(p->l, "class", p->e);
	if (class <= 0)
		return class;
	if (take_name(p, "a class of the quarantine", &name) < 0)
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
		return not_yet(p->e, &t);
	if (!lex_is(&t, "add"))
		return unexpected(p->e, &t, "\"add\"", NULL, 0);
	if (take_text(p, "the header's name", &name) < 0)
		return -1;
	if (!is_field_name(name.text))
		return lex_error(p->e, &name.pos,
		    "\"%s\" cannot be a header's name", VIS(name.text));
	a->name = name.text;
	if (take_string(p, "the header's value in quotes", &t) < 0)
		return -1;
	set_text(a, &t);
	return 0;
}

static int
parse_prefix(struct parser *p, struct action *a)
{
	struct lex_token t;

	if (lex_expect(p->l, "prefix", p->e) < 0 ||
	    take_string(p, "the prefix in quotes", &t) < 0)
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
	while (kind < PN_COUNT(action_names) && !lex_is(&t, action_names[kind]))
		kind++;
	if (kind == PN_COUNT(action_names))
		return t.kind == LEX_WORD && AMONG(t.text, later_actions)
			   ? not_yet(p->e, &t)
			   : unexpected(
				 p->e, &t, "an action", action_names, kind);
	a->kind = (enum rules_action)kind;
	a->pos = t.pos;
	switch (a->kind) {
	case RULES_REJECT:
	case RULES_TEMPFAIL:
		return parse_reply(p, a);
	case RULES_QUARANTINE:
		return parse_quarantine(p, a);
	case RULES_HEADER_ADD:
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
	return kind == RULES_HEADER_ADD || kind == RULES_SUBJECT_PREFIX;
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

static int
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

static int
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

/* ---- test clauses ---- */

static struct pn_str
under_base(struct rules_builder *b, struct pn_str path)
{
	struct pn_str dir = pn_str_of(b->base_dir);
	char *joined;

	if (dir.n == 0 || pn_str_starts(path, PN_STR_V("/")))
		return rules_copy(b, path);
	joined = rules_alloc(b, dir.n + path.n + 2);
	memcpy(joined, dir.p, dir.n);
	joined[dir.n] = '/';
	memcpy(joined + dir.n + 1, path.p, path.n);
	return (struct pn_str){ joined, dir.n + 1 + path.n };
}

/* with fact value {, fact value} */
static int
parse_given(struct parser *p, struct test_clause *c)
{
	struct given **last = &c->given;
	int more = lex_accept(p->l, "with", p->e);
	struct given *g;

	for (; more > 0; more = lex_accept(p->l, ",", p->e)) {
		g = *last = rules_alloc(p->b, sizeof(*g));
		last = &g->next;
		c->n_given++;
		if (take_text(p, "a fact", &g->name) < 0 ||
		    parse_key(p, &g->key, &g->has_key) < 0 ||
		    take_text(p, "the fact's value", &g->value) < 0)
			return -1;
	}
	return more;
}

static int
parse_expect(struct parser *p, struct test_clause *c)
{
	static const char *const expected[] = { "accept", "tag", "reject",
		"tempfail", "quarantine", "discard", "fires", "silent" };
	struct lex_token t;

	if (lex_expect(p->l, "expect", p->e) < 0 ||
	    lex_next(p->l, &t, p->e) < 0)
		return -1;
	if (t.kind != LEX_WORD || !AMONG(t.text, expected))
		return unexpected(p->e, &t,
		    "a verdict, \"fires\" or \"silent\"", expected,
		    PN_COUNT(expected));
	c->expect = word_of(p->b, &t);
	return 0;
}

static int
parse_test_clause(struct parser *p, struct test_clause *c)
{
	struct lex_token t;

	if (take_string(p, "the test's name in quotes", &t) < 0 ||
	    lex_expect(p->l, "file", p->e) < 0 ||
	    take_text(p, "a file's name", &c->file) < 0)
		return -1;
	c->name = word_of(p->b, &t);
	c->pos = t.pos;
	if (c->file.text.n == 0)
		return lex_error(p->e, &c->file.pos, "a file needs a name");
	c->path = under_base(p->b, c->file.text);
	return parse_given(p, c) < 0 ? -1 : parse_expect(p, c);
}

/* ---- rules ---- */

static int
parse_expr_clause(
    struct parser *p, const struct lex_token *t, struct expr **out)
{
	if (*out != NULL)
		return lex_error(p->e, &t->pos,
		    "a rule has one \"%s\"; join the tests by \"and\" or "
		    "\"or\"",
		    VIS(t->text));
	p->depth = 0;
	return parse_or(p, out);
}

static int
parse_action_clause(struct parser *p, const struct lex_token *t,
    struct action **out, int (*parse)(struct parser *, struct action **))
{
	if (*out != NULL)
		return lex_error(p->e, &t->pos, "a rule has one \"%s\"%s",
		    VIS(t->text),
		    lex_is(t, "then") ? "; separate its actions by commas"
				      : "");
	return parse(p, out);
}

static int
parse_clause(struct parser *p, struct rule *r, const struct lex_token *t)
{
	static const char *const clauses[] = { "when", "unless", "on", "then",
		"test" };
	struct test_clause **last = &r->tests;

	if (lex_is(t, "when"))
		return parse_expr_clause(p, t, &r->when);
	if (lex_is(t, "unless"))
		return parse_expr_clause(p, t, &r->unless);
	if (lex_is(t, "then"))
		return parse_action_clause(p, t, &r->then, parse_then);
	if (lex_is(t, "on"))
		return parse_action_clause(
		    p, t, &r->on_unknown, parse_on_unknown);
	if (t->kind == LEX_WORD && AMONG(t->text, later_clauses))
		return not_yet(p->e, t);
	if (!lex_is(t, "test"))
		return unexpected(p->e, t,
		    "when, unless, on, then, test or \"}\"", clauses,
		    PN_COUNT(clauses));
	while (*last != NULL)
		last = &(*last)->next;
	*last = rules_alloc(p->b, sizeof(**last));
	return parse_test_clause(p, *last);
}

static int
parse_rule_body(struct parser *p, struct rule *r)
{
	struct lex_token t;

	for (;;) {
		if (lex_next(p->l, &t, p->e) < 0)
			return -1;
		if (lex_is(&t, "}"))
			break;
		if (parse_clause(p, r, &t) < 0 ||
		    lex_expect(p->l, ";", p->e) < 0)
			return -1;
	}
	if (r->then == NULL)
		return lex_error(
		    p->e, &r->pos, "rule \"%s\" has no \"then\"", VIS(r->name));
	return 0;
}

static int
check_rule_is_new(struct parser *p, const struct word *name)
{
	for (const struct rule *r = p->b->first_rule; r != NULL; r = r->next)
		if (pn_str_eq(r->name, name->text))
			return lex_error(p->e, &name->pos,
			    "rule \"%s\" stands already at %s:%u",
			    VIS(name->text), r->pos.file, r->pos.line);
	return 0;
}

static int
parse_rule(struct parser *p)
{
	struct rule *r = rules_alloc(p->b, sizeof(*r));
	struct lex_token t;
	struct word name;

	if (take_name(p, "the name of a rule", &name) < 0 ||
	    check_rule_is_new(p, &name) < 0 || lex_next(p->l, &t, p->e) < 0)
		return -1;
	if (lex_is(&t, "off"))
		return not_yet(p->e, &t);
	if (!lex_is(&t, "{"))
		return unexpected(p->e, &t, "\"{\"", NULL, 0);
	r->name = name.text;
	r->pos = name.pos;
	r->order = (unsigned)p->b->n_rules++;
	if (parse_rule_body(p, r) < 0)
		return -1;
	*p->b->last_rule = r;
	p->b->last_rule = &r->next;
	return 0;
}

static int
parse_policy_body(struct parser *p)
{
	static const char *const words[] = { "rule" };
	struct lex_token t;

	for (;;) {
		if (lex_next(p->l, &t, p->e) < 0)
			return -1;
		if (lex_is(&t, "}"))
			return 0;
		if (t.kind == LEX_WORD && AMONG(t.text, later_in_policy))
			return not_yet(p->e, &t);
		if (!lex_is(&t, "rule"))
			return unexpected(p->e, &t, "a rule or \"}\"", words,
			    PN_COUNT(words));
		if (parse_rule(p) < 0)
			return -1;
	}
}

static int
parse_policy(struct parser *p)
{
	struct rules_builder *b = p->b;
	struct lex_token t;
	struct word name;

	if (take_name(p, "the name of a policy", &name) < 0)
		return -1;
	if (b->has_policy)
		return lex_error(p->e, &name.pos,
		    "a second policy is not available in this version; the "
		    "first is at %s:%u",
		    b->policy_pos.file, b->policy_pos.line);
	if (lex_next(p->l, &t, p->e) < 0)
		return -1;
	if (lex_is(&t, "extends") || lex_is(&t, "for"))
		return not_yet(p->e, &t);
	if (!lex_is(&t, "{"))
		return unexpected(p->e, &t, "\"{\"", NULL, 0);
	b->has_policy = true;
	b->policy_pos = name.pos;
	b->rules->policy = name.text;
	return parse_policy_body(p);
}

/* ---- items ---- */

/* set NAME = ext(a b c); set NAME = a "b c" 10.0.0.0/8; */
static int
parse_set(struct parser *p)
{
	struct word name, *members = NULL;
	struct lex_token t;
	bool ext = false;

	if (take_name(p, "the name of a set", &name) < 0 ||
	    lex_expect(p->l, "=", p->e) < 0 || lex_peek(p->l, &t, p->e) < 0)
		return -1;
	if (lex_is(&t, "ext")) {
		struct lex ahead = *p->l;

		(void)lex_next(&ahead, &t, p->e); /* peeked */
		ext = lex_next(&ahead, &t, p->e) == 0 && lex_is(&t, "(");
		if (ext)
			*p->l = ahead;
	}
	if (parse_list(p, &members, "a member of the set") < 0 ||
	    (ext && lex_expect(p->l, ")", p->e) < 0) ||
	    lex_expect(p->l, ";", p->e) < 0)
		return -1;
	return list_add_set(p->b, &name, ext, members, p->e);
}

/* map NAME = text:FILE; */
static int
parse_map(struct parser *p)
{
	struct word name, source, path;
	struct pn_str kind = PN_STR("text:");

	if (take_name(p, "the name of a map", &name) < 0 ||
	    lex_expect(p->l, "=", p->e) < 0 ||
	    take_text(p, "text:FILE", &source) < 0)
		return -1;
	if (source.quoted || !pn_str_starts(source.text, kind))
		return lex_error(p->e, &source.pos,
		    "a map is text:FILE, not \"%s\"", VIS(source.text));
	path = source;
	path.text = pn_str_sub(source.text, kind.n, source.text.n);
	if (path.text.n == 0 && take_text(p, "a file's name", &path) < 0)
		return -1;
	if (lex_expect(p->l, ";", p->e) < 0)
		return -1;
	if (path.text.n == 0)
		return lex_error(p->e, &path.pos, "a file needs a name");
	return list_add_map(
	    p->b, &name, &path, under_base(p->b, path.text), p->e);
}

static int
parse_item(struct parser *p)
{
	static const char *const items[] = { "set", "map", "policy" };
	struct lex_token t;

	if (lex_next(p->l, &t, p->e) < 0)
		return -1;
	if (lex_is(&t, "set"))
		return parse_set(p);
	if (lex_is(&t, "map"))
		return parse_map(p);
	if (lex_is(&t, "policy"))
		return parse_policy(p);
	if (t.kind == LEX_WORD && AMONG(t.text, later_items))
		return not_yet(p->e, &t);
	return unexpected(
	    p->e, &t, "set, map or policy", items, PN_COUNT(items));
}

/* Our own copy of the caller's text, made once a file. */
static void
copy_source(struct rules_builder *b, const struct lex *l)
{
	if (b->copy_file != NULL && l->text.p == b->source.p &&
	    strcmp(l->file, b->copy_file) == 0 && pn_str_eq(l->text, b->copy))
		return;
	b->source = l->text;
	b->copy = rules_copy(b, l->text);
	b->copy_file = rules_copy(b, pn_str_of(l->file)).p;
}

/* A lexer over the copy, standing where the caller's stands. */
static struct lex
own_lexer(struct rules_builder *b, const struct lex *l)
{
	struct lex own = *l;

	copy_source(b, l);
	own.text = b->copy;
	own.file = b->copy_file;
	if (l->has_peeked) {
		own.at = l->line_start + l->peeked.pos.column - 1;
		own.has_peeked = 0;
	}
	return own;
}

int
rules_parse_item(struct rules_builder *b, struct lex *l, const char *base_dir,
    struct error *e)
{
	struct lex own;
	struct parser p = { .b = b, .l = &own, .e = e };

	if (b->rules == NULL || setjmp(b->full) != 0)
		return error_set(e,
		    "%s: the policy needs more memory than it "
		    "may have",
		    l->file);
	b->base_dir = base_dir != NULL ? base_dir : "";
	own = own_lexer(b, l);
	if (parse_item(&p) < 0)
		return -1;
	l->at = own.at;
	l->line = own.line;
	l->line_start = own.line_start;
	l->has_peeked = 0;
	if (own.has_peeked) {
		l->at = own.line_start + own.peeked.pos.column - 1;
		l->line = own.peeked.pos.line;
	}
	return 0;
}

struct rules_builder *
rules_builder_new(struct arena *arena, const struct rules_decls *decls)
{
	struct rules_builder *b = xcalloc(1, sizeof(*b));

	b->arena = arena;
	b->decls = decls;
	b->rules = arena_alloc(arena, sizeof(*b->rules));
	b->last_list = b->rules != NULL ? &b->rules->lists : NULL;
	b->last_rule = &b->first_rule;
	b->last_atom = &b->atoms;
	return b;
}

void
rules_builder_free(struct rules_builder *b)
{
	if (b == NULL)
		return;
	free(b->table);
	free(b);
}
