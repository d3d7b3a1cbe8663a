/*
 * grammar - the EBNF of a manual page, read: rules of alternatives of
 * sequences of items. For the generator that makes policies from it.
 *
 *   name = alternative | alternative ;    "x" literal, UPPER or odd terminal,
 *   [ optional ] { any number } ( group )  lower a rule, if there is one
 */
#ifndef TESTS_GRAMMAR_H
#define TESTS_GRAMMAR_H

#include <ctype.h>
#include <stdlib.h>

#include "base/must.h"
#include "filters/pn_str.h"

#define NODES_MAX 600
#define RULES_MAX 64

enum node_kind { LITERAL, TERMINAL, RULE, CHOICE, SEQUENCE, OPTION, REPEAT };

struct node {
	enum node_kind kind;
	struct pn_str text; /* literal, terminal, rule's name */
	struct node *first, *next;
	struct grammar_rule *rule;  /* RULE */
	unsigned seen, left_out;    /* by what was accepted */
	unsigned now, now_left_out; /* by what is being made */
};

struct grammar_rule {
	struct pn_str name;
	struct node *body; /* a CHOICE */
	unsigned depth;	   /* least levels below it */
};

struct grammar {
	struct node nodes[NODES_MAX];
	size_t n_nodes;
	struct grammar_rule rules[RULES_MAX];
	size_t n_rules;
	struct pn_str left; /* not read yet */
};

static inline struct node *
node_new(struct grammar *g, enum node_kind kind, struct pn_str text)
{
	struct node *n = &g->nodes[g->n_nodes++];

	must(g->n_nodes < NODES_MAX);
	*n = (struct node){ .kind = kind, .text = text };
	return n;
}

static inline struct pn_str
grammar_token(struct grammar *g)
{
	static const char single[] = "=|;[](){}";
	struct pn_str *s = &g->left;
	size_t n = 0;

	*s = pn_str_trim(*s);
	if (s->n == 0)
		return *s;
	if (s->p[0] == '"') {
		for (n = 1; n < s->n && s->p[n] != '"'; n++)
			;
		n++;
	} else if (strchr(single, s->p[0]) != NULL) {
		n = 1;
	} else {
		while (n < s->n && !isspace((unsigned char)s->p[n]) &&
		       strchr(single, s->p[n]) == NULL)
			n++;
	}
	*s = pn_str_sub(*s, n, s->n);
	return (struct pn_str){ s->p - n, n };
}

static inline struct pn_str
grammar_peek(struct grammar *g)
{
	struct pn_str before = g->left, token = grammar_token(g);

	g->left = before;
	return token;
}

static inline bool
grammar_is(struct pn_str token, char c)
{
	return token.n == 1 && token.p[0] == c;
}

static inline struct node *grammar_choice(struct grammar *g);

static inline struct node *
grammar_item(struct grammar *g)
{
	static const char closing[] = "])}";
	static const enum node_kind kinds[] = { OPTION, CHOICE, REPEAT };
	struct pn_str token = grammar_token(g);
	const char *open = token.n == 1 ? strchr("[({", token.p[0]) : NULL;
	struct node *n;

	must(token.n > 0);
	if (open != NULL) {
		size_t i = *open == '[' ? 0 : *open == '(' ? 1 : 2;
		struct node *within = grammar_choice(g);

		must(grammar_is(grammar_token(g), closing[i]));
		if (kinds[i] == CHOICE)
			return within;
		n = node_new(g, kinds[i], token);
		n->first = within;
		return n;
	}
	if (token.p[0] == '"')
		return node_new(g, LITERAL, pn_str_sub(token, 1, token.n - 2));
	return node_new(g, TERMINAL, token);
}

static inline struct node *
grammar_sequence(struct grammar *g)
{
	struct node *s = node_new(g, SEQUENCE, (struct pn_str){ NULL, 0 });
	struct node **last = &s->first;

	for (;;) {
		struct pn_str token = grammar_peek(g);

		if (token.n == 0 ||
		    (token.n == 1 && strchr("|;])}", token.p[0]) != NULL))
			return s;
		*last = grammar_item(g);
		last = &(*last)->next;
	}
}

static inline struct node *
grammar_choice(struct grammar *g)
{
	struct node *c = node_new(g, CHOICE, (struct pn_str){ NULL, 0 });
	struct node **last = &c->first;

	for (;;) {
		*last = grammar_sequence(g);
		last = &(*last)->next;
		if (!grammar_is(grammar_peek(g), '|'))
			return c;
		(void)grammar_token(g);
	}
}

static inline struct grammar_rule *
grammar_find(struct grammar *g, struct pn_str name)
{
	for (size_t i = 0; i < g->n_rules; i++)
		if (pn_str_eq(g->rules[i].name, name))
			return &g->rules[i];
	return NULL;
}

/* Least levels of rules below a node. */
static inline unsigned
grammar_depth(const struct node *n)
{
	unsigned best = 1000, all = 0;

	switch (n->kind) {
	case RULE:
		return n->rule->depth + 1;
	case CHOICE:
		for (const struct node *k = n->first; k; k = k->next)
			if (grammar_depth(k) < best)
				best = grammar_depth(k);
		return best;
	case SEQUENCE:
		for (const struct node *k = n->first; k; k = k->next)
			if (grammar_depth(k) > all)
				all = grammar_depth(k);
		return all;
	default:
		return 0;
	}
}

/* The whole text; every name that is a rule's is one. */
static inline void
grammar_read(struct grammar *g, struct pn_str text)
{
	g->left = text;
	while (grammar_peek(g).n > 0) {
		struct grammar_rule *r = &g->rules[g->n_rules++];

		must(g->n_rules < RULES_MAX);
		r->name = grammar_token(g);
		r->depth = 1000;
		must(grammar_is(grammar_token(g), '='));
		r->body = grammar_choice(g);
		must(grammar_is(grammar_token(g), ';'));
	}
	for (size_t i = 0; i < g->n_nodes; i++) {
		struct node *n = &g->nodes[i];

		if (n->kind != TERMINAL ||
		    (n->rule = grammar_find(g, n->text)) == NULL)
			continue;
		n->kind = RULE;
	}
	for (size_t round = 0; round < g->n_rules; round++)
		for (size_t i = 0; i < g->n_rules; i++)
			g->rules[i].depth = grammar_depth(g->rules[i].body);
}

#endif
