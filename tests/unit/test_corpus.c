/*
 * corpus: real mail is read without a fuss. POSTERN_CORPUS names a folder with
 * archives (.tar.xz) of .eml files; without it there is nothing to do.
 */
#include "cm.h"

#include "base/utf8.h"
#include "corpus.h"
#include "inspect/urls.h"

#define MAX_MEMORY (64u << 20)

struct seen {
	size_t mails, ambiguous, limited;
	size_t texts, pages, hiding; /* mails with some */
	size_t leading, urls, misleading;
	size_t charset; /* with text nobody reads */
};

static void
look_at_text(struct view *v, struct seen *seen)
{
	const struct texts *texts = view_texts(v);
	const struct urls *urls = view_urls(v);
	size_t text = 0, hidden = 0, misleading = 0;

	for (size_t i = 0; i < texts->n; i++) {
		assert_true(utf8_valid(texts->v[i].text));
		assert_true(utf8_valid(texts->v[i].hidden));
		text += pn_str_trim(texts->v[i].text).n;
		hidden += pn_str_trim(texts->v[i].hidden).n;
	}
	for (const struct pn_url *u = urls->first; u != NULL; u = u->next)
		misleading += u->mismatch;
	seen->texts += text > 0;
	seen->pages += texts_source(texts, 0).p != NULL;
	seen->hiding += hidden > 0;
	seen->leading += urls->n > 0;
	seen->urls += urls->n;
	seen->misleading += misleading > 0;
	seen->charset += (v->defects & PN_DEFECT_CHARSET) != 0;
}

/* Each has a part. */
static void
look_at(struct pn_str mail, void *arg)
{
	struct arena *a = arena_new(MAX_MEMORY);
	struct seen *seen = arg;
	struct view *v = view_new(mail, &view_limits_default, a);

	assert_non_null(v->first);
	look_at_text(v, seen);
	seen->limited += (v->defects & PN_DEFECT_LIMIT) != 0;
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
	print_message("# %zu with text, %zu with pages, %zu hide some, %zu "
		      "lead somewhere (%zu in all), %zu mislead, %zu in "
		      "charsets not read\n",
	    seen.texts, seen.pages, seen.hiding, seen.leading, seen.urls,
	    seen.misleading, seen.charset);
	assert_true(seen.mails > 0 && seen.ambiguous * 50 <= seen.mails);
	/* One links to more than three thousand places. */
	assert_true(seen.limited * 5000 <= seen.mails);
	assert_true(seen.texts * 100 >= seen.mails * 99);
	assert_in_range(seen.pages * 100 / seen.mails, 10, 60);
	assert_in_range(seen.leading * 100 / seen.mails, 60, 99);
	assert_true(seen.misleading * 20 <= seen.mails);
	assert_true(seen.charset * 200 <= seen.mails);
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
