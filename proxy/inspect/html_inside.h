/*
 * html_inside - a page being walked, for the files that are html: html.c
 * (tokens and text), html_tree.c (what is open, what ends it), html_links.c
 * (where it leads). One walk's alone; html_read() makes and frees it.
 */
#ifndef INSPECT_HTML_INSIDE_H
#define INSPECT_HTML_INSIDE_H

#include "inspect/css.h"
#include "inspect/html.h"
#include "inspect/html_kind.h"
#include "inspect/html_tag.h"

#define DEPTH 256 /* of elements; deeper ones are not followed */
#define SEEN 64   /* a power of two */

/* Whose words: HTML's, a drawing's, a formula's. */
enum space { OF_HTML, OF_SVG, OF_MATH };

struct element {
	const struct kind *kind; /* NULL: one we know nothing of */
	char name[TAG_ROOM];
	size_t n;
	enum space space;        /* not OF_HTML: RAW means nothing */
	bool takes_html;         /* of another space, but not what is in it */
	size_t link;             /* the link that was open before (marker) */
	struct css css;
	struct css_style style;
};

struct page {
	struct html *html;
	struct pn_str s;   /* what is not yet read */
	bool collecting;   /* style sheets alone */
	bool outlook;      /* inside "[if mso]" */
	bool full;         /* the arena is */
	bool gap;          /* what was seen lies between two hidden texts */
	struct css_sheet sheet;
	struct css_style plain; /* of text in no element */
	struct element open[DEPTH];
	size_t n_open;
	size_t floor;      /* those below cannot be closed from here */
	size_t link;       /* 1 + the one that is open, 0: none */
	const struct kind *seen[SEEN]; /* kinds by a hash of their names */
};

/* Is what stands here a drawing's or formula's? */
static inline bool
page_is_foreign(const struct page *p)
{
	return p->n_open > 0 && p->open[p->n_open - 1].space != OF_HTML;
}

/* ---- tokens and text (html.c) ---- */

/* A line's end, or a word's. */
void page_break(struct page *, char how);
/* Its references replaced. */
struct pn_str page_attribute(struct page *, const struct tag *,
    enum attribute);

/* ---- what is open (html_tree.c) ---- */

/* NULL: nothing is known of it. name in lower case. */
const struct kind *page_kind(struct page *, struct pn_str name);
/* An element that begins here, by the one around it (13.2.6.6). */
enum space page_space_inside(const struct page *, struct pn_str name);
/* The innermost open one of that name; -1 when there is none, or a stop is
 * nearer: one so called, or one with one of these flags. */
int page_find_open(const struct page *, struct pn_str name,
    struct pn_str stop, unsigned flags);
/* With the style it has there; past DEPTH it is not followed. */
void page_open_element(struct page *, const struct tag *,
    const struct kind *);
/* What is open inside the first n; never below the floor. */
void page_close_down_to(struct page *, size_t n);
/* An end tag. */
void page_close_tag(struct page *, const struct tag *);
/* What the start of another ends although nobody wrote so. */
void page_close_implied(struct page *, const struct tag *,
    const struct kind *);
/* Where it begins or ends, a line or word does. */
void page_end_line(struct page *, const struct kind *);

/* ---- where it leads (html_links.c) ---- */

/* What its attributes say. */
void page_note_links(struct page *, const struct tag *);
/* "url(x)" and "@import 'x'" in a style. */
void page_note_pictures(struct page *, struct pn_str style);
void page_end_link(struct page *);
/* The link ends that began inside the cell at hand, not one around that. */
void page_end_own_link(struct page *);
/* What is open around it goes on behind it ("marker", 13.2.4.3). */
bool page_is_marker(const struct element *);

#endif
