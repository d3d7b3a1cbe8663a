/*
 * top - postern top: what goes on now, by the difference of two answers to
 * `status`. Series whose names it does not know are not shown; /metrics and
 * `postern status` have them all.
 */
#include <getopt.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

#define RULES_SHOWN 10

struct sample {
	json_t *status;
	struct timespec at;
};

struct line {
	const char *name; /* of the series, its labels behind { */
	json_int_t total;
	double rate;
};

/* ---- numbers ---- */

static const json_t *
series(const struct sample *s)
{
	return json_object_get(s->status, "series");
}

static double
seconds(const struct sample *old, const struct sample *now)
{
	return (double)(now->at.tv_sec - old->at.tv_sec) +
	       (double)(now->at.tv_nsec - old->at.tv_nsec) / 1e9;
}

/* A total goes back when a keeper has died: then all of it is new. */
static double
rate(const struct sample *old, const struct sample *now, const char *name)
{
	json_int_t after =
	    json_integer_value(json_object_get(series(now), name));
	json_int_t before =
	    json_integer_value(json_object_get(series(old), name));

	return (double)(after >= before ? after - before : after) /
	       seconds(old, now);
}

/* "messages_total" and "messages_total{...}" are of the family. */
static bool
is_of(const char *name, const char *family)
{
	size_t n = strlen(family);

	return strncmp(name, family, n) == 0 &&
	       (name[n] == '\0' || name[n] == '{');
}

static int
by_rate(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	if (x->rate != y->rate)
		return x->rate < y->rate ? 1 : -1;
	if (x->total != y->total)
		return x->total < y->total ? 1 : -1;
	return strcmp(x->name, y->name);
}

/* A family's series, the busiest first. To be freed. */
static struct line *
family(const struct sample *old, const struct sample *now, const char *name,
    size_t *n)
{
	const json_t *all = series(now);
	struct line *lines = calloc(json_object_size(all) + 1, sizeof(*lines));
	const char *key;
	json_t *v;

	*n = 0;
	json_object_foreach((json_t *)all, key,
	    v) if (lines != NULL && is_of(key, name)) lines[(*n)++] =
	    (struct line){ .name = key,
		    .total = json_integer_value(v),
		    .rate = rate(old, now, key) };
	if (lines != NULL)
		qsort(lines, *n, sizeof(*lines), by_rate);
	return lines;
}

/* ---- for people ---- */

/* `action="reject",why="policy"` as `reject policy`. */
static void
show_labels(const char *name)
{
	const char *at = strchr(name, '{');
	bool within = false;

	if (at == NULL)
		return;
	for (unsigned n = 0; *at != '\0'; at++) {
		if (at[0] == '\\' && within && at[1] != '\0') {
			(void)putchar(*++at);
		} else if (*at == '"') {
			within = !within;
			if (within && n++ > 0)
				(void)putchar(' ');
		} else if (within) {
			(void)putchar(*at);
		}
	}
}

static void
show_family(const struct sample *old, const struct sample *now,
    const char *name, const char *title, size_t most)
{
	struct line *lines;
	size_t n;

	lines = family(old, now, name, &n);
	if (n > 0)
		(void)printf("\n%s\n", title);
	for (size_t i = 0; i < n && i < most; i++) {
		(void)printf("%10.1f/s %12lld  ", lines[i].rate,
		    (long long)lines[i].total);
		show_labels(lines[i].name);
		(void)putchar('\n');
	}
	free(lines);
}

static double
sum_rate(const struct sample *old, const struct sample *now, const char *name)
{
	size_t n;
	struct line *lines = family(old, now, name, &n);
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += lines[i].rate;
	free(lines);
	return sum;
}

static void
show_screen(const struct sample *old, const struct sample *now)
{
	const json_t *held = json_object_get(now->status, "quarantine");
	char text[32] = "";
	time_t t = time(NULL);
	struct tm tm;

	if (gmtime_r(&t, &tm) != NULL)
		(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	(void)printf("postern  generation %lld  %s\n",
	    (long long)json_integer_value(
		json_object_get(now->status, "generation")),
	    text);
	(void)printf("sessions %lld now, %.1f/s   messages %.1f/s   "
		     "%.1f KiB/s   held %lld\n",
	    (long long)json_integer_value(
		json_object_get(series(now), "sessions")),
	    rate(old, now, "sessions_total"),
	    sum_rate(old, now, "messages_total"),
	    rate(old, now, "bytes_total") / 1024,
	    (long long)json_integer_value(json_object_get(held, "messages")));
	show_family(old, now, "messages_total", "messages", SIZE_MAX);
	show_family(old, now, "recipients_refused_total",
	    "recipients refused, by whom", SIZE_MAX);
	show_family(
	    old, now, "rules_fired_total", "rules that fired", RULES_SHOWN);
	show_family(old, now, "rules_shadow_total",
	    "rules in shadow that would have", RULES_SHOWN);
	show_family(old, now, "module_failures_total",
	    "modules without an answer", RULES_SHOWN);
}

/* ---- for programs ---- */

static void
print_rates(const struct sample *old, const struct sample *now)
{
	json_t *o = json_object(), *all = json_object();
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)series(now), key,
	    v) if (strstr(key, "_total") != NULL)(void) json_object_set_new(all,
	    key,
	    json_pack("{s:O, s:f}", "total", v, "rate", rate(old, now, key)));
	(void)json_object_set_new(o, "seconds", json_real(seconds(old, now)));
	(void)json_object_set(
	    o, "sessions", json_object_get(series(now), "sessions"));
	(void)json_object_set_new(o, "series", all);
	print_json(o);
	json_decref(o);
}

/* ---- again and again ---- */

static int
take(const struct cli *c, struct sample *s)
{
	int code = ask(c, question("status", NULL), &s->status, NULL);

	(void)clock_gettime(CLOCK_MONOTONIC, &s->at);
	return code;
}

static int
watch(const struct cli *c, double interval, bool once)
{
	const struct timespec pause = { (time_t)interval,
		(long)((interval - (double)(time_t)interval) * 1e9) };
	struct sample old = { 0 }, now = { 0 };
	bool clear = isatty(STDOUT_FILENO) && !once;
	int code = take(c, &old);

	while (code == 0) {
		(void)nanosleep(&pause, NULL);
		code = take(c, &now);
		if (code != 0)
			break;
		if (clear)
			(void)fputs("\033[H\033[2J", stdout);
		if (c->json)
			print_rates(&old, &now);
		else
			show_screen(&old, &now);
		if (fflush(stdout) != 0)
			code =
			    cli_fail(EX_IOERR, "standard output: cannot write");
		json_decref(old.status);
		old = now;
		if (once)
			break;
		if (!clear && !c->json)
			(void)putchar('\n');
	}
	json_decref(old.status);
	return code;
}

int
cli_top(const struct cli *c, int argc, char **argv)
{
	static const struct option options[] = { { "once", no_argument, NULL,
						     'o' },
		{ "interval", required_argument, NULL, 'i' }, { 0 } };
	double interval = 2;
	bool once = false;
	char *end = NULL;
	int o;

	optind = 0; /* GNU: begin anew, main has read the line before */
	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 'o') {
			once = true;
			continue;
		}
		if (o != 'i')
			return cli_usage(c);
		interval = strtod(optarg, &end);
		if (end == optarg || *end != '\0' ||
		    !(interval >= 0.1 && interval <= 3600))
			return cli_fail(EX_USAGE,
			    "an interval is 0.1 to 3600 seconds, not \"%s\"",
			    optarg);
	}
	return optind != argc ? cli_usage(c) : watch(c, interval, once);
}
