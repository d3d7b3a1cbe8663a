/*
 * corpus: real mail is read without a fuss. POSTERN_CORPUS names a folder of
 * .eml files; without it there is nothing to do.
 */
#include "cm.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "inspect/part.h"

#define MAX_MEMORY (64u << 20)

/* With the line ends that SMTP has. */
static void
read_mail(const char *path, struct buf *out)
{
	FILE *f = fopen(path, "r");
	char *line = NULL;
	size_t room = 0;
	ssize_t n;

	assert_non_null(f);
	while ((n = getline(&line, &room, f)) > 0) {
		while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
			n--;
		buf_add(out, line, (size_t)n);
		buf_add(out, "\r\n", 2);
	}
	free(line);
	fclose(f);
}

/* Each has a part, meets no limit, and few are read in more than one way. */
static void
real_mail_is_plain(void **state)
{
	const char *dir = getenv("POSTERN_CORPUS");
	DIR *d = opendir(dir);
	size_t n = 0, ambiguous = 0;
	struct dirent *e;

	(void)state;
	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		struct arena *a = arena_new(MAX_MEMORY);
		struct buf mail = { 0 };
		char path[4096];
		struct view *v;

		if (pn_str_ends(pn_str_of(e->d_name), PN_STR_V(".eml"))) {
			snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
			read_mail(path, &mail);
			v = view_new(buf_str(&mail), &view_limits_default, a);
			assert_non_null(v->first);
			assert_false(v->defects & PN_DEFECT_LIMIT);
			ambiguous += (v->defects & PN_DEFECT_AMBIGUOUS) != 0;
			n++;
		}
		buf_fini(&mail);
		arena_free(a);
	}
	closedir(d);
	print_message("# %zu mails, %zu ambiguous\n", n, ambiguous);
	assert_true(n > 0 && ambiguous * 50 <= n);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_mail_is_plain),
	};

	if (getenv("POSTERN_CORPUS") == NULL) {
		puts("1..0 # SKIP POSTERN_CORPUS names no folder of mails");
		return 0;
	}
	return cmocka_run_group_tests_name("corpus", tests, NULL, NULL);
}
