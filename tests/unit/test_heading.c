/* heading: what is a header, what is a Received field; in any slices. */
#include "cm.h"

#include "smtp/heading.h"

#define LONG32 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define LONG128 LONG32 LONG32 LONG32 LONG32

static const struct {
	const char *what, *text;
	size_t bytes, longest;
	unsigned received;
	bool ended;
} cases[] = {
	{ "nothing", "", 0, 0, 0, false },
	{ "an empty line", "\r\nbody\r\n", 2, 4, 0, true },
	{ "a field", "Received: x\r\n\r\n", 15, 11, 1, true },
	{ "no end", "Received: x\r\n", 13, 11, 1, false },
	{ "any case", "rEcEiVeD:\r\n\r\n", 13, 9, 1, true },
	{ "a blank before the colon", "Received \t: x\r\n\r\n", 17, 13, 1, true },
	{ "folded", "Received:\r\n Received: x\r\n\r\n", 27, 12, 1, true },
	{ "two", "Received: x\r\nReceived: y\r\n\r\n", 28, 11, 2, true },
	{ "others", "X-Received: x\r\nReceived-SPF: y\r\nSubject: Received: z\r\n"
		    "\r\n", 56, 20, 0, true },
	{ "in the body", "A: b\r\n\r\nReceived: x\r\n", 8, 11, 0, true },
	{ "behind what is no field", "A: b\r\nno field\r\nReceived: x\r\n", 16,
	    11, 0, true },
	{ "behind a name with a blank", "A: b\r\nno field: x\r\nReceived: x\r\n",
	    19, 11, 0, true },
	{ "folded first", " a: b\r\nReceived: x\r\n", 7, 11, 0, true },
	{ "of an mbox", "From a@b Mon\r\nReceived: x\r\n\r\n", 29, 12, 1, true },
	{ "a colon alone", ":\r\nReceived: x\r\n", 3, 11, 0, true },
	{ "a long name", LONG128 LONG32 ": x\r\nReceived: x\r\n\r\n", 180, 163,
	    1, true },
	{ "a long value", "A: " LONG128 LONG128 "\r\nReceived: x\r\n\r\n", 276,
	    259, 1, true },
	{ "a bare CR", "A: b\rReceived: x\r\n\r\n", 20, 16, 0, true },
	{ "no line end", "Received", 8, 8, 0, false },
};

static void
expect(const struct heading *h, size_t i, size_t step)
{
	if (h->bytes != cases[i].bytes || h->received != cases[i].received ||
	    h->ended != cases[i].ended || h->longest != cases[i].longest)
		fail_msg("%s by %zu: %zu bytes, longest %zu, %u received%s",
		    cases[i].what, step, h->bytes, h->longest, h->received,
		    h->ended ? "" : ", not ended");
}

static void
any_slices(void **state)
{
	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct pn_str all = pn_str_of(cases[i].text);

		for (size_t step = 1; step <= all.n + 1; step++) {
			struct heading h = { 0 };

			for (size_t at = 0; at < all.n; at += step)
				heading_feed(
				    &h, pn_str_sub(all, at, step), false);
			expect(&h, i, step);
		}
	}
}

/* With stop, nothing behind the header is looked at. */
static void
stops(void **state)
{
	struct heading h = { 0 };

	(void)state;
	heading_feed(&h, PN_STR_V("A: b\r\n\r\n" LONG128 "\r\n"), true);
	assert_true(h.ended);
	assert_int_equal(h.longest, 4);
	heading_feed(&h, PN_STR_V("Received: x\r\n"), true);
	assert_int_equal(h.received, 0);
	assert_int_equal(h.bytes, 8);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_slices),
		cmocka_unit_test(stops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
