/*
 * patterns - spells out tests/data/patterns/mail.txt: 1,500 regexes as a
 * policy's text holds them, always the same. Used by test_prefilter.c and
 * tests/bench/prefilter.c.
 */
#ifndef TESTS_PATTERNS_H
#define TESTS_PATTERNS_H

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"

#define LISTS_MAX 32
#define LIST_WORDS 64

struct word_list {
	struct pn_str name;
	struct pn_str words[LIST_WORDS];
	size_t n;
};

struct patterns {
	struct buf text; /* the file */
	struct word_list lists[LISTS_MAX];
	size_t n_lists;
	struct buf spelt; /* "/.../i" NUL "/.../" NUL ... */
	size_t n;
};

static inline struct pn_str
patterns_cut(struct pn_str *rest, const char *end)
{
	const char *at = memmem(rest->p, rest->n, end, strlen(end));
	size_t n = at != NULL ? (size_t)(at - rest->p) : rest->n;
	struct pn_str cut = pn_str_sub(*rest, 0, n);

	*rest = pn_str_sub(*rest, n + (at != NULL ? strlen(end) : 0), rest->n);
	return cut;
}

static inline void
patterns_add_list(struct patterns *p, struct pn_str line)
{
	struct word_list *l = &p->lists[p->n_lists++];

	l->name = patterns_cut(&line, " ");
	while (line.n > 0)
		l->words[l->n++] = patterns_cut(&line, " | ");
}

/* The list so named says one digit of n, the next list in the pattern the
 * next. */
static inline struct pn_str
patterns_word(const struct patterns *p, struct pn_str name, size_t *n)
{
	for (size_t i = 0; i < p->n_lists; i++)
		if (pn_str_eq(p->lists[i].name, name)) {
			size_t digit = *n % p->lists[i].n;

			*n /= p->lists[i].n;
			return p->lists[i].words[digit];
		}
	return (struct pn_str){ NULL, 0 };
}

static inline void
patterns_spell(struct patterns *p, struct pn_str regex, size_t n)
{
	while (regex.n > 0) {
		const char *open = memchr(regex.p, '{', regex.n);
		size_t before = open ? (size_t)(open - regex.p) : regex.n;
		struct pn_str rest = pn_str_sub(regex, before + 1, regex.n);
		struct pn_str word =
		    patterns_word(p, patterns_cut(&rest, "}"), &n);

		buf_add_str(&p->spelt, pn_str_sub(regex, 0, before));
		if (open != NULL && word.n == 0) {
			buf_puts(&p->spelt, "{"); /* a quantifier's */
			rest = pn_str_sub(regex, before + 1, regex.n);
		}
		buf_add_str(&p->spelt, word);
		regex = rest;
	}
	buf_add(&p->spelt, "", 1);
	p->n++;
}

/* False: the file cannot be read. */
static inline bool
patterns_read(struct patterns *p, const char *path)
{
	FILE *f = fopen(path, "r");
	struct pn_str rest;
	size_t n;

	*p = (struct patterns){ 0 };
	if (f == NULL)
		return false;
	while ((n = fread(buf_room(&p->text, 4096), 1, 4096, f)) > 0)
		buf_added(&p->text, n);
	fclose(f);
	rest = buf_str(&p->text);
	while (rest.n > 0) {
		struct pn_str line = patterns_cut(&rest, "\n");
		int count;

		if (pn_str_starts(line, PN_STR_V("list "))) {
			(void)patterns_cut(&line, " ");
			patterns_add_list(p, line);
		} else if (line.n > 0 && line.p[0] >= '1' && line.p[0] <= '9') {
			count = atoi(line.p);
			(void)patterns_cut(&line, " ");
			for (int i = 0; i < count; i++)
				patterns_spell(p, line, (size_t)i);
		}
	}
	return true;
}

/* A rule for each, on the raw message. */
static inline void
patterns_policy(const struct patterns *p, struct buf *policy)
{
	const char *regex = buf_data(&p->spelt);

	buf_puts(policy, "policy p {\n");
	for (size_t i = 0; i < p->n; i++, regex += strlen(regex) + 1)
		buf_printf(policy, "rule r%zu { when raw ~ %s; then tag; }\n",
		    i, regex);
	buf_puts(policy, "}\n");
}

static inline void
patterns_free(struct patterns *p)
{
	buf_fini(&p->text);
	buf_fini(&p->spelt);
}

#endif
