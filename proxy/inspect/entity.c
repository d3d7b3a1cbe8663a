/* entity - see entity.h; the names are in entity_names.c. */
#include "inspect/entity.h"

#include "base/utf8.h"

#define NAME_MAX_LEN 31 /* of the longest */
#define BARE_MAX_LEN 6

/* What numbers 128 to 159 mean: windows-1252. 0: as it is. */
static const uint16_t c1[32] = { 0x20ac, 0, 0x201a, 0x192, 0x201e, 0x2026,
	0x2020, 0x2021, 0x2c6, 0x2030, 0x160, 0x2039, 0x152, 0, 0x17d, 0, 0,
	0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x2dc, 0x2122,
	0x161, 0x203a, 0x153, 0, 0x17e, 0x178 };

static bool
is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z');
}

static int
digit_of(char c, unsigned base)
{
	int d = c >= '0' && c <= '9'		     ? c - '0'
		: (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
						     : 99;

	return d < (int)base ? d : -1;
}

/* "&#" and digits; the ';' may be missing. */
static size_t
read_number(struct pn_str s, char room[4], struct pn_str *text)
{
	bool hex = s.n > 2 && (s.p[2] | 32) == 'x';
	size_t i = hex ? 3 : 2, first = i;
	uint32_t c = 0;
	int d;

	for (; i < s.n && (d = digit_of(s.p[i], hex ? 16 : 10)) >= 0; i++)
		if (c < 0x110000)
			c = c * (hex ? 16 : 10) + (uint32_t)d;
	if (i == first)
		return 0;
	if (c >= 0x80 && c < 0xa0 && c1[c - 0x80] != 0)
		c = c1[c - 0x80];
	if (c == 0 || c >= 0x110000)
		c = 0xfffd;
	*text = (struct pn_str){ room, utf8_put(room, c) };
	return i < s.n && s.p[i] == ';' ? i + 1 : i;
}

static const struct entity_name *
find(struct pn_str name)
{
	size_t low = 0, high = entity_n_names;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const char *other = entity_names[mid].name;
		int c = strncmp(name.p, other, name.n);

		if (c == 0 && other[name.n] == '\0')
			return &entity_names[mid];
		if (c > 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/* The longest name that is read without ';' at the start of s. */
static const struct entity_name *
find_bare(struct pn_str s, size_t *n)
{
	for (*n = s.n < BARE_MAX_LEN ? s.n : BARE_MAX_LEN; *n >= 2; --*n) {
		const struct entity_name *e = find(pn_str_sub(s, 0, *n));

		if (e != NULL && e->bare)
			return e;
	}
	return NULL;
}

size_t
entity_read(struct pn_str s, bool in_attribute, char room[4],
    struct pn_str *text)
{
	struct pn_str name = pn_str_sub(s, 1, s.n);
	const struct entity_name *e = NULL;
	size_t n = 0;

	if (name.n > 0 && name.p[0] == '#')
		return read_number(s, room, text);
	while (n < name.n && n <= NAME_MAX_LEN && is_alnum(name.p[n]))
		n++;
	name.n = n;
	if (n + 1 < s.n && s.p[n + 1] == ';' &&
	    (e = find(name)) != NULL) {
		*text = pn_str_of(e->text);
		return n + 2;
	}
	e = find_bare(name, &n);
	if (e == NULL || (in_attribute && n + 1 < s.n &&
	    (s.p[n + 1] == '=' || is_alnum(s.p[n + 1]))))
		return 0;
	*text = pn_str_of(e->text);
	return n + 1;
}

void
entity_decode(struct pn_str s, bool in_attribute, struct buf *out)
{
	while (s.n > 0) {
		const char *amp = memchr(s.p, '&', s.n);
		size_t n = amp == NULL ? s.n : (size_t)(amp - s.p);
		struct pn_str text = PN_STR("&");
		char room[4];

		(void)buf_add(out, s.p, n); /* cap: out->full */
		s = pn_str_sub(s, n, s.n);
		if (s.n == 0)
			break;
		n = entity_read(s, in_attribute, room, &text);
		(void)buf_add_str(out, text); /* cap: out->full */
		s = pn_str_sub(s, n > 0 ? n : 1, s.n);
	}
}
