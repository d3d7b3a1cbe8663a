/*
 * mime_leaf - what lies in a part that MIME takes for a leaf: a message that
 * its type or its name says it is, an archive (archive.c), files in its text
 * that only older habits know (uuencode, yEnc).
 *
 * Called by mime.c for each leaf, by archive.c for members with such names.
 * What readers open and nobody here does is a limit.
 */
#include "inspect/find.h"
#include "inspect/mime_inside.h"
#include "inspect/uu.h"

/* ---- messages ---- */

struct pn_str
mime_decode(struct view *v, enum encoding how, struct pn_str bytes)
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

void
mime_message(struct reading *r, const struct place *place,
    struct pn_part *p, enum encoding how, struct pn_str body)
{
	struct place in = *place;
	struct pn_str bytes = mime_decode(r->view, how, body);

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
		if (mime_may_scan(r, body.n))
			mime_entity(r, &in, body, false);
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
	p = mime_add_part(r, place, &e, PN_STR_V("application/octet-stream"), false);
	if (p == NULL)
		return;
	p->encoding = f->how;
	p->bytes = f->data;
	archive_look(r->view, place, p);
	if (is_message_name(p))
		mime_message(r, place, p, f->how, f->data);
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
	body = mime_decode(r->view, how, body);
	if (body.n == 0)
		return;
	read_uu(r, place, body);
	read_yenc(r, place, body);
	if (find_word(body, PN_STR_V("(This file must be converted with BinHex")) !=
	    NULL)
		note(r->view, PN_DEFECT_LIMIT);
}

void
mime_leaf(struct reading *r, const struct place *place, const struct entity *e,
    struct pn_str type, enum encoding how, struct pn_str body)
{
	struct view *v = r->view;
	struct pn_part *p = mime_add_part(r, place, e, type, false);
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
		mime_message(r, place, p, how, body);
	else if ((mime_is_of(type, "text") || e->uu || is_uu_name(p)) && body.n > 0) {
		in.entity = p->entity;
		in.lies = p->lies | THING_WITHIN;
		read_text(r, &in, how, body);
	}
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
