/*
 * render_expr - a rule's condition in a trace for people: its parts one under
 * the other, each with what it came to and the value it saw. Called by render.c.
 */
#include <string.h>

#include "cli/cli.h"
#include "cli/render.h"

#define STEP 2 /* columns a part is set in */

static void
render_result(FILE *f, const json_t *e)
{
	(void)fputs(": ", f);
	show_value(f, json_object_get(e, "result"));
}

/* "direction is inbound: true" needs no value, nor does "part.encrypted". */
static bool
says_its_value(const json_t *e)
{
	struct pn_str test = member(e, "test"), value = member(e, "value");
	size_t at = test.n - value.n;

	if (!member_is(e, "result", "true") || value.n == 0)
		return false;
	if (pn_str_eq(value, PN_STR_V("yes")) &&
	    memchr(test.p, ' ', test.n) == NULL)
		return true;
	return test.n > value.n + 4 &&
	       pn_str_eq(pn_str_sub(test, at - 4, 4), PN_STR_V(" is ")) &&
	       pn_str_eq(pn_str_sub(test, at, value.n), value);
}

static void
render_test(FILE *f, const json_t *e)
{
	const json_t *captures = json_object_get(e, "captures");
	const char *key;
	json_t *v;

	show_text(f, member(e, "test"));
	if (json_object_get(e, "result") != NULL)
		render_result(f, e);
	if (member(e, "limit").n > 0) {
		(void)fputs(", for ", f);
		show_text(f, member(e, "limit"));
	}
	if (says_its_value(e)) {
		/* Nothing new. */
	} else if (json_object_get(e, "value") != NULL) {
		(void)fputs(", it is \"", f);
		show_value(f, json_object_get(e, "value"));
		(void)fputc('"', f);
	} else if (json_object_get(e, "value_is") != NULL) {
		(void)fputs(", it is ", f);
		show_value(f, json_object_get(e, "value_is"));
	}
	json_object_foreach((json_t *)captures, key, v)
	{
		(void)fprintf(f, ", %s=\"", key);
		show_value(f, v);
		(void)fputc('"', f);
	}
	(void)fputc('\n', f);
}

/* By what a person knows the nth thing of a kind: its path, or host. */
static struct pn_str
name_of(const json_t *found, const char *thing, json_int_t nth)
{
	const char *key = strcmp(thing, "url") == 0 ? "url.host" : "part.path";
	const json_t *fact, *number;
	size_t i;

	json_array_foreach(found, i, fact)
	{
		number = json_object_get(fact, thing);
		if (json_is_integer(number) &&
		    json_integer_value(number) == nth &&
		    member(fact, key).n > 0)
			return member(fact, key);
	}
	return (struct pn_str){ NULL, 0 };
}

/* "number 3 of 5, tools.zip/run.exe", or "of 5" where none decided. */
static void
render_decider(const struct telling *t, const json_t *e, const char *thing)
{
	const json_t *nth = json_object_get(e, "decided_by");
	struct pn_str name;

	if (json_object_get(e, "of") == NULL)
		return;
	if (nth != NULL) /* people count from one */
		(void)fprintf(t->f, ", number %lld",
		    (long long)json_integer_value(nth) + 1);
	(void)fputs(nth != NULL ? " of " : ", of ", t->f);
	show_value(t->f, json_object_get(e, "of"));
	if (nth == NULL)
		return;
	name = name_of(t->found, thing, json_integer_value(nth));
	if (name.n > 0) {
		(void)fputs(", ", t->f);
		show_text(t->f, name);
	}
}

static void
render_quantifier(
    const struct telling *t, const json_t *e, const char *word, int at)
{
	(void)fprintf(t->f, "%s ", word);
	show_text(t->f, member(e, word));
	if (member_is(e, "at", "top"))
		(void)fputs(" at top", t->f);
	render_result(t->f, e);
	render_decider(t, e, json_string_value(json_object_get(e, word)));
	(void)fputc('\n', t->f);
	render_expr(t, json_object_get(e, "that"), "", at + STEP);
}

static void
render_list(
    const struct telling *t, const json_t *list, const char *word, int at)
{
	const json_t *e;
	size_t i;

	(void)fprintf(t->f, "%s\n",
	    strcmp(word, "and") == 0 ? "all of" : "one of");
	json_array_foreach(list, i, e) render_expr(t, e, "", at + STEP);
}

void
render_expr(
    const struct telling *t, const json_t *e, const char *lead, int at)
{
	static const char *const quantifiers[] = { "any", "all", "no" };

	if (!json_is_object(e))
		return;
	(void)fprintf(t->f, "%*s%s", at, "", lead);
	for (size_t i = 0; i < PN_COUNT(quantifiers); i++)
		if (json_is_string(json_object_get(e, quantifiers[i]))) {
			render_quantifier(t, e, quantifiers[i], at);
			return;
		}
	if (json_is_array(json_object_get(e, "and"))) {
		render_list(t, json_object_get(e, "and"), "and", at);
	} else if (json_is_array(json_object_get(e, "or"))) {
		render_list(t, json_object_get(e, "or"), "or", at);
	} else if (json_is_object(json_object_get(e, "not"))) {
		(void)fputs("not\n", t->f);
		render_expr(t, json_object_get(e, "not"), "", at + STEP);
	} else {
		render_test(t->f, e);
	}
}
