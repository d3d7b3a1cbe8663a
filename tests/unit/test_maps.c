/*
 * rules: maps and rows of networks. Each kind of file, what it holds for a
 * key, what its mistakes say and where; many entries; a cdb that is mapped.
 */
#include "cm.h"

#include <cdb.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "rules/tree.h"
#include "rules_facts.h"

static char folder[64];

static int
setup(void **state)
{
	(void)state;
	(void)snprintf(folder, sizeof(folder), "/tmp/postern-maps.XXXXXX");
	return mkdtemp(folder) == NULL ? -1 : 0;
}

static const char *
path_of(const char *name)
{
	static char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void
write_file(const char *name, struct pn_str text)
{
	int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(io_write_all(fd, text.p, text.n), 0);
	io_close(fd);
}

static int
teardown(void **state)
{
	static const char *const files[] = { "map", "map.cdb", "new.cdb" };

	(void)state;
	for (size_t i = 0; i < PN_COUNT(files); i++)
		(void)unlink(path_of(files[i]));
	return rmdir(folder);
}

static struct rules *
compile(const char *policy, struct arena *arena, struct error *e)
{
	return compile_text(pn_str_of(policy), folder, arena, e);
}

/* ---- what they hold ---- */

struct find_case {
	const char *key;
	const char *value; /* NULL: it is not in the map */
	unsigned line;
};

struct find_table {
	const char *kind;
	const char *file;
	struct find_case cases[24];
};

static const struct find_table tables[] = {
	{ "text",
	    "# partners\n"
	    "ada@example.com\n"
	    "  Bob@Example.com   a partner # since May\n"
	    "@example.org\tOK\n"
	    "eve@example.org DUNNO\n"
	    "ada@example.com twice\n",
	    { { "ada@example.com", "", 2 }, { "ADA@EXAMPLE.COM", "", 2 },
		{ "bob@example.com", "a partner", 3 },
		{ "any@example.org", "OK", 4 }, { "eve@example.org", NULL, 0 },
		{ "any@sub.example.org", NULL, 0 }, { "example.org", NULL, 0 },
		{ "@example.org", "OK", 4 }, { "", NULL, 0 } } },
	{ "cidr",
	    "# nets\n"
	    "10.1.2.3\tOK one\n"
	    "10.1.0.0/16 DUNNO\n"
	    "10.0.0.0/8 REJECT\n"
	    "   and go\n"
	    "\n"
	    "   away\n"
	    "[2001:db8::]/32 six\n"
	    "2001:db8:1::/48 hidden by the one before\n"
	    "::/0 all of six\n"
	    "!192.168.0.0/16 not the lan\n"
	    "192.168.7.7 after a denial\n",
	    { { "10.1.2.3", "OK one", 2 }, { "10.1.2.4", NULL, 0 },
		{ "10.2.0.1", "REJECT and go away", 4 },
		{ "2001:db8::1", "six", 8 }, { "2001:db8:1::1", "six", 8 },
		{ "2001:db9::", "all of six", 10 },
		{ "192.168.7.7", "after a denial", 12 },
		{ "192.168.7.8", NULL, 0 },
		{ "8.8.8.8", "not the lan", 11 } } },
	{ "cidr", "0.0.0.0/0",
	    { { "255.255.255.255", "", 1 }, { "::1", NULL, 0 },
		{ "::ffff:10.0.0.1", "", 1 } } },
	{ "cidr", "", { { "10.0.0.1", NULL, 0 } } },
	{ "pcre",
	    "# patterns\n"
	    "/^postmaster@/ OK\n"
	    "/^(.*)-outgoing@(.*)$/ 550 use ${1}@$(2) for $1, $$5\n"
	    "!/@/ no address\n"
	    "/CASE/i counts\n"
	    "|a/b| a slash\n"
	    "/dot.all/ all\n"
	    "/x\\/y/\n"
	    "   goes on\n"
	    "/dunno/ dunno\n"
	    "/^.*unno@/ never for dunno\n"
	    "/blan ks/x blanks\n",
	    { { "Postmaster@example.com", "OK", 2 },
		{ "list-outgoing@example.com",
		    "550 use list@example.com for list, $5", 3 },
		{ "nobody", "no address", 4 }, { "CASE@x", "counts", 5 },
		{ "case@x", NULL, 0 }, { "a/b@x", "a slash", 6 },
		{ "@dot\nall", "all", 7 }, { "x/y@", "goes on", 8 },
		{ "dunno@x", NULL, 0 }, { "gunno@x", "never for dunno", 11 },
		{ "blanks@x", "blanks", 12 } } },
};

static void
check_find(const struct find_table *t, const struct rules *r,
    struct rules_run *run, const struct find_case *c)
{
	struct rules_map_entry found;
	struct error e;
	int got = rules_map_find(
	    r, run, PN_STR_V("m"), pn_str_of(c->key), &found, &e);

	if (got != (c->value != NULL) ||
	    (c->value != NULL &&
		!pn_str_eq(buf_str(&found.value), pn_str_of(c->value))) ||
	    found.line != c->line)
		fail_msg("%s: %s: %d, line %u, \"%.*s\"", t->kind, c->key, got,
		    found.line, PN_STR_ARG(buf_str(&found.value)));
	buf_fini(&found.value);
}

static void
finds(void **state)
{
	struct rules_run *run = rules_run_new();

	(void)state;
	for (size_t i = 0; i < PN_COUNT(tables); i++) {
		const struct find_table *t = &tables[i];
		struct arena *arena = arena_new(POLICY_ARENA);
		struct error e;
		struct rules *r;
		char policy[64];

		write_file("map", pn_str_of(t->file));
		(void)snprintf(
		    policy, sizeof(policy), "map m = %s:map;", t->kind);
		r = compile(policy, arena, &e);
		if (r == NULL)
			fail_msg("%s", e.text);
		for (const struct find_case *c = t->cases; c->key; c++)
			check_find(t, r, run, c);
		rules_free(r);
		arena_free(arena);
	}
	rules_run_free(run);
}

/* ---- mistakes ---- */

struct error_case {
	const char *kind, *file, *expected;
};

static const struct error_case mistakes[] = {
	{ "text", "a@b\n  partner\n",
	    "map:2:3: \"partner\" is neither an address nor @domain\n"
	    "  partner\n"
	    "  ^" },
	{ "text", "a@b c@d\n@ x\n",
	    "map:2:1: \"@\" is neither an address nor @domain" },
	{ "cidr", "10.0.0.0/8 x\n10.0.0.1/8 x\n",
	    "map:2:1: \"10.0.0.1/8\" has bits set behind its length\n"
	    "10.0.0.1/8 x\n"
	    "^" },
	{ "cidr", "10.0.0.0/33\n",
	    "map:1:1: \"10.0.0.0/33\" has no network's length behind the /" },
	{ "cidr", "!mail.example.com OK\n",
	    "map:1:2: \"mail.example.com\" is no ip address or network" },
	{ "cidr", "\n  10.0.0.0/8 OK\n",
	    "map:2:3: a line that begins with a blank goes on with the one "
	    "before it, and there is none" },
	{ "cidr", "if 10.0.0.0/8\n10.1.1.1 x\nendif\n",
	    "map:1:1: \"if\" is not for maps of postern: write the entries "
	    "apart" },
	{ "pcre", "/a/ x\nendif\n",
	    "map:2:1: \"endif\" is not for maps of postern: write the entries "
	    "apart" },
	{ "pcre", "abc OK\n",
	    "map:1:1: /PATTERN/ must stand here, not \"abc\"" },
	{ "pcre", "!\n", "map:1:2: /PATTERN/ must stand here, not \"\"" },
	{ "pcre", "/abc OK\n",
	    "map:1:1: the pattern does not end on its line" },
	{ "pcre", "/abc\\/", "map:1:1: the pattern does not end on its line" },
	{ "pcre", "/a(b/ OK\n",
	    "map:1:5: missing closing parenthesis\n"
	    "/a(b/ OK\n"
	    "    ^" },
	{ "pcre", "/ab/iz OK\n", "map:1:6: flag \"z\" is none of i m s x" },
	{ "pcre", "/a(b)/ $1 $2\n",
	    "map:1:11: the pattern has no group 2\n"
	    "/a(b)/ $1 $2\n"
	    "          ^" },
	{ "pcre", "!/a(b)/ $1\n",
	    "map:1:9: what does not match has no groups" },
	{ "pcre", "/a/ 5$\n",
	    "map:1:6: a group's number must follow the $ ($$ is a dollar)" },
	{ "pcre", "/a/ ${1\n",
	    "map:1:5: a group's number must follow the $ ($$ is a dollar)" },
	{ "cdb", "no cdb at all\n", "map: this is no cdb" },
};

static void
mistakes_are_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < PN_COUNT(mistakes); i++) {
		const struct error_case *c = &mistakes[i];
		struct arena *arena = arena_new(POLICY_ARENA);
		struct rules *r;
		struct error e;
		char policy[64];

		write_file("map", pn_str_of(c->file));
		(void)snprintf(
		    policy, sizeof(policy), "map m = %s:map;", c->kind);
		r = compile(policy, arena, &e);
		assert_null(r);
		if (strstr(e.text, c->expected) == NULL)
			fail_msg("expected %s\ngot %s", c->expected, e.text);
		arena_free(arena);
	}
}

/* ---- which facts go with which ---- */

struct use_case {
	const char *kind, *when;
	const char *refused; /* NULL: it goes */
};

static const struct use_case uses[] = {
	{ "cidr", "client.ip in m", NULL },
	{ "cidr", "client.ip in m 10.0.0.0/8", NULL },
	{ "cidr", "sender in m",
	    "map \"m\" holds networks, and \"sender\" is an address" },
	{ "pcre", "sender in m", NULL },
	{ "pcre", "helo.name in m", NULL },
	{ "pcre", "sender.domain in m", NULL },
	{ "pcre", "client.ip in m",
	    "map \"m\" is for strings and addresses, and \"client.ip\" is an "
	    "ip address" },
	{ "text", "helo.name in m",
	    "map \"m\" holds addresses, and \"helo.name\" is a string" },
	{ "text", "client.fcrdns in m",
	    "map \"m\" holds addresses, and \"client.fcrdns\" is one of some "
	    "words" },
};

static void
facts_fit(void **state)
{
	(void)state;
	write_file("map", PN_STR_V(""));
	for (size_t i = 0; i < PN_COUNT(uses); i++) {
		const struct use_case *c = &uses[i];
		struct arena *arena = arena_new(POLICY_ARENA);
		struct rules *r;
		struct error e = { 0 };
		char policy[200];

		(void)snprintf(policy, sizeof(policy),
		    "map m = %s:map; policy p { rule r { when %s; then tag; } "
		    "}",
		    c->kind, c->when);
		r = compile(policy, arena, &e);
		if ((r == NULL) != (c->refused != NULL) ||
		    (r == NULL && strstr(e.text, c->refused) == NULL))
			fail_msg("%s: %s", c->when, e.text);
		rules_free(r);
		arena_free(arena);
	}
}

/* ---- in rules ---- */

static bool
fires(const char *kind, const char *when, const struct test_value *values)
{
	const struct test_mail mail = { .values = values };
	struct rules_facts facts = FACTS_OF(&mail);
	struct arena *arena = arena_new(POLICY_ARENA);
	struct rules_run *run = rules_run_new();
	struct rules_result result;
	struct rules_answers *answers;
	size_t n = 0;
	struct rules *r;
	struct error e;
	char policy[200];

	(void)snprintf(policy, sizeof(policy),
	    "map m = %s:map; policy p { rule r { when %s; then tag; } }", kind,
	    when);
	r = compile(policy, arena, &e);
	assert_non_null(r);
	answers = rules_inspect(r, run, &facts, arena);
	assert_non_null(answers);
	for (unsigned stage = CONNECT; stage <= MESSAGE; stage++) {
		assert_int_equal(rules_judge(r, run, 0, stage, &facts,
				     stage == MESSAGE ? answers : NULL, NULL, 0,
				     arena, &result),
		    0);
		n += result.n_effects;
	}
	rules_free(r);
	rules_run_free(run);
	arena_free(arena);
	return n > 0;
}

static const struct test_value letter[] = {
	{ "client.ip", RULES_MESSAGE, "10.1.2.3", "" },
	{ "sender", RULES_MESSAGE, "List-Outgoing@Example.com", "" },
	{ "subject", RULES_MESSAGE, "Cheap watches", "" },
	{ "reply-to", RULES_MESSAGE, "a@b.example", "" },
	{ "reply-to", RULES_MESSAGE, "c@example.com", "" },
	{ .fact = NULL },
};

static void
rules_ask_them(void **state)
{
	(void)state;
	write_file("map", PN_STR_V("10.1.2.3 DUNNO\n10.0.0.0/8 x\n"));
	assert_false(fires("cidr", "client.ip in m", letter));
	assert_true(fires("cidr", "client.ip in m 10.1.0.0/16", letter));
	write_file("map", PN_STR_V("10.0.0.0/8 x\n"));
	assert_true(fires("cidr", "client.ip in m", letter));
	assert_false(fires("cidr", "not client.ip in m", letter));
	write_file("map", PN_STR_V("/-outgoing@/ x\n/^cheap/ y\n"));
	assert_true(fires("pcre", "sender in m", letter));
	assert_true(fires("pcre", "subject in m", letter)); /* inspector's */
	assert_false(fires("pcre", "sender.domain in m", letter));
	write_file("map", PN_STR_V("@example.com\n"));
	assert_true(fires("text", "reply-to in m", letter));
	assert_true(fires("text", "sender in m", letter));
}

/* A pattern that blows its limit makes the test unknown, not false. */
static void
limits_are_unknown(void **state)
{
	struct arena *arena = arena_new(POLICY_ARENA);
	struct rules_run *run = rules_run_new();
	struct rules_map_entry found;
	char key[5001];
	struct rules *r;
	struct error e;

	(void)state;
	memset(key, 'a', sizeof(key));
	write_file("map", PN_STR_V("/^(a+)+$/ x\n/a/ y\n"));
	r = compile("map m = pcre:map;", arena, &e);
	assert_non_null(r);
	key[sizeof(key) - 1] = '!';
	assert_int_equal(rules_map_find(r, run, PN_STR_V("m"),
			     (struct pn_str){ key, sizeof(key) }, &found, &e),
	    TRI_UNKNOWN);
	buf_fini(&found.value);
	rules_free(r);
	rules_run_free(run);
	arena_free(arena);
}

/* ---- cdb ---- */

static void
write_cdb(const char *name, const char *const *pairs, bool nul)
{
	struct cdb_make maker;
	int fd = open(path_of(name), O_RDWR | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(cdb_make_start(&maker, fd), 0);
	for (; *pairs != NULL; pairs += 2)
		assert_int_equal(cdb_make_add(&maker, pairs[0],
				     (unsigned)strlen(pairs[0]) + nul, pairs[1],
				     (unsigned)strlen(pairs[1]) + nul),
		    0);
	assert_int_equal(cdb_make_finish(&maker), 0);
	io_close(fd);
}

static const char *const pairs[] = { "ada@example.com", "OK", "@example.org",
	"all of it", "eve@example.org", "DUNNO", "cheap watches", "", NULL };

static const struct find_table in_cdb = { "cdb", "",
	{ { "Ada@Example.com", "OK", 0 }, { "x@example.org", "all of it", 0 },
	    { "eve@example.org", NULL, 0 }, { "Cheap Watches", "", 0 },
	    { "x@example.com", NULL, 0 }, { "", NULL, 0 } } };

static void
finds_in_cdb(void **state)
{
	struct rules_run *run = rules_run_new();

	(void)state;
	for (int nul = 0; nul <= 1; nul++) {
		struct arena *arena = arena_new_mapped(POLICY_ARENA);
		struct error e;
		struct rules *r;

		write_cdb("map.cdb", pairs, nul);
		r = compile("map m = cdb:map.cdb;", arena, &e);
		assert_non_null(r);
		arena_seal(arena);
		/* A file put in its place is another file. */
		write_cdb("new.cdb", pairs + 6, nul);
		assert_int_equal(
		    rename(strcpy((char[128]){ 0 }, path_of("new.cdb")),
			path_of("map.cdb")),
		    0);
		for (size_t k = 0; in_cdb.cases[k].key != NULL; k++)
			check_find(&in_cdb, r, run, &in_cdb.cases[k]);
		rules_free(r);
		arena_free(arena);
	}
	rules_run_free(run);
}

static size_t
count_mappings(void)
{
	struct buf maps = { 0 };
	struct error e;
	size_t n = 0;

	assert_int_equal(io_slurp("/proc/self/maps", 1 << 22, &maps, &e), 0);
	for (const char *at = buf_data(&maps);
	     (at = memmem(at, (size_t)(maps.mem + maps.end - at), "memfd:cdb",
		  9)) != NULL;
	     at++)
		n++;
	buf_fini(&maps);
	return n;
}

/* Whatever becomes of the policy: a mapping goes with it. */
static void
mappings_are_given_back(void **state)
{
	static const char *const policies[] = { "map m = cdb:map.cdb;",
		"map m = cdb:map.cdb; map m = cdb:map.cdb;",
		"map m = cdb:map.cdb; set x = ;",
		("map m = cdb:map.cdb; policy p { rule r { when nothing; then "
		"tag; } }") };

	(void)state;
	write_cdb("map.cdb", pairs, false);
	for (size_t i = 0; i < PN_COUNT(policies); i++) {
		struct arena *arena = arena_new(POLICY_ARENA);
		struct error e;
		struct rules *r = compile(policies[i], arena, &e);

		assert_int_equal(r != NULL, i == 0);
		assert_int_equal(count_mappings(), i == 0);
		rules_free(r);
		arena_free(arena);
		assert_int_equal(count_mappings(), 0);
	}
}

/* A domain is found behind any local part, one longer than all keys too. */
static void
long_local_parts_dodge_no_cdb(void **state)
{
	struct arena *arena = arena_new_mapped(POLICY_ARENA);
	struct rules_run *run = rules_run_new();
	struct rules_map_entry found;
	struct buf key = { 0 };
	struct rules *r;
	struct error e;

	(void)state;
	write_cdb("map.cdb", pairs, false);
	r = compile("map m = cdb:map.cdb;", arena, &e);
	assert_non_null(r);
	for (int i = 0; i < 2000; i++)
		buf_puts(&key, "a");
	buf_puts(&key, "@Example.ORG");
	assert_int_equal(rules_map_find(r, run, PN_STR_V("m"), buf_str(&key),
			     &found, &e),
	    TRI_TRUE);
	buf_fini(&found.value);
	buf_fini(&key);
	rules_run_free(run);
	rules_free(r);
	arena_free(arena);
}

/* Written into, and cut to nothing, while it is looked into. */
static void
cut_cdb_is_survived(void **state)
{
	struct rules_run *run = rules_run_new();
	struct arena *arena = arena_new(POLICY_ARENA);
	struct error e;
	struct rules *r;

	(void)state;
	write_cdb("map.cdb", pairs, false);
	r = compile("map m = cdb:map.cdb;", arena, &e);
	assert_non_null(r);
	write_file("map.cdb", PN_STR_V(""));
	for (size_t k = 0; in_cdb.cases[k].key != NULL; k++)
		check_find(&in_cdb, r, run, &in_cdb.cases[k]);
	rules_free(r);
	rules_run_free(run);
	arena_free(arena);
}

/* Each byte broken: some answer or unknown, never beyond the file. */
static void
broken_cdb_is_survived(void **state)
{
	struct rules_run *run = rules_run_new();
	struct buf bytes = { 0 };
	struct error e;

	(void)state;
	write_cdb("new.cdb", pairs, false);
	assert_int_equal(io_slurp(path_of("new.cdb"), 1 << 20, &bytes, &e), 0);
	for (size_t i = 0; i < buf_len(&bytes); i++) {
		struct arena *arena = arena_new(POLICY_ARENA);
		struct rules_map_entry found;
		struct rules *r;

		buf_data(&bytes)[i] ^= (char)0xff;
		write_file("map.cdb", buf_str(&bytes));
		buf_data(&bytes)[i] ^= (char)0xff;
		r = compile("map m = cdb:map.cdb;", arena, &e);
		for (size_t k = 0; r && in_cdb.cases[k].key; k++) {
			assert_in_range(
			    rules_map_find(r, run, PN_STR_V("m"),
				pn_str_of(in_cdb.cases[k].key), &found, &e),
			    0, 2);
			buf_fini(&found.value);
		}
		rules_free(r);
		arena_free(arena);
	}
	buf_fini(&bytes);
	rules_run_free(run);
}

/* ---- many ---- */

#define ENTRIES 200000

static void
many_addresses(void **state)
{
	struct arena *arena = arena_new_mapped(256u << 20);
	struct rules_run *run = rules_run_new();
	struct buf text = { 0 };
	struct find_case c = { "user199999@example.com", "v199999", ENTRIES };
	struct rules *r;
	struct error e;

	(void)state;
	for (unsigned i = 0; i < ENTRIES; i++)
		(void)buf_printf(&text, "user%u@example.com v%u\n", i, i);
	write_file("map", buf_str(&text));
	r = compile("map m = text:map;", arena, &e);
	assert_non_null(r);
	check_find(&tables[0], r, run, &c);
	rules_free(r);
	buf_fini(&text);
	rules_run_free(run);
	arena_free(arena);
}

static void
many_networks(void **state)
{
	struct arena *arena = arena_new_mapped(256u << 20);
	struct rules_run *run = rules_run_new();
	struct buf text = { 0 };
	struct find_case last = { "11.13.63.7", "v199999", ENTRIES };
	struct find_case first = { "11.0.0.0", "v0", 1 };
	struct find_case none = { "12.0.0.1", NULL, 0 };
	struct rules *r;
	struct error e;

	(void)state;
	for (unsigned i = 0; i < ENTRIES; i++)
		(void)buf_printf(&text, "11.%u.%u.%u/30 v%u\n", i >> 14 & 255,
		    i >> 6 & 255, (i << 2) & 255, i);
	write_file("map", buf_str(&text));
	r = compile("map m = cidr:map;", arena, &e);
	if (r == NULL)
		fail_msg("%s", e.text);
	last.key = "11.12.52.255"; /* 199999 << 2 from 11.0.0.0 */
	check_find(&tables[1], r, run, &last);
	check_find(&tables[1], r, run, &first);
	check_find(&tables[1], r, run, &none);
	for (unsigned i = 0; i < 10000; i++) /* at once, not in turn */
		check_find(&tables[1], r, run, &none);
	rules_free(r);
	buf_fini(&text);
	rules_run_free(run);
	arena_free(arena);
}

static void
too_many_patterns(void **state)
{
	struct arena *arena = arena_new_mapped(256u << 20);
	struct buf text = { 0 };
	struct error e;

	(void)state;
	for (unsigned i = 0; i < 10001; i++)
		(void)buf_puts(
		    &text, "/same/\n"); /* one pattern, compiled once */
	write_file("map", buf_str(&text));
	assert_null(compile("map m = pcre:map;", arena, &e));
	assert_non_null(strstr(
	    e.text, "map:10001:1: a pcre map has at most 10000 entries"));
	buf_fini(&text);
	arena_free(arena);
}

static void
no_room_is_an_error(void **state)
{
	struct arena *arena = arena_new(64u << 10);
	struct buf text = { 0 };
	struct error e;

	(void)state;
	for (unsigned i = 0; i < 2000; i++)
		(void)buf_printf(&text, "10.0.%u.%u\n", i >> 8, i & 255);
	write_file("map", buf_str(&text));
	assert_null(compile("map m = cidr:map;", arena, &e));
	assert_non_null(strstr(e.text, "more memory than it may have"));
	buf_fini(&text);
	arena_free(arena);
}

/* ---- the rest of the interface ---- */

static void
files_are_told(void **state)
{
	struct arena *arena = arena_new(POLICY_ARENA);
	struct error e;
	struct rules *r;
	const struct rules_file *f;
	struct stamp now;

	(void)state;
	write_file("map", PN_STR_V("a@b\n"));
	write_cdb("map.cdb", pairs, false);
	r = compile(
	    "map one = text:map; set x = a; map two = cdb:map.cdb;", arena, &e);
	assert_non_null(r);
	f = rules_file(r, 0);
	assert_string_equal(f->path, path_of("map"));
	now = stamp_of(f->path);
	assert_true(stamp_eq(&now, &f->stamp));
	write_file("map", PN_STR_V("a@bc\n"));
	now = stamp_of(f->path);
	assert_false(stamp_eq(&now, &f->stamp));
	assert_string_equal(rules_file(r, 1)->path, path_of("map.cdb"));
	assert_null(rules_file(r, 2));
	rules_free(r);
	arena_free(arena);
}

static void
wrong_names_and_keys(void **state)
{
	struct arena *arena = arena_new(POLICY_ARENA);
	struct rules_run *run = rules_run_new();
	struct rules_map_entry found;
	struct error e;
	struct rules *r;

	(void)state;
	write_file("map", PN_STR_V("10.0.0.1\n"));
	r = compile("map lan = cidr:map; set lane = a;", arena, &e);
	assert_non_null(r);
	assert_int_equal(
	    rules_map_find(r, run, PN_STR_V("lane"), PN_STR_V("x"), &found, &e),
	    -1);
	assert_string_equal(
	    e.text, "unknown map \"lane\", did you mean \"lan\"?");
	assert_int_equal(
	    rules_map_find(r, run, PN_STR_V("lan"), PN_STR_V("x"), &found, &e),
	    -1);
	assert_string_equal(
	    e.text, "\"x\" is no ip address, and \"lan\" is a cidr map");
	rules_free(r);
	rules_run_free(run);
	arena_free(arena);
}

/* A row against trying each network in turn, on numbers that come often. */
static void
rows_equal_trying_each(void **state)
{
	uint32_t random = 7;

	(void)state;
	for (int round = 0; round < 200; round++) {
		struct arena *arena = arena_new(POLICY_ARENA);
		struct rules_run *run = rules_run_new();
		struct {
			unsigned addr, bits;
			bool negated;
		} nets[12];
		struct buf text = { 0 };
		struct rules *r;
		struct error e;

		for (size_t i = 0; i < PN_COUNT(nets); i++) {
			random = random * 1103515245 + 12345;
			nets[i].bits = 24 + (random >> 16) % 9;
			nets[i].addr = (random >> 20 & 255) &
				       (0xffu << (32 - nets[i].bits));
			nets[i].negated = (random >> 8 & 15) == 0;
			(void)buf_printf(&text, "%s10.0.0.%u/%u v%zu\n",
			    nets[i].negated ? "!" : "", nets[i].addr,
			    nets[i].bits, i);
		}
		write_file("map", buf_str(&text));
		r = compile("map m = cidr:map;", arena, &e);
		assert_non_null(r);
		for (unsigned a = 0; a < 256; a++) {
			char key[32], value[32];
			struct find_case c = { key, NULL, 0 };

			(void)snprintf(key, sizeof(key), "10.0.0.%u", a);
			for (size_t i = 0; i < PN_COUNT(nets) && !c.value; i++)
				if ((((a ^ nets[i].addr) &
					 (0xffu << (32 - nets[i].bits))) ==
					0) != nets[i].negated) {
					(void)snprintf(
					    value, sizeof(value), "v%zu", i);
					c.value = value;
					c.line = (unsigned)i + 1;
				}
			check_find(&tables[1], r, run, &c);
		}
		rules_free(r);
		buf_fini(&text);
		rules_run_free(run);
		arena_free(arena);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds),
		cmocka_unit_test(mistakes_are_told),
		cmocka_unit_test(facts_fit),
		cmocka_unit_test(rules_ask_them),
		cmocka_unit_test(limits_are_unknown),
		cmocka_unit_test(finds_in_cdb),
		cmocka_unit_test(mappings_are_given_back),
		cmocka_unit_test(long_local_parts_dodge_no_cdb),
		cmocka_unit_test(cut_cdb_is_survived),
		cmocka_unit_test(broken_cdb_is_survived),
		cmocka_unit_test(many_addresses),
		cmocka_unit_test(many_networks),
		cmocka_unit_test(too_many_patterns),
		cmocka_unit_test(no_room_is_an_error),
		cmocka_unit_test(files_are_told),
		cmocka_unit_test(wrong_names_and_keys),
		cmocka_unit_test(rows_equal_trying_each),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
