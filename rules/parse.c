/*
 * parse - policy text to tree: rules and policies; grammar alone, no names are
 * looked up. Sets and maps: parse_list.c.
 *
 * Called through rules_parse_item() by proxy/config.c, item by item. The
 * caller's text is copied into the arena first, so tokens and positions stay.
 * The grammar stands in postern-rules(5).
 */
#include "rules/parse.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"

/* The language of later versions is known, so that the error can say so. */
static const char *const later_items[] = { "people", "engine", "milter" };
static const char *const later_clauses[] = { "mode", "early", "always" };
static const char *const later_in_policy[] = { "threshold", "mixed" };

/* ---- test clauses ---- */

struct pn_str
parse_under_base(struct rules_builder *b, struct pn_str path)
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
		"tempfail", "quarantine", "discard", "fires", "silent" };
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
		return parse_not_yet(p->e, t);
	if (!lex_is(t, "test"))
		return parse_unexpected(p->e, t,
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

	if (parse_name(p, "the name of a rule", &name) < 0 ||
	    check_rule_is_new(p, &name) < 0 || lex_next(p->l, &t, p->e) < 0)
		return -1;
	if (lex_is(&t, "off"))
		return parse_not_yet(p->e, &t);
	if (!lex_is(&t, "{"))
		return parse_unexpected(p->e, &t, "\"{\"", NULL, 0);
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
			return parse_not_yet(p->e, &t);
		if (!lex_is(&t, "rule"))
			return parse_unexpected(p->e, &t, "a rule or \"}\"", words,
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

	if (parse_name(p, "the name of a policy", &name) < 0)
		return -1;
	if (b->has_policy)
		return lex_error(p->e, &name.pos,
		    "a second policy is not available in this version; the "
		    "first is at %s:%u",
		    b->policy_pos.file, b->policy_pos.line);
	if (lex_next(p->l, &t, p->e) < 0)
		return -1;
	if (lex_is(&t, "extends") || lex_is(&t, "for"))
		return parse_not_yet(p->e, &t);
	if (!lex_is(&t, "{"))
		return parse_unexpected(p->e, &t, "\"{\"", NULL, 0);
	b->has_policy = true;
	b->policy_pos = name.pos;
	b->rules->policy = name.text;
	return parse_policy_body(p);
}

/* ---- items ---- */

bool
rules_is_item(struct pn_str word)
{
	return pn_str_eq(word, PN_STR_V("set")) ||
	       pn_str_eq(word, PN_STR_V("map")) ||
	       pn_str_eq(word, PN_STR_V("policy")) || AMONG(word, later_items);
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
		return parse_not_yet(p->e, &t);
	return parse_unexpected(
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
	if (!b->compiled && b->rules != NULL) {
		pattern_memory_close(b->memory);
		pattern_free_all(b->patterns);
		maps_close(b->rules);
	}
	free(b->table);
	free(b);
}
