/* show - text of the network for a terminal; see cli.h. */
#include <string.h>
#include <time.h>

#include "base/utf8.h"
#include "cli/cli.h"

/* The code point of a valid sequence of n bytes. */
static uint32_t
code_point(const char *p, size_t n)
{
	uint32_t c = (unsigned char)p[0];

	if (n > 1)
		c &= 0xffu >> (n + 1);
	for (size_t i = 1; i < n; i++)
		c = c << 6 | ((unsigned char)p[i] & 0x3f);
	return c;
}

/* Would it move the cursor, or turn what stands beside it? C0, C1, the line
 * and paragraph separators, and Unicode's bidirectional controls. */
static bool
is_unsafe(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x061c ||
	    (c >= 0x200e && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	    (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

void
show_text(FILE *f, struct pn_str s)
{
	while (s.n > 0) {
		size_t n = utf8_len(s);

		if (n > 0 && !is_unsafe(code_point(s.p, n))) {
			(void)fwrite(s.p, 1, n, f);
		} else {
			n = n > 0 ? n : 1;
			for (size_t i = 0; i < n; i++)
				(void)fprintf(f, "\\x%02X",
				    (unsigned char)s.p[i]);
		}
		s = pn_str_sub(s, n, s.n);
	}
}

void
show_lines(FILE *f, struct pn_str s)
{
	while (s.n > 0) {
		const char *nl = memchr(s.p, '\n', s.n);
		size_t n = nl ? (size_t)(nl - s.p) : s.n;
		const char *tab;

		/* A tab moves the cursor no further than it says. */
		while ((tab = memchr(s.p, '\t', n)) != NULL) {
			size_t before = (size_t)(tab - s.p);

			show_text(f, pn_str_sub(s, 0, before));
			(void)fputc('\t', f);
			s = pn_str_sub(s, before + 1, s.n);
			n -= before + 1;
		}
		show_text(f, pn_str_sub(s, 0, n));
		(void)fputc('\n', f);
		s = pn_str_sub(s, n + (nl != NULL), s.n);
	}
}

struct pn_str
member(const json_t *object, const char *key)
{
	const json_t *v = json_object_get(object, key);

	return (struct pn_str){ json_string_value(v), json_string_length(v) };
}

bool
member_is(const json_t *object, const char *key, const char *want)
{
	return pn_str_eq(member(object, key), pn_str_of(want));
}

void
show_value(FILE *f, const json_t *v)
{
	if (json_is_string(v))
		show_text(f, (struct pn_str){ json_string_value(v),
		    json_string_length(v) });
	else if (v != NULL)
		(void)json_dumpf(v, f, JSON_ENCODE_ANY | JSON_COMPACT);
}

void
show_time(FILE *f, const json_t *us)
{
	time_t t = (time_t)(json_integer_value(us) / 1000000);
	char text[32] = "";
	struct tm tm;

	if (gmtime_r(&t, &tm) != NULL)
		(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	(void)fputs(text, f);
}

void
print_json(const json_t *v)
{
	(void)json_dumpf(v, stdout, JSON_COMPACT); /* main looks at stdout */
	(void)putchar('\n');
}
