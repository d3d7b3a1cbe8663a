/*
 * html_kind - what html knows of each element: how it stands on a page, what it
 * closes. HTML 13.2.6, as far as it decides what is seen. For html alone.
 */
#ifndef INSPECT_HTML_KIND_H
#define INSPECT_HTML_KIND_H

#include "filters/pn_str.h"

enum html_flag {
	VOID = 1,       /* has no content */
	LINE = 2,       /* begins and ends a line */
	RAW = 4,        /* its content is not markup */
	REFERENCES = 8, /* RAW, but "&amp;" is read */
	UNSEEN = 16,    /* nothing of its content is shown */
	SPECIAL = 32,   /* stops the end tag of another inside */
	ENDS_P = 64,    /* cannot be in a paragraph */
	FORMAT = 128,   /* its end tag counts wherever it stands */
	CELL = 256,     /* ends a word */
	WALL = 512,     /* what is outside cannot be closed from inside */
	PRE = 1024,     /* line ends are kept */
	ROWS = 2048,    /* ends what is open in its table */
	BLOCK = LINE | SPECIAL | ENDS_P
};

struct kind {
	struct pn_str name;
	unsigned flags;
	struct pn_str closes; /* its start ends such an open one ... */
	struct pn_str within; /* ... unless such a one stands between */
};

/* NULL: nothing is known of it. name in lower case. */
const struct kind *html_kind(struct pn_str name);

#endif
