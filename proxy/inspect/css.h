/*
 * css - as much of style as hides text: declarations of an element, and rules
 * of a style sheet whose selector names a tag, a class or an id alone.
 *
 * Called by html. What is not followed (media queries, combined selectors,
 * positions, units other than the usual) changes nothing, so text counts as
 * seen unless it is plainly hidden. Pure; the arena owns a sheet's rules.
 */
#ifndef INSPECT_CSS_H
#define INSPECT_CSS_H

#include <stdint.h>

#include "base/arena.h"
#include "filters/pn_str.h"

enum css_property {
	CSS_DISPLAY,    /* number: 1 none */
	CSS_VISIBILITY, /* 1 hidden */
	CSS_OPACITY,    /* 1: none is left */
	CSS_FONT_SIZE,  /* pixels, or parts of the parent's if relative */
	CSS_COLOR,      /* 0xrrggbb or CSS_NO_COLOR */
	CSS_BACKGROUND,
	CSS_EXTENT,     /* 1: no height or no width */
	CSS_OVERFLOW,   /* 1: hidden */
	CSS_OUTLOOK,    /* 1: mso-hide, which Outlook alone heeds */
	CSS_PROPERTIES
};
#define CSS_NO_COLOR (-1.0)  /* a colour or picture we cannot tell */
#define CSS_CLEAR (-2.0)     /* what lies behind shows */

/* What is declared of one element. */
struct css {
	struct css_value {
		unsigned char rank; /* 0: not declared; the higher wins */
		bool relative;
		double number;
	} of[CSS_PROPERTIES];
};

/* Ranks, from the weakest. */
enum { CSS_BY_TAG = 1, CSS_BY_CLASS, CSS_BY_ID, CSS_INLINE, CSS_IMPORTANT = 8 };

/* "display:none; color:#fff" */
void css_declare(struct css *, struct pn_str declarations, unsigned rank);
/* A colour attribute (bgcolor="#ffffff"). */
double css_color(struct pn_str);

struct css_sheet {
	struct css_rule *rules;
	size_t n, max;       /* rules; what comes past max changes nothing */
	bool background;     /* one that is not followed sets a background */
	struct arena *arena;
};
/* The text of one <style>; borrows it. */
void css_sheet_add(struct css_sheet *, struct pn_str text);
void css_match(const struct css_sheet *, struct pn_str tag,
    struct pn_str classes, struct pn_str id, struct css *);

/* ---- what it comes to ---- */

/* How an element shows its text; children begin with their parent's. */
struct css_style {
	bool gone;      /* whatever is inside cannot be seen */
	bool invisible; /* a child may take it back */
	bool outlook;   /* gone for readers with Outlook */
	double size;    /* of letters, in pixels */
	double color, background;
};
extern const struct css_style css_style_default;

void css_apply(struct css_style *, const struct css *);
bool css_hides(const struct css_style *);

/* Escapes undone, in the arena if there are any; .p NULL at its cap. */
struct pn_str css_unescape(struct pn_str, struct arena *);

#endif
