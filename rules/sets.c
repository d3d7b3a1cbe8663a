/*
 * sets - lists of words, file name extensions, networks and addresses: sets
 * from the policy, and what a test lists in place; what all lists share.
 *
 * Members are found by hash, ASCII case ignored.
 */
#include "rules/tree.h"

#include "base/log.h"

/* FNV-1a over the lower-case bytes. */
static size_t
hash(struct pn_str s)
{
	uint64_t h = 14695981039346656037u;

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)pn_lower(s.p[i])) * 1099511628211u;
	return (size_t)(h ^ (h >> 32));
}

/* Where it is, or the empty slot where it would be. */
static struct word **
slot_of(const struct list *l, struct pn_str s)
{
	size_t i = hash(s) & (l->n_slots - 1);

	while (l->slots[i] != NULL && !pn_str_caseeq(l->slots[i]->text, s))
		i = (i + 1) & (l->n_slots - 1);
	return &l->slots[i];
}

/* Fill the table from .members and drop what stands twice. */
static void
index_members(struct rules_builder *b, struct list *l)
{
	struct word **at = &l->members;
	size_t n = 0;

	for (const struct word *w = l->members; w != NULL; w = w->next)
		n++;
	for (l->n_slots = 4; l->n_slots < 2 * n;)
		l->n_slots *= 2;
	l->slots = rules_alloc(b, l->n_slots * sizeof(struct word *));
	while (*at != NULL) {
		struct word **slot = slot_of(l, (*at)->text);

		if (*slot != NULL) {
			*at = (*at)->next;
			continue;
		}
		*slot = *at;
		l->n_members++;
		if ((*at)->text.n > l->longest)
			l->longest = (*at)->text.n;
		at = &(*at)->next;
	}
}

struct list *
list_of(struct rules_builder *b, struct word *members)
{
	struct list *l = rules_alloc(b, sizeof(*l));

	l->members = members;
	index_members(b, l);
	return l;
}

const struct list *
list_find(const struct rules *r, struct pn_str name)
{
	const struct list *l = r->lists;

	while (l != NULL && !pn_str_eq(l->name, name))
		l = l->next;
	return l;
}

const struct word *
list_member(const struct list *l, struct pn_str value)
{
	return value.n <= l->longest ? *slot_of(l, value) : NULL;
}

const struct word *
list_member_address(
    const struct list *l, struct pn_str address, struct pn_str domain)
{
	const struct word *w = list_member(l, address);
	char at_domain[MEMBER_MAX + 1];

	if (w != NULL || domain.n == 0 || domain.n >= sizeof(at_domain))
		return w;
	at_domain[0] = '@';
	memcpy(at_domain + 1, domain.p, domain.n);
	return list_member(l, (struct pn_str){ at_domain, domain.n + 1 });
}

enum tri
list_has(const struct list *l, struct rules_run *run, struct pn_str value,
    struct pn_str domain)
{
	struct map_hit hit;

	if (list_is_map(l))
		return map_ask(l, run, value, domain, &hit);
	return tri_of(list_member_address(l, value, domain) != NULL);
}

const char *
list_noun(const struct list *l)
{
	return list_is_map(l)		? "map"
	       : l->kind == LIST_PEOPLE ? "people"
					: "set";
}

const char *
list_misfit(const struct list *l, enum value_type type)
{
	switch (l->kind) {
	case LIST_TEXT:
		return type == VALUE_ADDRESS ? NULL : "holds addresses";
	case LIST_CIDR:
		return type == VALUE_IP ? NULL : "holds networks";
	case LIST_PCRE:
	case LIST_CDB:
		return type == VALUE_ADDRESS || type == VALUE_STRING
			   ? NULL
			   : "is for strings and addresses";
	case LIST_PEOPLE:
		return type == VALUE_ADDRESS ? NULL : "holds people";
	default:
		return NULL;
	}
}

/* ---- defining them ---- */

int
list_add(struct rules_builder *b, const struct word *name, struct list *l,
    struct error *e)
{
	const struct list *old = list_find(b->rules, name->text);

	if (old != NULL)
		return lex_error(e, &name->pos,
		    "\"%s\" stands already at %s:%u", VIS(name->text),
		    old->pos.file, old->pos.line);
	l->name = name->text;
	l->pos = name->pos;
	*b->last_list = l;
	b->last_list = &l->next;
	return 0;
}

static int
check_members(const struct word *w, struct error *e)
{
	for (; w != NULL; w = w->next) {
		if (w->text.n == 0)
			return lex_error(
			    e, &w->pos, "a member cannot be empty");
		if (w->text.n > MEMBER_MAX)
			return lex_error(e, &w->pos,
			    "a member has at most %d bytes", MEMBER_MAX);
	}
	return 0;
}

/* ".EXE" and "exe" are the same extension; "tar.gz" is none. */
static int
normalise_extension(struct rules_builder *b, struct word *w, struct error *e)
{
	struct pn_str s = w->text;
	char *text;

	if (s.p[0] == '.')
		s = pn_str_sub(s, 1, s.n);
	if (s.n == 0 || memchr(s.p, '.', s.n) != NULL)
		return lex_error(e, &w->pos,
		    "\"%s\" is no file name extension: what stands behind the "
		    "last dot",
		    VIS(w->text));
	text = rules_alloc(b, s.n);
	for (size_t i = 0; i < s.n; i++)
		text[i] = pn_lower(s.p[i]);
	w->text = (struct pn_str){ text, s.n };
	/* "TOP" was no keyword; "top" is printed so that it reads back. */
	w->quoted |= rules_is_reserved(w->text);
	return 0;
}

int
list_add_set(struct rules_builder *b, const struct word *name, bool ext,
    struct word *members, struct error *e)
{
	struct list *l;

	if (check_members(members, e) < 0)
		return -1;
	for (struct word *w = members; ext && w != NULL; w = w->next)
		if (normalise_extension(b, w, e) < 0)
			return -1;
	l = list_of(b, members);
	l->kind = ext ? LIST_EXT : LIST_PLAIN;
	return list_add(b, name, l, e);
}

bool
address_is_valid(struct pn_str s, bool domain_too)
{
	size_t at = s.n;

	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 127)
			return false;
		if (s.p[i] == '@')
			at = i;
	}
	if (s.n > 0 && s.p[s.n - 1] == '>')
		return false;
	return at + 1 < s.n && (at > 0 || domain_too) && s.n <= MEMBER_MAX;
}
