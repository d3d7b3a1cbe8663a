/* decode - see decode.h. */
#include "inspect/decode.h"

#include <stdint.h>
#include <string.h>

#include "base/arena.h"

#define B64_JUNK 64  /* neither alphabet nor blank */
#define B64_BLANK 65 /* line ends, blanks */
#define B64_PAD 66

/* Value of each byte in base64's alphabet, or one of the above. */
static const uint8_t base64_of[256] = {
#define J B64_JUNK
#define B B64_BLANK
	J, J, J, J, J, J, J, J, J, B, B, B, B, B, J, J,
	J, J, J, J, J, J, J, J, J, J, J, J, J, J, J, J,
	B, J, J, J, J, J, J, J, J, J, J, 62, J, J, J, 63,
	52, 53, 54, 55, 56, 57, 58, 59, 60, 61, J, J, J, B64_PAD, J, J,
	J, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
	15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, J, J, J, J, J,
	J, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
	41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, J, J, J, J, J,
	J, J, J, J, J, J, J, J, J, J, J, J, J, J, J, J,
	J, J, J, J, J, J, J, J, J, J, J, J, J, J, J, J,
	J, J, J, J, J, J, J, J, J, J, J, J, J, J, J, J,
	J, J, J, J, J, J, J, J, J, J, J, J, J, J, J, J,
	J, J, J, J, J, J, J, J, J, J, J, J, J, J, J, J,
	J, J, J, J, J, J, J, J, J, J, J, J, J, J, J, J,
	J, J, J, J, J, J, J, J, J, J, J, J, J, J, J, J,
	J, J, J, J, J, J, J, J, J, J, J, J, J, J, J, J,
#undef J
#undef B
};

/* Whole quanta without anything between them: nearly all of a real body. */
static size_t
base64_run(const unsigned char *p, size_t n, char *out, size_t max)
{
	size_t i = 0;

	for (; n - i >= 4 && max >= 3; i += 4, max -= 3, out += 3) {
		uint8_t a = base64_of[p[i]], b = base64_of[p[i + 1]];
		uint8_t c = base64_of[p[i + 2]], d = base64_of[p[i + 3]];

		if ((a | b | c | d) > 63)
			break;
		out[0] = (char)(a << 2 | b >> 4);
		out[1] = (char)(b << 4 | c >> 2);
		out[2] = (char)(c << 6 | d);
	}
	return i;
}

/* What a quantum of count (2-4) digits holds: count - 1 bytes. */
static size_t
base64_flush(uint32_t bits, unsigned count, char *out, size_t max)
{
	size_t n = count - 1;

	bits <<= 6 * (4 - count);
	if (n > max)
		n = max;
	for (size_t i = 0; i < n; i++)
		out[i] = (char)(bits >> (16 - 8 * i));
	return n;
}

/*
 * Junk is skipped, as RFC 2045 6.8 has it. Behind padding some readers stop
 * and some go on with the next quantum: this goes on, and says so.
 */
static struct decoded
decode_base64(struct pn_str src, char *out, size_t max)
{
	const unsigned char *p = (const unsigned char *)src.p;
	struct decoded d = { 0 };
	uint32_t bits = 0;
	unsigned count = 0, padding = 0;

	while (d.used < src.n && d.n < max) {
		if (count == 0) {
			size_t run = base64_run(p + d.used, src.n - d.used,
			    out + d.n, max - d.n);

			if (run > 0) {
				d.resumed |= padding > 0;
				padding = 0;
			}
			d.used += run;
			d.n += run / 4 * 3;
			if (d.used == src.n || d.n == max)
				break;
		}
		uint8_t v = base64_of[p[d.used++]];

		if (v == B64_BLANK)
			continue;
		if (v == B64_JUNK) {
			d.broken = true;
			continue;
		}
		if (v == B64_PAD) {
			if (count == 0)
				d.broken |= padding == 0 || padding > 2;
			if (count == 1)
				d.broken = true;
			if (count > 1)
				d.n += base64_flush(bits, count, out + d.n,
				    max - d.n);
			/* "xx==" has one more to come, "xxx=" none. */
			padding = count == 2 ? 1 : count == 3 ? 2 : padding + 1;
			bits = count = 0;
			continue;
		}
		if (padding > 0)
			d.resumed = true;
		padding = 0;
		bits = bits << 6 | v;
		if (++count == 4) {
			d.n += base64_flush(bits, 4, out + d.n, max - d.n);
			bits = count = 0;
		}
	}
	if (d.used == src.n && count > 0) {
		d.broken = true;
		if (count > 1)
			d.n += base64_flush(bits, count, out + d.n, max - d.n);
	}
	return d;
}

int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int
hex_pair(struct pn_str s, size_t at)
{
	int high = at + 1 < s.n ? hex_digit(s.p[at]) : -1;
	int low = high >= 0 ? hex_digit(s.p[at + 1]) : -1;

	return low >= 0 ? high << 4 | low : -1;
}

struct pn_str
percent_decode(struct pn_str s, struct arena *arena)
{
	size_t n = 0;
	char *out;

	if (s.n == 0 || memchr(s.p, '%', s.n) == NULL)
		return s;
	if ((out = arena_alloc(arena, s.n)) == NULL)
		return (struct pn_str){ NULL, 0 };
	for (size_t i = 0; i < s.n; i++) {
		int c = s.p[i] == '%' ? hex_pair(s, i + 1) : -1;

		out[n++] = c >= 0 ? (char)c : s.p[i];
		if (c >= 0)
			i += 2;
	}
	return (struct pn_str){ out, n };
}

/* Bytes of a soft line end behind the '=' at s, 0 when it is none. */
static size_t
soft_break(struct pn_str s)
{
	size_t i = 1;

	while (i < s.n && (s.p[i] == ' ' || s.p[i] == '\t'))
		i++;
	if (i == s.n)
		return i;
	if (s.p[i] == '\n')
		return i + 1;
	if (s.p[i] == '\r')
		return i + 1 < s.n && s.p[i + 1] == '\n' ? i + 2 : i + 1;
	return 0;
}

/* One escape at s ('=' first): its length; *c the byte, or -1 for none. */
static size_t
qp_escape(struct pn_str s, int *c, bool *broken)
{
	size_t soft;

	*c = hex_pair(s, 1);
	if (*c >= 0)
		return 3;
	soft = soft_break(s);
	*c = soft > 0 ? -1 : '=';
	*broken |= soft == 0;
	return soft > 0 ? soft : 1;
}

/*
 * Plain text up to the next '=' in one copy. Blanks at line ends stay: who
 * reads the text trims, and a name or a signature does not care.
 */
static struct decoded
decode_qp(struct pn_str src, char *out, size_t max)
{
	struct decoded d = { 0 };

	while (d.used < src.n && d.n < max) {
		struct pn_str s = pn_str_sub(src, d.used, src.n);
		const char *eq = memchr(s.p, '=', s.n);
		size_t plain = eq == NULL ? s.n : (size_t)(eq - s.p);
		int c;

		if (plain > max - d.n)
			plain = max - d.n;
		memcpy(out + d.n, s.p, plain);
		d.n += plain;
		d.used += plain;
		if (d.used == src.n || d.n == max)
			break;
		d.used += qp_escape(pn_str_sub(src, d.used, src.n), &c,
		    &d.broken);
		if (c >= 0)
			out[d.n++] = (char)c;
	}
	return d;
}

/* One line of uuencoded data; bytes written. */
static size_t
uu_line(struct pn_str line, char *out, size_t max, bool *broken)
{
	size_t want = line.n == 0 ? 0 : ((unsigned char)line.p[0] - 32u) & 63u;
	size_t n = 0;

	if (want > max)
		want = max;
	for (size_t i = 1; n < want; i += 4) {
		uint32_t bits = 0;

		if (i >= line.n) {
			*broken = true;
			break;
		}
		for (size_t k = 0; k < 4; k++)
			bits = bits << 6 |
			    (i + k < line.n ?
				    ((unsigned char)line.p[i + k] - 32u) & 63u :
				    0);
		for (unsigned k = 0; k < 3 && n < want; k++)
			out[n++] = (char)(bits >> (16 - 8 * k));
	}
	return n;
}

static struct decoded
decode_uu(struct pn_str src, char *out, size_t max)
{
	struct decoded d = { 0 };

	while (d.used < src.n && d.n < max) {
		struct pn_str s = pn_str_sub(src, d.used, src.n);
		const char *nl = memchr(s.p, '\n', s.n);
		size_t len = nl == NULL ? s.n : (size_t)(nl - s.p) + 1;

		d.used += len;
		while (len > 0 && (s.p[len - 1] == '\n' || s.p[len - 1] == '\r'))
			len--;
		d.n += uu_line(pn_str_sub(s, 0, len), out + d.n, max - d.n,
		    &d.broken);
	}
	return d;
}

/* yEnc 1.3: each byte plus 42, and plus 64 behind a '='; line ends are none. */
static struct decoded
decode_yenc(struct pn_str src, char *out, size_t max)
{
	struct decoded d = { 0 };
	bool escaped = false;

	while (d.used < src.n && d.n < max) {
		unsigned char c = (unsigned char)src.p[d.used++];

		if (c == '\r' || c == '\n')
			continue;
		if (c == '=' && !escaped) {
			escaped = true;
			continue;
		}
		out[d.n++] = (char)(c - 42u - (escaped ? 64u : 0));
		escaped = false;
	}
	d.broken = escaped && d.used == src.n;
	return d;
}

struct decoded
decode(enum encoding how, struct pn_str src, char *out, size_t max)
{
	size_t n = src.n < max ? src.n : max;

	switch (how) {
	case ENCODING_BASE64:
		return decode_base64(src, out, max);
	case ENCODING_QP:
		return decode_qp(src, out, max);
	case ENCODING_UU:
		return decode_uu(src, out, max);
	case ENCODING_YENC:
		return decode_yenc(src, out, max);
	case ENCODING_NONE:
		break;
	}
	if (n > 0)
		memcpy(out, src.p, n);
	return (struct decoded){ .n = n, .used = n };
}

size_t
decode_room(enum encoding how, struct pn_str src)
{
	if (how == ENCODING_BASE64)
		return src.n / 4 * 3 + 3;
	/* Three bytes from two letters without even a line end. */
	return how == ENCODING_UU ? src.n + 1 : src.n;
}

/* Bytes of line ends and blanks, looking at the line ends alone. */
static size_t
line_end_bytes(struct pn_str s)
{
	size_t n = 0;

	for (const char *p = s.p, *end = s.p + s.n; p < end;) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));

		if (nl == NULL)
			break;
		n += nl > s.p && nl[-1] == '\r' ? 2 : 1;
		p = nl + 1;
	}
	return n;
}

static size_t
qp_size(struct pn_str src)
{
	size_t n = src.n;

	for (size_t i = 0; i < src.n;) {
		struct pn_str s = pn_str_sub(src, i, src.n);
		const char *eq = memchr(s.p, '=', s.n);
		bool broken = false;
		size_t len;
		int c;

		if (eq == NULL)
			break;
		i += (size_t)(eq - s.p);
		len = qp_escape(pn_str_sub(src, i, src.n), &c, &broken);
		n -= c >= 0 ? len - 1 : len;
		i += len;
	}
	return n;
}

static size_t
uu_size(struct pn_str src)
{
	size_t n = 0;

	for (const char *p = src.p, *end = src.p + src.n; p < end;) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));

		if (*p != '\r' && *p != '\n')
			n += ((unsigned char)*p - 32u) & 63u;
		if (nl == NULL)
			break;
		p = nl + 1;
	}
	return n;
}

static size_t
yenc_size(struct pn_str src)
{
	size_t n = 0;
	bool escaped = false;

	for (size_t i = 0; i < src.n; i++) {
		char c = src.p[i];

		if (c == '\r' || c == '\n')
			continue;
		escaped = c == '=' && !escaped;
		n += !escaped;
	}
	return n;
}

size_t
decode_size(enum encoding how, struct pn_str src)
{
	struct pn_str s = pn_str_trim(src);
	size_t n, pad = 0;

	if (how == ENCODING_QP)
		return qp_size(src);
	if (how == ENCODING_UU)
		return uu_size(src);
	if (how == ENCODING_YENC)
		return yenc_size(src);
	if (how == ENCODING_NONE)
		return src.n;
	while (pad < 2 && pad < s.n && s.p[s.n - 1 - pad] == '=')
		pad++;
	n = s.n - pad - line_end_bytes(s);
	return n / 4 * 3 + n % 4 * 3 / 4;
}

/*
 * Base64 should end on a whole quantum: then digits counted from the end fall
 * into the same quanta as counted from the start, else into those of another
 * shift. Collects the last quanta, then decodes them.
 */
static struct pn_str
base64_tail(struct pn_str src, unsigned shift, char *out, size_t max)
{
	char quanta[2048];
	size_t want = sizeof(quanta), at = sizeof(quanta);
	size_t i = src.n;
	struct decoded d;

	if (want > max / 3 * 4)
		want = max / 3 * 4;
	while (i > 0 && sizeof(quanta) - at < want) {
		uint8_t v = base64_of[(unsigned char)src.p[--i]];

		if (v < B64_JUNK || v == B64_PAD)
			quanta[--at] = src.p[i];
	}
	shift = (unsigned)(sizeof(quanta) - at + shift) % 4;
	at += shift < sizeof(quanta) - at ? shift : sizeof(quanta) - at;
	d = decode_base64(
	    (struct pn_str){ quanta + at, sizeof(quanta) - at }, out, max);
	return (struct pn_str){ out, d.n };
}

struct pn_str
decode_tail(enum encoding how, struct pn_str src, unsigned shift, char *out,
    size_t max)
{
	struct decoded d;
	size_t from;

	if (how == ENCODING_BASE64)
		return base64_tail(src, shift, out, max);
	if (how == ENCODING_UU || how == ENCODING_YENC)
		return (struct pn_str){ out, 0 };
	from = src.n > max ? src.n - max : 0;
	d = decode(how, pn_str_sub(src, from, max), out, max);
	return (struct pn_str){ out, d.n };
}

bool
decode_looks_base64(struct pn_str src)
{
	size_t digits = 0;

	src = pn_str_sub(pn_str_trim(src), 0, 512);
	for (size_t i = 0; i < src.n; i++) {
		uint8_t v = base64_of[(unsigned char)src.p[i]];

		if (v == B64_JUNK || src.p[i] == ' ')
			return false;
		digits += v < B64_JUNK;
	}
	return digits >= 16;
}
