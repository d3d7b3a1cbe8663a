/*
 * charset - see charset.h. Own readers for what nearly all mail is in, for
 * UTF-7 (RFC 2152) and HZ (RFC 1843), which libc may lack; iconv for the rest.
 */
#include "inspect/charset.h"

#include <errno.h>
#include <iconv.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/utf8.h"

/* One way to read bytes; arg is iconv's name for the charset. */
typedef bool reader(struct pn_str s, const char *arg, struct buf *out);

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
put_cp1252(struct pn_str s, struct buf *out)
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

static bool
read_cp1252(struct pn_str s, const char *arg, struct buf *out)
{
	(void)arg;
	put_cp1252(s, out);
	return true;
}

static bool
read_utf8(struct pn_str s, const char *arg, struct buf *out)
{
	(void)arg;
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
	return true;
}

static void
put_ascii(struct pn_str s, struct buf *out)
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
		put_cp1252(s, out);
}

static bool
read_guess(struct pn_str s, const char *arg, struct buf *out)
{
	(void)arg;
	charset_guess(s, out);
	return true;
}

/* ---- UTF-16 ---- */

/* Units on their way to code points: a high surrogate waits for its half. */
struct units {
	struct buf *out;
	uint32_t high; /* 0: none waits */
};

static void
units_end(struct units *u)
{
	if (u->high != 0)
		put(u->out, 0xfffd);
	u->high = 0;
}

static void
units_put(struct units *u, uint32_t c)
{
	if (u->high != 0 && c >= 0xdc00 && c < 0xe000) {
		put(u->out, 0x10000 + ((u->high - 0xd800) << 10) + (c - 0xdc00));
		u->high = 0;
		return;
	}
	units_end(u);
	if (c >= 0xd800 && c < 0xdc00)
		u->high = c;
	else
		put(u->out, c);
}

static void
put_utf16(struct pn_str s, struct buf *out, bool little)
{
	struct units u = { .out = out };

	for (size_t i = 0; i + 1 < s.n; i += 2) {
		uint32_t a = (unsigned char)s.p[i];
		uint32_t b = (unsigned char)s.p[i + 1];

		units_put(&u, little ? b << 8 | a : a << 8 | b);
	}
	units_end(&u);
	if (s.n % 2 != 0)
		put(out, 0xfffd);
}

static bool
read_utf16le(struct pn_str s, const char *arg, struct buf *out)
{
	(void)arg;
	put_utf16(s, out, true);
	return true;
}

static bool
read_utf16be(struct pn_str s, const char *arg, struct buf *out)
{
	(void)arg;
	put_utf16(s, out, false);
	return true;
}

/* Of text that is Latin mostly, which byte comes first. */
static bool
looks_little(struct pn_str s)
{
	size_t zeros[2] = { 0, 0 };

	for (size_t i = 0; i < s.n; i++)
		zeros[i % 2] += s.p[i] == '\0';
	return zeros[1] > zeros[0];
}

/* RFC 2781 4.3: big end first unless a mark, or the look of it, says
 * otherwise. */
static bool
read_utf16(struct pn_str s, const char *arg, struct buf *out)
{
	bool marked = pn_str_starts(s, PN_STR_V("\xff\xfe")) ||
	    pn_str_starts(s, PN_STR_V("\xfe\xff"));

	(void)arg;
	put_utf16(pn_str_sub(s, marked ? 2 : 0, s.n), out,
	    marked ? (unsigned char)s.p[0] == 0xff : looks_little(s));
	return true;
}

/* ---- UTF-7 ---- */

static int
base64_digit(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = memchr(digits, c, sizeof(digits) - 1);

	return at == NULL ? -1 : (int)(at - digits);
}

/* What stands behind '+': units in base64 up to what is none. Its bytes. */
static size_t
put_utf7_run(struct pn_str s, struct buf *out)
{
	struct units u = { .out = out };
	uint32_t bits = 0;
	unsigned n = 0;
	size_t i;
	int digit;

	for (i = 0; i < s.n && (digit = base64_digit(s.p[i])) >= 0; i++) {
		bits = (bits << 6 | (uint32_t)digit) & 0x3fffff;
		n += 6;
		if (n >= 16) {
			n -= 16;
			units_put(&u, bits >> n & 0xffff);
		}
	}
	units_end(&u);
	if (i == 0)
		put(out, s.n > 0 && s.p[0] == '-' ? '+' : 0xfffd);
	return i < s.n && s.p[i] == '-' ? i + 1 : i;
}

static bool
read_utf7(struct pn_str s, const char *arg, struct buf *out)
{
	(void)arg;
	while (s.n > 0) {
		const char *plus = memchr(s.p, '+', s.n);
		size_t n = plus == NULL ? s.n : (size_t)(plus - s.p);

		put_ascii(pn_str_sub(s, 0, n), out);
		if (plus != NULL)
			n++;
		s = pn_str_sub(s, n, s.n);
		if (plus != NULL)
			s = pn_str_sub(s, put_utf7_run(s, out), s.n);
	}
	return true;
}

/* ---- iconv ---- */

/* Broken bytes give U+FFFD, one for each, and do not stop the rest. */
static bool
read_iconv(struct pn_str s, const char *name, struct buf *out)
{
	iconv_t cd = iconv_open("UTF-8", name);
	char *from = (char *)(uintptr_t)s.p; /* iconv's type; it does not write */
	bool ended = false;

	if (cd == (iconv_t)-1)
		return false;
	while (!ended && !out->full) {
		char room[4096], *to = room;
		size_t left = sizeof(room);
		bool flush = s.n == 0; /* what a state may still hold */
		size_t done = iconv(cd, flush ? NULL : &from, &s.n, &to, &left);
		int why = done == (size_t)-1 ? errno : 0;

		(void)buf_add(out, room, sizeof(room) - left); /* out->full */
		ended = flush && why != E2BIG;
		if (flush || why == 0 || why == E2BIG)
			continue;
		put(out, 0xfffd);
		from++;
		s.n--;
	}
	(void)iconv_close(cd); /* it was open */
	return true;
}

/* ---- HZ ---- */

/* "~{" to "~}": pairs of GB 2312 in seven bits, ended by a line end too. */
static bool
read_hz(struct pn_str s, const char *name, struct buf *out)
{
	char *gb = s.n > 0 ? xcalloc(s.n, 1) : NULL;
	bool in = false, read;
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i], next = i + 1 < s.n ? s.p[i + 1] : '\0';

		if (c == '~' && memchr("{}~\n", next, 4) != NULL) {
			in = next == '{' || (in && next == '~');
			if (next == '~')
				gb[n++] = '~';
			i++;
		} else if (in && c > ' ' && next > ' ') {
			gb[n++] = (char)(c | 0x80);
			gb[n++] = (char)(next | 0x80);
			i++;
		} else {
			in = in && c != '\n';
			gb[n++] = c;
		}
	}
	read = read_iconv((struct pn_str){ gb, n }, name, out);
	free(gb);
	return read;
}

/* ---- names ---- */

/* As the WHATWG Encoding standard reads them: the wider of two that differ
 * little. */
static const struct {
	struct pn_str name;
	reader *read;
	const char *iconv;
} charsets[] = {
#define OWN(what, how) { PN_STR(what), how, NULL }
#define ICONV(what, how) { PN_STR(what), read_iconv, how }
	OWN("utf-8", read_utf8),
	OWN("us-ascii", read_guess),
	OWN("iso-8859-1", read_cp1252),
	OWN("windows-1252", read_cp1252),
	OWN("utf8", read_utf8),
	OWN("unicode-1-1-utf-8", read_utf8),
	OWN("ascii", read_guess),
	OWN("ansi_x3.4-1968", read_guess),
	OWN("iso646-us", read_guess),
	OWN("unknown-8bit", read_guess),
	OWN("x-unknown", read_guess),
	OWN("default", read_guess),
	OWN("default_charset", read_guess),
	OWN("latin1", read_cp1252),
	OWN("iso8859-1", read_cp1252),
	OWN("iso88591", read_cp1252),
	OWN("iso_8859-1", read_cp1252),
	OWN("iso_8859-1:1987", read_cp1252),
	OWN("cp1252", read_cp1252),
	OWN("x-cp1252", read_cp1252),
	OWN("utf-16", read_utf16),
	OWN("unicode", read_utf16),
	OWN("ucs-2", read_utf16),
	OWN("iso-10646-ucs-2", read_utf16),
	OWN("utf-16le", read_utf16le),
	OWN("utf-16be", read_utf16be),
	OWN("utf-7", read_utf7),
	OWN("utf7", read_utf7),
	OWN("unicode-1-1-utf-7", read_utf7),
	OWN("x-unicode-2-0-utf-7", read_utf7),
	{ PN_STR("hz-gb-2312"), read_hz, "GB18030" },
	{ PN_STR("hz"), read_hz, "GB18030" },
	ICONV("iso-8859-2", "ISO-8859-2"),
	ICONV("iso8859-2", "ISO-8859-2"),
	ICONV("iso_8859-2", "ISO-8859-2"),
	ICONV("latin2", "ISO-8859-2"),
	ICONV("l2", "ISO-8859-2"),
	ICONV("iso-8859-3", "ISO-8859-3"),
	ICONV("iso8859-3", "ISO-8859-3"),
	ICONV("latin3", "ISO-8859-3"),
	ICONV("iso-8859-4", "ISO-8859-4"),
	ICONV("iso8859-4", "ISO-8859-4"),
	ICONV("latin4", "ISO-8859-4"),
	ICONV("iso-8859-5", "ISO-8859-5"),
	ICONV("iso8859-5", "ISO-8859-5"),
	ICONV("cyrillic", "ISO-8859-5"),
	ICONV("iso-8859-6", "ISO-8859-6"),
	ICONV("iso8859-6", "ISO-8859-6"),
	ICONV("arabic", "ISO-8859-6"),
	ICONV("iso-8859-7", "ISO-8859-7"),
	ICONV("iso8859-7", "ISO-8859-7"),
	ICONV("greek", "ISO-8859-7"),
	ICONV("iso-8859-8", "ISO-8859-8"),
	ICONV("iso8859-8", "ISO-8859-8"),
	ICONV("iso-8859-8-i", "ISO-8859-8"),
	ICONV("iso-8859-8-e", "ISO-8859-8"),
	ICONV("hebrew", "ISO-8859-8"),
	ICONV("iso-8859-10", "ISO-8859-10"),
	ICONV("iso8859-10", "ISO-8859-10"),
	ICONV("latin6", "ISO-8859-10"),
	ICONV("iso-8859-13", "ISO-8859-13"),
	ICONV("iso8859-13", "ISO-8859-13"),
	ICONV("iso-8859-14", "ISO-8859-14"),
	ICONV("iso8859-14", "ISO-8859-14"),
	ICONV("iso-8859-15", "ISO-8859-15"),
	ICONV("iso8859-15", "ISO-8859-15"),
	ICONV("latin9", "ISO-8859-15"),
	ICONV("latin-9", "ISO-8859-15"),
	ICONV("iso-8859-16", "ISO-8859-16"),
	ICONV("iso8859-16", "ISO-8859-16"),
	ICONV("latin10", "ISO-8859-16"),
	ICONV("windows-1250", "CP1250"),
	ICONV("cp1250", "CP1250"),
	ICONV("x-cp1250", "CP1250"),
	ICONV("windows-1251", "CP1251"),
	ICONV("cp1251", "CP1251"),
	ICONV("x-cp1251", "CP1251"),
	ICONV("windows-1253", "CP1253"),
	ICONV("cp1253", "CP1253"),
	ICONV("windows-1254", "CP1254"),
	ICONV("cp1254", "CP1254"),
	ICONV("iso-8859-9", "CP1254"),
	ICONV("iso8859-9", "CP1254"),
	ICONV("latin5", "CP1254"),
	ICONV("iso_8859-9", "CP1254"),
	ICONV("windows-1255", "CP1255"),
	ICONV("cp1255", "CP1255"),
	ICONV("windows-1256", "CP1256"),
	ICONV("cp1256", "CP1256"),
	ICONV("windows-1257", "CP1257"),
	ICONV("cp1257", "CP1257"),
	ICONV("windows-1258", "CP1258"),
	ICONV("cp1258", "CP1258"),
	ICONV("windows-874", "CP874"),
	ICONV("cp874", "CP874"),
	ICONV("tis-620", "CP874"),
	ICONV("iso-8859-11", "CP874"),
	ICONV("iso8859-11", "CP874"),
	ICONV("koi8-r", "KOI8-R"),
	ICONV("koi8", "KOI8-R"),
	ICONV("cskoi8r", "KOI8-R"),
	ICONV("koi8-u", "KOI8-U"),
	ICONV("koi8-ru", "KOI8-U"),
	ICONV("ibm866", "CP866"),
	ICONV("cp866", "CP866"),
	ICONV("866", "CP866"),
	ICONV("ibm850", "CP850"),
	ICONV("cp850", "CP850"),
	ICONV("cp-850", "CP850"),
	ICONV("ibm852", "CP852"),
	ICONV("cp852", "CP852"),
	ICONV("ibm437", "CP437"),
	ICONV("cp437", "CP437"),
	ICONV("macintosh", "MACINTOSH"),
	ICONV("mac", "MACINTOSH"),
	ICONV("x-mac-roman", "MACINTOSH"),
	ICONV("x-mac-cyrillic", "MAC-CYRILLIC"),
	ICONV("x-mac-ukrainian", "MAC-CYRILLIC"),
	ICONV("gb18030", "GB18030"),
	ICONV("gb2312", "GB18030"),
	ICONV("gbk", "GB18030"),
	ICONV("gb_2312-80", "GB18030"),
	ICONV("cp936", "GB18030"),
	ICONV("ms936", "GB18030"),
	ICONV("windows-936", "GB18030"),
	ICONV("gb2312_charset", "GB18030"),
	ICONV("euc-cn", "GB18030"),
	ICONV("chinese", "GB18030"),
	ICONV("csgb2312", "GB18030"),
	ICONV("x-gbk", "GB18030"),
	ICONV("big5", "BIG5-HKSCS"),
	ICONV("big5-hkscs", "BIG5-HKSCS"),
	ICONV("chinesebig5", "BIG5-HKSCS"),
	ICONV("cn-big5", "BIG5-HKSCS"),
	ICONV("csbig5", "BIG5-HKSCS"),
	ICONV("x-x-big5", "BIG5-HKSCS"),
	ICONV("cp950", "BIG5-HKSCS"),
	ICONV("euc-jp", "EUC-JP-MS"),
	ICONV("x-euc-jp", "EUC-JP-MS"),
	ICONV("cseucpkdfmtjapanese", "EUC-JP-MS"),
	ICONV("iso-2022-jp", "ISO-2022-JP-3"),
	ICONV("csiso2022jp", "ISO-2022-JP-3"),
	ICONV("iso-2022-jp-1", "ISO-2022-JP-3"),
	ICONV("iso-2022-jp-2", "ISO-2022-JP-3"),
	ICONV("iso-2022-jp-3", "ISO-2022-JP-3"),
	ICONV("shift_jis", "CP932"),
	ICONV("shift-jis", "CP932"),
	ICONV("sjis", "CP932"),
	ICONV("x-sjis", "CP932"),
	ICONV("ms_kanji", "CP932"),
	ICONV("windows-31j", "CP932"),
	ICONV("cp932", "CP932"),
	ICONV("ms932", "CP932"),
	ICONV("euc-kr", "UHC"),
	ICONV("ks_c_5601-1987", "UHC"),
	ICONV("ks_c_5601-1989", "UHC"),
	ICONV("ksc5601", "UHC"),
	ICONV("ksc_5601", "UHC"),
	ICONV("korean", "UHC"),
	ICONV("cseuckr", "UHC"),
	ICONV("windows-949", "UHC"),
	ICONV("cp949", "UHC"),
	ICONV("uhc", "UHC"),
	ICONV("iso-2022-kr", "ISO-2022-KR"),
	ICONV("csiso2022kr", "ISO-2022-KR"),
	ICONV("iso-2022-cn", "ISO-2022-CN-EXT"),
	ICONV("iso-2022-cn-ext", "ISO-2022-CN-EXT"),
	ICONV("viscii", "VISCII"),
	ICONV("utf-32", "UTF-32"),
	ICONV("ucs-4", "UTF-32"),
#undef OWN
#undef ICONV
};

bool
charset_is_read(struct pn_str name)
{
	for (size_t i = 0; i < PN_COUNT(charsets); i++)
		if (pn_str_caseeq(charsets[i].name, name))
			return true;
	return name.n == 0;
}

/* Eight bytes at a time. */
static bool
is_ascii(struct pn_str s)
{
	uint64_t all = 0, some;
	size_t i = 0;

	for (; i + sizeof(some) <= s.n; i += sizeof(some)) {
		memcpy(&some, s.p + i, sizeof(some));
		all |= some;
	}
	for (; i < s.n; i++)
		all |= (unsigned char)s.p[i];
	return (all & 0x8080808080808080u) == 0;
}

bool
charset_is_plain(struct pn_str name, struct pn_str s)
{
	reader *read = name.n == 0 ? read_guess : NULL;

	for (size_t i = 0; i < PN_COUNT(charsets) && read == NULL; i++)
		if (pn_str_caseeq(charsets[i].name, name))
			read = charsets[i].read;
	return (read == read_guess || read == read_utf8 ||
		   read == read_cp1252) && is_ascii(s);
}

enum charset_kind
charset_kind(struct pn_str name)
{
	static const char *const others[] = { "utf-16le", "utf-16be", "utf-7",
		"utf7", "unicode-1-1-utf-7", "x-unicode-2-0-utf-7",
		"hz-gb-2312", "hz", "iso-2022-kr", "csiso2022kr", "iso-2022-cn",
		"iso-2022-cn-ext", "utf-32",
		"ucs-4" };
	static const char *const either[] = { "utf-16", "unicode", "ucs-2",
		"iso-10646-ucs-2" };

	for (size_t i = 0; i < PN_COUNT(others); i++)
		if (pn_str_caseeq(name, pn_str_of(others[i])))
			return CHARSET_OTHER;
	for (size_t i = 0; i < PN_COUNT(either); i++)
		if (pn_str_caseeq(name, pn_str_of(either[i])))
			return CHARSET_EITHER_END;
	return CHARSET_ASCII;
}

bool
charset_may_be_ascii(struct pn_str s)
{
	return s.n > 0 && memchr(s.p, '\0', s.n) == NULL;
}

bool
charset_read(struct pn_str name, struct pn_str s, struct buf *out)
{
	if (name.n == 0)
		return read_guess(s, NULL, out);
	for (size_t i = 0; i < PN_COUNT(charsets); i++)
		if (pn_str_caseeq(charsets[i].name, name) &&
		    charsets[i].read(s, charsets[i].iconv, out))
			return true;
	put_ascii(s, out);
	return false;
}

/* ---- before the sandbox closes ---- */

struct charsets {
	size_t n;
	iconv_t open[PN_COUNT(charsets)];
};

struct charsets *
charsets_open(void)
{
	struct charsets *c = xcalloc(1, sizeof(*c));
	const char *last = NULL;

	for (size_t i = 0; i < PN_COUNT(charsets); i++) {
		const char *name = charsets[i].iconv;

		if (name == NULL || name == last)
			continue;
		last = name;
		c->open[c->n] = iconv_open("UTF-8", name);
		c->n += c->open[c->n] != (iconv_t)-1;
	}
	return c;
}

void
charsets_close(struct charsets *c)
{
	for (size_t i = 0; c != NULL && i < c->n; i++)
		(void)iconv_close(c->open[i]); /* it was open */
	free(c);
}
