/* check: a policy's tests, run through a real candidate inspector. */
#include "cm.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/must.h"
#include "proxy/check.h"

static void
put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	must(f != NULL);
	must(fputs(text, f) >= 0 && fclose(f) == 0);
}

/* A policy of one rule with these tests. */
static int
check(const char *tests, const struct check_report *report, struct error *e)
{
	const struct policy *p;
	char text[2048];
	int done;

	(void)snprintf(text, sizeof(text),
	    "set bad = ext(exe com);\n"
	    "policy p {\n"
	    "rule exe { when any part ( ext in bad ) and sender = \"a@b.example\";\n"
	    "then reject 550 5.7.1 \"no\";\n%s }\n}\n",
	    tests);
	put("c.conf", text);
	if ((p = policy_load("c.conf", e)) == NULL)
		fail_msg("%s", e->text);
	done = check_policy(p, NULL, report, e);
	policy_free(p);
	return done;
}

#define GIVEN "with sender a@b.example "

static void
tests_that_hold(void **state)
{
	static const char *const good[] = {
		"", /* none */
		"test \"t\" file exe.eml " GIVEN "expect reject;",
		"test \"t\" file exe.eml " GIVEN "expect fires;",
		"test \"t\" file exe.eml with sender c@d.example expect accept;",
		"test \"unknown does not fire\" file exe.eml expect silent;",
		"test \"t\" file plain.eml " GIVEN "expect accept;",
	};
	struct error e;

	(void)state;
	for (size_t i = 0; i < PN_COUNT(good); i++)
		if (check(good[i], NULL, &e) < 0)
			fail_msg("%s", e.text);
}

static void
the_first_failure_is_placed(void **state)
{
	static const struct {
		const char *tests, *error;
	} bad[] = {
		{ "test \"t\" file plain.eml " GIVEN "expect reject;",
		    "c.conf:5:6: rule exe: test \"t\" failed: the verdict is "
		    "accept, not reject\n" },
		{ "test \"t\" file exe.eml " GIVEN "expect accept;",
		    "c.conf:5:6: rule exe: test \"t\" failed: the verdict is "
		    "reject (rule exe), not accept\n" },
		{ "test \"t\" file exe.eml " GIVEN "expect silent;",
		    "c.conf:5:6: rule exe: test \"t\" failed: the rule fired\n" },
		{ "test \"t\" file nowhere.eml " GIVEN "expect silent;",
		    "c.conf:5:6: rule exe: test \"t\" failed: ./nowhere.eml: No "
		    "such file or directory\n" },
	};
	struct error e;

	(void)state;
	for (size_t i = 0; i < PN_COUNT(bad); i++) {
		assert_int_equal(check(bad[i].tests, NULL, &e), -1);
		if (strncmp(e.text, bad[i].error, strlen(bad[i].error)) != 0)
			fail_msg("%s", e.text);
	}
}

struct seen {
	unsigned passed, failed;
};

static void
count(void *arg, const struct rules_test *t, bool passed, const char *why)
{
	struct seen *s = arg;

	assert_str(t->rule, "exe");
	assert_true(passed == (why[0] == '\0'));
	s->passed += passed;
	s->failed += !passed;
}

static void
a_report_hears_of_all(void **state)
{
	struct seen s = { 0, 0 };
	struct check_report report = { count, &s };
	struct error e;

	(void)state;
	assert_int_equal(check("test \"1\" file plain.eml expect reject;\n"
			       "test \"2\" file plain.eml expect accept;\n"
			       "test \"3\" file plain.eml expect discard;",
			     &report, &e),
	    -1);
	assert_int_equal(s.passed, 1);
	assert_int_equal(s.failed, 2);
	assert_non_null(strstr(e.text, "test \"1\" failed"));
}

static int
enter_folder(void **state)
{
	static char folder[] = "/tmp/test_check.XXXXXX";

	*state = mkdtemp(folder);
	if (*state == NULL || chdir(folder) < 0)
		return -1;
	put("plain.eml", "Subject: plain\n\nhello\n");
	put("exe.eml", "Subject: program\nMIME-Version: 1.0\n"
		       "Content-Type: application/octet-stream; name=a.exe\n"
		       "\nMZ\n");
	return 0;
}

static int
leave_folder(void **state)
{
	(void)unlink("c.conf");
	(void)unlink("plain.eml");
	(void)unlink("exe.eml");
	return chdir("/") < 0 ? -1 : rmdir(*state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tests_that_hold),
		cmocka_unit_test(the_first_failure_is_placed),
		cmocka_unit_test(a_report_hears_of_all),
	};

	return cmocka_run_group_tests_name("check", tests, enter_folder,
	    leave_folder);
}
