/* text - reply texts, prefixes and header values with $facts in them. */
#ifndef RULES_TEXT_H
#define RULES_TEXT_H

#include "rules/tree.h"

/* Where a text stands. */
struct text_use {
	bool reply;          /* ASCII alone */
	const bool *any_of;  /* [things]: its rule has an `any` over that */
	const char *no_any;  /* why there is none, for the error */
};
int text_check(struct rules_builder *, const struct text_use *, struct text *,
    struct error *);
/* found: per thing the number of the one that made an `any` true, or
 * NO_THING. .p is NULL at the arena's cap. */
struct pn_str text_render(const struct rules *, const struct text *, bool ascii,
    const struct rules_facts *, const uint32_t *found, struct arena *);

#endif
