/* ehlo: keywords read, and what of them is announced. */
#include "cm.h"

#include <stdio.h>

#include "smtp/ehlo.h"

static void
keywords_of_a_next_hop(void **state)
{
	struct keywords k;

	(void)state;
	keywords_read(&k,
	    PN_STR_V("250-PIPELINING host\r\n250-size 1000\r\n250-8bitmime\r\n"
		     "250-XCLIENT NAME ADDR WHATEVER\r\n250-X\r\n250-\r\n250 DSN\r\n"));
	assert_true(k.known && k.has_size && k.eight_bit && k.dsn);
	assert_false(k.pipelining || k.smtputf8 || k.status);
	assert_int_equal(k.size, 1000);
	assert_int_equal(k.xclient, ATTR_NAME | ATTR_ADDR);
	assert_int_equal(k.xforward, 0);
	keywords_read(&k, PN_STR_V("250 alone\r\n"));
	assert_true(k.known);
	assert_false(k.has_size);
}

static void
mechanisms_that_bind(void **state)
{
	static const struct {
		const char *auth;
		bool binds;
		const char *pass;
	} cases[] = {
		{ "AUTH PLAIN SCRAM-SHA-1", false, "PLAIN SCRAM-SHA-1" },
		{ "AUTH scram-sha-1-plus PLAIN", true, "PLAIN" },
		{ "AUTH -PLUS PLAIN", false, "-PLUS PLAIN" },
	};

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct keywords k;
		char reply[80];

		(void)snprintf(reply, sizeof(reply), "250-h\r\n250 %s\r\n",
		    cases[i].auth);
		keywords_read(&k, pn_str_of(reply));
		assert_int_equal(k.auth_binds, cases[i].binds);
		assert_string_equal(k.auth, cases[i].pass);
	}
}

/* RFC 3030 3: of no use without CHUNKING; and who has it has 8BITMIME. */
static void
binary_is_what_can_be_carried(void **state)
{
	struct keywords k;

	(void)state;
	keywords_read(&k, PN_STR_V("250-h\r\n250-BINARYMIME\r\n"
				   "250-8BITMIME\r\n250 Chunking\r\n"));
	assert_true(k.binary && k.chunking);
	keywords_read(&k,
	    PN_STR_V("250-h\r\n250-8BITMIME\r\n250 BINARYMIME\r\n"));
	assert_false(k.binary || k.chunking);
	keywords_read(&k,
	    PN_STR_V("250-h\r\n250-CHUNKING\r\n250 BINARYMIME\r\n"));
	assert_true(!k.binary && k.chunking);
}

static void
the_smaller_size(void **state)
{
	static const struct {
		bool has;
		uint64_t theirs, ours, want;
	} cases[] = { { false, 0, 100, 100 }, { true, 0, 100, 100 },
		{ true, 50, 100, 50 }, { true, 200, 100, 100 },
		{ true, 200, 0, 200 }, { false, 0, 0, 0 } };

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct keywords k = { .has_size = cases[i].has,
			.size = cases[i].theirs };
		struct ehlo e = { .next = &k, .size_limit = cases[i].ours };

		assert_int_equal(ehlo_size(&e), cases[i].want);
	}
}

static void
the_announcement(void **state)
{
	struct keywords k = { .smtputf8 = true, .xclient = ATTR_ADDR };
	struct ehlo e = { .hostname = "h", .next = &k, .size_limit = 7,
		.xforward = true };
	struct buf b = { 0 };

	(void)state;
	ehlo_put(&b, &e);
	assert_str(buf_str(&b),
	    "250-h\r\n250-PIPELINING\r\n250-CHUNKING\r\n250-SMTPUTF8\r\n"
	    "250-XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE\r\n"
	    "250 SIZE 7\r\n");
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keywords_of_a_next_hop),
		cmocka_unit_test(mechanisms_that_bind),
		cmocka_unit_test(binary_is_what_can_be_carried),
		cmocka_unit_test(the_smaller_size),
		cmocka_unit_test(the_announcement),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
