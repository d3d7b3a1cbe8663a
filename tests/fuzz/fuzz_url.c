/*
 * fuzz_url - addresses: taken apart, with a base and without, and found in a
 * text or a page. What was taken apart can be again, and is the same.
 *
 * Covers: proxy/inspect/url.c proxy/inspect/urls.c
 */
#include "base/must.h"
#include "inspect/urls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
take_apart(struct pn_str s, const struct url *base, struct arena *a)
{
	struct url u, again;

	if (!url_parse(&u, s, base, a) || u.host.n == 0)
		return;
	must(url_parse(&again, u.whole, NULL, a));
	must(pn_str_eq(again.host, u.host) && pn_str_eq(again.domain, u.domain));
	must(again.ip == u.ip && !again.user);
	(void)url_is_public(&u, a); /* only read */
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct view_limits limits = { 40, 8, 100, 3, 50, 1 << 20,
		2 << 20, 10000, 20000, 20, 10 };
	struct pn_str s = { (const char *)data + 1, size - 1 };
	struct arena *a = arena_new(16 << 20);
	struct url base;
	uint32_t n = 0;

	if (size > 0 && data[0] == 'u')
		take_apart(s, NULL, a);
	else if (size > 0 && data[0] == 'b' &&
	    url_parse(&base, PN_STR_V("http://a.example/b/c"), NULL, a))
		take_apart(s, &base, a);
	else if (size > 0 && data[0] == 'm')
		for (struct pn_url *u =
			 view_urls(view_new(s, &limits, a))->first;
		     u != NULL; u = u->next)
			must(u->number == n++ && n <= limits.max_urls);
	arena_free(a);
	return 0;
}
