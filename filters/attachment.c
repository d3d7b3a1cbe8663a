/*
 * attachment - what is attached, by name and by what it truly is; forwarded
 * and packed things included.
 *
 * RFC 2183 2.3, RFC 2231: the view has decoded the name already, in every
 * reading it has; each reading counts.
 */
#include "filter.h"

#define EXTS 3    /* dots of a name that are looked behind, from its end */
#define EXT_MAX 32

static const char *const magics[] = { "executable", "script", "zip", "rar",
	"sevenzip", "gzip", "pdf", "ole", "rtf", "image", "html", "text", "other",
	"unknown", NULL };

#define PART(what, kind, ...)                                                  \
	{ .name = "part." what, .type = (kind), .stage = PN_STAGE_MESSAGE,     \
	    __VA_ARGS__ }
#define MESSAGE(what, kind, ...)                                               \
	{ .name = (what), .type = (kind), .stage = PN_STAGE_MESSAGE, __VA_ARGS__ }

static const struct pn_fact_decl facts[] = {
	PART("name", PN_STRING, .flags = PN_FACT_MANY,
	    .help = "each name it goes by"),
	PART("ext", PN_STRING, .flags = PN_FACT_MANY,
	    .help = "each ending of each name, lower case, without the dot"),
	PART("type", PN_STRING, .help = "declared MIME type, lower case"),
	PART("magic", PN_WORD, .words = magics,
	    .help = "what its first bytes say it is"),
	PART("size", PN_NUMBER, .help = "bytes, decoded"),
	PART("depth", PN_NUMBER,
	    .help = "messages and archives around it: 0 is what was attached"),
	PART("path", PN_STRING, .help = "\"invoice.zip/a/b.exe\""),
	PART("encrypted", PN_BOOL, .help = "locked by a password"),
	PART("broken", PN_BOOL, .help = "cannot be read to its end"),
	PART("ambiguous", PN_BOOL, .help = "readers differ in what it is"),
	PART("limit", PN_BOOL, .help = "there is more in it than was read"),
	PART("member", PN_BOOL, .help = "lies in an archive"),
	PART("program", PN_BOOL,
	    .help = "starts like a program or script, whatever its name"),
	MESSAGE("archive.members", PN_NUMBER,
	    .help = "members of all archives"),
	MESSAGE("archive.depth", PN_NUMBER,
	    .help = "how deep things are packed or forwarded"),
	MESSAGE("mime.broken", PN_BOOL,
	    .help = "an encoding or a boundary is not closed"),
	MESSAGE("mime.limit", PN_BOOL,
	    .help = "a limit stopped the reading: there is more"),
	MESSAGE("mime.charset", PN_BOOL,
	    .help = "text in a charset that is not read"),
	{ .name = NULL },
};

/* ---- endings ---- */

/* Code points no eye sees; 3 bytes each in UTF-8: U+200B-200F, 202A-202E,
 * 2060-2069, FEFF. */
static bool
is_invisible(struct pn_str s)
{
	unsigned char a, b, c;

	if (s.n < 3)
		return false;
	a = (unsigned char)s.p[0];
	b = (unsigned char)s.p[1];
	c = (unsigned char)s.p[2];
	if (a == 0xe2 && b == 0x80)
		return (c >= 0x8b && c <= 0x8f) || (c >= 0xaa && c <= 0xae);
	if (a == 0xe2 && b == 0x81)
		return c >= 0xa0 && c <= 0xa9;
	return a == 0xef && b == 0xbb && c == 0xbf;
}

/*
 * What can stand behind an ending without changing what it opens: Windows
 * drops dots and blanks at the end of a name when it writes the file, readers
 * drop what no name may have, and it cuts at a control character or a stream's colon ("a.exe::$DATA").
 */
static struct pn_str
strip_end(struct pn_str s)
{
	for (;;) {
		unsigned char c = s.n > 0 ? (unsigned char)s.p[s.n - 1] : 'x';

		if (c == '.' || c <= ' ' || c == '"' || c == '\'' || c == 127 ||
		    (c < 127 && strchr("/\\?*<>|", c) != NULL))
			s.n--;
		else if (s.n >= 3 &&
		    is_invisible(pn_str_sub(s, s.n - 3, 3)))
			s.n -= 3;
		else if (s.n >= 2 && (unsigned char)s.p[s.n - 2] == 0xc2 &&
		    c == 0xa0)
			s.n -= 2; /* no-break space */
		else
			return s;
	}
}

/* Lower case, without what no eye sees; false when it is no ending. */
static bool
clean_ext(struct pn_str s, char out[EXT_MAX], struct pn_str *ext)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (is_invisible(pn_str_sub(s, i, 3))) {
			i += 2;
			continue;
		}
		if (n == EXT_MAX || c == '/' || c == '\\' || c == ':')
			return false;
		if (c > ' ' && c != 127)
			out[n++] = pn_lower((char)c);
	}
	*ext = (struct pn_str){ out, n };
	return n > 0;
}

/* Is what stands between two dots an ending, and not part of a sentence? */
static bool
looks_like_ext(struct pn_str e)
{
	for (size_t i = 0; i < e.n; i++)
		if (!((e.p[i] >= 'a' && e.p[i] <= 'z') ||
			(e.p[i] >= 'A' && e.p[i] <= 'Z') ||
			(e.p[i] >= '0' && e.p[i] <= '9')))
			return false;
	return e.n > 0 && e.n <= 4;
}

/*
 * The ending of the name as a reader's system takes it, and with what stands
 * in front of it where that looks like an ending too: "gz" and "tar.gz";
 * "exe" and "pdf.exe". Of "a.exe. ", "a.exe:b" and "a.exe::$DATA": "exe".
 */
static void
give_exts(struct pn_part *p, struct pn_str name)
{
	const char *colon = name.n > 2 ? memchr(name.p + 2, ':', name.n - 2) :
					 NULL;
	struct pn_str s = strip_end(name), left = s;

	for (unsigned i = 0; i < EXTS && left.n > 0; i++) {
		const char *dot = memrchr(left.p, '.', left.n);
		size_t at = dot == NULL ? 0 : (size_t)(dot - left.p);
		char room[EXT_MAX];
		struct pn_str ext;

		if (dot == NULL || (i > 0 &&
		    !looks_like_ext(pn_str_sub(left, at + 1, left.n))))
			break;
		if (clean_ext(pn_str_sub(s, at + 1, s.n), room, &ext))
			pn_part_fact_str(p, "part.ext", ext);
		left = pn_str_sub(s, 0, at);
	}
	if (colon != NULL)
		give_exts(p, pn_str_sub(name, 0, (size_t)(colon - name.p)));
}

/* ---- a part ---- */

static void
give_flag(struct pn_part *p, const char *fact, unsigned flag)
{
	if (pn_part_flags(p) & flag)
		pn_part_fact(p, fact, PN_TRUE);
}

static bool
is_program(struct pn_str magic)
{
	return pn_str_eq(magic, PN_STR_V("executable")) ||
	    pn_str_eq(magic, PN_STR_V("script"));
}

static void
give_part(struct pn_part *p)
{
	struct pn_str magic = pn_part_magic(p), name;

	for (unsigned i = 0; pn_part_name(p, i, &name); i++) {
		pn_part_fact_str(p, "part.name", name);
		give_exts(p, name);
	}
	pn_part_fact_str(p, "part.type", pn_part_type(p));
	pn_part_fact_str(p, "part.path", pn_part_path(p));
	pn_part_fact_number(p, "part.depth", pn_part_depth(p));
	if (pn_part_is_container(p))
		return;
	pn_part_fact_word(p, "part.magic", magic.n ? magic.p : "unknown");
	pn_part_fact_number(p, "part.size", (int64_t)pn_part_size(p));
	if (is_program(magic))
		pn_part_fact(p, "part.program", PN_TRUE);
	if (pn_part_is_member(p))
		pn_part_fact(p, "part.member", PN_TRUE);
}

/* A flag is a fact where it is set; where it is not, it is absent. */
static void
give_flags(struct pn_part *p)
{
	give_flag(p, "part.encrypted", PN_PART_ENCRYPTED);
	give_flag(p, "part.broken", PN_PART_BROKEN);
	give_flag(p, "part.ambiguous", PN_PART_AMBIGUOUS);
	give_flag(p, "part.limit", PN_PART_LIMIT);
}

static enum pn_step
inspect(struct pn_mail *m)
{
	int64_t members = 0, depth = 0;
	unsigned defects;

	for (struct pn_part *p = pn_first_part(m); p != NULL;
	     p = pn_next_part(m, p)) {
		give_part(p);
		give_flags(p);
		members += pn_part_is_member(p);
		if (pn_part_depth(p) > depth)
			depth = pn_part_depth(p);
	}
	defects = pn_mime_defects(m);
	pn_fact_number(m, "archive.members", members);
	pn_fact_number(m, "archive.depth", depth);
	pn_fact_bool(m, "mime.broken", (defects & PN_DEFECT_BROKEN) != 0);
	pn_fact_bool(m, "mime.limit", (defects & PN_DEFECT_LIMIT) != 0);
	pn_fact_bool(m, "mime.charset", (defects & PN_DEFECT_CHARSET) != 0);
	return PN_NEXT;
}

const struct pn_filter pn_filter_attachment = {
	.abi = PN_ABI,
	.name = "attachment",
	.facts = facts,
	.inspect = inspect,
};
