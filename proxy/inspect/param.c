/* param - see param.h. */
#include "inspect/param.h"

#include "inspect/charset.h"
#include "inspect/decode.h"
#include "inspect/header.h"

#define SEGMENTS 64 /* of one continued parameter (RFC 2231 3) */

void
param_add(struct param_values *out, struct pn_str v)
{
	for (size_t i = 0; i < out->n; i++)
		if (pn_str_eq(out->v[i], v))
			return;
	if (out->n == PARAM_VALUES || v.p == NULL) {
		out->more = true;
		return;
	}
	out->v[out->n++] = v;
}

/* ---- the text: comments, quotes, separators ---- */

/* Readers skip with isspace(), so more than RFC 5322's two. */
static bool
is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Bytes of the comment at s, nested ones included; to the end if unclosed. */
static size_t
comment_size(struct pn_str s)
{
	size_t open = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '(')
			open++;
		else if (s.p[i] == ')' && --open == 0)
			return i + 1;
	}
	return s.n;
}

static size_t
skip_blanks(struct pn_str s, size_t i)
{
	while (i < s.n && (is_blank(s.p[i]) || s.p[i] == '('))
		i += s.p[i] == '(' ? comment_size(pn_str_sub(s, i, s.n)) : 1;
	return i;
}

/* Index behind the quoted string at i, or the end when it is not closed. */
static size_t
skip_quoted(struct pn_str s, size_t i)
{
	for (i++; i < s.n && s.p[i] != '"'; i++)
		if (s.p[i] == '\\')
			i++;
	return i < s.n ? i + 1 : s.n;
}

/* First semicolon outside of quotes, or the end. */
static size_t
find_semicolon(struct pn_str s, size_t i)
{
	while (i < s.n && s.p[i] != ';')
		i = s.p[i] == '"' ? skip_quoted(s, i) : i + 1;
	return i;
}

struct pn_str
param_main(struct pn_str body, struct arena *arena)
{
	char *out = arena_alloc(arena, body.n);
	size_t n = 0, word = 0;
	bool gap = false;

	if (out == NULL)
		return (struct pn_str){ NULL, 0 };
	for (size_t i = 0; i < body.n && body.p[i] != ';';) {
		char c = body.p[i];

		if (c == '(') {
			i += comment_size(pn_str_sub(body, i, body.n));
			continue;
		}
		i++;
		if ((unsigned char)c <= ' ' || c == '"' || c == 127) {
			gap |= is_blank(c);
			continue;
		}
		/* "attachment filename=x": the semicolon was forgotten. */
		if (gap && n > 0 && c != '/' && out[n - 1] != '/')
			word = word == 0 ? n : word;
		if (c == '=' && word > 0) {
			n = word;
			break;
		}
		gap = false;
		out[n++] = pn_lower(c);
	}
	return (struct pn_str){ out, n };
}

/* ---- one parameter as written ---- */

struct param {
	struct pn_str attr;  /* "filename*0*" */
	struct pn_str value; /* as written, quotes included */
	struct pn_str rest;  /* value and all behind it up to the semicolon */
};

struct cursor {
	size_t at;
	size_t semicolon; /* the first behind at, once looked for */
};

/*
 * The next attr=value at or behind the cursor; false at the end. What is no
 * parameter is stepped over; a forgotten semicolon is none too few.
 */
static bool
next_param(struct pn_str s, struct cursor *c, struct param *p)
{
	size_t i = c->at;

	while (i < s.n) {
		size_t from, to;

		i = skip_blanks(s, i);
		if (i < s.n && s.p[i] == '"') {
			i = skip_quoted(s, i);
			continue;
		}
		from = i;
		while (i < s.n && strchr("=;,(\"", s.p[i]) == NULL &&
		    !is_blank(s.p[i]))
			i++;
		to = i;
		i = skip_blanks(s, i);
		if (i < s.n && s.p[i] == '=' && to > from) {
			p->attr = pn_str_sub(s, from, to - from);
			i = skip_blanks(s, i + 1);
			from = i;
			if (i < s.n && s.p[i] == '"')
				i = skip_quoted(s, i);
			else
				while (i < s.n && !is_blank(s.p[i]) &&
				    s.p[i] != ';')
					i++;
			p->value = pn_str_sub(s, from, i - from);
			if (c->semicolon < i)
				c->semicolon = find_semicolon(s, i);
			p->rest = pn_str_trim(
			    pn_str_sub(s, from, c->semicolon - from));
			c->at = i;
			return true;
		}
		if (i < s.n && (s.p[i] == ';' || s.p[i] == ',' ||
		    s.p[i] == '=' || s.p[i] == '\0'))
			i++;
	}
	return false;
}

/* ---- readings of a value ---- */

/* Without quotes; backslashes undone or kept. .p NULL at the cap. */
static struct pn_str
unquote(struct pn_str s, bool undo, struct arena *arena)
{
	char *out;
	size_t n = 0;

	if (memchr(s.p, '"', s.n) == NULL && memchr(s.p, '\\', s.n) == NULL)
		return s;
	if ((out = arena_alloc(arena, s.n)) == NULL)
		return (struct pn_str){ NULL, 0 };
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\' && undo && i + 1 < s.n)
			i++;
		else if (s.p[i] == '"')
			continue;
		out[n++] = s.p[i];
	}
	return (struct pn_str){ out, n };
}

/* A NUL ends the text for readers written in C, and is nothing for others. */
static void
add_text(struct param_values *out, struct pn_str s, struct arena *arena)
{
	const char *nul = s.n > 0 ? memchr(s.p, '\0', s.n) : NULL;
	char *p;
	size_t n = 0;

	if (nul == NULL) {
		param_add(out, s);
		return;
	}
	param_add(out, pn_str_sub(s, 0, (size_t)(nul - s.p)));
	p = arena_alloc(arena, s.n);
	for (size_t i = 0; p != NULL && i < s.n; i++)
		if (s.p[i] != '\0')
			p[n++] = s.p[i];
	param_add(out, (struct pn_str){ p, n });
}

static void
add_plain(struct param_values *out, struct pn_str s, bool decoded,
    struct arena *arena)
{
	/* 'a.exe': no quotes to RFC 2045, but to some. */
	if (s.n > 2 && s.p[0] == '\'' && s.p[s.n - 1] == '\'')
		add_plain(out, pn_str_sub(s, 1, s.n - 2), decoded, arena);
	if (s.p == NULL || !decoded) {
		param_add(out, s);
		return;
	}
	add_text(out, header_decode(s, arena, &out->unknown), arena);
	if (memchr(s.p, '%', s.n) != NULL)
		add_text(out,
		    header_decode(percent_decode(s, arena), arena,
			&out->unknown),
		    arena);
}

/* For those to whom a comment, a comma or a blank at the end is no part of a
 * boundary. */
static void
add_short(struct param_values *out, struct pn_str s)
{
	size_t n = 0;

	if (s.n > 0 && s.p[0] == '"')
		s = pn_str_sub(s, 1, s.n - 1 - (s.p[s.n - 1] == '"'));
	else
		while (n < s.n && s.p[n] != '(' && s.p[n] != ',')
			n++;
	s = pn_str_trim(pn_str_sub(s, 0, n > 0 ? n : s.n));
	if (s.n > 0 && memchr(s.p, '\\', s.n) == NULL &&
	    memchr(s.p, '"', s.n) == NULL)
		param_add(out, s);
}

static void
read_plain(struct param_values *out, const struct param *p, bool decoded,
    struct arena *arena)
{
	add_plain(out, unquote(p->value, true, arena), decoded, arena);
	if (memchr(p->value.p, '\\', p->value.n) != NULL)
		add_plain(out, unquote(p->value, false, arena), decoded, arena);
	if (!decoded)
		add_short(out, p->value);
	/* a b.exe without quotes; "a".exe; "a" (comment) .exe */
	if (p->rest.n > p->value.n)
		add_plain(out, pn_str_trim(unquote(p->rest, true, arena)),
		    decoded, arena);
}

/* charset'language'text, RFC 2231 4; what lacks the quotes is just text. */
static struct pn_str
split_charset(struct pn_str s, struct pn_str *charset)
{
	const char *a = s.n ? memchr(s.p, '\'', s.n) : NULL, *b;

	*charset = (struct pn_str){ NULL, 0 };
	if (a == NULL)
		return s;
	b = memchr(a + 1, '\'', (size_t)(s.p + s.n - a - 1));
	if (b == NULL)
		return s;
	*charset = (struct pn_str){ s.p, (size_t)(a - s.p) };
	return pn_str_sub(s, (size_t)(b + 1 - s.p), s.n);
}

static void
add_in_charset(struct param_values *out, struct pn_str bytes,
    struct pn_str charset, struct arena *arena)
{
	struct buf b = { .max = 3 * bytes.n + 4 };

	if (!charset_read(charset, bytes, &b))
		out->unknown = true;
	add_text(out, arena_str(arena, buf_str(&b)), arena);
	buf_fini(&b);
}

static void
read_extended(struct param_values *out, struct pn_str value, bool decoded,
    struct arena *arena)
{
	struct pn_str charset;
	struct pn_str text = split_charset(unquote(value, true, arena),
	    &charset);

	text = percent_decode(text, arena);
	if (text.p == NULL || !decoded)
		param_add(out, text);
	else
		add_in_charset(out, text, charset, arena);
}

/* ---- continuations ---- */

struct segment {
	unsigned number;
	bool extended;
	struct pn_str value;
};

struct segments {
	struct segment s[SEGMENTS];
	size_t n;
};

/* "*0" or "*12*" behind the name. */
static bool
segment_of(struct pn_str tail, struct segment *seg)
{
	size_t i = 1;

	if (tail.n < 2 || tail.p[0] != '*')
		return false;
	seg->extended = tail.p[tail.n - 1] == '*';
	tail.n -= seg->extended;
	for (seg->number = 0; i < tail.n; i++) {
		if (tail.p[i] < '0' || tail.p[i] > '9')
			return false;
		if (seg->number < 100000) /* behind all others anyway */
			seg->number = seg->number * 10 +
			    (unsigned)(tail.p[i] - '0');
	}
	return i > 1 && i == tail.n;
}

static void
join(struct param_values *out, const struct segments *l, size_t n,
    bool decoded, struct arena *arena)
{
	struct pn_str charset = { NULL, 0 }, s;
	size_t room = 0, len = 0;
	bool extended = false;
	char *p;

	for (size_t i = 0; i < n; i++)
		room += l->s[i].value.n;
	if ((p = arena_alloc(arena, room)) == NULL) {
		out->more = true;
		return;
	}
	for (size_t i = 0; i < n; i++) {
		s = l->s[i].value;
		if (l->s[i].extended) {
			if (i == 0)
				s = split_charset(s, &charset);
			s = percent_decode(s, arena);
			extended = true;
		}
		if (s.n > 0)
			memcpy(p + len, s.p, s.n);
		len += s.n;
	}
	s = (struct pn_str){ p, len };
	if (extended && decoded)
		add_in_charset(out, s, charset, arena);
	else
		add_plain(out, s, decoded, arena);
}

/*
 * By number, as far as they run without a gap or a number used twice (RFC
 * 2231 3); where that is not all of them, all; and as they stand, if that is
 * another order.
 */
static void
join_all(struct param_values *out, struct segments *l, bool decoded,
    struct arena *arena)
{
	struct segments as_found = *l;
	bool moved = false;
	size_t run = 0;

	for (size_t i = 1; i < l->n; i++) {
		struct segment s = l->s[i];
		size_t k = i;

		for (; k > 0 && l->s[k - 1].number > s.number; k--)
			l->s[k] = l->s[k - 1];
		moved |= k != i;
		l->s[k] = s;
	}
	while (run < l->n && l->s[run].number == run)
		run++;
	if (run > 0)
		join(out, l, run, decoded, arena);
	if (run < l->n)
		join(out, l, l->n, decoded, arena);
	if (moved)
		join(out, &as_found, as_found.n, decoded, arena);
}

void
param_read(struct param_values *out, struct pn_str body, struct pn_str attr,
    bool decoded, struct arena *arena)
{
	struct segments segments = { .n = 0 };
	struct cursor c = { 0, 0 };
	struct param p;

	while (!out->more && next_param(body, &c, &p)) {
		struct pn_str tail = pn_str_sub(p.attr, attr.n, p.attr.n);
		struct segment seg;

		/* Readers that split at each semicolon find more inside. */
		if (p.value.n > 2 && p.value.p[0] == '"' &&
		    memchr(p.value.p, ';', p.value.n) != NULL) {
			struct pn_str in = pn_str_sub(p.value, 1, p.value.n);
			const char *semi = memchr(in.p, ';', in.n);
			struct cursor d = { (size_t)(semi - in.p), 0 };
			struct param q;

			while (next_param(in, &d, &q))
				if (pn_str_caseeq(q.attr, attr))
					read_plain(out, &q, decoded, arena);
		}
		if (!pn_str_caseeq(pn_str_sub(p.attr, 0, attr.n), attr))
			continue;
		if (tail.n == 0) {
			read_plain(out, &p, decoded, arena);
		} else if (tail.n == 1 && tail.p[0] == '*') {
			read_extended(out, p.value, decoded, arena);
		} else if (segment_of(tail, &seg)) {
			seg.value = unquote(p.value, true, arena);
			if (segments.n == SEGMENTS || seg.value.p == NULL) {
				out->more = true;
				break;
			}
			segments.s[segments.n++] = seg;
		}
	}
	if (segments.n > 0)
		join_all(out, &segments, decoded, arena);
}
