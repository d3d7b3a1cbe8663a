/* suggest - "did you mean ...": the nearest of the known words. */
#ifndef BASE_SUGGEST_H
#define BASE_SUGGEST_H

#include "filters/pn_str.h"

struct suggest {
	struct pn_str word; /* what was written */
	struct pn_str best; /* the nearest so far; n 0: none near enough */
	size_t distance;
};

struct suggest suggest_for(struct pn_str word);
void suggest_try(struct suggest *, struct pn_str candidate);
/* ... and what stands in it before each of these: "client" of "client.ip". */
void suggest_starts(struct suggest *, const char *candidate, char mark);
/* `, did you mean "best"?` or "" into out; returns out. */
const char *suggest_text(const struct suggest *, char *out, size_t size);

/*
 * The same; where none is near, `: one, two or three may stand here`, if that
 * fits. words ends in NULL, or is NULL.
 */
const char *suggest_or_list(const struct suggest *, const char *const *words,
    char *out, size_t size);

#endif
