/*
 * html - a page as its reader sees it: its text, what of it is hidden from
 * him, and where it leads. HTML 13.2 as browsers read it, tags that are never
 * closed and comments that end oddly included.
 *
 * Called by text. Elements that stand in lines of their own give line ends,
 * cells and pictures (by their alt text) words. Hidden is what css.h says,
 * what the attribute `hidden` says, and what stands in elements of which
 * nothing is shown (template, noframes); titles, scripts and styles are no text.
 * Text that only Outlook hides is in both; what
 * only Outlook shows (in "<!--[if mso]>") is text.
 *
 * Not followed: the order that misplaced things in tables get, formatting that
 * outlives its paragraph, scripts (mail readers run none), what a style sheet
 * elsewhere says.
 *
 * Pure. Texts lie in bufs of the caller's, whose caps it sets; links in the
 * arena.
 */
#ifndef INSPECT_HTML_H
#define INSPECT_HTML_H

#include "base/arena.h"
#include "inspect/clean.h"

enum html_kind {
	HTML_LINK,    /* what a reader clicks on */
	HTML_IMAGE,   /* what may be fetched at a look */
	HTML_FORM,    /* where what he types goes */
	HTML_REFRESH, /* where the page takes him by itself */
	HTML_OTHER    /* styles, frames, objects */
};

struct html_link {
	enum html_kind kind;
	struct pn_str target; /* as written, references replaced */
	size_t from, to;      /* of the text: what is clicked on */
};

struct html {
	struct clean text, hidden;
	struct html_link *links; /* [n_links], order of the page */
	size_t n_links, max_links;
	bool others;             /* read as those who are not Outlook */
	bool conditional;        /* they read something else */
	bool more;               /* links past max_links, or no room for one;
				    elements too deep */
	struct pn_str base;      /* of relative targets; n 0: none */
	struct arena *arena;
};

/* page is valid UTF-8, or has U+FFFD where it is not. .text.out, .hidden.out,
 * .max_links and .arena are set, all else is zero. -1 at the arena's cap. */
int html_read(struct html *, struct pn_str page);
/* The charset that a page without another says it is in (its first kilobyte's
 * <meta>), n 0: none. */
struct pn_str html_charset(struct pn_str page);

#endif
