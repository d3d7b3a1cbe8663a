/*
 * stats - what one process counts: named series, each with its labels, as
 * Prometheus knows them. Whoever counts asks for a series once and keeps the
 * handle; counting is an addition. A worker's go to the keeper (KEEP_STATS of
 * mail/keep.h), which adds up all workers and shows them at /metrics and in
 * `postern status`.
 *
 * One a process, owned by it (a worker's by engine/keep: keep_stats()), one
 * thread. The number of series is bounded: past STATS_MAX there is no handle,
 * which counts nothing, and the series "stats_dropped_total" says how many
 * were not made. So a label's values must be few: a rule, an action, a class;
 * never an address.
 */
#ifndef BASE_STATS_H
#define BASE_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "filters/pn_str.h"

#define STATS_MAX 4000	     /* series of one process */
#define STATS_LABELS_MAX 400 /* bytes of one series' labels, as text */

struct stats;

struct stat_series {
	const char *name;   /* without "postern_": "messages_total" */
	const char *labels; /* `action="reject",why="policy"`, escaped; or "" */
	bool gauge;	    /* a level; else it only grows */
	bool changed;	    /* since somebody cleared it: who sends it */
	int64_t value;
};

struct stat_label {
	const char *name;
	struct pn_str value; /* from wherever: made printable here */
};

struct stats *stats_new(void);
void stats_free(struct stats *);

/*
 * The series of that name and those labels; made when it is not there. The
 * handle lives as long as the stats. NULL: no stats, or no room for another.
 * A counter's name ends in _total (Prometheus' custom); a series that is
 * asked for shows, even as 0.
 */
struct stat_series *stats_counter(struct stats *, const char *name,
    const struct stat_label *, size_t n_labels);
struct stat_series *stats_gauge(struct stats *, const char *name,
    const struct stat_label *, size_t n_labels);

/* Of a handle that may be NULL. */
static inline void
stat_add(struct stat_series *s, uint64_t n)
{
	if (s == NULL)
		return;
	s->value += (int64_t)n;
	s->changed = true;
}

static inline void
stat_set(struct stat_series *s, int64_t value)
{
	if (s == NULL || s->value == value)
		return;
	s->value = value;
	s->changed = true;
}

/* The i-th series, in the order they were made; NULL behind the last. */
struct stat_series *stats_at(struct stats *, size_t i);

#endif
