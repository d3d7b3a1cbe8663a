/*
 * fuzz_milter_packets - what whoever reaches the milter door sends. The first
 * byte says how large the slices are that come, the second those that are
 * taken: any give the same bytes, a front of what was sent.
 *
 * Covers: proxy/milter/packets.c
 */
#include "milter/packets.h"

#include <stdint.h>
#include <string.h>

#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
feed(const uint8_t *p, size_t n, size_t slice, size_t bite, struct buf *out)
{
	struct packets k = { 0 };
	char piece[256];

	for (size_t len, got; n > 0; p += len, n -= len) {
		len = n < slice ? n : slice;
		got = packets_direct(&k);
		if (got > 0) { /* past us, as libmilter reads a large body */
			len = len < got ? len : got;
			must(buf_add(out, p, len));
			packets_passed(&k, len);
			continue;
		}
		packets_add(&k, p, len);
		while ((got = packets_take(&k, piece, bite)) > 0)
			must(buf_add(out, piece, got));
	}
	packets_rest(&k);
	packets_fini(&k);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf one = { 0 }, other = { 0 };

	if (size < 2)
		return 0;
	feed(data + 2, size - 2, size, 256, &one);
	feed(data + 2, size - 2, (size_t)data[0] + 1, (size_t)data[1] + 1, &other);
	must(pn_str_eq(buf_str(&one), buf_str(&other)));
	must(buf_len(&one) <= size - 2);
	must(buf_len(&one) == 0 ||
	    memcmp(buf_data(&one), data + 2, buf_len(&one)) == 0);
	buf_fini(&one);
	buf_fini(&other);
	return 0;
}
