/*
 * regex_inside - a pattern being read, for the files that are regex: regex.c
 * (what joins characters: groups, alternatives, quantifiers) and regex_char.c
 * (what stands for one). Lives on regex_need()'s stack.
 */
#ifndef RULES_REGEX_INSIDE_H
#define RULES_REGEX_INSIDE_H

#include "rules/literal.h"

struct reader {
	struct analysis l;
	struct pn_str s;
	size_t at;
	bool fold, extended, utf;
	bool quoted; /* within \Q \E */
	unsigned nested;
};

/* It is not understood for certain, or there is no memory: nothing follows. */
static inline void
give_up(struct reader *r)
{
	r->l.failed = true;
	r->at = r->s.n;
}

static inline bool
at_end(const struct reader *r)
{
	return r->at >= r->s.n;
}

/* The byte so far ahead, or NUL: no pattern of ours has one. */
static inline char
peek(const struct reader *r, size_t ahead)
{
	return r->at + ahead < r->s.n ? r->s.p[r->at + ahead] : '\0';
}

static inline bool
skip_text(struct reader *r, const char *text)
{
	struct pn_str want = pn_str_of(text);

	if (!pn_str_starts(pn_str_sub(r->s, r->at, r->s.n), want))
		return false;
	r->at += want.n;
	return true;
}

static inline bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool
is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* ---- what stands for one character (regex_char.c) ---- */

/* ".": any, as far as it may be told. */
struct part regex_any(struct reader *);
/* One that stands for itself. */
struct part regex_char(struct reader *);
/* At "\": a character, a type or, empty, a place. */
struct part regex_escape(struct reader *);
/* At "[". */
struct part regex_class(struct reader *);

#endif
