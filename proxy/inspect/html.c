/*
 * html - see html.h.
 *
 *   page -> next token (13.2.5) -> what it opens and closes (html_tree.c) ->
 *   text, through clean.c, into one buf or the other; targets of attributes
 *   into the list of links (html_links.c).
 *
 * A page is walked twice if it has a <style>: first for its rules alone. Time
 * is linear but for DEPTH: each tag looks at the elements around it at most
 * once.
 */
#include "inspect/html_inside.h"

#include <stdlib.h>

#include "base/mem.h"
#include "inspect/entity.h"

#define RULES 100 /* of style sheets */

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

void
page_break(struct page *p, char how)
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

struct pn_str
page_attribute(struct page *p, const struct tag *t, enum attribute a)
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

/* What stands in the page's place of things that have no text. */
static void
put_replacement(struct page *p, const struct tag *t)
{
	struct pn_str type = html_trim(t->value[A_TYPE]);

	if (p->collecting)
		return;
	if (tag_is(t, "img") || tag_is(t, "area")) {
		put_text(p, page_attribute(p, t, A_ALT));
	} else if (tag_is(t, "input") &&
	    !pn_str_caseeq(type, PN_STR_V("hidden"))) {
		bool picture = pn_str_caseeq(type, PN_STR_V("image"));

		page_break(p, ' ');
		put_text(p, page_attribute(p, t, picture ? A_ALT :
		    t->value[A_VALUE].n > 0 ? A_VALUE : A_PLACEHOLDER));
		page_break(p, ' ');
	}
}

/* A void element's own style decides whether its alt text is seen. */
static void
put_void(struct page *p, const struct tag *t, const struct kind *k)
{
	size_t n = p->n_open;

	page_open_element(p, t, k);
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
		page_note_pictures(p, text);
	else if (!silent && k->flags & REFERENCES)
		put_data(p, text);
	else if (!silent)
		put_text(p, text);
	skip(p, text.n);
}

static void
open_tag(struct page *p, const struct tag *t)
{
	const struct kind *k = page_kind(p, t->name);
	bool foreign;

	page_close_implied(p, t, k);
	foreign = page_space_inside(p, t->name) != OF_HTML;
	if (tag_is(t, "a") && !p->collecting)
		page_end_own_link(p);
	page_note_links(p, t);
	if (t->has[A_STYLE] && !p->collecting)
		page_note_pictures(p, page_attribute(p, t, A_STYLE));
	if ((tag_is(t, "html") || tag_is(t, "body")) &&
	    page_find_open(p, t->name, PN_STR_V(""), 0) >= 0)
		return; /* its attributes would join those that are there */
	page_end_line(p, k);
	if (k != NULL && k->flags & VOID && !foreign) {
		put_void(p, t, k);
		return;
	}
	if (foreign && t->closed)
		return;
	page_open_element(p, t, k);
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
	page_close_down_to(p, p->floor);
	page_end_link(p);
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
	} else if (page_is_foreign(p) &&
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
		page_close_tag(p, &t);
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
	page_close_down_to(p, 0);
	page_end_link(p);
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
