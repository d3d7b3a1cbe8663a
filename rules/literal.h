/*
 * literal - what stands in every text a pattern matches: strings, one of which
 * must be there, or pairs of neighbouring bytes; and what a search may cost.
 *
 * regex.c reads a PCRE2 pattern bottom up into struct part; literal.c joins
 * parts and chooses. pattern.c asks once for each pattern, while compiling;
 * prefilter.c makes automata of the answers.
 */
#ifndef RULES_LITERAL_H
#define RULES_LITERAL_H

#include "rules/tree.h"

#define UNBOUND UINT32_MAX
#define SET_MAX 32    /* strings of one set */
#define STRING_MAX 32 /* bytes of one, while parts are joined */
#define WINDOW_MAX 8  /* bytes of one that is looked for */
#define PAIRS_MAX 4
#define WAYS_MAX (1u << 20)
#define DEGREE_MAX 9

struct bytes {
	uint64_t has[4];
};

struct range {
	uint32_t min, max; /* max may be UNBOUND */
};

/* One of these; fold: in lower case, and letters match in either. */
struct strings {
	struct pn_str *s;
	uint32_t n;
	bool fold;
};

struct pair {
	struct bytes one, next;
};

/* Every match has one of set, with that many bytes of the match before it. */
struct literals {
	struct strings set; /* n 0: nothing is known */
	struct range before;
	int rarity; /* quarters of a bit */
};

/*
 * What a pattern needs, and what a search costs: from one start at most about
 * `steps`, times the length of the text to the power of `degree`.
 */
struct need {
	bool known; /* else nothing below is: run it always, and with care */
	struct literals literals;
	struct pair *pairs; /* where there are no literals: one of these */
	uint32_t n_pairs;
	unsigned degree;
	uint32_t steps;
};

/* What a part of a pattern can be. */
struct part {
	bool exact;	      /* its text is one of head, which equals tail */
	struct strings head;  /* its text begins with one of these */
	struct strings tail;  /* and ends with one of these, */
	struct range tail_at; /* that far behind its beginning */
	struct literals best; /* of what lies between, or of all of it */
	struct range length;
	struct bytes first, last;     /* byte, where it is not empty */
	struct pair pairs[PAIRS_MAX]; /* one of these is in it */
	uint32_t n_pairs;
	double pair_share; /* how common those are: of all pairs in mail */
	uint32_t span;	   /* bytes it looks at */
	uint32_t ways;	   /* in which it can match, up to WAYS_MAX */
	unsigned degree;
};

/* ---- literal.c ---- */

#define COMMON_BITS 65536
struct analysis {
	struct arena *scratch;
	uint64_t common[COMMON_BITS / 64]; /* pieces of what is in most mails */
	bool want_pairs;
	bool failed; /* not understood, or no memory */
};

/* Matches the empty text: an assertion, too. */
struct part part_empty(struct analysis *);
/* One character whose bytes are all in set; exact: it is one byte of them. */
struct part part_class(struct analysis *, const struct bytes *set,
    struct range length, bool exact, bool fold);
/* These bytes, in either case with fold. */
struct part part_string(struct analysis *, struct pn_str, bool fold);
/* a becomes a then b, a or b, a repeated. */
void part_join(struct analysis *, struct part *a, const struct part *b);
void part_alternate(struct analysis *, struct part *a, const struct part *b);
void part_repeat(struct analysis *, struct part *, uint32_t min, uint32_t max);
/* Its best literals, or those at its ends. */
struct literals part_literals(struct analysis *, const struct part *);

void bytes_add(struct bytes *, unsigned char);
bool bytes_have(const struct bytes *, unsigned char);

/* ---- rarity.c ---- */

void analysis_init(struct analysis *, struct arena *scratch);
/* How rare is the text in mail, the byte, the byte behind that one? In quarters
 * of a bit. */
int rarity_of(struct pn_str);
int rarity_alone(char);
int rarity_behind(char before, char);
/* Is all of the window, at most WINDOW_MAX bytes, what is in most mails, or
 * made of it? CR LF is one LF. */
bool rarity_is_common(const struct analysis *, struct pn_str window);

/* ---- regex.c ---- */

/*
 * The pattern's need, in the builder's arena. scratch is used and reset. Never
 * fails: what is not understood for certain is not known.
 */
struct need regex_need(struct rules_builder *, struct arena *scratch,
    struct pn_str text, struct pn_str flags);

#endif
