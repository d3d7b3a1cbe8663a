/*
 * edit_ranges - what edits make of a message, as ranges over the spool, and
 * the walk over them. See edits.h.
 *
 * Called by those who write an outgoing message, once the verdict is known.
 */
#include "base/must.h"
#include "mail/edit_header.h"

struct resolver {
	struct arena *arena;
	struct edit_ranges *out;
	size_t copied; /* the spool up to here is dealt with */
	bool failed;
};

static void
add_range(struct resolver *r, struct pn_str literal, size_t offset, size_t n)
{
	struct edit_range *range;

	if (n == 0)
		return;
	range = arena_alloc(r->arena, sizeof(*range));
	if (range == NULL) {
		r->failed = true;
		return;
	}
	*range = (struct edit_range){ .literal = literal, .offset = offset, .n = n };
	STAILQ_INSERT_TAIL(r->out, range, next);
}

static void
copy_up_to(struct resolver *r, size_t offset)
{
	if (offset > r->copied)
		add_range(r, (struct pn_str){ NULL, 0 }, r->copied,
		    offset - r->copied);
	r->copied = offset;
}

/* In front of what was not copied yet. The text is somebody else's. */
static void
add_text(struct resolver *r, struct pn_str text)
{
	if (text.n == 0)
		return; /* a field is gone: there may be many */
	text = arena_str(r->arena, text);
	if (text.p == NULL)
		r->failed = true;
	else
		add_range(r, text, 0, text.n);
}

/* ---- the header ---- */

static void
change(void *arg, const struct header_change *c)
{
	struct resolver *r = arg;
	const struct field *f = c->field;

	if (f != NULL)
		copy_up_to(r, c->gone ? f->start : f->colon);
	add_text(r, c->text);
	if (c->gone)
		r->copied = f->end;
}

/* Without any field, a first line that begins with a blank would become the
 * rest of ours. */
static bool
would_continue(struct spool *s)
{
	int c = field_byte(s, 0);

	return c == ' ' || c == '\t';
}

static void
edit_header(struct resolver *r, struct header_walk *w)
{
	struct spool *s = w->spool;
	size_t end;

	header_walk_front(w);
	end = header_walk_fields(w);
	copy_up_to(r, end);
	if (end > 0 && field_byte(s, end - 1) != '\n')
		add_text(r, PN_STR_V("\r\n"));
	header_walk_end(w);
	if (end == 0 && would_continue(s) && !STAILQ_EMPTY(r->out))
		add_text(r, PN_STR_V("\r\n"));
}

/* ---- the body ---- */

/* The range that is not done yet and begins first. */
static const struct edit *
next_range(const struct edits *edits, const struct edit *after)
{
	const struct edit *e, *best = NULL;

	STAILQ_FOREACH (e, edits, next)
		if (e->kind == EDIT_RANGE &&
		    (after == NULL || e->offset > after->offset) &&
		    (best == NULL || e->offset < best->offset))
			best = e;
	return best;
}

static bool
same_start(const struct edits *edits, const struct edit *range)
{
	const struct edit *e;

	STAILQ_FOREACH (e, edits, next)
		if (e != range && e->kind == EDIT_RANGE &&
		    e->offset == range->offset)
			return true;
	return false;
}

/* False: they cannot all be done. */
static bool
edit_ranges(struct resolver *r, struct spool *s, const struct edits *edits)
{
	const struct edit *e = NULL;

	while ((e = next_range(edits, e)) != NULL) {
		if (e->offset < r->copied || same_start(edits, e) ||
		    e->n > spool_size(s) || e->offset > spool_size(s) - e->n)
			return false;
		copy_up_to(r, e->offset);
		add_range(r, e->value, 0, e->value.n);
		r->copied = e->offset + e->n;
	}
	return true;
}

/* The empty line; without one a body that is new needs it, while what was one
 * is no more than a line. */
static void
pass_separator(struct resolver *r, struct spool *s, const struct edit *whole)
{
	size_t end = field_line_end(s, r->copied);

	if (end - r->copied == 2 && field_byte(s, r->copied) == '\r')
		copy_up_to(r, end);
	else if (whole != NULL)
		add_range(r, PN_STR_V("\r\n"), 0, 2);
}

static const struct edit *
find_whole(const struct edits *edits)
{
	const struct edit *e;

	STAILQ_FOREACH (e, edits, next)
		if (e->kind == EDIT_BODY)
			break;
	return e;
}

/* From the end of the header on. False: they cannot all be done. */
static bool
edit_body(struct resolver *r, struct spool *s, const struct edits *edits,
    bool separator)
{
	const struct edit *whole = find_whole(edits);
	bool fit = true;

	pass_separator(r, s, whole);
	if (!separator)
		STAILQ_INIT(r->out);
	if (whole == NULL) {
		fit = edit_ranges(r, s, edits);
	} else {
		fit = next_range(edits, NULL) == NULL;
		add_range(r, whole->value, 0, whole->value.n);
		r->copied = spool_size(s);
	}
	copy_up_to(r, spool_size(s));
	return fit;
}

static int
outcome(const struct resolver *r, bool fit, struct error *e)
{
	if (!fit)
		return error_set(e, "edits: bytes to replace lie across others");
	return r->failed ? error_set(e, "edits: out of memory for this mail") : 0;
}

int
edits_resolve(const struct edits *edits, struct spool *s, struct arena *a,
    struct edit_ranges *out, struct error *e)
{
	struct resolver r = { .arena = a, .out = out };
	struct header_walk w = { .edits = edits,
		.spool = s,
		.take = change,
		.arg = &r };
	bool fit = true;

	STAILQ_INIT(out);
	if (STAILQ_EMPTY(edits)) {
		copy_up_to(&r, spool_size(s));
		return outcome(&r, fit, e);
	}
	if (header_walk_init(&w, a) < 0)
		return error_set(e, "edits: out of memory for this mail");
	edit_header(&r, &w);
	fit = edit_body(&r, s, edits, true);
	header_walk_fini(&w);
	return outcome(&r, fit, e);
}

int
edits_new_body(const struct edits *edits, struct spool *s, struct arena *a,
    struct edit_ranges *out, struct error *e)
{
	struct resolver r = { .arena = a,
		.out = out,
		.copied = field_header_end(s) };

	STAILQ_INIT(out);
	return outcome(&r, edit_body(&r, s, edits, false), e);
}

/* ---- writing ---- */

size_t
edit_ranges_size(const struct edit_ranges *ranges)
{
	const struct edit_range *r;
	size_t n = 0;

	STAILQ_FOREACH (r, ranges, next)
		n += r->n;
	return n;
}

struct pn_str
edit_cursor_peek(struct edit_cursor *c, const struct edit_ranges *ranges,
    struct spool *s)
{
	if (!c->started) {
		c->started = true;
		c->range = STAILQ_FIRST(ranges);
	}
	while (c->range != NULL && c->done == c->range->n) {
		c->range = STAILQ_NEXT(c->range, next);
		c->done = 0;
	}
	if (c->range == NULL)
		return (struct pn_str){ "", 0 };
	if (c->range->literal.p != NULL)
		return pn_str_sub(c->range->literal, c->done, SIZE_MAX);
	return pn_str_sub(spool_at(s, c->range->offset + c->done), 0,
	    c->range->n - c->done);
}

void
edit_cursor_skip(struct edit_cursor *c, size_t n)
{
	must(c->range != NULL && n <= c->range->n - c->done);
	c->done += n;
}
