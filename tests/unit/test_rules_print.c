/*
 * rules: canonical text. Printing what was parsed, parsing that and printing
 * again gives the same text: for the sample policies, and for policies made
 * up by a generator that follows the grammar. The samples' tests and their
 * broken twins are looked at here too, because they are the same files.
 */
#include "cm.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/io.h"
#include "rules_facts.h"

static const char *
sample(const char *name)
{
	static char path[512];
	const char *srcdir = getenv("srcdir");

	(void)snprintf(path, sizeof(path), "%s/tests/data/policy/%s",
	    srcdir ? srcdir : ".", name);
	return path;
}

static struct rules *
compile_file(
    const char *name, struct buf *text, struct arena *arena, struct error *e)
{
	char dir[512];

	assert_int_equal(io_slurp(sample(name), 1 << 20, text, e), 0);
	(void)snprintf(dir, sizeof(dir), "%s", sample(name));
	*strrchr(dir, '/') = '\0';
	return compile_text(buf_str(text), dir, arena, e);
}

/* The printed form of text, or a failed test. */
static void
print_text(struct pn_str text, struct buf *out)
{
	struct arena *arena = arena_new(POLICY_ARENA);
	struct error e;
	struct rules *r = compile_text(text, "", arena, &e);

	if (r == NULL)
		print_error("%.*s\n%s\n", PN_STR_ARG(text), e.text);
	assert_non_null(r);
	rules_print(r, out);
	rules_free(r);
	arena_free(arena);
}

static void
assert_same_again(struct pn_str printed)
{
	struct buf again = { 0 };

	print_text(printed, &again);
	assert_int_equal(buf_len(&again), printed.n);
	assert_memory_equal(buf_data(&again), printed.p, printed.n);
	buf_fini(&again);
}

static const char *const samples[] = { "exe-attachment.conf",
	"locked-archive.conf", "spam-tag.conf", "text-map.conf",
	"quantified.conf", "organisation.conf", "../gateway/policy.conf" };

static void
samples_print_to_themselves(void **state)
{
	(void)state;
	for (size_t i = 0; i < PN_COUNT(samples); i++) {
		struct arena *arena = arena_new(POLICY_ARENA);
		struct buf text = { 0 }, printed = { 0 };
		struct error e;
		struct rules *r = compile_file(samples[i], &text, arena, &e);

		if (r == NULL)
			print_error("%s\n", e.text);
		assert_non_null(r);
		rules_print(r, &printed);
		assert_same_again(buf_str(&printed));
		buf_fini(&printed);
		buf_fini(&text);
		rules_free(r);
		arena_free(arena);
	}
}

static const struct {
	const char *file, *error;
} broken[] = {
	{ "broken/exe-attachment.conf",
	    "policy.conf:6:54: unknown fact \"magik\", did you mean "
	    "\"magic\"?\n" },
	{ "broken/locked-archive.conf",
	    "policy.conf:6:22: no part can be \"encypted\", did you mean "
	    "\"encrypted\"?\n" },
	{ "broken/spam-tag.conf",
	    "policy.conf:5:21: \"prefix\" must stand here, not \"prefx\"\n" },
	{ "broken/text-map.conf",
	    "blocked.txt:5:1: \"mallory\" is neither an "
	    "address nor @domain\nmallory at example.org\n^" },
	{ "broken/quantified.conf",
	    "policy.conf:12:19: \"top\" or \"any depth\" must stand here, not "
	    "\"bottom\"\n" },
	{ "broken/organisation.conf",
	    "policy.conf:11:8: \"strip part\" needs a part that was found: the "
	    "rule's \"when\" has no \"any\" of it\n" },
	{ "broken/later-word.conf",
	    "policy.conf:4:41: fact \"dmarc\" needs module dmarc, which is not "
	    "loaded\n" },
};

static void
broken_twins_are_reported(void **state)
{
	(void)state;
	for (size_t i = 0; i < PN_COUNT(broken); i++) {
		struct arena *arena = arena_new(POLICY_ARENA);
		struct buf text = { 0 };
		struct error e;

		assert_null(compile_file(broken[i].file, &text, arena, &e));
		if (strstr(e.text, broken[i].error) == NULL)
			print_error("%s\n%s\n", broken[i].error, e.text);
		assert_non_null(strstr(e.text, broken[i].error));
		buf_fini(&text);
		arena_free(arena);
	}
}

static void
tests_are_handed_out(void **state)
{
	struct arena *arena = arena_new(POLICY_ARENA);
	struct buf text = { 0 };
	struct error e;
	struct rules *r = compile_file("locked-archive.conf", &text, arena, &e);
	const struct rules_test *tests;

	(void)state;
	assert_non_null(r);
	assert_int_equal(rules_tests(r, &tests), 4);
	assert_str(tests[1].rule, "locked-archive");
	assert_str(tests[1].name, "partner");
	assert_str(tests[1].expect, "accept");
	assert_str(tests[1].file, sample("../mail/locked-zip.eml"));
	assert_int_equal(tests[1].pos.line, 11);
	assert_int_equal(tests[1].n_given, 2);
	assert_string_equal(test_facts[tests[1].given[0].fact].name, "sender");
	assert_str(tests[1].given[0].value.local, "bob");
	assert_str(tests[1].given[0].value.domain, "partner.example");
	assert_string_equal(
	    test_facts[tests[1].given[1].fact].name, "client.ip");
	assert_str(tests[1].given[1].value.str, "192.0.2.1");
	assert_int_equal(tests[2].given[0].value.state, VALUE_KNOWN);
	assert_int_equal(tests[2].given[0].value.str.n, 0);
	assert_int_equal(tests[3].n_given, 1);
	buf_fini(&text);
	rules_free(r);
	arena_free(arena);
}

static void
every_kind_of_value_can_be_given(void **state)
{
	static const char policy[] =
	    "policy p { rule r { then tag; test \"t\" file /m with size 10K, "
	    "mime.ambiguous yes, client.fcrdns none, helo.name \"a b\", login "
	    "unknown, client.ip [::1] expect fires; } }";
	struct arena *arena = arena_new(POLICY_ARENA);
	struct error e;
	struct rules *r = compile_text(PN_STR_V(policy), "/base", arena, &e);
	const struct rules_test *t;

	(void)state;
	assert_non_null(r);
	assert_int_equal(rules_tests(r, &t), 1);
	assert_str(t->file, "/m");
	assert_int_equal(t->given[0].value.number, 10240);
	assert_int_equal(t->given[1].value.number, 1);
	assert_str(t->given[2].value.str, "none");
	assert_str(t->given[3].value.str, "a b");
	assert_int_equal(t->given[4].value.state, VALUE_UNKNOWN);
	assert_str(t->given[5].value.str, "::1");
	rules_free(r);
	arena_free(arena);
}

/* ---- canonical forms ---- */

static const struct {
	const char *when, *canonical;
} forms[] = {
	{ "( ( size>1 ) )", "size > 1" },
	{ "size > 2048 and size < 1536", "size > 2K and size < 1536" },
	{ "size = 3072M or size = 1048577", "size = 3G or size = 1048577" },
	{ "( size > 1 and size > 2 ) and size > 3",
	    "( size > 1 and size > 2 ) and size > 3" },
	{ "( size > 1 and size > 2 ) or size > 3",
	    "size > 1 and size > 2 or size > 3" },
	{ "( size > 1 or size > 2 ) and not ( size > 3 or size > 4 )",
	    "( size > 1 or size > 2 ) and not ( size > 3 or size > 4 )" },
	{ "not not size > 1", "not not size > 1" },
	{ "any part is encrypted", "any part at any depth ( encrypted )" },
	{ "no part at top is zip or broken",
	    "no part at top ( ( magic is zip ) or broken )" },
	{ "all part is not zip or rar",
	    "all part at any depth ( not ( magic is zip or magic is rar ) )" },
	{ "any part ( part.ext = exe )",
	    "any part at any depth ( ext = \"exe\" )" },
	{ "any part ( size > 1 and client.ip = 1.2.3.4 )",
	    "any part at any depth ( size > 1 and client.ip = 1.2.3.4 )" },
	{ "any part ( depth > 1 and part.depth < 3 )",
	    "any part at any depth ( depth > 1 and depth < 3 )" },
	{ "header ( \"X-A\" ) contains \"a\\\"b\\\\\"",
	    "header(\"X-A\") contains \"a\\\"b\\\\\"" },
	{ "subject ~ /a\\/b#\"/im", "subject ~ /a\\/b#\"/im" },
	{ "sender.address = a@b and sender.domain in \"a\" \"b\"",
	    "sender = \"a@b\" and sender.domain in \"a\" \"b\"" },
	{ "client.fcrdns is not ok or none",
	    "client.fcrdns is not ok or none" },
	{ "( size > 1 and not client.fcrdns is ok ) or mime.broken and size > "
	  "2",
	    "( size > 1 and not client.fcrdns is ok ) or mime.broken and size "
	    "> 2" },
	{ "( client.fcrdns is ok ) or not mime.broken",
	    "client.fcrdns is ok or not mime.broken" },
};

static void
canonical_forms(void **state)
{
	(void)state;
	for (size_t i = 0; i < PN_COUNT(forms); i++) {
		char text[600], want[600];
		struct buf got = { 0 };

		(void)snprintf(text, sizeof(text),
		    "policy p { rule r { when %s; then tag; } }",
		    forms[i].when);
		(void)snprintf(want, sizeof(want),
		    "policy p {\n\trule r {\n\t\twhen %s;\n\t\tthen tag;\n"
		    "\t}\n}\n",
		    forms[i].canonical);
		print_text(pn_str_of(text), &got);
		assert_str(buf_str(&got), want);
		assert_same_again(buf_str(&got));
		buf_fini(&got);
	}
}

static void
policies_print_as_written(void **state)
{
	static const char canonical[] =
	    "policy default {\n"
	    "\tgroup words cap 4;\n"
	    "\tthreshold tag 5;\n"
	    "\tthreshold quarantine 9 class spam;\n"
	    "\tthreshold reject -3 \"no $score\";\n"
	    "\trule a {\n"
	    "\t\tmode shadow;\n"
	    "\t\tearly;\n"
	    "\t\talways;\n"
	    "\t\twhen size > 1;\n"
	    "\t\tunless size > 2;\n"
	    "\t\ton unknown redirect \"a@b.example\";\n"
	    "\t\tthen score -3 \"why\" in words, note \"n\", delay 1m;\n"
	    "\t}\n"
	    "\trule c {\n"
	    "\t\ton unknown hold;\n"
	    "\t\tthen hold \"why \\\"$size\\\"\", sender set <>;\n"
	    "\t}\n"
	    "\trule d {\n"
	    "\t\tthen sender set \"a@b\";\n"
	    "\t}\n"
	    "\trule b {\n"
	    "\t\twhen any part at top ( size > 1 );\n"
	    "\t\tthen strip part with note \"$part.path\", quarantine class x "
	    "copy, copy \"a@b\", rcpt add \"a@b\", rcpt remove \"c@d\", header "
	    "set \"A\" \"1\", header remove \"B\", header insert \"C\" \"3\", "
	    "score +1, delay 1500ms;\n"
	    "\t}\n"
	    "}\n";
	static const char text[] =
	    "policy default { threshold tag +5; threshold quarantine 9 class "
	    "spam; threshold reject -3 \"no $score\"; "
	    "rule a { then score -3 \"why\" in words, note \"n\", delay 60s; "
	    "on "
	    "unknown redirect a@b.example; always; early; mode shadow; unless "
	    "size > 2; when size > 1; } group words cap 4; "
	    "rule c { then hold \"why \\\"$size\\\"\", sender set <>; on unknown "
	    "hold; } rule d { then sender set a@b; } "
	    "rule b { when any part at top ( size > 1 ); then strip part with "
	    "note \"$part.path\", quarantine class x copy, copy a@b, rcpt add "
	    "\"a@b\", rcpt remove c@d, header set A \"1\", header remove "
	    "\"B\", "
	    "header insert C \"3\", score 1, delay 1500ms; } }"
	    "policy other extends default for rcpt a@b.example @c.example and "
	    "client 10.0.0.0/8 and listener *:25 and login any and direction "
	    "inbound internal { threshold tag off; threshold reject 7; rule b "
	    "off; rule a { mode live; test \"t\" file /m expect redirect; } "
	    "rule d { then tag; } }"
	    "policy third extends other for login \"any\" ann { }";
	static const char want[] =
	    "policy other extends default for rcpt a@b.example @c.example and "
	    "client 10.0.0.0/8 and listener *:25 and login any and direction "
	    "inbound internal {\n"
	    "\tthreshold tag off;\n"
	    "\tthreshold reject 7;\n"
	    "\trule b off;\n"
	    "\trule a {\n"
	    "\t\tmode live;\n"
	    "\t\ttest \"t\" file \"/m\" expect redirect;\n"
	    "\t}\n"
	    "\trule d {\n"
	    "\t\tthen tag;\n"
	    "\t}\n"
	    "}\n";
	struct buf got = { 0 };

	(void)state;
	print_text(PN_STR_V(text), &got);
	assert_same_again(buf_str(&got));
	(void)buf_add(&got, "", 1);
	if (strstr(buf_data(&got), canonical) == NULL)
		print_error("%s\n", buf_data(&got));
	assert_non_null(strstr(buf_data(&got), canonical));
	if (strstr(buf_data(&got), want) == NULL)
		print_error("%s\n", buf_data(&got));
	assert_non_null(strstr(buf_data(&got), want));
	buf_fini(&got);
}

static void
what_a_rule_means(void **state)
{
	static const char policy[] = "policy p {\nrule soon { when client.ip "
				     "in 10.0.0.0/8; then reject "
				     "\"no\"; }\nrule late { when any part is "
				     "zip; unless login = \"x\"; "
				     "on unknown tempfail; then allow; } }";
	static const char want[] =
	    "policy p, for everybody else (policy.conf:1)\n"
	    "rule soon (policy.conf:2), judged at connect\n"
	    "\t\twhen client.ip in 10.0.0.0/8;\n"
	    "\t\tthen reject 550 5.7.1 \"no\";\n"
	    "\t\t# client.ip in 10.0.0.0/8: known at connect, tested by the "
	    "worker\n"
	    "rule late (policy.conf:3), judged at message\n"
	    "\t\twhen any part at any depth ( magic is zip );\n"
	    "\t\tunless login = \"x\";\n"
	    "\t\ton unknown tempfail 451 4.7.1 \"please try again later\";\n"
	    "\t\tthen allow;\n"
	    "\t\t# part.magic is zip: known at message, tested by the "
	    "inspector\n"
	    "\t\t# login = \"x\": known at mail, tested by the worker\n"
	    "\n"
	    "2 rules, 1 tests in the inspector, 2 in the worker, 1 texts to "
	    "search\n";
	struct arena *arena = arena_new(POLICY_ARENA);
	struct buf got = { 0 };
	struct error e;
	struct rules *r = compile_text(PN_STR_V(policy), "", arena, &e);

	(void)state;
	assert_non_null(r);
	rules_describe(r, &got);
	assert_str(buf_str(&got), want);
	buf_fini(&got);
	rules_free(r);
	arena_free(arena);
}

static void
what_policies_mean(void **state)
{
	static const char policy[] =
	    "policy default { threshold tag 5; group g cap 3;\n"
	    "rule a { early; when client.ip = 192.0.2.1; then score +4 in g; "
	    "}\n"
	    "rule b { mode shadow; when size > 1; then tag; }\n"
	    "rule c { then tag; } }\n"
	    "policy x extends default for rcpt @x.example {\n"
	    "rule b { mode live; } rule c off; threshold tag off;\n"
	    "rule d { when subject ~ /a/; then reject \"no\"; } }";
	static const char want[] =
	    "policy default, for everybody else, score known at connect "
	    "(policy.conf:1)\n"
	    "group g counts at most 3\n"
	    "threshold tag (policy.conf:1), judged at rcpt\n"
	    "\t\twhen score >= 5;\n"
	    "\t\tthen tag;\n"
	    "\t\t# score >= 5: added up by the rules of the policy\n"
	    "\t\t# off in policy x (policy.conf:6)\n"
	    "rule a (policy.conf:2), judged at connect, answered at once\n"
	    "\t\tearly;\n"
	    "\t\twhen client.ip = 192.0.2.1;\n"
	    "\t\tthen score +4 in g;\n"
	    "\t\t# client.ip = 192.0.2.1: known at connect, tested by the "
	    "worker\n"
	    "rule b (policy.conf:3), judged at message, in shadow\n"
	    "\t\twhen size > 1;\n"
	    "\t\tthen tag;\n"
	    "\t\t# size > 1: known at message, tested by the worker\n"
	    "\t\t# overridden in policy x (policy.conf:6)\n"
	    "rule c (policy.conf:4), judged at rcpt\n"
	    "\t\tthen tag;\n"
	    "\t\t# off in policy x (policy.conf:6)\n"
	    "\n"
	    "policy x extends default for rcpt @x.example, score known at rcpt "
	    "(policy.conf:5)\n"
	    "group g counts at most 3\n"
	    "rule a (policy.conf:2), judged at rcpt, from policy default\n"
	    "rule b (policy.conf:6), judged at message, overrides "
	    "policy.conf:3 "
	    "of policy default\n"
	    "\t\twhen size > 1;\n"
	    "\t\tthen tag;\n"
	    "\t\t# size > 1: known at message, tested by the worker\n"
	    "rule d (policy.conf:7), judged at message\n"
	    "\t\twhen subject ~ /a/;\n"
	    "\t\tthen reject 550 5.7.1 \"no\";\n"
	    "\t\t# subject ~ /a/: known at message, tested by the inspector\n"
	    "rule c (policy.conf:6) is off, overrides policy.conf:4 of policy "
	    "default\n"
	    "threshold tag (policy.conf:6) is off, overrides policy.conf:1 of "
	    "policy default\n"
	    "\n"
	    "7 rules, 1 tests in the inspector, 4 in the worker, 1 texts to "
	    "search\n";
	struct arena *arena = arena_new(POLICY_ARENA);
	struct buf got = { 0 };
	struct error e;
	struct rules *r = compile_text(PN_STR_V(policy), "", arena, &e);

	(void)state;
	assert_non_null(r);
	rules_describe(r, &got);
	assert_str(buf_str(&got), want);
	buf_fini(&got);
	rules_free(r);
	arena_free(arena);
}

/* Facts that the rules and their texts use, and no other. */
static void
what_is_used(void **state)
{
	static const char policy[] =
	    "policy p { rule r { when client.fcrdns is none and size > 1; then "
	    "reject \"$helo.name\"; } }";
	static const char *const used[] = { "client.fcrdns", "size",
		"helo.name" };
	struct arena *arena = arena_new(POLICY_ARENA);
	struct error e;
	struct rules *r = compile_text(PN_STR_V(policy), "", arena, &e);

	(void)state;
	assert_non_null(r);
	for (uint32_t i = 0; i < PN_COUNT(test_facts); i++) {
		bool want = false;

		for (size_t k = 0; k < PN_COUNT(used); k++)
			want |= strcmp(used[k], test_facts[i].name) == 0;
		assert_int_equal(rules_uses(r, i), want);
	}
	assert_false(rules_uses(r, PN_COUNT(test_facts)));
	rules_free(r);
	r = compile_text(
	    PN_STR_V("policy p { rule r { then header add X \"$subject\"; } }"),
	    "", arena, &e);
	assert_non_null(r);
	for (uint32_t i = 0; i < PN_COUNT(test_facts); i++)
		assert_int_equal(rules_uses(r, i),
		    strcmp(test_facts[i].name, "subject") == 0);
	rules_free(r);
	arena_free(arena);
}

/* ---- made-up policies ---- */

struct generator {
	uint64_t seed;
	struct buf b;
};

static unsigned
choose(struct generator *g, unsigned n)
{
	g->seed = g->seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(g->seed >> 33) % n;
}

static const char *
one_of(struct generator *g, const char *const *words, unsigned n)
{
	return words[choose(g, n)];
}
#define ONE_OF(g, ...)                                                         \
	one_of((g), (const char *const[]){ __VA_ARGS__ },                      \
	    PN_COUNT(((const char *const[]){ __VA_ARGS__ })))

static void
put(struct generator *g, const char *s)
{
	assert_true(buf_puts(&g->b, s));
	assert_true(buf_puts(&g->b, ONE_OF(g, " ", "  ", "\n\t", " # why\n")));
}

static void
make_message_test(struct generator *g)
{
	put(g, ONE_OF(g, "subject", "header(\"X-A\")", "sender.domain", "raw"));
	if (choose(g, 2)) {
		put(g, ONE_OF(g, "~", "!~"));
		put(g, ONE_OF(g, "/a+b/i", "/\\//", "/(?<n>x)[\"#;]/sx", "//"));
		return;
	}
	put(g, ONE_OF(g, "=", "!=", "contains", "in"));
	put(g,
	    ONE_OF(g, "\"x\"", "\"a \\\"b\\\" \\\\ \\t\"", "\"caf\xc3\xa9\""));
}

static void
make_test(struct generator *g, bool in_part)
{
	switch (choose(g, in_part ? 6 : 4)) {
	case 0:
		put(g, "client.ip in");
		put(g, ONE_OF(g, "10.0.0.0/8", "nets", "::/0 nets 1.2.3.4"));
		return;
	case 1:
		put(g, "size");
		put(g, ONE_OF(g, "=", "!=", "<", ">", "<=", ">="));
		put(g, ONE_OF(g, "0", "10K", "1048576", "999999999G"));
		return;
	case 2:
		put(g,
		    ONE_OF(g, "mime.broken", "( client.fcrdns is ok or none )",
			"( client.fcrdns is not none )", "sender in people",
			"to in @x.example people \"a@b\""));
		return;
	case 3:
		make_message_test(g);
		return;
	case 4:
		put(g, ONE_OF(g, "encrypted", "broken", "part.member"));
		return;
	default:
		put(g, ONE_OF(g, "( magic is zip or pdf )", "ext in exts",
			   "ext in \"a\" exts", "( magic is not text )"));
	}
}

static void
make_expr(struct generator *g, unsigned depth, bool in_part)
{
	unsigned n, kind = depth == 0 ? 0 : choose(g, in_part ? 4 : 5);

	switch (kind) {
	case 1:
		put(g, "not");
		make_expr(g, depth - 1, in_part);
		return;
	case 2:
	case 3:
		put(g, "(");
		make_expr(g, depth - 1, in_part);
		for (n = choose(g, 3); n > 0; n--) {
			put(g, ONE_OF(g, "and", "or"));
			make_expr(g, depth - 1, in_part);
		}
		put(g, ")");
		return;
	case 4:
		put(g, ONE_OF(g, "any part", "all part", "no part"));
		put(g, ONE_OF(g, "", "at top", "at any depth"));
		if (choose(g, 3) == 0) {
			/* One more `or` would be one more word. */
			put(g, ONE_OF(g, "is encrypted and size > 5",
				   "is not zip or broken and size > 5",
				   "is rar or program or zip and size > 5"));
			return;
		}
		put(g, "(");
		make_expr(g, depth - 1, true);
		put(g, ")");
		return;
	default:
		make_test(g, in_part);
	}
}

static void
make_rule(struct generator *g, unsigned n)
{
	assert_true(buf_printf(&g->b, "rule r%u {", n));
	if (choose(g, 8)) {
		put(g, "when");
		make_expr(g, 4, false);
		put(g, ";");
	}
	if (choose(g, 3) == 0) {
		put(g, "unless");
		make_expr(g, 2, false);
		put(g, ";");
	}
	if (choose(g, 3) == 0)
		put(g, ONE_OF(g, "on unknown tempfail;",
			   "on unknown quarantine class odd;",
			   "on unknown reject \"$size\";"));
	put(g, "then");
	put(g,
	    ONE_OF(g, "accept;", "allow;", "tag, subject prefix \"[x] \";",
		"reject 554 5.6.0 \"a \\\"b\\\" $$ $size\";", "tempfail 450;",
		"quarantine class odd, header add X-A \"b $sender.domain\";",
		"discard;", "tempfail 450 4.2.0 \"x\";"));
	if (choose(g, 4) == 0)
		put(g,
		    ONE_OF(g, "test \"a \\\"t\\\"\" file /a/b.eml expect tag;",
			"test \"b\" file \"x y\" with size 10K, sender \"\", "
			"login "
			"unknown expect fires;"));
	put(g, "}");
}

static void
made_up_policies(void **state)
{
	struct generator g = { .seed = 1 };

	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		struct buf printed = { 0 };

		buf_clear(&g.b);
		put(&g, "set nets = 10.0.0.0/8 [::1]/128;");
		put(&g, "set people = a@b \"@c\"; set exts = ext(A .b c TOP);");
		put(&g, "policy p {");
		for (unsigned n = choose(&g, 4); n > 0; n--)
			make_rule(&g, n);
		put(&g, "}");
		print_text(buf_str(&g.b), &printed);
		assert_same_again(buf_str(&printed));
		buf_fini(&printed);
	}
	buf_fini(&g.b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_print_to_themselves),
		cmocka_unit_test(broken_twins_are_reported),
		cmocka_unit_test(tests_are_handed_out),
		cmocka_unit_test(every_kind_of_value_can_be_given),
		cmocka_unit_test(canonical_forms),
		cmocka_unit_test(policies_print_as_written),
		cmocka_unit_test(what_a_rule_means),
		cmocka_unit_test(what_policies_mean),
		cmocka_unit_test(what_is_used),
		cmocka_unit_test(made_up_policies),
	};

	return cmocka_run_group_tests_name("rules_print", tests, NULL, NULL);
}
