/*
 * corpus: real mail is read without a fuss. POSTERN_CORPUS names a folder with
 * archives (.tar.xz) of .eml files; without it there is nothing to do.
 */
#include "cm.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "inspect/part.h"

#define MAX_MEMORY (64u << 20)
#define MAX_MAIL (16u << 20)

struct seen {
	size_t mails, ambiguous;
};

/* With the line ends that SMTP has. */
static void
add_lines(struct pn_str s, struct buf *out)
{
	while (s.n > 0) {
		const char *nl = memchr(s.p, '\n', s.n);
		size_t size = nl == NULL ? s.n : (size_t)(nl - s.p) + 1;
		size_t n = size - (nl != NULL);

		while (n > 0 && s.p[n - 1] == '\r')
			n--;
		(void)buf_add(out, s.p, n);
		(void)buf_puts(out, "\r\n");
		s = pn_str_sub(s, size, s.n);
	}
}

/* Each has a part and meets no limit. */
static void
look_at(struct pn_str text, struct seen *seen)
{
	struct arena *a = arena_new(MAX_MEMORY);
	struct buf mail = { 0 };
	struct view *v;

	add_lines(text, &mail);
	v = view_new(buf_str(&mail), &view_limits_default, a);
	assert_non_null(v->first);
	assert_false(v->defects & PN_DEFECT_LIMIT);
	seen->ambiguous += (v->defects & PN_DEFECT_AMBIGUOUS) != 0;
	seen->mails++;
	buf_fini(&mail);
	arena_free(a);
}

static void
read_archive(const char *path, struct seen *seen)
{
	struct archive *in = archive_read_new();
	struct archive_entry *entry;

	archive_read_support_filter_all(in);
	archive_read_support_format_tar(in);
	assert_int_equal(
	    archive_read_open_filename(in, path, 65536), ARCHIVE_OK);
	while (archive_read_next_header(in, &entry) == ARCHIVE_OK) {
		size_t size = (size_t)archive_entry_size(entry);
		char *text;

		if (!pn_str_ends(pn_str_of(archive_entry_pathname(entry)),
			PN_STR_V(".eml")))
			continue;
		assert_true(size < MAX_MAIL);
		text = malloc(size + 1);
		assert_non_null(text);
		assert_int_equal(archive_read_data(in, text, size), size);
		look_at((struct pn_str){ text, size }, seen);
		free(text);
	}
	archive_read_free(in);
}

static void
real_mail_is_plain(void **state)
{
	const char *dir = getenv("POSTERN_CORPUS");
	DIR *d = opendir(dir);
	struct seen seen = { 0 };
	struct dirent *e;

	(void)state;
	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		char path[4096];

		(void)snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (pn_str_ends(pn_str_of(e->d_name), PN_STR_V(".tar.xz")))
			read_archive(path, &seen);
	}
	closedir(d);
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

	if (getenv("POSTERN_CORPUS") == NULL ||
	    getenv("POSTERN_CORPUS")[0] == '\0') {
		puts("1..0 # SKIP POSTERN_CORPUS names no folder of mails");
		return 0;
	}
	return cmocka_run_group_tests_name("corpus", tests, NULL, NULL);
}
