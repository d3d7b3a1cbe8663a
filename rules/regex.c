/*
 * regex - reads the part of PCRE2's syntax it knows to the letter, to tell what
 * every match needs (literal.h). pattern.c asks, after PCRE2 has accepted the
 * pattern: so what is wrong with it never matters here.
 *
 * Everything else - verbs, references, recursion, conditions, \K, \G, comments,
 * unusual escapes and flags - makes the pattern unknown. pcre2pattern(3) of
 * 10.34 to 10.44 is the reference; where they differ, it is unknown too.
 */
#include "rules/literal.h"

#define NESTED_MAX 100
#define PAIR_SHARE_MAX (1.0 / 1500) /* commoner ones are in every mail */

struct reader {
	struct analysis l;
	struct pn_str s;
	size_t at;
	bool fold, extended, utf;
	bool quoted; /* within \Q \E */
	unsigned nested;
};

static void
give_up(struct reader *r)
{
	r->l.failed = true;
	r->at = r->s.n;
}

static bool
at_end(const struct reader *r)
{
	return r->at >= r->s.n;
}

/* The byte so far ahead, or NUL: no pattern of ours has one. */
static char
peek(const struct reader *r, size_t ahead)
{
	return r->at + ahead < r->s.n ? r->s.p[r->at + ahead] : '\0';
}

static bool
skip_text(struct reader *r, const char *text)
{
	struct pn_str want = pn_str_of(text);

	if (!pn_str_starts(pn_str_sub(r->s, r->at, r->s.n), want))
		return false;
	r->at += want.n;
	return true;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* White space that /x passes over; a comment is too much. */
static void
skip_blanks(struct reader *r)
{
	while (
	    r->extended && !at_end(r) &&
	    (peek(r, 0) == ' ' || (peek(r, 0) >= '\t' && peek(r, 0) <= '\r')))
		r->at++;
	if (r->extended && peek(r, 0) == '#')
		give_up(r);
}

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

static struct part
any_one(struct reader *r)
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
static struct part
read_char(struct reader *r)
{
	size_t n = char_length(r);
	struct pn_str c = pn_str_sub(r->s, r->at, n);

	r->at += n;
	if (c.n == 1)
		return byte_part(r, (unsigned char)c.p[0]);
	return r->fold ? any_one(r) : part_string(&r->l, c, false);
}

/* A character by its number. */
static struct part
code_part(struct reader *r, uint32_t code)
{
	if (code < 128 || (!r->utf && code < 256))
		return byte_part(r, (unsigned char)code);
	return any_one(r);
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

static struct part
read_class(struct reader *r)
{
	struct bytes b = { 0 };
	bool wide = false, first = true, inverted;

	r->at++;
	inverted = skip_text(r, "^");
	for (; first || peek(r, 0) != ']'; first = false) {
		if (at_end(r)) {
			give_up(r);
			return any_one(r);
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

/* ---- groups ---- */

static struct part read_alternatives(struct reader *);

/* What looks around takes nothing, but time. */
static struct part
looks_only(struct reader *r, const struct part *inside)
{
	struct part p = part_empty(&r->l);

	p.span = inside->span;
	p.ways = inside->ways;
	p.degree = inside->degree;
	return p;
}

/* "i", "-i", "s-i" ... behind "(?": flags up to ")" or ":". */
static void
read_flags(struct reader *r)
{
	bool on = true;

	for (;; r->at++) {
		char c = peek(r, 0);

		if (c == 'i')
			r->fold = on;
		else if (c == '-' && on)
			on = false;
		else if (c == ')' || c == ':')
			return;
		else if (c != 'm' && c != 's') {
			give_up(r);
			return;
		}
	}
}

static bool
skip_name(struct reader *r, char end)
{
	while (
	    is_alpha(peek(r, 0)) || is_digit(peek(r, 0)) || peek(r, 0) == '_')
		r->at++;
	if (peek(r, 0) != end)
		return false;
	r->at++;
	return true;
}

/* What stands behind "(?"; *looks: it takes nothing. False: flags, "(?i)". */
static bool
read_kind(struct reader *r, bool *looks)
{
	*looks = false;
	if (skip_text(r, ":") || skip_text(r, ">") || skip_text(r, "|"))
		return true;
	if (skip_text(r, "=") || skip_text(r, "!") || skip_text(r, "<=") ||
	    skip_text(r, "<!")) {
		*looks = true;
		return true;
	}
	if (skip_text(r, "P<") || skip_text(r, "<")) {
		if (!skip_name(r, '>'))
			give_up(r);
		return true;
	}
	if (skip_text(r, "'")) {
		if (!skip_name(r, '\''))
			give_up(r);
		return true;
	}
	read_flags(r);
	return skip_text(r, ":");
}

/* Flags set within a group, or in the middle of it, end with it. */
static struct part
read_group(struct reader *r)
{
	struct part p = part_empty(&r->l);
	bool fold = r->fold, looks = false;

	r->at++;
	if (peek(r, 0) == '*' || r->nested == NESTED_MAX) {
		give_up(r);
		return p;
	}
	if (skip_text(r, "?") && !read_kind(r, &looks)) {
		r->at++; /* ")": the flags hold from here on */
		return p;
	}
	r->nested++;
	p = read_alternatives(r);
	r->nested--;
	r->fold = fold;
	if (!skip_text(r, ")"))
		give_up(r);
	return looks ? looks_only(r, &p) : p;
}

/* ---- items ---- */

static struct part
read_escape(struct reader *r)
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
		struct part p = any_one(r);

		p.length.max = p.tail_at.max = 4;
		return p;
	}
	if (c == 'N' && peek(r, 0) != '{')
		return any_one(r);
	r->at--;
	return code_part(r, read_escaped(r));
}

/* What stands behind a "{" that is, or in some version may be, a quantifier. */
static bool
opens_times(const struct reader *r)
{
	char c = peek(r, 1);

	return peek(r, 0) == '{' &&
	       (is_digit(c) || c == ',' || c == ' ' || c == '\t');
}

static struct part
read_item(struct reader *r)
{
	switch (peek(r, 0)) {
	case '(':
		return read_group(r);
	case '[':
		return read_class(r);
	case '\\':
		return read_escape(r);
	case '.':
		r->at++;
		return any_one(r);
	case '^':
	case '$':
		r->at++;
		return part_empty(&r->l);
	case '*':
	case '+':
	case '?':
		give_up(r);
		return part_empty(&r->l);
	default:
		if (opens_times(r))
			give_up(r);
		return read_char(r);
	}
}

static uint32_t
read_number(struct reader *r)
{
	uint32_t n = 0;

	if (!is_digit(peek(r, 0)))
		give_up(r);
	for (; is_digit(peek(r, 0)) && n < 100000; r->at++)
		n = n * 10 + (uint32_t)(peek(r, 0) - '0');
	return n;
}

/* "{2}" "{2,}" "{2,5}"; newer versions know more than older ones: "{,5}" and
 * blanks are left to them. */
static bool
read_braces(struct reader *r, uint32_t *min, uint32_t *max)
{
	if (!opens_times(r))
		return false;
	r->at++;
	*min = *max = read_number(r);
	if (skip_text(r, ",")) {
		*max = UNBOUND;
		if (peek(r, 0) != '}')
			*max = read_number(r);
	}
	if (!skip_text(r, "}") || *max < *min)
		give_up(r);
	return true;
}

static bool
read_times(struct reader *r, uint32_t *min, uint32_t *max)
{
	char c = peek(r, 0);

	if (c == '{')
		return read_braces(r, min, max);
	if (c != '*' && c != '+' && c != '?')
		return false;
	*min = c == '+';
	*max = c == '?' ? 1 : UNBOUND;
	r->at++;
	return true;
}

static void
read_quantifier(struct reader *r, struct part *p)
{
	uint32_t min, max;

	skip_blanks(r);
	if (!read_times(r, &min, &max))
		return;
	if (peek(r, 0) == '?' || peek(r, 0) == '+')
		r->at++; /* which it prefers does not matter */
	skip_blanks(r);
	if (peek(r, 0) == '*' || peek(r, 0) == '+' || peek(r, 0) == '?' ||
	    opens_times(r))
		give_up(r);
	else
		part_repeat(&r->l, p, min, max);
}

/* Within \Q \E: a quantifier stands behind the \E. */
static struct part
read_quoted(struct reader *r)
{
	struct part p = read_char(r);

	if (skip_text(r, "\\E")) {
		r->quoted = false;
		read_quantifier(r, &p);
	}
	return p;
}

static bool
sequence_ends(struct reader *r)
{
	if (r->quoted)
		return at_end(r);
	skip_blanks(r);
	if (skip_text(r, "\\Q")) {
		r->quoted = true;
		if (peek(r, 0) == '\\' && peek(r, 1) == 'E')
			give_up(r); /* nothing, between what and what? */
	}
	return at_end(r) ||
	       (!r->quoted && (peek(r, 0) == '|' || peek(r, 0) == ')'));
}

static struct part
read_sequence(struct reader *r)
{
	struct part all = part_empty(&r->l);

	while (!r->l.failed && !sequence_ends(r)) {
		struct part p;

		if (r->quoted) {
			p = read_quoted(r);
		} else {
			p = read_item(r);
			read_quantifier(r, &p);
		}
		if (!r->l.failed)
			part_join(&r->l, &all, &p);
	}
	return all;
}

static struct part
read_alternatives(struct reader *r)
{
	struct part all = read_sequence(r);

	while (!r->l.failed && skip_text(r, "|")) {
		struct part p = read_sequence(r);

		if (!r->l.failed)
			part_alternate(&r->l, &all, &p);
	}
	return all;
}

/* ---- the whole ---- */

static bool
read_pattern(
    struct reader *r, struct pn_str text, struct pn_str flags, struct part *out)
{
	r->s = text;
	r->at = 0;
	r->fold = r->extended = r->utf = r->quoted = false;
	r->nested = 0;
	for (size_t i = 0; i < flags.n; i++) {
		r->fold = r->fold || flags.p[i] == 'i';
		r->extended = r->extended || flags.p[i] == 'x';
		r->utf = r->utf || flags.p[i] == 'u';
	}
	for (size_t i = 0; i < r->s.n; i++)
		if (r->s.p[i] == '\0' ||
		    (r->extended && (unsigned char)r->s.p[i] >= 128))
			give_up(r);
	*out = read_alternatives(r);
	if (!at_end(r))
		give_up(r);
	return !r->l.failed;
}

/* Out of the scratch memory into the builder's. */
static void
keep_literals(
    struct rules_builder *b, struct need *need, const struct literals *from)
{
	need->literals = *from;
	need->literals.set.s =
	    rules_alloc(b, from->set.n * sizeof(*from->set.s));
	for (uint32_t i = 0; i < from->set.n; i++)
		need->literals.set.s[i] = rules_copy(b, from->set.s[i]);
}

static void
keep_pairs(struct rules_builder *b, struct need *need, const struct part *p)
{
	if (p->n_pairs == 0 || p->pair_share > PAIR_SHARE_MAX)
		return;
	need->n_pairs = p->n_pairs;
	need->pairs = rules_alloc(b, p->n_pairs * sizeof(*p->pairs));
	memcpy(need->pairs, p->pairs, p->n_pairs * sizeof(*p->pairs));
}

static uint32_t
steps_of(const struct part *p)
{
	uint64_t steps = (uint64_t)p->ways * (p->span > 0 ? p->span : 1);

	return steps < UNBOUND ? (uint32_t)steps : UNBOUND;
}

struct need
regex_need(struct rules_builder *b, struct arena *scratch, struct pn_str text,
    struct pn_str flags)
{
	struct reader r;
	struct need need = { 0 };
	struct literals found;
	struct part p;

	analysis_init(&r.l, scratch);
	if (!read_pattern(&r, text, flags, &p)) {
		arena_reset(scratch);
		return need;
	}
	found = part_literals(&r.l, &p);
	if (!r.l.failed) {
		need.known = true;
		need.degree = p.degree;
		need.steps = p.degree == 0 ? steps_of(&p) : p.ways;
		keep_literals(b, &need, &found);
	}
	if (need.known && found.set.n == 0) {
		r.l.want_pairs = true;
		if (read_pattern(&r, text, flags, &p))
			keep_pairs(b, &need, &p);
	}
	arena_reset(scratch);
	return need;
}
