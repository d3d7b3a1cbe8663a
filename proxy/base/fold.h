/*
 * fold - letters as a reader takes them: without case, accents and width, and
 * whatever alphabet they are borrowed from. For comparing names that people
 * see, never for showing or keeping text.
 */
#ifndef BASE_FOLD_H
#define BASE_FOLD_H

#include <stddef.h>
#include <stdint.h>

#include "filters/pn_str.h"

/*
 * Two ways, for a name may be equal in one and not in the other. READ: the
 * letter it is, in lower case. LOOK: the shape that is seen, so that capital
 * I, l, 1 and | are one, and O and 0.
 */
enum fold_way { FOLD_READ, FOLD_LOOK };
#define FOLD_WAYS 2

enum fold_kind {
	FOLD_LETTER, /* or digit: the text stands for it */
	FOLD_GAP,    /* between words: a blank, or one ASCII punctuation */
	FOLD_NOTHING /* not seen: marks, joiners, directions, apostrophes */
};

struct folded {
	enum fold_kind kind;
	size_t n;
	char p[4];
};

/* The first character of s (not empty); *bytes of it. What is no UTF-8 is
 * nothing, byte by byte. */
struct folded fold_next(struct pn_str s, enum fold_way, size_t *bytes);

#endif
