/*
 * search - what history and quarantine are asked for: options of the command
 * line as members of the question (keeper/protocol.h), and the pages of the
 * answer.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "base/lex.h"
#include "cli/cli.h"
#include "keeper/protocol.h"

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
set_time(struct mail_search *s, const char *key, const char *text)
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
set_limit(struct mail_search *s, const char *text)
{
	char *end;

	s->limit = strtol(text, &end, 10);
	if (*text == '\0' || *end != '\0' || s->limit < 0)
		return cli_fail(EX_USAGE, "\"%s\" is no number", text);
	return 0;
}

/* "<a@x>" and "a@x" are the same, and so are "<>" and "". */
static int
set_text(struct mail_search *s, const char *key, const char *text)
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

int
search_options(struct mail_search *s, bool held, int argc, char **argv)
{
	static const struct option known[] = {
		{ "since", required_argument, NULL, 'T' },
		{ "until", required_argument, NULL, 'T' },
		{ "from", required_argument, NULL, 'S' },
		{ "to", required_argument, NULL, 'S' },
		{ "client", required_argument, NULL, 'S' },
		{ "rule", required_argument, NULL, 'S' },
		{ "policy", required_argument, NULL, 'J' },
		{ "action", required_argument, NULL, 'J' },
		{ "would", required_argument, NULL, 'J' },
		{ "upstream", required_argument, NULL, 'J' },
		{ "server", required_argument, NULL, 'J' },
		{ "subject", required_argument, NULL, 'S' },
		{ "state", required_argument, NULL, 'H' },
		{ "class", required_argument, NULL, 'H' },
		{ "limit", required_argument, NULL, 'L' }, { 0 } };
	int o, which, code = 0;

	optind = 0; /* GNU: begin anew, main has read the line before */
	while (code == 0 &&
	       (o = getopt_long(argc, argv, "", known, &which)) != -1) {
		if (o == 'T')
			code = set_time(s, known[which].name, optarg);
		else if (o == 'S' || o == (held ? 'H' : 'J'))
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
take_page(const struct cli *c, const json_t *page, message_show *show,
    json_t *all)
{
	const json_t *m;
	size_t i;

	if (c->json)
		(void)json_array_extend(all, (json_t *)page);
	else
		json_array_foreach (page, i, m)
			show(m);
}

static int
next_page(const struct cli *c, struct mail_search *s, message_show *show,
    json_t *all, bool *more)
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
	take_page(c, page, show, all);
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

int
search_show(const struct cli *c, struct mail_search *s, message_show *show)
{
	json_t *all = json_array(), *answer;
	bool more = true;
	int code = 0;

	while (more && code == 0)
		code = next_page(c, s, show, all, &more);
	if (c->json && code == 0) {
		answer = json_pack("{s:O}", "messages", all);
		print_json(answer);
		json_decref(answer);
	}
	json_decref(all);
	return code;
}
