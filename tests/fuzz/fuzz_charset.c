/*
 * fuzz_charset - text in a charset: a line with its name, then the bytes.
 * Whatever they are, UTF-8 comes out, no longer than it says.
 *
 * Covers: proxy/inspect/charset.c
 */
#include "base/must.h"
#include "base/utf8.h"
#include "inspect/charset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *nl = size ? memchr(data, '\n', size) : NULL;
	struct pn_str all = { (const char *)data, size };
	size_t n = nl == NULL ? 0 : (size_t)(nl - all.p);
	struct pn_str name = pn_str_sub(all, 0, n);
	struct pn_str text = pn_str_sub(all, n + (nl != NULL), size);
	static struct charsets *open; /* kept: opening them is slow */
	struct buf out = { .max = 3 * text.n + 4 }, some = { .max = 10 };

	if (open == NULL)
		open = charsets_open();
	must(charset_read(name, text, &out) == charset_is_read(name));
	must(!out.full && utf8_valid(buf_str(&out)));
	if (charset_is_plain(name, text)) {
		must(pn_str_eq(buf_str(&out), text));
		must(charset_kind(name) == CHARSET_ASCII);
	}
	(void)charset_read(name, text, &some); /* as far as it goes */
	must(buf_len(&some) <= some.max);
	buf_fini(&out);
	buf_fini(&some);
	return 0;
}
