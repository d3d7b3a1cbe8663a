/*
 * check_test - the test clauses of a rule: the facts they give, typed.
 */
#include "rules/check.h"

#include "base/log.h"

static int
given_bool(struct checking *c, const struct word *w, struct value *v)
{
	v->number = pn_str_eq(w->text, PN_STR_V("yes"));
	if (v->number || pn_str_eq(w->text, PN_STR_V("no")))
		return 0;
	return lex_error(
	    c->e, &w->pos, "\"%s\" is neither yes nor no", VIS(w->text));
}

static int
given_number(struct checking *c, const struct word *w, struct value *v)
{
	unsigned long long n;

	if (w->text.n > 10 || lex_size(w->text, &n) < 0)
		return lex_error(
		    c->e, &w->pos, "\"%s\" is no number", VIS(w->text));
	v->number = (int64_t)n;
	return 0;
}

static int
given_ip(struct checking *c, const struct word *w, struct value *v)
{
	struct net net;
	const char *wrong = net_parse(w->text, &net);

	if (wrong == NULL && net.bits < 128)
		wrong = "is a network, not one address";
	if (wrong != NULL)
		return lex_error(
		    c->e, &w->pos, "\"%s\" %s", VIS(w->text), wrong);
	v->str = w->text;
	if (v->str.p[0] == '[')
		v->str = pn_str_sub(v->str, 1, v->str.n - 2);
	return 0;
}

static int
given_address(struct checking *c, const struct word *w, struct value *v)
{
	size_t at = w->text.n;

	v->str = w->text;
	if (w->text.n == 0)
		return 0; /* <>, the null sender */
	if (!address_is_valid(w->text, false))
		return lex_error(
		    c->e, &w->pos, "\"%s\" is no address", VIS(w->text));
	while (w->text.p[--at] != '@')
		;
	v->local = pn_str_sub(w->text, 0, at);
	v->domain = pn_str_sub(w->text, at + 1, w->text.n);
	return 0;
}

static int
given_word(struct checking *c, const struct rules_decl *decl,
    const struct word *w, struct value *v)
{
	v->str = w->text;
	if (check_declares_word(decl, w->text))
		return 0;
	return lex_error(
	    c->e, &w->pos, "\"%s\" is no word of %s", VIS(w->text), decl->name);
}

static int
given_value(struct checking *c, const struct rules_decl *decl,
    const struct word *w, struct value *v)
{
	*v = (struct value){ .state = VALUE_KNOWN, .type = decl->type };
	if (!w->quoted && pn_str_eq(w->text, PN_STR_V("unknown"))) {
		v->state = VALUE_UNKNOWN;
		return 0;
	}
	switch (decl->type) {
	case VALUE_NUMBER:
		return given_number(c, w, v);
	case VALUE_BOOL:
		return given_bool(c, w, v);
	case VALUE_IP:
		return given_ip(c, w, v);
	case VALUE_ADDRESS:
		return given_address(c, w, v);
	case VALUE_WORD:
		return given_word(c, decl, w, v);
	default:
		v->str = w->text;
		return 0;
	}
}

static int
check_given(struct checking *c, const struct given *g, struct rules_given *out)
{
	const struct rules_decl *decl;
	struct fact_ref ref;

	if (fact_find(c->b->decls, NO_THING, &g->name, &ref, c->e) < 0)
		return -1;
	decl = &c->b->decls->facts[ref.fact];
	if (ref.fact == c->b->rules->score)
		return lex_error(c->e, &g->name.pos,
		    "\"score\" is what rules add up and cannot be given");
	if (decl->content)
		return lex_error(c->e, &g->name.pos,
		    "\"%s\" is read from the test's file and cannot be given",
		    VIS(g->name.text));
	if (ref.field != FIELD_WHOLE || g->has_key != decl->keyed)
		return lex_error(c->e, &g->name.pos,
		    decl->keyed ? "\"%s\" needs a name: fact(\"...\")"
				: "\"%s\" must be given whole",
		    VIS(g->name.text));
	if (g->has_key && key_known(decl, &g->key, c->e) < 0)
		return -1;
	out->fact = ref.fact;
	out->key = key_bare(decl, g->key.text);
	return given_value(c, decl, &g->value, &out->value);
}

static int
check_test_clause(
    struct checking *c, const struct test_clause *t, struct rules_test *out)
{
	struct rules_given *given =
	    rules_alloc(c->b, t->n_given * sizeof(*given));
	size_t n = 0;

	for (const struct given *g = t->given; g != NULL; g = g->next)
		if (check_given(c, g, &given[n++]) < 0)
			return -1;
	*out = (struct rules_test){ .policy = c->rule->policy,
		.rule = c->rule->name,
		.name = t->name.text,
		.file = t->path,
		.expect = t->expect.text,
		.pos = t->pos,
		.given = given,
		.n_given = n };
	return 0;
}

int
check_tests(struct checking *c)
{
	struct rules *r = c->b->rules;

	for (const struct test_clause *t = c->rule->tests; t; t = t->next)
		if (check_test_clause(c, t, &r->tests[r->n_tests++]) < 0)
			return -1;
	return 0;
}
