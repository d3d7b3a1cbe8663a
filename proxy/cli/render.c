/*
 * render - a trace (engine/trace.c, rules/explain.c) for people: who wrote to
 * whom, the verdict, the rule that decided and where it stands, then each rule
 * with the values it saw. Called by explain, scan and quarantine show, with
 * traces that were stored by any version: what is not there is not shown.
 */
#include <string.h>

#include "cli/cli.h"

#define STEP 2 /* columns an expression's part is set in */

static bool
is(const json_t *object, const char *key, const char *want)
{
	return pn_str_eq(member(object, key), pn_str_of(want));
}

static void
indent(FILE *f, int columns)
{
	(void)fprintf(f, "%*s", columns, "");
}

/* ---- expressions ---- */

static void render_expr(FILE *f, const json_t *e, const char *lead, int at);

static void
render_result(FILE *f, const json_t *e)
{
	(void)fputs(": ", f);
	show_value(f, json_object_get(e, "result"));
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
	if (json_object_get(e, "value") != NULL) {
		(void)fputs(", it is \"", f);
		show_value(f, json_object_get(e, "value"));
		(void)fputc('"', f);
	} else if (json_object_get(e, "value_is") != NULL) {
		(void)fputs(", it is ", f);
		show_value(f, json_object_get(e, "value_is"));
	}
	json_object_foreach ((json_t *)captures, key, v) {
		(void)fprintf(f, ", %s=\"", key);
		show_value(f, v);
		(void)fputc('"', f);
	}
	(void)fputc('\n', f);
}

static void
render_quantifier(FILE *f, const json_t *e, const char *word, int at)
{
	(void)fprintf(f, "%s ", word);
	show_text(f, member(e, word));
	if (is(e, "at", "top"))
		(void)fputs(" at top", f);
	render_result(f, e);
	if (json_object_get(e, "of") != NULL) {
		(void)fputs(" of ", f);
		show_value(f, json_object_get(e, "of"));
	}
	if (json_object_get(e, "decided_by") != NULL) {
		/* People count from one. */
		(void)fprintf(f, ", decided by number %lld",
		    (long long)json_integer_value(
		    json_object_get(e, "decided_by")) + 1);
	}
	(void)fputc('\n', f);
	render_expr(f, json_object_get(e, "that"), "", at + STEP);
}

static void
render_list(FILE *f, const json_t *list, const char *word, int at)
{
	const json_t *e;
	size_t i;

	(void)fprintf(f, "%s\n", strcmp(word, "and") == 0 ? "all of" : "one of");
	json_array_foreach (list, i, e)
		render_expr(f, e, "", at + STEP);
}

static void
render_expr(FILE *f, const json_t *e, const char *lead, int at)
{
	static const char *const quantifiers[] = { "any", "all", "no" };

	if (!json_is_object(e))
		return;
	indent(f, at);
	(void)fputs(lead, f);
	for (size_t i = 0; i < PN_COUNT(quantifiers); i++)
		if (json_is_string(json_object_get(e, quantifiers[i]))) {
			render_quantifier(f, e, quantifiers[i], at);
			return;
		}
	if (json_is_array(json_object_get(e, "and"))) {
		render_list(f, json_object_get(e, "and"), "and", at);
	} else if (json_is_array(json_object_get(e, "or"))) {
		render_list(f, json_object_get(e, "or"), "or", at);
	} else if (json_is_object(json_object_get(e, "not"))) {
		(void)fputs("not\n", f);
		render_expr(f, json_object_get(e, "not"), "", at + STEP);
	} else {
		render_test(f, e);
	}
}

/* ---- rules ---- */

static void
render_action(FILE *f, const json_t *a)
{
	const char *key;
	json_t *v;

	(void)fputs("    then ", f);
	show_text(f, member(a, "action"));
	json_object_foreach ((json_t *)a, key, v) {
		if (strcmp(key, "action") == 0)
			continue;
		(void)fputc(' ', f);
		if (strcmp(key, "class") == 0)
			(void)fputs("class ", f);
		show_value(f, v);
	}
	(void)fputc('\n', f);
}

static void
render_place(FILE *f, const json_t *rule)
{
	if (json_object_get(rule, "file") != NULL)
		show_text(f, member(rule, "file"));
	else
		(void)fputs("line ", f);
	if (json_object_get(rule, "file") != NULL)
		(void)fputc(':', f);
	show_value(f, json_object_get(rule, "line"));
}

static void
render_rule(FILE *f, const json_t *stage, const json_t *rule)
{
	const json_t *a;
	size_t i;

	(void)fputs("  ", f);
	show_text(f, member(rule, "rule"));
	(void)fputs(": ", f);
	show_text(f, member(rule, "result"));
	(void)fputs(" at ", f);
	show_text(f, member(stage, "stage"));
	if (json_object_get(stage, "rcpt") != NULL) {
		(void)fputs(" of <", f);
		show_text(f, member(stage, "rcpt"));
		(void)fputc('>', f);
	}
	(void)fputs(" (", f);
	render_place(f, rule);
	(void)fputs(")\n", f);
	render_expr(f, json_object_get(rule, "when"), "when ", 4);
	render_expr(f, json_object_get(rule, "unless"), "unless ", 4);
	json_array_foreach (json_object_get(rule, "actions"), i, a)
		render_action(f, a);
}

/* Each rule of each stage; only decides whether the deciding ones are meant,
 * or the others. Returns how many there were. */
static unsigned
render_rules(FILE *f, const json_t *trace, bool deciding)
{
	struct pn_str decided = member(json_object_get(trace, "verdict"),
	    "rule");
	const json_t *stage, *rule;
	unsigned n = 0;
	size_t i, j;

	json_array_foreach (json_object_get(trace, "stages"), i, stage)
		json_array_foreach (json_object_get(stage, "rules"), j, rule) {
			bool is_it = decided.n > 0 && is(rule, "result",
			    "fired") && pn_str_eq(member(rule, "rule"), decided);

			if (is_it != deciding)
				continue;
			if (n++ == 0)
				(void)fprintf(f, "\n%s\n", deciding ?
				    "decided by" : "the other rules");
			render_rule(f, stage, rule);
		}
	return n;
}

/* ---- the message ---- */

static void
render_people(FILE *f, const json_t *trace)
{
	const json_t *client = json_object_get(trace, "client"), *r;
	static const char *const known[] = { "name", "helo", "login",
		"listener" };
	size_t i;

	(void)fputs("from     <", f);
	show_text(f, member(trace, "sender"));
	(void)fputs(">\nto      ", f);
	json_array_foreach (json_object_get(trace, "recipients"), i, r) {
		(void)fputs(" <", f);
		show_value(f, r);
		(void)fputc('>', f);
	}
	(void)fputs("\nclient   ", f);
	show_text(f, member(client, "ip"));
	for (i = 0; i < PN_COUNT(known); i++)
		if (member(client, known[i]).n > 0) {
			(void)fprintf(f, " %s=", known[i]);
			show_text(f, member(client, known[i]));
		}
	(void)fputc('\n', f);
}

static void
render_verdict(FILE *f, const json_t *verdict)
{
	(void)fputs("verdict  ", f);
	show_text(f, member(verdict, "action"));
	if (json_object_get(verdict, "class") != NULL) {
		(void)fputs(" class ", f);
		show_text(f, member(verdict, "class"));
	}
	if (json_object_get(verdict, "code") != NULL) {
		(void)fputc(' ', f);
		show_value(f, json_object_get(verdict, "code"));
		(void)fputc(' ', f);
		show_text(f, member(verdict, "status"));
		(void)fputc(' ', f);
		show_text(f, member(verdict, "text"));
	}
	if (json_is_true(json_object_get(verdict, "degraded")))
		(void)fputs(" (something was unknown)", f);
	(void)fputc('\n', f);
}

void
render_trace(FILE *f, const json_t *trace)
{
	if (json_object_get(trace, "omitted") != NULL) {
		(void)fputs("the trace was too large to be kept\n", f);
		return;
	}
	(void)fputs("message  ", f);
	show_text(f, member(trace, "id"));
	(void)fputc(' ', f);
	show_text(f, member(trace, "time"));
	(void)fputs(", ", f);
	show_value(f, json_object_get(trace, "size"));
	(void)fputs(" bytes\n", f);
	render_people(f, trace);
	render_verdict(f, json_object_get(trace, "verdict"));
	if (json_is_true(json_object_get(trace, "truncated")))
		(void)fputs("the trace was too large to be kept whole\n", f);
	if (render_rules(f, trace, true) == 0)
		(void)fputs("\nno rule decided\n", f);
	(void)render_rules(f, trace, false);
}
