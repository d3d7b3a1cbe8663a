/*
 * fuzz_mime - a whole message through the view, the built-in modules and what
 * rules ask of them. Limits are small, so that each is met.
 *
 * Covers: proxy/inspect/archive.c proxy/inspect/charset.c proxy/inspect/decode.c proxy/inspect/header.c proxy/inspect/host.c proxy/inspect/mailbox.c proxy/inspect/mime.c proxy/inspect/param.c proxy/inspect/type.c proxy/inspect/view.c proxy/inspect/zip.c filters/attachment.c filters/header.c
 */
#include "base/must.h"
#include "filters/builtin.h"
#include "inspect/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct pn_filter *const filters[] = { PN_BUILTIN_FILTERS };
	static const struct view_limits limits = { 40, 8, 100, 3, 50, 1 << 20,
		2 << 20 };
	struct arena *a = arena_new(64u << 20);
	struct host_result *r;
	struct chain chain;
	struct error e;
	struct value v;

	must(chain_build(&chain, filters, PN_COUNT(filters), a, &e) == 0);
	r = host_run(view_new((struct pn_str){ (const char *)data, size },
	    &limits, a), &chain);
	must(r != NULL && r->dropped == 0 && r->n_parts <= limits.max_parts);
	for (uint32_t f = 0; f < chain.n_facts; f++)
		for (uint32_t t = 0; t <= r->n_parts; t++)
			r->ask.get(r->ask.arg, f, t < r->n_parts ? t :
			    RULES_MESSAGE, PN_STR_V("subject"), t & 1, &v);
	arena_free(a);
	return 0;
}
