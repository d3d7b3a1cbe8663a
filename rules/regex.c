/*
 * regex - reads the part of PCRE2's syntax it knows to the letter, to tell what
 * every match needs (literal.h). pattern.c asks, after PCRE2 has accepted the
 * pattern: so what is wrong with it never matters here.
 *
 * Everything else - verbs, references, recursion, conditions, \K, \G, comments,
 * unusual escapes and flags - makes the pattern unknown. pcre2pattern(3) of
 * 10.34 to 10.44 is the reference; where they differ, it is unknown too.
 */
#include "rules/regex_inside.h"

#define NESTED_MAX 100
#define PAIR_SHARE_MAX (1.0 / 1500) /* commoner ones are in every mail */

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
		return regex_class(r);
	case '\\':
		return regex_escape(r);
	case '.':
		r->at++;
		return regex_any(r);
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
		return regex_char(r);
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
	struct part p = regex_char(r);

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
