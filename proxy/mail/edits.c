/*
 * edits - see edits.h: the list, which edits join and what they leave of those
 * before. What is made of it: edit_header.c, edit_ranges.c, edit_ops.c.
 */
#include "mail/edits.h"

static struct edit *
add(struct edits *list, struct arena *a, enum edit_kind kind,
    struct pn_str name, struct pn_str value)
{
	struct edit *e = arena_alloc(a, sizeof(*e));

	if (e == NULL)
		return NULL;
	e->kind = kind;
	e->name = arena_str(a, name);
	e->value = arena_str(a, value);
	if (e->name.p == NULL || e->value.p == NULL)
		return NULL;
	STAILQ_INSERT_TAIL(list, e, next);
	return e;
}

/* What later edits of the same field leave nothing of. */
static void
forget(struct edits *list, struct pn_str name)
{
	struct edit *e, *next;

	for (e = STAILQ_FIRST(list); e != NULL; e = next) {
		next = STAILQ_NEXT(e, next);
		if (e->kind != EDIT_RANGE && e->kind != EDIT_BODY &&
		    pn_str_caseeq(e->name, name))
			STAILQ_REMOVE(list, e, edit, next);
	}
}

/* That which leaves one field of this name with a known value, or none. */
static struct edit *
find_last_word(const struct edits *list, struct pn_str name)
{
	struct edit *e;

	STAILQ_FOREACH (e, list, next)
		if ((e->kind == EDIT_HEADER_SET ||
			e->kind == EDIT_HEADER_REMOVE) &&
		    pn_str_caseeq(e->name, name))
			return e;
	return NULL;
}

/* In front of a value that is an edit itself. */
static int
prefix_edit(struct edit *e, struct arena *a, struct pn_str text)
{
	char *value = arena_printf(a, "%.*s%.*s", PN_STR_ARG(text),
	    e->kind == EDIT_HEADER_SET ? (int)e->value.n : 0, e->value.p);

	e->kind = EDIT_HEADER_SET;
	e->value = pn_str_of(value);
	return value == NULL ? -1 : 0;
}

int
edits_add(struct edits *list, struct arena *a, enum edit_kind kind,
    struct pn_str name, struct pn_str value)
{
	struct edit *last = find_last_word(list, name);

	if (kind == EDIT_HEADER_PREFIX && last != NULL)
		return prefix_edit(last, a, value);
	if (kind == EDIT_HEADER_SET || kind == EDIT_HEADER_REMOVE)
		forget(list, name);
	return add(list, a, kind, name, value) ? 0 : -1;
}

int
edits_add_range(struct edits *list, struct arena *a, size_t offset, size_t n,
    struct pn_str text)
{
	struct edit *e = add(list, a, EDIT_RANGE, PN_STR_V(""), text);

	if (e == NULL)
		return -1;
	e->offset = offset;
	e->n = n;
	return 0;
}

int
edits_add_body(struct edits *list, struct arena *a, struct pn_str text)
{
	return add(list, a, EDIT_BODY, PN_STR_V(""), text) ? 0 : -1;
}

bool
edits_change_body(const struct edits *list)
{
	const struct edit *e;

	STAILQ_FOREACH (e, list, next)
		if (e->kind == EDIT_RANGE || e->kind == EDIT_BODY)
			return true;
	return false;
}
