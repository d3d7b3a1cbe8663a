/*
 * css_sheet - the rules of a page's style sheets: those whose selector names a
 * tag, a class or an id alone, and which of them an element has. CSS 2.2, 5
 * and 6.4.
 *
 * Called by html for each <style>, then for each element. Of what is not
 * followed it is remembered whether a background is set. The arena owns rules.
 */
#include "inspect/css_inside.h"

#include "inspect/html_tag.h"

#define CLASSES 16 /* of one element; what more would hide counts as seen */

struct css_rule {
	struct pn_str tag, class, id; /* n 0: any */
	struct css css;
	unsigned rank;
};

static bool
is_name(struct pn_str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			(c >= '0' && c <= '9') || c == '-' || c == '_' ||
			(c & 0x80) != 0))
			return false;
	}
	return s.n > 0;
}

/* "tag", ".class", "tag.class", "#id", "tag#id", "*"; false: another. */
static bool
read_selector(struct pn_str s, struct css_rule *r)
{
	size_t n = 0;

	while (n < s.n && s.p[n] != '.' && s.p[n] != '#')
		n++;
	r->tag = pn_str_sub(s, 0, n);
	r->rank = CSS_BY_TAG;
	if (pn_str_eq(r->tag, PN_STR_V("*")))
		r->tag.n = 0;
	else if (n > 0 && !is_name(r->tag))
		return false;
	if (n == s.n)
		return n > 0;
	r->rank = s.p[n] == '#' ? CSS_BY_ID : CSS_BY_CLASS;
	*(s.p[n] == '#' ? &r->id : &r->class) = pn_str_sub(s, n + 1, s.n);
	return is_name(pn_str_sub(s, n + 1, s.n));
}

static bool
says_anything(const struct css *css)
{
	for (size_t i = 0; i < CSS_PROPERTIES; i++)
		if (css->of[i].rank > 0)
			return true;
	return false;
}

static void
add_rule(struct css_sheet *sheet, struct pn_str selector,
    struct pn_str declarations)
{
	struct css_rule r = { .rank = 0 };
	bool followed = read_selector(selector, &r) && sheet->n < sheet->max;

	css_declare(&r.css, declarations, r.rank > 0 ? r.rank : 1);
	if (!followed) {
		sheet->background |= r.css.of[CSS_BACKGROUND].rank > 0;
		return;
	}
	if (!says_anything(&r.css))
		return;
	if (sheet->rules == NULL)
		sheet->rules =
		    arena_alloc(sheet->arena, sheet->max * sizeof(r));
	if (sheet->rules != NULL)
		sheet->rules[sheet->n++] = r;
}

/* Behind "{" up to its "}", which may hold others. */
static struct pn_str
block_of(struct pn_str s)
{
	int depth = 1;
	size_t i = 0;

	for (; i < s.n && depth > 0; i++)
		depth += s.p[i] == '{' ? 1 : s.p[i] == '}' ? -1 : 0;
	return pn_str_sub(s, 0, depth == 0 ? i - 1 : i);
}

/* "<!--" and "-->" are nothing in a sheet, and comments are none of it. */
static struct pn_str
skip_nothing(struct pn_str s)
{
	for (;;) {
		s = html_trim(s);
		if (pn_str_starts(s, PN_STR_V("<!--"))) {
			s = pn_str_sub(s, 4, s.n);
		} else if (pn_str_starts(s, PN_STR_V("-->"))) {
			s = pn_str_sub(s, 3, s.n);
		} else if (pn_str_starts(s, PN_STR_V("/*"))) {
			const char *end = memmem(s.p + 2, s.n - 2, "*/", 2);

			s = pn_str_sub(s,
			    end ? (size_t)(end - s.p) + 2 : s.n, s.n);
		} else {
			return s;
		}
	}
}

void
css_sheet_add(struct css_sheet *sheet, struct pn_str s)
{
	for (s = skip_nothing(s); s.n > 0; s = skip_nothing(s)) {
		const char *open = memchr(s.p, '{', s.n);
		const char *end = memchr(s.p, ';', s.n);
		struct pn_str selectors, block, one;

		if (s.p[0] == '@' && end != NULL &&
		    (open == NULL || end < open)) { /* @import "x"; */
			s = pn_str_sub(s, (size_t)(end - s.p) + 1, s.n);
			continue;
		}
		if (open == NULL)
			return;
		selectors = pn_str_sub(s, 0, (size_t)(open - s.p));
		s = pn_str_sub(s, selectors.n + 1, s.n);
		block = block_of(s);
		s = pn_str_sub(s, block.n + 1, s.n);
		if (selectors.n > 0 && selectors.p[0] == '@') {
			/* Of some screens, or of paper: who knows. */
			sheet->background |= block.n > 0 &&
			    memmem(block.p, block.n, "background", 10) != NULL;
			continue;
		}
		while (css_next_piece(&selectors, ',', &one))
			add_rule(sheet, html_trim(one), block);
	}
}

static bool
is_among(struct pn_str word, const struct pn_str *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (words[i].n == word.n && pn_str_caseeq(words[i], word))
			return true;
	return false;
}

void
css_match(const struct css_sheet *sheet, struct pn_str tag,
    struct pn_str classes, struct pn_str id, struct css *css)
{
	struct pn_str words[CLASSES];
	size_t n = 0;

	while (n < CLASSES && (words[n] = css_next_word(&classes)).n > 0)
		n++;
	for (size_t i = 0; i < sheet->n; i++) {
		const struct css_rule *r = &sheet->rules[i];

		if ((r->tag.n > 0 && !pn_str_caseeq(r->tag, tag)) ||
		    (r->id.n > 0 && !pn_str_caseeq(r->id, id)) ||
		    (r->class.n > 0 && !is_among(r->class, words, n)))
			continue;
		for (size_t k = 0; k < CSS_PROPERTIES; k++)
			if (r->css.of[k].rank > 0 &&
			    r->css.of[k].rank >= css->of[k].rank)
				css->of[k] = r->css.of[k];
	}
}
