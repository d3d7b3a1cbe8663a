/* edit_text - see edit_text.h. */
#include "mail/edit_text.h"

#include "base/utf8.h"

#define LINE_WIDTH 76
#define WORD_BYTES 45 /* of UTF-8 in one encoded word: 60 of base64 */

static bool
is_plain(struct pn_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < ' ' || s.p[i] > '~')
			return false;
	return true;
}

static void
base64(struct buf *b, struct pn_str s)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < s.n; i += 3) {
		unsigned char in[3] = { 0 };
		size_t n = s.n - i < 3 ? s.n - i : 3;
		char out[4];

		memcpy(in, s.p + i, n);
		out[0] = digits[in[0] >> 2];
		out[1] = digits[(in[0] & 3) << 4 | in[1] >> 4];
		out[2] = n > 1 ? digits[(in[1] & 15) << 2 | in[2] >> 6] : '=';
		out[3] = n > 2 ? digits[in[2] & 63] : '=';
		(void)buf_add(b, out, 4); /* uncapped */
	}
}

/* RFC 2047: words of whole characters; what is no UTF-8 goes byte by byte. */
static void
encode_words(struct buf *b, struct pn_str s)
{
	for (bool first = true; s.n > 0; first = false) {
		size_t n = 0;

		while (n < s.n) {
			size_t one = utf8_len(pn_str_sub(s, n, s.n));

			if (n + (one ? one : 1) > WORD_BYTES)
				break;
			n += one ? one : 1;
		}
		(void)buf_puts(b, first ? "=?UTF-8?B?" : "\r\n =?UTF-8?B?");
		base64(b, pn_str_sub(s, 0, n));
		(void)buf_puts(b, "?=");
		s = pn_str_sub(s, n, s.n);
	}
}

/* Fold at blanks where a line would pass LINE_WIDTH; used is its length. */
static void
fold(struct buf *b, struct pn_str s, size_t used)
{
	while (s.n > 0) {
		size_t n = 1; /* a word and the blanks before it */

		while (n < s.n && s.p[n - 1] == ' ')
			n++;
		while (n < s.n && s.p[n] != ' ')
			n++;
		if (used + n > LINE_WIDTH && s.p[0] == ' ' && used > 1) {
			(void)buf_puts(b, "\r\n");
			used = 0;
		}
		(void)buf_add(b, s.p, n);
		used += n;
		s = pn_str_sub(s, n, s.n);
	}
}

/* used: bytes of the line in front of it. */
static void
add_value(struct buf *b, struct pn_str value, size_t used)
{
	if (is_plain(value))
		fold(b, value, used);
	else
		encode_words(b, value);
}

void
edit_text_field(struct buf *b, struct pn_str name, struct pn_str value)
{
	(void)buf_add_str(b, name);
	(void)buf_puts(b, ": ");
	add_value(b, pn_str_trim(value), name.n + 2);
	(void)buf_puts(b, "\r\n");
}

void
edit_text_prefix(struct buf *b, struct pn_str text, int next)
{
	(void)buf_puts(b, " ");
	if (is_plain(text)) {
		(void)buf_add_str(b, pn_str_trim(text));
	} else {
		/* Blanks between two encoded words vanish: keep ours inside. */
		encode_words(b, text);
	}
	if (next != ' ' && next != '\t' && next != '\r' && next != '\n')
		(void)buf_puts(b, " ");
}
