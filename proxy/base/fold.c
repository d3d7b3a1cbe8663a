/* fold - see fold.h. The letters themselves: fold_table.h. */
#include "base/fold.h"

#include "base/fold_table.h"
#include "base/utf8.h"

struct range {
	uint32_t first, last;
};

/* Marks on letters, what joins or directs, variation selectors, tags. */
static const struct range unseen[] = { { 0x00ad, 0x00ad }, { 0x0300, 0x036f },
	{ 0x0483, 0x0489 }, { 0x061c, 0x061c }, { 0x180b, 0x180f },
	{ 0x1ab0, 0x1aff }, { 0x1dc0, 0x1dff }, { 0x200b, 0x200f },
	{ 0x202a, 0x202e }, { 0x2060, 0x206f }, { 0x20d0, 0x20ff },
	{ 0xfe00, 0xfe0f }, { 0xfe20, 0xfe2f }, { 0xfeff, 0xfeff },
	{ 0xe0000, 0xe01ef } };

/* ' ` and what looks like them: O'Brien is OBrien. */
static const struct range apostrophes[] = { { 0x27, 0x27 }, { 0x60, 0x60 },
	{ 0xb4, 0xb4 }, { 0x02b9, 0x02bc }, { 0x2018, 0x201b },
	{ 0x2032, 0x2032 }, { 0x2035, 0x2035 } };

/* Blanks and punctuation beyond ASCII, symbols and pictures. */
static const struct range gaps[] = { { 0x80, 0xa1 }, { 0xa3, 0xa9 },
	{ 0xab, 0xac }, { 0xae, 0xb1 }, { 0xb6, 0xb8 }, { 0xbb, 0xbb },
	{ 0xbf, 0xbf }, { 0x034f, 0x034f }, { 0x055a, 0x055f },
	{ 0x0589, 0x058a }, { 0x060c, 0x060c }, { 0x115f, 0x1160 },
	{ 0x1680, 0x1680 }, { 0x2000, 0x206f }, { 0x2190, 0x245f },
	{ 0x2500, 0x2bff }, { 0x2e00, 0x2e7f }, { 0x3000, 0x3004 },
	{ 0x3008, 0x3020 }, { 0x3030, 0x3030 }, { 0x3164, 0x3164 },
	{ 0xfe10, 0xfe19 }, { 0xfe30, 0xfe6f }, { 0xffa0, 0xffa0 },
	{ 0xfffd, 0xfffd }, { 0x1f000, 0x1f12f }, { 0x1f18a, 0x1faff } };

/* Punctuation that means what an ASCII one does. */
static const struct {
	uint32_t from;
	char to;
} punctuation[] = { { 0x060c, ',' }, { 0x2010, '-' }, { 0x2011, '-' },
	{ 0x2024, '.' }, { 0x201a, ',' }, { 0x3001, ',' }, { 0x3002, '.' },
	{ 0xfe50, ',' }, { 0xfe52, '.' }, { 0xfe59, '(' }, { 0xfe5a, ')' },
	{ 0xfe6b, '@' } };

static bool
is_in(uint32_t c, const struct range *ranges, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (c >= ranges[i].first && c <= ranges[i].last)
			return true;
	return false;
}

/* The valid sequence of n bytes at p. */
static uint32_t
decode(const char *p, size_t n)
{
	static const unsigned char lead[5] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	uint32_t c = (unsigned char)p[0] & lead[n];

	for (size_t i = 1; i < n; i++)
		c = c << 6 | ((unsigned char)p[i] & 0x3f);
	return c;
}

/* Full-width and mathematical forms, which stand in the order of ASCII. */
static uint32_t
to_plain(uint32_t c)
{
	if (c >= 0xff01 && c <= 0xff5e)
		return c - 0xfee0;
	if (c >= 0x1d7ce && c <= 0x1d7ff)
		return '0' + (c - 0x1d7ce) % 10;
	if (c >= 0x1d400 && c <= 0x1d6a3) {
		c = (c - 0x1d400) % 52;
		return c < 26 ? 'A' + c : 'a' + c - 26;
	}
	return c;
}

/* Of alphabets whose capitals look like other letters than their small ones. */
static uint32_t
to_small(uint32_t c)
{
	if ((c >= 'A' && c <= 'Z') || (c >= 0x0391 && c <= 0x03a9) ||
	    (c >= 0x0410 && c <= 0x042f))
		return c + 32;
	if (c >= 0x0400 && c <= 0x040f)
		return c + 80;
	if (c >= 0x0531 && c <= 0x0556)
		return c + 48;
	if (c == 0x0386)
		return 0x03ac;
	if (c >= 0x0388 && c <= 0x038a)
		return c + 37;
	if (c == 0x038c)
		return 0x03cc;
	if (c == 0x038e || c == 0x038f)
		return c + 63;
	if (c == 0x04c0)
		return 0x04cf;
	if ((c >= 0x0460 && c <= 0x0481) || (c >= 0x048a && c <= 0x04bf) ||
	    (c >= 0x04d0 && c <= 0x052f))
		return c | 1;
	return c;
}

/* The letter it stands for; 0: itself. */
static char
find_letter(uint32_t c)
{
	size_t low = 0, high = PN_COUNT(fold_runs);

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (fold_runs[middle].first <= c)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return 0;
	c -= fold_runs[low - 1].first;
	if (c >= strlen(fold_runs[low - 1].letters) ||
	    fold_runs[low - 1].letters[c] == '.')
		return 0;
	return fold_runs[low - 1].letters[c];
}

static struct folded
text_of(enum fold_kind kind, const char *p, size_t n)
{
	struct folded f = { .kind = kind, .n = n };

	memcpy(f.p, p, n);
	return f;
}

static struct folded
fold_ascii(char c, enum fold_way way)
{
	bool looks_l = c == 'I' || c == '1' || c == '|';

	if (way == FOLD_LOOK && looks_l)
		c = 'l';
	if (way == FOLD_LOOK && c == '0')
		c = 'o';
	if (c >= 'A' && c <= 'Z')
		c = (char)(c | 32);
	if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
		return text_of(FOLD_LETTER, &c, 1);
	if (c <= ' ' || c == 127)
		c = ' ';
	return text_of(FOLD_GAP, &c, 1);
}

static struct folded
fold_other(uint32_t c, enum fold_way way)
{
	struct folded f = { .kind = FOLD_LETTER };
	char letter;

	if (way == FOLD_READ)
		c = to_small(c);
	letter = find_letter(c);
	if (letter == 0)
		letter = find_letter(c = to_small(c));
	if (letter != 0)
		return fold_ascii(letter, way);
	for (size_t i = 0; i < PN_COUNT(fold_several); i++)
		if (fold_several[i].from == c) {
			const char *letters = fold_several[i].letters;

			for (f.n = 0; letters[f.n] != '\0'; f.n++)
				f.p[f.n] = fold_ascii(letters[f.n], way).p[0];
			return f;
		}
	f.n = utf8_put(f.p, c);
	return f;
}

struct folded
fold_next(struct pn_str s, enum fold_way way, size_t *bytes)
{
	size_t n = utf8_len(s);
	uint32_t c;

	*bytes = n > 0 ? n : 1;
	if (n == 0)
		return (struct folded){ .kind = FOLD_NOTHING };
	c = to_plain(decode(s.p, n));
	if (is_in(c, unseen, PN_COUNT(unseen)) ||
	    is_in(c, apostrophes, PN_COUNT(apostrophes)))
		return (struct folded){ .kind = FOLD_NOTHING };
	for (size_t i = 0; i < PN_COUNT(punctuation); i++)
		if (punctuation[i].from == c)
			return text_of(FOLD_GAP, &punctuation[i].to, 1);
	if (c < 0x80)
		return fold_ascii((char)c, way);
	if (is_in(c, gaps, PN_COUNT(gaps)))
		return text_of(FOLD_GAP, " ", 1);
	return fold_other(c, way);
}
