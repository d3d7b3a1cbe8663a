/*
 * rules: conditions that stand in settings, between the items: what they may
 * ask about, when they are known, what they come to. And which names a keyed
 * fact is asked for by.
 */
#include "cm.h"

#include <stdio.h>

#include "rules_facts.h"

#define M RULES_MESSAGE
#define CONDITIONS 4

/* The facts of the other tests, what an MTA tells, what a milter says. */
static struct rules_decl all_facts[PN_COUNT(test_facts) + 2];
static struct rules_decls decls;

static int
declare(void **state)
{
	static const char *const words[] = { "accept", "reject", "tempfail",
		"quarantine", "unknown", NULL };

	(void)state;
	memcpy(all_facts, test_facts, sizeof(test_facts));
	all_facts[PN_COUNT(test_facts)] = (struct rules_decl){ .name = "macro",
		.type = VALUE_STRING,
		.stage = RCPT,
		.keyed = true,
		.braces = true };
	all_facts[PN_COUNT(test_facts) + 1] =
	    (struct rules_decl){ .name = "milter.a.early-action",
		    .type = VALUE_WORD,
		    .stage = RCPT,
		    .words = words };
	decls = test_decls;
	decls.facts = all_facts;
	decls.n_facts += 2;
	return 0;
}

/* Items, and `when EXPR;` for conditions among them. */
static struct rules *
compile(struct pn_str text, struct arena *arena, unsigned ids[CONDITIONS],
    struct error *e)
{
	struct rules_builder *b = rules_builder_new(arena, &decls);
	struct rules *r = NULL;
	struct lex_token t;
	unsigned n = 0;
	struct lex l;
	bool ok = true;

	lex_init(&l, "policy.conf", text);
	while (ok && (ok = lex_peek(&l, &t, e) == 0) && t.kind != LEX_END) {
		if (rules_is_item(t.text)) {
			ok = rules_parse_item(b, &l, "", e) == 0;
			continue;
		}
		assert_true(n < CONDITIONS);
		ok = lex_expect(&l, "when", e) == 0 &&
		     rules_parse_condition(b, &l, &ids[n++], e) == 0 &&
		     lex_expect(&l, ";", e) == 0;
	}
	if (ok)
		r = rules_compile(b, e);
	rules_builder_free(b);
	return r;
}

static void
get(void *arg, uint32_t fact, uint32_t thing, struct pn_str key, unsigned nth,
    struct value *out)
{
	*out = (struct value){ .state = VALUE_ABSENT };
	if (fact < PN_COUNT(test_facts))
		test_get(arg, fact, thing, key, nth, out);
	else if (nth == 0 && fact > PN_COUNT(test_facts))
		*out = value_of(VALUE_WORD, "reject");
	else if (nth == 0 && pn_str_eq(key, PN_STR_V("auth_type")))
		*out = value_of(VALUE_STRING, "PLAIN");
}

static const struct test_value letter[] = {
	{ "client.ip", M, "10.1.2.3", "" },
	{ "client.name", M, "?", "" },
	{ "sender", M, "Bob@A.example", "" },
	{ "rcpt", M, "eve@b.example", "" },
	{ "rcpt", M, "ada@b.example", "" },
	{ .fact = NULL },
};

static void
what_they_come_to(void **state)
{
	static const struct {
		const char *text;
		unsigned stage;
		enum tri want;
		const char *printed; /* NULL: as it is written */
	} cases[] = {
		{ "client.ip in 10.0.0.0/8", CONNECT, TRI_TRUE, NULL },
		{ "not client.ip in 10.0.0.0/8", CONNECT, TRI_FALSE, NULL },
		{ "client.ip in inside", CONNECT, TRI_TRUE, NULL },
		{ "client.name = \"x\"", CONNECT, TRI_UNKNOWN, NULL },
		{ "client.name = \"x\" and sender.domain = \"a.example\"", MAIL,
		    TRI_UNKNOWN, NULL },
		{ "client.name = \"x\" and sender.domain = \"b.example\"", MAIL,
		    TRI_FALSE, NULL },
		{ "client.name = \"x\" or sender.domain = \"a.example\"", MAIL,
		    TRI_TRUE, NULL },
		{ "not ( client.name = \"x\" or login = \"y\" )", MAIL,
		    TRI_UNKNOWN, "not ( client.name = \"x\" or login = \"y\" )" },
		{ "rcpt = ada@b.example", RCPT, TRI_TRUE,
		    "rcpt = \"ada@b.example\"" },
		{ "helo.name ~ /^x/i", HELO, TRI_FALSE, NULL },
		{ "macro(\"{auth_type}\") = \"plain\"", RCPT, TRI_TRUE,
		    "macro(\"auth_type\") = \"plain\"" },
		{ "macro(\"i\") = \"x\"", RCPT, TRI_FALSE, NULL },
		{ "milter.a.early-action is reject or tempfail", RCPT, TRI_TRUE,
		    NULL },
		{ "milter.a.early-action is not accept or unknown", RCPT,
		    TRI_TRUE, NULL },
		{ "milter.a.early-action in \"quarantine\" or client.ip = "
		  "10.9.9.9", RCPT, TRI_FALSE, NULL },
	};

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct arena *arena = arena_new_mapped(POLICY_ARENA);
		struct rules_run *run = rules_run_new();
		struct test_mail mail = { .values = letter };
		struct rules_facts facts = FACTS_OF(&mail);
		struct buf text = { 0 }, printed = { 0 };
		struct error e = { .text = "" };
		const char *want = cases[i].printed;
		struct rules *r;
		unsigned ids[CONDITIONS];

		facts.get = get;
		(void)buf_printf(&text,
		    "set inside = 10.0.0.0/8; when %s; policy p { } when %s;",
		    cases[i].text, cases[i].text);
		r = compile(buf_str(&text), arena, ids, &e);
		if (r == NULL)
			print_error("%s\n", e.text);
		assert_non_null(r);
		arena_seal(arena);
		assert_int_not_equal(ids[0], ids[1]);
		for (int k = 0; k < 2; k++) {
			assert_int_equal(rules_condition_stage(r, ids[k]),
			    cases[i].stage);
			assert_int_equal(
			    rules_condition(r, run, ids[k], &facts),
			    cases[i].want);
		}
		rules_condition_print(r, ids[1], &printed);
		assert_str(
		    buf_str(&printed), want != NULL ? want : cases[i].text);
		buf_fini(&text);
		buf_fini(&printed);
		rules_run_free(run);
		rules_free(r);
		arena_free(arena);
	}
}

static void
what_they_may_not_ask(void **state)
{
#define LATE "this is known only after the message was read"
	static const struct {
		const char *text;
		unsigned column; /* behind `when ` */
		const char *says;
	} cases[] = {
		{ "subject ~ /x/", 1, LATE },
		{ "client.ip in 10.0.0.0/8 and size > 5", 29, LATE },
		{ "not any part is encrypted", 5, LATE },
		{ "score > 5", 1, LATE },
		{ "header(\"X\") = \"y\"", 1, LATE },
		{ "client.pi = 10.0.0.1", 1,
		    "unknown fact \"client.pi\", did you mean \"client.ip\"?" },
		{ "sender in nowhere", 11, "unknown set or map \"nowhere\"" },
		{ "", 1, "a test must stand here, not \";\"" },
		{ "milter.b.early-action is accept", 1,
		    "unknown fact \"milter.b.early-action\", did you mean "
		    "\"milter.a.early-action\"?" },
		{ "milter.a.ealry-action is accept", 1,
		    "unknown fact \"milter.a.ealry-action\", did you mean "
		    "\"milter.a.early-action\"?" },
		{ "milter.a.early-action is rejct", 26,
		    "\"rejct\" is no word of milter.a.early-action, did you mean "
		    "\"reject\"?" },
		{ "milter.a.early-action is when", 26,
		    "a word must stand here, not \"when\"" },
		{ "milter.a.early-action", 1,
		    "\"milter.a.early-action\" is one of some words" },
		{ "macro = \"x\"", 1, "\"macro\" needs a name: macro(\"...\")" },
		{ "macro(\"{}\") = \"x\"", 7, "the name is empty" },
	};

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct arena *arena = arena_new(POLICY_ARENA);
		unsigned ids[CONDITIONS];
		struct error e;
		char text[200], want[300];

		(void)snprintf(
		    text, sizeof(text), "\nwhen %s; policy p { }", cases[i].text);
		(void)snprintf(want, sizeof(want), "policy.conf:2:%u: %s",
		    5 + cases[i].column, cases[i].says);
		assert_null(compile(pn_str_of(text), arena, ids, &e));
		if (!pn_str_starts(pn_str_of(e.text), pn_str_of(want)))
			fail_msg("%s\nwanted %s", e.text, want);
		arena_free(arena);
	}
}

static void
what_they_use_is_used(void **state)
{
	struct arena *arena = arena_new(POLICY_ARENA);
	struct buf said = { 0 };
	unsigned ids[CONDITIONS];
	struct error e;
	struct rules *r =
	    compile(PN_STR_V("set a = 10.0.0.0/8; set b = 10.0.0.0/8;\n"
			     "when client.ip in a or helo.name ~ /(x+)+y/;"),
		arena, ids, &e);

	(void)state;
	assert_non_null(r);
	assert_true(rules_uses(r, 0)); /* client.ip */
	assert_int_equal(rules_lint(r, false, NULL, NULL, &said), 2);
	(void)buf_add(&said, "", 1);
	assert_non_null(strstr(buf_data(&said), "set \"b\" is never used"));
	assert_non_null(strstr(buf_data(&said), "this repeats"));
	buf_fini(&said);
	rules_free(r);
	arena_free(arena);
}

static void
take_key(void *arg, struct pn_str key)
{
	(void)buf_printf(arg, "%.*s ", PN_STR_ARG(key));
}

/* With braces or without, in rules, policies' tests and conditions. */
static void
names_asked_for(void **state)
{
	struct arena *arena = arena_new(POLICY_ARENA);
	uint32_t macro = PN_COUNT(test_facts);
	const struct rules_test *tests;
	struct buf keys = { 0 };
	unsigned ids[CONDITIONS];
	struct error e;
	struct rules *r =
	    compile(PN_STR_V("when macro(\"j\") = \"x\";\n"
			     "policy p { rule r { when macro(\"{auth_type}\") "
			     "!= \"\" or macro(\"auth_type\") ~ /x/ or not "
			     "macro(\"{j}\") = \"y\"; then tag;\n"
			     "test \"t\" file x.eml with macro(\"{i}\") \"5\" "
			     "expect tag; } }"),
		arena, ids, &e);

	(void)state;
	if (r == NULL)
		print_error("%s\n", e.text);
	assert_non_null(r);
	rules_keys(r, macro, take_key, &keys);
	assert_str(buf_str(&keys), "auth_type j ");
	buf_clear(&keys);
	rules_keys(r, 0, take_key, &keys);
	assert_int_equal(buf_len(&keys), 0);
	assert_int_equal(rules_tests(r, &tests), 1);
	assert_str(tests[0].given[0].key, "i");
	buf_fini(&keys);
	rules_free(r);
	arena_free(arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_they_come_to),
		cmocka_unit_test(what_they_may_not_ask),
		cmocka_unit_test(what_they_use_is_used),
		cmocka_unit_test(names_asked_for),
	};

	return cmocka_run_group_tests_name("condition", tests, declare, NULL);
}
