/*
 * archive: what is found in archives, those foremost that show one reader
 * another content than the next. Zips are made here, byte by byte.
 */
#include "cm.h"

#include <locale.h>
#include <stdio.h>

#include "viewdump.h"

#define PROGRAM "MZ\x90\0\3\0\0\0\4\0\0\0\xff\xff\0\0"

/* One member as it is to be written; what is NULL or 0 follows from the rest.
 */
struct member {
	const char *name;	/* in the directory */
	const char *local_name; /* in front of the data, if another */
	struct pn_str data;
	struct pn_str extra; /* fields in the directory */
	unsigned flags;	 /* 1: encrypted */
	unsigned method; /* 0 stored, 8 deflate, 99 AES */
	bool unlisted;	 /* not in the directory */
	bool bad_sum;
	bool headless; /* listed, with no local header there */
};

static void
le(struct buf *out, uint64_t v, size_t n)
{
	for (; n > 0; n--, v >>= 8)
		buf_add(out, &(unsigned char){ (unsigned char)v }, 1);
}

/* CRC-32 as zip has it (RFC 1952 8). */
static uint32_t
crc_of(struct pn_str s)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < s.n; i++) {
		crc ^= (unsigned char)s.p[i];
		for (int k = 0; k < 8; k++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

/* RFC 1951 3.2.4: one block that is not compressed. */
static void
put_data(struct buf *out, const struct member *m)
{
	if (m->method == 8) {
		le(out, 1, 1);
		le(out, m->data.n, 2);
		le(out, ~m->data.n, 2);
	}
	buf_add_str(out, m->data);
}

static size_t
packed(const struct member *m)
{
	return m->data.n + (m->method == 8 ? 5 : 0);
}

static void
put_local(struct buf *out, const struct member *m)
{
	const char *name = m->local_name ? m->local_name : m->name;

	buf_add(out, "PK\3\4", 4);
	le(out, 20, 2);
	le(out, m->flags, 2);
	le(out, m->method, 2);
	le(out, 0, 4); /* time, date */
	le(out, m->bad_sum ? 1 : crc_of(m->data), 4);
	le(out, packed(m), 4);
	le(out, m->data.n, 4);
	le(out, strlen(name), 2);
	le(out, 0, 2);
	buf_puts(out, name);
	put_data(out, m);
}

static void
put_central(struct buf *out, const struct member *m, size_t at)
{
	buf_add(out, "PK\1\2", 4);
	le(out, 20, 2);
	le(out, 20, 2);
	le(out, m->flags, 2);
	le(out, m->method, 2);
	le(out, 0, 4);
	le(out, m->bad_sum ? 1 : crc_of(m->data), 4);
	le(out, packed(m), 4);
	le(out, m->data.n, 4);
	le(out, strlen(m->name), 2);
	le(out, m->extra.n, 2);
	le(out, 0, 10);
	le(out, at, 4);
	buf_puts(out, m->name);
	buf_add_str(out, m->extra);
}

/* Offsets count from the archive's own start, whatever out held before. */
static void
put_zip(struct buf *out, const struct member *m, const char *comment)
{
	size_t start = buf_len(out), at[8], n = 0, listed = 0, directory;

	for (; m[n].name != NULL; n++) {
		at[n] = buf_len(out) - start;
		if (!m[n].headless)
			put_local(out, &m[n]);
	}
	directory = buf_len(out) - start;
	for (size_t i = 0; i < n; i++)
		if (!m[i].unlisted) {
			put_central(out, &m[i], at[i]);
			listed++;
		}
	buf_add(out, "PK\5\6", 4);
	le(out, 0, 4);
	le(out, listed, 2);
	le(out, listed, 2);
	le(out, buf_len(out) - start - 12 - directory, 4);
	le(out, directory, 4);
	le(out, strlen(comment), 2);
	buf_puts(out, comment);
}

/* A message that is the attachment: its own Content-Type, 8 bit. */
static void
put_mail(struct buf *out, const char *name)
{
	buf_printf(out, "Content-Type: a/b; name=\"%s\"\r\n\r\n", name);
}

static bool
zip_gives(const char *name, const struct member *m, const char *want)
{
	struct buf mail = { 0 };
	bool same;

	put_mail(&mail, "x.zip");
	put_zip(&mail, m, "");
	same = gives(buf_str(&mail), &view_limits_default, name, want);
	buf_fini(&mail);
	return same;
}

#define EXE .data = PN_STR(PROGRAM)
#define TXT .data = PN_STR("text")

static const struct zip_case {
	const char *name;
	struct member m[4];
	const char *want;
} zips[] = {
#define ZIP(what, parts, ...)                                                  \
	{                                                                      \
		.name = (what), .want = (parts), .m = { __VA_ARGS__ }          \
	}
#define OUTER(size, flags) "0 a/b zip " size " " flags " [x.zip]\n"
	ZIP("stored", OUTER("128", "-") "1  executable 16 m [d/a.exe]\n",
	    { .name = "d/a.exe", EXE }),
	ZIP("deflated", OUTER("133", "-") "1  executable 16 m [d/a.exe]\n",
	    { .name = "d/a.exe", EXE, .method = 8 }),
	ZIP("deflated, with a wrong sum",
	    OUTER("133", "-") "1  executable 16 mb [d/a.exe]\n!b\n",
	    { .name = "d/a.exe", EXE, .method = 8, .bad_sum = true }),
	ZIP("program without an ending",
	    OUTER("116", "-") "1  executable 16 m [a]\n", { .name = "a", EXE }),
	ZIP("a folder is no part", OUTER("188", "-") "1  text 4 m [d/a]\n",
	    { .name = "d/" }, { .name = "d/a", TXT }),
	ZIP("encrypted", OUTER("124", "e") "1  unknown 16 me [a.exe]\n",
	    { .name = "a.exe", EXE, .flags = 1 }),
	ZIP("encrypted by AES", OUTER("124", "e") "1  unknown 16 me [a.exe]\n",
	    { .name = "a.exe", EXE, .method = 99 }),
	ZIP("one of two encrypted",
	    OUTER("214", "e") "1  text 4 m [a.txt]\n"
			      "1  unknown 16 me [a.exe]\n",
	    { .name = "a.txt", TXT }, { .name = "a.exe", EXE, .flags = 1 }),
	ZIP("names differ: exe in front of the data",
	    OUTER("124", "a") "1  executable 16 ma [a.txt|a.exe]\n!a\n",
	    { .name = "a.txt", .local_name = "a.exe", EXE }),
	ZIP("names differ: exe in the directory",
	    OUTER("124", "a") "1  executable 16 ma [a.exe|a.txt]\n!a\n",
	    { .name = "a.exe", .local_name = "a.txt", EXE }),
	ZIP("not in the directory",
	    OUTER("163", "a") "1  text 4 m [a.txt]\n"
			      "1  executable 16 ma [a.exe]\n!a\n",
	    { .name = "a.txt", TXT },
	    { .name = "a.exe", EXE, .unlisted = true }),
	ZIP("in the directory alone",
	    OUTER("163", "a") "1  text 4 m [a.txt]\n"
			      "1  unknown 16 ma [a.exe]\n!a\n",
	    { .name = "a.txt", TXT },
	    { .name = "a.exe", EXE, .headless = true }),
	ZIP("no directory",
	    OUTER("73", "a") "1  executable 16 ma [a.exe]\n!a\n",
	    { .name = "a.exe", EXE, .unlisted = true }),
	ZIP("another name in Unicode",
	    OUTER("125", "-") "1  text 4 m [a.txt|a.js]\n",
	    { .name = "a.txt", TXT,
		.extra = PN_STR("\x75\x70\11\0\1\0\0\0\0a.js") }),
	ZIP("two of those",
	    OUTER("139", "a") "1  text 4 ma [a.txt|a.js|a.rtf]\n!a\n",
	    { .name = "a.txt", TXT,
		.extra = PN_STR("\x75\x70\11\0\1\0\0\0\0a.js"
				"\x75\x70\12\0\1\0\0\0\0a.rtf") }),
	ZIP("name in 8 bit", OUTER("112", "-") "1  text 4 m [\303\274.txt]\n",
	    { .name = "\374.txt", TXT }),
};

static void
zips_in_every_reading(void **state)
{
	size_t wrong = 0;

	(void)state;
	for (size_t i = 0; i < PN_COUNT(zips); i++)
		wrong += !zip_gives(zips[i].name, zips[i].m, zips[i].want);
	assert_int_equal(wrong, 0);
}

static const struct member one_exe[] = { { .name = "a.exe", EXE }, { 0 } };
static const struct member one_text[] = { { .name = "a.txt", TXT }, { 0 } };

/* What stands in front of a zip, or behind it, hides nothing. */
static void
zips_in_company(void **state)
{
	struct buf mail = { 0 };

	(void)state;
	put_mail(&mail, "photo.gif");
	buf_puts(&mail, "GIF89a, and a picture of some length");
	put_zip(&mail, one_exe, "");
	assert_true(gives(buf_str(&mail), &view_limits_default, "prefix",
	    "0 a/b image 160 - [photo.gif]\n"
	    "1  executable 16 m [a.exe]\n"));

	buf_clear(&mail);
	put_mail(&mail, "setup.exe");
	buf_add(&mail, PROGRAM, sizeof(PROGRAM) - 1);
	put_zip(&mail, one_text, "a comment");
	assert_true(
	    gives(buf_str(&mail), &view_limits_default, "self-extracting",
		"0 a/b executable 137 - [setup.exe]\n"
		"1  text 4 m [a.txt]\n"));

	buf_clear(&mail);
	put_mail(&mail, "x.zip");
	put_zip(&mail, one_exe, "");
	for (int i = 0; i < 10000; i++)
		buf_puts(&mail, "more behind it ");
	assert_true(gives(buf_str(&mail), &view_limits_default, "suffix",
	    "0 a/b zip 150124 - [x.zip]\n"
	    "1  executable 16 m [a.exe]\n"));

	buf_clear(&mail);
	put_mail(&mail, "x.zip");
	put_zip(&mail, one_exe, "");
	put_zip(&mail, one_text, "");
	assert_true(gives(buf_str(&mail), &view_limits_default, "two in a row",
	    "0 a/b zip 236 a [x.zip]\n"
	    "1  executable 16 m [a.exe]\n"
	    "1  text 4 m [a.txt]\n!a\n"));
	buf_fini(&mail);
}

/* n zips, each the only member of the next. */
static void
put_nested(struct buf *out, unsigned n)
{
	struct buf inner = { 0 };
	struct member m[] = { { .name = "in.zip", .method = 8 }, { 0 } };

	if (n == 0) {
		put_zip(out, one_exe, "");
		return;
	}
	put_nested(&inner, n - 1);
	m[0].data = buf_str(&inner);
	put_zip(out, m, "");
	buf_fini(&inner);
}

static void
zip_in_zip(void **state)
{
	struct view_limits limits = view_limits_default;
	struct buf mail = { 0 };

	(void)state;
	limits.max_archive_depth = 3;
	put_mail(&mail, "x.zip");
	put_nested(&mail, 2);
	assert_true(gives(buf_str(&mail), &limits, "as deep as allowed",
	    "0 a/b zip 354 - [x.zip]\n"
	    "1  zip 239 m [in.zip]\n"
	    "2  zip 124 m [in.zip]\n"
	    "3  executable 16 m [a.exe]\n"));

	buf_clear(&mail);
	put_mail(&mail, "x.zip");
	put_nested(&mail, 3);
	assert_true(gives(buf_str(&mail), &limits, "deeper",
	    "0 a/b zip 469 - [x.zip]\n"
	    "1  zip 354 m [in.zip]\n"
	    "2  zip 239 m [in.zip]\n"
	    "3  zip 124 ml [in.zip]\n!l\n"));
	buf_fini(&mail);
}

static void
path_names_every_archive(void **state)
{
	struct arena *a = arena_new(MAX_MEMORY);
	struct buf mail = { 0 };
	struct view *v;

	(void)state;
	put_mail(&mail, "x.zip");
	put_nested(&mail, 1);
	v = view_new(buf_str(&mail), &view_limits_default, a);
	assert_str(v->last->path, "x.zip/in.zip/a.exe");
	buf_fini(&mail);
	arena_free(a);
}

/* ---- limits ---- */

/* A member that is not unpacked to its end says so, and so does the mail. */
static void
bombs_end_at_limits(void **state)
{
	static char zeros[60000];
	const struct member m[] = {
		{ .name = "big.zip",
		    .data = { zeros, sizeof(zeros) },
		    .method = 8 },
		{ .name = "a.exe", EXE },
		{ 0 },
	};
	struct view_limits limits = view_limits_default;
	struct buf mail = { 0 };

	(void)state;
	limits.max_unpacked = 20000;
	put_mail(&mail, "x.zip");
	put_zip(&mail, m, "");
	assert_true(gives(buf_str(&mail), &limits, "bomb",
	    "0 a/b zip 60219 - [x.zip]\n"
	    "1  unknown 60000 ml [big.zip]\n"
	    "1  executable 16 m [a.exe]\n!l\n"));
	limits = view_limits_default;
	limits.max_archive_members = 1;
	assert_true(gives(buf_str(&mail), &limits, "members",
	    "0 a/b zip 60219 l [x.zip]\n"
	    "1  unknown 60000 m [big.zip]\n!l\n"));
	limits = view_limits_default;
	limits.max_parts = 2;
	assert_true(gives(buf_str(&mail), &limits, "parts",
	    "0 a/b zip 60219 l [x.zip]\n"
	    "1  unknown 60000 m [big.zip]\n!l\n"));
	buf_fini(&mail);
}

/* ---- other formats ---- */

#define GZIP(bytes)                                                            \
	"\x1f\x8b\x08\0\0\0\0\0\0\3\1\x10\0\xef\xff" bytes "\x27\xb7\xe4\xd7"  \
	"\x10\0\0\0"

static void
what_is_no_zip(void **state)
{
	struct buf mail = { 0 };

	(void)state;
	put_mail(&mail, "a.exe.gz");
	buf_add(&mail, GZIP(PROGRAM), sizeof(GZIP(PROGRAM)) - 1);
	assert_true(gives(buf_str(&mail), &view_limits_default, "gzip",
	    "0 a/b gzip 39 - [a.exe.gz]\n"
	    "1  executable 16 m [a.exe]\n"));

	buf_clear(&mail);
	put_mail(&mail, "a.7z");
	buf_add(&mail, "7z\xbc\xaf\x27\x1c\0\4 and no more", 21);
	assert_true(gives(buf_str(&mail), &view_limits_default, "cut 7z",
	    "0 a/b sevenzip 21 b [a.7z]\n!b\n"));

	buf_clear(&mail);
	put_mail(&mail, "a.cab");
	buf_puts(&mail, "MSCF and nothing a cabinet has");
	assert_true(gives(buf_str(&mail), &view_limits_default, "no cabinet",
	    "0 a/b other 30 b [a.cab]\n!b\n"));
	buf_fini(&mail);
}

/* ---- two things at once, and what libarchive alone does not tell ---- */

/* Of "a()" called a.js, or a.txt where it is locked. */
#define SEVENZIP \
	"7z\xbc\xaf'\x1c\x00\x04\xd0\xeaZ\xc9\x03\x00\x00\x00\x00\x00" \
	"\x00\x00" "6\x00\x00\x00\x00\x00\x00\x00\"\xf2\x1a\x07" "a()" \
	"\x01\x04\x06\x00\x01\x09\x03\x00\x07\x0b\x01\x00\x01\x01\x00" \
	"\x0c\x03\x00\x08\x0a\x01\xc3N\xbb\xa9\x00\x00\x05\x01\x11\x0b" \
	"\x00" "a\x00.\x00j\x00s\x00\x00\x00\x19\x00\x15\x06\x01\x00 " \
	"\x80\xa4\x81\x00\x00"

#define SEVENZIP_UMLAUT \
	"7z\xbc\xaf'\x1c\x00\x04\x9e\x12\x16V\x03\x00\x00\x00\x00\x00" \
	"\x00\x00" "6\x00\x00\x00\x00\x00\x00\x00-D~\x03" "a()\x01\x04" \
	"\x06\x00\x01\x09\x03\x00\x07\x0b\x01\x00\x01\x01\x00\x0c\x03" \
	"\x00\x08\x0a\x01\xc3N\xbb\xa9\x00\x00\x05\x01\x11\x0b\x00\xe4" \
	"\x00.\x00j\x00s\x00\x00\x00\x19\x00\x15\x06\x01\x00 \x80\xa4" \
	"\x81\x00\x00"

#define RAR5 \
	"Rar!\x1a\x07\x01\x00\xc5\x1a" "32\x03\x01\x00\x00\x83" "0\xdc" \
	"" "F\x11\x02\x02\x03\x04\x03 \xc3N\xbb\xa9\x00\x01\x04" "a.jsa" \
	"()\x19\xb2:5\x03\x05\x00\x00"

#define RAR5_LOCKED \
	"Rar!\x1a\x07\x01\x00\xc5\x1a" "32\x03\x01\x00\x00\x09\x08u>8" \
	"\x02\x03%\x10\x04\x10 @\xd2\xfa.\x00\x01\x05" "a.txt$\x01\x00" \
	"\x00\x0fSSSSSSSSSSSSSSSSIIIIIIIIIIIIIIIIEEEEEEEEEEEEEEEE\x19" \
	"\xb2:5\x03\x05\x00\x00"

#define RAR5_ALL_LOCKED \
	"Rar!\x1a\x07\x01\x00;\xf9\xbdT\x15\x04\x00\x00\x00\x0fSSSSSSSS" \
	"SSSSSSSSEEEEEEEEEEEEEEEEEEEEEEEEEE"

#define TNEF \
	"x\x9f>\"\x01\x00\x01\x06\x90\x08\x00\x04\x00\x00\x00\x00\x00" \
	"\x01\x00\x01\x00\x02\x02\x90\x06\x00\x0e\x00\x00\x00\x01\x00" \
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x02" \
	"\x10\x80\x01\x00\x05\x00\x00\x00" "a.js\x00l\x01\x02\x0f\x80" \
	"\x06\x00\x03\x00\x00\x00" "a()\xb2\x00"

#define LZH \
	"\x1a\x82-lh0-\x03\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00 " \
	"\x00\x04" "a.js\x8e\x00" "a()\x00"

#define GZIP_EXTRA \
	"\x1f\x8b\x08\x0c\x00\x00\x00\x00\x00\x00\x02\x00xxa.js\x00\x01" \
	"\x03\x00\xfc\xff" "a()\xc3N\xbb\xa9\x03\x00\x00\x00"

static const struct pn_str junk = PN_STR("junk in front of it ");

/* The seventh edition's header, of names, sizes and a sum. */
static void
put_tape(struct buf *out, const char *name, struct pn_str data)
{
	char block[512] = { 0 };
	unsigned sum = 0;

	memcpy(block, name, strlen(name));
	(void)snprintf(block + 124, 12, "%011zo", data.n);
	memset(block + 148, ' ', 8);
	for (size_t i = 0; i < sizeof(block); i++)
		sum += (unsigned char)block[i];
	(void)snprintf(block + 148, 8, "%06o", sum);
	buf_add(out, block, sizeof(block));
	buf_add_str(out, data);
	memset(block, 0, sizeof(block));
	buf_add(out, block, (512 - data.n % 512) % 512);
}

static void
put_tape_end(struct buf *out)
{
	for (int i = 0; i < 1024; i++)
		buf_add(out, "", 1);
}

static const struct member one_note[] = { { .name = "note", TXT }, { 0 } };

static void
put_note(struct buf *out)
{
	put_zip(out, one_note, "");
}

static const struct other_case {
	const char *name, *file;
	struct pn_str bytes;
	bool behind_junk, with_zip;
	const char *want;
} others[] = {
	{ "7z", "a.7z", PN_STR(SEVENZIP), .want =
	    "0 a/b sevenzip 89 - [a.7z]\n1  text 3 m [a.js]\n" },
	{ "7z, and its name is not ASCII", "a.7z", PN_STR(SEVENZIP_UMLAUT),
	    .want = "0 a/b sevenzip 89 - [a.7z]\n"
		    "1  text 3 m [\xc3\xa4.js]\n" },
	{ "7z with a zip behind it", "a.7z", PN_STR(SEVENZIP), .with_zip = true,
	    .want = "0 a/b sevenzip 199 a [a.7z]\n1  text 4 m [note]\n"
		    "1  text 3 m [a.js]\n!a\n" },
	{ "7z behind something", "a.7z", PN_STR(SEVENZIP), .behind_junk = true,
	    .want = "0 a/b unknown 109 a [a.7z]\n1  text 3 m [a.js]\n!a\n" },
	{ "rar", "a.rar", PN_STR(RAR5), .want =
	    "0 a/b rar 49 - [a.rar]\n1  text 3 m [a.js]\n" },
	{ "rar behind something", "a.rar", PN_STR(RAR5), .behind_junk = true,
	    .want = "0 a/b unknown 69 a [a.rar]\n1  text 3 m [a.js]\n!a\n" },
	{ "rar with a zip behind it", "a.rar", PN_STR(RAR5), .with_zip = true,
	    .want = "0 a/b rar 159 a [a.rar]\n1  text 4 m [note]\n"
		    "1  text 3 m [a.js]\n!a\n" },
	{ "rar with a locked file", "a.rar", PN_STR(RAR5_LOCKED), .want =
	    "0 a/b rar 101 e [a.rar]\n1  text 16 m [a.txt]\n" },
	{ "rar that is locked", "a.rar", PN_STR(RAR5_ALL_LOCKED), .want =
	    "0 a/b rar 60 eb [a.rar]\n!b\n" },
	{ "lzh", "a.lzh", PN_STR(LZH), .want =
	    "0 a/b other 32 - [a.lzh]\n1  text 3 m [a.js]\n" },
	{ "gzip with an extra field", "a.gz", PN_STR(GZIP_EXTRA), .want =
	    "0 a/b gzip 35 - [a.gz]\n1  text 3 m [a.js|a]\n" },
	{ "winmail.dat", "winmail.dat", PN_STR(TNEF), .want =
	    "0 a/b other 76 - [winmail.dat]\n1  text 3 m [a.js]\n" },
	{ "winmail.dat, cut", "winmail.dat", { TNEF, 73 }, .want =
	    "0 a/b other 73 b [winmail.dat]\n1  text 2 m [a.js]\n!b\n" },
	{ "ace", "a.ace", PN_STR("1234567**ACE**"), .want =
	    "0 a/b other 14 l [a.ace]\n!l\n" },
	{ "a locked document", "a.docx",
	    PN_STR("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 and on E\0n\0c\0r\0y\0p"
		   "\0t\0e\0d\0P\0a\0c\0k\0a\0g\0e\0"),
	    .want = "0 a/b ole 48 e [a.docx]\n" },
	{ "a notebook", "a.one",
	    PN_STR("\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d and on"),
	    .want = "0 a/b other 15 l [a.one]\n!l\n" },
	{ "a disk", "a.vhd", PN_STR("conectix"), .want =
	    "0 a/b other 8 l [a.vhd]\n!l\n" },
	{ "a program with a picture's mark", "a", PN_STR("MZ\1\1\1\1\1\1WEBP"),
	    .want = "0 a/b executable 12 - [a]\n" },
};

static void
what_is_two_things(void **state)
{
	struct buf mail = { 0 };

	(void)state;
	for (size_t i = 0; i < PN_COUNT(others); i++) {
		const struct other_case *c = &others[i];

		buf_clear(&mail);
		put_mail(&mail, c->file);
		if (c->behind_junk)
			buf_add_str(&mail, junk);
		buf_add_str(&mail, c->bytes);
		if (c->with_zip)
			put_note(&mail);
		assert_true(gives(buf_str(&mail), &view_limits_default,
		    c->name, c->want));
	}
	buf_fini(&mail);
}

static void
tape_archives(void **state)
{
	struct buf mail = { 0 }, zip = { 0 };

	(void)state;
	put_note(&zip);
	put_mail(&mail, "a.tar");
	put_tape(&mail, "a.js", PN_STR_V("a()"));
	put_tape(&mail, "b.zip", buf_str(&zip));
	put_tape_end(&mail);
	assert_true(gives(buf_str(&mail), &view_limits_default,
	    "a tape archive is not the zip in it",
	    "0 a/b other 3072 - [a.tar]\n"
	    "1  text 3 m [a.js]\n"
	    "1  zip 110 m [b.zip]\n"
	    "2  text 4 m [note]\n"));
	buf_clear(&mail);
	put_mail(&mail, "a.tar");
	put_tape(&mail, "MZ.js", PN_STR_V("a()"));
	put_tape_end(&mail);
	assert_true(gives(buf_str(&mail), &view_limits_default,
	    "a name that begins like a program",
	    "0 a/b other 2048 - [a.tar]\n1  text 3 m [MZ.js]\n"));
	buf_fini(&zip);
	buf_fini(&mail);
}

/* Mail readers open what a zip holds. */
static void
messages_in_archives(void **state)
{
	static const struct pn_str mail_inside = PN_STR(
	    "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
	    "--b\r\nContent-Disposition: attachment; filename=a.js\r\n\r\n"
	    "a()\r\n--b--\r\n");
	static const struct pn_str uu_inside = PN_STR(
	    "begin 644 a.js\n#82@I\n`\nend\n");
	const struct member m[] = {
		{ .name = "a.eml", .data = mail_inside },
		{ .name = "b.EML. ", .data = mail_inside, .method = 8 },
		{ .name = "c.uue", .data = uu_inside },
		{ 0 },
	};

	(void)state;
	assert_true(zip_gives("messages in a zip", m,
	    "0 a/b zip 540 - [x.zip]\n"
	    "1  text 112 m [a.eml]\n"
	    "2 multipart/mixed - 0 c []\n"
	    "2 text/plain text 3 - [a.js]\n"
	    "1  text 112 m [b.EML. ]\n"
	    "2 multipart/mixed - 0 c []\n"
	    "2 text/plain text 3 - [a.js]\n"
	    "1  text 27 m [c.uue]\n"
	    "2 application/octet-stream text 3 - [a.js]\n"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zips_in_every_reading),
		cmocka_unit_test(zips_in_company),
		cmocka_unit_test(zip_in_zip),
		cmocka_unit_test(path_names_every_archive),
		cmocka_unit_test(bombs_end_at_limits),
		cmocka_unit_test(what_is_no_zip),
		cmocka_unit_test(what_is_two_things),
		cmocka_unit_test(tape_archives),
		cmocka_unit_test(messages_in_archives),
	};

	/* As the inspector does: names in other alphabets need it. */
	assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));

	return cmocka_run_group_tests_name("archive", tests, NULL, NULL);
}
