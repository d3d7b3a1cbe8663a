/*
 * replay - postern replay: what another configuration would make of messages
 * at hand, beside the one in force: how many go from which verdict to which,
 * and each that changes with the rules that decide.
 */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/mem.h"
#include "cli/scan.h"

#define CHANGED 1 /* exit code: some verdict is another */
#define ACTIONS (VERDICT_REJECT + 1)

/* One message under one configuration. */
struct outcome {
	enum verdict_action action;
	char *rule;
};

struct message {
	char *path;
	struct outcome now, new;
	bool whole; /* judged by both */
};

struct replay {
	const struct cli *cli;
	struct scan_session said;
	struct message *messages;
	size_t n, room;
	struct scanner *scanner;
	bool second; /* judging by the new one */
	size_t at;   /* ... this message */
};

/* ---- judging ---- */

static struct message *
next_message(struct replay *r, const char *path)
{
	struct message *m;

	if (r->second)
		return &r->messages[r->at++];
	if (r->n == r->room) {
		r->room = r->room != 0 ? 2 * r->room : 64;
		r->messages =
		    xrealloc(r->messages, r->room * sizeof(*r->messages));
	}
	m = &r->messages[r->n++];
	*m = (struct message){ .path = xstrdup(path) };
	return m;
}

static int
judge(void *arg, const char *path)
{
	struct replay *r = arg;
	struct message *m = next_message(r, path);
	struct outcome *o = r->second ? &m->new : &m->now;
	struct buf text = { 0 };
	struct scanned found;
	struct error e;
	int code = 0;

	if (scan_read(m->path, &text, &e) < 0) {
		code = cli_fail(EX_NOINPUT, "%s", e.text);
	} else if (scanner_scan(
		       r->scanner, &r->said, buf_str(&text), &found, &e) < 0) {
		code = cli_fail(EX_DATAERR, "%s: %s", m->path, e.text);
	} else {
		o->action = found.verdict->action;
		o->rule = xstrndup(found.verdict->rule);
		transaction_free(found.t);
		m->whole = !r->second || m->now.rule != NULL;
	}
	if (code != 0)
		m->whole = false;
	buf_fini(&text);
	return code;
}

static int
judge_again(struct replay *r)
{
	int code = 0;

	r->second = true;
	while (r->at < r->n) {
		int one = r->messages[r->at].whole
			      ? judge(r, NULL)
			      : (r->at++, 0); /* said already */

		code = code != 0 ? code : one;
	}
	return code;
}

/* ---- the report ---- */

static bool
changes(const struct message *m)
{
	return m->whole && (m->now.action != m->new.action ||
			       strcmp(m->now.rule, m->new.rule) != 0);
}

static void
show_outcome(const struct outcome *o)
{
	(void)fputs(verdict_action_name(o->action), stdout);
	if (o->rule[0] != '\0') {
		(void)fputs(" by ", stdout);
		show_text(stdout, pn_str_of(o->rule));
	}
}

static void
show(const struct replay *r)
{
	unsigned long count[ACTIONS][ACTIONS] = { 0 }, same = 0;

	for (size_t i = 0; i < r->n; i++) {
		const struct message *m = &r->messages[i];

		if (!m->whole)
			continue;
		count[m->now.action][m->new.action]++;
		same += !changes(m);
		if (!changes(m))
			continue;
		show_text(stdout, pn_str_of(m->path));
		(void)fputs(": ", stdout);
		show_outcome(&m->now);
		(void)fputs(" -> ", stdout);
		show_outcome(&m->new);
		(void)putchar('\n');
	}
	(void)puts("  messages  now         -> then");
	for (int a = 0; a < ACTIONS; a++)
		for (int b = 0; b < ACTIONS; b++)
			if (count[a][b] > 0)
				(void)printf("%10lu  %-10s  -> %s\n",
				    count[a][b],
				    verdict_action_name((enum verdict_action)a),
				    verdict_action_name(
					(enum verdict_action)b));
	(void)printf("%10lu  the same, by the same rule\n", same);
}

static json_t *
outcome_object(const struct outcome *o)
{
	json_t *rule = json_string(o->rule);

	return json_pack("{s:s, s:o}", "action", verdict_action_name(o->action),
	    "rule", rule != NULL ? rule : json_null());
}

static void
print(const struct replay *r)
{
	json_t *all = json_array(), *o;
	size_t judged = 0;

	for (size_t i = 0; i < r->n; i++) {
		const struct message *m = &r->messages[i];

		judged += m->whole;
		if (changes(m))
			(void)json_array_append_new(
			    all, json_pack("{s:s, s:o, s:o}", "file", m->path,
				     "now", outcome_object(&m->now), "then",
				     outcome_object(&m->new)));
	}
	o = json_pack(
	    "{s:I, s:o}", "messages", (json_int_t)judged, "changed", all);
	print_json(o);
	json_decref(o);
}

static int
conclude(const struct replay *r)
{
	int code = EX_OK;

	if (r->cli->json)
		print(r);
	else
		show(r);
	for (size_t i = 0; i < r->n; i++)
		if (changes(&r->messages[i]))
			code = CHANGED;
	return code;
}

static void
forget(struct replay *r)
{
	for (size_t i = 0; i < r->n; i++) {
		free(r->messages[i].path);
		free(r->messages[i].now.rule);
		free(r->messages[i].new.rule);
	}
	free(r->messages);
}

/* ---- both ---- */

/* One inspector a process at a time: one configuration behind the other. */
static int
replay(struct replay *r, const char *with, int argc, char **argv)
{
	struct cli other = *r->cli;
	struct scanning s;
	int code, second;

	other.conf = with;
	code = scan_begin(r->cli, &s, &r->said);
	if (code != 0)
		return code;
	r->scanner = s.scanner;
	code = each_message(argc, argv, judge, r);
	scan_end(&s);
	second = scan_begin(&other, &s, &r->said);
	if (second != 0)
		return second;
	r->scanner = s.scanner;
	second = judge_again(r);
	scan_end(&s);
	code = code != 0 ? code : second;
	second = conclude(r);
	return code != 0 ? code : second;
}

/* --with FILE, taken off the arguments. */
static const char *
take_with(int *argc, char **argv)
{
	const char *with = NULL;
	int n = 1;

	for (int i = 1; i < *argc; i++)
		if (strcmp(argv[i], "--with") == 0 && i + 1 < *argc)
			with = argv[++i];
		else
			argv[n++] = argv[i];
	argv[ *argc = n] = NULL;
	return with;
}

int
cli_replay(const struct cli *c, int argc, char **argv)
{
	struct replay r = { .cli = c };
	const char *with = take_with(&argc, argv);
	int first = scan_options(&r.said, argc, argv), code;

	if (with == NULL || first < 0 || first == argc)
		return cli_usage(c);
	code = replay(&r, with, argc - first, argv + first);
	forget(&r);
	return code;
}
