/*
 * text - what a reader of the message sees: of each part that is shown, in
 * every reading, its text, and of a page its source, what is hidden in it and
 * its links.
 *
 * Shown are parts of type text/... and application/xhtml+xml, reports and what
 * has no type that is one, in messages within the message too; but not members
 * of archives, nor what a Content-Disposition declares an attachment if there
 * is anything else. A part with two declared charsets gives two texts, one with
 * two encodings is two parts. What has no charset is read as UTF-8 where it is
 * that, else as windows-1252; a page by its <meta> before that; a byte order
 * mark wins. Where readers differ in what they show there is a text for each.
 *
 * Read when somebody first asks, and kept: a policy that asks for no text does
 * not pay for it. Lies in the view's arena; one process, one thread.
 */
#ifndef INSPECT_TEXT_H
#define INSPECT_TEXT_H

#include "inspect/html.h"
#include "inspect/part.h"

struct text {
	struct pn_part *part;
	struct pn_str text;   /* UTF-8, line ends LF: see clean.h */
	struct pn_str hidden; /* of a page */
	struct pn_str source; /* of a page, as UTF-8 */
	bool page;            /* it was HTML */
	struct html_link *links;
	size_t n_links;
	struct pn_str base;
};

struct texts {
	struct text *v;   /* [n], order of parts */
	size_t n;
	bool cut;         /* there is more: limits.max_text or max_text_total, the
			     arena, or links */
	size_t invisible; /* characters that show nothing, taken out of them */
};

/* Never NULL: at the arena's cap without texts, and cut. */
const struct texts *view_texts(struct view *);
/* The nth text, and the nth page's source and what it hides: .p NULL behind
 * the last. */
typedef struct pn_str texts_nth(const struct texts *, unsigned nth);
texts_nth texts_seen, texts_source, texts_hidden;

#endif
