/*
 * html_links - where a page leads: the targets that attributes and styles name,
 * and which text is clicked on for it.
 *
 * Called by html.c for each tag and style, by html_tree.c where what is open
 * ends. The list lies in the page's arena; past its max the page has more.
 */
#include "inspect/html_inside.h"

/* ---- the one that is open ---- */

/* 1 + its number, 0: there is no room. */
static size_t
add_link(struct page *p, enum html_kind kind, struct pn_str target)
{
	struct html *h = p->html;
	size_t at = buf_len(h->text.out);

	target = html_trim(target);
	if (p->collecting || target.n == 0)
		return 0;
	if (h->links == NULL)
		h->links =
		    arena_alloc(h->arena, h->max_links * sizeof(*h->links));
	if (h->links == NULL || h->n_links == h->max_links) {
		h->more = true;
		return 0;
	}
	h->links[h->n_links++] = (struct html_link){ kind, target, at, at };
	return h->n_links;
}

void
page_end_link(struct page *p)
{
	if (p->link > 0)
		p->html->links[p->link - 1].to = buf_len(p->html->text.out);
	p->link = 0;
}

bool
page_is_marker(const struct element *e)
{
	return e->kind != NULL && (e->kind->flags & WALL) != 0 &&
	       !pn_str_eq(e->kind->name, PN_STR_V("table")) &&
	       !pn_str_eq(e->kind->name, PN_STR_V("html"));
}

void
page_end_own_link(struct page *p)
{
	size_t outer = 0;

	for (size_t i = p->n_open; i-- > p->floor && outer == 0;)
		if (page_is_marker(&p->open[i])) {
			outer = p->open[i].link;
			break;
		}
	if (p->link != outer)
		page_end_link(p);
	p->link = outer;
}

/* "0; url='x'" (4.2.4.7), and what is written for it. */
static struct pn_str
refresh_target(struct pn_str s)
{
	size_t i = 0;
	const char *end;

	while (i < s.n && (html_is_space(s.p[i]) || s.p[i] == '.' ||
	    (s.p[i] >= '0' && s.p[i] <= '9')))
		i++;
	while (i < s.n && (html_is_space(s.p[i]) || s.p[i] == ';' || s.p[i] == ','))
		i++;
	s = pn_str_sub(s, i, s.n);
	if (pn_str_caseeq(pn_str_sub(s, 0, 3), PN_STR_V("url"))) {
		struct pn_str rest = html_trim(pn_str_sub(s, 3, s.n));

		if (pn_str_starts(rest, PN_STR_V("=")))
			s = html_trim(pn_str_sub(rest, 1, rest.n));
	}
	if (s.n == 0 || (s.p[0] != '"' && s.p[0] != '\''))
		return s;
	end = memchr(s.p + 1, s.p[0], s.n - 1);
	return pn_str_sub(s, 1, end ? (size_t)(end - s.p) - 1 : s.n);
}

/* Up to the end of what quotes or brackets hold. */
static struct pn_str
held(struct pn_str s, char end)
{
	const char *at = s.n > 0 ? memchr(s.p, end, s.n) : NULL;

	return pn_str_sub(s, 0, at ? (size_t)(at - s.p) : s.n);
}

void
page_note_pictures(struct page *p, struct pn_str style)
{
	struct pn_str rest = css_unescape(style, p->html->arena);

	p->full |= rest.p == NULL && style.n > 0;
	for (; rest.n > 0; rest = pn_str_sub(rest, 1, rest.n)) {
		bool import = pn_str_caseeq(pn_str_sub(rest, 0, 7),
		    PN_STR_V("@import"));
		struct pn_str target;

		if (!import && !pn_str_caseeq(pn_str_sub(rest, 0, 4),
				   PN_STR_V("url(")))
			continue;
		target = html_trim(pn_str_sub(rest, import ? 7 : 4, rest.n));
		if (target.n > 1 && (target.p[0] == '"' || target.p[0] == '\''))
			target = held(pn_str_sub(target, 1, target.n),
			    target.p[0]);
		else if (import)
			continue; /* url() follows */
		else
			target = held(target, ')');
		(void)add_link(p, import ? HTML_OTHER : HTML_IMAGE,
		    target); /* .more says it */
	}
}

/* "a.png 1x, b.png 2x" */
static void
note_srcset(struct page *p, struct pn_str s)
{
	while (s.n > 0) {
		size_t n = 0;

		while (s.n > 0 && (html_is_space(s.p[0]) || s.p[0] == ','))
			s = pn_str_sub(s, 1, s.n);
		while (n < s.n && !html_is_space(s.p[n]))
			n++;
		(void)add_link(p, HTML_IMAGE, /* .more says it */
		    pn_str_sub(s, 0, n > 0 && s.p[n - 1] == ',' ? n - 1 : n));
		s = pn_str_sub(s, n, s.n);
		if (n > 0 && s.p[-1] != ',')
			s = pn_str_sub(s, held(s, ',').n, s.n);
	}
}

static void
note_meta(struct page *p, const struct tag *t)
{
	if (pn_str_caseeq(html_trim(page_attribute(p, t, A_HTTP_EQUIV)),
		PN_STR_V("refresh")))
		(void)add_link(p, HTML_REFRESH, /* .more says it */
		    refresh_target(page_attribute(p, t, A_CONTENT)));
}

static void
note_href(struct page *p, const struct tag *t)
{
	enum attribute which = t->has[A_HREF] ? A_HREF : A_XLINK;
	struct pn_str target = page_attribute(p, t, which);

	if (tag_is(t, "base")) {
		if (p->html->base.n == 0)
			p->html->base = html_trim(target);
	} else if (tag_is(t, "link")) {
		(void)add_link(p, HTML_OTHER, target); /* .more says it */
	} else if (tag_is(t, "area")) {
		(void)add_link(p, HTML_LINK, target); /* .more says it */
	} else {
		page_end_link(p);
		p->link = add_link(p, HTML_LINK, target);
	}
}

void
page_note_links(struct page *p, const struct tag *t)
{
	static const struct {
		enum attribute attribute;
		enum html_kind kind;
	} simple[] = {
		{ A_ACTION, HTML_FORM },
		{ A_FORMACTION, HTML_FORM },
		{ A_BACKGROUND, HTML_IMAGE },
		{ A_POSTER, HTML_IMAGE },
		{ A_DATA, HTML_OTHER },
	};
	bool picture = tag_is(t, "img") || tag_is(t, "input") ||
	    tag_is(t, "image") || tag_is(t, "v:imagedata") ||
	    tag_is(t, "v:fill");

	if (p->collecting)
		return;
	if (tag_is(t, "meta"))
		note_meta(p, t);
	if (t->has[A_HREF] || t->has[A_XLINK])
		note_href(p, t);
	if (t->has[A_SRC])
		(void)add_link(p, picture ? HTML_IMAGE : HTML_OTHER,
		    page_attribute(p, t, A_SRC)); /* .more says it */
	if (t->has[A_SRCSET])
		note_srcset(p, page_attribute(p, t, A_SRCSET));
	for (size_t i = 0; i < PN_COUNT(simple); i++)
		if (t->has[simple[i].attribute])
			(void)add_link(p, simple[i].kind, /* .more says it */
			    page_attribute(p, t, simple[i].attribute));
}
