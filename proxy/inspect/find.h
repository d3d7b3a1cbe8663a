/*
 * find - where a word stands in bytes. As memmem(3), for words whose first
 * letter is rare in what they are looked for in: then as fast as memchr(3).
 *
 * Used by inspect/ wherever all of a text is searched. Any process and thread.
 */
#ifndef INSPECT_FIND_H
#define INSPECT_FIND_H

#include "filters/pn_str.h"

/* The first of word (not empty) in s, or NULL; s.p may be NULL where s.n is 0. */
const char *find_word(struct pn_str s, struct pn_str word);

#endif
