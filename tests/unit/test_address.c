/* address: RFC 5321 paths and ESMTP parameters. */
#include "cm.h"

#include "mail/address.h"

static const struct {
	struct pn_str in;
	const char *path, *address, *local, *domain, *rest;
	bool utf8;
} good[] = {
	{ PN_STR("<a@b>"), "a@b", "a@b", "a", "b", "", false },
	{ PN_STR("<>"), "", "", "", "", "", false },
	{ PN_STR(" <a@b.c> SIZE=1  X"), "a@b.c", "a@b.c", "a", "b.c", "SIZE=1  X", false },
	{ PN_STR("a@b"), "a@b", "a@b", "a", "b", "", false },
	{ PN_STR("a@b SIZE=1"), "a@b", "a@b", "a", "b", "SIZE=1", false },
	{ PN_STR("<@x,@y.z:a@b>"), "@x,@y.z:a@b", "a@b", "a", "b", "", false },
	{ PN_STR("<\"a b\"@c>"), "\"a b\"@c", "\"a b\"@c", "a b", "c", "", false },
	{ PN_STR("<\"a\\\"\\\\>@\"@c>"), "\"a\\\"\\\\>@\"@c", "\"a\\\"\\\\>@\"@c", "a\"\\>@", "c", "", false },
	{ PN_STR("<\"ada\"@b>"), "\"ada\"@b", "ada@b", "ada", "b", "", false },
	{ PN_STR("<\"a\\d.a\"@b>"), "\"a\\d.a\"@b", "ad.a@b", "ad.a", "b", "", false },
	{ PN_STR("<\"a\\ \\b\"@b>"), "\"a\\ \\b\"@b", "\"a b\"@b", "a b", "b", "", false },
	{ PN_STR("<\"\"@c>"), "\"\"@c", "\"\"@c", "", "c", "", false },
	{ PN_STR("<a@[192.0.2.1]>"), "a@[192.0.2.1]", "a@[192.0.2.1]", "a", "[192.0.2.1]", "", false },
	{ PN_STR("<a@[IPv6:::1]>"), "a@[IPv6:::1]", "a@[IPv6:::1]", "a", "[IPv6:::1]", "", false },
	{ PN_STR("<postMASTER>"), "postMASTER", "postMASTER", "postMASTER", "", "", false },
	{ PN_STR("<.a..b.@c>"), ".a..b.@c", ".a..b.@c", ".a..b.", "c", "", false },
	{ PN_STR("<a+b=c/d@e_f-g>"), "a+b=c/d@e_f-g", "a+b=c/d@e_f-g", "a+b=c/d", "e_f-g", "", false },
	{ PN_STR("<j\xc3\xbcrgen@b\xc3\xbc.example>"), "j\xc3\xbcrgen@b\xc3\xbc.example", "j\xc3\xbcrgen@b\xc3\xbc.example", "j\xc3\xbcrgen", "b\xc3\xbc.example", "", true },
};

static const struct pn_str bad[] = {
	PN_STR(""), PN_STR("<"), PN_STR("<a@b"), PN_STR("a@b>"), PN_STR("<a>"),
	PN_STR("<@b>"), PN_STR("<a@>"), PN_STR("<a@b>x"), PN_STR("<a@b@c>"),
	PN_STR("<a b@c>"), PN_STR("<a@b c>"), PN_STR("<a@b.>"), PN_STR("<a@.b>"),
	PN_STR("<a@b..c>"), PN_STR("<\"a@b>"), PN_STR("<\"a\"b@c>"),
	PN_STR("<\"a\\"), PN_STR("<a@[]>"), PN_STR("<a@[x>"), PN_STR("<a@[x]y>"),
	PN_STR("<@x a@b>"), PN_STR("<@x:>"), PN_STR("<@x,y:a@b>"),
	PN_STR("<a\0@b>"), PN_STR("<a@b\0>"), PN_STR("<a\x7f@b>"),
	PN_STR("<\"a\x01\"@b>"), PN_STR("<\"a\\\x01\"@b>"), PN_STR("<a@b\xff>"),
	PN_STR("<\xc3@b>"), PN_STR("<a(x)@b>"), PN_STR("<a@b,c@d>"),
	PN_STR("<\"a\"@[a b]>"), PN_STR("<<a@b>>"), PN_STR("< a@b>"),
};

static void
paths(void **state)
{
	struct arena *arena = arena_new(1 << 20);

	(void)state;
	for (size_t i = 0; i < PN_COUNT(good); i++) {
		struct address a;
		struct pn_str rest;

		if (address_parse_path(good[i].in, arena, &a, &rest) != ADDRESS_OK)
			fail_msg("%.*s", PN_STR_ARG(good[i].in));
		assert_str(a.path, good[i].path);
		assert_str(a.address, good[i].address);
		assert_str(a.local, good[i].local);
		assert_str(a.domain, good[i].domain);
		assert_str(rest, good[i].rest);
		assert_int_equal(a.utf8, good[i].utf8);
	}
	arena_free(arena);
}

static void
no_paths(void **state)
{
	struct arena *arena = arena_new(1 << 20);

	(void)state;
	for (size_t i = 0; i < PN_COUNT(bad); i++) {
		struct address a;
		struct pn_str rest;

		if (address_parse_path(bad[i], arena, &a, &rest) != ADDRESS_BAD)
			fail_msg("%zu: %.*s", i, PN_STR_ARG(bad[i]));
	}
	arena_free(arena);
}

static void
an_arena_at_its_cap(void **state)
{
	struct arena *arena = arena_new(1);
	struct address a;
	struct pn_str rest;

	(void)state;
	assert_int_equal(address_parse_path(PN_STR_V("<\"a b\"@c>"), arena, &a,
			     &rest),
	    ADDRESS_NO_ROOM);
	arena_free(arena);
}

static const struct {
	const char *text;
	unsigned allowed;
	enum params_result result;
	unsigned given;
	const char *bad;
} params[] = {
	{ "", 0, PARAMS_OK, 0, "" },
	{ "SIZE=10", PARAM_OF_MAIL, PARAMS_OK, PARAM_SIZE, "" },
	{ " size=0  body=7bit ", PARAM_OF_MAIL, PARAMS_OK, PARAM_SIZE | PARAM_BODY, "" },
	{ "SMTPUTF8 RET=FULL ENVID=x", PARAM_OF_MAIL, PARAMS_OK, PARAM_SMTPUTF8 | PARAM_RET | PARAM_ENVID, "" },
	{ "NOTIFY=NEVER ORCPT=rfc822;a", PARAM_OF_RCPT, PARAMS_OK, PARAM_NOTIFY | PARAM_ORCPT, "" },
	{ "NOTIFY=SUCCESS,FAILURE,DELAY", PARAM_OF_RCPT, PARAMS_OK, PARAM_NOTIFY, "" },
	{ "SIZE=1", PARAM_OF_RCPT, PARAMS_UNKNOWN, 0, "SIZE" },
	{ "RET=FULL", PARAM_SIZE, PARAMS_UNKNOWN, 0, "RET" },
	{ "=x", PARAM_OF_MAIL, PARAMS_UNKNOWN, 0, "" },
	{ "AUTH=<>", PARAM_OF_MAIL & ~PARAM_AUTH, PARAMS_UNKNOWN, 0, "AUTH" },
	{ "AUTH=<>", PARAM_OF_MAIL, PARAMS_OK, PARAM_AUTH, "" },
	{ "AUTH=e+2Ba@example.com", PARAM_OF_MAIL, PARAMS_OK, PARAM_AUTH, "" },
	{ "AUTH=", PARAM_OF_MAIL, PARAMS_BAD, PARAM_AUTH, "AUTH" },
	{ "AUTH=a+2", PARAM_OF_MAIL, PARAMS_BAD, PARAM_AUTH, "AUTH" },
	{ "AUTH=a+2b", PARAM_OF_MAIL, PARAMS_BAD, PARAM_AUTH, "AUTH" },
	{ "AUTH=a+b", PARAM_OF_MAIL, PARAMS_BAD, PARAM_AUTH, "AUTH" },
	{ "AUTH=\xc3\xa4@b", PARAM_OF_MAIL, PARAMS_BAD, PARAM_AUTH, "AUTH" },
	{ "AUTH=<> AUTH=<>", PARAM_OF_MAIL, PARAMS_BAD, PARAM_AUTH, "AUTH" },
	{ "SIZE", PARAM_OF_MAIL, PARAMS_BAD, PARAM_SIZE, "SIZE" },
	{ "SIZE=", PARAM_OF_MAIL, PARAMS_BAD, PARAM_SIZE, "SIZE" },
	{ "SIZE=1x", PARAM_OF_MAIL, PARAMS_BAD, PARAM_SIZE, "SIZE" },
	{ "SIZE=-1", PARAM_OF_MAIL, PARAMS_BAD, PARAM_SIZE, "SIZE" },
	{ "SIZE=99999999999999999999", PARAM_OF_MAIL, PARAMS_BAD, PARAM_SIZE, "SIZE" },
	{ "BODY=BINARYMIME", PARAM_OF_MAIL, PARAMS_OK, PARAM_BODY, "" },
	{ "BODY=BINARY", PARAM_OF_MAIL, PARAMS_BAD, PARAM_BODY, "BODY" },
	{ "SMTPUTF8=1", PARAM_OF_MAIL, PARAMS_BAD, PARAM_SMTPUTF8, "SMTPUTF8" },
	{ "RET=ALL", PARAM_OF_MAIL, PARAMS_BAD, PARAM_RET, "RET" },
	{ "NOTIFY=", PARAM_OF_RCPT, PARAMS_BAD, PARAM_NOTIFY, "NOTIFY" },
	{ "NOTIFY=SUCCESS,", PARAM_OF_RCPT, PARAMS_BAD, PARAM_NOTIFY, "NOTIFY" },
	{ "NOTIFY=NEVER,SUCCESS", PARAM_OF_RCPT, PARAMS_BAD, PARAM_NOTIFY, "NOTIFY" },
	{ "ORCPT=rfc822;", PARAM_OF_RCPT, PARAMS_BAD, PARAM_ORCPT, "ORCPT" },
	{ "ORCPT=;a", PARAM_OF_RCPT, PARAMS_BAD, PARAM_ORCPT, "ORCPT" },
	{ "ORCPT=rfc822;a=b", PARAM_OF_RCPT, PARAMS_BAD, PARAM_ORCPT, "ORCPT" },
	{ "NOTIFY=NEVER NOTIFY=NEVER", PARAM_OF_RCPT, PARAMS_BAD, PARAM_NOTIFY, "NOTIFY" },
};

static void
parameters(void **state)
{
	(void)state;
	for (size_t i = 0; i < PN_COUNT(params); i++) {
		struct params p;

		if (params_check(pn_str_of(params[i].text), params[i].allowed,
			&p) != params[i].result)
			fail_msg("%s", params[i].text);
		assert_int_equal(p.given, params[i].given);
		assert_str(p.bad, params[i].bad);
	}
}

static void
values_of_parameters(void **state)
{
	struct params p;

	(void)state;
	assert_int_equal(params_check(PN_STR_V("SIZE=18446744073709551615 BODY=8bitmime"),
			     PARAM_OF_MAIL, &p),
	    PARAMS_OK);
	assert_true(p.size == UINT64_MAX);
	assert_true(p.eight_bit);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths),
		cmocka_unit_test(no_paths),
		cmocka_unit_test(an_arena_at_its_cap),
		cmocka_unit_test(parameters),
		cmocka_unit_test(values_of_parameters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
