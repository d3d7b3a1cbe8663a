/* mime_fields - see mime_fields.h. */
#include "inspect/mime_fields.h"

static struct pn_str
field_text(struct view *v, const struct header_field *f)
{
	struct pn_str s = header_unfold(f->body, v->arena);

	if (s.p == NULL)
		v->defects |= PN_DEFECT_LIMIT;
	return s;
}

static void
add_encoding(struct entity *e, enum encoding how)
{
	for (size_t i = 0; i < e->n_encodings; i++)
		if (e->encodings[i] == how)
			return;
	if (e->n_encodings < PN_COUNT(e->encodings))
		e->encodings[e->n_encodings++] = how;
}

static void
note_encoding(struct entity *e, struct pn_str word)
{
	static const struct {
		struct pn_str word;
		enum encoding how;
	} words[] = {
		{ PN_STR("7bit"), ENCODING_NONE },
		{ PN_STR("8bit"), ENCODING_NONE },
		{ PN_STR("binary"), ENCODING_NONE },
		{ PN_STR("base64"), ENCODING_BASE64 },
		{ PN_STR("quoted-printable"), ENCODING_QP },
		{ PN_STR("x-uuencode"), ENCODING_NONE }, /* read_uu finds it */
		{ PN_STR("uuencode"), ENCODING_NONE },
		{ PN_STR("x-uue"), ENCODING_NONE },
	};

	for (size_t i = 0; i < PN_COUNT(words); i++)
		if (pn_str_eq(words[i].word, word)) {
			add_encoding(e, words[i].how);
			e->uu |= i >= 5;
			return;
		}
	if (word.n > 0)
		e->odd_encoding = true;
}

static void
note_type(struct view *v, struct entity *e, struct pn_str body)
{
	struct pn_str type = param_main(body, v->arena);
	struct param_values joins = { .n = 0 };

	if (type.n > 0 || type.p == NULL)
		param_add(&e->types, type);
	param_read(&e->names, body, PN_STR_V("name"), true, v->arena);
	param_read(&e->boundaries, body, PN_STR_V("boundary"), false, v->arena);
	param_read(&e->charsets, body, PN_STR_V("charset"), false, v->arena);
	param_read(&joins, body, PN_STR_V("delsp"), false, v->arena);
	for (size_t i = 0; i < joins.n; i++)
		e->joins_lines |= pn_str_caseeq(joins.v[i], PN_STR_V("yes"));
}

/* A whole field in encoded words (RFC 2047 5 forbids it) is one to some. */
static struct pn_str
decoded_text(struct view *v, struct pn_str text)
{
	bool unknown = false;

	if (text.n == 0 || memmem(text.p, text.n, "=?", 2) == NULL)
		return (struct pn_str){ NULL, 0 };
	return header_decode(text, v->arena, &unknown);
}

static void
note_disposition(struct view *v, struct entity *e, struct pn_str body)
{
	e->n_attached += pn_str_eq(param_main(body, v->arena),
	    PN_STR_V("attachment"));
	param_read(&e->names, body, PN_STR_V("filename"), true, v->arena);
	param_read(&e->names, body, PN_STR_V("name"), true, v->arena);
}

/* Where neither field names it, readers look further. */
static void
note_other_name(struct view *v, struct param_values *names,
    const struct header_field *f)
{
	static const struct pn_str fields[] = { PN_STR("content-name"),
		PN_STR("content-description"), PN_STR("content-location") };
	struct pn_str text;
	const char *slash;

	for (size_t i = 0; i < PN_COUNT(fields); i++) {
		if (!pn_str_caseeq(f->name, fields[i]))
			continue;
		text = header_decode(field_text(v, f), v->arena,
		    &names->unknown);
		slash = text.n > 0 ? memrchr(text.p, '/', text.n) : NULL;
		if (slash != NULL && slash > text.p && slash[-1] == '/')
			continue; /* http://example.com is no program */
		if (slash != NULL)
			text = pn_str_sub(text, (size_t)(slash - text.p) + 1,
			    text.n);
		if (text.n > 0)
			param_add(names, text);
	}
}

bool
mime_is_of(struct pn_str type, const char *top)
{
	return pn_str_starts(type, pn_str_of(top));
}

/* What readers do not show themselves they offer as a file. */
static bool
is_file(const struct param_values *types)
{
	for (size_t i = 0; i < types->n; i++)
		if (!mime_is_of(types->v[i], "text/") &&
		    !mime_is_of(types->v[i], "multipart") &&
		    !mime_is_of(types->v[i], "message/"))
			return true;
	return false;
}

/* What the fields say, each of those that are there twice too. */
void
mime_fields_read(struct view *v, struct entity *e, size_t n, bool digest)
{
	size_t types = 0, encodings = 0, dispositions = 0;
	struct param_values others = { .n = 0 };

	for (size_t i = 0; i < n; i++) {
		const struct header_field *f = &e->header.fields[i];
		struct pn_str text, decoded;

		if (f->name.n < 12 || (f->name.p[0] | 32) != 'c')
			continue;
		if (pn_str_caseeq(f->name, PN_STR_V("content-type"))) {
			types++;
			text = field_text(v, f);
			note_type(v, e, text);
			decoded = decoded_text(v, text);
			if (decoded.n > 0)
				note_type(v, e, decoded);
		} else if (pn_str_caseeq(f->name,
			       PN_STR_V("content-transfer-encoding"))) {
			encodings++;
			note_encoding(e, param_main(field_text(v, f), v->arena));
		} else if (pn_str_caseeq(f->name,
			       PN_STR_V("content-disposition"))) {
			dispositions++;
			text = field_text(v, f);
			note_disposition(v, e, text);
			decoded = decoded_text(v, text);
			if (decoded.n > 0)
				note_disposition(v, e, decoded);
			e->n_dispositions += 1 + (decoded.n > 0);
		} else {
			note_other_name(v, &others, f);
		}
	}
	if (e->names.n == 0 && (dispositions > 0 || is_file(&e->types)))
		e->names = others;
	e->ambiguous |= types > 1 || e->types.n > 1 || encodings > 1 || dispositions > 1 ||
	    e->boundaries.n > 1 || e->odd_encoding;
	if (e->types.n == 0)
		param_add(&e->types, digest ? PN_STR_V("message/rfc822") :
					      PN_STR_V("text/plain"));
	if (e->types.more || e->names.more || e->boundaries.more)
		v->defects |= PN_DEFECT_LIMIT;
	if (e->names.unknown)
		v->defects |= PN_DEFECT_CHARSET;
}

/* Names whose endings differ mislead; others may be a name and its ASCII form. */
static struct pn_str
ending(struct pn_str name)
{
	const char *dot = name.n ? memrchr(name.p, '.', name.n) : NULL;

	return dot == NULL ? PN_STR_V("") :
	    pn_str_sub(name, (size_t)(dot - name.p), name.n);
}

bool
mime_names_mislead(const struct param_values *names)
{
	for (size_t i = 1; i < names->n; i++)
		if (!pn_str_caseeq(ending(names->v[i]), ending(names->v[0])))
			return true;
	return false;
}

/* An encoding nobody knows is none (RFC 2045 6.4), or what it looks like. */
void
mime_settle_encodings(struct entity *e)
{
	if (e->odd_encoding || e->n_encodings == 0)
		add_encoding(e, ENCODING_NONE);
	if (e->odd_encoding && decode_looks_base64(e->body))
		add_encoding(e, ENCODING_BASE64);
}
