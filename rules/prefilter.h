/*
 * prefilter - which of the atoms on one text can be true of it at all.
 *
 * Made by atoms.c for each group while compiling, in the builder's arena; asked
 * by answers.c for each text. What it rules out is false: PCRE2 never sees it.
 */
#ifndef RULES_PREFILTER_H
#define RULES_PREFILTER_H

#include "rules/tree.h"

/* NULL where it is not worth it: too few have something to look for. */
const struct prefilter *prefilter_new(
    struct rules_builder *, const struct atom *const *, size_t n);
/*
 * Leaves in run->candidates a bit for each atom that must be tested: those that
 * may hold, those that say no (!~ !=), those nothing is known of. For patterns
 * among them, the spans where a match may begin.
 */
void prefilter_scan(
    const struct prefilter *, struct rules_run *, struct pn_str text);
/* Bytes of its tables. */
size_t prefilter_size(const struct prefilter *);

#endif
