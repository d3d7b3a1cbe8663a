/*
 * fuzz_line - command lines as hostile clients send them. The first byte says
 * how large the slices are; any slicing must give the same lines.
 *
 * Covers: proxy/smtp/line.c
 */
#include "smtp/line.h"

#include <stdint.h>

#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The lines with their faults, one after the other, into out. */
static void
feed(const uint8_t *p, size_t n, size_t slice, struct buf *out)
{
	struct line l = { 0 };
	struct buf in = { 0 };
	struct pn_str text;
	enum line_fault fault;

	for (size_t len; n > 0; p += len, n -= len) {
		len = n < slice ? n : slice;
		must(buf_add(&in, p, len));
		while (line_next(&l, &in, &text, &fault)) {
			must(text.n <= LINE_BYTES_PATH - 2);
			must(fault != LINE_TOO_LONG || text.n == 0);
			must(buf_add(out, &(char){ (char)fault }, 1));
			must(buf_add_str(out, text) && buf_add(out, "\n", 1));
		}
		must(buf_len(&in) < LINE_BYTES_PATH);
	}
	buf_fini(&in);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole = { 0 }, sliced = { 0 };

	if (size == 0)
		return 0;
	feed(data + 1, size - 1, size, &whole);
	feed(data + 1, size - 1, (size_t)data[0] + 1, &sliced);
	must(pn_str_eq(buf_str(&whole), buf_str(&sliced)));
	buf_fini(&whole);
	buf_fini(&sliced);
	return 0;
}
