/*
 * corpus - real mail to read: POSTERN_CORPUS names a folder with archives
 * (.tar.xz) of .eml files. Used by test_corpus.c, test_prefilter.c and
 * tests/bench/prefilter.c.
 */
#ifndef TESTS_CORPUS_H
#define TESTS_CORPUS_H

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/must.h"

#define CORPUS_MAIL_MAX (16u << 20)

/* The folder, or NULL where there is none. */
static inline const char *
corpus_dir(void)
{
	const char *dir = getenv("POSTERN_CORPUS");

	return dir != NULL && dir[0] != '\0' ? dir : NULL;
}

/* With the line ends that SMTP has. */
static inline void
corpus_lines(struct pn_str s, struct buf *out)
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

static inline void
corpus_archive(const char *path, void (*look)(struct pn_str, void *), void *arg)
{
	struct archive *in = archive_read_new();
	struct archive_entry *entry;

	archive_read_support_filter_all(in);
	archive_read_support_format_tar(in);
	must(archive_read_open_filename(in, path, 65536) == ARCHIVE_OK);
	while (archive_read_next_header(in, &entry) == ARCHIVE_OK) {
		size_t size = (size_t)archive_entry_size(entry);
		struct buf mail = { 0 };
		char *text;

		if (!pn_str_ends(pn_str_of(archive_entry_pathname(entry)),
			PN_STR_V(".eml")))
			continue;
		must(size < CORPUS_MAIL_MAX);
		text = malloc(size + 1);
		must(text != NULL &&
		     archive_read_data(in, text, size) == (la_ssize_t)size);
		corpus_lines((struct pn_str){ text, size }, &mail);
		look(buf_str(&mail), arg);
		buf_fini(&mail);
		free(text);
	}
	archive_read_free(in);
}

/* Each mail of the corpus. */
static inline void
corpus_each(void (*look)(struct pn_str mail, void *), void *arg)
{
	DIR *d = opendir(corpus_dir());
	struct dirent *e;

	must(d != NULL);
	while ((e = readdir(d)) != NULL) {
		char path[4096];

		(void)snprintf(
		    path, sizeof(path), "%s/%s", corpus_dir(), e->d_name);
		if (pn_str_ends(pn_str_of(e->d_name), PN_STR_V(".tar.xz")))
			corpus_archive(path, look, arg);
	}
	closedir(d);
}

#endif
