/*
 * archive_unpack - what libarchive makes of an archive: a zip's member, handed
 * to it one by one, or the list of any other format, one format at a time.
 *
 * Called by archive.c, the only one to decide what is opened as what; this is
 * libarchive's one home. It reads from memory; buffers are malloc'ed and gone
 * when their archive has been listed. Every byte unpacked counts against the
 * limits.
 */
#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>

#include "inspect/archive_inside.h"
#include "inspect/type.h"

/* ---- a member ---- */

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
	if (archive_is(p->magic) || p->magic == type_executable ||
	    p->magic == type_ole || archive_is_named(p) || mime_opens(p)) {
		bytes = read_all(v, p, s);
		archive_look_into(v, place, p, bytes);
	}
	if (s->broken) {
		p->flags |= PN_PART_BROKEN;
		v->defects |= PN_DEFECT_BROKEN;
	}
	v->unpacked += s->n < view_unpackable(v) ? s->n : view_unpackable(v);
}

/* ---- a zip's member ---- */

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

void
archive_unpack_zip(struct view *v, const struct place *place,
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

/* ---- an archive's list ---- */

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
		archive_add_name(names, inner, p->view->arena);
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
		archive_add_name(&names, pn_str_of(name), v->arena);
	else
		limit(archive); /* in characters this locale does not have */
	if ((p = archive_add_member(v, place, archive, &names)) == NULL)
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

bool
archive_list_as(struct view *v, const struct place *place, struct pn_part *p,
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
