/* modules: blocks of postern.conf, by the module dnsbl as it was built and
 * the built-in ones: what is loaded, set, printed and refused where. */
#include "cm.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/must.h"
#include "proxy/policy.h"

static const char *dnsbl; /* its file */

static void
put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	must(f != NULL);
	must(fputs(text, f) >= 0 && fclose(f) == 0);
}

/* "@" is where dnsbl lies. */
static const struct policy *
load(const char *text, struct error *e)
{
	char whole[4096];
	const char *at = strchr(text, '@');
	int before = at ? (int)(at - text) : 0;

	(void)snprintf(whole, sizeof(whole), "%.*s%s%s", before, text,
	    at ? dnsbl : "", at ? at + 1 : text);
	put("m.conf", whole);
	return policy_load("m.conf", e);
}

static const struct chain_module *
module_of(const struct policy *p, const char *name)
{
	for (uint32_t i = 0; i < p->chain.n_modules; i++)
		if (strcmp(p->chain.modules[i].filter->name, name) == 0)
			return &p->chain.modules[i];
	return NULL;
}

static void
blocks_set_what_they_say(void **state)
{
	struct error e;
	const struct policy *p = load(
	    "module attachment { on unavailable tempfail; timeout 2s; }\n"
	    "policy default { rule r { when dnsbl(\"B.example\"); then tag; } }\n"
	    "module dnsbl @ { zone a.example 127.0.0.2 127.0.0.4-127.0.0.6;\n"
	    "  zone b.example; canary 1h; on unavailable accept; }\n", &e);
	const struct chain_module *m;

	(void)state;
	if (p == NULL)
		fail_msg("%s", e.text);
	m = module_of(p, "attachment");
	assert_int_equal(m->timeout_ms, 2000);
	assert_int_equal(m->on_unavailable, CHAIN_TEMPFAIL);
	m = module_of(p, "header");
	assert_int_equal(m->timeout_ms, CHAIN_TIMEOUT_MS);
	assert_int_equal(m->on_unavailable, CHAIN_UNKNOWN);
	m = module_of(p, "dnsbl");
	assert_int_equal(m->on_unavailable, CHAIN_ACCEPT);
	assert_true(chain_find(&p->chain, "dnsbl") > 0);
	assert_true(chain_find(&p->chain, "dnsbl.code") > 0);
	policy_free(p);
}

static void
what_is_printed_reads_to_the_same(void **state)
{
	static const char text[] = "module dnsbl @ { zone a.example 127.0.0.2;"
				   " zone \"b.example\"; canary 1h; }\n";
	struct buf once = { 0 }, twice = { 0 };
	struct error e;
	const struct policy *p = load(text, &e);

	(void)state;
	assert_non_null(p);
	policy_describe(p, &once);
	policy_free(p);
	(void)buf_add(&once, "", 1);
	*strstr(buf_data(&once), "\n\n") = '\0'; /* rules are told otherwise */
	assert_non_null(strstr(buf_data(&once), "    zone b.example;\n"));
	assert_non_null(strstr(buf_data(&once), "    timeout 10s;\n"));
	p = load(buf_data(&once), &e);
	if (p == NULL)
		fail_msg("%s", e.text);
	policy_describe(p, &twice);
	policy_free(p);
	assert_memory_equal(buf_data(&twice), buf_data(&once),
	    strlen(buf_data(&once)));
	buf_fini(&once);
	buf_fini(&twice);
}

static void
mistakes_are_told_with_their_place(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "module nosuch;", "m.conf:1:8: " },
		{ "module nosuch x.so;", "m.conf:1:15: ./x.so: No such file" },
		{ "module Nosuch;", "1:8: \"Nosuch\" cannot name a module" },
		{ "module \"../x\";", "1:8: \"../x\" cannot name a module" },
		{ "module header x.so;",
		    "1:15: module header is built in and has no file" },
		{ "module header; module header;",
		    "1:23: there is a block of module \"header\" already, at "
		    "m.conf:1" },
		{ "module header { tiemout 5s; }",
		    "1:17: module header has no option \"tiemout\", did you "
		    "mean \"timeout\"?" },
		{ "module header { timeout 5; }", "1:25: \"5\" is not a time" },
		{ "module header { timeout 6m; }", "must be from 1ms to 5m" },
		{ "module header { timeout 5s 6s; }",
		    "1:28: \"timeout\" takes one value" },
		{ "module header { timeout 5s; timeout 5s; }",
		    "1:29: \"timeout\" is written twice, first at m.conf:1" },
		{ "module header { on; }", "\"on\" needs a value here" },
		{ "module header { on unknown accept; }",
		    "1:20: \"on\" is followed by \"unavailable\", not "
		    "\"unknown\"" },
		{ "module header { on unavailable; }",
		    "followed by one of unknown, tempfail, accept" },
		{ "module header { on unavailable acept; }",
		    "1:32: unknown word after \"on unavailable\" \"acept\", did "
		    "you mean \"accept\"?" },
		{ "module header { timeout 5s }", "1:28:" },
		{ "module header {", "a module block is not closed" },
		{ "module dnsbl m.conf;", "1:14: " },
		{ "module dnsbl @;",
		    "1:8: module dnsbl needs a line \"zone\": a list's zone" },
		{ "module dnsbx @ { zone a.example; }", "is module \"dnsbl\", "
		    "not \"dnsbx\"" },
		{ "module dnsbl @ { zone a.example 127.0.0.9-127.0.0.2; }",
		    "module dnsbl: zone \"127.0.0.9-127.0.0.2\" is not a code" },
		{ "module dnsbl @ { zone a.example 10.0.0.1; }",
		    "zone \"10.0.0.1\" is not a code" },
		{ "module dnsbl @ { zone a.example 127.255.255.254; }",
		    "is not a code" },
		{ "module dnsbl @ {\nzone a.example;\nzone A.example; }",
		    "m.conf:3:6: module dnsbl: zone \"a.example\" is written "
		    "twice" },
		{ "module dnsbl @ { zone a.example; canary 1ms; }",
		    "module dnsbl: canary must be at least 1s" },
		{ "module dnsbl @ { zone a.example; }\n"
		  "policy p { rule r { when dnsbl(\"b.example\"); then tag; } }",
		    "m.conf:2:32: dnsbl knows no \"b.example\", did you mean "
		    "\"a.example\"?" },
		{ "policy p { rule r { when dnsbl(\"b.example\"); then tag; } }",
		    "fact \"dnsbl\" needs module dnsbl, which is not loaded" },
		{ "unavailable_header \"a b\";",
		    "1:20: the name of a header field" },
	};

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct error e;

		if (load(cases[i].text, &e) != NULL)
			fail_msg("%s is taken", cases[i].text);
		if (strstr(e.text, cases[i].says) == NULL)
			fail_msg("%s\n%s\ndoes not say %s", cases[i].text,
			    e.text, cases[i].says);
	}
}

static void
copy(const char *from, const char *to)
{
	char command[1024];

	(void)snprintf(command, sizeof(command), "cp '%s' '%s.new' && mv '%s.new'"
	    " '%s'", from, to, to, to);
	must(system(command) == 0);
}

/* dlopen() gives the old one: who reloads must be told. */
static void
a_file_that_changed_needs_a_restart(void **state)
{
	static const char text[] = "module dnsbl d.so { zone a.example; }\n";
	const struct policy *first, *same, *changed;
	struct error e;

	(void)state;
	copy(dnsbl, "d.so");
	first = load(text, &e);
	same = load(text, &e);
	assert_non_null(first);
	assert_non_null(same);
	assert_int_equal(modules_unchanged(&first->modules, &same->modules, &e),
	    0);
	copy(dnsbl, "d.so");
	changed = load(text, &e);
	assert_non_null(changed);
	assert_int_equal(modules_unchanged(&same->modules, &changed->modules,
	    &e), -1);
	assert_string_equal(e.text, "module dnsbl: ./d.so changed since it was "
	    "loaded: that needs a restart");
	policy_free(first);
	policy_free(same);
	policy_free(changed);
	/* Nobody has it any more: it is read anew. */
	first = load(text, &e);
	assert_non_null(first);
	policy_free(first);
}

static void
files_of_others_are_refused(void **state)
{
	struct error e;

	(void)state;
	copy(dnsbl, "w.so");
	must(chmod("w.so", 0777) == 0);
	assert_null(load("module dnsbl w.so { zone a.example; }", &e));
	assert_non_null(strstr(e.text, "m.conf:1:14: ./w.so can be changed by "
	    "others"));
	put("t.so", "this is no library\n");
	assert_null(load("module dnsbl t.so { zone a.example; }", &e));
	assert_non_null(strstr(e.text, "m.conf:1:14: "));
	assert_null(load("module dnsbl . { zone a.example; }", &e));
	assert_non_null(strstr(e.text, "m.conf:1:14: ./. is no file"));
}

static int
leave(void **state)
{
	(void)state;
	return system("rm -f m.conf d.so w.so t.so") == 0 ? 0 : -1;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_set_what_they_say),
		cmocka_unit_test(what_is_printed_reads_to_the_same),
		cmocka_unit_test(mistakes_are_told_with_their_place),
		cmocka_unit_test(a_file_that_changed_needs_a_restart),
		cmocka_unit_test(files_of_others_are_refused),
	};
	char folder[] = "/tmp/pn-modules-XXXXXX", file[1024];
	const char *build = getenv("builddir");
	int failed;

	(void)snprintf(file, sizeof(file), "%s/.libs/dnsbl.so",
	    build ? build : realpath(".", NULL));
	dnsbl = file;
	must(mkdtemp(folder) != NULL && chdir(folder) == 0);
	failed = cmocka_run_group_tests_name("modules", tests, NULL, leave);
	must(rmdir(folder) == 0);
	return failed;
}
