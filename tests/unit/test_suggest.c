/* suggest: a slip finds its word, another word finds nothing. */
#include "cm.h"

#include "base/suggest.h"

static void
slips(void **state)
{
	static const char *const words[] = { "reject", "quarantine", "accept",
		"from", "subject", "part.magic", "ip" };
	static const struct {
		const char *wrote, *says;
	} cases[] = {
		{ "rejcet", ", did you mean \"reject\"?" },
		{ "quarantaine", ", did you mean \"quarantine\"?" },
		{ "acept", ", did you mean \"accept\"?" },
		{ "fom", ", did you mean \"from\"?" },
		{ "part.magik", ", did you mean \"part.magic\"?" },
		{ "subjetc", ", did you mean \"subject\"?" },
		{ "pi", ", did you mean \"ip\"?" },
		{ "greylisting", "" },
		{ "", "" },
	};
	char out[80];

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct suggest s = suggest_for(pn_str_of(cases[i].wrote));

		for (size_t w = 0; w < PN_COUNT(words); w++)
			suggest_try(&s, pn_str_of(words[w]));
		assert_string_equal(
		    suggest_text(&s, out, sizeof(out)), cases[i].says);
	}
}

static void
the_nearest_wins_and_the_first_of_equals(void **state)
{
	struct suggest s = suggest_for(PN_STR_V("header"));

	(void)state;
	suggest_try(&s, PN_STR_V("heads"));
	suggest_try(&s, PN_STR_V("headers"));
	suggest_try(&s, PN_STR_V("leader"));
	suggest_try(&s, PN_STR_V("heeder"));
	assert_str(s.best, "headers");
}

static void
long_words_are_left_alone(void **state)
{
	char longest[65];
	struct suggest s;

	(void)state;
	memset(longest, 'a', sizeof(longest));
	s = suggest_for((struct pn_str){ longest, 65 });
	suggest_try(&s, (struct pn_str){ longest, 64 });
	assert_int_equal(s.best.n, 0);
	s = suggest_for((struct pn_str){ longest, 64 });
	suggest_try(&s, (struct pn_str){ longest, 65 });
	assert_int_equal(s.best.n, 0);
	suggest_try(&s, (struct pn_str){ longest, 64 });
	assert_int_equal(s.best.n, 64);
}

static void
starts_are_candidates_too(void **state)
{
	static const struct {
		const char *wrote, *best;
	} cases[] = { { "clinet", "client" }, { "clinet.ip", "client.ip" },
		{ "tls.crt", "tls.cert" }, { "tls.cert.isuer", "tls.cert.issuer" },
		{ "sedner", "sender" }, { "nothing", "" } };
	static const char *const names[] = { "client.ip", "tls.cert.issuer",
		"sender" };

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct suggest s = suggest_for(pn_str_of(cases[i].wrote));

		for (size_t w = 0; w < PN_COUNT(names); w++)
			suggest_starts(&s, names[w], '.');
		assert_str(s.best, cases[i].best);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slips),
		cmocka_unit_test(the_nearest_wins_and_the_first_of_equals),
		cmocka_unit_test(long_words_are_left_alone),
		cmocka_unit_test(starts_are_candidates_too),
	};

	return cmocka_run_group_tests_name("suggest", tests, NULL, NULL);
}
