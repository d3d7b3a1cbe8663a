/* sasl: whose login passes by, in which words; and what cannot pass. */
#include "cm.h"

#include "smtp/sasl.h"

static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* RFC 4648 4, as the client would write it. */
static struct pn_str
encode(struct pn_str in, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < in.n; i += 3) {
		unsigned v = 0;
		size_t have = in.n - i < 3 ? in.n - i : 3;

		for (size_t k = 0; k < 3; k++)
			v = v << 8 |
			    (k < have ? (unsigned char)in.p[i + k] : 0);
		for (size_t k = 0; k < 4; k++)
			out[n++] = k <= have ? digits[v >> (18 - 6 * k) & 63]
					     : '=';
	}
	return (struct pn_str){ out, n };
}

/* What the client says, before base64; NULL ends. "=": written as it is. */
static const struct {
	const char *name, *mechanism;
	struct pn_str lines[3];
	const char *login;
} logins[] = {
	{ "plain", "PLAIN", { PN_STR("\0ada\0pw") }, "ada" },
	{ "lower case", "plain", { PN_STR("\0ada\0pw") }, "ada" },
	{ "not whom she acts as", "PLAIN", { PN_STR("root\0ada\0pw") }, "ada" },
	{ "utf-8", "PLAIN", { PN_STR("\0\xc3\xa4\0pw") }, "\xc3\xa4" },
	{ "no utf-8", "PLAIN", { PN_STR("\0\xe4\0pw") }, "[PLAIN]" },
	{ "no name", "PLAIN", { PN_STR("\0\0pw") }, "[PLAIN]" },
	{ "a line in it", "PLAIN", { PN_STR("\0a\nb\0pw") }, "[PLAIN]" },
	{ "one part is missing", "PLAIN", { PN_STR("x\0secret") }, "[PLAIN]" },
	{ "one part alone", "PLAIN", { PN_STR("secret") }, "[PLAIN]" },
	{ "login", "LOGIN", { PN_STR("ada"), PN_STR("secret") }, "ada" },
	{ "nothing at first", "LOGIN",
	    { PN_STR("="), PN_STR("ada"), PN_STR("secret") }, "ada" },
	{ "no name, a password", "LOGIN",
	    { PN_STR(""), PN_STR("secret") }, "[LOGIN]" },
	{ "cram", "CRAM-MD5", { PN_STR("ada lovelace 0f") }, "ada lovelace" },
	{ "cram without", "CRAM-MD5", { PN_STR("0f") }, "[CRAM-MD5]" },
	{ "xoauth2", "XOAUTH2",
	    { PN_STR("user=ada@example.com\1auth=Bearer t\1\1") },
	    "ada@example.com" },
	{ "oauthbearer", "OAUTHBEARER",
	    { PN_STR("n,a=ada=2Cb@example.com,\1host=h\1auth=Bearer t\1\1") },
	    "ada,b@example.com" },
	{ "oauthbearer, the token knows", "OAUTHBEARER",
	    { PN_STR("n,,\1auth=Bearer t\1\1") }, "[OAUTHBEARER]" },
	{ "scram", "SCRAM-SHA-256",
	    { PN_STR("n,,n=ada,r=x"), PN_STR("c=biws,r=x,p=y") }, "ada" },
	{ "scram for another", "SCRAM-SHA-1",
	    { PN_STR("y,a=root,n=a=3Dd=2Ca,r=x") }, "a=d,a" },
	{ "scram, empty first", "SCRAM-SHA-1",
	    { PN_STR("="), PN_STR("n,,n=ada,r=x") }, "ada" },
	{ "digest", "DIGEST-MD5",
	    { PN_STR("charset=utf-8,username=\"a\\\"d,a\",realm=\"x\"") },
	    "a\"d,a" },
	{ "digest, no quotes", "DIGEST-MD5", { PN_STR("username=ada,qop=auth") },
	    "ada" },
	{ "digest, unfinished", "DIGEST-MD5", { PN_STR("username=\"ada\\") },
	    "ada\\" },
	{ "unknown", "GSSAPI", { PN_STR("\x60\x82 whatever") }, "[GSSAPI]" },
	{ "nothing said", "PLAIN", { { 0 } }, "[PLAIN]" },
};

static void
who_logs_in(void **state)
{
	(void)state;
	for (size_t i = 0; i < PN_COUNT(logins); i++) {
		struct sasl s;
		char text[512];

		assert_true(sasl_init(&s, pn_str_of(logins[i].mechanism)));
		for (size_t k = 0; k < 3 && logins[i].lines[k].p != NULL; k++) {
			struct pn_str line = logins[i].lines[k];

			if (!pn_str_eq(line, PN_STR_V("=")))
				line = encode(line, text);
			assert_int_equal(
			    sasl_client(&s, line), SASL_PASSES);
		}
		if (!pn_str_eq(sasl_login(&s), pn_str_of(logins[i].login)))
			fail_msg("%s: \"%s\", not \"%s\"", logins[i].name,
			    s.login, logins[i].login);
	}
}

/* RFC 5802 6 */
static void
who_missed_channel_binding(void **state)
{
	static const struct {
		const char *mechanism;
		struct pn_str first;
		bool missed;
	} cases[] = {
		{ "SCRAM-SHA-1", PN_STR("y,,n=ada,r=x"), true },
		{ "SCRAM-SHA-256", PN_STR("y,a=root,n=ada,r=x"), true },
		{ "SCRAM-SHA-256", PN_STR("n,,n=y,r=y"), false },
		{ "SCRAM-SHA-256", PN_STR("yes,,n=ada,r=x"), false },
		{ "SCRAM-SHA-256", PN_STR(""), false },
		{ "LOGIN", PN_STR("y"), false },
	};

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct sasl s;
		char text[100];

		assert_true(sasl_init(&s, pn_str_of(cases[i].mechanism)));
		assert_int_equal(sasl_client(&s, encode(cases[i].first, text)),
		    SASL_PASSES);
		assert_int_equal(s.missed_binding, cases[i].missed);
		assert_int_equal(
		    sasl_client(&s, encode(PN_STR_V("y,,"), text)), SASL_PASSES);
		assert_int_equal(s.missed_binding, cases[i].missed);
	}
}

/* Whatever stands in the authcid, and however long the rest is. */
static void
plain_there_and_back(void **state)
{
	unsigned seed = 1;
	char raw[600], text[900];

	(void)state;
	for (size_t n = 1; n <= 300; n++) {
		struct sasl s;
		struct pn_str name = { raw + 1, n };

		memset(raw, '\0', sizeof(raw));
		for (size_t i = 1; i <= n; i++) {
			seed = seed * 1103515245 + 12345;
			raw[i] = (char)(' ' + seed / 65536 % 95);
		}
		raw[n + 2] = 'p';
		assert_true(sasl_init(&s, PN_STR_V("PLAIN")));
		assert_int_equal(
		    sasl_client(&s, encode((struct pn_str){ raw, n + 3 }, text)),
		    SASL_PASSES);
		assert_str(sasl_login(&s),
		    n <= SASL_LOGIN_MAX ? name.p : "[PLAIN]");
	}
}

static void
what_is_no_response(void **state)
{
	static const struct {
		const char *line;
		enum sasl_line want;
	} cases[] = { { "", SASL_PASSES }, { "=", SASL_PASSES },
		{ "QQ==", SASL_PASSES }, { "QQ", SASL_PASSES },
		{ "===", SASL_NOT_BASE64 }, { "Q=Q=", SASL_NOT_BASE64 },
		{ "QQ ==", SASL_NOT_BASE64 }, { "*", SASL_NOT_BASE64 },
		{ "Q-_Q", SASL_NOT_BASE64 }, { "QUIT now", SASL_NOT_BASE64 } };
	struct sasl s;
	char text[100];

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		assert_true(sasl_init(&s, PN_STR_V("PLAIN")));
		assert_int_equal(sasl_client(&s, pn_str_of(cases[i].line)),
		    cases[i].want);
	}
	assert_true(sasl_init(&s, PN_STR_V("DIGEST-MD5")));
	assert_int_equal(sasl_client(&s,
			     encode(PN_STR_V("username=a,qop=\"auth-conf\""),
				 text)),
	    SASL_LAYER);
	assert_int_equal(
	    sasl_client(&s, encode(PN_STR_V("username=a,qop=auth"), text)),
	    SASL_PASSES);
}

static void
names_of_mechanisms(void **state)
{
	struct sasl s;

	(void)state;
	assert_true(sasl_init(&s, PN_STR_V("X_my-Own1")));
	assert_string_equal(s.mechanism, "X_MY-OWN1");
	assert_true(sasl_init(&s, PN_STR_V("A2345678901234567890")));
	assert_false(sasl_init(&s, PN_STR_V("A23456789012345678901")));
	assert_false(sasl_init(&s, PN_STR_V("")));
	assert_false(sasl_init(&s, PN_STR_V("PL\rAIN")));
	assert_true(sasl_can_pass(PN_STR_V("SCRAM-SHA-256")));
	assert_false(sasl_can_pass(PN_STR_V("scram-sha-256-plus")));
	assert_false(sasl_can_pass(PN_STR_V("External")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_logs_in),
		cmocka_unit_test(who_missed_channel_binding),
		cmocka_unit_test(plain_there_and_back),
		cmocka_unit_test(what_is_no_response),
		cmocka_unit_test(names_of_mechanisms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
