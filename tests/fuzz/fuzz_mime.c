/*
 * fuzz_mime - a whole message through the view, the built-in modules and what
 * rules ask of them. Limits are small, so that each is met.
 *
 * Covers: proxy/inspect/archive.c proxy/inspect/archive_unpack.c
 * proxy/inspect/decode.c proxy/inspect/format.c proxy/inspect/header.c
 * proxy/inspect/host.c proxy/inspect/mailbox.c proxy/inspect/mime.c
 * proxy/inspect/mime_boundary.c proxy/inspect/mime_fields.c
 * proxy/inspect/mime_leaf.c proxy/inspect/uu.c proxy/inspect/param.c
 * proxy/inspect/rar.c proxy/inspect/tnef.c proxy/inspect/type.c
 * proxy/inspect/view.c proxy/inspect/zip.c proxy/inspect/text.c
 * proxy/base/utf8.c filters/attachment.c filters/header.c filters/text.c
 * filters/url.c
 */
#include <stdlib.h>

#include "base/must.h"
#include "filters/builtin.h"
#include "inspect/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every byte is read: a pointer too far is the sanitizer's to see. */
static void
touch(struct pn_str s)
{
	char *copy = malloc(s.n + 1);

	must(copy != NULL);
	if (s.n > 0)
		memcpy(copy, s.p, s.n);
	free(copy);
}

static const struct pn_fact_decl facts[] = {
	{ .name = "raw-size", .type = PN_NUMBER, .stage = PN_STAGE_MESSAGE },
	{ .name = "part.odd", .type = PN_BOOL, .stage = PN_STAGE_MESSAGE },
	{ .name = "url.size", .type = PN_NUMBER, .stage = PN_STAGE_MESSAGE },
	{ .name = NULL },
};

static void
look_at_texts(struct pn_mail *m)
{
	struct pn_str s;
	bool more;

	for (unsigned i = 0; pn_text(m, i, &s, &more); i++)
		touch(s);
	for (unsigned i = 0; pn_html(m, i, &s, NULL); i++)
		touch(s);
	for (unsigned i = 0; pn_hidden(m, i, &s, NULL); i++)
		touch(s);
	for (struct pn_url *u = pn_first_url(m); u; u = pn_next_url(m, u)) {
		touch(pn_url_whole(u));
		touch(pn_url_text(u));
		pn_url_fact_number(m, u, "url.size",
		    (int64_t)pn_url_path(u).n);
	}
}

/* A module that asks more than the built-in ones, and fails at odd sizes. */
static enum pn_step
inspect(struct pn_mail *m)
{
	struct pn_part *p;

	look_at_texts(m);
	touch(pn_raw(m));
	pn_fact_number(m, "raw-size", (int64_t)pn_raw(m).n);
	for (p = pn_first_part(m); p != NULL; p = pn_next_part(m, p)) {
		uint64_t size = pn_part_size(p);

		touch(pn_part_head(p, 10));
		touch(pn_part_head(p, 5000));
		touch(pn_part_head(p, SIZE_MAX));
		touch(pn_part_path(p));
		if (size % 2)
			pn_part_fact_unknown(p, "part.odd");
	}
	return pn_raw(m).n % 2 ? PN_FAIL : PN_NEXT;
}
static const struct pn_filter curious = {
	.abi = PN_ABI, .name = "curious", .facts = facts, .inspect = inspect
};

/* What rules would ask of each fact, each part. */
static void
ask_all(const struct rules_facts *ask, const struct chain *chain)
{
	uint32_t n = ask->n_things(ask->arg, "part");
	struct value v;

	for (uint32_t f = 0; f < chain->n_facts; f++)
		for (uint32_t t = 0; t <= n; t++)
			for (unsigned nth = 0; nth < 3; nth++)
				ask->get(ask->arg, f, t < n ? t : RULES_MESSAGE,
				    PN_STR_V("subject"), nth, &v);
	for (uint32_t t = 0; t < n; t++)
		(void)ask->depth(ask->arg, "part", t); /* only asked */
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct pn_filter *const filters[] = { PN_BUILTIN_FILTERS,
		&curious };
	static const struct view_limits limits = { 40, 8, 100, 3, 50, 1 << 20,
		2 << 20, 4096, 8192, 10, 10 };
	struct arena *a = arena_new(64u << 20);
	struct host_result *r;
	struct chain chain;
	struct error e;

	must(chain_build(&chain, filters, PN_COUNT(filters), a, &e) == 0);
	r = host_run(
	    view_new((struct pn_str){ (const char *)data, size }, &limits, a),
	    &chain);
	must(r != NULL && r->dropped == 0 &&
	    r->things[THING_PART].n <= limits.max_parts);
	for (unsigned kind = 0; kind < THINGS; kind++)
		for (uint32_t i = 0; i < r->things[kind].n; i++) {
			const struct fact_thing *t = &r->things[kind].v[i];

			must(t->from <= size && t->size <= size - t->from);
		}
	ask_all(&r->ask, &chain);
	arena_free(a);
	return 0;
}
