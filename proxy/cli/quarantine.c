/* quarantine - postern quarantine list|show|export|release|delete. */
#include <string.h>
#include <sysexits.h>

#include "base/suggest.h"
#include "cli/cli.h"
#include "keeper/protocol.h"

/* ---- list ---- */

static void
show_line(const json_t *m)
{
	const json_t *rcpts = json_object_get(m, "recipients");

	show_text(stdout, member(m, "id"));
	(void)putchar(' ');
	show_time(stdout, json_object_get(m, "time_us"));
	(void)printf(" %-9s ", json_string_value(json_object_get(m, "state")));
	show_text(stdout, member(m, "class"));
	(void)putchar(' ');
	show_value(stdout, json_object_get(m, "size"));
	(void)fputs(" <", stdout);
	show_text(stdout, member(m, "sender"));
	(void)fputs("> <", stdout);
	show_text(stdout, member(json_array_get(rcpts, 0), "path"));
	(void)putchar('>');
	if (json_array_size(rcpts) > 1)
		(void)printf(" +%zu", json_array_size(rcpts) - 1);
	(void)putchar(' ');
	show_text(stdout, member(m, "subject"));
	(void)putchar('\n');
}

/* argv: behind "list". */
static int
list(const struct cli *c, int argc, char **argv)
{
	struct mail_search s = { .query = question("quarantine.list", NULL) };
	int code = search_options(&s, true, argc + 1, argv - 1);

	if (code < 0)
		code = cli_usage(c);
	else if (code == 0)
		code = search_show(c, &s, show_line);
	json_decref(s.query);
	return code;
}

/* ---- show ---- */

static void
show_recipients(const json_t *m)
{
	const json_t *r;
	size_t i;

	json_array_foreach (json_object_get(m, "recipients"), i, r) {
		(void)fputs("to            <", stdout);
		show_text(stdout, member(r, "path"));
		(void)fputs("> ", stdout);
		show_text(stdout, member(r, "params"));
		(void)printf("%s%s", member(r, "params").n ? " " : "",
		    json_string_value(json_object_get(r, "state")));
		if (json_integer_value(json_object_get(r, "code")) != 0) {
			(void)putchar(' ');
			show_value(stdout, json_object_get(r, "code"));
			(void)putchar(' ');
			show_text(stdout, member(r, "text"));
		}
		(void)putchar('\n');
	}
}

static void
show_message(const json_t *m)
{
	const char *key;
	json_t *v;

	json_object_foreach ((json_t *)m, key, v) {
		if (strcmp(key, "trace") == 0 ||
		    strcmp(key, "recipients") == 0 ||
		    (json_is_string(v) && json_string_length(v) == 0))
			continue;
		if (strcmp(key, "next_us") == 0 && json_integer_value(v) == 0)
			continue; /* nothing is planned */
		if (strcmp(key, "time_us") == 0 || strcmp(key, "next_us") == 0) {
			(void)printf("%-13s ", key[0] == 't' ? "time" :
			    "next try");
			show_time(stdout, v);
		} else {
			(void)printf("%-13s ", key);
			show_value(stdout, v);
		}
		(void)putchar('\n');
	}
	show_recipients(m);
	if (json_is_object(json_object_get(m, "trace"))) {
		(void)putchar('\n');
		render_trace(stdout, json_object_get(m, "trace"));
	}
}

static int
show(const struct cli *c, int argc, char **argv)
{
	json_t *answer;
	int code;

	if (argc != 1)
		return cli_usage(c);
	code = ask(c, question("quarantine.show", argv[0]), &answer, NULL);
	if (code != 0)
		return code;
	if (c->json)
		print_json(json_object_get(answer, "message"));
	else
		show_message(json_object_get(answer, "message"));
	json_decref(answer);
	return EX_OK;
}

static int
export(const struct cli *c, int argc, char **argv)
{
	json_t *answer;
	int code;

	if (argc != 1)
		return cli_usage(c);
	code = ask(c, question("quarantine.export", argv[0]), &answer, stdout);
	json_decref(answer);
	return code;
}

/* ---- release, delete ---- */

/* What a release came to, as an exit code. */
static int
code_of(const json_t *m)
{
	const char *state = json_string_value(json_object_get(m, "state"));

	if (state != NULL && strcmp(state, "released") == 0)
		return EX_OK;
	if (state != NULL && strcmp(state, "refused") == 0)
		return EX_DATAERR;
	return EX_TEMPFAIL;
}

static int
release_one(const struct cli *c, const char *id)
{
	json_t *answer, *m;
	int code = ask(c, question("quarantine.release", id), &answer, NULL);

	if (code != 0)
		return code;
	m = json_object_get(answer, "message");
	if (c->json) {
		print_json(m);
	} else {
		(void)printf("%s %s\n", id, json_string_value(
		    json_object_get(m, "state")));
		show_recipients(m);
	}
	code = code_of(m);
	json_decref(answer);
	return code;
}

static int
delete_one(const struct cli *c, const char *id)
{
	json_t *answer;
	int code = ask(c, question("quarantine.delete", id), &answer, NULL);

	if (code == 0 && c->json)
		print_json(answer);
	else if (code == 0)
		(void)printf("%s deleted\n", id);
	json_decref(answer);
	return code;
}

/* All of them, also behind one that fails; the first failure is the code. */
static int
each(const struct cli *c, int argc, char **argv,
    int (*one)(const struct cli *, const char *id))
{
	int first = 0;

	if (argc == 0)
		return cli_usage(c);
	for (int i = 0; i < argc; i++) {
		int code = one(c, argv[i]);

		if (first == 0)
			first = code;
	}
	return first;
}

static int
release(const struct cli *c, int argc, char **argv)
{
	return each(c, argc, argv, release_one);
}

static int
delete(const struct cli *c, int argc, char **argv)
{
	return each(c, argc, argv, delete_one);
}

int
cli_quarantine(const struct cli *c, int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(const struct cli *, int, char **);
	} words[] = { { "list", list }, { "show", show }, { "export", export },
		{ "release", release }, { "delete", delete } };
	struct suggest near;
	char text[80];

	if (argc < 2)
		return cli_usage(c);
	near = suggest_for(pn_str_of(argv[1]));
	for (size_t i = 0; i < PN_COUNT(words); i++) {
		if (strcmp(argv[1], words[i].name) == 0)
			return words[i].run(c, argc - 2, argv + 2);
		suggest_try(&near, pn_str_of(words[i].name));
	}
	return cli_fail(EX_USAGE, "unknown command \"quarantine %s\"%s",
	    argv[1], suggest_text(&near, text, sizeof(text)));
}
