/*
 * fuzz_heading - headers as hostile clients send them. The first byte says how
 * large the slices are; any slicing must read the same.
 *
 * Covers: proxy/smtp/heading.c
 */
#include "smtp/heading.h"

#include <stdint.h>

#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct heading whole = { 0 }, sliced = { 0 };
	struct pn_str all = { (const char *)data + 1, size - 1 };

	if (size == 0)
		return 0;
	heading_feed(&whole, all, false);
	for (size_t at = 0; at < all.n; at += (size_t)data[0] + 1)
		heading_feed(
		    &sliced, pn_str_sub(all, at, (size_t)data[0] + 1), false);
	must(whole.bytes == sliced.bytes && whole.bytes <= all.n);
	must(whole.longest == sliced.longest && whole.longest <= all.n);
	must(whole.received == sliced.received && whole.ended == sliced.ended);
	return 0;
}
