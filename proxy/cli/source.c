/*
 * source - the text of a rule that a trace names, as it stands now, with its
 * line numbers: what an operator would open an editor for. The file may have
 * changed since, and then that is said.
 */
#include <string.h>

#include "base/io.h"
#include "base/lex.h"
#include "cli/cli.h"

#define FILE_MAX ((size_t)8 << 20)
#define LINES_MAX 60

/* Does the rule (or threshold) begin with this token? l goes on behind it. */
static bool
begins(struct lex *l, const struct lex_token *t, struct pn_str name)
{
	struct lex_token next;
	struct error e;

	if (t->kind != LEX_WORD)
		return false;
	/* A threshold's name is its first two words. */
	if (pn_str_starts(name, PN_STR_V("threshold ")))
		return lex_is(t, "threshold") && lex_peek(l, &next, &e) == 0 &&
		       pn_str_eq(next.text, pn_str_sub(name, 10, name.n));
	return lex_is(t, "rule") && lex_peek(l, &next, &e) == 0 &&
	       pn_str_eq(next.text, name);
}

/* Over the file to the beginning of the rule that stands at the line, or
 * when none does (line 0), to the first of that name. 0: not there. */
static unsigned
find(struct lex *l, struct pn_str name, unsigned line)
{
	struct lex_token t;
	struct error e;

	while (lex_next(l, &t, &e) == 0 && t.kind != LEX_END) {
		if ((line == 0 || t.pos.line == line) && begins(l, &t, name))
			return t.pos.line;
		if (t.kind == LEX_OP && (lex_is(&t, "~") || lex_is(&t, "!~")) &&
		    lex_regex(l, &t, &e) < 0)
			return 0;
	}
	return 0;
}

/* The line it ends in; l stands within it. */
static unsigned
find_end(struct lex *l)
{
	struct error e;

	return skip_item(NULL, l, "", &e) == 0 ? l->line : 0;
}

static void
show_range(FILE *f, struct pn_str text, unsigned first, unsigned last)
{
	for (unsigned line = 1; text.n > 0 && line <= last; line++) {
		const char *nl = memchr(text.p, '\n', text.n);
		size_t n = nl != NULL ? (size_t)(nl - text.p) : text.n;

		if (line >= first) {
			(void)fprintf(f, "    %5u | ", line);
			show_lines(
			    f, n > 0 ? pn_str_sub(text, 0, n) : PN_STR_V("\n"));
		}
		text = pn_str_sub(text, n + (nl != NULL), text.n);
	}
}

static void
show_rule(FILE *f, const char *path, struct pn_str text, struct pn_str name,
    unsigned line)
{
	struct lex l;
	unsigned first, last;

	lex_init(&l, path, text);
	first = find(&l, name, line);
	if (first == 0) {
		lex_init(&l, path, text);
		first = find(&l, name, 0);
		if (first == 0) {
			(void)fputs("    the file has changed since: it no "
				    "longer has this rule\n",
			    f);
			return;
		}
		(void)fprintf(f,
		    "    the file has changed since: the rule "
		    "stands at line %u now\n",
		    first);
	}
	last = find_end(&l);
	if (last < first)
		last = first;
	if (last - first >= LINES_MAX)
		last = first + LINES_MAX - 1;
	show_range(f, text, first, last);
}

void
show_source(FILE *f, const json_t *rule)
{
	const char *path = json_string_value(json_object_get(rule, "file"));
	unsigned line =
	    (unsigned)json_integer_value(json_object_get(rule, "line"));
	struct buf b = { 0 };
	struct error e;

	/* Who may not read the policy still gets the rest. */
	if (path != NULL && line > 0 && io_slurp(path, FILE_MAX, &b, &e) == 0)
		show_rule(f, path, buf_str(&b), member(rule, "rule"), line);
	buf_fini(&b);
}
