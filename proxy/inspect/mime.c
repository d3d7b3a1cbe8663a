/*
 * mime - the tree of an entity: what its Content-* fields say, in every
 * reading, and the parts in it. RFC 2045, 2046, 2183.
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
#include "inspect/mime_inside.h"

#define TYPES 4 /* readings of one entity's type that we follow */

/* ---- multiparts ---- */

bool
mime_may_scan(struct reading *r, size_t n)
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

	if (delimiter_next(r, from, body, boundary, &d)) {
		r->odd = true;
		end = d.line;
	}
	if (begins_like_part((struct pn_str){ from, (size_t)(end - from) })) {
		note(r->view, PN_DEFECT_AMBIGUOUS);
		mime_entity(r, place, part_before(from, end), false);
	}
}

/* Parts between delimiter lines; false when there is not one. */
static bool
read_parts(struct reading *r, const struct place *place, struct pn_str body,
    struct pn_str boundary, bool digest)
{
	struct delimiter d, next;

	if (!mime_may_scan(r, body.n) ||
	    !delimiter_next(r, body.p, body, boundary, &d))
		return false;
	while (!d.close) {
		const char *end = body.p + body.n;
		bool more;

		if (!has_room(r, place) || !delimiter_take(r, d.line))
			return true;
		more = delimiter_next(r, d.next, body, boundary, &next);
		if (!more)
			note(r->view, PN_DEFECT_BROKEN);
		mime_entity(r, place,
		    more ? part_before(d.next, next.line) :
			   (struct pn_str){ d.next, (size_t)(end - d.next) },
		    digest);
		if (!more)
			return true;
		d = next;
	}
	if (delimiter_take(r, d.line))
		read_epilogue(r, place, d.next, body, boundary);
	return true;
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

struct pn_part *
mime_add_part(struct reading *r, const struct place *place,
    const struct entity *e, struct pn_str type, bool container)
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

static void
read_multipart(struct reading *r, const struct place *place,
    struct entity *e, struct pn_str type, struct pn_str body)
{
	bool digest = pn_str_eq(type, PN_STR_V("multipart/digest"));
	struct pn_part *p = mime_add_part(r, place, e, type, true);
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
			boundary_declare(r, b, &in, digest);
	}
	for (size_t i = 0; i < e->boundaries.n; i++) {
		struct pn_str b = pn_str_sub(e->boundaries.v[i], 0, BOUNDARY_MAX);

		if (b.n > 0 && read_parts(r, &in, body, b, digest))
			return;
	}
	p->flags |= PN_PART_BROKEN;
	note(r->view, PN_DEFECT_BROKEN | PN_DEFECT_AMBIGUOUS);
	guess = boundary_guess(body);
	if (guess.p != NULL) {
		boundary_declare(r, guess, &in, digest);
		(void)read_parts(r, &in, body, guess, digest);
	}
	mime_leaf(r, place, e, PN_STR_V("text/plain"), ENCODING_NONE, body);
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
		bytes = mime_decode(r->view, how, body);
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
			mime_leaf(r, place, e, type, how, body);
			continue;
		}
		if ((p = mime_add_part(r, place, e, type, true)) == NULL)
			return;
		if (how == ENCODING_BASE64 && !decode_looks_base64(body)) {
			p->flags |= PN_PART_BROKEN;
			how = ENCODING_NONE;
		}
		mime_message(r, place, p, how, body);
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

void
mime_entity(struct reading *r, const struct place *place, struct pn_str bytes,
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
	const struct boundary *b = boundary_known(r,
	    (struct pn_str){ line + 2, (size_t)(stop - line - 2) });
	struct delimiter d;
	struct pn_str part;
	struct place place;

	if (b == NULL || delimiter_is_taken(r, line) || !has_room(r, &b->place) ||
	    !delimiter_take(r, line))
		return;
	d = delimiter_at(line, stop, b->text.n);
	if (d.next > end)
		return;
	part = part_before(d.next, end);
	if (d.close && !begins_like_part(part))
		return;
	note(r->view, PN_DEFECT_AMBIGUOUS);
	place = b->place; /* known[] may move below */
	mime_entity(r, &place, part, b->digest);
}

static void
sweep(struct reading *r)
{
	const char *line = boundary_line(r, r->bytes.p), *last = NULL;

	for (; line != NULL; line = boundary_line(r, line + 2)) {
		if (last != NULL)
			read_stray(r, last, line);
		last = line;
	}
	if (last != NULL)
		read_stray(r, last, r->bytes.p + r->bytes.n);
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

	mime_entity(&r, place, bytes, false);
	if (!r.odd && r.declared < 2)
		return;
	do {
		before = r.declared;
		if (!mime_may_scan(&r, bytes.n))
			return;
		sweep(&r);
	} while (r.declared != before);
}
