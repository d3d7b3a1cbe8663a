/*
 * fuzz_dot - DATA as hostile clients send it. The first byte says how large
 * the slices are; any slicing must give the same message, and for a message
 * without a lone CR or LF that is what the naive reading of RFC 5321 4.5.2
 * gives.
 *
 * Put right (normal.h) it has no lone CR or LF, and ends where it ended; where
 * none was in it, it is the same. As a chunk, it ends nowhere.
 *
 * Covers: proxy/smtp/dot.c proxy/smtp/normal.c
 */
#include "smtp/normal.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Bytes taken; what is kept goes into out. Each slice in a block of its own
 * size, so that a byte read past it is seen. */
static size_t
feed(struct dot *d, const uint8_t *p, size_t n, size_t slice, struct buf *out)
{
	size_t taken = 0;

	while (taken < n && !d->ended) {
		size_t want = n - taken < slice ? n - taken : slice, kept, used;
		char *piece = malloc(want);

		must(piece != NULL);
		memcpy(piece, p + taken, want);
		used = dot_feed(d, piece, want, &kept);
		must(kept <= used && (used == want || d->ended));
		must(buf_add(out, piece, kept));
		taken += used;
		free(piece);
	}
	return taken;
}

/* Line by line; bare is for the caller to know. */
static size_t
naive(const uint8_t *p, size_t n, struct buf *out, bool *ended)
{
	size_t at = 0;

	*ended = false;
	while (at < n && !*ended) {
		const uint8_t *lf = memchr(p + at, '\n', n - at);
		size_t len = lf != NULL ? (size_t)(lf - p) + 1 - at : n - at;
		size_t dot = p[at] == '.';

		*ended = len == 3 && memcmp(p + at, ".\r\n", 3) == 0;
		if (!*ended)
			must(buf_add(out, p + at + dot, len - dot));
		at += len;
	}
	return at;
}

/* Bytes taken; what is put right goes into out. */
static size_t
feed_normal(struct dot *d, const uint8_t *p, size_t n, size_t slice,
    struct buf *out)
{
	size_t taken = 0;

	while (taken < n && !d->ended) {
		size_t want = n - taken < slice ? n - taken : slice, used;
		char *piece = malloc(want);

		must(piece != NULL);
		memcpy(piece, p + taken, want);
		used = normal_feed(d, piece, want, out);
		must(used == want || d->ended);
		taken += used;
		free(piece);
	}
	return taken;
}

/* No CR or LF stands alone; dotted says whether a line begins with a dot. */
static void
is_normal(struct pn_str text, bool dotted)
{
	bool has = text.n > 0 && text.p[0] == '.';

	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\n')
			must(i > 0 && text.p[i - 1] == '\r');
		if (text.p[i] == '\r')
			must(i + 1 < text.n && text.p[i + 1] == '\n');
		has |= i > 0 && text.p[i - 1] == '\n' && text.p[i] == '.';
	}
	must(has == dotted);
}

/* As DATA, of which `was` and `text` came without it; and as a chunk. */
static void
normalise(const uint8_t *p, size_t n, size_t slice, const struct dot *was,
    struct pn_str text, size_t taken)
{
	struct dot d = { 0 }, raw = { .raw = true };
	struct buf out = { 0 }, chunk = { 0 };

	must(feed_normal(&d, p, n, slice, &out) == taken);
	must(d.ended == was->ended && d.bare == was->bare);
	if (d.ended) {
		is_normal(buf_str(&out), d.dotted);
		must(d.bare || pn_str_eq(buf_str(&out), text));
	}
	must(feed_normal(&raw, p, n, slice, &chunk) == n && !raw.ended);
	normal_end(&raw, &chunk);
	is_normal(buf_str(&chunk), raw.dotted);
	must(raw.bare || (buf_len(&chunk) == n &&
			     (n == 0 || memcmp(buf_data(&chunk), p, n) == 0)));
	buf_fini(&out);
	buf_fini(&chunk);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole = { 0 }, sliced = { 0 }, want = { 0 };
	struct dot a = { 0 }, b = { 0 };
	size_t slice = size > 0 ? (size_t)data[0] + 1 : 1, taken;
	bool ended;

	if (size == 0)
		return 0;
	taken = feed(&a, data + 1, size - 1, size, &whole);
	must(feed(&b, data + 1, size - 1, slice, &sliced) == taken);
	must(a.ended == b.ended && a.bare == b.bare && a.dotted == b.dotted);
	must(pn_str_eq(buf_str(&whole), buf_str(&sliced)));
	if (!a.bare && a.ended) {
		must(naive(data + 1, size - 1, &want, &ended) == taken);
		must(ended && pn_str_eq(buf_str(&whole), buf_str(&want)));
	}
	normalise(data + 1, size - 1, slice, &a, buf_str(&whole), taken);
	buf_fini(&whole);
	buf_fini(&sliced);
	buf_fini(&want);
	return 0;
}
