/* xtext - see xtext.h. */
#include "smtp/xtext.h"

void
xtext_put(struct buf *b, struct pn_str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c > ' ' && c < 127 && c != '+' && c != '=')
			(void)buf_add(b, &c, 1); /* uncapped */
		else
			(void)buf_printf(b, "+%02X", c);
	}
}

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f') /* RFC 3461 says upper case only */
		return c - 'a' + 10;
	return -1;
}

bool
xtext_get(struct pn_str s, struct arena *a, struct pn_str *out)
{
	char *to = arena_alloc(a, s.n + 1);
	size_t n = 0;

	for (size_t i = 0; to != NULL && i < s.n; i++) {
		if (s.p[i] != '+') {
			to[n++] = s.p[i];
			continue;
		}
		if (i + 2 >= s.n || hex(s.p[i + 1]) < 0 || hex(s.p[i + 2]) < 0)
			return false;
		to[n++] = (char)(hex(s.p[i + 1]) << 4 | hex(s.p[i + 2]));
		i += 2;
	}
	*out = (struct pn_str){ to, n };
	return to != NULL;
}
