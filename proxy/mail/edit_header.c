/*
 * edit_header - see edit_header.h. The worker parses no MIME, but it must find
 * the fields of the top header (mail/field).
 */
#include "mail/edit_header.h"

#include "mail/edit_text.h"

static size_t
count(const struct edits *edits)
{
	const struct edit *e;
	size_t n = 0;

	STAILQ_FOREACH (e, edits, next)
		n++;
	return n;
}

int
header_walk_init(struct header_walk *w, struct arena *a)
{
	w->seen = arena_alloc(a, count(w->edits) * sizeof(*w->seen));
	return w->seen == NULL ? -1 : 0;
}

void
header_walk_fini(struct header_walk *w)
{
	buf_fini(&w->text);
}

static void
take(struct header_walk *w, struct header_change *c)
{
	c->text = buf_str(&w->text);
	w->take(w->arg, c);
	buf_clear(&w->text);
}

static void
take_new(struct header_walk *w, const struct edit *e)
{
	struct header_change c = { .name = e->name };

	edit_text_field(&w->text, e->name, e->value);
	take(w, &c);
}

void
header_walk_front(struct header_walk *w)
{
	const struct edit *e;

	STAILQ_FOREACH (e, w->edits, next)
		if (e->kind == EDIT_HEADER_INSERT)
			take_new(w, e);
}

/* A field that the edit names. */
static void
apply(struct header_walk *w, const struct edit *e, struct header_change *c)
{
	bool first = c->nth == 1;

	if (e->kind == EDIT_HEADER_PREFIX && first)
		edit_text_prefix(&w->text, e->value,
		    field_byte(w->spool, c->field->colon));
	if (e->kind != EDIT_HEADER_SET && e->kind != EDIT_HEADER_REMOVE)
		return;
	c->gone = true;
	c->name = e->name;
	if (e->kind == EDIT_HEADER_SET && first)
		edit_text_field(&w->text, e->name, e->value);
}

static void
change_field(struct header_walk *w, const struct field *f)
{
	struct header_change c = { .field = f };
	const struct edit *e;
	size_t i = 0;

	STAILQ_FOREACH (e, w->edits, next) {
		if (field_is(f, e->name)) {
			c.nth = ++w->seen[i];
			if (!c.gone)
				apply(w, e, &c);
		}
		i++;
	}
	if (c.gone || buf_len(&w->text) > 0)
		take(w, &c);
}

/* One walk serves all: a sender may write a million fields. */
size_t
header_walk_fields(struct header_walk *w)
{
	struct field f = { .start = 0 };

	while (field_read(w->spool, &f)) {
		change_field(w, &f);
		f.start = f.end;
	}
	return f.start;
}

void
header_walk_end(struct header_walk *w)
{
	const struct edit *e;
	size_t i = 0;

	STAILQ_FOREACH (e, w->edits, next) {
		if (e->kind == EDIT_HEADER_ADD ||
		    ((e->kind == EDIT_HEADER_SET ||
			 e->kind == EDIT_HEADER_PREFIX) &&
			w->seen[i] == 0))
			take_new(w, e);
		i++;
	}
}
