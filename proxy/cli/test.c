/* test - postern test: the tests that stand in the policy, through the
 * sandboxed inspector (proxy/check.h). */
#include <sysexits.h>

#include "cli/cli.h"
#include "proxy/check.h"

struct report {
	bool json;
	json_t *tests;
	unsigned passed, failed;
};

static void
put(json_t *o, const char *key, struct pn_str s)
{
	json_t *v = json_stringn(s.p, s.n);

	/* NULL: no UTF-8, which a policy's text may be in a string. */
	(void)json_object_set_new(o, key, v ? v : json_null());
}

static void
on_tested(void *arg, const struct rules_test *t, bool passed, const char *why)
{
	struct report *r = arg;
	json_t *o;

	*(passed ? &r->passed : &r->failed) += 1;
	if (!r->json) {
		(void)printf("%s %s:%u %.*s: ", passed ? "ok  " : "FAIL",
		    t->pos.file, t->pos.line, PN_STR_ARG(t->rule));
		show_text(stdout, t->name);
		(void)printf("%s%s\n", passed ? "" : ": ", why);
		return;
	}
	o = json_object();
	put(o, "rule", t->rule);
	put(o, "name", t->name);
	put(o, "file", pn_str_of(t->pos.file));
	(void)json_object_set_new(o, "line", json_integer(t->pos.line));
	(void)json_object_set_new(o, "passed", json_boolean(passed));
	put(o, "why", pn_str_of(why));
	(void)json_array_append_new(r->tests, o);
}

static void
conclude(const struct report *r)
{
	json_t *o;

	if (!r->json) {
		(void)printf("%u passed, %u failed\n", r->passed, r->failed);
		return;
	}
	o = json_pack("{s:i, s:i, s:O}", "passed", (int)r->passed, "failed",
	    (int)r->failed, "tests", r->tests);
	print_json(o);
	json_decref(o);
}

static int
run_tests(const struct cli *c, const struct policy *p)
{
	struct report r = { .json = c->json, .tests = json_array() };
	const struct check_report report = { on_tested, &r };
	struct error e;
	int done = check_policy(p, NULL, &report, &e);

	conclude(&r);
	json_decref(r.tests);
	/* No failed test, and yet no success: they could not be run. */
	if (done < 0 && r.failed == 0)
		return cli_fail(EX_DATAERR, "%s", e.text);
	return r.failed > 0 ? EX_DATAERR : EX_OK;
}

int
cli_test(const struct cli *c, int argc, char **argv)
{
	const struct policy *p;
	struct error e;
	int code;

	(void)argv;
	if (argc != 1)
		return cli_usage(c);
	p = policy_load(c->conf, &e);
	if (p == NULL)
		return cli_fail(EX_CONFIG, "%s", e.text);
	code = run_tests(c, p);
	policy_free(p);
	return code;
}
