/* watch: which files of a policy are others than they were, told once. */
#include "cm.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "proxy/watch.h"
#include "rules_facts.h"

static char folder[] = "/tmp/postern-watch.XXXXXX";

static char *
path_of(const char *name)
{
	static char path[64];

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void
put(const char *name, const char *text)
{
	FILE *f = fopen(path_of(name), "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static int
setup(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	put("a", "a@b\n");
	put("b", "a@b\n");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	(void)unlink(path_of("a"));
	(void)unlink(path_of("b"));
	return rmdir(folder);
}

#define EVERY 100

static void
assert_look(struct watch *w, uint64_t now_ms, const char *name)
{
	const char *changed = watch_look(w, EVERY, now_ms);

	if (name == NULL)
		assert_null(changed);
	else
		assert_string_equal(changed, path_of(name));
}

static void
changes_are_told_once(void **state)
{
	struct arena *arena = arena_new(POLICY_ARENA);
	struct watch w = { 0 };
	struct policy p = { .daemon.map_check_ms = EVERY };
	struct error e;

	(void)state;
	p.rules = compile_text(
	    PN_STR_V("map a = text:a; map b = text:b;"), folder, arena, &e);
	assert_non_null(p.rules);
	put("a", "changed@since.it.was.read\n");
	watch_begin(&w, &p, 1000);
	assert_look(&w, 1099, NULL); /* not due */
	assert_look(&w, 1100, "a");
	assert_int_equal(w.due, 1200);
	assert_look(&w, 1200, NULL); /* told */
	put("a", "x@y\n");
	put("b", "x@yy\n");
	assert_look(&w, 1300, "a"); /* both seen, one is named */
	assert_look(&w, 1400, NULL);
	assert_int_equal(unlink(path_of("b")), 0);
	assert_look(&w, 1500, "b");
	assert_look(&w, 1600, NULL);
	put("b", "x@yy\n");
	assert_look(&w, 1700, "b");
	watch_end(&w);
	assert_look(&w, 99999, NULL);
	rules_free(p.rules);
	arena_free(arena);
}

static void
never_is_never(void **state)
{
	struct arena *arena = arena_new(POLICY_ARENA);
	struct watch w = { 0 };
	struct policy p = { .daemon.map_check_ms = 0 };
	struct error e;

	(void)state;
	p.rules = compile_text(PN_STR_V("map a = text:a;"), folder, arena, &e);
	assert_non_null(p.rules);
	watch_begin(&w, &p, 1000);
	assert_int_equal(w.due, 0);
	put("a", "other@than.before\n");
	assert_look(&w, UINT64_MAX, NULL);
	watch_end(&w);
	rules_free(p.rules);
	arena_free(arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_are_told_once),
		cmocka_unit_test(never_is_never),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
