/*
 * rules: what rules decide. Each case is judged twice: content atoms in the
 * inspector, packed, unpacked, the rest in the worker; and all in the worker.
 * Both must agree with the table, and with each other.
 */
#include "cm.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "rules_facts.h"

#define M RULES_MESSAGE
#define LEVELS(...) ((const uint32_t[]){ __VA_ARGS__ })
#define MAIL(...) ((const struct test_value[]){ __VA_ARGS__, { .fact = NULL } })

/* ---- two ways to judge ---- */

struct outcome {
	char first[16]; /* result of the first rule in the trace */
	bool degraded, allowed;
	char effects[1200];
};

static void
describe_effects(const struct rules_result *result, struct buf *b)
{
	static const char *const names[] = { "accept", "allow", "tag", "reject",
		"tempfail", "quarantine", "hold", "discard", "redirect",
		"header", "subject" };

	for (size_t i = 0; i < result->n_effects; i++) {
		const struct rules_effect *f = &result->effects[i];

		(void)buf_printf(b, "%s%.*s:%s", i ? " " : "",
		    PN_STR_ARG(f->rule), names[f->action]);
		if (f->code)
			(void)buf_printf(
			    b, " %u %.*s", f->code, PN_STR_ARG(f->status));
		if (f->name.n)
			(void)buf_printf(b, " %.*s", PN_STR_ARG(f->name));
		if (f->text.n)
			(void)buf_printf(b, " [%.*s]", PN_STR_ARG(f->text));
		if (f->value.n)
			(void)buf_printf(b, " [%.*s]", PN_STR_ARG(f->value));
	}
	(void)buf_add(b, "", 1);
}

static void
outcome_of(const struct rules *r, const struct rules_result *result,
    struct outcome *out)
{
	struct buf b = { 0 };
	const char *at;

	*out = (struct outcome){ .degraded = result->degraded,
		.allowed = result->allowed };
	describe_effects(result, &b);
	(void)snprintf(out->effects, sizeof(out->effects), "%s", buf_data(&b));
	buf_clear(&b);
	rules_trace_json(r, result->trace, &b);
	(void)buf_add(&b, "", 1);
	at = strstr(buf_data(&b), "\"result\":\"");
	if (at != NULL)
		(void)snprintf(out->first, sizeof(out->first), "%.*s",
		    (int)strcspn(at + 10, "\""), at + 10);
	buf_fini(&b);
}

static const struct rules_answers *
over_the_wire(const struct rules *r, struct rules_run *run,
    const struct rules_facts *facts, struct arena *arena, struct buf *frame)
{
	const struct rules_answers *a = rules_inspect(r, run, facts, arena);
	struct unpack u;

	assert_non_null(a);
	rules_answers_pack(a, frame);
	u = unpack_of(buf_data(frame), buf_len(frame));
	a = rules_answers_unpack(r, &u, arena);
	assert_non_null(a);
	assert_true(unpack_done(&u));
	return a;
}

static void
judge(const struct rules_decls *decls, const char *text, unsigned stage,
    const struct test_mail *mail, bool inspected, struct outcome *out)
{
	struct arena *policy = arena_new_mapped(POLICY_ARENA);
	struct arena *arena = arena_new(1 << 20);
	struct rules_run *run = rules_run_new();
	struct rules_facts facts = FACTS_OF(mail);
	const struct rules_answers *answers = NULL;
	struct rules_result result;
	struct buf frame = { 0 };
	struct error e = { .text = "" };
	struct rules *r = compile_with(decls, pn_str_of(text), "", policy, &e);

	if (r == NULL)
		print_error("%s\n%s\n", text, e.text);
	assert_non_null(r);
	arena_seal(policy);
	if (inspected)
		answers = over_the_wire(r, run, &facts, arena, &frame);
	assert_int_equal(rules_judge(r, run, rules_policy_early(r), stage,
			     &facts, answers, NULL, 0, arena, &result),
	    0);
	outcome_of(r, &result, out);
	buf_fini(&frame);
	rules_run_free(run);
	rules_free(r);
	arena_free(arena);
	arena_free(policy);
}

/* The same declarations, but nothing comes from an inspector. */
static const struct rules_decls *
in_one_place(void)
{
	static struct rules_decl facts[PN_COUNT(test_facts)];
	static struct rules_decls decls;

	decls = test_decls;
	decls.facts = facts;
	memcpy(facts, test_facts, sizeof(facts));
	for (size_t i = 0; i < PN_COUNT(facts); i++)
		facts[i].content = false;
	return &decls;
}

static void
judge_both(const char *text, unsigned stage, const struct test_mail *mail,
    struct outcome *out)
{
	struct outcome whole;

	judge(&test_decls, text, stage, mail, true, out);
	judge(in_one_place(), text, stage, mail, false, &whole);
	assert_string_equal(whole.first, out->first);
	assert_string_equal(whole.effects, out->effects);
	assert_int_equal(whole.degraded, out->degraded);
	assert_int_equal(whole.allowed, out->allowed);
}

/* ---- one expression, one mail ---- */

#define SETS                                                                   \
	"set words = alpha \"two words\"; set exts = ext(exe .COM);"           \
	"set friends = bob@a.example @b.example; set nets = 10.0.0.0/8 ::1;"

static const struct test_value letter[] = {
	{ "client.ip", M, "10.1.2.3", "" },
	{ "client.name", M, "mx.a.example", "" },
	{ "client.fcrdns", M, "none", "" },
	{ "helo.name", M, "Alpha", "" },
	{ "tls.version", M, "?", "" },
	{ "sender", M, "Bob@A.example", "" },
	{ "rcpt", M, "eve@b.example", "" },
	{ "size", M, "2048", "" },
	{ "mime.ambiguous", M, "no", "" },
	{ "mime.broken", M, "yes", "" },
	{ "subject", M, "Re: Invoice 12345\r\n", "" },
	{ "from", M, "carol@c.example", "" },
	{ "to", M, "one@x.example", "" },
	{ "to", M, "two@y.example", "" },
	{ "cc", M, "?", "" },
	{ "cc", M, "three@z.example", "" },
	{ "header", M, "first", "X-A" },
	{ "header", M, "second", "X-A" },
	{ "header", M, "?", "X-B" },
	{ "raw", M, "caf\xc3\xa9 \xff bytes", "" },
	/* 0: a container, 1: a zip, 2 and 3: in it */
	{ "part.type", 0, "multipart/mixed", "" },
	{ "part.magic", 1, "zip", "" },
	{ "part.ext", 1, "zip", "" },
	{ "part.path", 1, "a.zip", "" },
	{ "part.size", 1, "700", "" },
	{ "part.encrypted", 1, "no", "" },
	{ "part.magic", 2, "executable", "" },
	{ "part.ext", 2, "txt", "" },
	{ "part.ext", 2, "exe", "" },
	{ "part.path", 2, "a.zip/run.exe", "" },
	{ "part.size", 2, "10", "" },
	{ "part.encrypted", 2, "yes", "" },
	{ "part.magic", 3, "?", "" },
	{ "part.ext", 3, "pdf", "" },
	{ "part.path", 3, "a.zip/b.pdf", "" },
	{ "part.size", 3, "3000000", "" },
	{ "part.broken", 3, "?", "" },
	{ .fact = NULL },
};
static const struct test_mail the_letter = {
	.values = letter, .n_parts = 4, .depths = LEVELS(0, 0, 1, 1)
};

#define T "fired"
#define F "silent"
#define U "unknown"

static const struct {
	const char *when;
	const char *result;
} table[] = {
	/* strings: ASCII case is ignored but by ~ */
	{ "client.name = \"MX.a.example\"", T },
	{ "client.name = \"mx.a.exampl\"", F },
	{ "client.name != \"x\"", T },
	{ "client.name contains \"A.EX\"", T },
	{ "client.name contains \"b.ex\"", F },
	{ "client.name ~ /^mx\\./", T },
	{ "client.name ~ /^MX\\./", F },
	{ "client.name ~ /^MX\\./i", T },
	{ "client.name !~ /^MX\\./", T },
	{ "client.name !~ /mx/", F },
	{ "helo.name in words", T },
	{ "helo.name in \"beta\" \"ALPHA\"", T },
	{ "helo.name in \"beta\"", F },
	{ "helo.name in \"beta\" words", T },
	/* absent: every test is false, whichever way it is put */
	{ "login = \"x\"", F },
	{ "login != \"x\"", F },
	{ "login !~ /x/", F },
	{ "not login = \"x\"", T },
	{ "header(\"X-None\") != \"x\"", F },
	{ "inspect.failed", F },
	{ "not inspect.failed", T },
	{ "archive.members < 5", F },
	/* unknown */
	{ "tls.version = \"x\"", U },
	{ "tls.version != \"x\"", U },
	{ "not tls.version = \"x\"", U },
	/* Kleene */
	{ "tls.version = \"x\" and size > 1", U },
	{ "tls.version = \"x\" and size > 1M", F },
	{ "size > 1M and tls.version = \"x\"", F },
	{ "tls.version = \"x\" or size > 1", T },
	{ "size > 1 or tls.version = \"x\"", T },
	{ "tls.version = \"x\" or size > 1M", U },
	{ "size > 1M or tls.version = \"x\"", U },
	{ "not ( tls.version = \"x\" and size > 1M )", T },
	{ "size > 1 or size > 1M and tls.version = \"x\"", T },
	{ "( size > 1 or size > 1M ) and tls.version = \"x\"", U },
	{ "not not size > 1", T },
	{ "not size > 1 or size > 1", T },
	/* numbers */
	{ "size = 2K", T },
	{ "size != 2048", F },
	{ "size >= 2K and size <= 2K and size < 2049 and size > 2047", T },
	{ "size < 2K", F },
	{ "size > 2K", F },
	/* bools */
	{ "mime.broken", T },
	{ "mime.ambiguous", F },
	{ "mime.broken and not mime.ambiguous", T },
	/* words */
	{ "client.fcrdns is none", T },
	{ "client.fcrdns is ok or none", T },
	{ "client.fcrdns is ok or temporary", F },
	{ "client.fcrdns is not ok", T },
	{ "client.fcrdns is not ok or none", F },
	{ "client.fcrdns is ok or size > 1", T },
	{ "client.fcrdns in \"ok\" \"none\"", T },
	/* addresses */
	{ "sender = \"bob@a.EXAMPLE\"", T },
	{ "sender = bob@a.example", T },
	{ "sender != \"bob@a.example\"", F },
	{ "sender in friends", T },
	{ "rcpt in friends", T },
	{ "rcpt in @b.example", T },
	{ "rcpt in @sub.b.example eve@c.example", F },
	{ "from in friends", F },
	{ "sender.local = \"bob\"", T },
	{ "sender.domain = \"a.example\"", T },
	{ "sender.address = \"bob@a.example\"", T },
	{ "sender.domain in \"a.example\"", T },
	{ "sender.display = \"\"", T },
	{ "sender ~ /^bob@/i", T },
	{ "sender.domain ~ /bob/i", F },
	/* ips */
	{ "client.ip = 10.1.2.3", T },
	{ "client.ip != 10.1.2.3", F },
	{ "client.ip in 10.0.0.0/8", T },
	{ "client.ip in 192.0.2.0/24 10.1.2.2/31", T },
	{ "client.ip in 192.0.2.0/24 10.1.2.4/31", F },
	{ "client.ip in nets", T },
	{ "client.ip in [::ffff:10.1.2.3]", T },
	{ "client.ip in ::/0", T },
	{ "client.ip in 0.0.0.0/0", T },
	{ "client.ip in [::1]/128 2001:db8::/32", F },
	/* many and keyed: any will do */
	{ "to = \"two@y.example\"", T },
	{ "to.domain = \"y.example\" and to.domain = \"x.example\"", T },
	{ "to != \"one@x.example\"", T },
	{ "to = \"three@x.example\"", F },
	{ "cc = \"three@z.example\"", T },
	{ "cc = \"four@z.example\"", U },
	{ "header(\"x-a\") = \"second\"", T },
	{ "header(\"X-A\") = \"third\"", F },
	{ "header(\"X-B\") ~ /x/", U },
	/* regexes */
	{ "subject ~ /invoice\\s+(?<nr>\\d{5,})/i", T },
	{ "subject ~ /^re:.*12345$/i", T },
	{ "subject ~ /5\\r\\n\\z/", T },
	{ "subject ~ /I n v o i c e/x", T },
	{ "subject ~ /Re:.+\\n/", F },
	{ "subject ~ /Re:.+\\n/s", T },
	{ "raw ~ /caf..\\x20/", T },
	{ "raw ~ /caf.\\x20/", F },
	{ "raw ~ /caf.\\x20/u", T },
	{ "raw ~ /CAF\xc3\x89/iu", T },
	{ "raw ~ /bytes/u", T },
	{ "raw ~ /\\xff/", T },
	{ "raw ~ /a\\/b|bytes/", T },
	{ "subject ~ //", T },
	/* quantifiers */
	{ "any part ( ext = \"exe\" )", T },
	{ "any part at any depth ( ext = \"exe\" )", T },
	{ "any part at top ( ext = \"exe\" )", F },
	{ "any part at top ( ext = \"zip\" )", T },
	{ "any part ( part.ext = \"exe\" )", T },
	{ "any part ( ext in exts )", T },
	{ "any part ( ext = \"exe\" and magic is zip )", F },
	{ "any part ( ext = \"exe\" and magic is executable )", T },
	{ "any part ( ext = \"exe\" and client.ip in nets )", T },
	{ "any part ( ext = \"exe\" and subject contains \"nothing\" )", F },
	{ "any part ( ext = \"exe\" and ext = \"txt\" )", T },
	{ "any part ( size > 1M )", T },
	{ "no part ( size > 1M )", F },
	{ "no part ( size > 1G )", T },
	{ "all part ( size > 1 )", F },
	{ "all part ( not size > 1G )", T },
	{ "all part at top ( type = \"multipart/mixed\" or magic is zip )", T },
	{ "any part ( not ext = \"zip\" )", T },
	{ "any part ( magic is rar )", U },
	{ "no part ( magic is rar )", U },
	{ "all part ( magic is not rar )", F },
	{ "any part at top ( magic is rar )", F },
	{ "any part is encrypted", T },
	{ "any part at top is encrypted", F },
	{ "no part is encrypted", F },
	{ "all part is encrypted", F },
	{ "any part is not encrypted", T },
	{ "any part is executable", T },
	{ "any part is rar or executable", T },
	{ "any part is rar or encrypted", T },
	{ "any part at top is rar or encrypted", F },
	{ "any part is broken", U },
	{ "any part is broken or executable", T },
	{ "any part is program", F },
	{ "any part is not zip or executable", T },
	{ "all part is not rar or script", U },
};

static void
the_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < PN_COUNT(table); i++) {
		char text[800];
		struct outcome got;

		(void)snprintf(text, sizeof(text),
		    SETS "policy p { rule r { when %s; then tag, header add "
			 "X-A \"y\"; } }",
		    table[i].when);
		judge_both(text, MESSAGE, &the_letter, &got);
		if (strcmp(got.first, table[i].result) != 0)
			print_error("%s\n", table[i].when);
		assert_string_equal(got.first, table[i].result);
		assert_int_equal(got.degraded, strcmp(table[i].result, U) == 0);
		assert_string_equal(got.effects, strcmp(table[i].result, T) == 0
						     ? "r:tag r:header X-A [y]"
						     : "");
	}
}

static void
of_nothing_all_are_and_none_is(void **state)
{
	static const struct test_value none[] = { { .fact = NULL } };
	struct test_mail mail = { .values = none };
	struct outcome got;

	(void)state;
	judge_both("policy p { rule a { when any part is encrypted; then tag; }"
		   " rule b { when all part is encrypted; then tag; }"
		   " rule c { when no part is encrypted; then tag; } }",
	    MESSAGE, &mail, &got);
	assert_string_equal(got.effects, "b:tag c:tag");
}

/* ---- whole rules ---- */

static const struct {
	const char *name, *policy, *effects;
	unsigned stage;
	bool degraded, allowed;
} rules_table[] = {
	{ "unless true silences",
	    "rule r { when size > 1; unless mime.broken; then tag; }", "",
	    MESSAGE, false, false },
	{ "unless false leaves it",
	    "rule r { when size > 1; unless mime.ambiguous; then tag; }",
	    "r:tag", MESSAGE, false, false },
	{ "unless unknown makes it unknown",
	    "rule r { when size > 1; unless tls.version = \"x\"; then tag; }",
	    "", MESSAGE, true, false },
	{ "unless does not matter when `when` is false",
	    "rule r { when size > 1G; unless tls.version = \"x\"; then tag; }",
	    "", MESSAGE, false, false },
	{ "unless true silences an unknown when",
	    "rule r { when tls.version = \"x\"; unless size > 1; then tag; }",
	    "", MESSAGE, false, false },
	{ "on unknown speaks",
	    "rule r { when tls.version = \"x\" and size > 1; on unknown "
	    "quarantine class odd; then tag; }",
	    "r:quarantine odd", MESSAGE, false, false },
	{ "no when is always",
	    "rule r { then tag, header add X-Seen \"yes\"; }",
	    "r:tag r:header X-Seen [yes]", MESSAGE, false, false },
	{ "default codes",
	    "rule a { when size > 1; then reject \"no\"; } rule b { when size "
	    "> 1; then tempfail; }",
	    "a:reject 550 5.7.1 [no] b:tempfail 451 4.7.1 [please try again "
	    "later]",
	    MESSAGE, false, false },
	{ "codes",
	    "rule a { when size > 1; then reject 554 \"no\"; } rule b { when "
	    "size > 1; then tempfail 450 4.2.0 \"later\"; }",
	    "a:reject 554 5.7.1 [no] b:tempfail 450 4.2.0 [later]", MESSAGE,
	    false, false },
	{ "allow goes first and alone",
	    "rule a { when size > 1; then reject \"no\"; } rule b { when size "
	    "> 1; then allow, header add X-B \"c\"; }",
	    "b:allow b:header X-B [c]", MESSAGE, false, true },
	{ "allow that is silent",
	    "rule a { when size > 1; then reject \"no\"; } rule b { when size "
	    "> 1G; then allow; }",
	    "a:reject 550 5.7.1 [no]", MESSAGE, false, false },
	{ "effects in file order, though allow was asked first",
	    "rule a { when size > 1; then tag; } rule b { when size > 1 and "
	    "tls.version = \"x\"; on unknown quarantine; then allow; } rule c "
	    "{ when size > 1; then discard; }",
	    "a:tag b:quarantine c:discard", MESSAGE, false, false },
	{ "facts in texts",
	    "rule r { when size > 1; then reject \"$$5 $size $sender.domain "
	    "$mime.broken, $login, $tls.version, $subject.\"; }",
	    "r:reject 550 5.7.1 [$5 2048 A.example yes, , unknown, Re: Invoice "
	    "12345.]",
	    MESSAGE, false, false },
	{ "the part that was found",
	    "rule r { when any part ( magic is zip or executable and encrypted "
	    ") or any part ( size > 1M ); then reject \"$part.path $part.ext "
	    "$part.size\"; }",
	    "r:reject 550 5.7.1 [a.zip/run.exe txt 10]", MESSAGE, false,
	    false },
	{ "the second any, asked for the text's sake",
	    "rule r { when size > 1 or any part is encrypted; then reject "
	    "\"<$part.path>\"; }",
	    "r:reject 550 5.7.1 [<a.zip/run.exe>]", MESSAGE, false, false },
	{ "no part found",
	    "rule r { when size > 1 or any part at top is encrypted; then "
	    "reject \"<$part.path>\"; }",
	    "r:reject 550 5.7.1 [<>]", MESSAGE, false, false },
	{ "replies are ASCII",
	    "rule r { when size > 1; then reject \"$raw\"; }",
	    "r:reject 550 5.7.1 [caf?? ? bytes]", MESSAGE, false, false },
	{ "headers are what they are",
	    "rule r { when size > 1; then header add X-R \"$raw\"; }",
	    "r:header X-R [caf\xc3\xa9 \xff bytes]", MESSAGE, false, false },
	{ "connect knows the client",
	    "rule r { when client.ip in 10.0.0.0/8; then reject \"no\"; } rule "
	    "m { when size > 1; then tag; }",
	    "r:reject 550 5.7.1 [no]", CONNECT, false, false },
	{ "mail is the later of two",
	    "rule r { when client.ip in 10.0.0.0/8 and sender.local = \"bob\"; "
	    "then reject \"no\"; }",
	    "r:reject 550 5.7.1 [no]", MAIL, false, false },
	{ "a text's fact moves the stage",
	    "rule r { when client.ip in 10.0.0.0/8; then reject \"$rcpt\"; }",
	    "r:reject 550 5.7.1 [eve@b.example]", RCPT, false, false },
	{ "an edit waits for the message",
	    "rule r { when client.ip in 10.0.0.0/8; then header add X-R "
	    "\"y\"; }",
	    "r:header X-R [y]", MESSAGE, false, false },
};

static void
whole_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < PN_COUNT(rules_table); i++) {
		char text[800];
		struct outcome got;

		(void)snprintf(text, sizeof(text), "policy p { %s }",
		    rules_table[i].policy);
		judge_both(text, rules_table[i].stage, &the_letter, &got);
		if (strcmp(got.effects, rules_table[i].effects) != 0)
			print_error("%s\n", rules_table[i].name);
		assert_string_equal(got.effects, rules_table[i].effects);
		assert_int_equal(got.degraded, rules_table[i].degraded);
		assert_int_equal(got.allowed, rules_table[i].allowed);
	}
}

/* What a rule's stage is, nothing of it is judged at any other. */
static void
a_rule_has_one_stage(void **state)
{
	struct outcome got;

	(void)state;
	for (unsigned stage = CONNECT; stage <= MESSAGE; stage++) {
		judge_both("policy p { rule r { when sender.local = \"bob\"; "
			   "then tag; } }",
		    stage, &the_letter, &got);
		assert_string_equal(got.effects, stage == MAIL ? "r:tag" : "");
	}
}

static void
without_an_inspector_content_is_unknown(void **state)
{
	static const char policy[] =
	    "policy p { rule a { when any part is encrypted; then tag; }"
	    " rule b { when no part is encrypted; then tag; }"
	    " rule c { when subject ~ /x/; on unknown quarantine; then tag; }"
	    " rule d { when size > 1; then tag; } }";
	struct test_mail mail = the_letter;
	struct outcome got;

	(void)state;
	mail.n_parts = 0;
	mail.no_content = true;
	judge(&test_decls, policy, MESSAGE, &mail, false, &got);
	assert_string_equal(got.effects, "c:quarantine d:tag");
	assert_true(got.degraded);
}

/* (a+)+$ on a's: the match limit ends it, and that is unknown, not false. */
static void
a_blown_limit_is_unknown(void **state)
{
	char subject[4096];
	struct test_mail mail = { .values =
				      MAIL({ "subject", M, subject, "" }) };
	struct outcome got;

	(void)state;
	memset(subject, 'a', sizeof(subject) - 2);
	subject[sizeof(subject) - 2] = 'b';
	subject[sizeof(subject) - 1] = '\0';
	judge_both("policy p { rule r { when subject ~ /^(a+)+$/; on unknown "
		   "tempfail; then tag; } }",
	    MESSAGE, &mail, &got);
	assert_string_equal(got.first, U);
	assert_string_equal(
	    got.effects, "r:tempfail 451 4.7.1 [please try again later]");
}

static void
long_values_are_cut_in_sight(void **state)
{
	char subject[600], want[300];
	struct test_mail mail = { .values =
				      MAIL({ "subject", M, subject, "" }) };
	struct outcome got;

	(void)state;
	memset(subject, 's', sizeof(subject) - 1);
	subject[sizeof(subject) - 1] = '\0';
	judge_both("policy p { rule r { then reject \"$subject!\"; } }",
	    MESSAGE, &mail, &got);
	(void)snprintf(
	    want, sizeof(want), "r:reject 550 5.7.1 [%.128s...!]", subject);
	assert_string_equal(got.effects, want);
}

static void
the_trace_is_complete_json(void **state)
{
	static const char policy[] =
	    "policy p {\nrule a { when any part ( encrypted and ext ~ "
	    "/(?<x>e)xe/ ) and not login = \"x\"; then reject \"no\"; }\nrule "
	    "b { when size > 1 or tls.version = \"v\"; then tag; } }";
	static const char want[] =
	    "[{\"rule\":\"a\",\"file\":\"policy.conf\",\"line\":2,\"stage\":"
	    "\"message\",\"result\":"
	    "\"fired\",\"when\":{\"and\":[{\"any\":\"part\",\"at\":\"any "
	    "depth\",\"result\":\"true\",\"of\":4,\"decided_by\":2,\"that\":{"
	    "\"and\":[{\"test\":\"part.encrypted\",\"result\":\"true\","
	    "\"value\":\"yes\"},{\"test\":\"part.ext ~ "
	    "/(?<x>e)xe/\",\"result\":\"true\",\"value\":\"exe\","
	    "\"captures\":{\"x\":\"e\"}}]}},{\"not\":{\"test\":\"login = "
	    "\\\"x\\\"\",\"result\":\"false\",\"value_is\":\"absent\"}}]},"
	    "\"actions\":[{\"action\":\"reject\",\"code\":550,\"status\":\"5.7."
	    "1\",\"text\":\"no\"}]},{\"rule\":\"b\",\"file\":\"policy.conf\","
	    "\"line\":3,\"stage\":"
	    "\"message\",\"result\":\"fired\",\"when\":{\"or\":[{\"test\":"
	    "\"size > 1\",\"result\":\"true\",\"value\":\"2048\"},{\"test\":"
	    "\"tls.version = \\\"v\\\"\",\"result\":\"unasked\"}]},\"actions\":"
	    "[{\"action\":\"tag\"}]}]";
	const struct rules_decls *decls[] = { &test_decls, in_one_place() };
	struct rules_facts facts = FACTS_OF(&the_letter);

	(void)state;
	/* Whoever asks, the inspector or the worker. */
	for (size_t i = 0; i < PN_COUNT(decls); i++) {
		struct arena *arena = arena_new(POLICY_ARENA);
		struct rules_run *run = rules_run_new();
		struct rules_result result;
		struct buf frame = { 0 }, json = { 0 };
		struct error e;
		struct rules *r =
		    compile_with(decls[i], PN_STR_V(policy), "", arena, &e);

		assert_non_null(r);
		assert_int_equal(
		    rules_judge(r, run, rules_policy_early(r), MESSAGE, &facts,
			over_the_wire(r, run, &facts, arena, &frame), NULL, 0,
			arena, &result),
		    0);
		rules_trace_json(r, result.trace, &json);
		assert_str(buf_str(&json), want);
		buf_fini(&frame);
		buf_fini(&json);
		rules_run_free(run);
		rules_free(r);
		arena_free(arena);
	}
}

/* Whatever the room, judging says no or is complete. */
static void
a_full_arena_is_said(void **state)
{
	struct arena *policy = arena_new(POLICY_ARENA);
	struct rules_run *run = rules_run_new();
	struct rules_facts facts = FACTS_OF(&the_letter);
	struct error e;
	struct rules *r = compile_text(
	    PN_STR_V("policy p { rule r { when any part is encrypted and size "
		     "> 1; then reject \"$part.path\"; } }"),
	    "", policy, &e);
	bool seen[2] = { false, false };

	(void)state;
	assert_non_null(r);
	for (size_t max = 0; max < 4096; max += 16) {
		struct arena *arena = arena_new(max);
		struct rules_answers *a = rules_inspect(r, run, &facts, arena);
		struct rules_result result;
		bool ok = a != NULL &&
			  rules_judge(r, run, rules_policy_early(r), MESSAGE,
			      &facts, a, NULL, 0, arena, &result) == 0;

		seen[ok] = true;
		if (ok)
			assert_str(result.effects[0].text, "a.zip/run.exe");
		arena_free(arena);
	}
	assert_true(seen[false] && seen[true]);
	rules_run_free(run);
	rules_free(r);
	arena_free(policy);
}

/* A fact that says unknown for ever, and one that never ends: asked a bounded
 * number of times, and unknown. */
static unsigned endless_calls;
static enum value_state endless_state;

static void
endless_get(void *arg, uint32_t fact, uint32_t thing, struct pn_str key,
    unsigned nth, struct value *out)
{
	(void)arg;
	(void)fact;
	(void)thing;
	(void)key;
	(void)nth;
	endless_calls++;
	*out = (struct value){ .state = endless_state, .str = PN_STR("y") };
}

static void
endless_values_end(void **state)
{
	static const struct {
		enum value_state state;
		unsigned most;
	} cases[] = { { VALUE_UNKNOWN, 64 }, { VALUE_KNOWN, 65536 } };
	struct arena *arena = arena_new(POLICY_ARENA);
	struct rules_run *run = rules_run_new();
	struct rules_facts facts = { NULL, endless_get, test_n_things,
		test_depth };
	struct rules_result result;
	struct error e;
	struct rules *r = compile_with(in_one_place(),
	    PN_STR_V("policy p { rule r { when header(\"X\") = \"x\"; then "
		     "tag; } }"),
	    "", arena, &e);

	(void)state;
	assert_non_null(r);
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		endless_calls = 0;
		endless_state = cases[i].state;
		assert_int_equal(
		    rules_judge(r, run, rules_policy_early(r), MESSAGE, &facts,
			NULL, NULL, 0, arena, &result),
		    0);
		assert_true(result.degraded);
		assert_int_equal(endless_calls, cases[i].most);
	}
	rules_run_free(run);
	rules_free(r);
	arena_free(arena);
}

static void
nothing_is_a_policy_too(void **state)
{
	struct outcome got;

	(void)state;
	judge_both("", MESSAGE, &the_letter, &got);
	assert_string_equal(got.effects, "");
	judge_both("policy p { }", CONNECT, &the_letter, &got);
	assert_string_equal(got.effects, "");
}

/* Any line end, comments, blank lines, an entry twice, no last line end. */
static void
maps_are_read(void **state)
{
	static const char lines[] = "# who\r\n\r\n  Bob@a.EXAMPLE \t# him\n"
				    "@z.example\n@Z.example\n\n@b.example";
	char path[] = "/tmp/test_rules_map.XXXXXX", text[300];
	int fd = mkstemp(path);
	struct outcome got;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(
	    write(fd, lines, sizeof(lines) - 1), sizeof(lines) - 1);
	(void)snprintf(text, sizeof(text),
	    "map m = text:\"%s\"; policy p { rule a { when sender in m and "
	    "rcpt in m and cc in m; then tag; } rule b { when from in m or to "
	    "in m; then tag; } }",
	    path);
	judge_both(text, MESSAGE, &the_letter, &got);
	assert_string_equal(got.effects, "a:tag");
	assert_int_equal(close(fd), 0);
	assert_int_equal(unlink(path), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table),
		cmocka_unit_test(of_nothing_all_are_and_none_is),
		cmocka_unit_test(whole_rules),
		cmocka_unit_test(a_rule_has_one_stage),
		cmocka_unit_test(without_an_inspector_content_is_unknown),
		cmocka_unit_test(a_blown_limit_is_unknown),
		cmocka_unit_test(long_values_are_cut_in_sight),
		cmocka_unit_test(the_trace_is_complete_json),
		cmocka_unit_test(a_full_arena_is_said),
		cmocka_unit_test(endless_values_end),
		cmocka_unit_test(nothing_is_a_policy_too),
		cmocka_unit_test(maps_are_read),
	};

	return cmocka_run_group_tests_name("rules_judge", tests, NULL, NULL);
}
