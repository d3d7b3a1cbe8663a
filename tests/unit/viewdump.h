/*
 * viewdump - a view as text, for tests that compare: a line for each part, its
 * depth, type, magic, size, flags and names.
 */
#ifndef TESTS_VIEWDUMP_H
#define TESTS_VIEWDUMP_H

#include "base/buf.h"
#include "inspect/part.h"

#define MAX_MEMORY (64u << 20)

static const char *
flags_of(const struct pn_part *p)
{
	static char text[8];
	char *at = text;

	if (p->container)
		*at++ = 'c';
	if (p->member)
		*at++ = 'm';
	if (p->flags & PN_PART_ENCRYPTED)
		*at++ = 'e';
	if (p->flags & PN_PART_BROKEN)
		*at++ = 'b';
	if (p->flags & PN_PART_AMBIGUOUS)
		*at++ = 'a';
	if (p->flags & PN_PART_LIMIT)
		*at++ = 'l';
	*at = '\0';
	return at == text ? "-" : text;
}

/* "0 text/plain text 5 - []\n" each; "!abl c\n" for the defects. */
static void
dump(struct view *v, struct buf *out)
{
	for (struct pn_part *p = v->first; p != NULL; p = p->next) {
		buf_printf(out, "%u %.*s %s %llu %s [", p->depth,
		    PN_STR_ARG(p->type), p->container ? "-" : p->magic,
		    (unsigned long long)(p->container ? 0 : view_size(p)),
		    flags_of(p));
		for (size_t i = 0; i < p->n_names; i++)
			buf_printf(out, "%s%.*s", i ? "|" : "",
			    PN_STR_ARG(p->names[i]));
		buf_puts(out, "]\n");
	}
	if (v->defects)
		buf_printf(out, "!%s%s%s%s\n",
		    v->defects & PN_DEFECT_AMBIGUOUS ? "a" : "",
		    v->defects & PN_DEFECT_BROKEN ? "b" : "",
		    v->defects & PN_DEFECT_LIMIT ? "l" : "",
		    v->defects & PN_DEFECT_CHARSET ? "c" : "");
}

/* Does a message give these parts? Says so where it does not. */
static bool
gives(struct pn_str mail, const struct view_limits *limits, const char *name,
    const char *want)
{
	struct arena *a = arena_new(MAX_MEMORY);
	struct buf out = { 0 };
	bool same;

	dump(view_new(mail, limits, a), &out);
	(void)buf_add(&out, "", 1); /* no cap */
	same = strcmp(buf_data(&out), want) == 0;
	if (!same)
		print_error(
		    "%s:\n%s--- wanted:\n%s===\n", name, buf_data(&out), want);
	buf_fini(&out);
	arena_free(a);
	return same;
}

#endif
