/*
 * parse_expr - conditions: or, and, not, quantifiers, tests on facts. Called by
 * parse.c for when and unless; lists and keys also for sets and tests.
 */
#include "rules/parse.h"

#include "base/log.h"

static struct expr *
expr_new(struct parser *p, enum expr_kind kind, const struct lex_pos *pos)
{
	struct expr *x = rules_alloc(p->b, sizeof(*x));

	x->kind = kind;
	x->pos = *pos;
	return x;
}


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

/* Some keywords are also words that facts have: what a milter says. */
static bool
can_be_a_facts(const struct lex_token *t)
{
	static const char *const both[] = { "unknown", "accept", "reject",
		"tempfail", "quarantine", "discard" };

	return t->kind == LEX_WORD &&
	       (!rules_is_reserved(t->text) || AMONG(t->text, both));
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
		if (!can_be_a_facts(&t))
			return parse_unexpected(p->e, &t, "a word", NULL, 0);
		*last = rules_alloc(p->b, sizeof(**last));
		**last = parse_word_of(p->b, &t);
		last = &(*last)->next;
	} while (is_another_word(p) && lex_expect(p->l, "or", p->e) == 0);
	return 0;
}

/* Words and strings up to a keyword or an op. */
int
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
		**last = parse_word_of(p->b, &t);
		last = &(*last)->next;
	}
	return n > 0 ? 0 : parse_unexpected(p->e, &t, what, NULL, 0);
}

static int
parse_regex(struct parser *p, struct test *test)
{
	struct lex_token t;

	if (lex_regex(p->l, &t, p->e) < 0)
		return -1;
	test->values = rules_alloc(p->b, sizeof(*test->values));
	*test->values = parse_word_of(p->b, &t);
	test->flags = t.flags;
	return 0;
}

static int
parse_operand(struct parser *p, struct test *test)
{
	switch (test->op) {
	case OP_IS:
		return parse_is(p, test);
	case OP_CLAIMS:
		return parse_list(p, &test->values, "a list of people");
	case OP_IN:
		return parse_list(
		    p, &test->values, "the name of a set or map, or values");
	case OP_MATCH:
	case OP_NOMATCH:
		return parse_regex(p, test);
	default:
		test->values = rules_alloc(p->b, sizeof(*test->values));
		return parse_text(p, "a value", test->values);
	}
}

int
parse_key(struct parser *p, struct word *key, bool *has_key)
{
	struct lex_token t;
	int open = lex_accept(p->l, "(", p->e);

	if (open <= 0)
		return open;
	if (parse_string(p, "a name in quotes", &t) < 0 ||
	    lex_expect(p->l, ")", p->e) < 0)
		return -1;
	*key = parse_word_of(p->b, &t);
	*has_key = true;
	return 0;
}

/* fact [("key")] [op operand] */
static int
parse_test(struct parser *p, const struct lex_token *name, struct expr *x)
{
	static const char *const op_words[] = { "is", "in", "contains", "claims", "and",
		"or" };
	struct test *test = x->test = rules_alloc(p->b, sizeof(*test));
	struct lex_token t;

	test->name = parse_word_of(p->b, name);
	test->op = OP_HOLDS;
	if (parse_key(p, &test->key, &test->has_key) < 0 ||
	    lex_peek(p->l, &t, p->e) < 0)
		return -1;
	test->op_pos = t.pos;
	for (int op = 0; op < OP_HOLDS; op++)
		if (op != OP_IS_NOT && lex_is(&t, rules_op_name(op))) {
			(void)lex_next(p->l, &t, p->e); /* peeked */
			test->op = (enum op)op;
			return parse_operand(p, test);
		}
	if ((t.kind == LEX_WORD && !rules_is_reserved(t.text)) ||
	    t.kind == LEX_STRING)
		return parse_unexpected(p->e, &t,
		    "an operator (= != < > <= >= ~ !~ contains in claims is)",
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
		   : parse_unexpected(p->e, &t, "\"top\" or \"any depth\"", NULL, 0);
}

static int
parse_group(struct parser *p, const struct lex_pos *pos, struct expr **out)
{
	if (parse_nest(p, pos) < 0 || parse_or(p, out) < 0)
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
		return parse_unexpected(
		    p->e, &t, "what to look at (\"part\")", NULL, 0);
	x->thing_name = parse_word_of(p->b, &t);
	if (parse_depth(p, x) < 0 || lex_next(p->l, &t, p->e) < 0)
		return -1;
	if (lex_is(&t, "("))
		return parse_group(p, &t.pos, &x->first);
	if (!lex_is(&t, "is"))
		return parse_unexpected(p->e, &t, "\"(\", \"is\" or \"at\"", NULL, 0);
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
		return parse_unexpected(p->e, &t, "a test", NULL, 0);
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
	if (parse_nest(p, &t.pos) < 0 || parse_not(p, &(*out)->first) < 0)
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

int
parse_or(struct parser *p, struct expr **out)
{
	return parse_chain(p, EXPR_OR, "or", parse_and, out);
}
