/*
 * archive - what a leaf truly is, and what lies in it if it is an archive.
 *
 * Called by mime for each leaf. Zip directories are our own reading (zip.h),
 * of all other formats it is libarchive's (archive_unpack.c), as the signature
 * says. Members become parts behind their archive; those that are archives are
 * unpacked and looked into in turn.
 */
#include "inspect/archive_inside.h"

#include <stdlib.h>

#include "inspect/charset.h"
#include "inspect/find.h"
#include "inspect/rar.h"
#include "inspect/tnef.h"
#include "inspect/type.h"

#define TAIL 1024 /* bytes in which a short archive comment leaves its end */

bool
archive_is_named(const struct pn_part *p)
{
	static const char *const endings[] = { ".zip", ".jar", ".war", ".ear",
		".apk", ".xpi", ".docx", ".docm", ".dotx", ".dotm", ".xlsx",
		".xlsm", ".xlsb", ".xltm", ".xlam", ".pptx", ".pptm", ".potm",
		".ppsm", ".ppsx", ".odt", ".ods", ".odp", ".epub", ".zipx",
		".nupkg", ".appx", ".msix", ".kmz", ".cbz", ".iso", ".img",
		".tar", ".rar", ".7z", ".cab", ".gz", ".tgz", ".bz2", ".xz",
		".zst", ".lzh", ".lha", ".arj", ".ace", ".cpio", ".wim", ".vhd",
		".vhdx", ".udf", ".dmg", ".vsdx", ".xltx", ".potx", ".thmx",
		".msixbundle", ".appxbundle", ".vsix", ".crx", ".ipa", NULL };

	return view_has_ending(p, endings);
}

bool
archive_is(const char *magic)
{
	return magic == type_zip || magic == type_rar ||
	    magic == type_sevenzip || magic == type_gzip ||
	    magic == type_other;
}

/* ---- members as parts ---- */

struct pn_part *
archive_add_member(struct view *v, const struct place *place,
    struct pn_part *archive, const struct param_values *names)
{
	struct pn_part *p = NULL;

	if (v->n_members < v->limits.max_archive_members)
		p = view_add(v, place, names, PN_STR_V(""));
	if (p == NULL) {
		limit(archive);
		return NULL;
	}
	v->n_members++;
	p->member = true;
	p->head_whole = true;
	p->magic = type_unknown;
	p->sized = true;
	return p;
}

void
archive_add_name(struct param_values *out, struct pn_str name,
    struct arena *arena)
{
	struct buf b = { .max = 3 * name.n + 4 };
	const char *nul;
	struct pn_str s;

	charset_guess(name, &b);
	s = arena_str(arena, buf_str(&b));
	buf_fini(&b);
	nul = s.n > 0 ? memchr(s.p, '\0', s.n) : NULL;
	if (nul != NULL)
		param_add(out, pn_str_sub(s, 0, (size_t)(nul - s.p)));
	param_add(out, s);
}

/* ---- zip ---- */

/* What was stored can be looked at where it lies. */
static void
look_at_stored(struct view *v, const struct place *place, struct pn_part *p,
    struct pn_str data)
{
	p->head = arena_str(v->arena, pn_str_sub(data, 0, VIEW_HEAD));
	p->magic = type_of(p->head);
	archive_look_into(v, place, p, data);
}

static void
add_zip_member(struct view *v, const struct place *place,
    struct pn_part *archive, const struct zip_member *m)
{
	struct param_values names = { .n = 0 };
	struct place in = *place;
	struct pn_part *p;

	for (size_t i = 0; i < m->n_names; i++)
		archive_add_name(&names, m->names[i], v->arena);
	if ((p = archive_add_member(v, place, archive, &names)) == NULL)
		return;
	p->size = m->size;
	in.path = p->path;
	in.depth++;
	in.archives++;
	if (m->differs || m->hidden) {
		ambiguous(p);
		ambiguous(archive);
	}
	if (m->encrypted) {
		p->flags |= PN_PART_ENCRYPTED;
		archive->flags |= PN_PART_ENCRYPTED;
	} else if (m->method == 0) {
		look_at_stored(v, &in, p, m->data);
	} else if (m->data.n > 0) {
		archive_unpack_zip(v, &in, p, m);
	}
}

static bool
is_folder(const struct zip_member *m)
{
	return m->data.n == 0 && m->size == 0 && m->n_names == 1 &&
	    m->names[0].n > 0 && m->names[0].p[m->names[0].n - 1] == '/';
}

static bool
list_zip(struct view *v, const struct place *place, struct pn_part *p,
    struct pn_str bytes)
{
	struct zip z;

	if (!zip_read(&z, bytes, v->limits.max_archive_members, v->arena))
		return false;
	if (z.cut)
		limit(p);
	if (z.directories > 1)
		ambiguous(p);
	if (z.directories == 0) { /* cut off: its directory is not there */
		p->flags |= PN_PART_BROKEN;
		v->defects |= PN_DEFECT_BROKEN;
	}
	for (size_t i = 0; i < z.n && v->n_parts < v->limits.max_parts; i++)
		if (!is_folder(&z.members[i]))
			add_zip_member(v, place, p, &z.members[i]);
	if (v->n_parts >= v->limits.max_parts)
		limit(p);
	return true;
}

/* ---- everything else ---- */

/* As each that it shows a sign of; how many there are. */
static size_t
list_others(struct view *v, const struct place *place, struct pn_part *p,
    struct pn_str bytes, const struct sighting *seen, size_t n)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++) {
		struct pn_str s = pn_str_sub(bytes, seen[i].at, bytes.n);

		if (archive_list_as(v, place, p, seen[i].format, s) &&
		    seen[i].format != FORMAT_JOLIET)
			found++;
		if (seen[i].format == FORMAT_RAR && rar_is_locked(s))
			p->flags |= PN_PART_ENCRYPTED;
		if (seen[i].at > 0)
			ambiguous(p);
	}
	return found;
}

/* ---- winmail.dat ---- */

static void
list_tnef(struct view *v, const struct place *place, struct pn_part *p,
    struct pn_str bytes)
{
	struct tnef_file f;
	size_t at = 0;
	bool cut = false;

	while (tnef_next(bytes, &at, &f, &cut, v->arena)) {
		struct pn_part *m = archive_add_member(v, place, p, &f.names);
		struct place in = *place;

		if (m == NULL)
			return;
		in.path = m->path;
		in.depth++;
		in.archives++;
		m->size = f.data.n;
		look_at_stored(v, &in, m, f.data);
		if (f.nested || f.names.more)
			limit(m);
	}
	if (cut) {
		p->flags |= PN_PART_BROKEN;
		v->defects |= PN_DEFECT_BROKEN;
	}
}

/* ---- a part ---- */

/* A zip's end record in the last bytes, whatever stands in front. */
static bool
ends_as_zip(struct pn_str s)
{
	s = pn_str_sub(s, s.n > TAIL ? s.n - TAIL : 0, TAIL);
	return find_word(s, PN_STR_V("PK\5\6")) != NULL;
}

/* A zip, or what is opened as one; but a tape archive or an image of a disk
 * is not the zip that lies in it. */
static bool
may_be_zip(const struct pn_part *p, struct pn_str bytes, size_t others)
{
	return p->magic == type_zip || p->magic == type_executable ||
	    (others == 0 && archive_is_named(p)) || ends_as_zip(bytes);
}

/* MS-OFFCRYPTO 1.3.2: a document of today that is locked lies in one stream
 * of an OLE file, which its directory names. */
static bool
is_locked_document(const struct pn_part *p, struct pn_str bytes)
{
	static const struct pn_str name = PN_STR("E\0n\0c\0r\0y\0p\0t\0e\0d"
						 "\0P\0a\0c\0k\0a\0g\0e\0");

	return p->magic == type_ole &&
	    memmem(bytes.p, bytes.n, name.p, name.n) != NULL;
}

static void
list(struct view *v, const struct place *place, struct pn_part *p,
    struct pn_str bytes)
{
	struct sighting seen[FORMATS];
	size_t n = format_see(bytes, archive_is_named(p), seen), found = 0;

	if (may_be_zip(p, bytes, n))
		found = list_zip(v, place, p, bytes);
	if (p->magic == type_zip && found == 0) {
		p->flags |= PN_PART_BROKEN;
		v->defects |= PN_DEFECT_BROKEN;
	}
	found += list_others(v, place, p, bytes, seen, n);
	if (found > 1)
		ambiguous(p);
	if (tnef_is(bytes))
		list_tnef(v, place, p, bytes);
	if (format_is_closed(bytes))
		limit(p);
}

void
archive_look_into(struct view *v, const struct place *place, struct pn_part *p,
    struct pn_str bytes)
{
	if (bytes.n == 0)
		return;
	if (p->member && mime_opens(p))
		mime_look(v, place, p, bytes);
	if (is_locked_document(p, bytes))
		p->flags |= PN_PART_ENCRYPTED;
	if (!archive_is(p->magic) && p->magic != type_executable &&
	    !archive_is_named(p) && !ends_as_zip(bytes) &&
	    !format_is_iso(bytes))
		return;
	if (place->archives <= v->limits.max_archive_depth)
		list(v, place, p, bytes);
	else if (archive_is(p->magic) || ends_as_zip(bytes))
		limit(p);
}

/* Is there reason to decode all of it? */
static bool
is_worth_decoding(struct pn_part *p)
{
	unsigned shifts = p->encoding == ENCODING_BASE64 ? DECODE_SHIFTS : 1;
	char room[TAIL];

	if (archive_is(p->magic) || p->magic == type_executable ||
	    p->magic == type_ole || archive_is_named(p))
		return true;
	/* A missing '=' must not hide the end. */
	for (unsigned shift = 0; shift < shifts; shift++)
		if (ends_as_zip(decode_tail(
			p->encoding, p->bytes, shift, room, sizeof(room))))
			return true;
	return false;
}

void
archive_look(struct view *v, const struct place *place, struct pn_part *p)
{
	struct place in = *place;
	size_t room = decode_room(p->encoding, p->bytes);
	struct pn_str bytes = p->bytes;
	char *mem = NULL;

	p->magic = type_of(view_head(p, VIEW_HEAD));
	if (p->bytes.n == 0 || !is_worth_decoding(p))
		return;
	if (p->encoding != ENCODING_NONE) {
		struct decoded d;

		if (!view_may_unpack(v, room) || (mem = malloc(room)) == NULL) {
			limit(p);
			return;
		}
		d = decode(p->encoding, p->bytes, mem, room);
		bytes = (struct pn_str){ mem, d.n };
		if (d.broken) {
			p->flags |= PN_PART_BROKEN;
			v->defects |= PN_DEFECT_BROKEN;
		}
		if (d.resumed)
			ambiguous(p);
		p->size = d.n;
		p->sized = true;
	}
	in.path = p->path;
	in.entity = p->entity;
	in.lies = p->lies | THING_WITHIN;
	in.depth++;
	in.archives++;
	archive_look_into(v, &in, p, bytes);
	free(mem);
}
