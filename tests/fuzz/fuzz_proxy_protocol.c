/*
 * fuzz_proxy_protocol - PROXY headers as nobody should send them. The first
 * byte says how large the slices are; any slicing reads the same and takes the
 * same bytes, and what it gave, said again, reads the same.
 *
 * Covers: proxy/base/proxy_protocol.c
 */
#include "base/proxy_protocol.h"

#include <stdint.h>
#include <string.h>

#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_header whole = { 0 }, sliced = { 0 }, again = { 0 };
	struct buf b = { 0 };
	size_t taken = 0, used, step = size ? (size_t)data[0] + 1 : 1;

	used = size ? proxy_header_read(&whole, data + 1, size - 1) : 0;
	for (size_t at = 1; at < size; at += step)
		taken += proxy_header_read(
		    &sliced, data + at, at + step < size ? step : size - at);
	must(taken == used && whole.state == sliced.state);
	must(whole.state != PROXY_MORE || size == 0 || used == size - 1);
	must(memcmp(&whole.client, &sliced.client, sizeof(whole.client)) == 0);
	proxy_header_put(&b, 1 + step % 2, &whole.client, &whole.listener);
	(void)proxy_header_read(&again, buf_data(&b), buf_len(&b));
	must(memcmp(&whole.client, &again.client, sizeof(whole.client)) == 0);
	buf_fini(&b);
	return 0;
}
