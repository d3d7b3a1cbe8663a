/*
 * urls - where a message leads: the links of its pages and the addresses that
 * stand in its texts, each once.
 *
 * In text an address begins with http://, https://, ftp:// (either slash the
 * other way too), mailto: or www. and ends at a blank, a quote, an angle, or
 * punctuation behind which nothing of it follows; a bracket belongs to it if
 * it was opened in it. Text that is clicked on is not looked at: the link says
 * where it leads.
 *
 * Read when somebody first asks, and kept; lies in the view's arena. One
 * process, one thread.
 */
#ifndef INSPECT_URLS_H
#define INSPECT_URLS_H

#include "inspect/text.h"
#include "inspect/url.h"

enum url_kind { /* as enum html_kind, and: */ URL_TEXT = HTML_OTHER + 1 };

struct pn_url {
	struct pn_url *next;
	struct pn_part *part;
	uint32_t number;      /* from 0 */
	unsigned kind;        /* enum html_kind or URL_TEXT */
	struct pn_str target; /* as written */
	struct url url;
	struct pn_str text;   /* what is clicked on; n 0: a picture, or none */
	bool mismatch;        /* that looks like an address of another
				 organisational domain */
	uint32_t hash;        /* of url.whole */
};

struct urls {
	struct pn_url *first, *last;
	uint32_t n;
	bool cut;             /* there are more: limits.max_urls, or the arena */
};

/* Never NULL. */
const struct urls *view_urls(struct view *);
/* The next address in a text at or behind *at, which moves behind it; n 0:
 * none. */
struct pn_str urls_find(struct pn_str text, size_t *at);

#endif
