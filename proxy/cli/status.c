/* status - postern status, reload, drain: what the master says, and does. */
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "cli/cli.h"

#define LOOK_MS 100 /* drain --wait: whether it lives */

/* ---- numbers for people ---- */

/* "512 B", "11.0 MiB". */
static void
bytes_text(json_int_t n, char *text, size_t size)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };
	double v = (double)n / 1024;
	size_t i = 0;

	while (v >= 1024 && i + 1 < PN_COUNT(units)) {
		v /= 1024;
		i++;
	}
	if (n < 1024)
		(void)snprintf(text, size, "%lld B", (long long)n);
	else
		(void)snprintf(text, size, "%.1f %s", v, units[i]);
}

static void
time_text(json_int_t us, char *text, size_t size)
{
	time_t at = (time_t)(us / 1000000);
	struct tm tm;

	(void)gmtime_r(&at, &tm);
	(void)strftime(text, size, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static bool
ends_in(const char *key, const char *tail)
{
	size_t n = strlen(key), m = strlen(tail);

	return n >= m && strcmp(key + n - m, tail) == 0;
}

/* A scalar by what its name says it is. */
static void
value_text(const char *key, const json_t *v, char *text, size_t size)
{
	json_int_t n = json_integer_value(v);

	if (json_is_string(v))
		(void)snprintf(text, size, "%s", json_string_value(v));
	else if (!json_is_integer(v))
		(void)snprintf(text, size, "%s", v != NULL ? "?" : "");
	else if (strcmp(key, "rss") == 0 || strncmp(key, "bytes", 5) == 0)
		bytes_text(n, text, size);
	else if (ends_in(key, "_us"))
		time_text(n, text, size);
	else
		(void)snprintf(text, size, "%lld", (long long)n);
}

/* ---- tables ---- */

#define CELL 80
#define COLUMNS 16

struct table {
	const char *keys[COLUMNS];
	int widths[COLUMNS];
	bool words[COLUMNS]; /* set to the left; numbers to the right */
	size_t n;
};

/* Of a name without its unit, which the value has. */
static int
title_length(const char *key)
{
	return (int)strlen(key) - (ends_in(key, "_us") ? 3 : 0);
}

/* Objects name their members by who gives them: a new one is a new column
 * without a change here. */
static void
add_columns(struct table *t, const json_t *row)
{
	char text[CELL];
	const char *key;
	json_t *v;
	size_t i;

	json_object_foreach((json_t *)row, key, v) {
		if (json_is_array(v) || json_is_object(v))
			continue;
		for (i = 0; i < t->n && strcmp(t->keys[i], key) != 0; i++)
			;
		if (i == COLUMNS)
			continue;
		if (i == t->n) {
			t->keys[t->n++] = key;
			t->widths[i] = title_length(key);
		}
		t->words[i] = t->words[i] || json_is_string(v);
		value_text(key, v, text, sizeof(text));
		if ((int)strlen(text) > t->widths[i])
			t->widths[i] = (int)strlen(text);
	}
}

static void
show_cell(const struct table *t, size_t i, struct pn_str text)
{
	int pad = t->widths[i] - (int)text.n;

	if (i + 1 == t->n && text.n == 0)
		return;
	(void)printf("  %*s", t->words[i] ? 0 : pad, "");
	show_text(stdout, text);
	if (t->words[i] && i + 1 < t->n)
		(void)printf("%*s", pad, "");
}

static void
show_row(const struct table *t, const json_t *row)
{
	char text[CELL];

	for (size_t i = 0; i < t->n; i++) {
		value_text(t->keys[i], json_object_get(row, t->keys[i]), text,
		    sizeof(text));
		show_cell(t, i, pn_str_of(text));
	}
	(void)putchar('\n');
}

/* Under a title; below each row, what after() has to say of it. */
static void
show_table(const char *title, const json_t *rows, void (*after)(const json_t *))
{
	struct table t = { .n = 0 };
	const json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
		add_columns(&t, row);
	if (t.n == 0)
		return;
	(void)printf("\n%s\n", title);
	for (i = 0; i < t.n; i++)
		show_cell(&t, i, (struct pn_str){ t.keys[i],
		    (size_t)title_length(t.keys[i]) });
	(void)putchar('\n');
	json_array_foreach(rows, i, row) {
		show_row(&t, row);
		if (after != NULL)
			after(row);
	}
}

/* ---- the rest ---- */

/* "head: text (2026-11-23T07:41:08Z)", of an object with time and text. */
static void
show_event(const char *head, const json_t *event, const char *text)
{
	char when[32];

	time_text(json_integer_value(json_object_get(event, "time_us")), when,
	    sizeof(when));
	(void)fputs("    ", stdout);
	show_text(stdout, pn_str_of(head));
	(void)fputs(": ", stdout);
	show_text(stdout, member(event, text));
	(void)printf(" (%s)\n", when);
}

/* A module that has no answer is what an operator looks for here. */
static void
show_trouble(const json_t *m)
{
	const json_t *error = json_object_get(m, "last_error"), *part;
	size_t i;

	if (error != NULL)
		show_event("last error", error, "text");
	json_array_foreach(json_object_get(m, "parts"), i, part)
		show_event(json_string_value(json_object_get(part, "part")),
		    part, "state");
}

/* "history 8 messages, 76.0 KiB": numbers with their names. */
static void
show_numbers(const json_t *object)
{
	const char *key, *lead = "";
	char text[CELL];
	json_t *v;

	json_object_foreach((json_t *)object, key, v) {
		value_text(key, v, text, sizeof(text));
		if (strcmp(key, "bytes") == 0)
			(void)printf("%s%s", lead, text);
		else
			(void)printf("%s%s %s", lead, text, key);
		lead = ", ";
	}
	(void)putchar('\n');
}

/* A sentence a line. */
static void
show_sentences(const char *key, const json_t *list)
{
	const json_t *v;
	size_t i;

	json_array_foreach(list, i, v) {
		(void)printf("%-10s ", key);
		show_value(stdout, v);
		(void)putchar('\n');
	}
}

static void
show_member(const char *key, const json_t *v)
{
	char text[CELL];

	if (json_is_array(v)) {
		show_sentences(key, v);
		return;
	}
	(void)printf("%-*.*s ", 10, title_length(key), key);
	if (json_is_object(v)) {
		show_numbers(v);
	} else {
		value_text(key, v, text, sizeof(text));
		show_text(stdout, pn_str_of(text));
		(void)puts(strcmp(key, "missing") == 0 ? " processes" : "");
	}
}

/* `a="...",b="..."`: the value of one label, as it stands there. */
static json_t *
label(const char *labels, const char *name)
{
	char head[32];
	const char *at, *end;

	(void)snprintf(head, sizeof(head), "%s=\"", name);
	at = strstr(labels, head);
	if (at == NULL || (end = strchr(at + strlen(head), '"')) == NULL)
		return json_string("?");
	at += strlen(head);
	return json_stringn(at, (size_t)(end - at));
}

/* Its row; a new one stands behind those of the same upstream. */
static json_t *
server_row(json_t *rows, const char *labels)
{
	json_t *upstream = label(labels, "upstream"), *row;
	json_t *server = label(labels, "server");
	size_t i, at = json_array_size(rows);

	json_array_foreach(rows, i, row) {
		if (!json_equal(json_object_get(row, "upstream"), upstream))
			continue;
		at = i + 1;
		if (json_equal(json_object_get(row, "server"), server)) {
			json_decref(upstream);
			json_decref(server);
			return row;
		}
	}
	row = json_object();
	(void)json_object_set_new(row, "upstream", upstream);
	(void)json_object_set_new(row, "server", server);
	(void)json_array_insert_new(rows, at, row);
	return row;
}

/* Known to no worker: it went with its generation. */
static bool
is_gone(const json_t *row)
{
	static const char *const states[] = { "up", "away", "draining" };
	json_int_t n = 0;

	for (size_t i = 0; i < PN_COUNT(states); i++)
		n += json_integer_value(json_object_get(row, states[i]));
	return n == 0;
}

/* To how many workers each server of a next hop is so. */
static void
show_servers(const json_t *series)
{
	static const char family[] = "upstream_servers{";
	json_t *rows = json_array(), *v;
	const char *key;
	size_t i;

	json_object_foreach((json_t *)series, key, v) {
		json_t *state;

		if (strncmp(key, family, sizeof(family) - 1) != 0)
			continue;
		state = label(key, "state");
		(void)json_object_set(
		    server_row(rows, key), json_string_value(state), v);
		json_decref(state);
	}
	for (i = json_array_size(rows); i-- > 0;)
		if (is_gone(json_array_get(rows, i)))
			(void)json_array_remove(rows, i);
	show_table("servers", rows, NULL);
	json_decref(rows);
}

/* Counters with their labels are what `top` and the metrics are for. */
static void
show_status(const json_t *answer)
{
	static const char *const tables[] = { "processes", "workers", "modules" };
	const char *key;
	json_t *v;
	size_t i;

	json_object_foreach((json_t *)answer, key, v) {
		for (i = 0; i < PN_COUNT(tables); i++)
			if (strcmp(key, tables[i]) == 0)
				break;
		if (i == PN_COUNT(tables) && strcmp(key, "ok") != 0 &&
		    strcmp(key, "series") != 0)
			show_member(key, v);
	}
	for (i = 0; i < PN_COUNT(tables); i++)
		show_table(tables[i], json_object_get(answer, tables[i]),
		    strcmp(tables[i], "modules") == 0 ? show_trouble : NULL);
	show_servers(json_object_get(answer, "series"));
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
