/*
 * condition - an expression that stands in a setting, not in a rule: `when` of
 * a milter's block. It may ask for what is known before the message is, no
 * more: who is asked depends on it.
 *
 * Read between the items of the rule language, checked with them (check.c),
 * asked for by whoever holds its number.
 */
#include "rules/check.h"
#include "rules/parse.h"

#include "base/must.h"

/* ---- reading ---- */

int
parse_condition(struct parser *p, unsigned *id)
{
	struct rules *r = p->b->rules;
	struct condition *c = rules_alloc(p->b, sizeof(*c));
	struct lex_token t;

	if (lex_peek(p->l, &t, p->e) < 0)
		return -1;
	c->pos = t.pos;
	if (parse_or(p, &c->expr) < 0)
		return -1;
	c->id = *id = r->n_conditions++;
	*p->b->last_condition = c;
	p->b->last_condition = &c->next;
	return 0;
}

int
check_conditions(struct rules_builder *b, struct error *e)
{
	struct rule nowhere = { 0 }; /* takes the stage */
	struct checking c = { .b = b, .rule = &nowhere, .e = e };

	c.scope.thing = NO_THING;
	c.is_condition = true;
	for (struct condition *x = b->rules->conditions; x; x = x->next) {
		nowhere.stage = 0;
		if (check_expr(&c, x->expr) < 0)
			return -1;
		x->stage = nowhere.stage;
	}
	return 0;
}

static const struct condition *
find(const struct rules *r, unsigned id)
{
	const struct condition *c = r->conditions;

	while (c != NULL && c->id != id)
		c = c->next;
	must(c != NULL);
	return c;
}

/* ---- asking ---- */

struct asking {
	const struct rules *r;
	struct rules_run *run;
	const struct rules_facts *facts;
};

static enum tri
opposite(enum tri t)
{
	return t == TRI_UNKNOWN ? t : tri_of(t == TRI_FALSE);
}

static enum tri
ask(const struct asking *a, const struct expr *x)
{
	enum tri ends = x->kind == EXPR_AND ? TRI_FALSE : TRI_TRUE;
	enum tri all = opposite(ends);
	enum value_state state;
	struct match m;

	if (x->kind == EXPR_TEST)
		return atom_ask(a->r, x->atom, a->run, a->facts, RULES_MESSAGE,
		    &state, &m);
	if (x->kind == EXPR_NOT)
		return opposite(ask(a, x->first));
	for (const struct expr *kid = x->first; kid; kid = kid->next) {
		enum tri one = ask(a, kid);

		if (one == ends)
			return one;
		if (one == TRI_UNKNOWN)
			all = one;
	}
	return all;
}

unsigned
rules_condition_stage(const struct rules *r, unsigned id)
{
	return find(r, id)->stage;
}

enum tri
rules_condition(const struct rules *r, struct rules_run *run, unsigned id,
    const struct rules_facts *facts)
{
	struct asking a = { r, run, facts };

	run_begin(run);
	return ask(&a, find(r, id)->expr);
}

void
rules_condition_print(const struct rules *r, unsigned id, struct buf *b)
{
	print_expr(r, find(r, id)->expr, b);
}
