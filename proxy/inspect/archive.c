/*
 * archive - what a leaf truly is, and what lies in it if it is an archive.
 *
 * Called by mime for each leaf. Zip directories are our own reading (zip.h);
 * libarchive unpacks, and lists all other formats, from memory, one format at
 * a time as the signature says. Members become parts behind their archive;
 * those that are archives are unpacked and looked into in turn. Buffers are
 * malloc'ed and gone when their archive has been listed; every byte unpacked
 * counts against the limits.
 */
#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>

#include "inspect/charset.h"
#include "inspect/find.h"
#include "inspect/format.h"
#include "inspect/part.h"
#include "inspect/rar.h"
#include "inspect/tnef.h"
#include "inspect/type.h"
#include "inspect/zip.h"

#define TAIL 1024 /* bytes in which a short archive comment leaves its end */

static void look_into(struct view *, const struct place *, struct pn_part *,
    struct pn_str bytes);

static void
limit(struct pn_part *p)
{
	p->flags |= PN_PART_LIMIT;
	p->view->defects |= PN_DEFECT_LIMIT;
}

static void
ambiguous(struct pn_part *p)
{
	p->flags |= PN_PART_AMBIGUOUS;
	p->view->defects |= PN_DEFECT_AMBIGUOUS;
}

/* Names that readers open with an archive program, whatever stands in front. */
static bool
is_named_archive(const struct pn_part *p)
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

/* ---- members as parts ---- */

static struct pn_part *
add_member(struct view *v, const struct place *place, struct pn_part *archive,
    const struct param_values *names)
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

/* A name in UTF-8; where it holds a NUL, also as C reads it. */
static void
add_name(struct param_values *out, struct pn_str name, struct arena *arena)
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

/*
 * What is read of a member: its head, or, when the head (or the name) says
 * archive, all of it. libarchive gives blocks; with a warning (a wrong sum or
 * size) too, so what is in such a block counts.
 */
struct source {
	struct archive *a;
	char *mem;         /* malloc'ed */
	size_t n, room;
	const char *block; /* libarchive's, not yet taken */
	size_t left;       /* of it */
	bool broken;
	bool ended;
};

static bool
next_block(struct source *s)
{
	const void *block = NULL;
	int64_t offset;
	size_t n = 0;
	int got = archive_read_data_block(s->a, &block, &n, &offset);

	if (got < ARCHIVE_WARN || block == NULL)
		n = 0;
	s->broken |= got < ARCHIVE_OK;
	s->ended = got != ARCHIVE_OK;
	s->block = block;
	s->left = n;
	return n > 0 || !s->ended;
}

static struct pn_str
read_more(struct source *s, size_t want)
{
	if (want > s->room) {
		char *mem = realloc(s->mem, want);

		if (mem == NULL)
			want = s->room; /* not ended: a limit */
		else
			s->mem = mem;
		s->room = want;
	}
	while (s->n < want && (s->left > 0 || (!s->ended && next_block(s)))) {
		size_t n = s->left < want - s->n ? s->left : want - s->n;

		if (n == 0) /* an empty block has no address */
			continue;
		memcpy(s->mem + s->n, s->block, n);
		s->n += n;
		s->block += n;
		s->left -= n;
	}
	return (struct pn_str){ s->mem, s->n };
}

static bool
is_read(const struct source *s)
{
	return s->ended && s->left == 0;
}

/* Everything, as far as the limits go. */
static struct pn_str
read_all(struct view *v, struct pn_part *p, struct source *s)
{
	size_t left = view_unpackable(v);
	size_t cap = v->limits.max_unpacked;
	size_t want = s->n < 4096 ? 4096 : s->n;

	if (cap > left)
		cap = left;
	while (!is_read(s) && want < cap) {
		want = want * 2 < cap ? want * 2 : cap;
		read_more(s, want);
		if (s->room < want)
			break;
	}
	if (!is_read(s))
		limit(p);
	return (struct pn_str){ s->mem, s->n };
}

static bool
is_archive(const char *magic)
{
	return magic == type_zip || magic == type_rar ||
	    magic == type_sevenzip || magic == type_gzip ||
	    magic == type_other;
}

/* The head decides the type; an archive is read whole and looked into. */
static void
read_member(struct view *v, const struct place *place, struct pn_part *p,
    struct source *s)
{
	struct pn_str bytes = read_more(s, VIEW_HEAD);

	p->head = arena_str(v->arena, bytes);
	if (bytes.n > 0 && p->head.p == NULL)
		limit(p);
	p->magic = type_of(p->head);
	if (is_archive(p->magic) || p->magic == type_executable ||
	    p->magic == type_ole || is_named_archive(p) || mime_opens(p)) {
		bytes = read_all(v, p, s);
		look_into(v, place, p, bytes);
	}
	if (s->broken) {
		p->flags |= PN_PART_BROKEN;
		v->defects |= PN_DEFECT_BROKEN;
	}
	v->unpacked += s->n < view_unpackable(v) ? s->n : view_unpackable(v);
}

/* ---- zip ---- */

/* One member as libarchive's streaming reader wants it: a local header of
 * our own making, then the packed bytes where they lie. */
struct feed {
	unsigned char header[31];
	struct pn_str data;
	unsigned step;
};

static void
put(unsigned char *p, uint64_t v, size_t n)
{
	for (; n > 0; n--, v >>= 8)
		*p++ = (unsigned char)v;
}

static uint32_t
cap32(uint64_t n)
{
	return n >= UINT32_MAX ? UINT32_MAX - 1 : (uint32_t)n;
}

static void
feed_make(struct feed *f, const struct zip_member *m)
{
	*f = (struct feed){ .header = { 'P', 'K', 3, 4, 20, 0 },
		.data = m->data };
	put(f->header + 8, m->method, 2);
	put(f->header + 14, m->crc, 4);
	put(f->header + 18, cap32(m->data.n), 4);
	put(f->header + 22, cap32(m->size), 4);
	put(f->header + 26, 1, 2);
	f->header[30] = 'x';
}

static la_ssize_t
feed_read(struct archive *a, void *arg, const void **buf)
{
	struct feed *f = arg;

	(void)a;
	if (f->step++ == 0) {
		*buf = f->header;
		return sizeof(f->header);
	}
	*buf = f->data.p;
	return f->step == 2 ? (la_ssize_t)f->data.n : 0;
}

static void
unpack_zip_member(struct view *v, const struct place *place,
    struct pn_part *p, const struct zip_member *m)
{
	struct source s = { .a = archive_read_new() };
	struct archive_entry *entry;
	struct feed feed;

	feed_make(&feed, m);
	if (s.a != NULL && archive_read_support_format_zip_streamable(s.a) ==
		ARCHIVE_OK &&
	    archive_read_open(s.a, &feed, NULL, feed_read, NULL) == ARCHIVE_OK &&
	    archive_read_next_header(s.a, &entry) >= ARCHIVE_WARN) {
		read_member(v, place, p, &s);
	} else {
		p->flags |= PN_PART_BROKEN;
		v->defects |= PN_DEFECT_BROKEN;
	}
	free(s.mem);
	(void)archive_read_free(s.a); /* nothing left to fail */
}

/* What was stored can be looked at where it lies. */
static void
look_at_stored(struct view *v, const struct place *place, struct pn_part *p,
    struct pn_str data)
{
	p->head = arena_str(v->arena, pn_str_sub(data, 0, VIEW_HEAD));
	p->magic = type_of(p->head);
	look_into(v, place, p, data);
}

static void
add_zip_member(struct view *v, const struct place *place,
    struct pn_part *archive, const struct zip_member *m)
{
	struct param_values names = { .n = 0 };
	struct place in = *place;
	struct pn_part *p;

	for (size_t i = 0; i < m->n_names; i++)
		add_name(&names, m->names[i], v->arena);
	if ((p = add_member(v, place, archive, &names)) == NULL)
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
		unpack_zip_member(v, &in, p, m);
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

static int
support_rar(struct archive *a)
{
	(void)archive_read_support_format_rar5(a); /* the last one tells */
	return archive_read_support_format_rar(a);
}

/* What is inside has a name of its own only if it is a tape archive. */
static int
support_compressed(struct archive *a)
{
	int (*const filters[])(struct archive *) = {
		archive_read_support_filter_gzip,
		archive_read_support_filter_compress,
		archive_read_support_filter_bzip2,
		archive_read_support_filter_xz,
		archive_read_support_filter_lzma,
		archive_read_support_filter_lzip,
		archive_read_support_filter_zstd,
		archive_read_support_filter_lz4,
	};

	/* One that is not built in leaves the file broken: a fact. */
	for (size_t i = 0; i < PN_COUNT(filters); i++)
		(void)filters[i](a);
	(void)archive_read_support_format_tar(a);
	(void)archive_read_support_format_cpio(a);
	return archive_read_support_format_raw(a);
}

static int
support_joliet(struct archive *a)
{
	int ok = archive_read_support_format_iso9660(a);

	return ok != ARCHIVE_OK ? ok :
	    archive_read_set_options(a, "!rockridge");
}

static int (*const support[FORMATS])(struct archive *) = {
	[FORMAT_RAR] = support_rar,
	[FORMAT_7Z] = archive_read_support_format_7zip,
	[FORMAT_CAB] = archive_read_support_format_cab,
	[FORMAT_ISO] = archive_read_support_format_iso9660,
	[FORMAT_JOLIET] = support_joliet,
	[FORMAT_TAR] = archive_read_support_format_tar,
	[FORMAT_LHA] = archive_read_support_format_lha,
	[FORMAT_CPIO] = archive_read_support_format_cpio,
	[FORMAT_AR] = archive_read_support_format_ar,
	[FORMAT_COMPRESSED] = support_compressed,
};

/* RFC 1952 2.3.1: the name stands behind the header and an extra field. */
static struct pn_str
gzip_name(struct pn_str s)
{
	size_t at = 10;
	const char *nul;

	if (s.n < 12 || !pn_str_starts(s, PN_STR_V("\x1f\x8b\x08")) ||
	    (s.p[3] & 8) == 0)
		return PN_STR_V("");
	if (s.p[3] & 4)
		at = 12 + ((size_t)(unsigned char)s.p[10] |
			      (size_t)(unsigned char)s.p[11] << 8);
	s = pn_str_sub(s, at, s.n);
	nul = s.n > 0 ? memchr(s.p, '\0', s.n) : NULL;
	return pn_str_sub(s, 0, nul == NULL ? 0 : (size_t)(nul - s.p));
}

/* What a compressed file is called once unpacked: "a.exe.gz" is "a.exe". */
static void
name_unpacked(struct param_values *names, const struct pn_part *p,
    struct pn_str bytes)
{
	struct pn_str inner = gzip_name(bytes);

	if (inner.n > 0)
		add_name(names, inner, p->view->arena);
	for (size_t i = 0; i < p->n_names; i++) {
		struct pn_str name = p->names[i];
		const char *dot = name.n ? memrchr(name.p, '.', name.n) : NULL;

		if (dot != NULL)
			param_add(names, pn_str_sub(name, 0,
			    (size_t)(dot - name.p)));
	}
}

static bool
add_listed(struct view *v, const struct place *place, struct pn_part *archive,
    struct source *s, struct archive_entry *entry, struct pn_str bytes)
{
	struct param_values names = { .n = 0 };
	const char *utf8 = archive_entry_pathname_utf8(entry);
	const char *name = utf8 ? utf8 : archive_entry_pathname(entry);
	int64_t size = archive_entry_size_is_set(entry) ?
	    archive_entry_size(entry) : 0;
	struct place in = *place;
	struct pn_part *p;

	if (archive_format(s->a) == ARCHIVE_FORMAT_RAW)
		name_unpacked(&names, archive, bytes);
	else if (name != NULL)
		add_name(&names, pn_str_of(name), v->arena);
	else
		limit(archive); /* in characters this locale does not have */
	if ((p = add_member(v, place, archive, &names)) == NULL)
		return false;
	in.path = p->path;
	in.depth++;
	in.archives++;
	if (archive_entry_is_encrypted(entry) > 0) {
		p->flags |= PN_PART_ENCRYPTED;
		archive->flags |= PN_PART_ENCRYPTED;
	} else {
		s->n = s->left = 0;
		s->ended = s->broken = false;
		read_member(v, &in, p, s);
	}
	p->size = size > 0 ? (uint64_t)size : s->n;
	if (!is_read(s) && size == 0)
		p->flags |= PN_PART_LIMIT; /* its size is not known */
	/* To get at the next one, what was not read is unpacked all the same. */
	return (uint64_t)size <= s->n || view_may_unpack(v, (size_t)size - s->n);
}

/* As one format has it; false: not one member. */
static bool
list_as(struct view *v, const struct place *place, struct pn_part *p,
    enum format f, struct pn_str bytes)
{
	struct source s = { .a = archive_read_new() };
	struct archive_entry *entry;
	int got = ARCHIVE_FATAL;
	bool any = false;

	if (s.a == NULL) {
		limit(p);
		return false;
	}
	if (support[f](s.a) >= ARCHIVE_WARN &&
	    archive_read_open_memory(s.a, bytes.p, bytes.n) == ARCHIVE_OK)
		while ((got = archive_read_next_header(s.a, &entry)) >=
		    ARCHIVE_WARN && got != ARCHIVE_EOF) {
			any = true;
			if (archive_entry_filetype(entry) == AE_IFDIR)
				continue;
			if (!add_listed(v, place, p, &s, entry, bytes)) {
				limit(p);
				break;
			}
		}
	/* Where no format fitted, libarchive 3.6 asks one behind its last. */
	if (archive_format(s.a) != 0 &&
	    archive_read_has_encrypted_entries(s.a) > 0)
		p->flags |= PN_PART_ENCRYPTED;
	if (got < ARCHIVE_WARN) {
		p->flags |= PN_PART_BROKEN;
		v->defects |= PN_DEFECT_BROKEN;
	}
	free(s.mem);
	(void)archive_read_free(s.a); /* nothing left to fail */
	return any;
}

/* As each that it shows a sign of; how many there are. */
static size_t
list_others(struct view *v, const struct place *place, struct pn_part *p,
    struct pn_str bytes, const struct sighting *seen, size_t n)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++) {
		struct pn_str s = pn_str_sub(bytes, seen[i].at, bytes.n);

		if (list_as(v, place, p, seen[i].format, s) &&
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
		struct pn_part *m = add_member(v, place, p, &f.names);
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
	    (others == 0 && is_named_archive(p)) || ends_as_zip(bytes);
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
	size_t n = format_see(bytes, is_named_archive(p), seen), found = 0;

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

/*
 * bytes are all of the part, decoded. place is the part's own inside: depth
 * and path of what lies in it. Whatever the first bytes are, a zip directory
 * at the end makes it a zip.
 */
static void
look_into(struct view *v, const struct place *place, struct pn_part *p,
    struct pn_str bytes)
{
	if (bytes.n == 0)
		return;
	if (p->member && mime_opens(p))
		mime_look(v, place, p, bytes);
	if (is_locked_document(p, bytes))
		p->flags |= PN_PART_ENCRYPTED;
	if (!is_archive(p->magic) && p->magic != type_executable &&
	    !is_named_archive(p) && !ends_as_zip(bytes) &&
	    !format_is_iso(bytes))
		return;
	if (place->archives <= v->limits.max_archive_depth)
		list(v, place, p, bytes);
	else if (is_archive(p->magic) || ends_as_zip(bytes))
		limit(p);
}

/* Is there reason to decode all of it? */
static bool
is_worth_decoding(struct pn_part *p)
{
	unsigned shifts = p->encoding == ENCODING_BASE64 ? DECODE_SHIFTS : 1;
	char room[TAIL];

	if (is_archive(p->magic) || p->magic == type_executable ||
	    p->magic == type_ole || is_named_archive(p))
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
	look_into(v, &in, p, bytes);
	free(mem);
}
