/*
 * charset - see charset.h. A further reader (iconv, opened before the sandbox
 * closes) joins as another line of the table.
 */
#include "inspect/charset.h"

#include <stdint.h>

#include "base/utf8.h"

/* windows-1252 0x80-0x9f; what it leaves open is the C1 control. */
static const uint16_t cp1252_high[32] = {
	0x20ac, 0x81, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021,
	0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0x8d, 0x017d, 0x8f,
	0x90, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
	0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0x9d, 0x017e, 0x0178
};

static void
put(struct buf *out, uint32_t c)
{
	char u[4];

	(void)buf_add(out, u, utf8_put(u, c)); /* past the cap: out->full */
}

/* Bytes of s before the first that is not ASCII. */
static size_t
ascii_run(struct pn_str s)
{
	size_t i = 0;

	while (i < s.n && ((unsigned char)s.p[i] & 0x80) == 0)
		i++;
	return i;
}

static void
read_cp1252(struct pn_str s, struct buf *out)
{
	while (s.n > 0) {
		size_t run = ascii_run(s);
		unsigned char c;

		(void)buf_add(out, s.p, run); /* past the cap: out->full */
		s = pn_str_sub(s, run, s.n);
		if (s.n == 0)
			break;
		c = (unsigned char)s.p[0];
		put(out, c < 0xa0 ? cp1252_high[c - 0x80] : c);
		s = pn_str_sub(s, 1, s.n);
	}
}

static void
read_utf8(struct pn_str s, struct buf *out)
{
	while (s.n > 0) {
		size_t n = ascii_run(s);

		if (n == 0)
			n = utf8_len(s);
		if (n > 0)
			(void)buf_add(out, s.p, n); /* past the cap: out->full */
		else
			put(out, 0xfffd);
		s = pn_str_sub(s, n > 0 ? n : 1, s.n);
	}
}

void
charset_ascii_only(struct pn_str s, struct buf *out)
{
	while (s.n > 0) {
		size_t n = ascii_run(s);

		if (n > 0)
			(void)buf_add(out, s.p, n); /* past the cap: out->full */
		else
			put(out, 0xfffd);
		s = pn_str_sub(s, n > 0 ? n : 1, s.n);
	}
}

void
charset_guess(struct pn_str s, struct buf *out)
{
	if (utf8_valid(s))
		(void)buf_add(out, s.p, s.n); /* past the cap: out->full */
	else
		read_cp1252(s, out);
}

static uint32_t
unit(struct pn_str s, size_t at, bool little)
{
	uint32_t a = (unsigned char)s.p[at], b = (unsigned char)s.p[at + 1];

	return little ? b << 8 | a : a << 8 | b;
}

static void
read_utf16_as(struct pn_str s, struct buf *out, bool little)
{
	for (size_t i = 0; i + 1 < s.n; i += 2) {
		uint32_t c = unit(s, i, little);

		if (c >= 0xd800 && c < 0xdc00 && i + 3 < s.n) {
			uint32_t low = unit(s, i + 2, little);

			if (low >= 0xdc00 && low < 0xe000) {
				c = 0x10000 + ((c - 0xd800) << 10) +
				    (low - 0xdc00);
				i += 2;
			}
		}
		put(out, c);
	}
}

static void
read_utf16le(struct pn_str s, struct buf *out)
{
	read_utf16_as(s, out, true);
}

static void
read_utf16be(struct pn_str s, struct buf *out)
{
	read_utf16_as(s, out, false);
}

/* RFC 2781 4.3: big end first unless a mark says otherwise. */
static void
read_utf16(struct pn_str s, struct buf *out)
{
	bool marked = pn_str_starts(s, PN_STR_V("\xff\xfe")) ||
	    pn_str_starts(s, PN_STR_V("\xfe\xff"));

	read_utf16_as(pn_str_sub(s, marked ? 2 : 0, s.n), out,
	    marked && (unsigned char)s.p[0] == 0xff);
}

charset_reader *
charset_find(struct pn_str name)
{
	static const struct {
		struct pn_str name;
		charset_reader *read;
	} known[] = {
		{ PN_STR("utf-8"), read_utf8 },
		{ PN_STR("us-ascii"), charset_guess },
		{ PN_STR("iso-8859-1"), read_cp1252 },
		{ PN_STR("windows-1252"), read_cp1252 },
		{ PN_STR("utf8"), read_utf8 },
		{ PN_STR("ascii"), charset_guess },
		{ PN_STR("latin1"), read_cp1252 },
		{ PN_STR("iso8859-1"), read_cp1252 },
		{ PN_STR("iso_8859-1"), read_cp1252 },
		{ PN_STR("cp1252"), read_cp1252 },
		{ PN_STR("ansi_x3.4-1968"), charset_guess },
		{ PN_STR("utf-16"), read_utf16 },
		{ PN_STR("utf-16le"), read_utf16le },
		{ PN_STR("utf-16be"), read_utf16be },
	};

	for (size_t i = 0; i < PN_COUNT(known); i++)
		if (pn_str_caseeq(known[i].name, name))
			return known[i].read;
	return NULL;
}
