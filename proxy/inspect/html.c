/*
 * html - see html.h.
 *
 *   page -> next token (13.2.5) -> what it opens and closes (13.2.6, as far as
 *   it decides what is seen) -> text, through clean.c, into one buf or the
 *   other; targets of attributes into the list of links.
 *
 * A page is walked twice if it has a <style>: first for its rules alone. Time
 * is linear but for DEPTH: each tag looks at the elements around it at most
 * once.
 */
#include "inspect/html.h"

#include <stdlib.h>

#include "base/mem.h"
#include "inspect/css.h"
#include "inspect/entity.h"
#include "inspect/html_kind.h"
#include "inspect/html_tag.h"

#define DEPTH 256      /* elements within one another; deeper ones are not
			  followed */
#define RULES 100      /* of style sheets */
#define SEEN 64        /* a power of two */

/* ---- elements ---- */

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

/* ---- a page ---- */

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

static const struct kind *
kind_of(struct page *p, struct pn_str name)
{
	size_t at = ((unsigned char)name.p[0] * 7u +
			(unsigned char)name.p[name.n - 1] * 3u + name.n) % SEEN;

	if (p->seen[at] == NULL || !pn_str_eq(p->seen[at]->name, name))
		p->seen[at] = html_kind(name);
	return p->seen[at];
}

static void
skip(struct page *p, size_t n)
{
	p->s = pn_str_sub(p->s, n, p->s.n);
}

static const struct css_style *
style_now(const struct page *p)
{
	return p->n_open > 0 ? &p->open[p->n_open - 1].style : &p->plain;
}

static bool
is_now(const struct page *p, unsigned flag)
{
	const struct kind *k =
	    p->n_open > 0 ? p->open[p->n_open - 1].kind : NULL;

	return k != NULL && (k->flags & flag) != 0;
}

/* Is what stands here a drawing's or formula's? */
static bool
is_foreign(const struct page *p)
{
	return p->n_open > 0 && p->open[p->n_open - 1].space != OF_HTML;
}

/* Is an element that begins here one of theirs? */
static bool
reads_foreign(const struct page *p)
{
	return is_foreign(p) && !p->open[p->n_open - 1].takes_html;
}

/* ---- text ---- */

static void
put_text(struct page *p, struct pn_str s)
{
	const struct css_style *style = style_now(p);
	bool pre = is_now(p, PRE), hidden = css_hides(style);

	if (p->collecting || s.n == 0)
		return;
	if (!hidden)
		clean_words(&p->html->text, s, pre);
	if (hidden || style->outlook) {
		if (p->gap)
			clean_break(&p->html->hidden, ' ');
		clean_words(&p->html->hidden, s, pre);
	}
	p->gap = !hidden;
}

static void
put_break(struct page *p, char how)
{
	if (p->collecting)
		return;
	clean_break(&p->html->text, how);
	clean_break(&p->html->hidden, how);
}

/* Text with references. */
static void
put_data(struct page *p, struct pn_str s)
{
	while (s.n > 0 && !p->collecting) {
		const char *amp = memchr(s.p, '&', s.n);
		size_t n = amp == NULL ? s.n : (size_t)(amp - s.p);
		struct pn_str text = PN_STR("&");
		char room[4];

		put_text(p, pn_str_sub(s, 0, n));
		s = pn_str_sub(s, n, s.n);
		if (s.n == 0)
			return;
		n = entity_read(s, false, room, &text);
		put_text(p, text);
		s = pn_str_sub(s, n > 0 ? n : 1, s.n);
	}
}

/* ---- tags ---- */

static struct pn_str
attribute(struct page *p, const struct tag *t, enum attribute a)
{
	struct pn_str s = t->value[a], decoded;
	struct buf b = { 0 };

	if (s.n == 0 || memchr(s.p, '&', s.n) == NULL)
		return s;
	entity_decode(s, true, &b);
	decoded = arena_str(p->html->arena, buf_str(&b));
	buf_fini(&b);
	p->full |= decoded.p == NULL;
	return decoded;
}

/* ---- links ---- */

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

static void
end_link(struct page *p)
{
	if (p->link > 0)
		p->html->links[p->link - 1].to = buf_len(p->html->text.out);
	p->link = 0;
}

/* What is open around it goes on behind it ("marker", 13.2.4.3). */
static bool
is_marker(const struct element *e)
{
	return e->kind != NULL && (e->kind->flags & WALL) != 0 &&
	       !pn_str_eq(e->kind->name, PN_STR_V("table")) &&
	       !pn_str_eq(e->kind->name, PN_STR_V("html"));
}

/* The link ends that began inside the cell at hand, not one around that. */
static void
end_own_link(struct page *p)
{
	size_t outer = 0;

	for (size_t i = p->n_open; i-- > p->floor && outer == 0;)
		if (is_marker(&p->open[i])) {
			outer = p->open[i].link;
			break;
		}
	if (p->link != outer)
		end_link(p);
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

/* "url(x)" and "@import 'x'" in a style. */
static void
note_pictures(struct page *p, struct pn_str style)
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
	if (pn_str_caseeq(html_trim(attribute(p, t, A_HTTP_EQUIV)),
		PN_STR_V("refresh")))
		(void)add_link(p, HTML_REFRESH, /* .more says it */
		    refresh_target(attribute(p, t, A_CONTENT)));
}

static void
note_href(struct page *p, const struct tag *t)
{
	enum attribute which = t->has[A_HREF] ? A_HREF : A_XLINK;
	struct pn_str target = attribute(p, t, which);

	if (tag_is(t, "base")) {
		if (p->html->base.n == 0)
			p->html->base = html_trim(target);
	} else if (tag_is(t, "link")) {
		(void)add_link(p, HTML_OTHER, target); /* .more says it */
	} else if (tag_is(t, "area")) {
		(void)add_link(p, HTML_LINK, target); /* .more says it */
	} else {
		end_link(p);
		p->link = add_link(p, HTML_LINK, target);
	}
}

static void
note_links(struct page *p, const struct tag *t)
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
		    attribute(p, t, A_SRC)); /* .more says it */
	if (t->has[A_SRCSET])
		note_srcset(p, attribute(p, t, A_SRCSET));
	for (size_t i = 0; i < PN_COUNT(simple); i++)
		if (t->has[simple[i].attribute])
			(void)add_link(p, simple[i].kind, /* .more says it */
			    attribute(p, t, simple[i].attribute));
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

static void
end_line(struct page *p, const struct kind *k)
{
	if (k != NULL && k->flags & (LINE | CELL))
		put_break(p, k->flags & LINE ? '\n' : ' ');
}

static void
close_down_to(struct page *p, size_t n)
{
	while (p->n_open > n && p->n_open > p->floor) {
		const struct element *e = &p->open[--p->n_open];

		end_line(p, e->kind);
		if (!is_marker(e))
			continue; /* a link goes on behind its block */
		if (p->link != e->link)
			end_link(p);
		p->link = e->link;
	}
}

/* The innermost open one of that name; -1 when there is none, or a stop is
 * nearer: one so called, or one with one of these flags. */
static int
find_open(const struct page *p, struct pn_str name, struct pn_str stop,
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
		end_own_link(p);
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
		close_down_to(p, p->n_open - 1);
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

static void
close_tag(struct page *p, const struct tag *t)
{
	const struct kind *k = kind_of(p, t->name);
	unsigned flags = k != NULL ? k->flags : 0;
	int i;

	if (tag_is(t, "html") || tag_is(t, "body"))
		return; /* what follows is in it all the same */
	if (tag_is(t, "br") || tag_is(t, "p"))
		break_out(p);
	end_line(p, k);
	if (tag_is(t, "br"))
		return;
	if (flags & FORMAT) {
		i = find_open(p, t->name, PN_STR_V("table"), WALL);
		if (i >= 0)
			take_out(p, (size_t)i);
		else if (tag_is(t, "a"))
			end_own_link(p);
		return;
	}
	i = find_open(p, t->name, PN_STR_V("table"),
	    flags & ROWS ? 0 : flags & SPECIAL ? WALL : SPECIAL);
	if (i >= 0)
		close_down_to(p, (size_t)i);
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
		int i = find_open(p, parts[c], PN_STR_V("table"), 0);

		if (i >= 0)
			close_down_to(p, (size_t)i);
	}
}

/* What the start of another ends although nobody wrote so. */
static void
close_implied(struct page *p, const struct tag *t, const struct kind *k)
{
	int i;

	if (reads_foreign(p) && breaks_out(t))
		break_out(p);
	if (k == NULL || reads_foreign(p))
		return;
	if (k->flags & ROWS)
		close_rows(p, k);
	if (k->flags & ENDS_P &&
	    (i = find_open(p, PN_STR_V("p"), PN_STR_V("button"), WALL)) >= 0)
		close_down_to(p, (size_t)i);
	if (k->closes.n == 0)
		return;
	i = find_open(p, k->closes, k->within, WALL);
	if (i < 0 && pn_str_eq(k->closes, PN_STR_V("dd")))
		i = find_open(p, PN_STR_V("dt"), k->within, WALL);
	if (i < 0 && pn_str_eq(k->closes, PN_STR_V("dt")))
		i = find_open(p, PN_STR_V("dd"), k->within, WALL);
	if (i >= 0 && k->flags & FORMAT)
		take_out(p, (size_t)i);
	else if (i >= 0)
		close_down_to(p, (size_t)i);
}

/* An element that begins here, by the one around it (13.2.6.6). */
static enum space
space_inside(const struct page *p, struct pn_str name)
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
	encoding = attribute(p, t, A_ENCODING);
	return pn_str_caseeq(encoding, PN_STR_V("text/html")) ||
	       pn_str_caseeq(encoding, PN_STR_V("application/xhtml+xml"));
}

static void
read_style(struct page *p, const struct tag *t, struct css *css)
{
	if (p->sheet.n > 0)
		css_match(&p->sheet, t->name, attribute(p, t, A_CLASS),
		    attribute(p, t, A_ID), css);
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
		css_declare(css, attribute(p, t, A_STYLE), CSS_INLINE);
}

static void
open_element(struct page *p, const struct tag *t, const struct kind *k)
{
	struct element *e = &p->open[p->n_open];

	if (p->n_open == DEPTH) {
		p->html->more = true; /* what it shows or hides is not known */
		return;
	}
	*e = (struct element){ .kind = k, .n = t->name.n, .link = p->link,
		.space = space_inside(p, t->name) };
	e->takes_html = takes_html(p, t, e->space);
	memcpy(e->name, t->room, t->name.n);
	read_style(p, t, &e->css);
	p->n_open++;
	e->style = style_of(p, p->n_open - 1);
}

/* What stands in the page's place of things that have no text. */
static void
put_replacement(struct page *p, const struct tag *t)
{
	struct pn_str type = html_trim(t->value[A_TYPE]);

	if (p->collecting)
		return;
	if (tag_is(t, "img") || tag_is(t, "area")) {
		put_text(p, attribute(p, t, A_ALT));
	} else if (tag_is(t, "input") &&
	    !pn_str_caseeq(type, PN_STR_V("hidden"))) {
		bool picture = pn_str_caseeq(type, PN_STR_V("image"));

		put_break(p, ' ');
		put_text(p, attribute(p, t, picture ? A_ALT :
		    t->value[A_VALUE].n > 0 ? A_VALUE : A_PLACEHOLDER));
		put_break(p, ' ');
	}
}

/* A void element's own style decides whether its alt text is seen. */
static void
put_void(struct page *p, const struct tag *t, const struct kind *k)
{
	size_t n = p->n_open;

	open_element(p, t, k);
	put_replacement(p, t);
	p->n_open = n;
}

/* ---- what is not markup ---- */

/* Up to the end tag of that name (13.2.5.12), which is left; or all. */
static struct pn_str
raw_text(struct pn_str s, struct pn_str name)
{
	size_t at = 0;
	const char *lt;

	while (at < s.n &&
	    (lt = memmem(s.p + at, s.n - at, "</", 2)) != NULL) {
		struct pn_str rest;

		at = (size_t)(lt - s.p);
		rest = pn_str_sub(s, at + 2, s.n);
		if (rest.n > name.n && (html_is_space(rest.p[name.n]) ||
		    strchr("/>", rest.p[name.n]) != NULL) &&
		    rest.p[name.n] != '\0' &&
		    pn_str_caseeq(pn_str_sub(rest, 0, name.n), name))
			return pn_str_sub(s, 0, at);
		at += 2;
	}
	return s;
}

static void
read_raw(struct page *p, const struct tag *t, const struct kind *k)
{
	struct pn_str text = tag_is(t, "plaintext") ? p->s :
						      raw_text(p->s, t->name);
	bool silent = tag_is(t, "title") || tag_is(t, "script") ||
		      tag_is(t, "iframe");

	if (p->collecting && !p->outlook && tag_is(t, "style"))
		css_sheet_add(&p->sheet, text);
	if (tag_is(t, "style"))
		note_pictures(p, text);
	else if (!silent && k->flags & REFERENCES)
		put_data(p, text);
	else if (!silent)
		put_text(p, text);
	skip(p, text.n);
}

static void
open_tag(struct page *p, const struct tag *t)
{
	const struct kind *k = kind_of(p, t->name);
	bool foreign;

	close_implied(p, t, k);
	foreign = space_inside(p, t->name) != OF_HTML;
	if (tag_is(t, "a") && !p->collecting)
		end_own_link(p);
	note_links(p, t);
	if (t->has[A_STYLE] && !p->collecting)
		note_pictures(p, attribute(p, t, A_STYLE));
	if ((tag_is(t, "html") || tag_is(t, "body")) &&
	    find_open(p, t->name, PN_STR_V(""), 0) >= 0)
		return; /* its attributes would join those that are there */
	end_line(p, k);
	if (k != NULL && k->flags & VOID && !foreign) {
		put_void(p, t, k);
		return;
	}
	if (foreign && t->closed)
		return;
	open_element(p, t, k);
	if (k != NULL && k->flags & RAW && !foreign)
		read_raw(p, t, k);
}

static void read_markup(struct page *p);

/* "[if mso]>...<![endif]": Outlook reads what others take for a comment. */
static void
read_conditional(struct page *p, struct pn_str comment)
{
	const char *end = comment.n > 0 ? memmem(comment.p, comment.n, "]>", 2)
					: NULL;
	const char *endif;
	struct pn_str rest = p->s, inside;
	size_t floor = p->floor, link = p->link;

	if (p->outlook || end == NULL ||
	    !pn_str_caseeq(pn_str_sub(comment, 0, 3), PN_STR_V("[if")))
		return;
	inside = pn_str_sub(comment, (size_t)(end - comment.p) + 2, comment.n);
	endif = inside.n > 0 ? memmem(inside.p, inside.n, "<![endif]", 9)
			     : NULL;
	if (endif != NULL)
		inside.n = (size_t)(endif - inside.p);
	if (inside.n == 0 || pn_str_eq(inside, PN_STR_V("<!")))
		return; /* "[if !mso]><!": what follows is for others */
	p->html->conditional = true;
	if (p->html->others)
		return;
	p->outlook = true;
	p->s = inside;
	p->floor = p->n_open;
	p->link = 0;
	read_markup(p);
	close_down_to(p, p->floor);
	end_link(p);
	p->outlook = false;
	p->s = rest;
	p->floor = floor;
	p->link = link;
}

/* Behind "<!--" (13.2.5.43 on): its bytes with the end; *inside without. */
static size_t
comment_size(struct pn_str s, struct pn_str *inside)
{
	size_t at = 0;
	const char *end;

	*inside = pn_str_sub(s, 0, 0);
	if (pn_str_starts(s, PN_STR_V(">")))
		return 1;
	if (pn_str_starts(s, PN_STR_V("->")))
		return 2;
	while (at < s.n &&
	    (end = memmem(s.p + at, s.n - at, "--", 2)) != NULL) {
		struct pn_str rest;

		at = (size_t)(end - s.p);
		rest = pn_str_sub(s, at + 2, s.n);
		*inside = pn_str_sub(s, 0, at);
		if (pn_str_starts(rest, PN_STR_V(">")))
			return at + 3;
		if (pn_str_starts(rest, PN_STR_V("!>")))
			return at + 4;
		at++;
	}
	*inside = s;
	return s.n;
}

/* Behind "<!", "<?" or "</": a comment of another kind, to the next '>'. */
static size_t
bogus_size(struct pn_str s)
{
	const char *end = s.n > 0 ? memchr(s.p, '>', s.n) : NULL;

	return end == NULL ? s.n : (size_t)(end - s.p) + 1;
}

static void
read_declaration(struct page *p)
{
	struct pn_str inside;

	if (pn_str_starts(p->s, PN_STR_V("<!--"))) {
		skip(p, 4);
		skip(p, comment_size(p->s, &inside));
		read_conditional(p, inside);
	} else if (is_foreign(p) &&
	    pn_str_starts(p->s, PN_STR_V("<![CDATA["))) {
		const char *end = memmem(p->s.p, p->s.n, "]]>", 3);
		size_t n = end ? (size_t)(end - p->s.p) : p->s.n;

		put_text(p, pn_str_sub(p->s, 9, n - 9));
		skip(p, n + 3);
	} else {
		skip(p, 2);
		skip(p, bogus_size(p->s));
	}
}

/* At '<'. */
static void
read_angle(struct page *p)
{
	char next = p->s.n > 1 ? p->s.p[1] : '\0';
	bool end = next == '/';
	struct tag t = { .end = end };
	size_t n;

	if (next == '!' || next == '?') {
		read_declaration(p);
		return;
	}
	if (end && p->s.n > 2 && !html_is_letter(p->s.p[2])) {
		skip(p, 2);
		skip(p, bogus_size(p->s));
		return;
	}
	if (p->s.n <= 1u + end || !html_is_letter(p->s.p[1 + end])) {
		put_text(p, pn_str_sub(p->s, 0, 1));
		skip(p, 1);
		return;
	}
	skip(p, 1u + end);
	n = tag_read(p->s, &t);
	skip(p, n > 0 ? n : p->s.n);
	if (n > 0 && end)
		close_tag(p, &t);
	else if (n > 0)
		open_tag(p, &t);
}

static void
read_markup(struct page *p)
{
	while (p->s.n > 0) {
		const char *lt = memchr(p->s.p, '<', p->s.n);
		size_t n = lt == NULL ? p->s.n : (size_t)(lt - p->s.p);

		put_data(p, pn_str_sub(p->s, 0, n));
		skip(p, n);
		if (p->s.n > 0)
			read_angle(p);
	}
}

static void
walk(struct page *p, struct pn_str s, bool collecting)
{
	p->s = s;
	p->collecting = collecting;
	p->n_open = 0;
	p->link = 0;
	read_markup(p);
	close_down_to(p, 0);
	end_link(p);
}

static bool
has_word(struct pn_str s, const char *word)
{
	size_t n = strlen(word);
	const char *at;

	while (s.n > 0 && (at = memchr(s.p, '<', s.n)) != NULL) {
		s = pn_str_sub(s, (size_t)(at - s.p) + 1, s.n);
		if (pn_str_caseeq(pn_str_sub(s, 0, n),
			(struct pn_str){ word, n }))
			return true;
	}
	return false;
}

int
html_read(struct html *h, struct pn_str s)
{
	struct page *p = xcalloc(1, sizeof(*p));
	bool full;

	p->html = h;
	p->plain = css_style_default;
	p->sheet = (struct css_sheet){ .max = RULES, .arena = h->arena };
	if (has_word(s, "style"))
		walk(p, s, true);
	if (p->sheet.background)
		p->plain.background = CSS_NO_COLOR;
	walk(p, s, false);
	full = p->full;
	free(p);
	return full ? -1 : 0;
}
