/* mx: what MX records mean, in which order their hosts are asked. */
#include "smtp/mx.h"
#include "tests/unit/cm.h"

#include <stdio.h>

static void
records_have_their_meaning(void **state)
{
	static const struct {
		const char *name;
		const char *answers[4];
		enum mx_meaning meaning;
		const char *hosts; /* in order */
	} cases[] = {
		{ "none", { NULL }, MX_HOSTS, "" },
		{ "one", { "10 mx.example" }, MX_HOSTS, "10 mx.example, " },
		{ "the lowest first",
		    { "20 b.example", "5 c.example", "10 a.example" }, MX_HOSTS,
		    "5 c.example, 10 a.example, 20 b.example, " },
		{ "in lower case, without a dot", { "0 MX.Example." }, MX_HOSTS,
		    "0 mx.example, " },
		{ "null MX", { "0 " }, MX_NOBODY, "" },
		{ "null MX with another preference", { "10 " }, MX_NOBODY, "" },
		{ "null MX beside another", { "0 ", "10 mx.example" }, MX_HOSTS,
		    "10 mx.example, " },
		{ "a literal, which is none", { "10 192.0.2.1" }, MX_HOSTS,
		    "10 192.0.2.1, " },
	};

	(void)state;
	for (size_t c = 0; c < PN_COUNT(cases); c++) {
		struct mx_host hosts[MX_HOSTS_MAX];
		struct pn_str answers[4];
		char got[256] = "";
		size_t n = 0, n_hosts, at = 0;

		for (; n < 4 && cases[c].answers[n] != NULL; n++)
			answers[n] = pn_str_of(cases[c].answers[n]);
		assert_int_equal(mx_read(answers, n, hosts, &n_hosts),
		    cases[c].meaning);
		for (size_t i = 0; i < n_hosts; i++)
			at += (size_t)snprintf(got + at, sizeof(got) - at,
			    "%u %s, ", hosts[i].preference, hosts[i].name);
		if (strcmp(got, cases[c].hosts) != 0)
			fail_msg("%s: %s", cases[c].name, got);
	}
}

/* Of too many, those that would be asked last are left out. */
static void
the_best_are_kept(void **state)
{
	struct mx_host hosts[MX_HOSTS_MAX];
	struct pn_str answers[2 * MX_HOSTS_MAX];
	char text[2 * MX_HOSTS_MAX][32];
	size_t n = PN_COUNT(answers), n_hosts;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		(void)snprintf(text[i], sizeof(text[i]), "%zu m%zu.example",
		    (i * 7) % n, i);
		answers[i] = pn_str_of(text[i]);
	}
	assert_int_equal(mx_read(answers, n, hosts, &n_hosts), MX_HOSTS);
	assert_int_equal(n_hosts, MX_HOSTS_MAX);
	for (size_t i = 0; i < n_hosts; i++)
		assert_int_equal(hosts[i].preference, i);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_have_their_meaning),
		cmocka_unit_test(the_best_are_kept),
	};

	return cmocka_run_group_tests_name("mx", tests, NULL, NULL);
}
