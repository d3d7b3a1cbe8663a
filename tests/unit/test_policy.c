/* policy: whole configurations compiled, and what follows from them. */
#include "policy_world.h"

static void
parts_know_one_another(void **state)
{
	const struct policy *p =
	    loaded("upstream mta { server 127.0.0.1:25; identity none; }\n"
		   "listen smtp 127.0.0.1:0 { upstream mta; }\n"
		   "set bad = ext(exe com);\n"
		   "policy default {\n"
		   "  rule exe { when any part ( ext in bad );\n"
		   "             then reject 550 5.7.1 \"no programs\"; }\n"
		   "}\n");

	(void)state;
	assert_ptr_equal(p->engine.chain, &p->chain);
	assert_ptr_equal(p->inspect.chain, &p->chain);
	assert_ptr_equal(p->engine.rules, p->rules);
	assert_ptr_equal(p->inspect.rules, p->rules);
	assert_int_equal(p->keeper.control_uid, geteuid());
	assert_true(p->inspect.limits.max_depth > 0);
	assert_false(p->engine.ask_client_name);
	policy_free(p);
}

static void
names_are_asked_for_when_wanted(void **state)
{
	static const char *const wanting[] = {
		"upstream m { server 127.0.0.1:25; identity xclient; }",
		"policy p { rule r { when client.name contains \"dyn\"; then tag; } }",
		"policy p { rule r { when client.fcrdns is none; then tag; } }",
	};

	(void)state;
	for (size_t i = 0; i < PN_COUNT(wanting); i++) {
		const struct policy *p = loaded(wanting[i]);

		assert_true(p->engine.ask_client_name);
		policy_free(p);
	}
}

/* The milter door asks the MTA for what rules read, each once. */
static void
macros_are_gathered(void **state)
{
	const struct policy *p =
	    loaded("listen milter unix:/tmp/m;\n"
		   "policy p {\n"
		   "  rule a { when macro(\"daemon_name\") = \"in\"; then tag; }\n"
		   "  rule b { when macro(\"i\") = \"x\" and\n"
		   "           macro(\"daemon_name\") = \"y\"; then tag; }\n"
		   "}\n");

	(void)state;
	assert_ptr_equal(p->milter.engine, &p->engine);
	assert_int_equal(p->milter.n_macros, 2);
	for (size_t i = 0; i < 2; i++)
		assert_true(pn_str_eq(p->milter.macros[i], PN_STR_V("i")) ||
			    pn_str_eq(p->milter.macros[i],
				PN_STR_V("daemon_name")));
	policy_free(p);
}

static void
slips_in_rules_are_placed(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "workers 1;\npolicy p { rule r { when dmarc is pass; then tag; } }",
		    "p.conf:2:26: fact \"dmarc\" needs module dmarc, which is not loaded\n" },
		{ "policy p { rule r { when subjct = \"x\"; then tag; } }",
		    "p.conf:1:26: unknown fact \"subjct\", did you mean \"subject\"?\n" },
		{ "include q.conf;", "q.conf:1:26: unknown fact \"sizze\", did you mean \"size\"?\n" },
	};
	struct error e;

	(void)state;
	put("q.conf", "policy p { rule r { when sizze > 5; then tag; } }");
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		assert_null(load(cases[i].text, &e));
		if (strncmp(e.text, cases[i].error, strlen(cases[i].error)) != 0)
			fail_msg("%s", e.text);
	}
	(void)unlink("q.conf");
}

/* Whoever may hold mail should be able to let it go. */
static void
a_milter_that_cannot_release_is_told(void **state)
{
	static const struct {
		const char *text;
		bool warned;
	} cases[] = {
		{ "listen milter unix:/tmp/m;\n"
		  "policy p { rule r { when size > 1; then quarantine; } }",
		    true },
		{ "listen milter unix:/tmp/m;\n"
		  "policy p { threshold quarantine 5;\n"
		  "rule r { when size > 1; then score +9; } }",
		    true },
		{ "listen milter unix:/tmp/m;\n"
		  "policy p { rule r { when size > 1; then hold; } }",
		    false },
		{ "listen milter unix:/tmp/m { upstream box; }\n"
		  "upstream box { deliver maildir /tmp/b; }\n"
		  "policy p { rule r { when size > 1; then quarantine; } }",
		    false },
	};

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		const struct policy *p = loaded(cases[i].text);
		struct buf b = { 0 };

		policy_describe(p, &b);
		assert_true(buf_add(&b, "", 1));
		assert_int_equal(cases[i].warned,
		    strstr(buf_data(&b), "p.conf:1:1: warning: rules quarantine, "
		    "and what comes in here cannot be released") != NULL);
		assert_int_equal(cases[i].warned,
		    strstr(buf_data(&b), "0 warnings") == NULL);
		buf_fini(&b);
		policy_free(p);
	}
}

static void
description_holds_settings_and_rules(void **state)
{
	const struct policy *p =
	    loaded("message_size_limit 3M;\n"
		   "policy p { rule big { when size > 2M; then tag; } }\n");
	struct buf b = { 0 };

	(void)state;
	policy_describe(p, &b);
	assert_true(buf_add(&b, "", 1));
	assert_non_null(strstr(buf_data(&b), "message_size_limit 3M;\n"));
	assert_non_null(strstr(buf_data(&b), "big"));
	buf_fini(&b);
	policy_free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_know_one_another),
		cmocka_unit_test(names_are_asked_for_when_wanted),
		cmocka_unit_test(macros_are_gathered),
		cmocka_unit_test(slips_in_rules_are_placed),
		cmocka_unit_test(a_milter_that_cannot_release_is_told),
		cmocka_unit_test(description_holds_settings_and_rules),
	};

	return cmocka_run_group_tests_name("policy", tests, enter_folder,
	    leave_folder);
}
