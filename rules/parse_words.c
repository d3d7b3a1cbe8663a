/*
 * parse_words - the language's words, and the floor that the grammar stands on:
 * a word, a string, a name must stand here; how deep it may nest.
 *
 * Called by parse.c, parse_expr.c, parse_action.c; names of operators
 * also by print.c and explain.c.
 */
#include "rules/parse.h"

#include <stdio.h>

#include "base/log.h"
#include "base/suggest.h"

/* ---- words ---- */

static const char *const reserved[] = { "set", "map", "policy", "rule", "when",
	"unless", "on", "unknown", "then", "test", "file", "with", "expect",
	"and", "or", "not", "any", "all", "no", "at", "top", "in", "is",
	"contains", "fires", "silent", "accept", "allow", "tag", "reject",
	"tempfail", "quarantine", "discard", "class", "add", "prefix",
	"extends", "for", "mode", "always", "early", "threshold", "group",
	"off" };

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
	[OP_CLAIMS] = "claims",
	[OP_IS] = "is",
	[OP_IS_NOT] = "is not",
	[OP_HOLDS] = "" };

bool
parse_among(struct pn_str word, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (pn_str_eq(word, pn_str_of(list[i])))
			return true;
	return false;
}

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

int
parse_not_yet(struct error *e, const struct lex_token *t)
{
	return lex_error(e, &t->pos, "\"%s\" is not available in this version",
	    VIS(t->text));
}

/* `what must stand here, not "found"` with the nearest of the words. */
int
parse_unexpected(struct error *e, const struct lex_token *t, const char *what,
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

struct word
parse_word_of(struct rules_builder *b, const struct lex_token *t)
{
	bool quoted = t->kind == LEX_STRING;

	return (struct word){ .text = quoted ? unescaped(b, t->text) : t->text,
		.pos = t->pos,
		.quoted = quoted };
}

/* A word or a string must stand here. */
int
parse_text(struct parser *p, const char *what, struct word *out)
{
	struct lex_token t;

	if (lex_next(p->l, &t, p->e) < 0)
		return -1;
	if (t.kind != LEX_WORD && t.kind != LEX_STRING)
		return parse_unexpected(p->e, &t, what, NULL, 0);
	*out = parse_word_of(p->b, &t);
	return 0;
}

int
parse_string(struct parser *p, const char *what, struct lex_token *t)
{
	if (lex_next(p->l, t, p->e) < 0)
		return -1;
	if (t->kind != LEX_STRING)
		return parse_unexpected(p->e, t, what, NULL, 0);
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
int
parse_name(struct parser *p, const char *what, struct word *out)
{
	struct lex_token t;

	if (lex_next(p->l, &t, p->e) < 0)
		return -1;
	if (t.kind != LEX_WORD)
		return parse_unexpected(p->e, &t, what, NULL, 0);
	if (rules_is_reserved(t.text))
		return lex_error(p->e, &t.pos,
		    "\"%s\" is a keyword and cannot be %s", VIS(t.text), what);
	if (!is_name(t.text))
		return lex_error(p->e, &t.pos,
		    "\"%s\" cannot be %s: a letter, then letters, digits, - "
		    "and _, 63 at most",
		    VIS(t.text), what);
	*out = parse_word_of(p->b, &t);
	return 0;
}

int
parse_integer(struct parser *p, const char *what, bool sign, int64_t *out)
{
	struct lex_token t;
	struct pn_str digits;

	if (lex_next(p->l, &t, p->e) < 0)
		return -1;
	if (t.kind != LEX_WORD)
		return parse_unexpected(p->e, &t, what, NULL, 0);
	digits = t.text;
	if (sign && (digits.p[0] == '+' || digits.p[0] == '-'))
		digits = pn_str_sub(digits, 1, digits.n);
	*out = 0;
	for (size_t i = 0; i < digits.n && digits.n <= 6; i++) {
		if (digits.p[i] < '0' || digits.p[i] > '9')
			digits.n = 0;
		else
			*out = *out * 10 + (digits.p[i] - '0');
	}
	if (digits.n == 0 || digits.n > 6)
		return lex_error(p->e, &t.pos,
		    "\"%s\" cannot be %s: a whole number of six digits at "
		    "most",
		    VIS(t.text), what);
	if (t.text.p[0] == '-')
		*out = -*out;
	return 0;
}

int
parse_nest(struct parser *p, const struct lex_pos *pos)
{
	if (++p->depth <= NESTING_MAX)
		return 0;
	return lex_error(
	    p->e, pos, "nested too deeply (%d levels at most)", NESTING_MAX);
}
