/* route: which upstream a recipient belongs to. */
#include "engine/map.h"
#include "smtp/route.h"
#include "tests/unit/cm.h"

static const struct smtp_upstream ups[] = { { .name = "zero" },
	{ .name = "one" }, { .name = "two" }, { .name = "three" },
	{ .name = "rest" } };
static const struct smtp_route_line lines[] = {
	{ ".b.example", &ups[1] },
	{ ".deep.b.example", &ups[2] },
	{ "a.example", &ups[0] },
	{ "ada@a.example", &ups[3] },
	{ "b.example", &ups[2] },
	{ "xn--bcher-kva.example", &ups[1] },
};
static const char *const maps[] = { "first", "second" };
static const struct smtp_conf conf = { .upstreams = ups,
	.n_upstreams = PN_COUNT(ups) };

/* In place of the engine's: an address is looked for as @domain, too. */
enum engine_map_found
engine_map_find(struct engine *g, struct pn_str map, struct pn_str key,
    struct buf *value)
{
	static const struct {
		const char *map, *key, *value;
	} held[] = {
		{ "first", "x@mapped.example", "one" },
		{ "first", "@broken.example", "nobody" },
		{ "first", "@a.example", "two" },
		{ "second", "@mapped.example", "two" },
		{ "second", "@.parent.example", " three " },
	};
	const char *at = memchr(key.p, '@', key.n);
	struct pn_str domain =
	    pn_str_sub(key, (size_t)(at - key.p), key.n);

	(void)g;
	if (pn_str_eq(key, PN_STR_V("x@unknown.example")))
		return ENGINE_MAP_UNKNOWN;
	for (size_t i = 0; i < PN_COUNT(held); i++)
		if (pn_str_eq(map, pn_str_of(held[i].map)) &&
		    (pn_str_eq(key, pn_str_of(held[i].key)) ||
			pn_str_eq(domain, pn_str_of(held[i].key)))) {
			(void)buf_puts(value, held[i].value);
			return ENGINE_MAP_FOUND;
		}
	return ENGINE_MAP_NONE;
}

static void
the_most_particular_line_counts(void **state)
{
	static const struct {
		const char *local, *domain;
		const char *to;   /* with a default, */
		const char *bare; /* and without; NULL: nowhere, "!" broken */
	} cases[] = {
		{ "x", "a.example", "zero", "zero" },
		{ "Ada", "A.Example", "three", "three" },
		{ "x", "a.example.", "zero", "zero" },
		{ "x", "sub.a.example", "rest", NULL },
		{ "x", "b.example", "two", "two" },
		{ "x", "y.b.example", "one", "one" },
		{ "x", "y.z.b.example", "one", "one" },
		{ "x", "y.deep.b.example", "two", "two" },
		{ "x", "deep.b.example", "one", "one" },
		{ "x", "bb.example", "rest", NULL },
		{ "x", "b\303\274cher.example", "one", "one" },
		{ "x", "mapped.example", "one", "one" },
		{ "y", "mapped.example", "two", "two" },
		{ "y", "sub.parent.example", "three", "three" },
		{ "y", "parent.example", "rest", NULL },
		{ "y", "broken.example", "!", "!" },
		{ "x", "unknown.example", "!", "!" },
		{ "postmaster", "", "rest", "one" },
	};
	struct smtp_route route = { .lines = lines,
		.n_lines = PN_COUNT(lines), .maps = maps,
		.n_maps = PN_COUNT(maps) };

	(void)state;
	for (size_t i = 0; i < 2 * PN_COUNT(cases); i++) {
		bool bare = i % 2;
		const char *want =
		    bare ? cases[i / 2].bare : cases[i / 2].to;
		const struct rcpt r = { .local = pn_str_of(cases[i / 2].local),
			.domain = pn_str_of(cases[i / 2].domain) };
		const struct smtp_upstream *to = NULL;
		enum route_found found;
		const char *got;

		route.otherwise = bare ? NULL : &ups[4];
		found = route_find(&conf, &route, NULL, &r, &to);
		got = found == ROUTE_FOUND ? to->name
		    : found == ROUTE_BROKEN ? "!"
					    : NULL;
		if ((got == NULL) != (want == NULL) ||
		    (got != NULL && strcmp(got, want) != 0))
			fail_msg("%s@%s: %s", cases[i / 2].local,
			    cases[i / 2].domain, got ? got : "nowhere");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_most_particular_line_counts),
	};

	return cmocka_run_group_tests_name("route", tests, NULL, NULL);
}
