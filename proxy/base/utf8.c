/* utf8 - see utf8.h. */
#include "base/utf8.h"

static bool
tail(struct pn_str s, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		if (i >= s.n || ((unsigned char)s.p[i] & 0xc0) != 0x80)
			return false;
	return true;
}

size_t
utf8_len(struct pn_str s)
{
	unsigned char c = s.n > 0 ? (unsigned char)s.p[0] : 0;
	unsigned char d = s.n > 1 ? (unsigned char)s.p[1] : 0;

	if (s.n == 0)
		return 0;
	if (c < 0x80)
		return 1;
	if (c >= 0xc2 && c <= 0xdf)
		return tail(s, 1, 2) ? 2 : 0;
	if (c >= 0xe0 && c <= 0xef) {
		if ((c == 0xe0 && d < 0xa0) || (c == 0xed && d > 0x9f))
			return 0;
		return tail(s, 1, 3) ? 3 : 0;
	}
	if (c >= 0xf0 && c <= 0xf4) {
		if ((c == 0xf0 && d < 0x90) || (c == 0xf4 && d > 0x8f))
			return 0;
		return tail(s, 1, 4) ? 4 : 0;
	}
	return 0;
}

bool
utf8_valid(struct pn_str s)
{
	while (s.n > 0) {
		size_t n = utf8_len(s);

		if (n == 0)
			return false;
		s = pn_str_sub(s, n, s.n);
	}
	return true;
}

size_t
utf8_put(char out[4], uint32_t c)
{
	if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		c = 0xfffd;
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}
