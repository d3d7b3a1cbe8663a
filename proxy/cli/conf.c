/*
 * conf - postern conf: the settings in force, as postern.conf would say them,
 * each with the place it is written at. The policy is not looked at.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/mem.h"
#include "base/suggest.h"
#include "cli/cli.h"
#include "proxy/config.h"

#define PLACE_COLUMN 44

struct listing {
	const struct cli *cli;
	bool written, defaults; /* -n, -d */
	char **names;		/* [n_names]; none: all */
	bool *met;		/* [n_names] */
	int n_names;
	bool in_block; /* text: its "}" is still to come */
	json_t *all;   /* --json */
};

/* ---- which ---- */

/* A block goes by its first word, too: "listen", "listen smtp *:25". */
static bool
is_called(const struct config_line *line, const char *name)
{
	size_t n = strlen(name);

	if (line->block == NULL)
		return strcmp(line->name, name) == 0;
	return strncmp(line->block, name, n) == 0 &&
	       (line->block[n] == '\0' || line->block[n] == ' ');
}

static bool
is_wanted(struct listing *l, const struct config_line *line)
{
	bool wanted = l->n_names == 0;

	for (int i = 0; i < l->n_names; i++)
		if (is_called(line, l->names[i]))
			wanted = l->met[i] = true;
	if (!wanted || (l->written && line->at == NULL))
		return false;
	/* What has no value is worth a line where it was asked for. */
	return line->name == NULL || line->value.n > 0 || l->defaults ||
	       (l->n_names > 0 && line->block == NULL);
}

/* ---- for people ---- */

static void
close_block(struct listing *l)
{
	if (l->in_block)
		(void)puts("}");
	l->in_block = false;
}

static void
show_place(int width, const struct lex_pos *at)
{
	(void)printf(
	    "%*s # ", width < PLACE_COLUMN ? PLACE_COLUMN - width : 0, "");
	if (at == NULL)
		(void)puts("default");
	else
		(void)printf("%s:%u\n", at->file, at->line);
}

static void
show_line(struct listing *l, const struct config_line *line)
{
	const char *indent =
	    line->block != NULL && line->name != NULL ? "    " : "";
	int width;

	if (line->name == NULL || line->block == NULL)
		close_block(l);
	if (line->name != NULL && line->value.n == 0) {
		(void)printf("# %s has no value\n", line->name);
		return;
	}
	if (line->name == NULL)
		width = printf("%s {", line->block);
	else
		width = printf(
		    "%s%s %.*s;", indent, line->name, PN_STR_ARG(line->value));
	l->in_block = l->in_block || line->name == NULL;
	show_place(width, line->at);
}

/* ---- for programs ---- */

static void
add_line(struct listing *l, const struct config_line *line)
{
	json_t *o = json_object();

	if (line->block != NULL)
		(void)json_object_set_new(o, "block", json_string(line->block));
	if (line->name != NULL) {
		(void)json_object_set_new(o, "name", json_string(line->name));
		(void)json_object_set_new(o, "value",
		    json_stringn(
			line->value.p ? line->value.p : "", line->value.n));
	}
	if (line->at != NULL) {
		(void)json_object_set_new(
		    o, "file", json_string(line->at->file));
		(void)json_object_set_new(
		    o, "line", json_integer(line->at->line));
	}
	(void)json_array_append_new(l->all, o);
}

static void
take(void *arg, const struct config_line *line)
{
	struct listing *l = arg;

	if (!is_wanted(l, line))
		return;
	if (l->cli->json)
		add_line(l, line);
	else
		show_line(l, line);
}

/* ---- names that match nothing ---- */

struct guess {
	struct suggest near;
	struct arena *arena; /* lines are borrowed */
};

/* A block by its first words, too: "listen", "listen smtp". */
static void
suggest_line(void *arg, const struct config_line *line)
{
	struct guess *g = arg;
	size_t distance = g->near.distance;

	if (line->block == NULL)
		suggest_try(&g->near, pn_str_of(line->name));
	else if (line->name == NULL)
		suggest_starts(&g->near, line->block, ' ');
	if (g->near.distance < distance)
		g->near.best = arena_str(g->arena, g->near.best);
}

static int
complain(const struct config *conf, const char *name)
{
	struct guess g = { .near = suggest_for(pn_str_of(name)) };
	char text[96];
	int code;

	/* A block that could stand there, and does not, is no mistake. */
	if (strcmp(name, "listen") == 0 || strcmp(name, "upstream") == 0)
		return EX_OK;
	g.arena = arena_new(CLI_ARENA_MAX);
	config_each(conf, suggest_line, &g);
	code = cli_fail(EX_USAGE, "unknown setting \"%s\"%s", name,
	    suggest_text(&g.near, text, sizeof(text)));
	arena_free(g.arena);
	return code;
}

static int
list(struct listing *l, const struct config *conf)
{
	int code = EX_OK;

	l->met = xcalloc((size_t)l->n_names + 1, sizeof(*l->met));
	l->all = json_array();
	config_each(conf, take, l);
	close_block(l);
	for (int i = 0; i < l->n_names; i++)
		if (!l->met[i])
			code = complain(conf, l->names[i]);
	if (l->cli->json && code == EX_OK) {
		json_t *answer = json_pack("{s:O}", "settings", l->all);

		print_json(answer);
		json_decref(answer);
	}
	json_decref(l->all);
	free(l->met);
	return code;
}

static int
defaults(struct arena *arena, struct config *conf)
{
	struct error e;

	if (config_defaults(conf, arena, &e) < 0)
		return cli_fail(EX_OSERR, "%s", e.text);
	return 0;
}

int
cli_conf(const struct cli *c, int argc, char **argv)
{
	struct listing l = { .cli = c };
	struct arena *arena;
	struct config conf;
	int o, code;

	while ((o = getopt(argc, argv, "nd")) != -1) {
		if (o == '?')
			return cli_usage(c);
		l.written |= o == 'n';
		l.defaults |= o == 'd';
	}
	if (l.written && l.defaults)
		return cli_usage(c);
	l.names = argv + optind;
	l.n_names = argc - optind;
	arena = arena_new(CLI_ARENA_MAX);
	code = l.defaults ? defaults(arena, &conf)
			  : read_settings(c, arena, &conf);
	if (code == 0)
		code = list(&l, &conf);
	arena_free(arena);
	return code;
}
