/*
 * builtin - the modules that are linked into the program instead of loaded.
 * A module of its own file names its struct pn_filter; these cannot.
 */
#ifndef PN_BUILTIN_H
#define PN_BUILTIN_H

#include "filter.h"

extern const struct pn_filter pn_filter_attachment;
extern const struct pn_filter pn_filter_header;
extern const struct pn_filter pn_filter_text;
extern const struct pn_filter pn_filter_url;

/* All of them, for a chain: an initializer's elements. attachment is the last:
 * it tells of limits that the others met. */
#define PN_BUILTIN_FILTERS                                                     \
	&pn_filter_header, &pn_filter_text, &pn_filter_url,                    \
	    &pn_filter_attachment

#endif
