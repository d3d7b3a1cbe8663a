/*
 * regex_char - what stands for one character of a pattern: itself, an escape, a
 * type as \d, a class in brackets. Each becomes a part (literal.h) by the bytes
 * that it may be.
 *
 * Called by regex.c, which joins them; owns nothing. What is not known for
 * certain makes the pattern unknown (give_up()), as there.
 */
#include "rules/regex_inside.h"

/* ---- sets of bytes ---- */

static void
add_range(struct bytes *b, unsigned from, unsigned to)
{
	for (unsigned c = from; c <= to; c++)
		bytes_add(b, (unsigned char)c);
}

static void
add_other_case(struct bytes *b)
{
	for (unsigned c = 'A'; c <= 'Z'; c++) {
		if (bytes_have(b, (unsigned char)c))
			bytes_add(b, (unsigned char)(c | 32));
		if (bytes_have(b, (unsigned char)(c | 32)))
			bytes_add(b, (unsigned char)c);
	}
}

static void
invert(struct bytes *b)
{
	for (int i = 0; i < 4; i++)
		b->has[i] = ~b->has[i];
}

/* With /u some ASCII letters fold to other characters: k to the Kelvin sign,
 * s to the long s. */
static bool
folds_away(const struct reader *r, const struct bytes *b)
{
	return r->fold && r->utf &&
	       (bytes_have(b, 'k') || bytes_have(b, 'K') ||
		   bytes_have(b, 's') || bytes_have(b, 'S'));
}

/* One character of the set. wide: with /u, any that is not ASCII, too. */
static struct part
one_of(struct reader *r, struct bytes *b, bool wide)
{
	struct range length = { 1, 1 };

	wide = r->utf && (wide || folds_away(r, b));
	if (wide) {
		add_range(b, 128, 255);
		length.max = 4;
	}
	if (r->fold)
		add_other_case(b);
	return part_class(&r->l, b, length, !wide, r->fold);
}

struct part
regex_any(struct reader *r)
{
	struct bytes b = { 0 };

	invert(&b);
	return one_of(r, &b, true);
}

/* \d \w \s \h \v: what of ASCII, and in byte mode what else. */
static void
add_type(struct bytes *b, char type, bool utf)
{
	switch (type) {
	case 'w':
		add_range(b, 'a', 'z');
		add_range(b, 'A', 'Z');
		bytes_add(b, '_');
		/* fall through */
	case 'd':
		add_range(b, '0', '9');
		return;
	case 's':
		add_range(b, '\t', '\r');
		bytes_add(b, ' ');
		return;
	case 'h':
		bytes_add(b, '\t');
		bytes_add(b, ' ');
		if (!utf)
			bytes_add(b, 0xa0);
		return;
	default:
		add_range(b, '\n', '\r');
		if (!utf)
			bytes_add(b, 0x85);
	}
}

/* The same for the capitals, which are the others. With /u a type has
 * characters beyond ASCII: the caller makes it wide. */
static void
add_escape_type(struct bytes *b, char type, bool utf)
{
	struct bytes own = { 0 };

	add_type(&own, (char)(type | 32), utf);
	if (type < 'a')
		invert(&own);
	for (int i = 0; i < 4; i++)
		b->has[i] |= own.has[i];
}

static bool
is_type(char c)
{
	return c != '\0' && strchr("dDwWsShHvV", c) != NULL;
}

/* ---- characters ---- */

static int
hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	c = (char)(c | 32);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Behind "\x": at most two digits, or any in braces. */
static uint32_t
read_hex(struct reader *r)
{
	bool braces = skip_text(r, "{");
	uint32_t value = 0;
	unsigned n = 0;

	for (; hex_value(peek(r, 0)) >= 0 && n < (braces ? 6 : 2); n++, r->at++)
		value = value * 16 + (uint32_t)hex_value(peek(r, 0));
	if (braces && (n == 0 || !skip_text(r, "}")))
		give_up(r);
	return value;
}

/* An escape that is one character, behind its backslash; what is not known
 * gives up. */
static uint32_t
read_escaped(struct reader *r)
{
	static const char names[] = "aefnrt", values[] = "\a\033\f\n\r\t";
	char c = peek(r, 0);
	const char *at = c == '\0' ? NULL : strchr(names, c);

	if (at_end(r)) {
		give_up(r);
		return 0;
	}
	r->at++;
	if (c == 'x')
		return read_hex(r);
	if (at != NULL)
		return (unsigned char)values[at - names];
	if (is_alpha(c) || is_digit(c) || (unsigned char)c >= 128)
		give_up(r);
	return (unsigned char)c;
}

/* Bytes of the UTF-8 character at hand; PCRE2 has seen that it is one. */
static size_t
char_length(const struct reader *r)
{
	unsigned char c = (unsigned char)peek(r, 0);
	size_t n = !r->utf || c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	size_t rest = r->at < r->s.n ? r->s.n - r->at : 0;

	return n < rest ? n : rest;
}

static struct part
byte_part(struct reader *r, unsigned char c)
{
	struct bytes b = { 0 };
	char letter = (char)c;

	bytes_add(&b, c);
	if (folds_away(r, &b))
		return one_of(r, &b, true);
	return part_string(
	    &r->l, (struct pn_str){ &letter, 1 }, r->fold && is_alpha(letter));
}

/* The character of the text at hand. */
struct part
regex_char(struct reader *r)
{
	size_t n = char_length(r);
	struct pn_str c = pn_str_sub(r->s, r->at, n);

	r->at += n;
	if (c.n == 1)
		return byte_part(r, (unsigned char)c.p[0]);
	return r->fold ? regex_any(r) : part_string(&r->l, c, false);
}

/* A character by its number. */
static struct part
code_part(struct reader *r, uint32_t code)
{
	if (code < 128 || (!r->utf && code < 256))
		return byte_part(r, (unsigned char)code);
	return regex_any(r);
}

/* ---- classes ---- */

static const struct {
	const char *name;
	const char *ranges; /* pairs, ASCII only */
	bool is_case;
} posix[] = { { "alpha", "azAZ", false }, { "digit", "09", false },
	{ "alnum", "azAZ09", false }, { "upper", "AZ", true },
	{ "lower", "az", true }, { "space", "\t\r  ", false },
	{ "blank", "\t\t  ", false }, { "punct", "!/:@[`{~", false },
	{ "xdigit", "09afAF", false }, { "word", "azAZ09__", false },
	{ "print", " ~", false }, { "graph", "!~", false } };

/* "[:name:]" or "[:^name:]"; anything like it that is none gives up. */
static void
read_posix(struct reader *r, struct bytes *b)
{
	bool inverted;
	struct bytes own = { 0 };

	if (!skip_text(r, "[:")) {
		give_up(r);
		return;
	}
	inverted = skip_text(r, "^");
	for (size_t i = 0; i < PN_COUNT(posix); i++) {
		size_t at = r->at;

		if (!skip_text(r, posix[i].name) || !skip_text(r, ":]")) {
			r->at = at;
			continue;
		}
		/* With /i upper and lower are both alpha, also when inverted.
		 */
		if (inverted && r->fold && posix[i].is_case)
			give_up(r);
		for (const char *p = posix[i].ranges; *p != '\0'; p += 2)
			add_range(
			    &own, (unsigned char)p[0], (unsigned char)p[1]);
		if (inverted)
			invert(&own);
		for (int k = 0; k < 4; k++)
			b->has[k] |= own.has[k];
		return;
	}
	give_up(r);
}

/* One character of a class, as an end of a range. */
static uint32_t
read_member(struct reader *r, bool *wide)
{
	size_t n = char_length(r);

	if (n == 0) {
		give_up(r);
		return 0;
	}
	if (skip_text(r, "\\")) {
		if (skip_text(r, "b"))
			return '\b';
		return read_escaped(r);
	}
	if (n > 1)
		*wide = true; /* and its number does not matter any more */
	r->at += n;
	return n > 1 ? 0x110000 : (unsigned char)r->s.p[r->at - n];
}

/* One thing between the brackets. */
static void
read_class_item(struct reader *r, struct bytes *b, bool *wide)
{
	uint32_t from, to;

	if (peek(r, 0) == '[' &&
	    (peek(r, 1) == ':' || peek(r, 1) == '.' || peek(r, 1) == '=')) {
		read_posix(r, b);
		*wide = true;
		return;
	}
	if (peek(r, 0) == '\\' && is_type(peek(r, 1))) {
		add_escape_type(b, peek(r, 1), r->utf);
		r->at += 2;
		*wide = true;
		if (peek(r, 0) == '-' && peek(r, 1) != ']')
			give_up(r); /* a hyphen or an error: not our business */
		return;
	}
	from = to = read_member(r, wide);
	if (peek(r, 0) == '-' && peek(r, 1) != ']' && peek(r, 1) != '\0') {
		r->at++;
		if (peek(r, 0) == '[' ||
		    (peek(r, 0) == '\\' && is_type(peek(r, 1)))) {
			give_up(r);
			return;
		}
		to = read_member(r, wide);
	}
	if (to >= 128 && r->utf)
		*wide = true;
	for (uint32_t c = from; c <= to && c < 256; c++)
		bytes_add(b, (unsigned char)c);
}

/* A character beyond ASCII may be the Kelvin sign or the long s. */
static void
add_wide_folds(struct bytes *b)
{
	bytes_add(b, 'k');
	bytes_add(b, 's');
}

struct part
regex_class(struct reader *r)
{
	struct bytes b = { 0 };
	bool wide = false, first = true, inverted;

	r->at++;
	inverted = skip_text(r, "^");
	for (; first || peek(r, 0) != ']'; first = false) {
		if (at_end(r)) {
			give_up(r);
			return regex_any(r);
		}
		read_class_item(r, &b, &wide);
	}
	r->at++;
	if (!inverted) {
		if (wide && r->utf && r->fold)
			add_wide_folds(&b);
		return one_of(r, &b, wide);
	}
	/* What is not one of them: with /i neither is the other case. What of
	 * it is wide does not matter, all of that may match. */
	if (r->fold)
		add_other_case(&b);
	if (r->utf) {
		/* A wide member could fold to ASCII, and then be left out: to
		 * have it in the set does no harm. */
		for (int i = 2; i < 4; i++)
			b.has[i] = 0;
	}
	invert(&b);
	return one_of(r, &b, true);
}

/* ---- escapes ---- */

struct part
regex_escape(struct reader *r)
{
	char c = peek(r, 1);
	struct bytes b = { 0 };

	r->at += 2;
	if (c != '\0' && strchr("bBAzZ", c) != NULL)
		return part_empty(&r->l);
	if (is_type(c)) {
		add_escape_type(&b, c, r->utf);
		return one_of(r, &b, true);
	}
	if (c == 'R') {
		struct part p = regex_any(r);

		p.length.max = p.tail_at.max = 4;
		return p;
	}
	if (c == 'N' && peek(r, 0) != '{')
		return regex_any(r);
	r->at--;
	return code_part(r, read_escaped(r));
}
