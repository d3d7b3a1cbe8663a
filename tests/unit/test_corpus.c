/*
 * corpus: real mail is read without a fuss. POSTERN_CORPUS names a folder with
 * archives (.tar.xz) of .eml files; without it there is nothing to do.
 */
#include "cm.h"

#include "corpus.h"
#include "inspect/part.h"

#define MAX_MEMORY (64u << 20)

struct seen {
	size_t mails, ambiguous;
};

/* Each has a part and meets no limit. */
static void
look_at(struct pn_str mail, void *arg)
{
	struct arena *a = arena_new(MAX_MEMORY);
	struct seen *seen = arg;
	struct view *v = view_new(mail, &view_limits_default, a);

	assert_non_null(v->first);
	assert_false(v->defects & PN_DEFECT_LIMIT);
	seen->ambiguous += (v->defects & PN_DEFECT_AMBIGUOUS) != 0;
	seen->mails++;
	arena_free(a);
}

static void
real_mail_is_plain(void **state)
{
	struct seen seen = { 0 };

	(void)state;
	corpus_each(look_at, &seen);
	print_message(
	    "# %zu mails, %zu ambiguous\n", seen.mails, seen.ambiguous);
	assert_true(seen.mails > 0 && seen.ambiguous * 50 <= seen.mails);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_mail_is_plain),
	};

	if (corpus_dir() == NULL) {
		puts("1..0 # SKIP POSTERN_CORPUS names no folder of mails");
		return 0;
	}
	return cmocka_run_group_tests_name("corpus", tests, NULL, NULL);
}
