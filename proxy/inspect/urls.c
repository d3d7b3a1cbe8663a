/* urls - see urls.h. */
#include "inspect/urls.h"

#include "base/utf8.h"

#define TRIES 5000     /* targets taken apart, of one message */
#define RECENT 256
#define TARGET_MAX 8192 /* bytes of an address; a longer one is cut */

static const struct urls none = { .cut = true };

/* ---- addresses in text ---- */

static bool
is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || (c & 0x80) != 0;
}

/* The word in front of "://" at s[at], if it is one we look for: its bytes. */
static size_t
scheme_before(struct pn_str s, size_t at)
{
	static const struct pn_str schemes[] = { PN_STR("https"),
		PN_STR("http"), PN_STR("ftp") };

	for (size_t i = 0; i < PN_COUNT(schemes); i++) {
		size_t n = schemes[i].n;

		if (at >= n && pn_str_caseeq(pn_str_sub(s, at - n, n),
			schemes[i]))
			return n;
	}
	return 0;
}

/* Does an address begin at s[at], a ':' or a 'w' of "www."? *from: where. With
 * "//" it may stand behind anything. */
static bool
begins_at(struct pn_str s, size_t at, size_t *from)
{
	struct pn_str rest = pn_str_sub(s, at, s.n);
	size_t n;

	if (s.p[at] == ':') {
		if (rest.n > 3 && strchr("/\\", rest.p[1]) != NULL &&
		    strchr("/\\", rest.p[2]) != NULL && rest.p[1] != '\0' &&
		    rest.p[2] != '\0' && (n = scheme_before(s, at)) > 0) {
			*from = at - n;
			return true;
		}
		if (at < 6 || !pn_str_caseeq(pn_str_sub(s, at - 6, 6),
				  PN_STR_V("mailto")))
			return false;
		*from = at - 6;
	} else {
		if (!pn_str_caseeq(pn_str_sub(rest, 0, 4), PN_STR_V("www.")) ||
		    rest.n < 5 || !is_word(rest.p[4]))
			return false;
		*from = at;
	}
	return *from == 0 || (!is_word(s.p[*from - 1]) &&
		strchr("@./-_", s.p[*from - 1]) == NULL) ||
	    s.p[*from - 1] == '\0';
}

/* Quotes, dashes, blanks and brackets beyond ASCII: General Punctuation, CJK
 * and full-width ones; not the full stops that hosts may have. */
static bool
stops_wide(struct pn_str s)
{
	unsigned char a = (unsigned char)s.p[0];
	unsigned char b = s.n > 1 ? (unsigned char)s.p[1] : 0;
	unsigned char c = s.n > 2 ? (unsigned char)s.p[2] : 0;

	if (a == 0xc2)
		return b == 0xa0 || b == 0xab || b == 0xbb;
	if (a == 0xe2) /* but for what looks like a slash */
		return b == 0x80 || (b == 0x81 && c != 0x84);
	if (a == 0xe3)
		return b == 0x80 && c != 0x82;
	return a == 0xef && b == 0xbc && c != 0x8e && c != 0x8f &&
	       c != 0x9a && c < 0x90;
}

/* Bytes that can be an address's. */
static size_t
extent(struct pn_str s)
{
	size_t i = 0;

	while (i < s.n && i < TARGET_MAX && (unsigned char)s.p[i] > ' ' &&
	    strchr("<>\"`\x7f", s.p[i]) == NULL &&
	    !((s.p[i] & 0x80) != 0 && stops_wide(pn_str_sub(s, i, s.n))))
		i++;
	return i;
}

static size_t
count(struct pn_str s, char c)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] == c;
	return n;
}

/* Without the punctuation of the sentence around it. */
static struct pn_str
without_end(struct pn_str s)
{
	static const char closing[] = ")]}", opening[] = "([{";
	static const struct pn_str full_stop = PN_STR("\xe3\x80\x82");

	while (s.n > 0) {
		char last = s.p[s.n - 1];
		const char *at = strchr(closing, last);

		if (pn_str_ends(s, full_stop)) {
			s.n -= full_stop.n;
			continue;
		}
		if (last != '\0' && at != NULL) {
			if (count(s, opening[at - closing]) >= count(s, last))
				return s;
		} else if (strchr(".,;:!?'*|~", last) == NULL ||
		    last == '\0') {
			return s;
		}
		s.n--;
	}
	return s;
}

struct pn_str
urls_find(struct pn_str s, size_t *at)
{
	for (size_t i = *at; i < s.n; i++) {
		struct pn_str found;
		size_t from;

		if ((s.p[i] != ':' && (s.p[i] | 32) != 'w') ||
		    !begins_at(s, i, &from) || from < *at)
			continue;
		found = pn_str_sub(s, from, s.n);
		found.n = extent(found);
		found = without_end(found);
		if (from + found.n <= i + 3)
			continue; /* "http://" and nothing */
		*at = from + found.n;
		return found;
	}
	*at = s.n;
	return PN_STR_V("");
}

/* ---- collecting ---- */

struct collecting {
	struct view *view;
	struct urls *urls;
	unsigned tries;
	struct pn_part *part;
	struct pn_url *recent[RECENT]; /* by the hash of their targets, those
					  of one text and one base */
};

static uint32_t
hash_of(struct pn_str s)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (unsigned char)s.p[i]) * 16777619u;
	return h;
}

static bool
is_there(const struct urls *urls, const struct pn_url *u)
{
	for (const struct pn_url *o = urls->first; o != NULL; o = o->next)
		if (o->hash == u->hash && o->kind == u->kind &&
		    o->part == u->part && pn_str_eq(o->text, u->text) &&
		    pn_str_eq(o->url.whole, u->url.whole))
			return true;
	return false;
}

/* A file's name: there are such domains, but who clicks on "a.zip" means it. */
static bool
is_file_name(struct pn_str s)
{
	static const struct pn_str endings[] = { PN_STR(".zip"),
		PN_STR(".mov"), PN_STR(".md"), PN_STR(".py"), PN_STR(".sh"),
		PN_STR(".rs"), PN_STR(".so"), PN_STR(".ps") };

	for (size_t i = 0; i < PN_COUNT(endings); i++)
		if (s.n > endings[i].n && pn_str_caseeq(pn_str_sub(s,
			s.n - endings[i].n, s.n), endings[i]))
			return true;
	return false;
}

/* "www.bank.com", "https://bank.com/x", "Go to http://bank.com": the address
 * in what is clicked on. Without a scheme it must be all there is. */
static bool
find_shown(struct pn_str text, struct url *shown, struct arena *a)
{
	size_t at = 0;
	struct pn_str s = urls_find(text, &at);

	if (s.n == 0) {
		s = without_end(text);
		if (extent(s) < s.n || is_file_name(s) ||
		    !url_looks_like_host(s, a) ||
		    memchr(s.p, '@', s.n) != NULL)
			return false;
	}
	return url_parse(shown, s, NULL, a) && url_is_public(shown, a);
}

static bool
misleads(const struct pn_url *u, struct arena *a)
{
	struct url shown;

	return u->kind == HTML_LINK && u->url.host.n > 0 && u->text.n > 0 &&
	       find_shown(u->text, &shown, a) &&
	       !pn_str_eq(shown.domain, u->url.domain);
}

/* Pages lead to one place again and again: it is taken apart once. */
static bool
parse_target(struct collecting *c, struct pn_url *u, const struct url *base)
{
	struct pn_url **seen = &c->recent[hash_of(u->target) % RECENT];

	if (*seen != NULL && pn_str_eq((*seen)->target, u->target)) {
		u->url = (*seen)->url;
		return true;
	}
	if (!url_parse(&u->url, u->target, base, c->view->arena))
		return false;
	*seen = u;
	return true;
}

static void
add(struct collecting *c, unsigned kind, struct pn_str target,
    struct pn_str text, const struct url *base)
{
	struct urls *all = c->urls;
	struct arena *a = c->view->arena;
	struct pn_url *u = c->tries++ < TRIES && !all->cut ?
				   arena_alloc(a, sizeof(*u)) : NULL;

	if (u == NULL) {
		all->cut = true;
		return;
	}
	*u = (struct pn_url){ .part = c->part, .kind = kind,
		.target = pn_str_sub(target, 0, TARGET_MAX), .text = text };
	if (!parse_target(c, u, base))
		return;
	u->hash = hash_of(u->url.whole);
	if (is_there(all, u))
		return;
	if (all->n == c->view->limits.max_urls) {
		all->cut = true;
		return;
	}
	u->mismatch = misleads(u, a);
	u->number = all->n++;
	if (all->last != NULL)
		all->last->next = u;
	else
		all->first = u;
	all->last = u;
}

static void
add_links(struct collecting *c, const struct text *t)
{
	struct url base;
	bool based = t->base.n > 0 &&
		     url_parse(&base, t->base, NULL, c->view->arena);

	for (size_t i = 0; i < t->n_links; i++) {
		const struct html_link *l = &t->links[i];

		add(c, l->kind, l->target,
		    pn_str_trim(pn_str_sub(t->text, l->from, l->to - l->from)),
		    based ? &base : NULL);
	}
}

/* The end of the link that text[at] is in, or 0. *next: where to look. */
static size_t
link_around(const struct text *t, size_t at, size_t *next)
{
	while (*next < t->n_links && t->links[*next].to <= at)
		++*next;
	for (size_t i = *next; i < t->n_links && t->links[i].from <= at; i++)
		if (t->links[i].kind == HTML_LINK && t->links[i].to > at)
			return t->links[i].to;
	return 0;
}

static void
add_found(struct collecting *c, const struct text *t)
{
	size_t at = 0, next = 0;
	struct pn_str s;

	while (!c->urls->cut && (s = urls_find(t->text, &at)).n > 0)
		if (link_around(t, (size_t)(s.p - t->text.p), &next) == 0)
			add(c, URL_TEXT, s, PN_STR_V(""), NULL);
}

const struct urls *
view_urls(struct view *v)
{
	const struct texts *texts = view_texts(v);
	struct collecting c = { .view = v };

	if (v->urls != NULL)
		return v->urls;
	if ((c.urls = arena_alloc(v->arena, sizeof(*c.urls))) == NULL)
		return &none;
	v->urls = c.urls;
	for (size_t i = 0; i < texts->n; i++) {
		c.part = texts->v[i].part;
		memset(c.recent, 0, sizeof(c.recent));
		add_links(&c, &texts->v[i]);
		memset(c.recent, 0, sizeof(c.recent));
		add_found(&c, &texts->v[i]);
	}
	c.urls->cut |= texts->cut;
	if (c.urls->cut)
		v->defects |= PN_DEFECT_LIMIT;
	return c.urls;
}
