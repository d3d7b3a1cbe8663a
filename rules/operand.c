/*
 * operand - what stands behind the operator of a test: a text, a number, an
 * address, words, a regex, or the lists of `in` and `claims`; what its fact
 * cannot be compared with is an error with its place.
 *
 * Called by atoms.c for each test that is made into an atom, which is what it
 * fills in; all lies in the builder's arena.
 */
#include "rules/atoms_inside.h"

#include "base/log.h"
#include "base/suggest.h"

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
		    type_noun(m->type));
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

int
operand_take(struct making *m)
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
