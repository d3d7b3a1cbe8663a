/*
 * fuzz_decode - what reads the bytes of one part, without the message around
 * it. The first byte chooses: a transfer encoding, or a zip's directory; the
 * second is the room there is. Whatever the room, what is decoded is the front
 * of the whole.
 *
 * Covers: proxy/inspect/decode.c proxy/inspect/zip.c
 */
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "inspect/decode.h"
#include "inspect/zip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In a place of its own size: a byte too far is the sanitizer's to see. */
static char *
room_of(size_t n)
{
	char *p = malloc(n > 0 ? n : 1);

	must(p != NULL);
	return p;
}

static void
read_encoded(enum encoding how, struct pn_str src, size_t max)
{
	size_t room = decode_room(how, src);
	char *all = room_of(room), *some = room_of(max);
	struct decoded whole = decode(how, src, all, room), part;
	struct pn_str tail;
	bool ends = false;

	must(whole.n <= room && whole.used == src.n);
	part = decode(how, src, some, max);
	must(part.n == (whole.n < max ? whole.n : max));
	must(memcmp(all, some, part.n) == 0);
	for (unsigned shift = 0; shift < DECODE_SHIFTS; shift++) {
		tail = decode_tail(how, src, shift, some, max);
		must(tail.n <= max);
		ends |= tail.n <= whole.n &&
			memcmp(all + whole.n - tail.n, tail.p, tail.n) == 0;
	}
	must(ends || how != ENCODING_BASE64);
	(void)decode_size(how, src);	/* only read */
	(void)decode_looks_base64(src); /* only read */
	free(all);
	free(some);
}

static void
touch(struct pn_str s)
{
	char *copy = room_of(s.n);

	if (s.n > 0)
		memcpy(copy, s.p, s.n);
	free(copy);
}

static void
read_zip(struct pn_str src, size_t max)
{
	struct arena *a = arena_new(1 << 20);
	struct zip z;

	(void)zip_read(&z, src, max, a); /* no zip is one, too */
	must(z.n <= max);
	for (size_t i = 0; i < z.n; i++) {
		touch(z.members[i].data);
		for (size_t k = 0; k < z.members[i].n_names; k++)
			touch(z.members[i].names[k]);
	}
	arena_free(a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pn_str src = { (const char *)data + 2, size - 2 };

	if (size < 2)
		return 0;
	if (data[0] == 'z')
		read_zip(src, data[1]);
	else
		read_encoded(data[0] % 5, src, data[1]);
	return 0;
}
