/*
 * lint_pattern - regexes that take too long on some texts, found by reading
 * them. Called by lint.c.
 *
 * Two shapes are known: a repeated group of which all but one item may be
 * empty while that one is repeated itself, (a+)+ or (\s*\w+)*; and a repeated
 * choice between single characters that overlap, (a|a)* or (\w|\d)+. What
 * gives nothing back (possessive, atomic) is neither. A construct that is not
 * known here ends the reading: nothing is said of that regex.
 */
#include "rules/lint.h"

#include <stdlib.h>

#define DEPTH_MAX 100

/* The bytes one item can be; /u makes all beyond ASCII one. */
struct bytes {
	uint64_t has[4];
};

struct reading {
	struct pn_str s;
	size_t at;
	unsigned depth;
	bool unknown, caseless, extended, dot_all;
	struct pattern_faults *faults;
};

/* What a sequence, or a choice between sequences, is. */
struct shape {
	bool nullable;
	bool loops; /* one item repeated without end, the rest may be empty */
	bool overlaps; /* two of its choices are single and share a byte */
	bool single;   /* one character and no more: bytes */
	bool anchored; /* at the text's start */
	bool literal;  /* some byte must stand there */
	bool one_byte; /* a character, however often: bytes */
	struct bytes bytes;
};

static void
set_byte(struct bytes *b, unsigned char c)
{
	b->has[c / 64] |= 1ull << (c % 64);
}

static void
set_range(struct bytes *b, unsigned from, unsigned to)
{
	for (unsigned c = from; c <= to; c++)
		set_byte(b, (unsigned char)c);
}

static struct bytes
none(void)
{
	return (struct bytes){ { 0 } };
}

static struct bytes
all_but(struct bytes b)
{
	for (size_t i = 0; i < 4; i++)
		b.has[i] = ~b.has[i];
	return b;
}

static struct bytes
joined(struct bytes a, struct bytes b)
{
	for (size_t i = 0; i < 4; i++)
		a.has[i] |= b.has[i];
	return a;
}

static bool
share(const struct bytes *a, const struct bytes *b)
{
	for (size_t i = 0; i < 4; i++)
		if (a->has[i] & b->has[i])
			return true;
	return false;
}

static void
set_letter(const struct reading *r, struct bytes *b, unsigned char c)
{
	bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

	set_byte(b, c);
	if (letter && r->caseless)
		set_byte(b, c ^ 32);
}

static bool
more(const struct reading *r)
{
	return r->at < r->s.n && !r->unknown;
}

static char
peek(const struct reading *r)
{
	return r->at < r->s.n ? r->s.p[r->at] : '\0';
}

static bool
take(struct reading *r, const char *text)
{
	struct pn_str rest = pn_str_sub(r->s, r->at, r->s.n);

	if (!pn_str_starts(rest, pn_str_of(text)))
		return false;
	r->at += strlen(text);
	return true;
}

/* ---- single characters ---- */

/* \d \w \s \h and their opposites. */
static bool
class_of(char c, struct bytes *out)
{
	struct bytes b = none();

	switch (c | 32) {
	case 'w':
		set_range(&b, 'a', 'z');
		set_range(&b, 'A', 'Z');
		set_byte(&b, '_');
		/* FALLTHROUGH */
	case 'd':
		set_range(&b, '0', '9');
		break;
	case 's':
		set_range(&b, '\t', '\r');
		/* FALLTHROUGH */
	case 'h':
		set_byte(&b, '\t');
		set_byte(&b, ' ');
		break;
	default:
		return false;
	}
	*out = c & 32 ? b : all_but(b);
	return true;
}

/* \xHH and the control letters; any punctuation is itself. */
static bool
escaped_byte(struct reading *r, char c, unsigned char *out)
{
	static const char letters[] = "nrtfae", bytes[] = "\n\r\t\f\a\033";
	const char *at = c != '\0' ? strchr(letters, c) : NULL;
	char hex[3] = { 0 }, *end;

	if (at != NULL) {
		*out = (unsigned char)bytes[at - letters];
		return true;
	}
	if (c == 'x' && r->at + 2 <= r->s.n) {
		memcpy(hex, r->s.p + r->at, 2);
		*out = (unsigned char)strtoul(hex, &end, 16);
		r->at += 2;
		return *end == '\0' && hex[0] != '+' && hex[0] != '-';
	}
	*out = (unsigned char)c;
	return !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		 (c >= '0' && c <= '9'));
}

/* Behind a backslash, which was taken. */
static struct shape
read_escape(struct reading *r)
{
	struct shape s = { .single = true };
	char c = peek(r);
	unsigned char byte;

	r->at++;
	if (c == 'b' || c == 'B' || c == 'Z' || c == 'z' || c == 'A' ||
	    c == 'G')
		return (struct shape){ .nullable = true, .anchored = c == 'A' };
	if (class_of(c, &s.bytes))
		return s;
	if (!escaped_byte(r, c, &byte)) {
		r->unknown = true;
		return s;
	}
	set_letter(r, &s.bytes, byte);
	s.literal = true;
	return s;
}

/* One of a [...], its first byte: into *b; the byte if it is one. */
static int
read_member(struct reading *r, struct bytes *b)
{
	unsigned char byte = (unsigned char)peek(r);
	struct bytes class;
	char c;

	r->at++;
	if (byte == '[' && memchr(":.=", peek(r), 3) != NULL)
		r->unknown = true; /* [:alpha:] */
	if (byte == '\\') {
		c = peek(r);
		r->at++;
		if (class_of(c, &class)) {
			*b = joined(*b, class);
			return -1;
		}
		if (c == 'b')
			byte = '\b';
		else if (!escaped_byte(r, c, &byte))
			r->unknown = true;
	}
	set_letter(r, b, byte);
	return byte;
}

/* Behind the [, which was taken. */
static struct shape
read_class(struct reading *r)
{
	struct shape s = { .single = true };
	bool negated = take(r, "^"), first = true;

	for (; more(r) && (first || peek(r) != ']'); first = false) {
		int from = read_member(r, &s.bytes), to;

		if (from < 0 || peek(r) != '-' || r->at + 1 >= r->s.n ||
		    r->s.p[r->at + 1] == ']')
			continue;
		r->at++;
		to = read_member(r, &s.bytes);
		for (int c = from; to >= 0 && c <= to; c++)
			set_letter(r, &s.bytes, (unsigned char)c);
	}
	if (!take(r, "]"))
		r->unknown = true;
	if (negated)
		s.bytes = all_but(s.bytes);
	return s;
}

/* ---- groups ---- */

static struct shape read_choice(struct reading *r);

/* (?<name> and (?'name' and (?P<name> */
static bool
take_group_name(struct reading *r)
{
	size_t before = r->at;
	char end;

	if (!take(r, "P<") && !take(r, "<") && !take(r, "'"))
		return false;
	if (peek(r) == '=' || peek(r) == '!') {
		r->at = before; /* a look behind */
		return false;
	}
	end = r->s.p[r->at - 1] == '<' ? '>' : '\'';
	while (more(r) && peek(r) != end)
		r->at++;
	r->at++;
	return true;
}

/* Behind the (, which was taken. */
static struct shape
read_group(struct reading *r)
{
	bool atomic = false, look = false;
	struct shape s;

	if (take(r, "?")) {
		atomic = take(r, ">");
		look = !atomic && (take(r, "=") || take(r, "!") ||
				      take(r, "<=") || take(r, "<!"));
		if (!atomic && !look && !take(r, ":") && !take_group_name(r))
			r->unknown = true;
	} else if (peek(r) == '*') {
		r->unknown = true; /* a verb */
	}
	if (++r->depth > DEPTH_MAX)
		r->unknown = true;
	s = read_choice(r);
	r->depth--;
	if (!take(r, ")"))
		r->unknown = true;
	if (atomic)
		s.loops = s.overlaps = s.single = false;
	return look ? (struct shape){ .nullable = true } : s;
}

static struct shape
read_one(struct reading *r)
{
	struct shape s = { .single = true };
	char c = peek(r);

	r->at++;
	switch (c) {
	case '(':
		return read_group(r);
	case '[':
		return read_class(r);
	case '\\':
		return read_escape(r);
	case '^':
	case '$':
		return (struct shape){ .nullable = true, .anchored = c == '^' };
	case '.':
		if (!r->dot_all) {
			set_byte(&s.bytes, '\r');
			set_byte(&s.bytes, '\n');
		}
		s.bytes = all_but(s.bytes);
		return s;
	case '*':
	case '+':
	case '?':
		r->unknown = true;
		return s;
	default:
		set_letter(r, &s.bytes, (unsigned char)c);
		s.literal = true;
		return s;
	}
}

/* ---- how often ---- */

struct repeat {
	bool optional, endless, possessive;
};

/* {n} {n,} {n,m}; anything else is the brace itself. */
static bool
take_braces(struct reading *r, struct repeat *repeat)
{
	size_t i = r->at + 1;
	bool digits = false;

	repeat->optional = true;
	for (; i < r->s.n && r->s.p[i] >= '0' && r->s.p[i] <= '9'; i++) {
		repeat->optional &= r->s.p[i] == '0';
		digits = true;
	}
	if (!digits || i >= r->s.n)
		return false;
	if (r->s.p[i] == ',') {
		repeat->endless = i + 1 < r->s.n && r->s.p[i + 1] == '}';
		for (i++; i < r->s.n && r->s.p[i] >= '0' && r->s.p[i] <= '9';)
			i++;
	}
	if (i >= r->s.n || r->s.p[i] != '}')
		return false;
	r->at = i + 1;
	return true;
}

static struct repeat
read_repeat(struct reading *r)
{
	struct repeat repeat = { 0 };

	switch (peek(r)) {
	case '*':
	case '+':
		repeat.optional = peek(r) == '*';
		repeat.endless = true;
		r->at++;
		break;
	case '?':
		repeat.optional = true;
		r->at++;
		break;
	case '{':
		if (take_braces(r, &repeat))
			break;
		/* FALLTHROUGH */
	default:
		return (struct repeat){ 0 };
	}
	repeat.possessive = take(r, "+");
	if (!repeat.possessive)
		(void)take(r, "?"); /* lazy: no fewer ways */
	return repeat;
}

static void
skip_extended(struct reading *r)
{
	while (r->extended && more(r)) {
		if (peek(r) == '#')
			while (more(r) && peek(r) != '\n')
				r->at++;
		else if (memchr(" \t\r\n\f\v", peek(r), 6) == NULL)
			return;
		r->at++;
	}
}

/* One item and how often; its fault is noted. */
static struct shape
read_item(struct reading *r)
{
	size_t at = r->at;
	struct shape s = read_one(r);
	bool ways = s.loops || s.overlaps;
	struct repeat repeat;

	skip_extended(r); /* may stand before a quantifier, too */
	repeat = read_repeat(r);
	if (repeat.endless && !repeat.possessive && ways &&
	    r->faults->loops_at == SIZE_MAX) {
		r->faults->loops_at = at;
		r->faults->loops =
		    s.loops ? "repeats what is repeated without end itself"
			    : "repeats a choice between characters that "
			      "overlap";
	}
	s.one_byte = s.single;
	if (repeat.endless || repeat.optional)
		s.single = false;
	s.nullable |= repeat.optional;
	s.literal &= !repeat.optional;
	s.anchored &= !repeat.optional;
	s.loops = !repeat.possessive && (s.loops || repeat.endless);
	s.overlaps = false;
	return s;
}

/* What a sequence has seen of its items. */
struct items {
	size_t n, needed;      /* needed: may not be empty */
	bool any_loops;	       /* some item does */
	struct shape last;     /* the last that is needed */
	struct bytes repeated; /* of characters that are, and may be empty */
};

static void
note_item(struct items *seen, const struct shape *one)
{
	seen->n++;
	seen->any_loops |= one->loops;
	if (!one->nullable) {
		seen->needed++;
		seen->last = *one;
	} else if (one->loops && one->one_byte) {
		seen->repeated = joined(seen->repeated, one->bytes);
	}
}

/*
 * Does the sequence, repeated, take the same text in many ways? All may be
 * empty; or one is needed and is repeated itself; or one character is, and
 * what is repeated beside it can be that, too: (.*,)*.
 */
static bool
loops(const struct items *seen)
{
	if (seen->needed == 0)
		return seen->any_loops;
	return seen->needed == 1 &&
	       (seen->last.loops ||
		   (seen->last.single &&
		       share(&seen->last.bytes, &seen->repeated)));
}

/* Items one behind the other, up to | or ). */
static struct shape
read_sequence(struct reading *r)
{
	struct shape all = { .nullable = true };
	struct items seen = { 0 };

	for (skip_extended(r); more(r) && peek(r) != '|' && peek(r) != ')';
	     skip_extended(r)) {
		struct shape one = read_item(r);

		all.anchored |= all.nullable && one.anchored;
		all.nullable &= one.nullable;
		all.literal |= one.literal;
		all.single = one.single;
		all.bytes = one.bytes;
		note_item(&seen, &one);
	}
	all.loops = loops(&seen);
	all.single &= seen.n == 1;
	return all;
}

static struct shape
read_choice(struct reading *r)
{
	struct shape all = read_sequence(r);

	while (more(r) && take(r, "|")) {
		struct shape one = read_sequence(r);

		all.overlaps |=
		    all.single && one.single && share(&all.bytes, &one.bytes);
		all.nullable |= one.nullable;
		all.loops |= one.loops;
		all.literal &= one.literal;
		all.anchored &= one.anchored;
		all.single &= one.single;
		all.bytes = joined(all.bytes, one.bytes);
	}
	return all;
}

struct pattern_faults
lint_pattern(struct pn_str regex, struct pn_str flags)
{
	struct pattern_faults faults = { .loops_at = SIZE_MAX };
	struct reading r = { .s = regex,
		.caseless = flags.n && memchr(flags.p, 'i', flags.n),
		.dot_all = flags.n && memchr(flags.p, 's', flags.n),
		.extended = flags.n && memchr(flags.p, 'x', flags.n),
		.faults = &faults };
	struct shape all = read_choice(&r);

	if (r.unknown || r.at < r.s.n)
		return (struct pattern_faults){ .loops_at = SIZE_MAX };
	faults.no_literal = !all.literal && !all.anchored;
	return faults;
}
