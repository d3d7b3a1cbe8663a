/*
 * history - postern history: search what became of messages. The keeper
 * searches (keeper/protocol.h); this asks page by page and prints.
 */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli/cli.h"
#include "keeper/protocol.h"

/* ---- pages ---- */

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
	show_text(stdout, member(m, "subject"));
	(void)putchar('\n');
}

/* Lines leave as they come: what is searched may be long. */
static void
take_page(const struct cli *c, const json_t *page, json_t *all)
{
	const json_t *m;
	size_t i;

	if (c->json)
		(void)json_array_extend(all, (json_t *)page);
	else
		json_array_foreach(page, i, m) show_line(m);
}

static int
next_page(const struct cli *c, struct mail_search *s, json_t *all, bool *more)
{
	long n = s->limit == 0 || s->limit > CONTROL_LIST_MAX ? CONTROL_LIST_MAX
							      : s->limit;
	json_t *answer, *page;
	size_t got;
	int code;

	(void)json_object_set_new(s->query, "limit", json_integer(n));
	code = ask(c, json_deep_copy(s->query), &answer, NULL);
	if (code != 0)
		return code;
	page = json_object_get(answer, "messages");
	got = json_array_size(page);
	take_page(c, page, all);
	*more = got > 0 && json_is_true(json_object_get(answer, "more"));
	if (got > 0)
		(void)json_object_set(s->query, "before",
		    json_object_get(json_array_get(page, got - 1), "id"));
	if (s->limit > 0) {
		s->limit -= (long)got;
		*more = *more && s->limit > 0;
	}
	json_decref(answer);
	return 0;
}

static int
run(const struct cli *c, struct mail_search *s)
{
	json_t *all = json_array(), *answer;
	bool more = true;
	int code = 0;

	while (more && code == 0)
		code = next_page(c, s, all, &more);
	if (c->json && code == 0) {
		answer = json_pack("{s:O}", "messages", all);
		print_json(answer);
		json_decref(answer);
	}
	json_decref(all);
	return code;
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
		code = run(c, &s);
	json_decref(s.query);
	return code;
}
