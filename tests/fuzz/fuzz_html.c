/*
 * fuzz_html - a page, in UTF-8 or nearly, to its text and links. What comes
 * out is UTF-8 within its caps, each link lies in the text.
 *
 * Covers: proxy/inspect/html.c proxy/inspect/html_kind.c
 * proxy/inspect/html_links.c proxy/inspect/html_tag.c
 * proxy/inspect/html_tree.c proxy/inspect/css.c proxy/inspect/css_sheet.c
 * proxy/inspect/entity.c proxy/inspect/clean.c
 */
#include "base/must.h"
#include "base/utf8.h"
#include "inspect/charset.h"
#include "inspect/html.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf page = { 0 }, lines = { .max = 3 * size + 1 };
	struct buf seen = { .max = 5000 }, hidden = { .max = 5000 };
	struct clean plain = { .out = &lines };
	struct html h = { .text = { .out = &seen },
		.hidden = { .out = &hidden },
		.max_links = 20,
		.arena = arena_new(8 << 20) };

	(void)charset_read(PN_STR_V("utf-8"),
	    (struct pn_str){ (const char *)data, size }, &page); /* is read */
	(void)html_charset(buf_str(&page)); /* only read */
	must(html_read(&h, buf_str(&page)) == 0);
	must(utf8_valid(buf_str(&seen)) && utf8_valid(buf_str(&hidden)));
	for (size_t i = 0; i < h.n_links; i++)
		must(h.links[i].from <= h.links[i].to &&
		    h.links[i].to <= buf_len(&seen) && h.links[i].target.n > 0);
	clean_lines(&plain, buf_str(&page));
	must(!lines.full && utf8_valid(buf_str(&lines)));
	arena_free(h.arena);
	buf_fini(&page);
	buf_fini(&lines);
	buf_fini(&seen);
	buf_fini(&hidden);
	return 0;
}
