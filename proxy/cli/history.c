/*
 * history - postern history: search what became of messages. The keeper
 * searches (keeper/protocol.h); this asks page by page and prints.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "base/lex.h"
#include "cli/cli.h"
#include "keeper/protocol.h"

#define ID_MAX 64

struct search {
	json_t *query;
	long limit; /* 0: all */
};

/* ---- times ---- */

/* "2h": so long ago. Microseconds since 1970. */
static bool
ago(const char *text, json_int_t *us)
{
	unsigned long long ms;
	struct timespec now;

	if (lex_duration(pn_str_of(text), &ms) < 0)
		return false;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	*us = (json_int_t)now.tv_sec * 1000000 + now.tv_nsec / 1000 -
	      (json_int_t)ms * 1000;
	return true;
}

/* "2026-11-23", "2026-11-23T07:00", with seconds; a Z for UTC, else the
 * machine's own time. */
static bool
at(const char *text, json_int_t *us)
{
	static const char *const forms[] = { "%Y-%m-%dT%H:%M:%S",
		"%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M",
		"%Y-%m-%d" };

	for (size_t i = 0; i < PN_COUNT(forms); i++) {
		struct tm tm = { .tm_isdst = -1 };
		const char *end = strptime(text, forms[i], &tm);
		bool utc = end != NULL && strcmp(end, "Z") == 0;

		if (end == NULL || (*end != '\0' && !utc))
			continue;
		*us = (json_int_t)(utc ? timegm(&tm) : mktime(&tm)) * 1000000;
		return true;
	}
	return false;
}

static int
set_time(struct search *s, const char *key, const char *text)
{
	json_int_t us;

	if (!ago(text, &us) && !at(text, &us))
		return cli_fail(EX_USAGE,
		    "\"%s\" is no time (2h, 7d, 2026-11-23, 2026-11-23T07:00)",
		    text);
	(void)json_object_set_new(s->query, key, json_integer(us));
	return 0;
}

/* ---- options ---- */

static int
set_limit(struct search *s, const char *text)
{
	char *end;

	s->limit = strtol(text, &end, 10);
	if (*text == '\0' || *end != '\0' || s->limit < 0)
		return cli_fail(EX_USAGE, "\"%s\" is no number", text);
	return 0;
}

/* "<a@x>" and "a@x" are the same, and so are "<>" and "". */
static int
set_text(struct search *s, const char *key, const char *text)
{
	size_t n = strlen(text);
	json_t *v;

	if (n > 1 && text[0] == '<' && text[n - 1] == '>')
		v = json_stringn(text + 1, n - 2);
	else
		v = json_string(text);
	if (v == NULL)
		return cli_fail(EX_USAGE, "an argument is no UTF-8");
	(void)json_object_set_new(s->query, key, v);
	return 0;
}

static int
options(struct search *s, int argc, char **argv)
{
	static const struct option known[] = {
		{ "since", required_argument, NULL, 'T' },
		{ "until", required_argument, NULL, 'T' },
		{ "from", required_argument, NULL, 'S' },
		{ "to", required_argument, NULL, 'S' },
		{ "client", required_argument, NULL, 'S' },
		{ "rule", required_argument, NULL, 'S' },
		{ "policy", required_argument, NULL, 'S' },
		{ "action", required_argument, NULL, 'S' },
		{ "subject", required_argument, NULL, 'S' },
		{ "limit", required_argument, NULL, 'L' }, { 0 } };
	int o, which, code = 0;

	optind = 0; /* GNU: begin anew, main has read the line before */
	while (code == 0 &&
	       (o = getopt_long(argc, argv, "", known, &which)) != -1) {
		if (o == 'T')
			code = set_time(s, known[which].name, optarg);
		else if (o == 'S')
			code = set_text(s, known[which].name, optarg);
		else if (o == 'L')
			code = set_limit(s, optarg);
		else
			return -1;
	}
	return code != 0 ? code : optind != argc ? -1 : 0;
}

/* ---- pages ---- */

static void
show_line(const json_t *m)
{
	show_text(stdout, member(m, "id"));
	(void)putchar(' ');
	show_time(stdout, json_object_get(m, "time_us"));
	(void)printf(" %-10s ",
	    json_string_value(json_object_get(m, "action")));
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
		json_array_foreach (page, i, m)
			show_line(m);
}

static int
next_page(const struct cli *c, struct search *s, json_t *all, bool *more)
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
run(const struct cli *c, struct search *s)
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
	struct search s = { .query = question("history", NULL),
		.limit = CONTROL_PAGE };
	int code = options(&s, argc, argv);

	if (code < 0)
		code = cli_usage(c);
	else if (code == 0)
		code = run(c, &s);
	json_decref(s.query);
	return code;
}
