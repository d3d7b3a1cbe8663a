/*
 * html_tree - the elements of a page that are open, how they show their text,
 * and what closes them although nobody wrote so. HTML 13.2.6, as far as it
 * decides what is seen.
 *
 * Called by html.c for each tag. Each looks at the elements around it at most
 * once, of which there are DEPTH.
 */
#include "inspect/html_inside.h"

const struct kind *
page_kind(struct page *p, struct pn_str name)
{
	size_t at = ((unsigned char)name.p[0] * 7u +
			(unsigned char)name.p[name.n - 1] * 3u + name.n) % SEEN;

	if (p->seen[at] == NULL || !pn_str_eq(p->seen[at]->name, name))
		p->seen[at] = html_kind(name);
	return p->seen[at];
}

/* Is an element that begins here one of theirs? */
static bool
reads_foreign(const struct page *p)
{
	return page_is_foreign(p) && !p->open[p->n_open - 1].takes_html;
}

/* ---- what is open ---- */

static struct css_style
style_of(const struct page *p, size_t i)
{
	const struct element *e = &p->open[i];
	struct css_style style =
	    i > 0 ? p->open[i - 1].style : p->plain;

	if (e->kind != NULL && e->kind->flags & UNSEEN)
		style.gone = true;
	css_apply(&style, &e->css);
	return style;
}

static bool
is_named(const struct element *e, struct pn_str name)
{
	return pn_str_eq((struct pn_str){ e->name, e->n }, name);
}

void
page_end_line(struct page *p, const struct kind *k)
{
	if (k != NULL && k->flags & (LINE | CELL))
		page_break(p, k->flags & LINE ? '\n' : ' ');
}

void
page_close_down_to(struct page *p, size_t n)
{
	while (p->n_open > n && p->n_open > p->floor) {
		const struct element *e = &p->open[--p->n_open];

		page_end_line(p, e->kind);
		if (!page_is_marker(e))
			continue; /* a link goes on behind its block */
		if (p->link != e->link)
			page_end_link(p);
		p->link = e->link;
	}
}

int
page_find_open(const struct page *p, struct pn_str name, struct pn_str stop,
    unsigned flags)
{
	for (size_t i = p->n_open; i-- > p->floor;) {
		const struct element *e = &p->open[i];

		if (is_named(e, name))
			return (int)i;
		if (is_named(e, stop) ||
		    (e->kind != NULL && e->kind->flags & flags))
			return -1;
	}
	return -1;
}

/* One goes, those inside it stay (13.2.6.4.7, "adoption agency"). */
static void
take_out(struct page *p, size_t i)
{
	if (is_named(&p->open[i], PN_STR_V("a")))
		page_end_own_link(p);
	memmove(&p->open[i], &p->open[i + 1],
	    (p->n_open - i - 1) * sizeof(p->open[0]));
	p->n_open--;
	for (; i < p->n_open; i++)
		p->open[i].style = style_of(p, i);
}

/* Drawings and formulas end where HTML stands in them (13.2.6.5). */
static void
break_out(struct page *p)
{
	while (reads_foreign(p) && p->n_open > p->floor)
		page_close_down_to(p, p->n_open - 1);
}

static bool
breaks_out(const struct tag *t)
{
	static const char *const names[] = { "b", "big", "blockquote", "body",
		"br", "center", "code", "dd", "div", "dl", "dt", "em", "embed",
		"h1", "h2", "h3", "h4", "h5", "h6", "head", "hr", "i", "img",
		"li", "listing", "menu", "meta", "nobr", "ol", "p", "pre",
		"ruby", "s", "small", "span", "strong", "strike", "sub", "sup",
		"table", "tt", "u", "ul", "var" };

	for (size_t i = 0; i < PN_COUNT(names); i++)
		if (tag_is(t, names[i]))
			return true;
	return tag_is(t, "font") &&
	       (t->has[A_COLOR] || t->has[A_FACE] || t->has[A_SIZE]);
}

void
page_close_tag(struct page *p, const struct tag *t)
{
	const struct kind *k = page_kind(p, t->name);
	unsigned flags = k != NULL ? k->flags : 0;
	int i;

	if (tag_is(t, "html") || tag_is(t, "body"))
		return; /* what follows is in it all the same */
	if (tag_is(t, "br") || tag_is(t, "p"))
		break_out(p);
	page_end_line(p, k);
	if (tag_is(t, "br"))
		return;
	if (flags & FORMAT) {
		i = page_find_open(p, t->name, PN_STR_V("table"), WALL);
		if (i >= 0)
			take_out(p, (size_t)i);
		else if (tag_is(t, "a"))
			page_end_own_link(p);
		return;
	}
	i = page_find_open(p, t->name, PN_STR_V("table"),
	    flags & ROWS ? 0 : flags & SPECIAL ? WALL : SPECIAL);
	if (i >= 0)
		page_close_down_to(p, (size_t)i);
}

/* A cell ends the cell before it, a row cells and rows, a body all. */
static void
close_rows(struct page *p, const struct kind *k)
{
	static const struct pn_str parts[] = { PN_STR("td"), PN_STR("th"),
		PN_STR("caption"), PN_STR("tr"), PN_STR("tbody"),
		PN_STR("thead"), PN_STR("tfoot") };
	bool row = pn_str_eq(k->name, PN_STR_V("tr"));
	size_t n = k->flags & CELL ? 3 : row ? 4 : PN_COUNT(parts);

	if (pn_str_eq(k->name, PN_STR_V("table")))
		return;
	for (size_t c = 0; c < n; c++) {
		int i = page_find_open(p, parts[c], PN_STR_V("table"), 0);

		if (i >= 0)
			page_close_down_to(p, (size_t)i);
	}
}

void
page_close_implied(struct page *p, const struct tag *t, const struct kind *k)
{
	int i;

	if (reads_foreign(p) && breaks_out(t))
		break_out(p);
	if (k == NULL || reads_foreign(p))
		return;
	if (k->flags & ROWS)
		close_rows(p, k);
	if (k->flags & ENDS_P &&
	    (i = page_find_open(p, PN_STR_V("p"), PN_STR_V("button"), WALL)) >= 0)
		page_close_down_to(p, (size_t)i);
	if (k->closes.n == 0)
		return;
	i = page_find_open(p, k->closes, k->within, WALL);
	if (i < 0 && pn_str_eq(k->closes, PN_STR_V("dd")))
		i = page_find_open(p, PN_STR_V("dt"), k->within, WALL);
	if (i < 0 && pn_str_eq(k->closes, PN_STR_V("dt")))
		i = page_find_open(p, PN_STR_V("dd"), k->within, WALL);
	if (i >= 0 && k->flags & FORMAT)
		take_out(p, (size_t)i);
	else if (i >= 0)
		page_close_down_to(p, (size_t)i);
}

enum space
page_space_inside(const struct page *p, struct pn_str name)
{
	if (reads_foreign(p))
		return p->open[p->n_open - 1].space;
	return pn_str_eq(name, PN_STR_V("svg"))	   ? OF_SVG
	       : pn_str_eq(name, PN_STR_V("math")) ? OF_MATH
						   : OF_HTML;
}

/* "Integration points". */
static bool
takes_html(struct page *p, const struct tag *t, enum space space)
{
	static const char *const of_svg[] = { "foreignobject", "desc",
		"title" };
	static const char *const of_math[] = { "mi", "mo", "mn", "ms",
		"mtext" };
	struct pn_str encoding;

	for (size_t i = 0; space == OF_SVG && i < PN_COUNT(of_svg); i++)
		if (tag_is(t, of_svg[i]))
			return true;
	for (size_t i = 0; space == OF_MATH && i < PN_COUNT(of_math); i++)
		if (tag_is(t, of_math[i]))
			return true;
	if (space != OF_MATH || !tag_is(t, "annotation-xml"))
		return false;
	encoding = page_attribute(p, t, A_ENCODING);
	return pn_str_caseeq(encoding, PN_STR_V("text/html")) ||
	       pn_str_caseeq(encoding, PN_STR_V("application/xhtml+xml"));
}

static void
read_style(struct page *p, const struct tag *t, struct css *css)
{
	if (p->sheet.n > 0)
		css_match(&p->sheet, t->name, page_attribute(p, t, A_CLASS),
		    page_attribute(p, t, A_ID), css);
	if (t->has[A_BGCOLOR])
		css->of[CSS_BACKGROUND] = (struct css_value){ .rank = 1,
			.number = css_color(t->value[A_BGCOLOR]) };
	if (t->has[A_BACKGROUND])
		css->of[CSS_BACKGROUND] = (struct css_value){ .rank = 1,
			.number = CSS_NO_COLOR };
	if (tag_is(t, "body") && t->has[A_TEXT])
		css->of[CSS_COLOR] = (struct css_value){ .rank = 1,
			.number = css_color(t->value[A_TEXT]) };
	if (t->has[A_COLOR])
		css->of[CSS_COLOR] = (struct css_value){ .rank = 1,
			.number = css_color(t->value[A_COLOR]) };
	else if (tag_is(t, "a") && css->of[CSS_COLOR].rank == 0)
		css->of[CSS_COLOR] =
		    (struct css_value){ .rank = 1, .number = 0x0000ee };
	if (t->has[A_HIDDEN] && css->of[CSS_DISPLAY].rank == 0)
		css->of[CSS_DISPLAY] =
		    (struct css_value){ .rank = 1, .number = 1 };
	if (t->has[A_STYLE])
		css_declare(css, page_attribute(p, t, A_STYLE), CSS_INLINE);
}

void
page_open_element(struct page *p, const struct tag *t, const struct kind *k)
{
	struct element *e = &p->open[p->n_open];

	if (p->n_open == DEPTH) {
		p->html->more = true; /* what it shows or hides is not known */
		return;
	}
	*e = (struct element){ .kind = k, .n = t->name.n, .link = p->link,
		.space = page_space_inside(p, t->name) };
	e->takes_html = takes_html(p, t, e->space);
	memcpy(e->name, t->room, t->name.n);
	read_style(p, t, &e->css);
	p->n_open++;
	e->style = style_of(p, p->n_open - 1);
}
