/* status - postern status, reload, drain: what the master says, and does. */
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "cli/cli.h"

#define LOOK_MS 100 /* drain --wait: whether it lives */

static void
show_process(const json_t *p)
{
	const char *key;
	json_t *v;

	(void)printf("  %-10s", json_string_value(json_object_get(p, "role")));
	json_object_foreach ((json_t *)p, key, v) {
		if (strcmp(key, "role") == 0)
			continue;
		(void)printf(" %s=", key);
		show_value(stdout, v);
	}
	(void)putchar('\n');
}

/* A number, or an object of numbers: members are named by who gives them, so
 * a new one is shown without a change here. */
static void
show_member(const char *key, const json_t *v)
{
	const char *k;
	json_t *below;

	(void)printf("%s", key);
	if (json_is_object(v)) {
		json_object_foreach ((json_t *)v, k, below) {
			(void)printf(" %s=", k);
			show_value(stdout, below);
		}
	} else {
		(void)putchar(' ');
		show_value(stdout, v);
	}
	(void)putchar('\n');
}

/* "2026-11-23 07:41:08 what", of an object with a time and a text. */
static void
show_event(const char *head, const json_t *event, const char *text)
{
	time_t at = (time_t)(json_integer_value(
	    json_object_get(event, "time_us")) / 1000000);
	const char *what = json_string_value(json_object_get(event, text));
	char when[32];
	struct tm tm;

	(void)localtime_r(&at, &tm);
	(void)strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
	(void)printf("    %s: %s (%s)\n", head, what ? what : "", when);
}

/* One that has no answer is what an operator looks for here. */
static void
show_module(const json_t *m)
{
	static const char *const numbers[] = { "calls", "failures", "timeouts",
		"refused" };
	const json_t *error = json_object_get(m, "last_error");
	const json_t *parts = json_object_get(m, "parts"), *part;
	size_t i;

	(void)printf("  %-10s", json_string_value(json_object_get(m, "name")));
	for (i = 0; i < PN_COUNT(numbers); i++)
		(void)printf(" %s=%lld", numbers[i], (long long)
		    json_integer_value(json_object_get(m, numbers[i])));
	(void)putchar('\n');
	if (error != NULL)
		show_event("last error", error, "text");
	json_array_foreach ((json_t *)parts, i, part)
		show_event(json_string_value(json_object_get(part, "part")),
		    part, "state");
}

static void
show_status(const json_t *answer)
{
	const json_t *processes = json_object_get(answer, "processes");
	const json_t *modules = json_object_get(answer, "modules");
	const char *key;
	json_t *v;
	size_t i;

	json_object_foreach ((json_t *)answer, key, v)
		if (strcmp(key, "ok") != 0 && v != processes && v != modules)
			show_member(key, v);
	(void)puts("modules");
	json_array_foreach (modules, i, v)
		show_module(v);
	(void)puts("processes");
	json_array_foreach (processes, i, v)
		show_process(v);
}

int
cli_status(const struct cli *c, int argc, char **argv)
{
	json_t *answer;
	int code;

	(void)argv;
	if (argc != 1)
		return cli_usage(c);
	code = ask(c, question("status", NULL), &answer, NULL);
	if (code != 0)
		return code;
	if (c->json)
		print_json(answer);
	else
		show_status(answer);
	json_decref(answer);
	return EX_OK;
}

int
cli_reload(const struct cli *c, int argc, char **argv)
{
	json_t *answer;
	int code;

	(void)argv;
	if (argc != 1)
		return cli_usage(c);
	code = ask(c, question("reload", NULL), &answer, NULL);
	if (code != 0)
		return code;
	if (c->json)
		print_json(answer);
	else
		(void)puts("reloaded");
	json_decref(answer);
	return EX_OK;
}

/* Until nobody answers any more. */
static void
wait_gone(const struct cli *c)
{
	const struct timespec pause = { 0, LOOK_MS * 1000000L };

	while (ask_is_there(c))
		(void)nanosleep(&pause, NULL);
}

int
cli_drain(const struct cli *c, int argc, char **argv)
{
	bool wait = argc == 2 && strcmp(argv[1], "--wait") == 0;
	json_t *answer;
	int code;

	if (argc != 1 && !wait)
		return cli_usage(c);
	code = ask(c, question("drain", NULL), &answer, NULL);
	if (code != 0)
		return code;
	if (wait)
		wait_gone(c);
	if (c->json)
		print_json(answer);
	else
		(void)puts(wait ? "ended" : "draining");
	json_decref(answer);
	return EX_OK;
}
