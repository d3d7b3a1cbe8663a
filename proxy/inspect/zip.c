/* zip - see zip.h. */
#include "inspect/zip.h"

#include <stdlib.h>

#define LOCAL 30     /* bytes of a local header without name and extra */
#define CENTRAL 46
#define END 22
#define END64 56
#define LOCATOR 20
#define DIRECTORIES 8 /* that are read of one archive */

static uint16_t
u16(const char *p)
{
	const unsigned char *b = (const unsigned char *)p;

	return (uint16_t)(b[0] | b[1] << 8);
}

static uint32_t
u32(const char *p)
{
	return u16(p) | (uint32_t)u16(p + 2) << 16;
}

static uint64_t
u64(const char *p)
{
	return u32(p) | (uint64_t)u32(p + 4) << 32;
}

static bool
has(struct pn_str s, size_t at, size_t n, const char *signature)
{
	return at <= s.n && s.n - at >= n &&
	    memcmp(s.p + at, signature, 4) == 0;
}

/* ---- the list ---- */

struct reader {
	struct zip *zip;
	struct pn_str s;
	struct arena *arena;
	size_t room, max;
};

static struct zip_member *
add_member(struct reader *r)
{
	struct zip *z = r->zip;

	if (z->n >= r->max) {
		z->cut = true;
		return NULL;
	}
	if (z->n == r->room) {
		size_t room = r->room == 0 ? 16 : r->room * 2;
		struct zip_member *more = arena_alloc(r->arena,
		    room * sizeof(*more));

		if (more == NULL) {
			z->cut = true;
			return NULL;
		}
		if (z->n > 0)
			memcpy(more, z->members, z->n * sizeof(*more));
		z->members = more;
		r->room = room;
	}
	return &z->members[z->n++];
}

static void
add_name(struct zip_member *m, struct pn_str name)
{
	for (size_t i = 0; i < m->n_names; i++)
		if (pn_str_eq(m->names[i], name))
			return;
	if (m->n_names < PN_COUNT(m->names))
		m->names[m->n_names++] = name;
}

/* ---- headers ---- */

/* What both headers say of a member. */
struct entry {
	uint16_t flags, method;
	uint32_t crc;
	uint64_t packed, size, at;
	struct pn_str name, unicode[2];
	size_t n_unicode; /* that there are */
	bool aes;
};

/* Extra fields: sizes past 4 GiB, the Unicode path, AES (0x9901). */
static void
read_extra(struct entry *e, struct pn_str x)
{
	while (x.n >= 4) {
		uint16_t id = u16(x.p);
		struct pn_str v = pn_str_sub(x, 4, u16(x.p + 2));
		uint64_t *const wide[] = { &e->size, &e->packed, &e->at };

		x = pn_str_sub(x, 4 + (size_t)u16(x.p + 2), x.n);
		if (id == 0x9901)
			e->aes = true;
		if (id == 0x7075 && v.n > 5 &&
		    e->n_unicode++ < PN_COUNT(e->unicode))
			e->unicode[e->n_unicode - 1] = pn_str_sub(v, 5, v.n);
		for (size_t i = 0; id == 1 && i < PN_COUNT(wide); i++)
			if (*wide[i] == UINT32_MAX && v.n >= 8) {
				*wide[i] = u64(v.p);
				v = pn_str_sub(v, 8, v.n);
			}
	}
}

static bool
read_local(struct pn_str s, uint64_t at, struct entry *e, size_t *data)
{
	const char *p;
	size_t name, extra;

	if (at > s.n || !has(s, (size_t)at, LOCAL, "PK\3\4"))
		return false;
	p = s.p + at;
	*e = (struct entry){ .flags = u16(p + 6), .method = u16(p + 8),
		.crc = u32(p + 14), .packed = u32(p + 18), .size = u32(p + 22) };
	name = u16(p + 26);
	extra = u16(p + 28);
	e->name = pn_str_sub(s, (size_t)at + LOCAL, name);
	read_extra(e, pn_str_sub(s, (size_t)at + LOCAL + name, extra));
	*data = (size_t)at + LOCAL + name + extra;
	return true;
}

/* Bytes of the entry at `at`, 0 when there is none. */
static size_t
read_central(struct pn_str s, size_t at, struct entry *e)
{
	const char *p;
	size_t name, extra, comment;

	if (!has(s, at, CENTRAL, "PK\1\2"))
		return 0;
	p = s.p + at;
	*e = (struct entry){ .flags = u16(p + 8), .method = u16(p + 10),
		.crc = u32(p + 16), .packed = u32(p + 20), .size = u32(p + 24),
		.at = u32(p + 42) };
	name = u16(p + 28);
	extra = u16(p + 30);
	comment = u16(p + 32);
	e->name = pn_str_sub(s, at + CENTRAL, name);
	read_extra(e, pn_str_sub(s, at + CENTRAL + name, extra));
	return CENTRAL + name + extra + comment;
}

/* Traditional, strong, AES; a masked header counts as locked too. */
static bool
is_encrypted(const struct entry *e)
{
	return (e->flags & (1u | 1u << 6 | 1u << 13)) != 0 || e->aes ||
	    e->method == 99;
}

/*
 * Do they contradict? A local header may leave the sizes to a descriptor
 * behind the data (4.3.9); then that one must stand there.
 */
static bool
entries_differ(struct pn_str s, const struct entry *c, const struct entry *l,
    size_t data)
{
	bool sized = c->packed == l->packed && c->size == l->size;
	size_t end = data + (size_t)c->packed;

	if (!pn_str_eq(c->name, l->name) || c->method != l->method ||
	    is_encrypted(c) != is_encrypted(l))
		return true;
	if (sized || (l->flags & 8) == 0)
		return !sized;
	if (has(s, end, 8, "PK\7\10"))
		end += 4;
	return end < data || end > s.n || s.n - end < 4 ||
	    u32(s.p + end) != c->crc;
}

static void
fill(struct zip_member *m, const struct entry *e)
{
	m->method = e->method;
	m->size = e->size;
	m->crc = e->crc;
	m->encrypted |= is_encrypted(e);
	add_name(m, e->name);
}

/* More than one is one too many. */
static void
add_unicode(struct zip_member *m, const struct entry *e)
{
	for (size_t i = 0; i < e->n_unicode && i < PN_COUNT(e->unicode); i++)
		add_name(m, e->unicode[i]);
	m->differs |= e->n_unicode > 1;
}

static void
add_listed(struct reader *r, const struct entry *c, uint64_t base)
{
	struct zip_member *m = add_member(r);
	struct entry l;
	size_t data;

	if (m == NULL)
		return;
	fill(m, c);
	m->at = SIZE_MAX;
	m->differs = true;
	/* base may be "negative": sums wrap as they should. */
	if (read_local(r->s, c->at + base, &l, &data)) {
		m->at = (size_t)(c->at + base);
		m->data = pn_str_sub(r->s, data, (size_t)c->packed);
		m->differs = entries_differ(r->s, c, &l, data);
		m->encrypted |= is_encrypted(&l);
		add_name(m, l.name);
		add_unicode(m, &l);
	}
	add_unicode(m, c);
}

/* ---- directories ---- */

static void
read_directory(struct reader *r, size_t at, size_t end, uint64_t base)
{
	struct entry e;
	size_t n;

	while (at < end && (n = read_central(r->s, at, &e)) > 0) {
		add_listed(r, &e, base);
		if (r->zip->cut)
			return;
		at += n;
	}
}

/*
 * The end record at `end` says where its directory begins: by its size
 * (counted back from here, right whatever stands in front of the archive)
 * and by its offset. Both are followed where they differ.
 */
static bool
read_end(struct reader *r, size_t end)
{
	const char *p = r->s.p + end;
	uint64_t size = u32(p + 12), offset = u32(p + 16), stop = end;
	bool found = false;
	struct entry e;

	if (end >= LOCATOR && has(r->s, end - LOCATOR, LOCATOR, "PK\6\7") &&
	    end >= LOCATOR + END64 &&
	    has(r->s, end - LOCATOR - END64, END64, "PK\6\6")) {
		const char *q = p - LOCATOR - END64;

		stop = end - LOCATOR - END64;
		size = u64(q + 40);
		offset = u64(q + 48);
	}
	if (size == 0) { /* an empty archive */
		r->zip->directories++;
		return true;
	}
	if (size <= stop && read_central(r->s, (size_t)(stop - size), &e) > 0) {
		read_directory(r, (size_t)(stop - size), (size_t)stop,
		    stop - size - offset);
		found = true;
	}
	if (offset < stop && (!found || offset != stop - size) &&
	    read_central(r->s, (size_t)offset, &e) > 0) {
		r->zip->directories += found;
		read_directory(r, (size_t)offset, (size_t)stop, 0);
		found = true;
	}
	r->zip->directories += found;
	return found;
}

static int
by_place(const void *a, const void *b)
{
	const struct zip_member *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at;
}

/* The last member, sorted by place, that begins at or before at. */
static const struct zip_member *
member_before(const struct zip *z, size_t n, size_t at)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (z->members[mid].at <= at)
			low = mid + 1;
		else
			high = mid;
	}
	return low > 0 ? &z->members[low - 1] : NULL;
}

/*
 * Behind the data of the member that at lies in, or behind the signature of
 * the one that begins there; else at itself. What lies in the data is another
 * archive's own; where the headers contradict, nobody knows where it ends.
 */
static size_t
skip_member(const struct reader *r, size_t n_sorted, size_t at)
{
	const struct zip_member *m = member_before(r->zip, n_sorted, at);
	size_t end;

	if (m == NULL || m->data.p == NULL)
		return at;
	end = (size_t)(m->data.p - r->s.p) + m->data.n;
	if (!m->differs && end > at)
		return end;
	return m->at == at ? at + 4 : at;
}

/*
 * End records from the last to the first; one inside a member's data is a
 * packed archive's own.
 */
static void
read_directories(struct reader *r)
{
	size_t at = r->s.n < END ? 0 : r->s.n - END + 1, sorted = 0;
	size_t tries = 0;

	while (at-- > 0) {
		const char *p = memrchr(r->s.p, 'P', at + 1);

		if (p == NULL)
			break;
		at = (size_t)(p - r->s.p);
		if (!has(r->s, at, END, "PK\5\6") ||
		    skip_member(r, sorted, at) != at)
			continue;
		if (tries++ == DIRECTORIES) {
			r->zip->cut = true;
			break;
		}
		if (!read_end(r, at) || r->zip->n == 0)
			continue;
		qsort(r->zip->members, r->zip->n, sizeof(*r->zip->members),
		    by_place);
		sorted = r->zip->n;
	}
}

/* ---- local headers nobody lists ---- */

static size_t
add_hidden(struct reader *r, const struct entry *l, size_t at, size_t data)
{
	struct zip_member *m = add_member(r);
	size_t packed = (l->flags & 8) == 0 ? (size_t)l->packed : r->s.n;

	if (m == NULL)
		return r->s.n;
	fill(m, l);
	add_unicode(m, l);
	m->at = at;
	m->hidden = true;
	m->data = pn_str_sub(r->s, data, packed);
	return (l->flags & 8) == 0 && m->data.n == packed ? data + packed :
							    data;
}

static void
read_hidden(struct reader *r)
{
	size_t sorted = r->zip->n, at = 0;

	while (at < r->s.n && !r->zip->cut) {
		const char *p = memmem(r->s.p + at, r->s.n - at, "PK\3\4", 4);
		struct entry l;
		size_t data, past;

		if (p == NULL)
			break;
		at = (size_t)(p - r->s.p);
		past = skip_member(r, sorted, at);
		if (past != at) {
			at = past;
			continue;
		}
		/* A member has a name, and a method somebody knows. */
		if (!read_local(r->s, at, &l, &data) || l.name.n == 0 ||
		    data > r->s.n || l.method > 99)
			at += 4;
		else
			at = add_hidden(r, &l, at, data);
	}
}

bool
zip_read(struct zip *z, struct pn_str s, size_t max, struct arena *arena)
{
	struct reader r = { .zip = z, .s = s, .arena = arena, .max = max };

	*z = (struct zip){ .n = 0 };
	read_directories(&r);
	read_hidden(&r);
	if (z->n > 1)
		qsort(z->members, z->n, sizeof(*z->members), by_place);
	return z->n > 0 || z->directories > 0 || z->cut;
}
