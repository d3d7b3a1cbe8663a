/* stats - see stats.h. Series are found by going through all: that happens
 * when a handle is asked for, not when it counts. */
#include "base/stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct stats {
	struct stat_series **all;
	size_t n, room;
};

struct stats *
stats_new(void)
{
	struct stats *s = xcalloc(1, sizeof(*s));

	/* There from the start: it must be makeable when nothing else is. */
	(void)stats_counter(s, "stats_dropped_total", NULL, 0);
	return s;
}

static void
series_free(struct stat_series *s)
{
	free((char *)s->name);
	free((char *)s->labels);
	free(s);
}

void
stats_free(struct stats *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->n; i++)
		series_free(s->all[i]);
	free(s->all);
	free(s);
}

/* One byte of a label's value. Prometheus escapes these three; what is no
 * printable ASCII has no place in the name of a series. */
static size_t
put_byte(char *out, unsigned char c)
{
	if (c == '"' || c == '\\') {
		out[0] = '\\';
		out[1] = (char)c;
		return 2;
	}
	out[0] = c < ' ' || c > '~' ? '?' : (char)c;
	return 1;
}

/* False: longer than STATS_LABELS_MAX. */
static bool
labels_text(const struct stat_label *l, size_t n, char out[STATS_LABELS_MAX])
{
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		size_t name_n = strlen(l[i].name);

		/* Each byte twice, comma, =, quotes, and the NUL. */
		if (at + name_n + 2 * l[i].value.n + 5 > STATS_LABELS_MAX)
			return false;
		at += (size_t)sprintf(out + at, "%s%s=\"", i ? "," : "",
		    l[i].name);
		for (size_t j = 0; j < l[i].value.n; j++)
			at += put_byte(out + at, (unsigned char)l[i].value.p[j]);
		out[at++] = '"';
		out[at] = '\0';
	}
	return true;
}

static struct stat_series *
find(const struct stats *s, const char *name, const char *labels)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->all[i]->name, name) == 0 &&
		    strcmp(s->all[i]->labels, labels) == 0)
			return s->all[i];
	return NULL;
}

static struct stat_series *
add(struct stats *s, const char *name, const char *labels, bool gauge)
{
	struct stat_series *new = xcalloc(1, sizeof(*new));

	new->name = xstrdup(name);
	new->labels = xstrdup(labels);
	new->gauge = gauge;
	new->changed = true;
	if (s->n == s->room) {
		s->room = s->room ? 2 * s->room : 16;
		s->all = xrealloc(s->all, s->room * sizeof(*s->all));
	}
	return s->all[s->n++] = new;
}

static struct stat_series *
series(struct stats *s, const char *name, const struct stat_label *l, size_t n,
    bool gauge)
{
	char labels[STATS_LABELS_MAX];
	struct stat_series *found;

	if (s == NULL)
		return NULL;
	if (labels_text(l, n, labels)) {
		found = find(s, name, labels);
		if (found != NULL || s->n < STATS_MAX)
			return found ? found : add(s, name, labels, gauge);
	}
	stat_add(s->all[0], 1);
	return NULL;
}

struct stat_series *
stats_counter(struct stats *s, const char *name, const struct stat_label *l,
    size_t n)
{
	return series(s, name, l, n, false);
}

struct stat_series *
stats_gauge(struct stats *s, const char *name, const struct stat_label *l,
    size_t n)
{
	return series(s, name, l, n, true);
}

struct stat_series *
stats_at(struct stats *s, size_t i)
{
	return i < s->n ? s->all[i] : NULL;
}
