/*
 * clean - text as an eye sees it: without the characters that show nothing
 * (soft hyphens, zero-width blanks and joiners, direction marks, variation
 * selectors, tags, controls), every kind of blank a blank. What was taken out
 * is counted: it is how words are hidden from filters.
 *
 * Called by html and text with UTF-8. Pure; the caller owns the buf.
 */
#ifndef INSPECT_CLEAN_H
#define INSPECT_CLEAN_H

#include "base/buf.h"
#include "filters/pn_str.h"

struct clean {
	struct buf *out;  /* its cap ends the text */
	size_t invisible; /* characters taken out so far */
	char pending;     /* a blank or line end, once a letter follows; 0 */
};

/* With its blanks and line ends: CRLF and CR alone become LF. */
void clean_lines(struct clean *, struct pn_str);
/* Runs of blanks become one; so do line ends, unless pre. */
void clean_words(struct clean *, struct pn_str, bool pre);
/* What follows begins a line, or (' ') a word. */
void clean_break(struct clean *, char);

#endif
