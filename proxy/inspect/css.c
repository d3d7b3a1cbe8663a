/* css - see css.h; sheets are in css_sheet.c. CSS 2.2 syntax: comments and
 * escapes are undone while a declaration is copied, which is cut at a length no
 * honest one reaches. */
#include "inspect/css_inside.h"

#include <stdlib.h>

#include "base/utf8.h"
#include "inspect/html_tag.h"

#define NAME_ROOM 24
#define VALUE_ROOM 200
#define TINY 2.0    /* pixels: letters below cannot be read */
#define ALIKE 12    /* steps of 256 that no eye tells apart */
#define NORMAL 16.0 /* pixels of letters nobody sized */

const struct css_style css_style_default = { .size = NORMAL,
	.color = 0x000000,
	.background = 0xffffff };

/* ---- text ---- */

static int
hex(char c)
{
	return c >= '0' && c <= '9'			 ? c - '0'
	       : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
						     : -1;
}

/* Behind a backslash: up to six hex digits and a blank, or any character. */
static size_t
read_escape(struct pn_str s, char out[4], size_t *n)
{
	uint32_t c = 0;
	size_t i = 0;

	while (i < s.n && i < 6 && hex(s.p[i]) >= 0)
		c = c << 4 | (uint32_t)hex(s.p[i++]);
	if (i == 0) {
		*n = s.n > 0;
		out[0] = s.n > 0 ? s.p[0] : '\0';
		return *n;
	}
	*n = utf8_put(out, c < 0x110000 ? c : 0xfffd);
	return i < s.n && html_is_space(s.p[i]) ? i + 1 : i;
}

struct pn_str
css_unescape(struct pn_str s, struct arena *a)
{
	char *out, got[4];
	size_t n = 0, size;

	if (s.n == 0 || memchr(s.p, '\\', s.n) == NULL)
		return s;
	if ((out = arena_alloc(a, s.n)) == NULL)
		return (struct pn_str){ NULL, 0 };
	while (s.n > 0) {
		bool escaped = s.p[0] == '\\';
		size_t used = 1;

		got[0] = s.p[0];
		size = 1;
		if (escaped)
			used += read_escape(pn_str_sub(s, 1, s.n), got, &size);
		memcpy(out + n, got, size);
		n += size;
		s = pn_str_sub(s, used, s.n);
	}
	return (struct pn_str){ out, n };
}

/* Lower case, without comments, escapes undone, cut at the room's end. */
static struct pn_str
plain(struct pn_str s, char *room, size_t size)
{
	size_t n = 0;

	while (s.n > 0 && n + 4 <= size) {
		size_t used = 1, got = 1;

		if (pn_str_starts(s, PN_STR_V("/*"))) {
			const char *end = memmem(s.p + 2, s.n - 2, "*/", 2);

			used = end == NULL ? s.n : (size_t)(end - s.p) + 2;
			got = 0;
		} else if (s.p[0] == '\\') {
			used += read_escape(pn_str_sub(s, 1, s.n), room + n,
			    &got);
		} else {
			room[n] = s.p[0];
		}
		for (size_t i = n; i < n + got; i++)
			room[i] = pn_lower(room[i]);
		n += got;
		s = pn_str_sub(s, used, s.n);
	}
	return html_trim((struct pn_str){ room, n });
}

bool
css_next_piece(struct pn_str *rest, char separator, struct pn_str *piece)
{
	struct pn_str s = *rest;
	int depth = 0;
	char quote = '\0';
	size_t i;

	if (s.n == 0)
		return false;
	for (i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '\\') {
			i++;
		} else if (quote != '\0') {
			quote = c == quote ? '\0' : quote;
		} else if (c == '/' && i + 1 < s.n && s.p[i + 1] == '*') {
			const char *end =
			    memmem(s.p + i + 2, s.n - i - 2, "*/", 2);

			i = end == NULL ? s.n : (size_t)(end - s.p) + 1;
		} else if (c == '"' || c == '\'') {
			quote = c;
		} else if (c == '(') {
			depth++;
		} else if (c == ')') {
			depth -= depth > 0;
		} else if (c == separator && depth == 0) {
			break;
		}
	}
	if (i > s.n)
		i = s.n;
	*piece = pn_str_sub(s, 0, i);
	*rest = pn_str_sub(s, i + 1, s.n);
	return true;
}

struct pn_str
css_next_word(struct pn_str *s)
{
	struct pn_str word;
	size_t n = 0;
	int depth = 0;

	*s = html_trim(*s);
	while (n < s->n && (depth > 0 || !html_is_space(s->p[n]))) {
		depth += s->p[n] == '(';
		depth -= s->p[n] == ')' && depth > 0;
		n++;
	}
	word = pn_str_sub(*s, 0, n);
	*s = pn_str_sub(*s, n, s->n);
	return word;
}

static bool
is(struct pn_str s, const char *word)
{
	return pn_str_eq(s, pn_str_of(word));
}

/* ---- numbers ---- */

/* A number in front of *s, which loses it; false when there is none. */
static bool
read_number(struct pn_str *s, double *out)
{
	char room[32], *end;
	struct pn_str head = pn_str_sub(*s, 0, sizeof(room) - 1);
	size_t n = 0;

	while (n < head.n && (strchr("+-.", head.p[n]) != NULL ||
	    (head.p[n] >= '0' && head.p[n] <= '9')) && head.p[n] != '\0')
		n++;
	memcpy(room, n > 0 ? head.p : "", n);
	room[n] = '\0';
	*out = strtod(room, &end);
	*s = pn_str_sub(*s, (size_t)(end - room), s->n);
	return end != room;
}

/* "12px": pixels, or relative to the parent's. */
static bool
read_size(struct pn_str s, struct css_value *v)
{
	static const struct {
		struct pn_str unit;
		double pixels; /* 0: relative */
		double part;
	} units[] = {
		{ PN_STR(""), 1, 0 }, /* of quirks mode; and 0 needs none */
		{ PN_STR("px"), 1, 0 },
		{ PN_STR("pt"), 4.0 / 3, 0 },
		{ PN_STR("pc"), 16, 0 },
		{ PN_STR("in"), 96, 0 },
		{ PN_STR("cm"), 96 / 2.54, 0 },
		{ PN_STR("mm"), 96 / 25.4, 0 },
		{ PN_STR("rem"), NORMAL, 0 },
		{ PN_STR("em"), 0, 1 },
		{ PN_STR("ex"), 0, 0.5 },
		{ PN_STR("ch"), 0, 0.5 },
		{ PN_STR("%"), 0, 0.01 },
		{ PN_STR("vw"), 8, 0 }, /* a hundredth of a window */
		{ PN_STR("vh"), 6, 0 },
	};
	double number;

	if (!read_number(&s, &number) || number < 0)
		return false;
	for (size_t i = 0; i < PN_COUNT(units); i++) {
		if (!pn_str_eq(s, units[i].unit))
			continue;
		v->relative = units[i].pixels == 0;
		v->number = number * (v->relative ? units[i].part :
						    units[i].pixels);
		return true;
	}
	return false;
}

/* ---- colours ---- */

static const struct {
	struct pn_str name;
	double color;
} colors[] = {
	{ PN_STR("white"), 0xffffff }, { PN_STR("black"), 0x000000 },
	{ PN_STR("red"), 0xff0000 }, { PN_STR("green"), 0x008000 },
	{ PN_STR("lime"), 0x00ff00 }, { PN_STR("blue"), 0x0000ff },
	{ PN_STR("yellow"), 0xffff00 }, { PN_STR("aqua"), 0x00ffff },
	{ PN_STR("cyan"), 0x00ffff }, { PN_STR("fuchsia"), 0xff00ff },
	{ PN_STR("magenta"), 0xff00ff }, { PN_STR("silver"), 0xc0c0c0 },
	{ PN_STR("gray"), 0x808080 }, { PN_STR("grey"), 0x808080 },
	{ PN_STR("maroon"), 0x800000 }, { PN_STR("olive"), 0x808000 },
	{ PN_STR("purple"), 0x800080 }, { PN_STR("teal"), 0x008080 },
	{ PN_STR("navy"), 0x000080 }, { PN_STR("orange"), 0xffa500 },
	{ PN_STR("snow"), 0xfffafa }, { PN_STR("ivory"), 0xfffff0 },
	{ PN_STR("ghostwhite"), 0xf8f8ff }, { PN_STR("whitesmoke"), 0xf5f5f5 },
	{ PN_STR("floralwhite"), 0xfffaf0 }, { PN_STR("mintcream"), 0xf5fffa },
	{ PN_STR("azure"), 0xf0ffff }, { PN_STR("aliceblue"), 0xf0f8ff },
	{ PN_STR("transparent"), CSS_CLEAR },
};

/* "#fff", "#ffffff", either with an alpha behind it. */
static double
read_hex_color(struct pn_str s)
{
	size_t digits = s.n == 6 || s.n == 8 ? 2 : 1; /* of each part */
	uint32_t c = 0, alpha = s.n == 4 * digits ? 0 : 1;

	if (s.n != 3 * digits && s.n != 4 * digits)
		return CSS_NO_COLOR;
	for (size_t i = 0; i < s.n; i++) {
		int d = hex(s.p[i]);

		if (d < 0)
			return CSS_NO_COLOR;
		if (i >= 3 * digits)
			alpha |= (uint32_t)d;
		else
			c = digits == 2 ? c << 4 | (uint32_t)d
					: c << 8 | (uint32_t)d * 0x11;
	}
	return alpha == 0 ? CSS_CLEAR : c;
}

/* "rgb(1, 2, 3)", "rgba(1 2 3 / 0%)": what stands between the brackets. */
static double
read_rgb(struct pn_str s)
{
	double part[4] = { 0, 0, 0, 1 };
	size_t n = 0;

	while (s.n > 0 && n < PN_COUNT(part)) {
		if (html_is_space(s.p[0]) || s.p[0] == ',' || s.p[0] == '/') {
			s = pn_str_sub(s, 1, s.n);
			continue;
		}
		if (!read_number(&s, &part[n]))
			break;
		if (pn_str_starts(s, PN_STR_V("%"))) {
			part[n] *= n < 3 ? 2.55 : 0.01;
			s = pn_str_sub(s, 1, s.n);
		}
		n++;
	}
	if (n < 3)
		return CSS_NO_COLOR;
	if (part[3] < 0.05)
		return CSS_CLEAR;
	for (size_t i = 0; i < 3; i++)
		part[i] = part[i] < 0 ? 0 : part[i] > 255 ? 255 : part[i];
	return (uint32_t)part[0] << 16 | (uint32_t)part[1] << 8 |
	       (uint32_t)part[2];
}

/* In lower case. */
static double
read_color(struct pn_str s)
{
	if (pn_str_starts(s, PN_STR_V("#")))
		return read_hex_color(pn_str_sub(s, 1, s.n));
	if (pn_str_starts(s, PN_STR_V("rgb(")))
		return read_rgb(pn_str_sub(s, 4, s.n));
	if (pn_str_starts(s, PN_STR_V("rgba(")))
		return read_rgb(pn_str_sub(s, 5, s.n));
	for (size_t i = 0; i < PN_COUNT(colors); i++)
		if (pn_str_eq(colors[i].name, s))
			return colors[i].color;
	return CSS_NO_COLOR;
}

double
css_color(struct pn_str s)
{
	char room[VALUE_ROOM];
	struct pn_str low = plain(s, room, sizeof(room));
	double color = read_color(low);

	/* Attributes need no '#'. */
	return color == CSS_NO_COLOR ? read_hex_color(low) : color;
}

/* ---- declarations ---- */

typedef bool read_value(struct pn_str value, struct css_value *);

static bool
read_display(struct pn_str s, struct css_value *v)
{
	v->number = is(s, "none");
	return !is(s, "inherit");
}

static bool
read_visibility(struct pn_str s, struct css_value *v)
{
	v->number = is(s, "hidden") || is(s, "collapse");
	return !is(s, "inherit");
}

static bool
read_opacity(struct pn_str s, struct css_value *v)
{
	double number;

	if (!read_number(&s, &number))
		return false;
	v->number = number < (is(s, "%") ? 5 : 0.05);
	return true;
}

static bool
read_font_size(struct pn_str s, struct css_value *v)
{
	if (s.n > 0 && s.p[0] >= 'a' && s.p[0] <= 'z' && !is(s, "inherit")) {
		v->number = NORMAL; /* small, medium ... can be read */
		v->relative = false;
		return true;
	}
	return read_size(s, v);
}

/* "bold 0/0 a": the size is the first word that begins with a digit. */
static bool
read_font(struct pn_str s, struct css_value *v)
{
	for (struct pn_str w = css_next_word(&s); w.n > 0; w = css_next_word(&s)) {
		const char *slash = memchr(w.p, '/', w.n);
		struct pn_str size =
		    slash ? pn_str_sub(w, 0, (size_t)(slash - w.p)) : w;

		if ((w.p[0] == '.' || (w.p[0] >= '0' && w.p[0] <= '9')) &&
		    w.n > 0 && !is(w, "100") && !is(w, "400") &&
		    !is(w, "700") && read_size(size, v))
			return true;
	}
	return false;
}

static bool
read_color_value(struct pn_str s, struct css_value *v)
{
	v->number = read_color(s);
	return !is(s, "inherit") && !is(s, "currentcolor");
}

/* The colour in it; a picture has none. */
static bool
read_background(struct pn_str s, struct css_value *v)
{
	bool found = false;

	if (s.n > 0 && (memmem(s.p, s.n, "url(", 4) != NULL ||
	    memmem(s.p, s.n, "gradient", 8) != NULL)) {
		v->number = CSS_NO_COLOR;
		return true;
	}
	for (struct pn_str w = css_next_word(&s); w.n > 0; w = css_next_word(&s)) {
		double color = read_color(w);

		if (color == CSS_NO_COLOR && (is(w, "none") ||
		    is(w, "inherit") || is(w, "no-repeat")))
			continue;
		if (!found || color != CSS_NO_COLOR)
			v->number = color;
		found = true;
	}
	return found;
}

static bool
read_extent(struct pn_str s, struct css_value *v)
{
	struct css_value size;

	v->number = read_size(s, &size) && size.number < TINY &&
		    !size.relative;
	return true;
}

static bool
read_overflow(struct pn_str s, struct css_value *v)
{
	v->number = is(s, "hidden") || is(s, "clip");
	return true;
}

static bool
read_mso_hide(struct pn_str s, struct css_value *v)
{
	v->number = is(s, "all") || is(s, "screen");
	return true;
}

static const struct {
	struct pn_str name;
	enum css_property property;
	read_value *read;
} properties[] = {
	{ PN_STR("display"), CSS_DISPLAY, read_display },
	{ PN_STR("visibility"), CSS_VISIBILITY, read_visibility },
	{ PN_STR("opacity"), CSS_OPACITY, read_opacity },
	{ PN_STR("font-size"), CSS_FONT_SIZE, read_font_size },
	{ PN_STR("font"), CSS_FONT_SIZE, read_font },
	{ PN_STR("color"), CSS_COLOR, read_color_value },
	{ PN_STR("background-color"), CSS_BACKGROUND, read_background },
	{ PN_STR("background"), CSS_BACKGROUND, read_background },
	{ PN_STR("background-image"), CSS_BACKGROUND, read_background },
	{ PN_STR("height"), CSS_EXTENT, read_extent },
	{ PN_STR("max-height"), CSS_EXTENT, read_extent },
	{ PN_STR("width"), CSS_EXTENT, read_extent },
	{ PN_STR("max-width"), CSS_EXTENT, read_extent },
	{ PN_STR("overflow"), CSS_OVERFLOW, read_overflow },
	{ PN_STR("mso-hide"), CSS_OUTLOOK, read_mso_hide },
};

/* "none !important": without that word, and whether it was there. */
static bool
drop_important(struct pn_str *value)
{
	const char *mark = value->n > 0 ? memrchr(value->p, '!', value->n) :
					  NULL;

	if (mark == NULL || !is(html_trim(pn_str_sub(*value,
		(size_t)(mark - value->p) + 1, value->n)), "important"))
		return false;
	*value = html_trim(pn_str_sub(*value, 0, (size_t)(mark - value->p)));
	return true;
}

static void
declare(struct css *css, struct pn_str name, struct pn_str value, unsigned rank)
{
	if (drop_important(&value))
		rank += CSS_IMPORTANT;
	for (size_t i = 0; i < PN_COUNT(properties); i++) {
		struct css_value *to = &css->of[properties[i].property];
		struct css_value v = { .rank = (unsigned char)rank };

		if (!pn_str_eq(properties[i].name, name))
			continue;
		/* Height and width in one: what is 0 once stays it. */
		if (rank >= to->rank && properties[i].read(value, &v) &&
		    !(properties[i].property == CSS_EXTENT && to->rank > 0 &&
			to->number != 0))
			*to = v;
		return;
	}
}

void
css_declare(struct css *css, struct pn_str declarations, unsigned rank)
{
	struct pn_str piece;

	while (css_next_piece(&declarations, ';', &piece)) {
		struct pn_str value = piece, name;
		char name_room[NAME_ROOM], value_room[VALUE_ROOM];

		if (!css_next_piece(&value, ':', &name) || value.n == 0)
			continue;
		declare(css, plain(name, name_room, sizeof(name_room)),
		    plain(value, value_room, sizeof(value_room)), rank);
	}
}

/* ---- what it comes to ---- */

void
css_apply(struct css_style *style, const struct css *css)
{
	const struct css_value *of = css->of;

	style->gone |= of[CSS_DISPLAY].number != 0 ||
		       of[CSS_OPACITY].number != 0 ||
		       (of[CSS_EXTENT].number != 0 &&
			   of[CSS_OVERFLOW].number != 0);
	style->outlook |= of[CSS_OUTLOOK].number != 0;
	if (of[CSS_VISIBILITY].rank > 0)
		style->invisible = of[CSS_VISIBILITY].number != 0;
	if (of[CSS_FONT_SIZE].rank > 0)
		style->size = of[CSS_FONT_SIZE].number *
			      (of[CSS_FONT_SIZE].relative ? style->size : 1);
	if (of[CSS_COLOR].rank > 0)
		style->color = of[CSS_COLOR].number;
	if (of[CSS_BACKGROUND].rank > 0 &&
	    of[CSS_BACKGROUND].number != CSS_CLEAR)
		style->background = of[CSS_BACKGROUND].number;
}

static bool
looks_like(double a, double b)
{
	uint32_t x = (uint32_t)a, y = (uint32_t)b;

	for (unsigned shift = 0; shift < 24; shift += 8)
		if (abs((int)(x >> shift & 255) - (int)(y >> shift & 255)) >
		    ALIKE)
			return false;
	return true;
}

bool
css_hides(const struct css_style *s)
{
	return s->gone || s->invisible || s->size < TINY ||
	       s->color == CSS_CLEAR ||
	       (s->color >= 0 && s->background >= 0 &&
		   looks_like(s->color, s->background));
}
