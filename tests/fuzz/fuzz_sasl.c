/*
 * fuzz_sasl - AUTH as hostile clients speak it: the first line is the
 * mechanism, the others are what the client says. The name that comes out is
 * text of one line, and no other bytes of what was said stay behind.
 *
 * Covers: proxy/smtp/sasl.c
 */
#include <stdint.h>

#include "base/must.h"
#include "smtp/sasl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pn_str in = { (const char *)data, size }, line, name;
	struct sasl s = { 0 };

	for (bool first = true; in.n > 0; first = false) {
		const char *end = memchr(in.p, '\n', in.n);

		line = pn_str_sub(in, 0, end ? (size_t)(end - in.p) : in.n);
		in = pn_str_sub(in, line.n + 1, in.n);
		if (first && !sasl_init(&s, line))
			return 0;
		if (!first)
			(void)sasl_client(&s, line);
	}
	name = sasl_login(&s);
	must(name.n > 0 && name.n <= SASL_LOGIN_MAX);
	for (size_t i = 0; i < name.n; i++)
		must((unsigned char)name.p[i] >= ' ' && name.p[i] != 127);
	return 0;
}
