/* lex - see lex.h. Called by proxy/config.c and rules/parse.c. */
#include "base/lex.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "base/must.h"

void
lex_init(struct lex *l, const char *file, struct pn_str text)
{
	*l = (struct lex){ .file = file, .text = text, .line = 1 };
}

static int
peek_byte(const struct lex *l, size_t ahead)
{
	return l->at + ahead < l->text.n
	    ? (unsigned char)l->text.p[l->at + ahead]
	    : -1;
}

static bool
is_word_byte(int c)
{
	return c >= 128 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	    (c >= 'A' && c <= 'Z') ||
	    (c > 0 && strchr("_-.@/:*%+[]", c) != NULL);
}

static void
skip_blank(struct lex *l)
{
	int c;

	while ((c = peek_byte(l, 0)) >= 0) {
		if (c == '#') {
			while ((c = peek_byte(l, 0)) >= 0 && c != '\n')
				l->at++;
			continue;
		}
		if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
			return;
		l->at++;
		if (c == '\n') {
			l->line++;
			l->line_start = l->at;
		}
	}
}

static void
begin(struct lex *l, struct lex_token *t)
{
	skip_blank(l);
	*t = (struct lex_token){ .kind = LEX_END,
		.pos = { l->file, l->text, l->line,
		    (unsigned)(l->at - l->line_start) + 1 } };
}

static void
take(struct lex *l, struct lex_token *t, enum lex_kind kind, size_t n)
{
	t->kind = kind;
	t->text = pn_str_sub(l->text, l->at, n);
	l->at += n;
}

/* Up to the closing delimiter; a backslash takes the next byte with it. */
static int
take_delimited(struct lex *l, struct lex_token *t, enum lex_kind kind,
    struct error *e)
{
	int c, close = peek_byte(l, 0);
	size_t n = 1;

	while ((c = peek_byte(l, n)) != close) {
		if (c < 0 || c == '\n')
			return lex_error(e, &t->pos, "%s is not closed",
			    kind == LEX_STRING ? "this string" : "this regex");
		n += c == '\\' && peek_byte(l, n + 1) >= 0 &&
			peek_byte(l, n + 1) != '\n'
		    ? 2
		    : 1;
	}
	take(l, t, kind, n + 1);
	t->text = pn_str_sub(t->text, 1, n - 1);
	return 0;
}

static size_t
op_length(const struct lex *l)
{
	int c = peek_byte(l, 0), d = peek_byte(l, 1);

	if ((c == '!' && (d == '=' || d == '~')) ||
	    ((c == '<' || c == '>') && d == '='))
		return 2;
	return c > 0 && strchr("{}();,=<>~", c) != NULL;
}

/* A parser that looked ahead may come by here again. */
static int
note(struct lex *l, const struct lex_token *t)
{
	struct lex_seen *s = &l->seen;

	if (s->last.pos.file != NULL && s->last.pos.line == t->pos.line &&
	    s->last.pos.column == t->pos.column) {
		s->last = *t;
		return 0;
	}
	if (s->first.pos.line != t->pos.line) {
		s->first = *t;
		s->before_first = s->last;
	}
	s->before = s->last;
	s->last = *t;
	return 0;
}

static int
scan(struct lex *l, struct lex_token *t, struct error *e)
{
	size_t n = 0;

	begin(l, t);
	if (l->at == l->text.n)
		return note(l, t);
	if (peek_byte(l, 0) == '"')
		return take_delimited(l, t, LEX_STRING, e) < 0 ? -1
							       : note(l, t);
	while (is_word_byte(peek_byte(l, n)))
		n++;
	if (n > 0) {
		take(l, t, LEX_WORD, n);
		return note(l, t);
	}
	if ((n = op_length(l)) > 0) {
		take(l, t, LEX_OP, n);
		return note(l, t);
	}
	return lex_error(e, &t->pos, "unexpected character \"%s\"",
	    VIS(pn_str_sub(l->text, l->at, 1)));
}

int
lex_peek(struct lex *l, struct lex_token *t, struct error *e)
{
	if (!l->has_peeked && scan(l, &l->peeked, e) < 0)
		return -1;
	l->has_peeked = 1;
	*t = l->peeked;
	return 0;
}

int
lex_next(struct lex *l, struct lex_token *t, struct error *e)
{
	if (lex_peek(l, t, e) < 0)
		return -1;
	l->has_peeked = 0;
	return 0;
}

int
lex_regex(struct lex *l, struct lex_token *t, struct error *e)
{
	size_t n = 0;

	must(!l->has_peeked);
	begin(l, t);
	if (peek_byte(l, 0) != '/')
		return lex_error(e, &t->pos, "a /regex/ must stand here");
	if (take_delimited(l, t, LEX_REGEX, e) < 0)
		return -1;
	while (peek_byte(l, n) >= 'a' && peek_byte(l, n) <= 'z')
		n++;
	t->flags = pn_str_sub(l->text, l->at, n);
	l->at += n;
	return note(l, t);
}

bool
lex_is(const struct lex_token *t, const char *text)
{
	return (t->kind == LEX_OP || t->kind == LEX_WORD) &&
	    pn_str_eq(t->text, pn_str_of(text));
}

static const char *
describe(const struct lex_token *t, char *out, size_t size)
{
	char text[128];

	(void)snprintf(out, size, t->kind == LEX_END ? "the end of the file%s"
						     : "\"%s\"",
	    t->kind == LEX_END ? "" : vis(text, sizeof(text), t->text));
	return out;
}

struct lex_pos
lex_end(const struct lex_token *t)
{
	struct lex_pos end = t->pos;

	/* A token ends on the line that it begins on. */
	end.column += (unsigned)(t->kind == LEX_REGEX ? t->text.n + 2 + t->flags.n
	    : t->kind == LEX_STRING		      ? t->text.n + 2
						      : t->text.n);
	return end;
}

int
lex_missing(struct error *e, const struct lex_token *t, const char *what)
{
	struct lex_pos end = lex_end(t);
	bool whole = t->text.n <= 60;

	if (t->kind == LEX_REGEX) /* all backslashes */
		return lex_error(e, &end, "missing \"%s\" after the regex",
		    what);
	return lex_error(e, &end, "missing \"%s\" after \"%s%s\"", what,
	    VIS(whole ? t->text : pn_str_sub(t->text, 0, 57)),
	    whole ? "" : "...");
}

/* t was expected to be another, which only a line before it can lack. */
static bool
is_behind_line(const struct lex *l, const struct lex_token *t)
{
	return l->seen.before.pos.file != NULL &&
	    (t->kind == LEX_END || t->pos.line > l->seen.before.pos.line);
}

int
lex_expect(struct lex *l, const char *text, struct error *e)
{
	struct lex_token t;
	char found[160];

	if (lex_next(l, &t, e) < 0)
		return -1;
	if (lex_is(&t, text))
		return 0;
	if ((l->seen.told = is_behind_line(l, &t)))
		return lex_missing(e, &l->seen.before, text);
	return lex_error(e, &t.pos, "\"%s\" must stand here, not %s", text,
	    describe(&t, found, sizeof(found)));
}

int
lex_accept(struct lex *l, const char *text, struct error *e)
{
	struct lex_token t;

	if (lex_peek(l, &t, e) < 0)
		return -1;
	if (!lex_is(&t, text))
		return 0;
	l->has_peeked = 0;
	return 1;
}

struct pn_str
lex_unescape(struct pn_str text, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (c == '\\' && i + 1 < text.n) {
			c = text.p[++i];
			c = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
		}
		out[n++] = c;
	}
	return (struct pn_str){ out, n };
}

/* The line of pos without its end. */
static struct pn_str
line_of(const struct lex_pos *pos)
{
	struct pn_str rest = pos->text;
	const char *nl;

	for (unsigned i = 1; i < pos->line; i++) {
		nl = memchr(rest.p, '\n', rest.n);
		must(nl != NULL);
		rest = pn_str_sub(rest, (size_t)(nl - rest.p) + 1, rest.n);
	}
	nl = rest.n ? memchr(rest.p, '\n', rest.n) : NULL;
	return pn_str_sub(rest, 0, nl ? (size_t)(nl - rest.p) : rest.n);
}

int
lex_error(struct error *e, const struct lex_pos *pos, const char *fmt, ...)
{
	struct pn_str line = pn_str_sub(line_of(pos), 0, 200);
	char caret[208];
	size_t n, pad = pos->column - 1 < 200 ? pos->column - 1 : 200;
	va_list ap;

	for (size_t i = 0; i < pad; i++)
		caret[i] = i < line.n && line.p[i] == '\t' ? '\t' : ' ';
	caret[pad] = '\0';
	n = (size_t)snprintf(e->text, sizeof(e->text) / 2, "%s:%u:%u: ",
	    pos->file, pos->line, pos->column);
	if (n >= sizeof(e->text) / 2)
		n = sizeof(e->text) / 2 - 1;
	va_start(ap, fmt);
	n += (size_t)vsnprintf(e->text + n, 400, fmt, ap);
	va_end(ap);
	n = strlen(e->text);
	(void)snprintf(e->text + n, sizeof(e->text) - n, "\n%.*s\n%s^",
	    PN_STR_ARG(line), caret);
	return -1;
}

/* Leading digits; the count of them, 0 when none or too many. */
static size_t
digits(struct pn_str s, unsigned long long *v)
{
	size_t n = 0;

	*v = 0;
	while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9')
		*v = *v * 10 + (unsigned long long)(s.p[n++] - '0');
	return n <= 12 ? n : 0;
}

int
lex_size(struct pn_str s, unsigned long long *bytes)
{
	size_t n = digits(s, bytes);
	struct pn_str unit = pn_str_sub(s, n, s.n);

	if (n == 0 || unit.n > 1)
		return -1;
	if (unit.n == 1 && unit.p[0] == 'K')
		*bytes <<= 10;
	else if (unit.n == 1 && unit.p[0] == 'M')
		*bytes <<= 20;
	else if (unit.n == 1 && unit.p[0] == 'G')
		*bytes <<= 30;
	else if (unit.n == 1)
		return -1;
	return 0;
}

int
lex_duration(struct pn_str s, unsigned long long *ms)
{
	static const struct {
		const char *unit;
		unsigned long long ms;
	} units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 },
		{ "h", 3600000 }, { "d", 86400000 } };
	size_t n = digits(s, ms);

	if (n > 0 && n == s.n && *ms == 0)
		return 0; /* of any unit */
	for (size_t i = 0; n > 0 && i < PN_COUNT(units); i++)
		if (pn_str_eq(pn_str_sub(s, n, s.n), pn_str_of(units[i].unit))) {
			*ms *= units[i].ms;
			return 0;
		}
	return -1;
}
