/* render_action - what a rule did (rules/explain.c), in the words of a policy.
 * For render.c. */
#include <string.h>

#include "cli/cli.h"
#include "cli/render.h"

/* A string of the language: in quotes, with its escapes. */
static void
put_string(FILE *f, struct pn_str s)
{
	size_t from = 0;

	(void)fputc('"', f);
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '"' || s.p[i] == '\\') {
			show_text(f, pn_str_sub(s, from, i - from));
			(void)fputc('\\', f);
			from = i;
		}
	show_text(f, pn_str_sub(s, from, s.n));
	(void)fputc('"', f);
}

static bool
has(const json_t *a, const char *key)
{
	return json_object_get(a, key) != NULL;
}

/* " before TEXT", where there is one. */
static void
put_word(FILE *f, const json_t *a, const char *key, const char *before)
{
	if (!has(a, key))
		return;
	(void)fprintf(f, " %s", before);
	show_value(f, json_object_get(a, key));
}

static void
put_text(FILE *f, const json_t *a, const char *key, const char *before)
{
	if (!has(a, key))
		return;
	(void)fprintf(f, " %s", before);
	put_string(f, member(a, key));
}

static void
put_number(FILE *f, const json_t *a, const char *key, const char *format)
{
	if (has(a, key))
		(void)fprintf(f, format,
		    (long long)json_integer_value(json_object_get(a, key)));
}

static void
put_delay(FILE *f, const json_t *v)
{
	long long ms = (long long)json_integer_value(v);

	if (v == NULL)
		return;
	if (ms % 1000 == 0)
		(void)fprintf(f, " %llds", ms / 1000);
	else
		(void)fprintf(f, " %lldms", ms);
}

void
render_action(FILE *f, const json_t *a)
{
	bool subject = pn_str_eq(member(a, "action"), PN_STR_V("subject"));

	show_text(f, member(a, "action"));
	put_word(f, a, "edit", "");
	put_word(f, a, "code", "");
	put_word(f, a, "status", "");
	put_number(f, a, "add", " %+lld");
	put_delay(f, json_object_get(a, "ms"));
	put_word(f, a, "class", "class ");
	if (has(a, "copy"))
		(void)fputs(" copy", f);
	put_word(f, a, "name", "");
	put_text(f, a, "value", "");
	if (has(a, "address") && member(a, "address").n == 0)
		(void)fputs(" <>", f);
	else
		put_word(f, a, "address", "");
	put_text(f, a, "text", subject ? "prefix " : "");
	put_text(f, a, "why", "");
	put_word(f, a, "group", "in ");
	if (!has(a, "part"))
		return;
	(void)fputs(" part", f);
	put_text(f, a, "note", "with note ");
	/* People count from one. */
	(void)fprintf(f, " # number %lld",
	    (long long)json_integer_value(json_object_get(a, "part")) + 1);
}
