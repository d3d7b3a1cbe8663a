/* text - reply texts, prefixes and header values with $facts in them. */
#ifndef RULES_TEXT_H
#define RULES_TEXT_H

#include "rules/tree.h"

/* Where a text stands. */
struct text_use {
	bool reply;	    /* ASCII alone */
	const bool *any_of; /* [things]: its rule has an `any` over that */
	const char *no_any; /* why there is none, for the error */
	const struct named *named; /* groups of its rule's regexes */
};
int text_check(struct rules_builder *, const struct text_use *, struct text *,
    struct error *);

/* What a text's pieces stand for while it is rendered. */
struct text_source {
	const struct rules *r;
	const struct rules_facts *facts;
	int64_t score;
	const uint32_t *found; /* per thing the number of the one that made an
				  `any` true, or NO_THING */
	struct pn_str (*capture)(void *arg, struct pn_str name);
	void *arg;
};
/* .p is NULL at the arena's cap. */
struct pn_str text_render(const struct text_source *, const struct text *,
    bool ascii, struct arena *);

#endif
