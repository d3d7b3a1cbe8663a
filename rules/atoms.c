/*
 * atoms - one test on one fact: made from what was written, typed and shared.
 *
 * check.c makes them; two that read the same in canonical text are one. Those
 * on facts of the inspector (content) are numbered apart and gathered by the
 * text they look at, the others are the worker's. What stands behind an
 * operator is read by operand.c, the fact's name by fact.c; how one is asked
 * stands in ask.c.
 */
#include "rules/atoms_inside.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "rules/prefilter.h"

/* ---- fact and operator ---- */

static const char *const type_names[VALUE_TYPES] = {
	[VALUE_STRING] = "a string",
	[VALUE_NUMBER] = "a number",
	[VALUE_BOOL] = "true or false",
	[VALUE_ADDRESS] = "an address",
	[VALUE_IP] = "an ip address",
	[VALUE_WORD] = "one of some words",
};
static const char *const type_tests[VALUE_TYPES] = {
	[VALUE_STRING] = "test it with = != ~ !~ contains or in",
	[VALUE_NUMBER] = "test it with = != < > <= or >=",
	[VALUE_BOOL] = "write it alone, or behind \"not\"",
	[VALUE_ADDRESS] = "test it with = != ~ !~ contains or in",
	[VALUE_IP] = "test it with = != or in",
	[VALUE_WORD] = "test it with \"is\", \"is not\" or \"in\"",
};
#define BIT(op) (1u << (op))
#define TEXT_OPS                                                               \
	(BIT(OP_EQ) | BIT(OP_NE) | BIT(OP_MATCH) | BIT(OP_NOMATCH) |           \
	    BIT(OP_CONTAINS) | BIT(OP_IN) | BIT(OP_CLAIMS))
static const unsigned type_ops[VALUE_TYPES] = {
	[VALUE_STRING] = TEXT_OPS,
	[VALUE_NUMBER] = BIT(OP_EQ) | BIT(OP_NE) | BIT(OP_LT) | BIT(OP_GT) |
			 BIT(OP_LE) | BIT(OP_GE),
	[VALUE_BOOL] = BIT(OP_HOLDS),
	[VALUE_ADDRESS] = TEXT_OPS,
	[VALUE_IP] = BIT(OP_EQ) | BIT(OP_NE) | BIT(OP_IN),
	[VALUE_WORD] = BIT(OP_IS) | BIT(OP_IS_NOT) | BIT(OP_IN),
};

const char *
type_noun(enum value_type type)
{
	return type_names[type];
}

static int
check_key(struct making *m)
{
	const struct test *t = m->test;

	if (m->decl->keyed && !t->has_key)
		return lex_error(m->e, &t->name.pos,
		    "\"%s\" needs a name: %s(\"...\")", VIS(t->name.text),
		    m->decl->name);
	if (!m->decl->keyed && t->has_key)
		return lex_error(m->e, &t->key.pos, "\"%s\" takes no name",
		    VIS(t->name.text));
	if (t->has_key && m->atom->key.n == 0)
		return lex_error(m->e, &t->key.pos, "the name is empty");
	return t->has_key ? key_known(m->decl, &t->key, m->e) : 0;
}

static int
check_op(struct making *m)
{
	const struct test *t = m->test;

	if (type_ops[m->type] & BIT(t->op))
		return 0;
	if (t->op == OP_HOLDS)
		return lex_error(m->e, &t->name.pos, "\"%s\" is %s: %s",
		    VIS(t->name.text), type_noun(m->type),
		    type_tests[m->type]);
	return lex_error(m->e, &t->op_pos,
	    "\"%s\" does not go with \"%s\", which is %s: %s",
	    rules_op_name(t->op), VIS(t->name.text), type_noun(m->type),
	    type_tests[m->type]);
}

/* ---- sharing ---- */

static size_t
slot_of(struct rules_builder *b, struct pn_str canonical)
{
	uint64_t h = 14695981039346656037u;
	size_t i;

	for (size_t k = 0; k < canonical.n; k++)
		h = (h ^ (unsigned char)canonical.p[k]) * 1099511628211u;
	for (i = h & (b->n_table - 1);
	     b->table[i] != NULL &&
	     !pn_str_eq(b->table[i]->canonical, canonical);)
		i = (i + 1) & (b->n_table - 1);
	return i;
}

static void
grow_table(struct rules_builder *b)
{
	size_t n = b->n_table ? 2 * b->n_table : 64;

	if (2 * b->n_atoms < b->n_table)
		return;
	free(b->table);
	b->table = xcalloc(n, sizeof(struct atom *));
	b->n_table = n;
	for (struct atom *a = b->atoms; a != NULL; a = a->next)
		b->table[slot_of(b, a->canonical)] = a;
}

static const struct atom *
share(struct rules_builder *b, struct atom *a)
{
	size_t slot;

	grow_table(b);
	slot = slot_of(b, a->canonical);
	if (b->table[slot] != NULL)
		return b->table[slot];
	b->table[slot] = a;
	b->n_atoms++;
	*b->last_atom = a;
	b->last_atom = &a->next;
	return a;
}

static struct pn_str
canonical_of(struct rules_builder *b, const struct atom *a)
{
	struct buf text = { 0 };
	struct pn_str copy;

	print_atom(b->decls, a, false, &text);
	copy = arena_str(b->arena, buf_str(&text));
	buf_fini(&text);
	if (copy.p == NULL)
		longjmp(b->full, 1);
	return copy;
}

int
atom_make(struct rules_builder *b, const struct scope *scope,
    const struct test *test, const struct atom **out, struct error *e)
{
	struct atom *a = rules_alloc(b, sizeof(*a));
	struct making m = {
		.b = b, .test = test, .scope = scope->thing, .atom = a, .e = e
	};
	struct fact_ref ref;

	if (fact_find(b->decls, scope->thing, &test->name, &ref, e) < 0)
		return -1;
	m.decl = &b->decls->facts[ref.fact];
	m.type = ref.field == FIELD_WHOLE ? m.decl->type : VALUE_STRING;
	a->fact = ref.fact;
	a->field = ref.field;
	a->thing = ref.thing;
	a->key = key_bare(m.decl, test->key.text);
	a->op = test->op;
	a->values = test->values;
	a->content = m.decl->content;
	if (check_key(&m) < 0 || check_op(&m) < 0 || operand_take(&m) < 0)
		return -1;
	a->canonical = canonical_of(b, a);
	*out = share(b, a);
	return 0;
}

/* ---- numbering ---- */

static bool
same_text(const struct group *g, const struct atom *a)
{
	return g->fact == a->fact && g->field == a->field &&
	       g->thing == a->thing && pn_str_eq(g->key, a->key);
}

static struct group *
group_of(struct rules *r, const struct atom *a)
{
	size_t i = 0;

	while (i < r->n_groups && !same_text(&r->groups[i], a))
		i++;
	if (i == r->n_groups)
		r->groups[r->n_groups++] = (struct group){ .fact = a->fact,
			.field = a->field,
			.key = a->key,
			.thing = a->thing };
	return &r->groups[i];
}

/* Once to count, once to fill. */
static void
gather(struct rules_builder *b, struct rules *r)
{
	for (uint32_t i = 0; i < r->n_content; i++)
		group_of(r, r->content[i])->n_atoms++;
	for (size_t i = 0; i < r->n_groups; i++) {
		struct group *g = &r->groups[i];

		g->atoms = rules_alloc(b, g->n_atoms * sizeof(*g->atoms));
		g->n_atoms = 0;
	}
	for (uint32_t i = 0; i < r->n_content; i++) {
		struct group *g = group_of(r, r->content[i]);

		g->atoms[g->n_atoms++] = r->content[i];
	}
	for (size_t i = 0; i < r->n_groups; i++)
		r->groups[i].prefilter = prefilter_new(
		    b, r->groups[i].atoms, r->groups[i].n_atoms);
}

void
atoms_number(struct rules_builder *b)
{
	struct rules *r = b->rules;

	r->atoms = b->atoms;
	r->content = rules_alloc(b, b->n_atoms * sizeof(struct atom *));
	for (struct atom *a = b->atoms; a != NULL; a = a->next) {
		r->uses[a->fact] = true;
		a->index = a->content ? r->n_content++ : r->n_worker++;
		if (a->content)
			r->content[a->index] = a;
	}
	r->groups = rules_alloc(b, r->n_content * sizeof(*r->groups));
	gather(b, r);
}

/* Is it the first of those that ask for that name? */
static bool
is_first_asked(const struct rules *r, const struct atom *a)
{
	const struct atom *b = r->atoms;

	while (b->fact != a->fact || !pn_str_caseeq(b->key, a->key))
		b = b->next;
	return a == b;
}

void
rules_keys(const struct rules *r, uint32_t fact, rules_key_take *take, void *arg)
{
	for (const struct atom *a = r->atoms; a != NULL; a = a->next)
		if (a->fact == fact && is_first_asked(r, a))
			take(arg, a->key);
}
