/*
 * edits - see edits.h.
 *
 * The worker parses no MIME, but it must find the fields of the top header
 * (mail/field). All field names are compared without regard to case.
 *
 * Called by smtp/ (relay, maildir) once the verdict is known.
 */
#include "mail/edits.h"

#include "base/buf.h"
#include "base/must.h"
#include "base/utf8.h"
#include "mail/field.h"

#define LINE_WIDTH 76
#define WORD_BYTES 45 /* of UTF-8 in one encoded word: 60 of base64 */

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

/* ---- a value as it goes on the wire ---- */

static bool
is_plain(struct pn_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < ' ' || s.p[i] > '~')
			return false;
	return true;
}

static void
base64(struct buf *b, struct pn_str s)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < s.n; i += 3) {
		unsigned char in[3] = { 0 };
		size_t n = s.n - i < 3 ? s.n - i : 3;
		char out[4];

		memcpy(in, s.p + i, n);
		out[0] = digits[in[0] >> 2];
		out[1] = digits[(in[0] & 3) << 4 | in[1] >> 4];
		out[2] = n > 1 ? digits[(in[1] & 15) << 2 | in[2] >> 6] : '=';
		out[3] = n > 2 ? digits[in[2] & 63] : '=';
		(void)buf_add(b, out, 4); /* uncapped */
	}
}

/* RFC 2047: words of whole characters; what is no UTF-8 goes byte by byte. */
static void
encode_words(struct buf *b, struct pn_str s)
{
	for (bool first = true; s.n > 0; first = false) {
		size_t n = 0;

		while (n < s.n) {
			size_t one = utf8_len(pn_str_sub(s, n, s.n));

			if (n + (one ? one : 1) > WORD_BYTES)
				break;
			n += one ? one : 1;
		}
		(void)buf_puts(b, first ? "=?UTF-8?B?" : "\r\n =?UTF-8?B?");
		base64(b, pn_str_sub(s, 0, n));
		(void)buf_puts(b, "?=");
		s = pn_str_sub(s, n, s.n);
	}
}

/* Fold at blanks where a line would pass LINE_WIDTH; used is its length. */
static void
fold(struct buf *b, struct pn_str s, size_t used)
{
	while (s.n > 0) {
		size_t n = 1; /* a word and the blanks before it */

		while (n < s.n && s.p[n - 1] == ' ')
			n++;
		while (n < s.n && s.p[n] != ' ')
			n++;
		if (used + n > LINE_WIDTH && s.p[0] == ' ' && used > 1) {
			(void)buf_puts(b, "\r\n");
			used = 0;
		}
		(void)buf_add(b, s.p, n);
		used += n;
		s = pn_str_sub(s, n, s.n);
	}
}

static void
add_value(struct buf *b, struct pn_str value, size_t used)
{
	if (is_plain(value))
		fold(b, value, used);
	else
		encode_words(b, value);
}

static void
add_field(struct buf *b, const struct edit *e)
{
	(void)buf_add_str(b, e->name);
	(void)buf_puts(b, ": ");
	add_value(b, pn_str_trim(e->value), e->name.n + 2);
	(void)buf_puts(b, "\r\n");
}

/* ---- ranges ---- */

struct resolver {
	struct arena *arena;
	struct edit_ranges *out;
	size_t copied; /* the spool up to here is dealt with */
	struct buf literal; /* scratch */
	bool *seen;    /* of each edit: a field of its name was met */
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

/* What gathered in r->literal goes out in front of what was not copied yet. */
static void
flush_literal(struct resolver *r)
{
	struct pn_str text = arena_str(r->arena, buf_str(&r->literal));

	if (text.p == NULL)
		r->failed = true;
	else
		add_range(r, text, 0, text.n);
	buf_clear(&r->literal);
}

static void
prefix_value(struct resolver *r, struct spool *s, const struct field *f,
    const struct edit *e)
{
	int c = field_byte(s, f->colon);

	copy_up_to(r, f->colon);
	(void)buf_puts(&r->literal, " ");
	if (is_plain(e->value)) {
		(void)buf_add_str(&r->literal, pn_str_trim(e->value));
	} else {
		/* Blanks between two encoded words vanish: keep ours inside. */
		encode_words(&r->literal, e->value);
	}
	if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
		(void)buf_puts(&r->literal, " ");
	flush_literal(r);
}

static void
skip_field(struct resolver *r, const struct field *f)
{
	copy_up_to(r, f->start);
	r->copied = f->end;
}

/* A field that the edit names; first: there was none before it. */
static void
apply(struct resolver *r, struct spool *s, const struct field *f,
    const struct edit *e, bool first)
{
	if (r->copied >= f->end)
		return; /* deleted by another */
	if (e->kind == EDIT_HEADER_REMOVE) {
		skip_field(r, f);
	} else if (e->kind == EDIT_HEADER_SET) {
		skip_field(r, f);
		if (first) {
			add_field(&r->literal, e);
			flush_literal(r);
		}
	} else if (e->kind == EDIT_HEADER_PREFIX && first) {
		prefix_value(r, s, f, e);
	}
}

/* One walk over the header serves all: a sender may write a million fields. */
static void
edit_field(struct resolver *r, struct spool *s, const struct field *f,
    const struct edits *edits)
{
	const struct edit *e;
	size_t i = 0;

	STAILQ_FOREACH (e, edits, next) {
		if (field_is(f, e->name)) {
			apply(r, s, f, e, !r->seen[i]);
			r->seen[i] = true;
		}
		i++;
	}
}

/* Without any field, a first line that begins with a blank would become the
 * rest of ours. */
static bool
would_continue(struct spool *s)
{
	int c = field_byte(s, 0);

	return c == ' ' || c == '\t';
}

/* Behind the last field: what is added, or set and was not there. */
static void
add_at_end(struct resolver *r, struct spool *s, const struct edits *edits,
    size_t header_end)
{
	const struct edit *e;
	size_t i = 0;

	copy_up_to(r, header_end);
	if (header_end > 0 && field_byte(s, header_end - 1) != '\n')
		(void)buf_puts(&r->literal, "\r\n");
	STAILQ_FOREACH (e, edits, next) {
		if (e->kind == EDIT_HEADER_ADD ||
		    ((e->kind == EDIT_HEADER_SET ||
			 e->kind == EDIT_HEADER_PREFIX) &&
			!r->seen[i]))
			add_field(&r->literal, e);
		i++;
	}
	if (header_end == 0 && would_continue(s) &&
	    (buf_len(&r->literal) > 0 || !STAILQ_EMPTY(r->out)))
		(void)buf_puts(&r->literal, "\r\n");
	flush_literal(r);
}

static void
add_in_front(struct resolver *r, const struct edits *edits)
{
	const struct edit *e;

	STAILQ_FOREACH (e, edits, next)
		if (e->kind == EDIT_HEADER_INSERT)
			add_field(&r->literal, e);
	flush_literal(r);
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

/* Behind the empty line; without one there is a body no more than a line. */
static void
replace_body(struct resolver *r, struct spool *s, const struct edit *e)
{
	size_t end = field_line_end(s, r->copied);

	if (end - r->copied == 2 && field_byte(s, r->copied) == '\r')
		copy_up_to(r, end);
	else
		add_range(r, PN_STR_V("\r\n"), 0, 2);
	add_range(r, e->value, 0, e->value.n);
	r->copied = spool_size(s);
}

static bool
edit_body(struct resolver *r, struct spool *s, const struct edits *edits)
{
	const struct edit *e;

	STAILQ_FOREACH (e, edits, next)
		if (e->kind == EDIT_BODY) {
			replace_body(r, s, e);
			return next_range(edits, NULL) == NULL;
		}
	return edit_ranges(r, s, edits);
}

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
edits_resolve(const struct edits *edits, struct spool *s, struct arena *a,
    struct edit_ranges *out, struct error *e)
{
	struct resolver r = { .arena = a, .out = out,
		.seen = arena_alloc(a, count(edits) * sizeof(bool)) };
	struct field f = { .start = 0 };
	bool fit = true;

	STAILQ_INIT(out);
	if (r.seen == NULL)
		return error_set(e, "edits: out of memory for this mail");
	if (!STAILQ_EMPTY(edits)) {
		add_in_front(&r, edits);
		while (field_read(s, &f)) {
			edit_field(&r, s, &f, edits);
			f.start = f.end;
		}
		add_at_end(&r, s, edits, f.start);
		fit = edit_body(&r, s, edits);
	}
	copy_up_to(&r, spool_size(s));
	buf_fini(&r.literal);
	if (!fit)
		return error_set(e, "edits: bytes to replace lie across others");
	return r.failed ? error_set(e, "edits: out of memory for this mail") : 0;
}

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
