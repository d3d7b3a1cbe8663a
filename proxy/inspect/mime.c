/*
 * mime - the tree of an entity: what its Content-* fields say, in every
 * reading, and where its parts begin and end. RFC 2045, 2046, 2183.
 *
 * Two looks at the same bytes. The first is RFC 2046's: from the outer
 * multipart to the inner, delimiter lines whole. The second (sweep) goes once
 * over all lines that any declared boundary begins and takes as a part what
 * the first did not: behind a close delimiter, behind a delimiter with
 * something after it, inside what another part had claimed. So whatever a
 * reader takes for a part, it begins where we have one too.
 *
 * Time: each nesting level scans its own bytes once (max_depth caps levels),
 * the sweep compares a line with one boundary only (they are kept sorted and
 * none is the head of another).
 */
#include "inspect/charset.h"
#include "inspect/find.h"
#include "inspect/mime_fields.h"
#include "inspect/uu.h"

#define TYPES 4      /* readings of one entity's type that we follow */
#define BOUNDARY_MAX 1000

/* ---- what one buffer's reading keeps ---- */

struct boundary {
	struct pn_str text;
	struct place place; /* of the parts it separates */
	bool digest;
};

struct reading {
	struct view *view;
	struct pn_str bytes;
	struct boundary *known; /* [n_known] sorted; none is a prefix of another */
	size_t n_known, room;
	const char **taken;     /* open hash of delimiter lines the tree used */
	size_t n_taken, taken_size;
	bool odd;               /* a line looked like a delimiter and was none */
	size_t declared;        /* boundaries seen in all */
	size_t budget;          /* bytes that may still be scanned */
};

static void read_entity(struct reading *, const struct place *,
    struct pn_str bytes, bool digest);

static void
note(struct view *v, unsigned defects)
{
	v->defects |= defects;
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

static size_t
slot_of(const struct reading *r, const char *line)
{
	size_t i = ((size_t)(line - r->bytes.p) * 0x9e3779b97f4a7c15u) >> 32;

	for (i %= r->taken_size; r->taken[i] != NULL && r->taken[i] != line;)
		i = (i + 1) % r->taken_size;
	return i;
}

static bool
is_taken(const struct reading *r, const char *line)
{
	return r->taken_size > 0 && r->taken[slot_of(r, line)] == line;
}

static bool
take(struct reading *r, const char *line)
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

/* The known boundary that s begins with, or NULL. */
static const struct boundary *
known_at(const struct reading *r, struct pn_str s)
{
	size_t i = rank(r, s);

	return i > 0 && pn_str_starts(s, r->known[i - 1].text) ?
	    &r->known[i - 1] : NULL;
}

static void
declare(struct reading *r, struct pn_str text, const struct place *place,
    bool digest)
{
	size_t at, gone = 0;

	r->declared++;
	if (known_at(r, text) != NULL)
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

struct delimiter {
	const char *line;  /* its "--" */
	const char *next;  /* first byte of what follows */
	bool exact;        /* nothing but blanks behind the boundary */
	bool close;        /* "--" behind it */
};

/* Of the part in front: without the line end that belongs to the delimiter. */
static struct pn_str
part_before(const char *from, const char *line)
{
	if (line > from && line[-1] == '\n')
		line--;
	if (line > from && line[-1] == '\r')
		line--;
	return (struct pn_str){ from, (size_t)(line - from) };
}

static struct delimiter
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

/* The next line of that boundary, whole; others that begin so are odd. */
static bool
next_delimiter(struct reading *r, const char *from, struct pn_str body,
    struct pn_str boundary, struct delimiter *d)
{
	const char *end = body.p + body.n;
	const char *line = from;

	while ((line = dashed_line(line, end, body.p)) != NULL) {
		struct pn_str s = { line + 2, (size_t)(end - line - 2) };

		if (pn_str_starts(s, boundary)) {
			*d = delimiter_at(line, end, boundary.n);
			if (d->exact && !is_taken(r, line))
				return true;
			r->odd = true;
		}
		line += 2;
	}
	return false;
}

/* ---- multiparts ---- */

static bool
may_scan(struct reading *r, size_t n)
{
	if (n > r->budget) {
		note(r->view, PN_DEFECT_LIMIT);
		return false;
	}
	r->budget -= n;
	return true;
}

static bool
has_room(struct reading *r, const struct place *place)
{
	const struct view *v = r->view;

	if (v->n_parts < v->limits.max_parts &&
	    place->level <= v->limits.max_depth)
		return true;
	note(r->view, PN_DEFECT_LIMIT);
	return false;
}

/* "Content-" right behind a close delimiter: some reader's part. */
static bool
begins_like_part(struct pn_str s)
{
	return pn_str_caseeq(pn_str_sub(s, 0, 8), PN_STR_V("content-"));
}

static void
read_epilogue(struct reading *r, const struct place *place, const char *from,
    struct pn_str body, struct pn_str boundary)
{
	const char *end = body.p + body.n;
	struct delimiter d;

	if (next_delimiter(r, from, body, boundary, &d)) {
		r->odd = true;
		end = d.line;
	}
	if (begins_like_part((struct pn_str){ from, (size_t)(end - from) })) {
		note(r->view, PN_DEFECT_AMBIGUOUS);
		read_entity(r, place, part_before(from, end), false);
	}
}

/* Parts between delimiter lines; false when there is not one. */
static bool
read_parts(struct reading *r, const struct place *place, struct pn_str body,
    struct pn_str boundary, bool digest)
{
	struct delimiter d, next;

	if (!may_scan(r, body.n) ||
	    !next_delimiter(r, body.p, body, boundary, &d))
		return false;
	while (!d.close) {
		const char *end = body.p + body.n;
		bool more;

		if (!has_room(r, place) || !take(r, d.line))
			return true;
		more = next_delimiter(r, d.next, body, boundary, &next);
		if (!more)
			note(r->view, PN_DEFECT_BROKEN);
		read_entity(r, place,
		    more ? part_before(d.next, next.line) :
			   (struct pn_str){ d.next, (size_t)(end - d.next) },
		    digest);
		if (!more)
			return true;
		d = next;
	}
	if (take(r, d.line))
		read_epilogue(r, place, d.next, body, boundary);
	return true;
}

/* No boundary was declared, or none that occurs: the first line that could be
 * one, as readers guess it. */
static struct pn_str
guess_boundary(struct pn_str body)
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

/* ---- one entity ---- */

static bool
is_message(struct pn_str type)
{
	return pn_str_eq(type, PN_STR_V("message/rfc822")) ||
	    pn_str_eq(type, PN_STR_V("message/global")) ||
	    pn_str_eq(type, PN_STR_V("message/news"));
}

static void
keep_charsets(struct pn_part *p, const struct param_values *charsets)
{
	p->charsets = arena_alloc(p->view->arena,
	    charsets->n * sizeof(*p->charsets));
	if (p->charsets == NULL) {
		note(p->view, PN_DEFECT_LIMIT);
		return;
	}
	for (size_t i = 0; i < charsets->n; i++)
		p->charsets[p->n_charsets++] = charsets->v[i];
}

static struct pn_part *
add_part(struct reading *r, const struct place *place, const struct entity *e,
    struct pn_str type, bool container)
{
	struct pn_part *p;

	if (!has_room(r, place) ||
	    (p = view_add(r->view, place, &e->names, type)) == NULL)
		return NULL;
	p->container = container;
	p->entity = e->raw;
	p->lies = e->lies;
	if (e->ambiguous || e->names.n > 1)
		p->flags |= PN_PART_AMBIGUOUS;
	if (e->names.more || e->header.cut)
		p->flags |= PN_PART_LIMIT;
	p->attached = e->n_attached > 0 && e->n_attached == e->n_dispositions;
	p->joins_lines = e->joins_lines;
	keep_charsets(p, &e->charsets);
	return p;
}

/* All of bytes decoded, in the arena; .p NULL at a limit. */
static struct pn_str
decode_all(struct view *v, enum encoding how, struct pn_str bytes)
{
	size_t room = decode_room(how, bytes);
	char *p = NULL;

	if (how == ENCODING_NONE)
		return bytes;
	if (view_may_unpack(v, room))
		p = arena_alloc(v->arena, room);
	if (p == NULL) {
		note(v, PN_DEFECT_LIMIT);
		return (struct pn_str){ NULL, 0 };
	}
	return (struct pn_str){ p, decode(how, bytes, p, room).n };
}

/* A message inside: depth one more, a buffer of its own if it was encoded. */
static void
read_message(struct reading *r, const struct place *place,
    struct pn_part *p, enum encoding how, struct pn_str body)
{
	struct place in = *place;
	struct pn_str bytes = decode_all(r->view, how, body);

	if (bytes.p == NULL) {
		p->flags |= PN_PART_LIMIT;
		return;
	}
	in.depth++;
	in.level++;
	in.path = p->path;
	in.entity = p->entity;
	in.lies = p->lies | THING_WITHIN;
	if (in.level > r->view->limits.max_depth) {
		p->flags |= PN_PART_LIMIT;
		note(r->view, PN_DEFECT_LIMIT);
	} else if (how == ENCODING_NONE) {
		if (may_scan(r, body.n))
			read_entity(r, &in, body, false);
	} else {
		mime_read(r->view, &in, bytes);
	}
}

/* Files that mail readers open as a message. */
static bool
is_message_name(const struct pn_part *p)
{
	static const char *const endings[] = { ".eml", ".emlx", ".mht",
		".mhtml", ".mim", ".mime", ".nws", NULL };

	return view_has_ending(p, endings);
}

/* Files that archive programs decode. */
static bool
is_uu_name(const struct pn_part *p)
{
	static const char *const endings[] = { ".uu", ".uue", NULL };

	return view_has_ending(p, endings);
}

/* ---- files that MIME knows nothing of ---- */

static void
add_file(struct reading *r, const struct place *place,
    const struct uu_file *f)
{
	struct entity e = { .raw = place->entity, .lies = place->lies };
	struct pn_part *p;

	if (view_is_raw(r->view, f->whole)) {
		e.raw = f->whole;
		e.lies = THING_BLOCK;
	}
	param_add(&e.names, f->name);
	p = add_part(r, place, &e, PN_STR_V("application/octet-stream"), false);
	if (p == NULL)
		return;
	p->encoding = f->how;
	p->bytes = f->data;
	archive_look(r->view, place, p);
	if (is_message_name(p))
		read_message(r, place, p, f->how, f->data);
}

static void
read_uu(struct reading *r, const struct place *place, struct pn_str text)
{
	struct uu u = { .text = text };
	struct uu_file f;

	while (uu_next(&u, &f))
		add_file(r, place, &f);
}

static void
read_yenc(struct reading *r, const struct place *place, struct pn_str text)
{
	struct uu u = { .text = text };
	struct uu_file f;

	while (uu_next_yenc(&u, &f))
		add_file(r, place, &f);
}

/* ---- leaves ---- */

/*
 * What readers open and nobody here does: signed or encrypted by S/MIME (RFC
 * 8551), a piece of a message (RFC 2046 5.2.2), Outlook's own, BinHex.
 */
static bool
is_closed(const struct pn_part *p)
{
	static const char *const endings[] = { ".p7m", ".msg", ".hqx", NULL };
	static const struct pn_str types[] = {
		PN_STR("application/pkcs7-mime"),
		PN_STR("application/x-pkcs7-mime"),
		PN_STR("application/mac-binhex40"),
		PN_STR("application/vnd.ms-outlook"),
		PN_STR("message/partial"),
	};

	for (size_t i = 0; i < PN_COUNT(types); i++)
		if (pn_str_eq(p->type, types[i]))
			return true;
	return view_has_ending(p, endings);
}

/*
 * Encoded text rarely has a "begin"; look before decoding. Its letters may be
 * escaped (the first as =62), or cut by a soft line end.
 */
static bool
may_begin(struct pn_str s)
{
	static const struct pn_str rest[] = { PN_STR("="), PN_STR("e="),
		PN_STR("eg") };
	const char *end = s.p + s.n;

	if (memmem(s.p, s.n, "=62", 3) != NULL ||
	    memmem(s.p, s.n, "ybegin", 6) != NULL ||
	    memmem(s.p, s.n, "BinHex", 6) != NULL)
		return true;
	for (const char *p = s.p;
	     p < end && (p = memchr(p, 'b', (size_t)(end - p))) != NULL; p++) {
		struct pn_str behind = { p + 1, (size_t)(end - p) - 1 };

		if (p > s.p && strchr("\r\nAaDd", p[-1]) == NULL)
			continue;
		for (size_t i = 0; i < PN_COUNT(rest); i++)
			if (pn_str_starts(behind, rest[i]))
				return true;
	}
	return false;
}

static void
read_text(struct reading *r, const struct place *place, enum encoding how,
    struct pn_str body)
{
	if (how == ENCODING_QP && !may_begin(body))
		return;
	body = decode_all(r->view, how, body);
	if (body.n == 0)
		return;
	read_uu(r, place, body);
	read_yenc(r, place, body);
	if (find_word(body, PN_STR_V("(This file must be converted with BinHex")) !=
	    NULL)
		note(r->view, PN_DEFECT_LIMIT);
}

static void
read_leaf(struct reading *r, const struct place *place, const struct entity *e,
    struct pn_str type, enum encoding how, struct pn_str body)
{
	struct view *v = r->view;
	struct pn_part *p = add_part(r, place, e, type, false);
	struct place in = *place;

	if (p == NULL)
		return;
	p->encoding = how;
	p->bytes = body;
	archive_look(v, place, p);
	if (is_closed(p)) {
		p->flags |= PN_PART_LIMIT;
		note(v, PN_DEFECT_LIMIT);
	}
	if (is_message_name(p))
		read_message(r, place, p, how, body);
	else if ((mime_is_of(type, "text") || e->uu || is_uu_name(p)) && body.n > 0) {
		in.entity = p->entity;
		in.lies = p->lies | THING_WITHIN;
		read_text(r, &in, how, body);
	}
}

static void
read_multipart(struct reading *r, const struct place *place,
    struct entity *e, struct pn_str type, struct pn_str body)
{
	bool digest = pn_str_eq(type, PN_STR_V("multipart/digest"));
	struct pn_part *p = add_part(r, place, e, type, true);
	struct place in = *place;
	struct pn_str guess;

	if (p == NULL)
		return;
	in.entity = p->entity;
	in.lies = p->lies | THING_WITHIN;
	in.level++;
	if (in.level > r->view->limits.max_depth) {
		p->flags |= PN_PART_LIMIT;
		note(r->view, PN_DEFECT_LIMIT);
		return;
	}
	for (size_t i = 0; i < e->boundaries.n; i++) {
		struct pn_str b = pn_str_sub(e->boundaries.v[i], 0, BOUNDARY_MAX);

		if (b.n > 0)
			declare(r, b, &in, digest);
	}
	for (size_t i = 0; i < e->boundaries.n; i++) {
		struct pn_str b = pn_str_sub(e->boundaries.v[i], 0, BOUNDARY_MAX);

		if (b.n > 0 && read_parts(r, &in, body, b, digest))
			return;
	}
	p->flags |= PN_PART_BROKEN;
	note(r->view, PN_DEFECT_BROKEN | PN_DEFECT_AMBIGUOUS);
	guess = guess_boundary(body);
	if (guess.p != NULL) {
		declare(r, guess, &in, digest);
		(void)read_parts(r, &in, body, guess, digest);
	}
	read_leaf(r, place, e, PN_STR_V("text/plain"), ENCODING_NONE, body);
}

/* An encoding on a multipart is forbidden (RFC 2045 6.4), so readers differ. */
static void
read_encoded_multipart(struct reading *r, const struct place *place,
    struct entity *e, struct pn_str type, struct pn_str body)
{
	struct pn_str bytes;
	struct reading in;

	for (size_t i = 0; i < e->n_encodings; i++) {
		enum encoding how = e->encodings[i];

		if (how == ENCODING_NONE ||
		    (how == ENCODING_BASE64 && !decode_looks_base64(body)))
			continue;
		bytes = decode_all(r->view, how, body);
		if (bytes.n == 0)
			continue;
		in = (struct reading){
			.view = r->view,
			.bytes = bytes,
			.budget = 8 * bytes.n + 65536,
		};
		read_multipart(&in, place, e, type, bytes);
	}
}

static void
read_as(struct reading *r, const struct place *place, struct entity *e,
    struct pn_str type, struct pn_str body)
{
	struct pn_part *p;

	if (mime_is_of(type, "multipart")) {
		bool plain = e->n_encodings == 1 &&
		    e->encodings[0] == ENCODING_NONE;

		if (!plain) {
			note(r->view, PN_DEFECT_AMBIGUOUS);
			read_encoded_multipart(r, place, e, type, body);
		}
		read_multipart(r, place, e, type, body);
		return;
	}
	for (size_t i = 0; i < e->n_encodings; i++) {
		enum encoding how = e->encodings[i];

		if (!is_message(type)) {
			read_leaf(r, place, e, type, how, body);
			continue;
		}
		if ((p = add_part(r, place, e, type, true)) == NULL)
			return;
		if (how == ENCODING_BASE64 && !decode_looks_base64(body)) {
			p->flags |= PN_PART_BROKEN;
			how = ENCODING_NONE;
		}
		read_message(r, place, p, how, body);
	}
}

/* RFC 2046 2, and what joined since. A boundary with any other is a multipart
 * to those who look no further. */
static bool
is_known(struct pn_str type)
{
	static const char *const tops[] = { "text/", "image/", "audio/",
		"video/", "application/", "multipart", "message/", "model/",
		"font/", "x-", NULL };

	for (const char *const *t = tops; *t != NULL; t++)
		if (mime_is_of(type, *t))
			return true;
	return false;
}

/* Whatever the tree of types says of the body, once for each that differs. */
static void
read_types(struct reading *r, const struct place *place, struct entity *e,
    struct pn_str body)
{
	bool multipart = false;

	if (e->types.n > TYPES)
		note(r->view, PN_DEFECT_LIMIT);
	for (size_t i = 0; i < e->types.n && i < TYPES; i++) {
		bool is_multipart = mime_is_of(e->types.v[i], "multipart");

		if (is_multipart && multipart)
			continue;
		multipart |= is_multipart;
		read_as(r, place, e, e->types.v[i], body);
	}
	if (!multipart && e->boundaries.n > 0 && !is_known(e->types.v[0])) {
		note(r->view, PN_DEFECT_AMBIGUOUS);
		e->ambiguous = true;
		read_as(r, place, e, PN_STR_V("multipart/mixed"), body);
	}
}

static void
check_charsets(struct view *v, const struct entity *e)
{
	for (size_t i = 0; i < e->charsets.n; i++)
		if (mime_is_of(e->types.v[0], "text/") &&
		    !charset_is_read(e->charsets.v[i]))
			note(v, PN_DEFECT_CHARSET);
}

static void
note_header(struct view *v, const struct header *h)
{
	if (h->cut)
		note(v, PN_DEFECT_LIMIT);
	if (h->bare || h->early > 0)
		note(v, PN_DEFECT_AMBIGUOUS);
	if (h->early > 0)
		note(v, PN_DEFECT_BROKEN);
}

/*
 * For readers who end the header at its first odd line: the fields up to
 * there, the body from there. A multipart is looked for from there anyway.
 */
static void
read_early(struct reading *r, const struct place *place, const struct entity *e,
    struct pn_str bytes)
{
	struct entity early = { .header = e->header,
		.raw = e->raw,
		.lies = e->lies,
		.ambiguous = true };

	early.body = pn_str_sub(bytes, e->header.early, bytes.n);
	mime_fields_read(r->view, &early, e->header.n_early, false);
	mime_settle_encodings(&early);
	read_types(r, place, &early, early.body);
}

static void
read_entity(struct reading *r, const struct place *place, struct pn_str bytes,
    bool digest)
{
	struct view *v = r->view;
	bool raw = view_is_raw(v, bytes);
	struct entity e = { .raw = raw ? bytes : place->entity,
		.lies = raw ? 0 : place->lies };
	bool own = bytes.p == v->raw.p && v->n_parts == 0;
	bool early, multipart = false;

	if (header_parse(&e.header, bytes, v->limits.max_headers, v->arena) < 0)
		note(v, PN_DEFECT_LIMIT);
	if (own)
		v->header = e.header;
	note_header(v, &e.header);
	mime_fields_read(v, &e, e.header.n, digest);
	for (size_t i = 0; i < e.types.n; i++)
		multipart |= mime_is_of(e.types.v[i], "multipart");
	early = e.header.early > 0;
	e.body = pn_str_sub(bytes,
	    early && multipart ? e.header.early : e.header.size, bytes.n);
	mime_settle_encodings(&e);
	check_charsets(v, &e);
	if (e.ambiguous || mime_names_mislead(&e.names))
		note(v, PN_DEFECT_AMBIGUOUS);
	read_types(r, place, &e, e.body);
	if (early && !multipart)
		read_early(r, place, &e, bytes);
}

/* ---- the second look ---- */

/* What lies between a line the tree did not take and the next. */
static void
read_stray(struct reading *r, const char *line, const char *end)
{
	const char *stop = r->bytes.p + r->bytes.n;
	const struct boundary *b = known_at(r,
	    (struct pn_str){ line + 2, (size_t)(stop - line - 2) });
	struct delimiter d;
	struct pn_str part;
	struct place place;

	if (b == NULL || is_taken(r, line) || !has_room(r, &b->place) ||
	    !take(r, line))
		return;
	d = delimiter_at(line, stop, b->text.n);
	if (d.next > end)
		return;
	part = part_before(d.next, end);
	if (d.close && !begins_like_part(part))
		return;
	note(r->view, PN_DEFECT_AMBIGUOUS);
	place = b->place; /* known[] may move below */
	read_entity(r, &place, part, b->digest);
}

static void
sweep(struct reading *r)
{
	const char *end = r->bytes.p + r->bytes.n, *last = NULL;
	const char *line = r->bytes.p;

	while ((line = dashed_line(line, end, r->bytes.p)) != NULL) {
		struct pn_str s = { line + 2, (size_t)(end - line - 2) };

		if (known_at(r, s) != NULL) {
			if (last != NULL)
				read_stray(r, last, line);
			last = line;
		}
		line += 2;
	}
	if (last != NULL)
		read_stray(r, last, end);
}

void
mime_read(struct view *v, const struct place *place, struct pn_str bytes)
{
	struct reading r = {
		.view = v,
		.bytes = bytes,
		.budget = (v->limits.max_depth + 4) * bytes.n + 65536,
	};
	size_t before;

	read_entity(&r, place, bytes, false);
	if (!r.odd && r.declared < 2)
		return;
	do {
		before = r.declared;
		if (!may_scan(&r, bytes.n))
			return;
		sweep(&r);
	} while (r.declared != before);
}

/* ---- files in archives ---- */

bool
mime_opens(const struct pn_part *p)
{
	return is_message_name(p) || is_uu_name(p) || is_closed(p);
}

void
mime_look(struct view *v, const struct place *place, struct pn_part *p,
    struct pn_str bytes)
{
	struct place in = *place;
	struct pn_str copy = { NULL, 0 };

	in.level++;
	if (!is_closed(p) && in.level <= v->limits.max_depth && view_may_unpack(v, bytes.n))
		copy = arena_str(v->arena, bytes);
	if (copy.p == NULL) {
		p->flags |= PN_PART_LIMIT;
		note(v, PN_DEFECT_LIMIT);
	} else if (is_message_name(p)) {
		mime_read(v, &in, copy);
	} else {
		struct reading r = { .view = v, .bytes = copy };

		read_uu(&r, &in, copy);
	}
}
