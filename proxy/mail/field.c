/* field - see field.h. */
#include "mail/field.h"

int
field_byte(struct spool *s, size_t offset)
{
	struct pn_str piece = spool_at(s, offset);

	return piece.n > 0 ? (unsigned char)piece.p[0] : -1;
}

size_t
field_line_end(struct spool *s, size_t offset)
{
	for (;;) {
		struct pn_str piece = spool_at(s, offset);
		const char *nl = piece.n ? memchr(piece.p, '\n', piece.n) : NULL;

		if (nl != NULL)
			return offset + (size_t)(nl - piece.p) + 1;
		if (piece.n == 0)
			return offset;
		offset += piece.n;
	}
}

/* The field name at offset; false when the line is no field. */
static bool
read_name(struct spool *s, struct field *f)
{
	size_t at = f->start;
	int c;

	f->name_n = 0;
	while ((c = field_byte(s, at)) > ' ' && c != ':' && c < 127) {
		if (f->name_n < sizeof(f->name))
			f->name[f->name_n] = (char)c;
		f->name_n++;
		at++;
	}
	while (c == ' ' || c == '\t') /* RFC 5322 4.5: obsolete, but read */
		c = field_byte(s, ++at);
	f->colon = at + 1;
	return c == ':' && f->name_n > 0;
}

bool
field_read(struct spool *s, struct field *f)
{
	int c;

	if (!read_name(s, f))
		return false;
	f->end = f->colon;
	do {
		f->end = field_line_end(s, f->end);
		c = field_byte(s, f->end);
	} while (c == ' ' || c == '\t');
	return true;
}

size_t
field_header_end(struct spool *s)
{
	struct field f = { .start = 0 };

	while (field_read(s, &f))
		f.start = f.end;
	return f.start;
}

bool
field_is(const struct field *f, struct pn_str name)
{
	return f->name_n <= sizeof(f->name) &&
	    pn_str_caseeq((struct pn_str){ f->name, f->name_n }, name);
}
