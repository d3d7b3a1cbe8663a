/*
 * mime_boundary - where parts begin and end: the boundaries that were declared,
 * the lines that begin with one, and which of those the tree has used. RFC
 * 2046 5.1.1.
 *
 * Called by mime.c. All that a line or byte costs is spent within one call:
 * delimiter_next() looks for one boundary, boundary_line() for any. What is
 * remembered lies in the view's arena, and ends with the reading.
 */
#include "inspect/mime_inside.h"

/* ---- lines that are used ---- */

static size_t
slot_of(const struct reading *r, const char *line)
{
	size_t i = ((size_t)(line - r->bytes.p) * 0x9e3779b97f4a7c15u) >> 32;

	for (i %= r->taken_size; r->taken[i] != NULL && r->taken[i] != line;)
		i = (i + 1) % r->taken_size;
	return i;
}

bool
delimiter_is_taken(const struct reading *r, const char *line)
{
	return r->taken_size > 0 && r->taken[slot_of(r, line)] == line;
}

bool
delimiter_take(struct reading *r, const char *line)
{
	if (r->n_taken * 2 >= r->taken_size) {
		const char **old = r->taken;
		size_t n = r->taken_size;
		size_t size = n == 0 ? 32 : n * 2;

		r->taken = arena_alloc(r->view->arena, size * sizeof(*old));
		if (r->taken == NULL) {
			r->taken = old;
			note(r->view, PN_DEFECT_LIMIT);
			return false;
		}
		r->taken_size = size;
		for (size_t i = 0; i < n; i++)
			if (old[i] != NULL)
				r->taken[slot_of(r, old[i])] = old[i];
	}
	r->taken[slot_of(r, line)] = line;
	r->n_taken++;
	return true;
}

/* ---- boundaries ---- */

static int
compare(struct pn_str a, struct pn_str b)
{
	int c = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	return c != 0 ? c : a.n < b.n ? -1 : a.n > b.n;
}

/* How many known ones sort at or before s. */
static size_t
rank(const struct reading *r, struct pn_str s)
{
	size_t low = 0, high = r->n_known;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (compare(r->known[mid].text, s) <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

const struct boundary *
boundary_known(const struct reading *r, struct pn_str s)
{
	size_t i = rank(r, s);

	return i > 0 && pn_str_starts(s, r->known[i - 1].text) ?
	    &r->known[i - 1] : NULL;
}

/* A lifetime of doubling in an arena wastes as much again; that is fine. */
static void *
grow(struct arena *a, const void *old, size_t n, size_t room, size_t size)
{
	void *p = arena_alloc(a, room * size);

	if (p != NULL && n > 0)
		memcpy(p, old, n * size);
	return p;
}

void
boundary_declare(struct reading *r, struct pn_str text,
    const struct place *place, bool digest)
{
	size_t at, gone = 0;

	r->declared++;
	if (boundary_known(r, text) != NULL)
		return; /* what matches text matches that one too */
	if (r->n_known == r->room) {
		size_t room = r->room == 0 ? 8 : r->room * 2;
		struct boundary *more = grow(r->view->arena, r->known,
		    r->n_known, room, sizeof(*more));

		if (more == NULL) {
			note(r->view, PN_DEFECT_LIMIT);
			return;
		}
		r->known = more;
		r->room = room;
	}
	at = rank(r, text);
	while (at + gone < r->n_known &&
	    pn_str_starts(r->known[at + gone].text, text))
		gone++;
	memmove(&r->known[at + 1], &r->known[at + gone],
	    (r->n_known - at - gone) * sizeof(*r->known));
	r->known[at] = (struct boundary){ text, *place, digest };
	r->n_known += 1 - gone;
}

/* ---- delimiter lines ---- */

/* The first line at or behind p that begins with "--". */
static const char *
dashed_line(const char *p, const char *end, const char *begin)
{
	while (p < end && (p = memchr(p, '-', (size_t)(end - p))) != NULL) {
		bool first = p == begin || p[-1] == '\n' || p[-1] == '\r';

		if (first && end - p > 1 && p[1] == '-')
			return p;
		while (p < end && *p == '-')
			p++;
	}
	return NULL;
}

const char *
boundary_line(const struct reading *r, const char *p)
{
	const char *end = r->bytes.p + r->bytes.n;

	while ((p = dashed_line(p, end, r->bytes.p)) != NULL) {
		struct pn_str s = { p + 2, (size_t)(end - p - 2) };

		if (boundary_known(r, s) != NULL)
			return p;
		p += 2;
	}
	return NULL;
}

struct pn_str
part_before(const char *from, const char *line)
{
	if (line > from && line[-1] == '\n')
		line--;
	if (line > from && line[-1] == '\r')
		line--;
	return (struct pn_str){ from, (size_t)(line - from) };
}

struct delimiter
delimiter_at(const char *line, const char *end, size_t boundary)
{
	struct delimiter d = { .line = line };
	const char *p = line + 2 + boundary, *stop;
	const char *nl = memchr(p, '\n', (size_t)(end - p));
	const char *cr;

	stop = nl == NULL ? end : nl;
	cr = memchr(p, '\r', (size_t)(stop - p));
	d.next = nl == NULL ? end : nl + 1;
	if (cr != NULL && cr + 1 != nl) { /* a bare CR ends the line */
		d.next = cr + 1;
		stop = cr;
	} else if (cr != NULL) {
		stop = cr;
	}
	if (stop - p >= 2 && p[0] == '-' && p[1] == '-') {
		d.close = true;
		p += 2;
	}
	while (p < stop && (*p == ' ' || *p == '\t'))
		p++;
	d.exact = p == stop;
	return d;
}

bool
delimiter_next(struct reading *r, const char *from, struct pn_str body,
    struct pn_str boundary, struct delimiter *d)
{
	const char *end = body.p + body.n;
	const char *line = from;

	while ((line = dashed_line(line, end, body.p)) != NULL) {
		struct pn_str s = { line + 2, (size_t)(end - line - 2) };

		if (pn_str_starts(s, boundary)) {
			*d = delimiter_at(line, end, boundary.n);
			if (d->exact && !delimiter_is_taken(r, line))
				return true;
			r->odd = true;
		}
		line += 2;
	}
	return false;
}

struct pn_str
boundary_guess(struct pn_str body)
{
	const char *end = body.p + body.n;
	const char *line = body.n == 0 ? NULL :
					 dashed_line(body.p, end, body.p);
	const char *stop;

	if (line == NULL)
		return (struct pn_str){ NULL, 0 };
	stop = memchr(line, '\n', (size_t)(end - line));
	return pn_str_sub(pn_str_trim((struct pn_str){ line + 2,
	    (size_t)((stop == NULL ? end : stop) - line - 2) }),
	    0, BOUNDARY_MAX);
}
