/* text - see text.h. */
#include "inspect/text.h"

#include "inspect/charset.h"
#include "inspect/clean.h"

static const struct texts none = { .cut = true };

static bool
is_page(const struct pn_part *p)
{
	return pn_str_eq(p->type, PN_STR_V("text/html")) ||
	       pn_str_eq(p->type, PN_STR_V("text/x-amp-html")) ||
	       pn_str_eq(p->type, PN_STR_V("application/xhtml+xml"));
}

/* What is no type is text/plain (RFC 2045 5.2); what a message/... that is no
 * message has in it is shown, reports of delivery for one. */
static bool
is_text(const struct pn_part *p)
{
	const char *slash =
	    p->type.n > 0 ? memchr(p->type.p, '/', p->type.n) : NULL;

	return is_page(p) || slash == NULL || slash == p->type.p ||
	       pn_str_starts(p->type, PN_STR_V("text/")) ||
	       pn_str_starts(p->type, PN_STR_V("message/"));
}

/* An attachment that is all of the message is what the reader sees of it. */
static bool
is_alone(const struct pn_part *p)
{
	return p == p->view->first && p->next == NULL;
}

static bool
is_shown(const struct pn_part *p)
{
	return !p->container && !p->member && is_text(p) &&
	       (!p->attached || is_alone(p));
}

/* ---- bytes ---- */

/* How much of one part may be read now. */
static size_t
room_for(const struct view *v, size_t used)
{
	size_t left = v->limits.max_text_total - used;

	return left < v->limits.max_text ? left : v->limits.max_text;
}

/* At most max decoded bytes. */
static struct pn_str
decoded(struct pn_part *p, size_t max, bool *cut)
{
	size_t room = decode_room(p->encoding, p->bytes);
	struct decoded d;
	char *mem = NULL;

	if (room > max)
		room = max;
	if (p->encoding == ENCODING_NONE) {
		*cut |= p->bytes.n > max;
		return pn_str_sub(p->bytes, 0, max);
	}
	if (p->bytes.n == 0)
		return PN_STR_V("");
	if (view_may_unpack(p->view, room))
		mem = arena_alloc(p->view->arena, room);
	if (mem == NULL) {
		*cut = true;
		return PN_STR_V("");
	}
	d = decode(p->encoding, p->bytes, mem, room);
	*cut |= d.used < p->bytes.n && d.n == max;
	return (struct pn_str){ mem, d.n };
}

/* ---- characters ---- */

/* A byte order mark, which goes; n 0: none. */
static struct pn_str
marked_charset(struct pn_str *s)
{
	static const struct {
		struct pn_str mark, name;
	} marks[] = {
		{ PN_STR("\xef\xbb\xbf"), PN_STR("utf-8") },
		{ PN_STR("\xff\xfe"), PN_STR("utf-16le") },
		{ PN_STR("\xfe\xff"), PN_STR("utf-16be") },
	};

	for (size_t i = 0; i < PN_COUNT(marks); i++)
		if (pn_str_starts(*s, marks[i].mark)) {
			*s = pn_str_sub(*s, marks[i].mark.n, s->n);
			return marks[i].name;
		}
	return PN_STR_V("");
}

/* What a page says of itself was read as ASCII: what is none cannot be. */
static struct pn_str
own_charset(const struct pn_part *p, struct pn_str s)
{
	struct pn_str name = is_page(p) ? html_charset(s) : PN_STR_V("");

	if (pn_str_caseeq(pn_str_sub(name, 0, 4), PN_STR_V("utf-")) ||
	    !charset_is_read(name))
		return PN_STR_V("");
	return name;
}

/* As UTF-8, in the arena if it was not that; .p NULL at its cap. */
static struct pn_str
converted(struct pn_part *p, struct pn_str s, struct pn_str name)
{
	struct view *v = p->view;
	struct buf b = { .max = 3 * s.n + 16 };
	struct pn_str out;

	if (s.n > 0 && charset_is_plain(name, s))
		return s;
	if (!charset_read(name, s, &b))
		v->defects |= PN_DEFECT_CHARSET;
	out = arena_str(v->arena, buf_str(&b));
	buf_fini(&b);
	return out;
}

/* ---- one text ---- */

static bool
read_page(struct texts *all, struct text *t, struct view *v, bool others,
    bool *conditional)
{
	struct buf seen = { .max = 2 * t->source.n + 64 };
	struct buf hidden = { .max = 2 * t->source.n + 64 };
	struct html h = { .text = { .out = &seen },
		.hidden = { .out = &hidden },
		.max_links = v->limits.max_links,
		.others = others,
		.arena = v->arena };
	bool done = html_read(&h, t->source) == 0;

	t->page = true;
	t->text = arena_str(v->arena, buf_str(&seen));
	t->hidden = arena_str(v->arena, buf_str(&hidden));
	t->links = h.links;
	t->n_links = h.n_links;
	t->base = h.base;
	*conditional = h.conditional;
	if (!others)
		all->invisible += h.text.invisible + h.hidden.invisible;
	all->cut |= h.more || seen.full || hidden.full;
	buf_fini(&seen);
	buf_fini(&hidden);
	return done && t->text.p != NULL && t->hidden.p != NULL;
}

static bool
read_lines(struct texts *all, struct text *t, struct pn_str s, struct view *v)
{
	struct buf b = { .max = s.n + 1 };
	struct clean c = { .out = &b };

	clean_lines(&c, s);
	t->text = arena_str(v->arena, buf_str(&b));
	all->invisible += c.invisible;
	buf_fini(&b);
	return t->text.p != NULL;
}

static void
add_text(struct texts *all, bool done)
{
	if (done)
		all->n++;
	else
		all->cut = true;
}

/* Behind a line end: quotes and what is stuffed there (RFC 3676 4.4, 4.5). */
static size_t
line_start(struct pn_str s)
{
	size_t i = 0;

	while (i < s.n && s.p[i] == '>')
		i++;
	return i < s.n && s.p[i] == ' ' ? i + 1 : i;
}

/* The text before it once more, as readers show it that know format=flowed: a
 * line that ends in a blank goes on in the next one. */
static void
add_joined(struct texts *all, struct pn_part *p)
{
	struct pn_str s = all->v[all->n - 1].text;
	struct buf b = { .max = s.n + 1 };
	struct text *t = &all->v[all->n];

	while (s.n > 0) {
		const char *end = memmem(s.p, s.n, " \n", 2);
		size_t n = end == NULL ? s.n : (size_t)(end - s.p);

		(void)buf_add(&b, s.p, n); /* cap: out->full */
		if (end != NULL)
			n += 2;
		s = pn_str_sub(s, n, s.n);
		if (end != NULL)
			s = pn_str_sub(s, line_start(s), s.n);
	}
	*t = (struct text){ .part = p,
		.text = arena_str(p->view->arena, buf_str(&b)) };
	add_text(all, t->text.p != NULL);
	buf_fini(&b);
}

/* A page in which only Outlook reads something is another to everybody else:
 * his words may part theirs. */
static void
read_pages(struct texts *all, struct pn_part *p, struct pn_str source)
{
	const struct text page = { .part = p, .source = source };
	bool conditional, none_here;

	all->v[all->n] = page;
	add_text(all, read_page(all, &all->v[all->n], p->view, false,
			  &conditional));
	if (!conditional)
		return;
	all->v[all->n] = page;
	add_text(all, read_page(all, &all->v[all->n], p->view, true,
			  &none_here));
}

static void
read_one(struct texts *all, struct pn_part *p, struct pn_str bytes,
    struct pn_str charset)
{
	struct pn_str s = converted(p, bytes, charset);

	if (s.p == NULL) {
		all->cut = true;
	} else if (is_page(p)) {
		read_pages(all, p, s);
	} else {
		all->v[all->n] = (struct text){ .part = p };
		add_text(all, read_lines(all, &all->v[all->n], s, p->view));
		if (p->joins_lines && all->n > 0)
			add_joined(all, p);
	}
}

/*
 * Readers differ in what they make of charsets in which ASCII means something
 * else: some do not know them, some have no byte order mark win, and of UTF-16
 * without one some read the other end first. Each reading is a text.
 */
static void
read_in(struct texts *all, struct pn_part *p, struct pn_str s,
    struct pn_str declared)
{
	struct pn_str rest = s, mark = marked_charset(&rest);
	struct pn_str name = declared.n > 0 ? declared : own_charset(p, s);
	enum charset_kind kind = charset_kind(name);
	bool utf8 = mark.n == 0 || pn_str_eq(mark, PN_STR_V("utf-8"));

	if (mark.n > 0)
		read_one(all, p, rest, mark);
	else
		read_one(all, p, s,
		    kind == CHARSET_EITHER_END ? PN_STR_V("utf-16be") : name);
	if (mark.n == 0 && kind == CHARSET_EITHER_END)
		read_one(all, p, s, PN_STR_V("utf-16le"));
	if (!utf8 && kind == CHARSET_ASCII)
		read_one(all, p, s, name);
	else if (kind != CHARSET_ASCII && charset_may_be_ascii(s))
		read_one(all, p, s, PN_STR_V(""));
}
/* Of one part in one charset, at most: two of a page, or of joined lines. */
#define READINGS 6

static void
read_part(struct texts *all, struct pn_part *p, size_t *used)
{
	struct pn_str s = decoded(p, room_for(p->view, *used), &all->cut);

	*used += s.n;
	for (size_t i = 0; i < p->n_charsets; i++)
		read_in(all, p, s, p->charsets[i]);
	if (p->n_charsets == 0)
		read_in(all, p, s, PN_STR_V(""));
}

const struct texts *
view_texts(struct view *v)
{
	size_t n = 0, used = 0;

	if (v->texts != NULL)
		return v->texts;
	for (const struct pn_part *p = v->first; p != NULL; p = p->next)
		n += is_shown(p) ? READINGS * (1 + p->n_charsets) : 0;
	v->texts = arena_alloc(v->arena, sizeof(*v->texts));
	if (v->texts == NULL ||
	    (v->texts->v = arena_alloc(v->arena, n * sizeof(struct text))) ==
		NULL) {
		v->defects |= PN_DEFECT_LIMIT;
		return &none;
	}
	for (struct pn_part *p = v->first; p != NULL; p = p->next)
		if (is_shown(p))
			read_part(v->texts, p, &used);
	if (v->texts->cut)
		v->defects |= PN_DEFECT_LIMIT;
	return v->texts;
}

static const struct text *
page_of(const struct texts *all, size_t nth)
{
	for (size_t i = 0; i < all->n; i++)
		if (all->v[i].page && nth-- == 0)
			return &all->v[i];
	return NULL;
}

struct pn_str
texts_seen(const struct texts *all, unsigned nth)
{
	return nth < all->n ? all->v[nth].text : (struct pn_str){ NULL, 0 };
}

struct pn_str
texts_source(const struct texts *all, unsigned nth)
{
	const struct text *t = page_of(all, nth);

	return t != NULL ? t->source : (struct pn_str){ NULL, 0 };
}

struct pn_str
texts_hidden(const struct texts *all, unsigned nth)
{
	const struct text *t = page_of(all, nth);

	return t != NULL ? t->hidden : (struct pn_str){ NULL, 0 };
}
