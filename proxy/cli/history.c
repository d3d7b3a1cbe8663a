/*
 * history - postern history: search what became of messages. The keeper
 * searches (keeper/protocol.h), search.c asks it, this prints.
 */
#include "cli/cli.h"
#include "keeper/protocol.h"

static void
show_named(const char *key, const json_t *m)
{
	if (member(m, key).n == 0)
		return;
	(void)printf("%s=", key);
	show_text(stdout, member(m, key));
	(void)putchar(' ');
}

static void
show_line(const json_t *m)
{
	show_text(stdout, member(m, "id"));
	(void)putchar(' ');
	show_time(stdout, json_object_get(m, "time_us"));
	(void)printf(
	    " %-10s ", json_string_value(json_object_get(m, "action")));
	show_value(stdout, json_object_get(m, "code"));
	(void)putchar(' ');
	if (member(m, "rule").n > 0)
		show_text(stdout, member(m, "rule"));
	else
		(void)putchar('-');
	(void)putchar(' ');
	show_text(stdout, member(m, "client"));
	(void)fputs(" <", stdout);
	show_text(stdout, member(m, "sender"));
	(void)fputs("> <", stdout);
	show_text(stdout, member(m, "recipients"));
	(void)fputs("> ", stdout);
	show_value(stdout, json_object_get(m, "size"));
	(void)putchar(' ');
	if (json_is_integer(json_object_get(m, "score")))
		(void)printf("score=%lld ", (long long)json_integer_value(
		    json_object_get(m, "score")));
	if (member(m, "would").n > 0) {
		(void)fputs("would=\"", stdout);
		show_text(stdout, member(m, "would"));
		(void)putchar(':');
		show_text(stdout, member(m, "would_rule"));
		(void)fputs("\" ", stdout);
	}
	show_named("upstream", m);
	show_named("server", m);
	show_text(stdout, member(m, "subject"));
	(void)putchar('\n');
}

int
cli_history(const struct cli *c, int argc, char **argv)
{
	struct mail_search s = { .query = question("history", NULL),
		.limit = CONTROL_PAGE };
	int code = search_options(&s, false, argc, argv);

	if (code < 0)
		code = cli_usage(c);
	else if (code == 0)
		code = search_show(c, &s, show_line);
	json_decref(s.query);
	return code;
}
