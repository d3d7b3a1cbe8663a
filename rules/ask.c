/*
 * ask - what one atom says of one value, or of all values a fact has. Called by
 * judge.c (the worker's atoms) and answers.c (the inspector's).
 *
 * An absent fact makes every atom false, an unknown one makes it unknown; of
 * several values any will do.
 */
#include "rules/tree.h"

#include <stdio.h>

struct pn_str
value_text(const struct value *v, enum field field)
{
	switch (field) {
	case FIELD_LOCAL:
		return v->local;
	case FIELD_DOMAIN:
		return v->domain;
	case FIELD_DISPLAY:
		return v->display;
	default:
		return v->str;
	}
}

/* What a reader sees of an address: its display name, or for want of one
 * itself. */
static struct pn_str
shown(const struct atom *a, enum value_type type, const struct value *v)
{
	bool whole = type == VALUE_ADDRESS && a->field == FIELD_WHOLE;

	return whole && v->display.n > 0 ? v->display : value_text(v, a->field);
}

/* needle is not empty. Its first byte in either case is looked for first: raw
 * may be the whole message. */
static bool
contains(struct pn_str hay, struct pn_str needle)
{
	char first = needle.p[0], other = first;

	if ((first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z'))
		other = (char)(first ^ 32);
	for (size_t i = 0; i + needle.n <= hay.n; i++)
		if ((hay.p[i] == first || hay.p[i] == other) &&
		    pn_str_caseeq(pn_str_sub(hay, i, needle.n), needle))
			return true;
	return false;
}

static bool
in_nets(const struct atom *a, struct pn_str ip)
{
	return a->nets != NULL && nets_first(a->nets, ip) != NETS_NONE;
}

/* One list that says yes is enough; a map may not know. */
static enum tri
in_lists(const struct atom *a, enum value_type type, struct rules_run *run,
    const struct value *v)
{
	bool whole = type == VALUE_ADDRESS && a->field == FIELD_WHOLE;
	struct pn_str none = PN_STR("");
	enum tri all = TRI_FALSE;

	if (type == VALUE_IP && in_nets(a, v->str))
		return TRI_TRUE;
	for (size_t i = 0; i < a->n_lists; i++) {
		enum tri one;

		if (type == VALUE_IP && !list_is_map(a->lists[i]))
			continue; /* one of the nets */
		one = list_has(a->lists[i], run, value_text(v, a->field),
		    whole ? v->domain : none);
		if (one == TRI_TRUE)
			return one;
		if (one == TRI_UNKNOWN)
			all = one;
	}
	return all;
}

static enum tri
claims(const struct atom *a, enum value_type type, const struct value *v)
{
	enum tri all = TRI_FALSE;

	for (size_t i = 0; i < a->n_lists; i++) {
		enum tri one =
		    people_claimed(a->lists[i]->people, shown(a, type, v));

		if (one == TRI_TRUE)
			return one;
		if (one == TRI_UNKNOWN)
			all = one;
	}
	return all;
}

static bool
among_words(const struct atom *a, struct pn_str word)
{
	for (size_t i = 0; i < a->n_words; i++)
		if (pn_str_eq(a->words[i], word))
			return true;
	return false;
}

static bool
is_equal(const struct atom *a, enum value_type type, const struct value *v)
{
	if (type == VALUE_NUMBER)
		return v->number == a->number;
	if (type == VALUE_IP)
		return in_nets(a, v->str);
	return pn_str_caseeq(value_text(v, a->field), a->text);
}

static bool
holds(const struct atom *a, enum value_type type, const struct value *v)
{
	switch (a->op) {
	case OP_EQ:
		return is_equal(a, type, v);
	case OP_NE:
		return !is_equal(a, type, v);
	case OP_LT:
		return v->number < a->number;
	case OP_GT:
		return v->number > a->number;
	case OP_LE:
		return v->number <= a->number;
	case OP_GE:
		return v->number >= a->number;
	case OP_CONTAINS:
		return contains(value_text(v, a->field), a->text);
	case OP_IS:
		return among_words(a, v->str);
	case OP_IS_NOT:
		return !among_words(a, v->str);
	default: /* OP_HOLDS; patterns and lists are asked in atom_test() */
		return v->number != 0;
	}
}

/* A value as the trace shows it. */
static void
keep_value(struct match *m, const struct atom *a, enum value_type type,
    const struct value *v)
{
	m->n_captures = 0;
	if (type == VALUE_NUMBER)
		m->text = (struct pn_str){ m->kept,
			(size_t)snprintf(m->kept, sizeof(m->kept), "%lld",
			    (long long)v->number) };
	else if (type == VALUE_BOOL)
		m->text = v->number ? PN_STR_V("yes") : PN_STR_V("no");
	else
		m->text =
		    pn_str_sub(a->op == OP_CLAIMS ? shown(a, type, v)
						  : value_text(v, a->field),
			0, MATCH_KEPT);
}

static enum tri
opposite(enum tri t)
{
	return t == TRI_UNKNOWN ? t : tri_of(t == TRI_FALSE);
}

enum tri
atom_test_in(const struct atom *a, const struct rules_decl *decl,
    struct rules_run *run, const struct value *v,
    const struct span spans[LANES], struct match *m)
{
	enum tri found;

	if (a->pattern == NULL)
		return atom_test(a, decl, run, v, m);
	keep_value(m, a, decl->type, v);
	found = pattern_match_in(
	    a->pattern, run, value_text(v, a->field), spans, m);
	return a->op == OP_MATCH ? found : opposite(found);
}

enum tri
atom_test(const struct atom *a, const struct rules_decl *decl,
    struct rules_run *run, const struct value *v, struct match *m)
{
	enum tri found;

	keep_value(m, a, decl->type, v);
	if (v->state != VALUE_KNOWN)
		return v->state == VALUE_UNKNOWN ? TRI_UNKNOWN : TRI_FALSE;
	if (a->op == OP_CLAIMS)
		return claims(a, decl->type, v);
	if (a->op == OP_IN)
		return in_lists(a, decl->type, run, v);
	if (a->pattern == NULL)
		return tri_of(holds(a, decl->type, v));
	found = pattern_match(a->pattern, run, value_text(v, a->field), m);
	return a->op == OP_MATCH ? found : opposite(found);
}

struct values
values_of(const struct rules_decl *decl, uint32_t fact, uint32_t thing,
    struct pn_str key)
{
	return (struct values){ .fact = fact,
		.thing = thing,
		.key = key,
		.most = decl->many || decl->keyed ? VALUES_ASKED : 1 };
}

bool
values_next(struct values *at, const struct rules_facts *facts, struct value *v)
{
	unsigned end = at->most > 1 ? at->most + 1 : 1;

	*v = (struct value){ .state = VALUE_UNKNOWN };
	if (at->nth == end || at->unknowns == UNKNOWNS_ASKED)
		return false;
	if (at->nth++ == at->most)
		return true; /* one more than is asked for */
	facts->get(facts->arg, at->fact, at->thing, at->key, at->nth - 1, v);
	at->unknowns = v->state == VALUE_UNKNOWN ? at->unknowns + 1 : 0;
	return v->state != VALUE_ABSENT;
}

/* The next get() may take the value's bytes away. */
static void
keep_text(struct match *m)
{
	m->text = pn_str_sub(m->text, 0, sizeof(m->kept));
	if (m->text.n > 0)
		memmove(m->kept, m->text.p, m->text.n);
	m->text.p = m->kept;
}

enum tri
atom_ask(const struct rules *r, const struct atom *a, struct rules_run *run,
    const struct rules_facts *facts, uint32_t thing, enum value_state *seen,
    struct match *m)
{
	const struct rules_decl *decl = &r->decls->facts[a->fact];
	struct values at = values_of(decl, a->fact, thing, a->key);
	enum tri all = TRI_FALSE;
	struct value v;

	*seen = VALUE_ABSENT;
	while (values_next(&at, facts, &v)) {
		enum tri one = atom_test(a, decl, run, &v, m);

		*seen = v.state;
		keep_text(m);
		if (one == TRI_TRUE)
			return one;
		if (one == TRI_UNKNOWN)
			all = TRI_UNKNOWN;
	}
	return all;
}
