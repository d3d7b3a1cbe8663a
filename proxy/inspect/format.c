/* format - see format.h. */
#include "inspect/format.h"

#include "inspect/type.h"

#define SECTOR 2048
#define DESCRIPTORS 16 /* sector of the first; ECMA-119 6.7.1, ECMA-167 2/8 */
#define LAST 64        /* sector behind the last that is looked at */

static bool
at(struct pn_str s, size_t where, struct pn_str what)
{
	return pn_str_starts(pn_str_sub(s, where, what.n), what);
}

static bool
begins_with(struct pn_str s, const struct pn_str *signs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (pn_str_starts(s, signs[i]))
			return true;
	return false;
}

/* ---- signs ---- */

static bool
is_rar(struct pn_str s)
{
	return pn_str_starts(s, PN_STR_V("Rar!\x1a\7"));
}

static bool
is_7z(struct pn_str s)
{
	return pn_str_starts(s, PN_STR_V("7z\xbc\xaf\x27\x1c"));
}

static bool
is_cab(struct pn_str s)
{
	return pn_str_starts(s, PN_STR_V("MSCF"));
}

static bool
is_lha(struct pn_str s)
{
	return at(s, 2, PN_STR_V("-lh")) || at(s, 2, PN_STR_V("-lz"));
}

static bool
is_cpio(struct pn_str s)
{
	static const struct pn_str signs[] = { PN_STR("070701"),
		PN_STR("070702"), PN_STR("070707"), PN_STR("\xc7\x71"),
		PN_STR("\x71\xc7") };

	return begins_with(s, signs, PN_COUNT(signs));
}

static bool
is_ar(struct pn_str s)
{
	return pn_str_starts(s, PN_STR_V("!<arch>\n"));
}

static bool
is_compressed(struct pn_str s)
{
	static const struct pn_str signs[] = { PN_STR("\x1f\x8b"),
		PN_STR("\x1f\x9d"), PN_STR("BZh"), PN_STR("\xfd" "7zXZ"),
		PN_STR("\x28\xb5\x2f\xfd"), PN_STR("LZIP"),
		PN_STR("\x5d\0\0"), PN_STR("\4\"M\x18") };

	return begins_with(s, signs, PN_COUNT(signs));
}

bool
format_is_iso(struct pn_str s)
{
	return at(s, DESCRIPTORS * SECTOR + 1, PN_STR_V("CD001"));
}

static bool
has_descriptor(struct pn_str s, struct pn_str id)
{
	for (size_t i = DESCRIPTORS; i < LAST; i++)
		if (at(s, i * SECTOR, id))
			return true;
	return false;
}

/* Windows shows Joliet's tree; libarchive Rock Ridge's if there is one. */
static bool
has_two_trees(struct pn_str s)
{
	return format_is_iso(s) &&
	    has_descriptor(s, PN_STR_V("\2CD001")) &&
	    memmem(s.p, s.n, "SP\7\1\xbe\xef", 6) != NULL;
}

/* The first of what programs find behind something else. */
static size_t
search_signs(struct pn_str s, struct sighting *out)
{
	static const struct {
		struct pn_str sign;
		enum format format;
	} later[] = {
		{ PN_STR("Rar!\x1a\7"), FORMAT_RAR },
		{ PN_STR("7z\xbc\xaf\x27\x1c"), FORMAT_7Z },
		{ PN_STR("MSCF\0\0\0\0"), FORMAT_CAB },
	};
	size_t n = 0;

	for (size_t i = 0; i < PN_COUNT(later); i++) {
		const char *p = s.n == 0 ? NULL :
		    memmem(s.p, s.n, later[i].sign.p, later[i].sign.n);

		if (p != NULL)
			out[n++] = (struct sighting){ later[i].format,
				(size_t)(p - s.p) };
	}
	return n;
}

size_t
format_see(struct pn_str s, bool search, struct sighting *out)
{
	static bool (*const shows[FORMATS])(struct pn_str) = {
		[FORMAT_RAR] = is_rar,
		[FORMAT_7Z] = is_7z,
		[FORMAT_CAB] = is_cab,
		[FORMAT_ISO] = format_is_iso,
		[FORMAT_JOLIET] = has_two_trees,
		[FORMAT_TAR] = type_is_tar,
		[FORMAT_LHA] = is_lha,
		[FORMAT_CPIO] = is_cpio,
		[FORMAT_AR] = is_ar,
		[FORMAT_COMPRESSED] = is_compressed,
	};
	size_t n = 0;

	for (enum format f = 0; f < FORMATS; f++)
		if (shows[f](s))
			out[n++] = (struct sighting){ f, 0 };
	return n == 0 && search ? search_signs(s, out) : n;
}

/* A disk's footer is its last sector; a copy may begin the file. */
static bool
is_disk(struct pn_str s)
{
	struct pn_str last = pn_str_sub(s, s.n > 512 ? s.n - 512 : 0, 512);

	return pn_str_starts(s, PN_STR_V("conectix")) ||
	    pn_str_starts(s, PN_STR_V("vhdxfile")) ||
	    pn_str_starts(last, PN_STR_V("conectix")) ||
	    pn_str_starts(last, PN_STR_V("koly"));
}

bool
format_is_closed(struct pn_str s)
{
	static const struct pn_str signs[] = {
		PN_STR("\x60\xea"),                 /* arj */
		PN_STR("MSWIM\0\0\0"),
		PN_STR("xar!"),                     /* wants an XML reader */
		PN_STR("ITSF"),                     /* compiled help */
		PN_STR("\0\5\x16\0\0"),             /* AppleSingle */
		PN_STR("\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d"), /* OneNote */
	};

	return begins_with(s, signs, PN_COUNT(signs)) || is_disk(s) ||
	    at(s, 7, PN_STR_V("**ACE**")) ||
	    has_descriptor(s, PN_STR_V("\0NSR0")); /* UDF: another tree */
}
