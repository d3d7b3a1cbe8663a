/* tnef - see tnef.h. */
#include "inspect/tnef.h"

#include <stdint.h>

#include "inspect/charset.h"

#define PREFIX 6 /* signature and key */
#define FRAME 9  /* level, id, length; a sum of two bytes stands behind */

enum attribute {
	RENDER = 0x00069002, /* begins a file */
	TITLE = 0x00018010,
	DATA = 0x0006800f,
	PROPERTIES = 0x00069005
};

static uint32_t
u32(struct pn_str s)
{
	uint32_t n = 0;

	for (size_t i = 4; i-- > 0;)
		n = n << 8 | (i < s.n ? (unsigned char)s.p[i] : 0);
	return n;
}

static void
add_name(struct tnef_file *f, struct pn_str s, const char *charset,
    struct arena *arena)
{
	struct buf b = { .max = 3 * s.n + 4 };
	struct pn_str name;
	const char *nul;

	(void)charset_read(pn_str_of(charset), s, &b); /* ours are read */
	name = arena_str(arena, buf_str(&b));
	buf_fini(&b);
	nul = name.n > 0 ? memchr(name.p, '\0', name.n) : NULL;
	if (nul != NULL)
		name.n = (size_t)(nul - name.p);
	if (name.n > 0 || name.p == NULL)
		param_add(&f->names, name);
}

/* A property of one text: its tag, the count 1, the length, the text. */
static void
add_property(struct tnef_file *f, struct pn_str all, struct pn_str tag,
    const char *charset, struct arena *arena)
{
	const char *p = all.n == 0 ? NULL :
				     memmem(all.p, all.n, tag.p, tag.n);
	struct pn_str s;

	if (p == NULL)
		return;
	s = pn_str_sub(all, (size_t)(p - all.p) + 4, all.n);
	add_name(f, pn_str_sub(s, 8, u32(pn_str_sub(s, 4, 4))), charset, arena);
}

static void
read_properties(struct tnef_file *f, struct pn_str s, struct arena *arena)
{
	static const struct pn_str wide[] = { PN_STR("\x1f\0\7\x37"),
		PN_STR("\x1f\0\4\x37"), PN_STR("\x1f\0\1\x30") };
	static const struct pn_str narrow[] = { PN_STR("\x1e\0\7\x37"),
		PN_STR("\x1e\0\4\x37"), PN_STR("\x1e\0\1\x30") };

	for (size_t i = 0; i < PN_COUNT(wide); i++) {
		add_property(f, s, wide[i], "utf-16le", arena);
		add_property(f, s, narrow[i], "", arena);
	}
	if (s.n > 0 && memmem(s.p, s.n, "\x0d\0\1\x37", 4) != NULL)
		f->nested = true; /* an object in place of bytes */
}

bool
tnef_is(struct pn_str s)
{
	return pn_str_starts(s, PN_STR_V("\x78\x9f\x3e\x22"));
}

/* A file's attributes stand together, from one RENDER to the next. */
bool
tnef_next(struct pn_str s, size_t *at, struct tnef_file *f, bool *cut,
    struct arena *arena)
{
	bool found = false;

	*f = (struct tnef_file){ .nested = false };
	if (*at == 0)
		*at = PREFIX;
	while (*at < s.n && s.n - *at > FRAME) {
		uint32_t id = u32(pn_str_sub(s, *at + 1, 4));
		uint32_t size = u32(pn_str_sub(s, *at + 5, 4));
		struct pn_str v = pn_str_sub(s, *at + FRAME, size);

		if (id == RENDER && found)
			return true;
		found |= s.p[*at] == 2;
		if (id == TITLE)
			add_name(f, v, "", arena);
		else if (id == DATA && v.n > 0)
			f->data = v;
		else if (id == PROPERTIES)
			read_properties(f, v, arena);
		*cut |= v.n < size;
		*at += FRAME + v.n + 2;
	}
	return found;
}
