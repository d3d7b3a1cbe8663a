/*
 * parse_rule - what stands in the braces of a rule: its clauses, its tests.
 * Called by parse_policy.c, which makes the rule and knows what it overrides.
 */
#include "rules/parse.h"

#include "base/log.h"

/* ---- test clauses ---- */

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
		if (parse_text(p, "a fact", &g->name) < 0 ||
		    parse_key(p, &g->key, &g->has_key) < 0 ||
		    parse_text(p, "the fact's value", &g->value) < 0)
			return -1;
	}
	return more;
}

static int
parse_expect(struct parser *p, struct test_clause *c)
{
	static const char *const expected[] = { "accept", "tag", "reject",
		"tempfail", "quarantine", "discard", "redirect", "fires",
		"silent" };
	struct lex_token t;

	if (lex_expect(p->l, "expect", p->e) < 0 ||
	    lex_next(p->l, &t, p->e) < 0)
		return -1;
	if (t.kind != LEX_WORD || !AMONG(t.text, expected))
		return parse_unexpected(p->e, &t,
		    "a verdict, \"fires\" or \"silent\"", expected,
		    PN_COUNT(expected));
	c->expect = parse_word_of(p->b, &t);
	return 0;
}

static int
parse_test_clause(struct parser *p, struct test_clause *c)
{
	struct lex_token t;

	if (parse_string(p, "the test's name in quotes", &t) < 0 ||
	    lex_expect(p->l, "file", p->e) < 0 ||
	    parse_text(p, "a file's name", &c->file) < 0)
		return -1;
	c->name = parse_word_of(p->b, &t);
	c->pos = t.pos;
	if (c->file.text.n == 0)
		return lex_error(p->e, &c->file.pos, "a file needs a name");
	c->path = parse_under_base(p->b, c->file.text);
	return parse_given(p, c) < 0 ? -1 : parse_expect(p, c);
}

/* ---- clauses ---- */

/* A clause stands once in a rule. */
static int
take_clause(struct parser *p, struct rule *r, const struct lex_token *t,
    enum clause clause)
{
	if ((r->own & clause) == 0) {
		r->own |= clause;
		return 0;
	}
	return lex_error(p->e, &t->pos, "a rule has one \"%s\"%s", VIS(t->text),
	    clause == CLAUSE_WHEN || clause == CLAUSE_UNLESS
		? "; join the tests by \"and\" or \"or\""
	    : clause == CLAUSE_THEN ? "; separate its actions by commas"
				    : "");
}

static int
parse_mode(struct parser *p, struct rule *r)
{
	static const char *const modes[] = { "shadow", "live" };
	struct lex_token t;

	if (lex_next(p->l, &t, p->e) < 0)
		return -1;
	r->shadow = lex_is(&t, "shadow");
	if (r->shadow || lex_is(&t, "live"))
		return 0;
	return parse_unexpected(
	    p->e, &t, "\"shadow\" or \"live\"", modes, PN_COUNT(modes));
}

static int
parse_test_of(struct parser *p, struct rule *r)
{
	struct test_clause **last = &r->tests;

	while (*last != NULL)
		last = &(*last)->next;
	*last = rules_alloc(p->b, sizeof(**last));
	return parse_test_clause(p, *last);
}

static int
parse_clause_of(struct parser *p, struct rule *r, enum clause clause)
{
	p->depth = 0;
	switch (clause) {
	case CLAUSE_WHEN:
		return parse_or(p, &r->when);
	case CLAUSE_UNLESS:
		return parse_or(p, &r->unless);
	case CLAUSE_UNKNOWN:
		return parse_on_unknown(p, &r->on_unknown);
	case CLAUSE_THEN:
		return parse_then(p, &r->then);
	case CLAUSE_MODE:
		return parse_mode(p, r);
	case CLAUSE_ALWAYS:
		r->always = true;
		return 0;
	default:
		r->early = true;
		return 0;
	}
}

static int
parse_clause(struct parser *p, struct rule *r, const struct lex_token *t)
{
	static const char *const words[] = { "when", "unless", "on", "then",
		"mode", "always", "early", "test" };
	static const enum clause clauses[] = { CLAUSE_WHEN, CLAUSE_UNLESS,
		CLAUSE_UNKNOWN, CLAUSE_THEN, CLAUSE_MODE, CLAUSE_ALWAYS,
		CLAUSE_EARLY };

	for (size_t i = 0; i < PN_COUNT(clauses); i++)
		if (lex_is(t, words[i]))
			return take_clause(p, r, t, clauses[i]) < 0
				   ? -1
				   : parse_clause_of(p, r, clauses[i]);
	if (lex_is(t, "test"))
		return parse_test_of(p, r);
	return parse_unexpected(p->e, t,
	    "when, unless, on, then, mode, always, early, test or \"}\"", words,
	    PN_COUNT(words));
}

int
parse_rule_body(struct parser *p, struct rule *r)
{
	struct lex_token t;

	for (;;) {
		if (lex_next(p->l, &t, p->e) < 0)
			return -1;
		if (lex_is(&t, "}"))
			return 0;
		if (parse_clause(p, r, &t) < 0 ||
		    lex_expect(p->l, ";", p->e) < 0)
			return -1;
	}
}
