/* type - see type.h. */
#include "inspect/type.h"

#include "base/lanes.h"
#include "inspect/find.h"

const char type_executable[] = "executable", type_script[] = "script",
	   type_zip[] = "zip", type_rar[] = "rar",
	   type_sevenzip[] = "sevenzip", type_gzip[] = "gzip",
	   type_pdf[] = "pdf", type_ole[] = "ole", type_rtf[] = "rtf",
	   type_image[] = "image", type_html[] = "html", type_text[] = "text",
	   type_other[] = "other", type_unknown[] = "unknown";

static const struct signature {
	size_t at;
	struct pn_str bytes;
	const char *type;
} signatures[] = {
	{ 0, PN_STR("\177ELF"), type_executable },
	{ 0, PN_STR("\xfe\xed\xfa\xce"), type_executable }, /* Mach-O */
	{ 0, PN_STR("\xfe\xed\xfa\xcf"), type_executable },
	{ 0, PN_STR("\xce\xfa\xed\xfe"), type_executable },
	{ 0, PN_STR("\xcf\xfa\xed\xfe"), type_executable },
	{ 0, PN_STR("\xca\xfe\xba\xbe"), type_executable }, /* fat, or Java */
	{ 0, PN_STR("dex\n03"), type_executable },
	{ 0, PN_STR("L\0\0\0\1\x14\2\0"), type_executable }, /* .lnk */
	{ 0, PN_STR("#!"), type_script },
	{ 0, PN_STR("\xef\xbb\xbf#!"), type_script },
	{ 0, PN_STR("PK\3\4"), type_zip },
	{ 0, PN_STR("PK\5\6"), type_zip }, /* empty */
	{ 0, PN_STR("PK\7\10"), type_zip }, /* one of several volumes */
	{ 0, PN_STR("PK00PK\3\4"), type_zip },
	{ 0, PN_STR("Rar!\x1a\7"), type_rar },
	{ 0, PN_STR("7z\xbc\xaf\x27\x1c"), type_sevenzip },
	{ 0, PN_STR("\x1f\x8b"), type_gzip },
	{ 0, PN_STR("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), type_ole },
	{ 0, PN_STR("{\\rt"), type_rtf },
	{ 0, PN_STR("\x89PNG\r\n\x1a\n"), type_image },
	{ 0, PN_STR("\xff\xd8\xff"), type_image },
	{ 0, PN_STR("GIF87a"), type_image },
	{ 0, PN_STR("GIF89a"), type_image },
	{ 8, PN_STR("WEBP"), type_image },
	{ 0, PN_STR("II*\0"), type_image }, /* TIFF */
	{ 0, PN_STR("MM\0*"), type_image },
	{ 0, PN_STR("\0\0\1\0"), type_image }, /* icon */
	{ 0, PN_STR("BZh"), type_other },
	{ 0, PN_STR("\xfd" "7zXZ\0"), type_other },
	{ 0, PN_STR("\x28\xb5\x2f\xfd"), type_other }, /* zstd */
	{ 0, PN_STR("\4\"M\x18"), type_other }, /* lz4 */
	{ 0, PN_STR("\x1f\x9d"), type_other }, /* compress */
	{ 0, PN_STR("\x5d\0\0"), type_other }, /* lzma */
	{ 0, PN_STR("LZIP"), type_other },
	{ 0, PN_STR("070701"), type_other }, /* cpio */
	{ 0, PN_STR("070702"), type_other },
	{ 0, PN_STR("070707"), type_other },
	{ 0, PN_STR("MSCF"), type_other }, /* cabinet */
	{ 0, PN_STR("ITSF"), type_other }, /* compiled help */
	{ 2, PN_STR("-lh"), type_other },
	{ 2, PN_STR("-lz"), type_other },
	{ 0, PN_STR("\x60\xea"), type_other }, /* arj */
	{ 7, PN_STR("**ACE**"), type_other },
	{ 0, PN_STR("MSWIM\0\0\0"), type_other },
	{ 0, PN_STR("vhdxfile"), type_other },
	{ 0, PN_STR("conectix"), type_other }, /* a disk image */
	{ 0, PN_STR("\0\5\x16\0\0"), type_other }, /* AppleSingle */
	{ 0, PN_STR("\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d"),
	    type_other }, /* OneNote */
	{ 0, PN_STR("xar!"), type_other },
	{ 0, PN_STR("!<arch>\n"), type_other },
	{ 0, PN_STR("OggS"), type_other },
	{ 0, PN_STR("ID3"), type_other },
	{ 0, PN_STR("RIFF"), type_other },
	{ 4, PN_STR("ftyp"), type_other }, /* MP4 and its kin */
	{ 0, PN_STR("%!PS"), type_other },
	{ 0, PN_STR("wOFF"), type_other },
	{ 0, PN_STR("wOF2"), type_other },
	{ 0, PN_STR("\x78\x9f\x3e\x22"), type_other }, /* TNEF */
	{ 0, PN_STR("\0asm"), type_other },
	{ 0, PN_STR("SQLite format 3"), type_other },
};

/* The control characters that no text has. */
static bool
any_control(lanes c)
{
	lanes text = (c == lanes_of('\t')) | (c == lanes_of('\n')) |
	    (c == lanes_of('\r')) | (c == lanes_of('\f')) |
	    (c == lanes_of(26)) | (c == lanes_of(27));

	return lanes_any(((c >= lanes_of(0)) & (c < lanes_of(' ')) & ~text) |
	    (c == lanes_of(127)));
}

static bool
has_control(struct pn_str s)
{
	char last[LANES];

	for (; s.n >= LANES; s = pn_str_sub(s, LANES, s.n))
		if (any_control(lanes_at(s.p)))
			return true;
	memset(last, ' ', sizeof(last));
	if (s.n > 0)
		memcpy(last, s.p, s.n);
	return any_control(lanes_at(last));
}

static unsigned
sum_of(struct pn_str s)
{
	unsigned sum = 0;

	for (size_t i = 0; i < s.n; i++)
		sum += (unsigned char)s.p[i];
	return sum;
}

/* The header's sum, counted with blanks where it stands itself: so the
 * oldest form, which has no signature, is known too. */
bool
type_is_tar(struct pn_str s)
{
	unsigned want = 0;
	size_t i = 148;

	if (s.n < 512)
		return false;
	if (pn_str_starts(pn_str_sub(s, 257, 5), PN_STR_V("ustar")))
		return true;
	while (i < 156 && s.p[i] == ' ')
		i++;
	for (; i < 156 && s.p[i] >= '0' && s.p[i] <= '7'; i++)
		want = want * 8 + (unsigned)(s.p[i] - '0');
	/* The sum is made for what has a number there: hardly any text. */
	return want != 0 && want == 8 * ' ' + sum_of(pn_str_sub(s, 0, 148)) +
	    sum_of(pn_str_sub(s, 156, 512 - 156));
}

/*
 * A DOS header is no text; "MZ" alone may begin a letter, or the name that a
 * tape archive begins with: then nothing stands where a new header would.
 */
static bool
is_dos_program(struct pn_str s)
{
	return s.n > 2 &&
	    (pn_str_starts(s, PN_STR_V("MZ")) ||
		pn_str_starts(s, PN_STR_V("ZM"))) &&
	    has_control(pn_str_sub(s, 2, 62)) &&
	    !(type_is_tar(s) && memcmp(s.p + 60, "\0\0\0\0", 4) == 0);
}

/* "BM", a size, two zero words, and a header size that makes sense. */
static bool
is_bitmap(struct pn_str s)
{
	return s.n >= 18 && pn_str_starts(s, PN_STR_V("BM")) &&
	    memcmp(s.p + 6, "\0\0\0\0", 4) == 0 && s.p[14] != 0 &&
	    s.p[15] == 0;
}

static struct pn_str
skip_mark_and_blanks(struct pn_str s)
{
	if (pn_str_starts(s, PN_STR_V("\xef\xbb\xbf")))
		s = pn_str_sub(s, 3, s.n);
	while (s.n > 0 && strchr(" \t\r\n\f", s.p[0]) != NULL && s.p[0] != '\0')
		s = pn_str_sub(s, 1, s.n);
	return s;
}

static bool
begins_with_any(struct pn_str s, const char *const *words)
{
	for (; *words != NULL; words++) {
		struct pn_str w = pn_str_of(*words);

		if (pn_str_caseeq(pn_str_sub(s, 0, w.n), w))
			return true;
	}
	return false;
}

static const char *
text_kind(struct pn_str s)
{
	static const char *const html[] = { "<!doctype html", "<html", "<head",
		"<body", "<script", "<iframe", "<svg", "<title", "<style",
		"<meta", "<table", "<div", "<form", NULL };
	static const char *const script[] = { "@echo", "<?php", "<job", "<package",
		"<%@", "on error resume next", "<hta:", NULL };
	struct pn_str first = skip_mark_and_blanks(s);

	if (begins_with_any(first, html))
		return type_html;
	if (begins_with_any(first, script))
		return type_script;
	return NULL;
}

/* UTF-16 by its mark, or nothing that a text never has. */
static bool
is_text(struct pn_str s)
{
	return pn_str_starts(s, PN_STR_V("\xff\xfe")) ||
	    pn_str_starts(s, PN_STR_V("\xfe\xff")) || !has_control(s);
}

const char *
type_of(struct pn_str s)
{
	const char *kind;

	if (s.n == 0)
		return type_unknown;
	/* First: nothing of a DOS header but its start needs to be right, so
	 * any later signature can stand in it. */
	if (is_dos_program(s))
		return type_executable;
	for (size_t i = 0; i < PN_COUNT(signatures); i++) {
		const struct signature *g = &signatures[i];

		if (pn_str_starts(pn_str_sub(s, g->at, s.n), g->bytes))
			return g->type;
	}
	if (is_bitmap(s))
		return type_image;
	if (type_is_tar(s))
		return type_other;
	/* Readers of PDF look for its mark in the first 1,024 bytes. */
	if (find_word(pn_str_sub(s, 0, 1024), PN_STR_V("%PDF-")) != NULL)
		return type_pdf;
	kind = text_kind(s);
	if (kind != NULL)
		return kind;
	return is_text(s) ? type_text : type_unknown;
}
