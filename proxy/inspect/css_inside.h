/*
 * css_inside - pieces of style, for the files that are css: css.c (what is
 * declared, and what it comes to), css_sheet.c (for whom).
 */
#ifndef INSPECT_CSS_INSIDE_H
#define INSPECT_CSS_INSIDE_H

#include "inspect/css.h"

/* The next piece of *rest up to a separator outside quotes, brackets and
 * comments; false at the end. */
bool css_next_piece(struct pn_str *rest, char separator, struct pn_str *piece);
/* The first word of *s, which loses it. */
struct pn_str css_next_word(struct pn_str *s);

#endif
