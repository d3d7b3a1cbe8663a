/*
 * atoms - one test on one fact: made from what was written, typed and shared.
 *
 * check.c makes them; two that read the same in canonical text are one. Those
 * on facts of the inspector (content) are numbered apart and gathered by the
 * text they look at, the others are the worker's. How one is asked stands in
 * ask.c.
 */
#include "rules/tree.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/suggest.h"
#include "rules/prefilter.h"

/* ---- facts by name ---- */

static const struct {
	const char *name;
	enum field field;
} fields[] = { { ".local", FIELD_LOCAL }, { ".domain", FIELD_DOMAIN },
	{ ".display", FIELD_DISPLAY }, { ".address", FIELD_WHOLE } };

/* The thing a declaration belongs to, or NO_THING. */
static uint32_t
thing_of(const struct rules_decls *d, struct pn_str name)
{
	for (uint32_t i = 0; d->things[i] != NULL; i++) {
		struct pn_str thing = pn_str_of(d->things[i]);

		if (pn_str_starts(name, thing) && name.n > thing.n &&
		    name.p[thing.n] == '.')
			return i;
	}
	return NO_THING;
}

/* Does decl read as prefix.name (or name, without a prefix)? */
static bool
reads_as(const char *decl, struct pn_str prefix, struct pn_str name)
{
	struct pn_str d = pn_str_of(decl);

	if (prefix.n > 0) {
		if (!pn_str_starts(d, prefix) || d.n <= prefix.n ||
		    d.p[prefix.n] != '.')
			return false;
		d = pn_str_sub(d, prefix.n + 1, d.n);
	}
	return pn_str_eq(d, name);
}

static bool
find_decl(const struct rules_decls *d, struct pn_str prefix, struct pn_str name,
    uint32_t *fact)
{
	for (*fact = 0; *fact < d->n_facts; ++*fact)
		if (reads_as(d->facts[*fact].name, prefix, name))
			return true;
	return false;
}

static bool
find_with_field(const struct rules_decls *d, struct pn_str prefix,
    struct pn_str name, struct fact_ref *out)
{
	out->field = FIELD_WHOLE;
	if (find_decl(d, prefix, name, &out->fact))
		return true;
	for (size_t i = 0; i < PN_COUNT(fields); i++) {
		struct pn_str f = pn_str_of(fields[i].name);

		out->field = fields[i].field;
		if (pn_str_ends(name, f) &&
		    find_decl(d, prefix, pn_str_sub(name, 0, name.n - f.n),
			&out->fact))
			return d->facts[out->fact].type == VALUE_ADDRESS;
	}
	return false;
}

bool
fact_exists(const struct rules_decls *d, uint32_t thing, struct pn_str name,
    struct fact_ref *out)
{
	if (thing != NO_THING &&
	    find_with_field(d, pn_str_of(d->things[thing]), name, out)) {
		out->thing = thing;
		return true;
	}
	if (!find_with_field(d, (struct pn_str){ NULL, 0 }, name, out))
		return false;
	out->thing = thing_of(d, pn_str_of(d->facts[out->fact].name));
	return true;
}

static int
error_of_thing(const struct word *name, const char *thing, struct error *e)
{
	return lex_error(e, &name->pos,
	    "\"%s\" is a fact of each %s: ask with any, all or no %s ( ... )",
	    VIS(name->text), thing, thing);
}

/* Is it this name, or one of those that begin with it and a dot? */
static bool
is_under(struct pn_str name, const char *first)
{
	struct pn_str f = pn_str_of(first);

	return pn_str_starts(name, f) &&
	       (name.n == f.n || name.p[f.n] == '.');
}

/* Then the name is a slip: there are such facts. */
static bool
has_some_under(const struct rules_decls *d, const char *first)
{
	for (uint32_t i = 0; i < d->n_facts; i++)
		if (is_under(pn_str_of(d->facts[i].name), first))
			return true;
	return false;
}

static int
error_of_absent(const struct word *name, const struct rules_absent *absent,
    struct error *e)
{
	if (absent->module == NULL)
		return lex_error(e, &name->pos,
		    "fact \"%s\" needs a block \"%s NAME { ... }\"",
		    VIS(name->text), absent->name);
	return lex_error(e, &name->pos,
	    "fact \"%s\" needs module %s, which is not loaded",
	    VIS(name->text), absent->module);
}

#define BELOW_MAX 12

/* Why a name is no fact: its module is absent, its quantifier, a slip, or the
 * front of several. */
static int
explain_missing(const struct rules_decls *d, uint32_t thing,
    const struct word *name, struct error *e)
{
	struct suggest s = suggest_for(name->text);
	const char *below[BELOW_MAX + 1] = { NULL };
	struct fact_ref ref;
	size_t n = 0;
	char near[256];

	for (size_t i = 0; i < d->n_absent; i++)
		if (is_under(name->text, d->absent[i].name) &&
		    !has_some_under(d, d->absent[i].name))
			return error_of_absent(name, &d->absent[i], e);
	for (uint32_t i = 0; d->things[i] != NULL; i++)
		if (find_with_field(
			d, pn_str_of(d->things[i]), name->text, &ref))
			return error_of_thing(name, d->things[i], e);
	for (uint32_t i = 0; i < d->n_facts; i++) {
		struct pn_str f = pn_str_of(d->facts[i].name);

		if (thing != NO_THING && thing_of(d, f) == thing)
			f = pn_str_sub(f, strlen(d->things[thing]) + 1, f.n);
		suggest_try(&s, f);
		if (pn_str_starts(f, name->text) && f.n > name->text.n &&
		    f.p[name->text.n] == '.' && n < BELOW_MAX)
			below[n++] = f.p; /* to the end of the name */
	}
	return lex_error(e, &name->pos, "unknown fact \"%s\"%s",
	    VIS(name->text), suggest_or_list(&s, below, near, sizeof(near)));
}

int
fact_find(const struct rules_decls *d, uint32_t thing, const struct word *name,
    struct fact_ref *out, struct error *e)
{
	if (name->quoted || !fact_exists(d, thing, name->text, out))
		return explain_missing(d, thing, name, e);
	if (out->thing != NO_THING && out->thing != thing)
		return error_of_thing(name, d->things[out->thing], e);
	return 0;
}

/* ---- from what was written ---- */

struct making {
	struct rules_builder *b;
	const struct test *test;
	uint32_t scope; /* the thing of the quantifier around, or NO_THING */
	const struct rules_decl *decl;
	enum value_type type; /* of the field */
	struct atom *atom;
	struct error *e;
};

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

/* A size of the grammar as a number that fits. */
static int
take_number(struct making *m, const struct word *w)
{
	bool sign =
	    w->text.n > 0 && (w->text.p[0] == '-' || w->text.p[0] == '+');
	struct pn_str digits = pn_str_sub(w->text, sign, w->text.n);
	unsigned long long v;

	/* 10 digits and a unit stay below 2^63. */
	if (w->quoted || digits.n > 10 || lex_size(digits, &v) < 0)
		return lex_error(m->e, &w->pos,
		    "\"%s\" is no number (digits, then K, M or G if wanted)",
		    VIS(w->text));
	m->atom->number = (int64_t)v;
	if (sign && w->text.p[0] == '-')
		m->atom->number = -m->atom->number;
	return 0;
}

static int
take_net(struct making *m, const struct word *w)
{
	struct net net;
	const char *wrong = net_parse(w->text, &net);

	if (wrong == NULL && net.bits < 128)
		wrong = "is a network; use \"in\"";
	if (wrong != NULL)
		return lex_error(
		    m->e, &w->pos, "\"%s\" %s", VIS(w->text), wrong);
	m->atom->nets = nets_new(m->b, &net, 1, false);
	return 0;
}

static int
take_address(struct making *m, const struct word *w)
{
	m->atom->text = w->text;
	if (w->text.n > 0 && !address_is_valid(w->text, false))
		return lex_error(
		    m->e, &w->pos, "\"%s\" is no address", VIS(w->text));
	return 0;
}

static int
take_equal(struct making *m)
{
	const struct word *w = m->test->values;

	switch (m->type) {
	case VALUE_NUMBER:
		return take_number(m, w);
	case VALUE_IP:
		return take_net(m, w);
	case VALUE_ADDRESS:
		return take_address(m, w);
	default:
		m->atom->text = w->text;
		return 0;
	}
}

static int
take_contained(struct making *m)
{
	m->atom->text = m->test->values->text;
	if (m->atom->text.n > 0)
		return 0;
	return lex_error(
	    m->e, &m->test->values->pos, "every text contains \"\"");
}

static bool
has_word(const struct rules_decl *decl, struct pn_str word)
{
	for (size_t i = 0; decl->words[i] != NULL; i++)
		if (pn_str_eq(pn_str_of(decl->words[i]), word))
			return true;
	return false;
}

static int
unknown_word(struct making *m, const struct word *w)
{
	struct suggest s = suggest_for(w->text);
	struct fact_ref other;
	char near[256];

	if (fact_exists(m->b->decls, m->scope, w->text, &other))
		return lex_error(m->e, &w->pos,
		    "\"%s\" is no word of %s; a test of the fact \"%s\" goes "
		    "first or in parentheses",
		    VIS(w->text), m->decl->name, VIS(w->text));
	for (size_t i = 0; m->decl->words[i] != NULL; i++)
		suggest_try(&s, pn_str_of(m->decl->words[i]));
	return lex_error(m->e, &w->pos, "\"%s\" is no word of %s%s",
	    VIS(w->text), m->decl->name,
	    suggest_or_list(&s, m->decl->words, near, sizeof(near)));
}

static int
take_words(struct making *m)
{
	struct atom *a = m->atom;
	size_t n = 0;

	for (const struct word *w = m->test->values; w != NULL; w = w->next) {
		if (!has_word(m->decl, w->text))
			return unknown_word(m, w);
		n++;
	}
	a->words = rules_alloc(m->b, n * sizeof(*a->words));
	for (const struct word *w = m->test->values; w != NULL; w = w->next)
		a->words[a->n_words++] = w->text;
	return 0;
}

/* ---- in ---- */

/* What is wrong with a member for this fact, or NULL. */
static const char *
member_misfit(struct making *m, struct pn_str member, struct net *net)
{
	switch (m->type) {
	case VALUE_IP:
		return net_parse(member, net);
	case VALUE_ADDRESS:
		return address_is_valid(member, true)
			   ? NULL
			   : "is neither an address nor @domain";
	case VALUE_WORD:
		return has_word(m->decl, member) ? NULL
						 : "is no word of that fact";
	default:
		return NULL;
	}
}

/* May this list be used for this fact at all? */
static int
check_list(struct making *m, const struct list *l, const struct word *at)
{
	struct pn_str fact = pn_str_of(m->decl->name);
	const char *misfit = list_misfit(l, m->type);
	struct net net;

	if (l->kind == LIST_EXT && !pn_str_ends(fact, PN_STR_V(".ext")))
		return lex_error(m->e, &at->pos,
		    "set \"%s\" holds file name extensions, and \"%s\" is none",
		    VIS(at->text), VIS(m->test->name.text));
	if (misfit != NULL)
		return lex_error(m->e, &at->pos,
		    "%s \"%s\" %s, and \"%s\" is %s", list_noun(l),
		    VIS(at->text), misfit, VIS(m->test->name.text),
		    type_names[m->type]);
	if (list_is_map(l))
		return 0; /* checked when it was read */
	for (const struct word *w = l->members; w != NULL; w = w->next) {
		const char *wrong = member_misfit(m, w->text, &net);

		if (wrong != NULL)
			return lex_error(m->e, &at->pos,
			    "%s \"%s\" holds \"%s\", which %s", list_noun(l),
			    VIS(at->text), VIS(w->text), wrong);
	}
	return 0;
}

static int
no_such_list(struct making *m, const struct word *w, const char *wrong)
{
	struct suggest s = suggest_for(w->text);
	char near[96];

	for (const struct list *l = m->b->rules->lists; l != NULL; l = l->next)
		suggest_try(&s, l->name);
	if (m->type == VALUE_IP && s.best.n == 0)
		return lex_error(
		    m->e, &w->pos, "\"%s\" %s", VIS(w->text), wrong);
	return lex_error(m->e, &w->pos, "unknown set or map \"%s\"%s",
	    VIS(w->text), suggest_text(&s, near, sizeof(near)));
}

/* A value stands for itself when quoted, or when it can be no list's name. */
static bool
is_literal(const struct making *m, const struct word *w, const char *wrong)
{
	if (w->quoted)
		return true;
	if (m->type == VALUE_IP)
		return wrong == NULL;
	return m->type == VALUE_ADDRESS && memchr(w->text.p, '@', w->text.n);
}

static int
take_in_value(struct making *m, const struct word *w, struct word ***literals)
{
	struct net net;
	const char *wrong = member_misfit(m, w->text, &net);
	const struct list *l;

	if (is_literal(m, w, wrong)) {
		if (w->text.n == 0 || w->text.n > MEMBER_MAX)
			wrong = "cannot be listed: 1 to 1000 bytes can";
		if (wrong != NULL)
			return lex_error(
			    m->e, &w->pos, "\"%s\" %s", VIS(w->text), wrong);
		**literals = rules_alloc(m->b, sizeof(*w));
		***literals = *w;
		(**literals)->next = NULL;
		*literals = &(**literals)->next;
		return 0;
	}
	l = list_find(m->b->rules, w->text);
	if (l == NULL)
		return no_such_list(m, w, wrong);
	m->atom->lists[m->atom->n_lists++] = l;
	return check_list(m, l, w);
}

/* Every network of every list that is no map, in one row. */
static void
gather_nets(struct making *m)
{
	struct atom *a = m->atom;
	struct net *nets;
	size_t n = 0;

	for (size_t i = 0; i < a->n_lists; i++)
		n += list_is_map(a->lists[i]) ? 0 : a->lists[i]->n_members;
	nets = rules_alloc(m->b, n * sizeof(*nets));
	n = 0;
	for (size_t i = 0; i < a->n_lists; i++) {
		const struct word *w =
		    list_is_map(a->lists[i]) ? NULL : a->lists[i]->members;

		for (; w != NULL; w = w->next)
			(void)net_parse(w->text, &nets[n++]); /* checked */
	}
	a->nets = nets_new(m->b, nets, n, false);
}

static int
take_in(struct making *m)
{
	struct word *literals = NULL, **last = &literals;
	size_t n = 1;

	for (const struct word *w = m->test->values; w != NULL; w = w->next)
		n++;
	m->atom->lists = rules_alloc(m->b, n * sizeof(*m->atom->lists));
	for (const struct word *w = m->test->values; w != NULL; w = w->next)
		if (take_in_value(m, w, &last) < 0)
			return -1;
	if (literals != NULL)
		m->atom->lists[m->atom->n_lists++] = list_of(m->b, literals);
	if (m->type == VALUE_IP)
		gather_nets(m);
	return 0;
}

static int
no_such_people(struct making *m, const struct word *w)
{
	struct suggest s = suggest_for(w->text);
	char near[96];

	for (const struct list *l = m->b->rules->lists; l != NULL; l = l->next)
		if (l->kind == LIST_PEOPLE)
			suggest_try(&s, l->name);
	return lex_error(m->e, &w->pos, "unknown people \"%s\"%s", VIS(w->text),
	    suggest_text(&s, near, sizeof(near)));
}

/* claims NAME {NAME} */
static int
take_claims(struct making *m)
{
	size_t n = 0;

	for (const struct word *w = m->test->values; w != NULL; w = w->next)
		n++;
	m->atom->lists = rules_alloc(m->b, n * sizeof(*m->atom->lists));
	for (const struct word *w = m->test->values; w != NULL; w = w->next) {
		const struct list *l =
		    w->quoted ? NULL : list_find(m->b->rules, w->text);

		if (l == NULL)
			return no_such_people(m, w);
		if (l->kind != LIST_PEOPLE)
			return lex_error(m->e, &w->pos,
			    "\"%s\" is a %s; after \"claims\" stands the name "
			    "of a people block",
			    VIS(w->text), list_noun(l));
		m->atom->lists[m->atom->n_lists++] = l;
	}
	return 0;
}

static int
take_operand(struct making *m)
{
	switch (m->atom->op) {
	case OP_EQ:
	case OP_NE:
		return take_equal(m);
	case OP_MATCH:
	case OP_NOMATCH:
		return pattern_compile(m->b, m->test->values, m->test->flags,
		    &m->atom->pattern, m->e);
	case OP_CONTAINS:
		return take_contained(m);
	case OP_CLAIMS:
		return take_claims(m);
	case OP_IN:
		return take_in(m);
	case OP_IS:
	case OP_IS_NOT:
		return take_words(m);
	case OP_HOLDS:
		return 0;
	default:
		return take_number(m, m->test->values);
	}
}

struct pn_str
key_bare(const struct rules_decl *d, struct pn_str key)
{
	bool braces = d->braces && key.n > 1 && key.p[0] == '{' &&
		      key.p[key.n - 1] == '}';

	return braces ? pn_str_sub(key, 1, key.n - 2) : key;
}

/* A name that the fact does not know could never hold. */
int
key_known(const struct rules_decl *d, const struct word *key, struct error *e)
{
	struct suggest near = suggest_for(key->text);
	char text[96];

	for (size_t i = 0; d->keys != NULL && d->keys[i] != NULL; i++) {
		if (pn_str_caseeq(key->text, pn_str_of(d->keys[i])))
			return 0;
		suggest_try(&near, pn_str_of(d->keys[i]));
	}
	return d->keys == NULL ? 0
			       : lex_error(e, &key->pos, "%s knows no \"%s\"%s",
				     d->name, VIS(key->text),
				     suggest_text(&near, text, sizeof(text)));
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
		    VIS(t->name.text), type_names[m->type],
		    type_tests[m->type]);
	return lex_error(m->e, &t->op_pos,
	    "\"%s\" does not go with \"%s\", which is %s: %s",
	    rules_op_name(t->op), VIS(t->name.text), type_names[m->type],
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
	if (check_key(&m) < 0 || check_op(&m) < 0 || take_operand(&m) < 0)
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
