/* clean - see clean.h. */
#include "inspect/clean.h"

#include "base/utf8.h"

enum looks { LOOKS_LETTER, LOOKS_NOTHING, LOOKS_BLANK, LOOKS_LINE_END };

/* Ranges of what is no letter, in order; Unicode 15, Default_Ignorable and Zs,
 * and the controls. */
static const struct {
	uint32_t first, last;
	enum looks looks;
} odd[] = {
	{ 0x80, 0x84, LOOKS_NOTHING },
	{ 0x85, 0x85, LOOKS_LINE_END },
	{ 0x86, 0x9f, LOOKS_NOTHING },
	{ 0xa0, 0xa0, LOOKS_BLANK },
	{ 0xad, 0xad, LOOKS_NOTHING },
	{ 0x34f, 0x34f, LOOKS_NOTHING },
	{ 0x61c, 0x61c, LOOKS_NOTHING },
	{ 0x115f, 0x1160, LOOKS_NOTHING },
	{ 0x1680, 0x1680, LOOKS_BLANK },
	{ 0x17b4, 0x17b5, LOOKS_NOTHING },
	{ 0x180b, 0x180f, LOOKS_NOTHING },
	{ 0x2000, 0x200a, LOOKS_BLANK },
	{ 0x200b, 0x200f, LOOKS_NOTHING },
	{ 0x2028, 0x2029, LOOKS_LINE_END },
	{ 0x202a, 0x202e, LOOKS_NOTHING },
	{ 0x202f, 0x202f, LOOKS_BLANK },
	{ 0x205f, 0x205f, LOOKS_BLANK },
	{ 0x2060, 0x206f, LOOKS_NOTHING },
	{ 0x2800, 0x2800, LOOKS_BLANK },
	{ 0x3000, 0x3000, LOOKS_BLANK },
	{ 0x3164, 0x3164, LOOKS_BLANK },
	{ 0xfe00, 0xfe0f, LOOKS_NOTHING },
	{ 0xfeff, 0xfeff, LOOKS_NOTHING },
	{ 0xffa0, 0xffa0, LOOKS_BLANK },
	{ 0xfff0, 0xfffb, LOOKS_NOTHING },
	{ 0x1bca0, 0x1bca3, LOOKS_NOTHING },
	{ 0x1d173, 0x1d17a, LOOKS_NOTHING },
	{ 0xe0000, 0xe0fff, LOOKS_NOTHING },
};

/* Of a valid sequence of n bytes. */
static uint32_t
code_point(const char *p, size_t n)
{
	static const unsigned char mask[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	uint32_t c = (unsigned char)p[0] & mask[n];

	for (size_t i = 1; i < n; i++)
		c = c << 6 | ((unsigned char)p[i] & 0x3f);
	return c;
}

static enum looks
looks_wide(uint32_t c)
{
	size_t low = 0, high = PN_COUNT(odd);

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (c > odd[mid].last)
			low = mid + 1;
		else if (c < odd[mid].first)
			high = mid;
		else
			return odd[mid].looks;
	}
	return LOOKS_LETTER;
}

/* The character at the start of s, which is not empty, and its bytes. */
static enum looks
look(struct pn_str s, size_t *n)
{
	unsigned char c = (unsigned char)s.p[0];

	*n = 1;
	if (c > ' ' && c < 127)
		return LOOKS_LETTER;
	if (c == '\n' || c == '\r' || c == '\f' || c == '\v')
		return LOOKS_LINE_END;
	if (c == ' ' || c == '\t')
		return LOOKS_BLANK;
	if (c < 128)
		return LOOKS_NOTHING;
	*n = utf8_len(s);
	if (*n == 0) {
		*n = 1;
		return LOOKS_NOTHING;
	}
	return looks_wide(code_point(s.p, *n));
}

/* Bytes that stay as they are: words of plain ASCII and single blanks between
 * them. Quick, for most text is that. */
static size_t
words(struct pn_str s)
{
	size_t i = 0;

	while (i < s.n && s.p[i] < 127 && (s.p[i] > ' ' ||
	    (s.p[i] == ' ' && i > 0 && s.p[i - 1] != ' ')))
		i++;
	while (i > 0 && s.p[i - 1] == ' ')
		i--;
	return i;
}

/* Bytes of plain ASCII, blanks and line feeds included. */
static size_t
lines(struct pn_str s)
{
	size_t i = 0;

	while (i < s.n && s.p[i] < 127 && (s.p[i] >= ' ' || s.p[i] == '\n'))
		i++;
	return i;
}

void
clean_break(struct clean *c, char how)
{
	if (c->pending != '\n')
		c->pending = how;
}

static void
put_letters(struct clean *c, struct pn_str s)
{
	if (c->pending != 0 && buf_len(c->out) > 0)
		(void)buf_add(c->out, &c->pending, 1); /* cap: out->full */
	c->pending = 0;
	(void)buf_add_str(c->out, s); /* cap: out->full */
}

void
clean_words(struct clean *c, struct pn_str s, bool pre)
{
	while (s.n > 0) {
		size_t n = words(s);

		if (n > 0) {
			put_letters(c, pn_str_sub(s, 0, n));
			s = pn_str_sub(s, n, s.n);
			continue;
		}
		switch (look(s, &n)) {
		case LOOKS_LETTER:
			put_letters(c, pn_str_sub(s, 0, n));
			break;
		case LOOKS_NOTHING:
			c->invisible++;
			break;
		case LOOKS_BLANK:
			clean_break(c, ' ');
			break;
		case LOOKS_LINE_END:
			clean_break(c, pre ? '\n' : ' ');
			break;
		}
		s = pn_str_sub(s, n, s.n);
	}
}

void
clean_lines(struct clean *c, struct pn_str s)
{
	while (s.n > 0) {
		size_t n = lines(s);

		if (n > 0) {
			(void)buf_add(c->out, s.p, n); /* cap: out->full */
			s = pn_str_sub(s, n, s.n);
			continue;
		}
		switch (look(s, &n)) {
		case LOOKS_LETTER:
			(void)buf_add(c->out, s.p, n); /* cap: out->full */
			break;
		case LOOKS_NOTHING:
			c->invisible++;
			break;
		case LOOKS_BLANK:
			(void)buf_add(c->out, " ", 1); /* cap: out->full */
			break;
		case LOOKS_LINE_END:
			if (pn_str_starts(s, PN_STR_V("\r\n")))
				n = 2;
			(void)buf_add(c->out, "\n", 1); /* cap: out->full */
			break;
		}
		s = pn_str_sub(s, n, s.n);
	}
}
