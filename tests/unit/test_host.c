/*
 * host: what modules give about a message, and what rules are told. Header
 * and attachment run as they are; two modules of the test misbehave.
 */
#include "cm.h"

#include <stdio.h>

#include "base/buf.h"
#include "filters/builtin.h"
#include "inspect/host.h"
#include "inspect/part.h"
#include "mail/pn_mail.h"

struct fixture {
	struct arena *arena;
	struct chain chain;
	struct host_result *r;
};

static void
run(struct fixture *f, const struct pn_filter *const *filters, size_t n,
    struct pn_str mail)
{
	struct error e;

	f->arena = arena_new(16u << 20);
	assert_int_equal(chain_build(&f->chain, filters, n, f->arena, &e), 0);
	f->r =
	    host_run(view_new(mail, &view_limits_default, f->arena), &f->chain);
	assert_non_null(f->r);
}

static struct value
ask(const struct fixture *f, const char *name, uint32_t thing, const char *key,
    unsigned nth)
{
	int64_t index = chain_find(&f->chain, name);
	struct value v;

	assert_true(index >= 0);
	f->r->ask.get(
	    f->r->ask.arg, (uint32_t)index, thing, pn_str_of(key), nth, &v);
	return v;
}

/* All values of a fact in one line: "a|b"; "?" for an unknown one. */
static void
assert_values(const struct fixture *f, const char *name, uint32_t thing,
    const char *key, const char *want)
{
	struct buf out = { 0 };
	struct value v;

	for (unsigned n = 0;; n++) {
		v = ask(f, name, thing, key, n);
		if (v.state == VALUE_ABSENT)
			break;
		buf_puts(&out, n ? "|" : "");
		if (v.state == VALUE_UNKNOWN)
			buf_puts(&out, "?");
		else if (v.type == VALUE_NUMBER || v.type == VALUE_BOOL)
			buf_printf(&out, "%lld", (long long)v.number);
		else
			buf_add_str(&out, v.str);
	}
	buf_add(&out, "", 1);
	assert_string_equal(buf_data(&out), want);
	buf_fini(&out);
}

#define MAIL                                                                   \
	"Subject: =?iso-8859-1?Q?caf=E9?=\r\n one\r\n"                         \
	"From: \"Ada M.\" <ada@example.com>\r\n"                               \
	"To: a@b, Group: c@d, \"x y\"@z;\r\n"                                  \
	"To: e@f (Ed)\r\n"                                                     \
	"X-Odd:\r\n"                                                           \
	"Subject: two\r\n"                                                     \
	"Content-Type: multipart/mixed; boundary=b\r\n\r\n"                    \
	"--b\r\n\r\nhi\r\n"                                                    \
	"--b\r\nContent-Type: a/b; name=\"Note.pdf.EXE. \"\r\n"                \
	"Content-Transfer-Encoding: base64\r\n\r\n"                            \
	"TVqQAAMAAAAEAAAA//8AALgAAAA=\r\n"                                     \
	"--b--\r\n"

static const struct pn_filter *const builtin[] = { PN_BUILTIN_FILTERS };

static void
header_facts(void **state)
{
	struct fixture f;
	struct value v;

	(void)state;
	run(&f, builtin, PN_COUNT(builtin), PN_STR_V(MAIL));
	assert_values(&f, "subject", RULES_MESSAGE, "", "caf\303\251 one|two");
	assert_values(&f, "from", RULES_MESSAGE, "", "ada@example.com");
	v = ask(&f, "from", RULES_MESSAGE, "", 0);
	assert_str(v.display, "Ada M.");
	assert_str(v.local, "ada");
	assert_str(v.domain, "example.com");
	assert_values(&f, "to", RULES_MESSAGE, "", "a@b|c@d|x y@z|e@f");
	assert_str(ask(&f, "to", RULES_MESSAGE, "", 3).display, "Ed");
	assert_values(&f, "cc", RULES_MESSAGE, "", "");
	assert_values(
	    &f, "header", RULES_MESSAGE, "SUBJECT", "caf\303\251 one|two");
	assert_values(&f, "header", RULES_MESSAGE, "x-none", "");
	assert_int_equal(
	    ask(&f, "header", RULES_MESSAGE, "x-odd", 0).state, VALUE_KNOWN);
	assert_values(&f, "raw", RULES_MESSAGE, "", MAIL);
	arena_free(f.arena);
}

static void
attachment_facts(void **state)
{
	struct fixture f;

	(void)state;
	run(&f, builtin, PN_COUNT(builtin), PN_STR_V(MAIL));
	assert_int_equal(f.r->ask.n_things(f.r->ask.arg, "part"), 3);
	assert_int_equal(f.r->ask.n_things(f.r->ask.arg, "url"), 0);
	assert_int_equal(f.r->ask.depth(f.r->ask.arg, "part", 2), 0);
	assert_values(&f, "part.name", 2, "", "Note.pdf.EXE. ");
	assert_values(&f, "part.ext", 2, "", "exe|pdf.exe");
	assert_values(&f, "part.type", 2, "", "a/b");
	assert_values(&f, "part.magic", 2, "", "executable");
	assert_values(&f, "part.size", 2, "", "20");
	assert_values(&f, "part.program", 2, "", "1");
	assert_values(&f, "part.program", 1, "", "");
	assert_values(&f, "part.magic", 1, "", "text");
	assert_values(&f, "part.magic", 0, "", "");
	assert_values(&f, "part.magic", 3, "", "");
	assert_values(&f, "archive.members", RULES_MESSAGE, "", "0");
	assert_values(&f, "mime.broken", RULES_MESSAGE, "", "0");
	assert_values(&f, "mime.ambiguous", RULES_MESSAGE, "", "0");
	assert_int_equal(f.r->dropped, 0);
	arena_free(f.arena);
}

/* ---- endings ---- */

static void
endings_as_readers_see_them(void **state)
{
	static const struct {
		const char *name, *want;
	} cases[] = {
		{ "a.exe", "exe" },
		{ "A.ExE", "exe" },
		{ "a.exe...", "exe" },
		{ "a.exe . .", "exe" },
		{ "a.tar.gz", "gz|tar.gz" },
		{ "Report of the year. Final.pdf", "pdf" },
		{ "a.exe::$DATA", "exe" },
		{ "a.exe:x.txt", "txt|exe" },
		{ "a.e\342\200\213xe", "exe" },
		{ "a.exe\302\240", "exe" },
		{ "photo\342\200\256gpj.exe", "exe" },
		{ "a.", "" },
		{ "exe", "" },
		{ ".exe", "exe" },
		{ "a.b/c", "" },
		{ "a.exe/", "exe" },
		{ "a.exe?", "exe" },
		{ "a.exe >", "exe" },
	};

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct fixture f;
		char mail[256];
		int n = snprintf(mail, sizeof(mail),
		    "Content-Type: a/b; name=\"%s\"\r\n\r\nx\r\n",
		    cases[i].name);

		run(&f, builtin, PN_COUNT(builtin),
		    (struct pn_str){ mail, (size_t)n });
		assert_values(&f, "part.ext", 0, "", cases[i].want);
		arena_free(f.arena);
	}
}

/* ---- modules that do what they should not ---- */

static const char *const words[] = { "red", "blue", NULL };

static const struct pn_fact_decl odd_facts[] = {
	{ .name = "odd.text", .type = PN_STRING, .stage = PN_STAGE_MESSAGE },
	{ .name = "odd.word",
	    .type = PN_WORD,
	    .stage = PN_STAGE_MESSAGE,
	    .words = words },
	{ .name = "part.odd", .type = PN_NUMBER, .stage = PN_STAGE_MESSAGE },
	{ .name = NULL },
};

static enum pn_step
odd_inspect(struct pn_mail *m)
{
	struct pn_part *p = pn_first_part(m);
	int *count = pn_state(m);

	assert_int_equal(*count, 0);
	assert_ptr_equal(pn_state(m), count);
	pn_fact_number(m, "odd.text", 1);	   /* another type */
	pn_fact_str(m, "odd.none", PN_STR_V("x")); /* undeclared */
	pn_fact_str(m, "subject", PN_STR_V("x"));  /* another module's */
	pn_fact_word(m, "odd.word", "green");	   /* not on the list */
	pn_fact_number(m, "part.odd", 1); /* of a part, given to none */
	pn_part_fact_str(
	    p, "odd.text", PN_STR_V("x")); /* the other way round */
	pn_fact_word(m, "odd.word", "blue");
	pn_part_fact_number(p, "part.odd", 7);
	pn_fact_unknown(m, "odd.text");
	return PN_NEXT;
}

static enum pn_step
fail_inspect(struct pn_mail *m)
{
	(void)odd_inspect(m);
	return PN_FAIL;
}

static void
what_is_not_declared_is_dropped(void **state)
{
	static const struct pn_filter odd = { .abi = PN_ABI,
		.name = "odd",
		.state_size = sizeof(int),
		.facts = odd_facts,
		.inspect = odd_inspect };
	static const struct pn_filter *const all[] = { &pn_filter_header,
		&odd };
	struct fixture f;

	(void)state;
	run(&f, all, PN_COUNT(all), PN_STR_V(MAIL));
	assert_int_equal(f.r->dropped, 6);
	assert_values(&f, "odd.word", RULES_MESSAGE, "", "blue");
	assert_values(&f, "odd.text", RULES_MESSAGE, "", "?");
	assert_values(&f, "part.odd", 0, "", "7");
	assert_values(&f, "part.odd", 1, "", "");
	assert_values(&f, "subject", RULES_MESSAGE, "", "caf\303\251 one|two");
	arena_free(f.arena);
}

static void
a_failed_module_knows_nothing(void **state)
{
	static const struct pn_filter odd = { .abi = PN_ABI,
		.name = "odd",
		.state_size = sizeof(int),
		.facts = odd_facts,
		.inspect = fail_inspect };
	static const struct pn_filter *const all[] = { &odd,
		&pn_filter_header };
	struct fixture f;

	(void)state;
	run(&f, all, PN_COUNT(all), PN_STR_V(MAIL));
	assert_values(&f, "odd.word", RULES_MESSAGE, "", "?");
	assert_values(&f, "part.odd", 0, "", "?");
	assert_values(&f, "part.odd", 2, "", "?");
	assert_values(&f, "from", RULES_MESSAGE, "", "ada@example.com");
	arena_free(f.arena);
}

/* A list of recipients without end must not starve other facts. */
#define TWO_TEXTS                                                              \
	"Content-Type: multipart/alternative; boundary=b\r\n\r\n"              \
	"--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\n"        \
	"gr\374n\r\nwww.a.example\r\n"                                        \
	"--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"              \
	"<p>Vi&shy;agra<p style=display:none>x"                                \
	"<a href=http://evil.co.uk/%61?b>www.bank.com</a>\r\n"                 \
	"--b\r\nContent-Disposition: attachment\r\n\r\nunseen\r\n--b--\r\n"

static void
text_facts(void **state)
{
	struct fixture f;

	(void)state;
	run(&f, builtin, PN_COUNT(builtin), PN_STR_V(TWO_TEXTS));
	assert_values(&f, "text", RULES_MESSAGE, "",
	    "gr\303\274n\nwww.a.example|Viagra");
	assert_values(&f, "text.hidden", RULES_MESSAGE, "", "xwww.bank.com");
	assert_values(&f, "html", RULES_MESSAGE, "",
	    "<p>Vi&shy;agra<p style=display:none>x<a "
	    "href=http://evil.co.uk/%61?b>www.bank.com</a>");
	assert_values(&f, "text.invisible", RULES_MESSAGE, "", "1");
	assert_values(&f, "text.limit", RULES_MESSAGE, "", "0");
	assert_values(&f, "text.urls", RULES_MESSAGE, "", "2");
	assert_int_equal(f.r->ask.n_things(f.r->ask.arg, "url"), 2);
	assert_int_equal(f.r->ask.depth(f.r->ask.arg, "url", 1), 0);
	assert_values(&f, "url.host", 0, "", "www.a.example");
	assert_values(&f, "url.kind", 0, "", "text");
	assert_values(&f, "url.text", 0, "", "");
	assert_values(&f, "url.kind", 1, "", "link");
	assert_values(&f, "url.scheme", 1, "", "http");
	assert_values(&f, "url.domain", 1, "", "evil.co.uk");
	assert_values(&f, "url.path", 1, "", "/a");
	assert_values(&f, "url.query", 1, "", "b");
	assert_values(&f, "url.whole", 1, "", "http://evil.co.uk/%61?b");
	assert_values(&f, "url.host", 2, "", "");
	assert_true(f.r->things[THING_URL].v[1].size > 0);
	assert_int_equal(f.r->dropped, 0);
	arena_free(f.arena);
}

/* Nobody asked: nothing is read. */
static void
unwanted_texts_are_not_read(void **state)
{
	struct arena *a = arena_new(16u << 20);
	struct chain chain;
	struct host_result *r;
	struct view *v;
	struct error e;

	(void)state;
	assert_int_equal(
	    chain_build(&chain, builtin, PN_COUNT(builtin), a, &e), 0);
	for (uint32_t i = 0; i < chain.n_facts; i++)
		chain.facts[i].wanted = false;
	for (int i = 0; i < THINGS; i++)
		chain.wanted[i] = false;
	v = view_new(PN_STR_V(TWO_TEXTS), &view_limits_default, a);
	r = host_run(v, &chain);
	assert_non_null(r);
	assert_null(v->texts);
	assert_null(v->urls);
	assert_int_equal(r->things[THING_URL].n, 0);
	chain.facts[chain_find(&chain, "url.ip")].wanted = true;
	r = host_run(v, &chain);
	assert_non_null(v->urls);
	assert_int_equal(r->things[THING_URL].n, 2);
	for (uint32_t i = 0; i < r->n_facts; i++)
		assert_int_not_equal(
		    r->facts[i].index, chain_find(&chain, "url.host"));
	arena_free(a);
}

/* What a limit cut off may hold anything. */
static void
cut_texts_end_in_unknown(void **state)
{
	struct view_limits limits = view_limits_default;
	struct fixture f = { .arena = arena_new(16u << 20) };
	struct error e;

	(void)state;
	limits.max_text = 5;
	assert_int_equal(chain_build(&f.chain, builtin, PN_COUNT(builtin),
			     f.arena, &e),
	    0);
	f.r = host_run(view_new(PN_STR_V("\r\nabcde"), &limits, f.arena),
	    &f.chain);
	assert_values(&f, "text", RULES_MESSAGE, "", "abcde");
	f.r = host_run(view_new(PN_STR_V("\r\nabcdef"), &limits, f.arena),
	    &f.chain);
	assert_values(&f, "text", RULES_MESSAGE, "", "abcde|?");
	assert_values(&f, "html", RULES_MESSAGE, "", "?");
	assert_values(&f, "text.limit", RULES_MESSAGE, "", "1");
	assert_values(&f, "mime.limit", RULES_MESSAGE, "", "1");
	limits.max_text_total = 0;
	f.r = host_run(view_new(PN_STR_V("\r\nabc"), &limits, f.arena),
	    &f.chain);
	assert_values(&f, "text", RULES_MESSAGE, "", "|?");
	arena_free(f.arena);
}

static void
many_mailboxes_end_in_unknown(void **state)
{
	struct fixture f;
	struct buf mail = { 0 };

	(void)state;
	buf_puts(&mail, "To: ");
	for (int i = 0; i < 3000; i++)
		buf_printf(&mail, "u%d@example.com,\r\n ", i);
	buf_puts(&mail, "\r\n\r\n");
	run(&f, builtin, PN_COUNT(builtin), buf_str(&mail));
	assert_str(ask(&f, "to", RULES_MESSAGE, "", 999).local, "u999");
	assert_int_equal(
	    ask(&f, "to", RULES_MESSAGE, "", 1000).state, VALUE_UNKNOWN);
	assert_int_equal(
	    ask(&f, "to", RULES_MESSAGE, "", 1001).state, VALUE_ABSENT);
	arena_free(f.arena);
	buf_fini(&mail);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_facts),
		cmocka_unit_test(attachment_facts),
		cmocka_unit_test(endings_as_readers_see_them),
		cmocka_unit_test(what_is_not_declared_is_dropped),
		cmocka_unit_test(a_failed_module_knows_nothing),
		cmocka_unit_test(text_facts),
		cmocka_unit_test(unwanted_texts_are_not_read),
		cmocka_unit_test(cut_texts_end_in_unknown),
		cmocka_unit_test(many_mailboxes_end_in_unknown),
	};

	return cmocka_run_group_tests_name("host", tests, NULL, NULL);
}
