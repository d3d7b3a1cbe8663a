/*
 * uu - files that lie in text without MIME knowing of them: uuencoded, in
 * base64 between "begin-base64" and "====", and yEnc. Readers offer them all.
 *
 * Called by mime.c for leaves of text. Finds names and extents, decodes
 * nothing; linear in the text.
 */
#include "inspect/uu.h"

#include "inspect/find.h"

/* Is line (without its end) uuencoded data? *last: the empty one. */
static bool
is_uu_line(struct pn_str line, bool *last)
{
	size_t count, want;

	if (line.n == 0)
		return false;
	count = ((unsigned char)line.p[0] - 32u) & 63u;
	want = 1 + (count + 2) / 3 * 4;
	*last = count == 0;
	for (size_t i = 0; i < line.n; i++)
		if (line.p[i] < ' ' || line.p[i] > '`')
			return false;
	/* Blanks at the end may be gone, a checksum may be there. */
	return *last ? line.n <= 2 : line.n <= want + 1 && line.n + 8 > want;
}

/* Bytes of data lines at the start of s. */
static size_t
uu_extent(struct pn_str s)
{
	size_t at = 0;
	bool last = false;

	while (at < s.n && !last) {
		const char *nl = memchr(s.p + at, '\n', s.n - at);
		size_t size = nl == NULL ? s.n - at :
					   (size_t)(nl - s.p) + 1 - at;
		size_t n = size;

		while (n > 0 && (s.p[at + n - 1] == '\n' ||
		    s.p[at + n - 1] == '\r'))
			n--;
		if (!is_uu_line(pn_str_sub(s, at, n), &last))
			break;
		at += size;
	}
	return at;
}

/* "begin 644 name": the name, and where the line ends; false if it is none. */
static bool
uu_begin(struct pn_str s, struct pn_str *name, size_t *size, bool *base64)
{
	const char *nl = memchr(s.p, '\n', s.n);
	size_t i = 5, digits = 0;

	*size = nl == NULL ? s.n : (size_t)(nl - s.p) + 1;
	*base64 = pn_str_starts(s, PN_STR_V("begin-base64 "));
	i = *base64 ? 12 : 5;
	while (i < *size && (s.p[i] == ' ' || s.p[i] == '\t'))
		i++;
	for (; i < *size && s.p[i] >= '0' && s.p[i] <= '7'; i++)
		digits++;
	*name = pn_str_trim(pn_str_sub(s, i, *size - i));
	/* Some need no mode: two blanks will do. */
	if (digits == 0)
		return i == 7 && name->n > 0;
	return digits >= 3 && digits <= 8 && name->n > 0 &&
	    (s.p[i] == ' ' || s.p[i] == '\t');
}

/* What is no data to us may be some to others, up to a line "end". */
static size_t
uu_end(struct pn_str s, bool *unended)
{
	const char *end = s.n > 0 ? memmem(s.p, s.n, "\nend", 4) : NULL;

	*unended = end == NULL;
	return end == NULL ? 0 : (size_t)(end - s.p) + 1;
}

/* With its end. */
static struct pn_str
first_line(struct pn_str s)
{
	const char *nl = s.n > 0 ? memchr(s.p, '\n', s.n) : NULL;

	return nl == NULL ? s : pn_str_sub(s, 0, (size_t)(nl - s.p) + 1);
}

/* From begin to the end of data, and of the line behind it if that ends the
 * file. */
static struct pn_str
whole_of(const char *begin, struct pn_str data, struct pn_str text)
{
	static const struct pn_str ends[] = { PN_STR("end"), PN_STR("===="),
		PN_STR("=yend") };
	const char *stop = text.p + text.n, *p = data.p + data.n;
	struct pn_str rest;

	if (p < stop && *p == '\n')
		p++; /* begin-base64: in front of "====" */
	rest = (struct pn_str){ p, (size_t)(stop - p) };
	for (size_t i = 0; i < PN_COUNT(ends); i++)
		if (pn_str_starts(rest, ends[i])) {
			p += first_line(rest).n;
			break;
		}
	return (struct pn_str){ begin, (size_t)(p - begin) };
}

/*
 * How much of s, behind a begin line, is the file's. A begin line without a
 * mode (bare) may be prose: then a line of data must follow.
 */
static size_t
extent_of(struct uu *u, struct pn_str s, bool base64, bool bare)
{
	const char *stop;
	size_t extent;

	if (base64) {
		stop = memmem(s.p, s.n, "\n====", 5);
		return stop == NULL ? s.n : (size_t)(stop - s.p);
	}
	extent = uu_extent(s);
	if (extent == 0 && !u->unended && !bare)
		extent = uu_end(s, &u->unended);
	return bare && extent < 5 ? 0 : extent;
}

/* Does a begin line begin at s, which a line of the text may? */
static bool
begins(const struct uu *u, struct pn_str s, struct pn_str *name, size_t *size,
    bool *base64)
{
	bool first = s.p == u->text.p || s.p[-1] == '\n' || s.p[-1] == '\r';

	return first && s.n >= 7 && s.p[5] != '\0' &&
	    strchr(" \t-", s.p[5]) != NULL && uu_begin(s, name, size, base64);
}

bool
uu_next(struct uu *u, struct uu_file *out)
{
	const char *p;

	while ((p = find_word(pn_str_sub(u->text, u->at, u->text.n),
		    PN_STR_V("begin"))) != NULL) {
		struct pn_str s = pn_str_sub(u->text, (size_t)(p - u->text.p),
		    u->text.n);
		bool base64, bare = s.n > 7 && p[6] == ' ' &&
		    !(p[7] >= '0' && p[7] <= '7');
		size_t size;

		u->at = (size_t)(p - u->text.p) + 5;
		if (!begins(u, s, &out->name, &size, &base64))
			continue;
		s = pn_str_sub(s, size, s.n);
		out->data = pn_str_sub(s, 0, extent_of(u, s, base64, bare));
		out->how = base64 ? ENCODING_BASE64 : ENCODING_UU;
		u->at += size - 5 + out->data.n;
		out->whole = whole_of(p, out->data, u->text);
		if (out->data.n > 0)
			return true;
	}
	return false;
}

/* "=ybegin line=128 size=9 name=a.exe": the name is the rest of the line. */
bool
uu_next_yenc(struct uu *u, struct uu_file *out)
{
	struct pn_str s = pn_str_sub(u->text, u->at, u->text.n);
	const char *p;

	while ((p = find_word(s, PN_STR_V("=ybegin "))) != NULL) {
		struct pn_str line = first_line(
		    pn_str_sub(s, (size_t)(p - s.p), s.n));
		const char *name = memmem(line.p, line.n, "name=", 5);
		const char *end;

		s = pn_str_sub(s, (size_t)(p - s.p) + line.n, s.n);
		if (pn_str_starts(s, PN_STR_V("=ypart ")))
			s = pn_str_sub(s, first_line(s).n, s.n);
		end = s.n > 0 ? memmem(s.p, s.n, "=yend", 5) : NULL;
		out->data = end == NULL ? s
					: pn_str_sub(s, 0, (size_t)(end - s.p));
		out->how = ENCODING_YENC;
		s = pn_str_sub(s, out->data.n, s.n);
		u->at = u->text.n - s.n;
		out->whole = whole_of(p, out->data, u->text);
		if (name == NULL)
			continue;
		out->name = pn_str_trim(pn_str_sub(line,
		    (size_t)(name - line.p) + 5, line.n));
		return true;
	}
	return false;
}
