/*
 * fuzz_line - command lines as hostile clients send them. The first byte says
 * how large the slices are; any slicing must give the same lines, and they are
 * those of a naive reading of RFC 5321 2.3.8.
 *
 * Covers: proxy/smtp/line.c
 */
#include "smtp/line.h"

#include <stdint.h>
#include <strings.h>

#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
put_line(struct buf *out, enum line_fault fault, struct pn_str text)
{
	must(buf_add(out, &(char){ (char)fault }, 1));
	must(buf_add_str(out, text) && buf_add(out, "\n", 1));
}

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
			must(text.n <= LINE_BYTES_AUTH - 2);
			must(fault != LINE_TOO_LONG || text.n == 0);
			if (fault == LINE_CHUNK)
				text.n = 0; /* no use is made of it */
			put_line(out, fault, text);
		}
		must(buf_len(&in) < LINE_BYTES_AUTH);
	}
	buf_fini(&in);
}

static void
naive(const char *p, size_t n, struct buf *out)
{
	const char *end;

	for (; (end = memmem(p, n, "\r\n", 2)) != NULL; p = end + 2) {
		struct pn_str text = { p, (size_t)(end - p) };
		size_t max = text.n < 5 ? LINE_BYTES
		    : strncasecmp(p, "AUTH ", 5) == 0 ? LINE_BYTES_AUTH
		    : strncasecmp(p, "MAIL ", 5) == 0 ||
			strncasecmp(p, "RCPT ", 5) == 0
		    ? LINE_BYTES_PATH
		    : LINE_BYTES;

		bool good = text.n + 2 <= max &&
		    !memchr(p, '\0', text.n) && !memchr(p, '\r', text.n) &&
		    !memchr(p, '\n', text.n);

		n -= text.n + 2;
		if (!good && text.n >= 4 && strncasecmp(p, "BDAT", 4) == 0)
			put_line(out, LINE_CHUNK, PN_STR_V(""));
		else if (text.n + 2 > max)
			put_line(out, LINE_TOO_LONG, PN_STR_V(""));
		else if (memchr(p, '\0', text.n) != NULL)
			put_line(out, LINE_NUL, text);
		else if (memchr(p, '\r', text.n) || memchr(p, '\n', text.n))
			put_line(out, LINE_BARE, text);
		else
			put_line(out, LINE_GOOD, text);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole = { 0 }, sliced = { 0 }, want = { 0 };

	if (size == 0)
		return 0;
	feed(data + 1, size - 1, size, &whole);
	feed(data + 1, size - 1, (size_t)data[0] + 1, &sliced);
	naive((const char *)data + 1, size - 1, &want);
	must(pn_str_eq(buf_str(&whole), buf_str(&sliced)));
	must(pn_str_eq(buf_str(&whole), buf_str(&want)));
	buf_fini(&whole);
	buf_fini(&sliced);
	buf_fini(&want);
	return 0;
}
