/* header - see header.h. */
#include "inspect/header.h"

#include "inspect/charset.h"
#include "inspect/decode.h"

/* ---- the block ---- */

/* A line of s from at: its length with the line end, and without it. */
struct line {
	size_t size;
	size_t n;
};

static struct line
line_at(struct pn_str s, size_t at)
{
	const char *p = s.p + at;
	const char *nl = memchr(p, '\n', s.n - at);
	struct line l;

	l.size = nl == NULL ? s.n - at : (size_t)(nl - p) + 1;
	l.n = l.size - (nl != NULL);
	if (nl != NULL && l.n > 0 && p[l.n - 1] == '\r')
		l.n--;
	return l;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
all_blank(const char *p, size_t n)
{
	while (n > 0 && is_blank(p[n - 1]))
		n--;
	return n == 0;
}

/*
 * Name and body where the line is a field: printable name (RFC 5322 3.6.8,
 * 8-bit let through), blanks before the colon as in obsolete mail.
 */
static bool
split_field(const char *p, size_t n, struct header_field *f)
{
	const char *colon = memchr(p, ':', n);
	size_t len = colon == NULL ? 0 : (size_t)(colon - p);

	*f = (struct header_field){ .body = { p + len + 1, n - len - 1 } };
	while (len > 0 && is_blank(p[len - 1]))
		len--;
	f->name = (struct pn_str){ p, len };
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)p[i] <= ' ' || p[i] == 127)
			return false;
	return len > 0;
}

static bool
is_content_field(struct pn_str name)
{
	return name.n > 8 &&
	    pn_str_caseeq(pn_str_sub(name, 0, 8), PN_STR_V("content-"));
}

/* What header_parse() keeps while it goes from line to line. */
struct parse {
	struct header *h;
	struct arena *arena;
	size_t room;
	size_t max;
	bool failed;
};

static void
add_field(struct parse *p, struct header_field f)
{
	struct header *h = p->h;

	if (h->n >= p->max) {
		h->cut = true;
		if (h->n >= 2 * p->max || !is_content_field(f.name))
			return;
	}
	if (h->n == p->room) {
		size_t room = p->room == 0 ? 16 : p->room * 2;
		struct header_field *more = arena_alloc(p->arena,
		    room * sizeof(*more));

		if (more == NULL) {
			p->failed = true;
			return;
		}
		if (h->n > 0)
			memcpy(more, h->fields, h->n * sizeof(*more));
		h->fields = more;
		p->room = room;
	}
	h->fields[h->n++] = f;
}

/*
 * Bare CRs in a field's body: for some readers each begins a line, which may
 * be a field of its own.
 */
static void
reread_bare_cr(struct parse *p, struct pn_str body)
{
	const char *end = body.p + body.n;

	for (const char *at = body.p; at < end;) {
		const char *cr = memchr(at, '\r', (size_t)(end - at));
		struct header_field f;
		size_t n;

		if (cr == NULL)
			break;
		at = cr + 1;
		if (at < end && *at == '\n')
			continue;
		p->h->bare = true;
		cr = memchr(at, '\r', (size_t)(end - at));
		n = (size_t)((cr == NULL ? end : cr) - at);
		if (split_field(at, n, &f)) {
			f.reread = true;
			add_field(p, f);
		}
	}
}

static void
note_early(struct header *h, size_t at)
{
	if (h->early == 0 && at > 0) {
		h->early = at;
		h->n_early = h->n;
	}
}

/* The field that begins at `at` with its folded lines; bytes it takes. */
static size_t
take_field(struct parse *p, struct pn_str s, size_t at, struct header_field f)
{
	struct line l = line_at(s, at);
	size_t size = l.size, n = l.n;

	while (at + size < s.n && is_blank(s.p[at + size])) {
		l = line_at(s, at + size);
		if (all_blank(s.p + at + size, l.n))
			note_early(p->h, at + size + l.size);
		n = size + l.n;
		size += l.size;
	}
	f.body.n = (size_t)(s.p + at + n - f.body.p);
	add_field(p, f);
	if (memchr(f.body.p, '\r', f.body.n) != NULL)
		reread_bare_cr(p, f.body);
	return size;
}

/* The line in front of everything that mailboxes in mbox form leave behind. */
static bool
is_mbox_line(struct pn_str s, size_t at)
{
	return at == 0 && (pn_str_starts(s, PN_STR_V("From ")) ||
	    pn_str_starts(s, PN_STR_V(">From ")));
}

/* Some lines end in CRLF and some in LF: not all readers see the latter end. */
static bool
is_mixed(struct pn_str s)
{
	size_t bare = 0, lines = 0;

	for (size_t at = 0; at < s.n; lines++) {
		const char *lf = memchr(s.p + at, '\n', s.n - at);

		if (lf == NULL)
			break;
		bare += lf == s.p || lf[-1] != '\r';
		at = (size_t)(lf - s.p) + 1;
	}
	return bare > 0 && bare < lines;
}

int
header_parse(struct header *h, struct pn_str s, size_t max_fields,
    struct arena *arena)
{
	struct parse p = { .h = h, .arena = arena, .max = max_fields };
	size_t at = 0;

	*h = (struct header){ .unended = true };
	while (at < s.n && !p.failed) {
		struct line l = line_at(s, at);
		struct header_field f;

		if (l.n == 0 && l.size > 0) {
			at += l.size;
			h->unended = false;
			break;
		}
		if (split_field(s.p + at, l.n, &f)) {
			at += take_field(&p, s, at, f);
			continue;
		}
		if (!is_mbox_line(s, at)) {
			/* Behind blanks alone the body begins with the next
			 * line, at anything else with this one. */
			note_early(h, all_blank(s.p + at, l.n) ? at + l.size :
			    at > 0 ? at : l.size);
		}
		at += l.size;
	}
	h->size = at;
	h->bare |= is_mixed(pn_str_sub(s, 0, at));
	h->bare |= at > 0 && memchr(s.p, '\0', at) != NULL;
	return p.failed ? -1 : 0;
}

/* ---- a field's text ---- */

struct pn_str
header_unfold(struct pn_str body, struct arena *arena)
{
	struct pn_str s = pn_str_trim(body);
	char *out;
	size_t n = 0;

	if (s.n == 0)
		return PN_STR_V("");
	if (memchr(s.p, '\n', s.n) == NULL && memchr(s.p, '\r', s.n) == NULL)
		return s;
	if ((out = arena_alloc(arena, s.n)) == NULL)
		return (struct pn_str){ NULL, 0 };
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != '\r' && s.p[i] != '\n')
			out[n++] = s.p[i];
	return (struct pn_str){ out, n };
}

/* =?charset*lang?B?text?= : its parts. */
struct word {
	struct pn_str charset;
	struct pn_str text;
	bool base64;
	size_t size; /* of the whole */
};

static bool
word_at(struct pn_str s, struct word *w)
{
	const char *end = s.p + s.n, *q1, *q2, *p;
	const char *star;

	if (!pn_str_starts(s, PN_STR_V("=?")))
		return false;
	/* RFC 2047 2 caps a word at 75; nobody's charset passes 64. */
	q1 = memchr(s.p + 2, '?', s.n - 2 < 64 ? s.n - 2 : 64);
	if (q1 == NULL || end - q1 < 5 || q1[2] != '?' ||
	    strchr("bBqQ", q1[1]) == NULL || q1[1] == '\0')
		return false;
	for (p = s.p + 2; p < q1; p++)
		if ((unsigned char)*p <= ' ')
			return false;
	p = q1 + 3;
	q2 = memchr(p, '?', (size_t)(end - p));
	if (q2 == NULL || q2 + 1 == end || q2[1] != '=')
		return false;
	star = memchr(s.p + 2, '*', (size_t)(q1 - s.p - 2));
	w->charset = (struct pn_str){ s.p + 2,
		(size_t)((star != NULL ? star : q1) - s.p - 2) };
	w->text = (struct pn_str){ p, (size_t)(q2 - p) };
	w->base64 = (q1[1] | 32) == 'b';
	w->size = (size_t)(q2 - s.p) + 2;
	return true;
}

/* "Q": RFC 2047 4.2. Spaces inside are not allowed, and let through. */
static size_t
decode_q(struct pn_str s, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		int c = s.p[i] == '=' ? hex_pair(s, i + 1) : -1;

		if (c >= 0) {
			out[n++] = (char)c;
			i += 2;
		} else {
			out[n++] = s.p[i] == '_' ? ' ' : s.p[i];
		}
	}
	return n;
}

/*
 * One or more adjacent words of one charset at s, decoded as one text:
 * bytes they take, blanks between them included.
 */
static size_t
take_words(struct pn_str s, char *scratch, struct buf *out, bool *unknown)
{
	struct word w = { .size = 0 };
	size_t used = 0, next = 0, n = 0;
	struct pn_str charset = { NULL, 0 };

	while (word_at(pn_str_sub(s, next, s.n), &w) &&
	    (used == 0 || pn_str_caseeq(w.charset, charset))) {
		charset = w.charset;
		n += w.base64 ?
		    decode(ENCODING_BASE64, w.text, scratch + n, w.text.n).n :
		    decode_q(w.text, scratch + n);
		used = next = next + w.size;
		while (next < s.n && is_blank(s.p[next]))
			next++;
	}
	if (used == 0)
		return 0;
	if (!charset_read(charset, (struct pn_str){ scratch, n }, out))
		*unknown = true;
	/* RFC 2047 6.2: blanks between two words are not shown, whatever
	 * their charsets. */
	return word_at(pn_str_sub(s, next, s.n), &w) ? next : used;
}

/* ASCII without a trace of an encoded word: nearly every field. */
static bool
is_plain(struct pn_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((s.p[i] & 0x80) != 0 ||
		    (s.p[i] == '=' && i + 1 < s.n && s.p[i + 1] == '?'))
			return false;
	return true;
}

struct pn_str
header_decode(struct pn_str s, struct arena *arena, bool *unknown)
{
	struct buf out = { .max = 3 * s.n + 4 };
	struct pn_str done = { NULL, 0 };
	char *scratch;
	size_t at = 0;

	if (is_plain(s))
		return s.n > 0 ? s : PN_STR_V("");
	scratch = arena_alloc(arena, s.n);
	while (scratch != NULL && at < s.n) {
		const char *eq = s.p + at;
		size_t used = 0;

		while ((eq = memchr(eq, '=', (size_t)(s.p + s.n - eq))) != NULL) {
			struct word w;

			if (word_at(pn_str_sub(s, (size_t)(eq - s.p), s.n), &w))
				break;
			eq++;
		}
		charset_guess(pn_str_sub(s, at,
		    eq == NULL ? s.n : (size_t)(eq - s.p) - at), &out);
		if (eq == NULL)
			break;
		at = (size_t)(eq - s.p);
		used = take_words(pn_str_sub(s, at, s.n), scratch, &out, unknown);
		at += used;
	}
	if (scratch != NULL)
		done = arena_str(arena, buf_str(&out));
	buf_fini(&out);
	return done;
}
