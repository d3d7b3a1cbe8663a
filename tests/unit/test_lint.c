/*
 * rules: what is allowed and cannot be meant. Each case is a policy and the
 * warnings it must give: place and text, in the file's order; and policies
 * that must give none.
 */
#include "cm.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "rules/lint.h"
#include "rules_facts.h"

struct lint_case {
	const char *policy;
	const char *warnings[4]; /* line:column: text */
};

static const struct lint_case cases[] = {
	/* ---- never true ---- */
	{ "policy p { rule r { when size < 0; then tag; } }",
	    { "1:26: rule \"r\" can never fire: size < 0 is true of nothing" } },
	{ "policy p { rule r { when mime.broken and size <= -1; then tag; } }",
	    { "1:42: rule \"r\" can never fire: size <= -1 is true of nothing" } },
	{ "policy p { rule r { when mime.broken or size < 0; then tag; } }",
	    { "1:41: this is never true: \"size\" is never below 0" } },
	{ "policy p { rule r { when mime.broken; unless size < 0; then tag; } }",
	    { "1:46: this is never true: \"size\" is never below 0" } },
	{ "policy p { rule r { when size >= 0 and size > -1; then tag; } }",
	    { "1:26: this is always true: \"size\" is never below 0",
		"1:40: this is always true: \"size\" is never below 0" } },
	{ "policy p { rule r { when any part ( size >= 0 or depth = -5 ); "
	  "then tag; } }",
	    { "1:37: this is always true: \"part.size\" is never below 0",
		"1:50: this is never true: \"part.depth\" is never below 0" } },
	{ "policy p { rule r { when size > 0 and size <= 1; then tag; } "
	  "rule s { when size = 0 or size != 0; then tag; } }",
	    { NULL } },
	{ "policy p { rule a { then score -5; } rule b { when score < 0; "
	  "then header add X \"y\"; } threshold tag 0; }",
	    { NULL } },
	{ "policy p { rule r { when size > 10 and size < 5; then tag; } }",
	    { "1:40: rule \"r\" can never fire: size < 5 contradicts size > "
	      "10" } },
	{ "policy p { rule r { when size > 10K and\n size <= 10K; then tag; } "
	  "}",
	    { "2:2: rule \"r\" can never fire: size <= 10K contradicts size > "
	      "10K" } },
	{ "policy p { rule r { when size = 5 and size != 5; then tag; } }",
	    { "1:39: rule \"r\" can never fire: size != 5 contradicts size = "
	      "5" } },
	{ "policy p { rule r { when size = 5 and not size = 5; then tag; } }",
	    { "1:43: rule \"r\" can never fire: not size = 5 contradicts size "
	      "= 5" } },
	{ "policy p { rule r { when size > 5 and not size > 3; then tag; } }",
	    { "1:43: rule \"r\" can never fire: not size > 3 contradicts size "
	      "> 5" } },
	{ "policy p { rule r { when size >= 5 and size <= 5; then tag; } }",
	    { NULL } },
	{ "policy p { rule r { when not size > 5 and not size <= 5; then tag; "
	  "} }",
	    { NULL } }, /* true where there is no size */
	{ "policy p { rule r { when client.fcrdns is ok and client.fcrdns is "
	  "none; then tag; } }",
	    { "1:50: rule \"r\" can never fire: client.fcrdns is none "
	      "contradicts client.fcrdns is ok" } },
	{ "policy p { rule r { when client.fcrdns is ok or none and "
	  "client.fcrdns is temporary; then tag; } }",
	    { "1:58: rule \"r\" can never fire: client.fcrdns is temporary "
	      "contradicts client.fcrdns is ok or none" } },
	{ "policy p { rule r { when client.fcrdns is ok or none and "
	  "client.fcrdns is not ok; then tag; } }",
	    { NULL } },
	{ "policy p { rule r { when client.fcrdns is not ok or none or "
	  "temporary; then tag; } }",
	    { "1:26: rule \"r\" can never fire: client.fcrdns is not ok or "
	      "none or temporary is true of nothing" } },
	{ "policy p { rule r { when mime.broken and not mime.broken; then "
	  "tag; } }",
	    { "1:46: rule \"r\" can never fire: not mime.broken contradicts "
	      "mime.broken" } },
	{ "policy p { rule r { when mime.broken; unless mime.broken; then "
	  "tag; } }",
	    { "1:46: rule \"r\" can never fire: not mime.broken contradicts "
	      "mime.broken" } },
	{ "policy p { rule r { when mime.broken; unless mime.broken or size > "
	  "5; then tag; } }",
	    { "1:46: rule \"r\" can never fire: not mime.broken contradicts "
	      "mime.broken" } },
	{ "policy p { rule r { when mime.broken; unless mime.broken and size "
	  "> 5; then tag; } }",
	    { NULL } },
	{ "policy p { rule r { when subject = \"a\" and subject = \"b\"; then "
	  "tag; } }",
	    { "1:44: rule \"r\" can never fire: subject = \"b\" contradicts "
	      "subject = \"a\"" } },
	{ "policy p { rule r { when subject = \"a\" and subject = \"A\"; then "
	  "tag; } }",
	    { NULL } },
	{ "policy p { rule r { when to = \"a@b\" and to = \"c@d\"; then tag; } "
	  "}",
	    { NULL } }, /* two of several */
	{ "policy p { rule r { when to = \"a@b\" and not to = \"a@b\"; then "
	  "tag; } }",
	    { "1:45: rule \"r\" can never fire: not to = \"a@b\" contradicts "
	      "to = \"a@b\"" } },
	{ "set s = a@b; policy p { rule r { when to = \"a@b\" and not to in "
	  "s; then tag; } }",
	    { "1:58: rule \"r\" can never fire: not to in s contradicts to = "
	      "\"a@b\"" } },
	{ "policy p { rule r { when sender = \"a@b\" and sender in c@d e@f; "
	  "then tag; } }",
	    { "1:45: rule \"r\" can never fire: sender in c@d e@f contradicts "
	      "sender = \"a@b\"" } },
	{ "policy p { rule r { when sender = \"a@b\" and sender in \"@b\"; "
	  "then tag; } }",
	    { NULL } },
	{ "policy p { rule r { when client.ip = 192.0.2.1 and client.ip in "
	  "10.0.0.0/8; then tag; } }",
	    { "1:52: rule \"r\" can never fire: client.ip in 10.0.0.0/8 "
	      "contradicts client.ip = 192.0.2.1" } },
	{ "policy p { rule r { when client.ip = 10.0.0.1 and client.ip in "
	  "10.0.0.0/8; then tag; } }",
	    { NULL } },
	{ "policy p { rule r { when any part ( size > 5 and size < 3 ); then "
	  "tag; } }",
	    { "1:50: rule \"r\" can never fire: part.size < 3 contradicts "
	      "part.size > 5" } },
	{ "policy p { rule r { when no part ( size > 5 and size < 3 ); then "
	  "tag; } }",
	    { NULL } },
	{ "policy p { rule r { when any part is zip and no part is zip; then "
	  "tag; } }",
	    { "1:46: rule \"r\" can never fire: no part at any depth ( magic "
	      "is zip ) contradicts any part at any depth ( magic is zip )" } },
	{ "policy p { rule r { when any part is zip and any part is rar; then "
	  "tag; } }",
	    { NULL } },
	{ "policy p { rule r { when ( size > 5 and size < 3 ) or mime.broken; "
	  "then tag; } }",
	    { NULL } }, /* by its other half */
	{ "policy p { rule r { when header(\"X\") = \"a\" and header(\"Y\") = "
	  "\"b\"; then tag; } }",
	    { NULL } },

	/* ---- never counts ---- */
	{ "policy p { rule a { when size > 5; then reject \"x\"; }\n"
	  "rule b { when size > 5; then reject \"y\"; } }",
	    { "2:6: rule \"b\" never counts: wherever it fires, rule \"a\" "
	      "(line 1) rejects, too" } },
	{ "policy p { rule a { when size > 5; then reject \"x\"; }\n"
	  "rule b { when mime.broken and size > 5; then tag; } }",
	    { "2:6: rule \"b\" never counts: wherever it fires, rule \"a\" "
	      "(line 1) rejects, too" } },
	{ "policy p { rule a { when size > 5 or mime.broken; then reject "
	  "\"x\"; }\n"
	  "rule b { when mime.broken; then quarantine; } }",
	    { "2:6: rule \"b\" never counts: wherever it fires, rule \"a\" "
	      "(line 1) rejects, too" } },
	{ "policy p { rule a { when size > 5; then tag; }\n"
	  "rule b { when size > 5; then reject \"y\"; } }",
	    { NULL } }, /* the stronger wins */
	{ "policy p { rule a { when size > 5; then reject \"x\"; }\n"
	  "rule b { when size > 5; then tag, note \"big\"; } }",
	    { NULL } }, /* it notes */
	{ "policy p { rule a { when size > 5; then reject \"x\"; }\n"
	  "rule b { when size > 5; on unknown tempfail; then reject \"x\"; } }",
	    { NULL } },
	{ "policy p { rule a { mode shadow; when size > 5; then reject \"x\"; "
	  "}\nrule b { when size > 5; then reject \"y\"; } }",
	    { NULL } },
	{ "policy p { rule a { when size > 5; unless login = \"x\"; then "
	  "reject \"x\"; }\nrule b { when size > 5; then reject \"y\"; } }",
	    { NULL } },
	{ "policy p { rule a { when size > 5; then reject \"x\"; }\n"
	  "rule b { when size > 5; unless login = \"x\"; then reject \"y\"; } "
	  "}",
	    { "2:6: rule \"b\" never counts: wherever it fires, rule \"a\" "
	      "(line 1) rejects, too" } },
	{ "policy p { rule a { then quarantine; }\n"
	  "rule b { when size > 5; then tag; } }",
	    { "2:6: rule \"b\" never counts: wherever it fires, rule \"a\" "
	      "(line 1) quarantines, too" } },
	{ "policy p { rule b { when client.ip in 10.0.0.0/8 and login = \"x\"; "
	  "then tag; }\nrule a { when client.ip in 10.0.0.0/8; then allow; } "
	  "}",
	    { "1:17: rule \"b\" never counts: wherever it fires, rule \"a\" "
	      "(line 2) allows" } },
	{ "policy p { rule a { when login = \"x\"; then allow; }\n"
	  "rule b { always; when login = \"x\" and size > 5; then tag; } }",
	    { NULL } },

	{ "policy p { rule a { when size > 5; then reject \"x\"; }\n"
	  "rule b { when size > 10; then tag; } }",
	    { "2:6: rule \"b\" never counts: wherever it fires, rule \"a\" "
	      "(line 1) rejects, too" } },
	{ "policy p { rule a { when size > 5; then reject \"x\"; }\n"
	  "rule b { always; when size > 5; then reject \"x\"; } }",
	    { NULL } }, /* what allows skips the other */
	{ "policy p { rule a { when size > 10; then reject \"x\"; }\n"
	  "rule b { when size > 5; then tag; } }",
	    { NULL } },
	{ "policy p { rule a { when not size > 10; then reject \"x\"; }\n"
	  "rule b { when size < 5; then tag; } }",
	    { "2:6: rule \"b\" never counts: wherever it fires, rule \"a\" "
	      "(line 1) rejects, too" } },
	{ "policy p { rule a { when client.fcrdns is none or temporary; then "
	  "reject \"x\"; }\n"
	  "rule b { when client.fcrdns is none; then tag; } }",
	    { "2:6: rule \"b\" never counts: wherever it fires, rule \"a\" "
	      "(line 1) rejects, too" } },
	{ "policy p { rule a { when sender != \"a@b\"; then reject \"x\"; }\n"
	  "rule b { when sender = \"c@d\"; then tag; } }",
	    { "2:6: rule \"b\" never counts: wherever it fires, rule \"a\" "
	      "(line 1) rejects, too" } },
	{ "policy p { rule a { when not to = \"a@b\"; then reject \"x\"; }\n"
	  "rule b { when to = \"c@d\"; then tag; } }",
	    { NULL } }, /* the other may be there, too */

	/* ---- contradictions ---- */
	{ "policy p { rule a { when size > 5; then accept; }\n"
	  "rule b { when size > 5; then reject \"y\"; } }",
	    { "2:6: rule \"b\" contradicts rule \"a\" (line 1): the same "
	      "condition, reject here and accept there" } },
	{ "policy p { rule a { when size > 5 and mime.broken; then "
	  "quarantine; }\n"
	  "rule b { when mime.broken and size > 5; then accept; } }",
	    { "2:6: rule \"b\" contradicts rule \"a\" (line 1): the same "
	      "condition, accept here and quarantine there" } },

	/* ---- too late ---- */
	{ "policy p { rule a { when client.ip in 10.0.0.0/8; then reject "
	  "\"x\"; }\nrule b { when size > 5; then allow; } }",
	    { "1:17: rule \"a\" refuses at connect, before rule \"b\" (line 2) "
	      "can allow at message" } },
	{ "policy p { rule a { always; when client.ip in 10.0.0.0/8; then "
	  "reject \"x\"; }\nrule b { when size > 5; then allow; } }",
	    { NULL } },

	/* ---- scores ---- */
	{ "policy p { threshold reject 15; rule a { when size > 5; then score "
	  "+7; } rule b { when mime.broken; then score +7; } }",
	    { "1:22: threshold reject 15 is never reached: the rules of policy "
	      "\"p\" add at most 14" } },
	{ "policy p { threshold reject 14; rule a { when size > 5; then score "
	  "+7; } rule b { when mime.broken; then score +7; } }",
	    { NULL } },
	{ "policy p { threshold reject 10; group g cap 5;\n"
	  "rule a { when size > 5; then score +7 in g; } rule b { when "
	  "mime.broken; then score +7 in g; } }",
	    { "1:22: threshold reject 10 is never reached: the rules of policy "
	      "\"p\" add at most 5" } },
	{ "policy p { threshold reject 5; rule a { mode shadow; when size > "
	  "5; then score +7; } }",
	    { "1:22: threshold reject 5 is never reached: the rules of policy "
	      "\"p\" add at most 0 (those in shadow nothing)" } },
	{ "policy p { rule a { when size > 5; then score +7; }\n"
	  "rule b { when score > 7; then tag; } }",
	    { "2:15: rule \"b\" can never fire: score > 7 is out of reach of "
	      "the score" } },
	{ "policy p { rule a { when size > 5; then score +7; }\n"
	  "rule b { when score > 6; then tag; } }",
	    { NULL } },
	{ "policy p { threshold tag 5; threshold reject 5; rule a { when "
	  "mime.broken; then score +7; } }",
	    { "1:22: threshold tag 5 never counts: threshold reject 5 (line 1) "
	      "is passed before" } },
	{ "policy p { threshold tag 4; threshold reject 5; rule a { when "
	  "mime.broken; then score +7; } }",
	    { NULL } },
	{ "policy p { threshold reject 5; }",
	    { "1:22: threshold reject 5 is never reached: the rules of policy "
	      "\"p\" add at most 0" } },

	/* ---- what nothing uses ---- */
	{ "set s = a; policy p { }", { "1:5: set \"s\" is never used" } },
	{ "people s { name \"A\"; } policy p { }",
	    { "1:8: people \"s\" is never used" } },
	{ "map m = text:map; policy p { }",
	    { "1:5: map \"m\" is never used" } },
	{ "set s = a@b; policy p { rule r { when any part ( name = \"x\" and "
	  "sender in s ); then tag; } }",
	    { NULL } },
	{ "set s = a@b; policy p for rcpt s { } policy default { }", { NULL } },
	{ "policy p for rcpt @a { }\npolicy q for rcpt @b { }",
	    { "2:8: no policy is for everybody else: mail to those whom no "
	      "\"for\" means is judged by no rule" } },
	{ "policy p { group g cap 5; }",
	    { "1:18: group \"g\" is never used: no rule adds to it" } },
	{ "policy p { group g cap 5; }\npolicy q extends p for rcpt @a { rule "
	  "r { when size > 5; then score +1 in g; } }",
	    { NULL } },

	/* ---- policies ---- */
	{ "policy a for rcpt @x { } policy b for rcpt @x { } policy default { "
	  "}",
	    { "1:39: policy \"b\" is never used: whom it is for, policy \"a\" "
	      "(line 1) is for, too" } },
	{ "policy a for rcpt @x @y { } policy b for rcpt u@x v@y { } policy "
	  "default { }",
	    { "1:42: policy \"b\" is never used: whom it is for, policy \"a\" "
	      "(line 1) is for, too" } },
	{ "policy a for rcpt @x { } policy b for rcpt @x and sender @y { } "
	  "policy default { }",
	    { "1:39: policy \"b\" is never used: whom it is for, policy \"a\" "
	      "(line 1) is for, too" } },
	{ "policy a for rcpt @x and sender @y { } policy b for rcpt @x { } "
	  "policy default { }",
	    { NULL } },
	{ "policy a for client 10.0.0.0/8 { } policy b for client 10.1.2.3 { } "
	  "policy default { }",
	    { "1:49: policy \"b\" is never used: whom it is for, policy \"a\" "
	      "(line 1) is for, too" } },
	{ "policy a for login any { } policy b for login ada { } policy "
	  "default { }",
	    { "1:41: policy \"b\" is never used: whom it is for, policy \"a\" "
	      "(line 1) is for, too" } },
	{ "policy a { } policy default { }",
	    { "1:8: policy \"a\" is never used: it has no \"for\", and no "
	      "policy extends it" } },
	{ "policy a { } policy b extends a for rcpt @x { } policy default { }",
	    { NULL } },
	{ "policy default { rule e { early; when helo.name = \"x\"; then "
	  "reject \"x\"; } }\n"
	  "policy b extends default for rcpt @x { rule e off; }",
	    { "2:45: rule \"e\" of policy \"default\" (line 1) is early: it is "
	      "asked for everybody, whatever stands here" } },

	/* ---- regexes ---- */
	{ "policy p { rule r { when subject ~ /x(a+)+$/; then tag; } }",
	    { "1:38: this repeats what is repeated without end itself, which "
	      "may take as long as its limits allow" } },
	{ "policy p { rule r { when subject ~ /x(a|a)*$/; then tag; } }",
	    { "1:38: this repeats a choice between characters that overlap, "
	      "which may take as long as its limits allow" } },
	{ "policy p { rule r { when raw ~ /[0-9]+/; then tag; } }",
	    { "1:32: no letter of this must stand in the text: it is tried at "
	      "every byte of raw" } },
	{ "policy p { rule r { when subject ~ /[0-9]+/; then tag; } }",
	    { NULL } },
	{ "map m = pcre:pcre; policy p { rule r { when subject in m; then "
	  "tag; } }",
	    { "pcre:2:5: this repeats what is repeated without end itself" } },

	/* ---- several, in order ---- */
	{ "set s = a;\npolicy p { rule r { when size > 10 and size < 5; then "
	  "tag; }\nrule q { when subject ~ /(a*)*/; then tag; } }",
	    { "1:5: set \"s\"", "2:40: rule \"r\"", "3:26: this repeats" } },
};

static const char *folder;

static void
write_map(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static int
setup(void **state)
{
	static char template[] = "/tmp/postern-lint.XXXXXX";

	(void)state;
	folder = mkdtemp(template);
	if (folder == NULL)
		return -1;
	write_map("map", "a@b\n");
	write_map("pcre", "/ok/ x\n/ok (\\w+\\s?)* no/ x\n");
	return 0;
}

static int
teardown(void **state)
{
	char path[128];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/map", folder);
	(void)unlink(path);
	(void)snprintf(path, sizeof(path), "%s/pcre", folder);
	(void)unlink(path);
	return rmdir(folder);
}

/* The warning at *text, its line and caret are taken; its first line. */
static struct pn_str
take_warning(struct pn_str *text)
{
	struct pn_str first = { NULL, 0 };

	for (int line = 0; line < 3; line++) {
		const char *nl = memchr(text->p, '\n', text->n);

		assert_non_null(nl);
		if (line == 0)
			first =
			    (struct pn_str){ text->p, (size_t)(nl - text->p) };
		*text = pn_str_sub(*text, (size_t)(nl + 1 - text->p), text->n);
	}
	return first;
}

/* "policy.conf:1:2: warning: x" reads as "1:2: x"; of a map with its name. */
static bool
is_warning(struct pn_str got, const char *want)
{
	static const char mark[] = " warning: ";
	const char *at = memmem(got.p, got.n, mark, strlen(mark));
	struct pn_str place = { got.p, 0 }, says = pn_str_of(want);
	const char *space = strchr(want, ' ');
	struct pn_str where = { want, (size_t)(space - want) };

	if (at == NULL)
		return false;
	place.n = (size_t)(at - got.p);
	says = pn_str_sub(says, where.n + 1, says.n);
	got = pn_str_sub(got, place.n + strlen(mark), got.n);
	return pn_str_ends(place, where) &&
	       (strncmp(want, "pcre", 4) == 0 ||
		   place.n == where.n + strlen("policy.conf:")) &&
	       pn_str_starts(got, says);
}

static void
check_case(const struct lint_case *c)
{
	struct arena *arena = arena_new(POLICY_ARENA);
	struct buf b = { 0 };
	struct error e;
	struct rules *r = compile_text(pn_str_of(c->policy), folder, arena, &e);
	struct pn_str left;
	size_t n = 0;

	if (r == NULL)
		fail_msg("%s\n%s", c->policy, e.text);
	while (c->warnings[n] != NULL)
		n++;
	if (rules_lint(r, false, NULL, NULL, &b) != n)
		fail_msg("%s\nwant %zu warnings\n%.*s", c->policy, n,
		    PN_STR_ARG(buf_str(&b)));
	left = buf_str(&b);
	for (size_t i = 0; i < n; i++) {
		struct pn_str got = take_warning(&left);

		if (!is_warning(got, c->warnings[i]))
			fail_msg("%s\nwant %s\ngot  %.*s", c->policy,
			    c->warnings[i], PN_STR_ARG(got));
	}
	assert_int_equal(left.n, 0);
	buf_fini(&b);
	rules_free(r);
	arena_free(arena);
}

static void
the_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++)
		check_case(&cases[i]);
}

/* The line, and the caret under its place. */
static void
the_caret(void **state)
{
	struct arena *arena = arena_new(POLICY_ARENA);
	struct buf b = { 0 };
	struct error e;
	struct rules *r = compile_text(
	    PN_STR_V("policy p {\n\trule r { when size > 9 and size < 3; "
		     "then tag; }\n}"),
	    "", arena, &e);

	(void)state;
	assert_int_equal(rules_lint(r, false, NULL, NULL, &b), 1);
	assert_str(buf_str(&b),
	    "policy.conf:2:29: warning: rule \"r\" can never fire: size < "
	    "3 contradicts size > 9\n"
	    "\trule r { when size > 9 and size < 3; then tag; }\n"
	    "\t                           ^\n");
	buf_fini(&b);
	rules_free(r);
	arena_free(arena);
}

/* ---- regexes alone ---- */

static const struct {
	const char *regex, *flags;
	int loops_at; /* -1: nowhere */
	bool no_literal;
} regexes[] = {
	{ "(a+)+", "", 0, false },
	{ "(a*)*", "", 0, true },
	{ "(?:a+)*b", "", 0, false },
	{ "(?<n>a+)+", "", 0, false },
	{ "x((a|b)+)+", "", 1, false },
	{ "(\\w+\\s*)*", "", 0, true },
	{ "(\\s*\\w+)+", "", 0, true },
	{ "(\\w+\\s+)*", "", -1, true },
	{ "(a+b+)+", "", -1, false },
	{ "(.*,)*x", "", 0, false },
	{ "(.*\\n)*x", "", -1, false },
	{ "(.*\\n)*x", "s", 0, false },
	{ "([^,]*,)*x", "", -1, false },
	{ "(a|a)*", "", 0, true },
	{ "(a|b)*", "", -1, true },
	{ "(a|A)*", "i", 0, true },
	{ "(a|A)*", "", -1, true },
	{ "(\\w|\\d)+", "", 0, true },
	{ "([a-c]|[c-e])+", "", 0, true },
	{ "([a-c]|[d-e])+", "", -1, true },
	{ "(foo|far)*", "", -1, true },
	{ "(a+){2,}", "", 0, false },
	{ "(a+){2,5}", "", -1, false },
	{ "(a{2,})*", "", 0, true },
	{ "(a{2})*", "", -1, true },
	{ "(a++)+", "", -1, false },
	{ "(?>a+)+", "", -1, false },
	{ "(a+)++", "", -1, false },
	{ "(a+)?", "", -1, true },
	{ "(a?)*", "", -1, true },
	{ "((a+)b)*", "", -1, true },
	{ "((a+)b?)*", "", 0, true },
	{ "(a+|b)*", "", 0, true },
	{ "( a + ) +", "x", 0, false },
	{ "( a b # ) \n ) +", "x", -1, false },
	{ "[)(]+(a+)+", "", 5, false },
	{ "\\(a+\\)+", "", -1, false },
	{ "[]a]+", "", -1, true },
	{ "\\x41", "", -1, false },
	{ "^\\d+", "", -1, false },
	{ "\\A\\d+", "", -1, false },
	{ "a|\\d", "", -1, true },
	{ "a|b", "", -1, false },
	{ "(?=a)\\d", "", -1, true },
	{ "a{x}", "", -1, false },
	/* not read: nothing is said */
	{ "(?i)(a+)+", "", -1, false },
	{ "(a+)+\\1", "", -1, false },
	{ "(*COMMIT)(a+)+", "", -1, false },
	{ "[[:alpha:]]", "", -1, false },
	{ "(?|(a+)+)", "", -1, false },
	{ "\\p{L}+", "", -1, false },
	{ "", "", -1, true },
};

static void
regexes_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < PN_COUNT(regexes); i++) {
		struct pattern_faults f = lint_pattern(
		    pn_str_of(regexes[i].regex), pn_str_of(regexes[i].flags));
		int at = f.loops_at == SIZE_MAX ? -1 : (int)f.loops_at;

		if (at != regexes[i].loops_at ||
		    f.no_literal != regexes[i].no_literal)
			fail_msg("/%s/%s: %d %d", regexes[i].regex,
			    regexes[i].flags, at, f.no_literal);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table),
		cmocka_unit_test(the_caret),
		cmocka_unit_test(regexes_are_read),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
