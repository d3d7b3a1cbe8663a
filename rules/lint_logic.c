/*
 * lint_logic - conditions as rows of literals: what can never be true, and
 * which condition holds wherever another does. Called by lint.c.
 *
 * Only what is plain is told: numbers as intervals, words as sets, texts that
 * are given whole. What a test says of an absent value (nothing is true of it)
 * is kept in mind: `not x < 5 and not x >= 5` is true of it.
 */
#include "rules/lint.h"

#define ROWS_MAX 64
#define LITERALS_MAX 64

/* ---- rows ---- */

static struct rows
too_many(void)
{
	return (struct rows){ .too_many = true };
}

static struct rows
one_row(struct lint *l, const struct literal *literal)
{
	struct rows r = { .n = 1 };

	r.rows = arena_alloc(l->arena, sizeof(*r.rows));
	if (r.rows == NULL)
		return too_many();
	if (literal == NULL)
		return r;
	r.rows[0].literals = arena_alloc(l->arena, sizeof(*literal));
	if (r.rows[0].literals == NULL)
		return too_many();
	r.rows[0].literals[0] = *literal;
	r.rows[0].n = 1;
	return r;
}

static bool
add_literal(struct row *row, struct literal literal)
{
	for (size_t i = 0; i < row->n; i++)
		if (row->literals[i].x->atom == literal.x->atom &&
		    row->literals[i].x->kind == EXPR_TEST &&
		    literal.x->kind == EXPR_TEST &&
		    row->literals[i].positive == literal.positive)
			return true; /* said already */
	if (row->n == LITERALS_MAX)
		return false;
	row->literals[row->n++] = literal;
	return true;
}

static bool
join_row(
    struct lint *l, struct row *to, const struct row *a, const struct row *b)
{
	to->n = 0;
	to->literals =
	    arena_alloc(l->arena, (a->n + b->n + 1) * sizeof(*to->literals));
	if (to->literals == NULL)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!add_literal(to, a->literals[i]))
			return false;
	for (size_t i = 0; i < b->n; i++)
		if (!add_literal(to, b->literals[i]))
			return false;
	return true;
}

static struct rows
both(struct lint *l, struct rows a, struct rows b)
{
	struct rows r = { .n = a.n * b.n };

	if (a.too_many || b.too_many || r.n > ROWS_MAX)
		return too_many();
	r.rows = arena_alloc(l->arena, (r.n + 1) * sizeof(*r.rows));
	if (r.rows == NULL)
		return too_many();
	for (size_t i = 0; i < a.n; i++)
		for (size_t k = 0; k < b.n; k++)
			if (!join_row(l, &r.rows[i * b.n + k], &a.rows[i],
				&b.rows[k]))
				return too_many();
	return r;
}

static struct rows
either(struct lint *l, struct rows a, struct rows b)
{
	struct rows r = { .n = a.n + b.n };

	if (a.too_many || b.too_many || r.n > ROWS_MAX)
		return too_many();
	r.rows = arena_alloc(l->arena, (r.n + 1) * sizeof(*r.rows));
	if (r.rows == NULL)
		return too_many();
	for (size_t i = 0; i < r.n; i++)
		r.rows[i] = i < a.n ? a.rows[i] : b.rows[i - a.n];
	return r;
}

/* Recursion is bounded: the parser has counted the levels. */
static struct rows
rows_of(struct lint *l, const struct expr *x, bool positive)
{
	struct literal literal = { x, positive };
	struct rows all;

	if (x->kind == EXPR_TEST || x->kind == EXPR_QUANT)
		return one_row(l, &literal);
	if (x->kind == EXPR_NOT)
		return rows_of(l, x->first, !positive);
	all = rows_of(l, x->first, positive);
	for (const struct expr *k = x->first->next; k != NULL; k = k->next) {
		struct rows one = rows_of(l, k, positive);

		all = (x->kind == EXPR_AND) == positive ? both(l, all, one)
							: either(l, all, one);
	}
	return all;
}

struct rows
lint_rows(struct lint *l, const struct expr *when, const struct expr *unless)
{
	struct rows all = one_row(l, NULL);

	if (when != NULL)
		all = both(l, all, rows_of(l, when, true));
	if (unless != NULL)
		all = both(l, all, rows_of(l, unless, false));
	return all;
}

/* ---- are two the same? ---- */

static bool
same_expr(const struct expr *a, const struct expr *b)
{
	const struct expr *x = a->first, *y = b->first;

	if (a->kind != b->kind)
		return false;
	if (a->kind == EXPR_TEST)
		return a->atom == b->atom;
	if (a->kind == EXPR_QUANT &&
	    (a->quant != b->quant || a->top != b->top || a->thing != b->thing))
		return false;
	for (; x != NULL && y != NULL; x = x->next, y = y->next)
		if (!same_expr(x, y))
			return false;
	return x == y; /* both at the end */
}

/* `no part (...)` is `not any part (...)`. */
static bool
is_no_of(const struct expr *a, const struct expr *b)
{
	return a->kind == EXPR_QUANT && b->kind == EXPR_QUANT &&
	       a->thing == b->thing && a->top == b->top &&
	       ((a->quant == QUANT_NO && b->quant == QUANT_ANY) ||
		   (a->quant == QUANT_ANY && b->quant == QUANT_NO)) &&
	       same_expr(a->first, b->first);
}

static bool
same_literal(const struct literal *a, const struct literal *b)
{
	return a->positive == b->positive ? same_expr(a->x, b->x)
					  : is_no_of(a->x, b->x);
}

static bool
opposite_literal(const struct literal *a, const struct literal *b)
{
	return a->positive != b->positive ? same_expr(a->x, b->x)
					  : is_no_of(a->x, b->x);
}

/* ---- one fact ---- */

static bool
same_fact(const struct atom *a, const struct atom *b)
{
	return a->fact == b->fact && a->field == b->field &&
	       a->thing == b->thing && pn_str_eq(a->key, b->key);
}

static bool
has_one_value(const struct lint *l, const struct atom *a)
{
	const struct rules_decl *d = &l->r->decls->facts[a->fact];

	return !d->many && !d->keyed;
}

/* The op, its opposite where the literal must be false. */
static enum op
op_of(const struct literal *a)
{
	static const enum op opposite[OPS] = { [OP_EQ] = OP_NE,
		[OP_NE] = OP_EQ,
		[OP_LT] = OP_GE,
		[OP_GE] = OP_LT,
		[OP_GT] = OP_LE,
		[OP_LE] = OP_GT };

	return a->positive ? a->x->atom->op : opposite[a->x->atom->op];
}

/* Take from [least, most] what a literal on a number leaves of it. */
static void
narrow(const struct literal *a, struct bounds *b)
{
	int64_t n = a->x->atom->number;
	enum op op = op_of(a);

	if ((op == OP_EQ || op == OP_GE) && n > b->least)
		b->least = n;
	if ((op == OP_EQ || op == OP_LE) && n < b->most)
		b->most = n;
	if (op == OP_GT && n >= b->least)
		b->least = n + 1;
	if (op == OP_LT && n <= b->most)
		b->most = n - 1;
	if (op == OP_NE && n == b->least && n == b->most)
		b->most = n - 1;
}

static size_t
n_words(const struct rules_decl *d)
{
	size_t n = 0;

	while (d->words[n] != NULL)
		n++;
	return n;
}

/* Which words of the fact a literal leaves; there are 64 at most. */
static uint64_t
words_of(const struct rules_decl *d, const struct literal *a)
{
	const struct atom *atom = a->x->atom;
	uint64_t left = 0;

	for (unsigned i = 0; d->words[i] != NULL; i++) {
		struct pn_str word = pn_str_of(d->words[i]);
		bool named = false;

		for (size_t k = 0; k < atom->n_words; k++)
			named |= pn_str_eq(atom->words[k], word);
		for (size_t k = 0; k < atom->n_lists; k++)
			named |= list_member(atom->lists[k], word) != NULL;
		if (((atom->op == OP_IS_NOT) != named) == a->positive)
			left |= 1ull << i;
	}
	return left;
}

/* Does the literal allow that its fact is this very text? True if unsure. */
static bool
allows(enum value_type type, const struct literal *a, struct pn_str text)
{
	const struct atom *atom = a->x->atom;
	struct pn_str none = PN_STR(""), domain = none;
	const char *at = text.n ? memrchr(text.p, '@', text.n) : NULL;
	bool holds;

	switch (atom->op) {
	case OP_EQ:
	case OP_NE:
		holds = (type == VALUE_IP
				? nets_first(atom->nets, text) != NETS_NONE
				: pn_str_caseeq(atom->text, text)) ==
			(atom->op == OP_EQ);
		break;
	case OP_IN:
		for (size_t i = 0; i < atom->n_lists; i++)
			if (list_is_map(atom->lists[i]))
				return true;
		if (type == VALUE_ADDRESS && atom->field == FIELD_WHOLE && at)
			domain =
			    pn_str_sub(text, (size_t)(at + 1 - text.p), text.n);
		holds = type == VALUE_IP &&
			nets_first(atom->nets, text) != NETS_NONE;
		for (size_t i = 0; type != VALUE_IP && i < atom->n_lists; i++)
			holds |= list_member_address(
				     atom->lists[i], text, domain) != NULL;
		break;
	default:
		return true;
	}
	return holds == a->positive;
}

/* ---- rows that cannot be true ---- */

struct clash {
	struct lint *l;
	const struct row *row;
	const struct bounds *score;
	const struct literal *here, *there;
};

static bool
is_on(const struct literal *a, const struct atom *atom)
{
	return a->x->kind == EXPR_TEST && same_fact(a->x->atom, atom);
}

/* Each literal on the number of `first` narrows; the one that leaves nothing
 * clashes with the first that narrowed. */
static bool
numbers_clash(struct clash *c, const struct literal *first)
{
	const struct atom *atom = first->x->atom;
	bool is_score = atom->fact == c->l->r->score && c->score != NULL;
	struct bounds left = { INT64_MIN, INT64_MAX };

	if (is_score)
		left = *c->score;
	else if (!c->l->r->decls->facts[atom->fact].below_zero)
		left.least = 0;
	narrow(first, &left);
	c->here = first;
	c->there = NULL;
	if (left.least > left.most)
		return true;
	for (size_t i = 0; i < c->row->n; i++) {
		const struct literal *a = &c->row->literals[i];

		if (a == first || !is_on(a, atom))
			continue;
		narrow(a, &left);
		c->here = a;
		c->there = first;
		if (left.least > left.most)
			return true;
	}
	return false;
}

static bool
words_clash(struct clash *c, const struct literal *first)
{
	const struct rules_decl *d =
	    &c->l->r->decls->facts[first->x->atom->fact];
	uint64_t left = words_of(d, first);

	c->here = first;
	c->there = NULL;
	if (left == 0)
		return true;
	for (size_t i = 0; i < c->row->n; i++) {
		const struct literal *a = &c->row->literals[i];

		if (a == first || !is_on(a, first->x->atom))
			continue;
		left &= words_of(d, a);
		c->here = a;
		c->there = first;
		if (left == 0)
			return true;
	}
	return false;
}

/* first says what the whole text is (of some value, where there are many). */
static bool
texts_clash(struct clash *c, const struct literal *first, bool one_value)
{
	const struct atom *atom = first->x->atom;
	enum value_type type = c->l->r->decls->facts[atom->fact].type;
	struct pn_str text = type == VALUE_IP ? atom->values->text : atom->text;

	if (type == VALUE_IP && text.n > 2 && text.p[0] == '[')
		text = pn_str_sub(text, 1, text.n - 2);
	for (size_t i = 0; i < c->row->n; i++) {
		const struct literal *a = &c->row->literals[i];

		if (a == first || !is_on(a, atom) ||
		    (!one_value && a->positive))
			continue;
		c->here = a;
		c->there = first;
		if (!allows(type, a, text))
			return true;
	}
	return false;
}

/* A test that is true: its fact has a value, and the others speak of it. */
static bool
value_clashes(struct clash *c, const struct literal *first)
{
	const struct atom *atom = first->x->atom;
	const struct rules_decl *d = &c->l->r->decls->facts[atom->fact];
	bool one = has_one_value(c->l, atom);

	if (d->type == VALUE_NUMBER)
		return one && numbers_clash(c, first);
	if (d->type == VALUE_WORD)
		return one && n_words(d) <= 64 && words_clash(c, first);
	return atom->op == OP_EQ && texts_clash(c, first, one);
}

/* `any` of what nothing can be. */
static bool
quantifier_clashes(struct clash *c, const struct literal *a)
{
	struct rows within;

	if (a->x->kind != EXPR_QUANT ||
	    (a->x->quant == QUANT_ANY) != a->positive ||
	    a->x->quant == QUANT_ALL)
		return false;
	within = lint_rows(c->l, a->x->first, NULL);
	return lint_never(c->l, &within, c->score, &c->here, &c->there);
}

static bool
row_clashes(struct clash *c)
{
	for (size_t i = 0; i < c->row->n; i++) {
		const struct literal *a = &c->row->literals[i];

		for (size_t k = 0; k < i; k++)
			if (opposite_literal(a, &c->row->literals[k])) {
				c->here = a;
				c->there = &c->row->literals[k];
				return true;
			}
		if (quantifier_clashes(c, a) ||
		    (a->x->kind == EXPR_TEST && a->positive &&
			value_clashes(c, a)))
			return true;
	}
	return false;
}

bool
lint_never(struct lint *l, const struct rows *rows, const struct bounds *score,
    const struct literal **here, const struct literal **there)
{
	struct clash c = { .l = l, .score = score };

	if (rows->too_many)
		return false;
	for (size_t i = rows->n; i-- > 0;) {
		c.row = &rows->rows[i];
		if (!row_clashes(&c))
			return false;
		*here = c.here;
		*there = c.there;
	}
	return rows->n > 0;
}

/* ---- one condition within another ---- */

/* Is a, on the same fact, true of every value that b is true of? */
static bool
is_wider(const struct lint *l, const struct literal *a, const struct literal *b)
{
	const struct atom *atom = b->x->atom;
	const struct rules_decl *d = &l->r->decls->facts[atom->fact];
	struct bounds wide = { INT64_MIN, INT64_MAX }, narrow_one = wide;
	enum op op = a->x->atom->op;

	if (d->type == VALUE_NUMBER) {
		narrow(a, &wide);
		narrow(b, &narrow_one);
		return op_of(a) != OP_NE && op_of(b) != OP_NE &&
		       wide.least <= narrow_one.least &&
		       narrow_one.most <= wide.most;
	}
	if (d->type == VALUE_WORD && n_words(d) <= 64)
		return (words_of(d, b) & ~words_of(d, a)) == 0;
	/* One text: what is told of texts, and what maps hold may change. */
	return atom->op == OP_EQ && (op == OP_EQ || op == OP_NE) &&
	       d->type != VALUE_IP && allows(d->type, a, atom->text);
}

/* Does b say more than a, so that a is true wherever b is? */
static bool
follows(const struct lint *l, const struct literal *a, const struct literal *b)
{
	if (same_literal(a, b))
		return true;
	if (a->x->kind != EXPR_TEST || b->x->kind != EXPR_TEST ||
	    !b->positive || !same_fact(a->x->atom, b->x->atom))
		return false;
	/* Of several values a may be false of one that b does not mean. */
	return (a->positive || has_one_value(l, a->x->atom)) &&
	       is_wider(l, a, b);
}

/* All that a wants follows from what b wants: then b is the narrower. */
static bool
row_covers(const struct lint *l, const struct row *a, const struct row *b)
{
	for (size_t i = 0; i < a->n; i++) {
		bool found = false;

		for (size_t k = 0; k < b->n && !found; k++)
			found = follows(l, &a->literals[i], &b->literals[k]);
		if (!found)
			return false;
	}
	return true;
}

bool
lint_covers(const struct lint *l, const struct rows *a, const struct rows *b)
{
	if (a->too_many || b->too_many || b->n == 0)
		return false;
	for (size_t i = 0; i < b->n; i++) {
		bool covered = false;

		for (size_t k = 0; k < a->n && !covered; k++)
			covered = row_covers(l, &a->rows[k], &b->rows[i]);
		if (!covered)
			return false;
	}
	return true;
}
