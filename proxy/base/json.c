/* json - see json.h. A full buf says so in .full; callers look once at the end. */
#include "base/json.h"

#include "base/utf8.h"

static void
put(struct buf *b, const char *s)
{
	(void)buf_puts(b, s);
}

/* Bytes at the start of s that stand for themselves: most of any text. */
static size_t
plain(struct pn_str s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] >= ' ' && s.p[n] < 127 && s.p[n] != '"' &&
	    s.p[n] != '\\')
		n++;
	return n;
}

static void
quoted(struct buf *b, struct pn_str s)
{
	put(b, "\"");
	while (s.n > 0) {
		unsigned char c = (unsigned char)s.p[0];
		size_t n = plain(s);

		if (n > 0) {
			(void)buf_add(b, s.p, n);
			s = pn_str_sub(s, n, s.n);
			continue;
		}
		n = utf8_len(s);
		if (n == 0) {
			put(b, "\xef\xbf\xbd");
			n = 1;
		} else if (c == '"' || c == '\\') {
			(void)buf_add(b, (char[]){ '\\', (char)c }, 2);
		} else if (c < ' ' || c == 127) {
			(void)buf_printf(b, "\\u%04x", c);
		} else {
			(void)buf_add(b, s.p, n);
		}
		s = pn_str_sub(s, n, s.n);
	}
	put(b, "\"");
}

static void
start(struct buf *b, const char *key)
{
	char last = buf_len(b) ? buf_data(b)[buf_len(b) - 1] : '\n';

	if (last != '{' && last != '[' && last != '\n' && last != ':')
		put(b, ",");
	if (key != NULL) {
		quoted(b, pn_str_of(key));
		put(b, ":");
	}
}

void
json_begin_object(struct buf *b, const char *key)
{
	start(b, key);
	put(b, "{");
}

void
json_end_object(struct buf *b)
{
	put(b, "}");
}

void
json_begin_array(struct buf *b, const char *key)
{
	start(b, key);
	put(b, "[");
}

void
json_end_array(struct buf *b)
{
	put(b, "]");
}

void
json_str(struct buf *b, const char *key, struct pn_str s)
{
	start(b, key);
	quoted(b, s);
}

void
json_cstr(struct buf *b, const char *key, const char *s)
{
	json_str(b, key, pn_str_of(s));
}

void
json_int(struct buf *b, const char *key, int64_t v)
{
	start(b, key);
	(void)buf_printf(b, "%lld", (long long)v);
}

void
json_bool(struct buf *b, const char *key, bool v)
{
	start(b, key);
	put(b, v ? "true" : "false");
}

void
json_put_null(struct buf *b, const char *key)
{
	start(b, key);
	put(b, "null");
}

void
json_raw(struct buf *b, const char *key, struct pn_str v)
{
	start(b, key);
	(void)buf_add_str(b, v);
}
