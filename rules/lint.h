/*
 * lint - what the files that look for what cannot be meant share. Private to
 * rules/. What they make lies in an arena of their own that goes with it; when
 * that is full, what is left is not looked at: a warning less, never a
 * wrong one.
 */
#ifndef RULES_LINT_H
#define RULES_LINT_H

#include "rules/tree.h"

struct warning {
	struct lex_pos pos;
	char text[400];
};

struct lint {
	const struct rules *r;
	struct arena *arena; /* scratch */
	struct warning *warnings;
	size_t n, room;
	rules_map_used *used; /* of maps, by others than rules */
	const void *used_arg;
};

/* One for a place. */
void lint_warn(struct lint *, const struct lex_pos *, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* lint_doors.c: what is for an MTA that asks us, where none does. */
void lint_doors(struct lint *);

/* lint_numbers.c: comparisons with less than there is. */
void lint_numbers(struct lint *);

/* ---- lint_logic.c: conditions as alternatives, each a row of literals ---- */

/* A test or quantifier that must be true, or must be false. */
struct literal {
	const struct expr *x;
	bool positive;
};

struct row {
	struct literal *literals;
	size_t n;
};

/* True if all of some row is. n 0: never; one row of n 0: always. */
struct rows {
	struct row *rows;
	size_t n;
	bool too_many; /* nothing is known */
};

/* What a policy's score can be. */
struct bounds {
	int64_t least, most;
};

/* when and not unless; either may be NULL. */
struct rows lint_rows(
    struct lint *, const struct expr *when, const struct expr *unless);
/*
 * Can no row be true? *here and *there: two literals of the first row that
 * cannot both be (there NULL: `here` alone cannot).
 */
bool lint_never(struct lint *, const struct rows *, const struct bounds *,
    const struct literal **here, const struct literal **there);
/* Is `a` true wherever `b` is? Told only where it is plain to see. */
bool lint_covers(
    const struct lint *, const struct rows *a, const struct rows *b);

/* ---- lint_pattern.c ---- */

struct pattern_faults {
	size_t loops_at;  /* where a repeated group can match the same text in
			     many ways; SIZE_MAX: nowhere */
	const char *loops; /* which kind */
	bool no_literal; /* no byte must stand in the text, no start of it */
};
struct pattern_faults lint_pattern(struct pn_str regex, struct pn_str flags);

#endif
