/*
 * fuzz_bdat - BDAT as hostile clients send it: the first line is its argument,
 * what follows its octets, of which none may be lost or added and whose line
 * ends are what a naive reading says.
 *
 * Covers: proxy/smtp/bdat.c
 */
#include "smtp/bdat.h"

#include <stdio.h>

#include "base/must.h"
#include "smtp/dot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is read, written anew, is read as the same. */
static void
argument(struct pn_str arg)
{
	struct chunk c, again;
	char text[64];

	if (!bdat_parse(arg, &c))
		return;
	must(c.left == c.size && c.size <= BDAT_MAX && c.no.code == 0);
	(void)snprintf(text, sizeof(text), "%llu%s", (unsigned long long)c.size,
	    c.last ? " LAST" : "");
	must(bdat_parse(pn_str_of(text), &again));
	must(again.size == c.size && again.last == c.last);
}

static void
octets(const char *p, size_t n)
{
	struct dot d = { .raw = true };
	bool bare = false, dotted = n > 0 && p[0] == '.';

	for (size_t i = 0; i < n; i++) {
		char byte = p[i];
		size_t kept;

		bare |= byte == '\n' && (i == 0 || p[i - 1] != '\r');
		bare |= i > 0 && p[i - 1] == '\r' && byte != '\n';
		dotted |= i > 1 && byte == '.' && p[i - 1] == '\n' &&
		    p[i - 2] == '\r';
		must(dot_feed(&d, &byte, 1, &kept) == 1 && kept == 1);
		must(byte == p[i] && !d.ended);
	}
	must(d.bare == bare && d.dotted == dotted);
	must((d.state == DOT_CR) == (n > 0 && p[n - 1] == '\r'));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data;
	const char *lf = size > 0 ? memchr(p, '\n', size) : NULL;
	size_t n = lf != NULL ? (size_t)(lf - p) : size;

	argument((struct pn_str){ p, n });
	if (lf != NULL)
		octets(lf + 1, size - n - 1);
	return 0;
}
