/*
 * metrics - what all workers of all generations have counted, added up, and
 * the text that Prometheus reads (exposition format 0.0.4).
 *
 * A worker's numbers are its own since it began. What those that are gone had
 * counted stays in the sum, so that a total never goes back while the keeper
 * lives; after a keeper's death the living tell theirs again and the dead are
 * forgotten, which Prometheus takes for the reset that it is. Levels (gauges)
 * go with their worker. Owned by keeper.c; one thread.
 */
#ifndef KEEPER_METRICS_H
#define KEEPER_METRICS_H

#include "base/buf.h"
#include "base/error.h"
#include "base/pack.h"

#define METRICS_MAX 4000 /* series of all workers; more are counted, not kept */

struct metrics;
struct metrics_source; /* one worker, as long as its link lives */

struct metrics *metrics_new(void);
void metrics_free(struct metrics *); /* and the sources that are left */

struct metrics_source *metrics_source_new(struct metrics *, unsigned worker,
    unsigned generation);
void metrics_source_end(struct metrics_source *);
/* A frame of KEEP_STATS. -1: not of our form; what came before it counts. */
int metrics_take(struct metrics_source *, struct unpack *frame,
    struct error *e);

/* The sum over all sources, living and gone, of one name's series whose
 * labels contain `label` ("" of all). */
int64_t metrics_sum(const struct metrics *, const char *name,
    const char *label);

/*
 * Each series of that name that a worker of the newest generation has told,
 * and the sum over these workers: how things stand, where an older generation
 * still drains. Borrowed by the callee as long as the metrics.
 */
typedef void metrics_level(void *arg, const char *labels, int64_t value);
void metrics_each_level(const struct metrics *, const char *name,
    metrics_level *, void *arg);
/* The value of one label, as written (escaped); "" without it. */
struct pn_str metrics_label_of(const char *labels, const char *key);

/* "workers":[...] and "series":{...} into an open JSON object. */
void metrics_json(const struct metrics *, struct buf *);
/* Every series as Prometheus wants it: by family, HELP and TYPE first. */
void metrics_text(const struct metrics *, struct buf *);

/*
 * Families of the caller's own: the head, then its samples. name without
 * "postern_"; labels as in KEEP_STATS.
 */
void metrics_family(struct buf *, const char *name, const char *type,
    const char *help);
void metrics_sample(struct buf *, const char *name, const char *labels,
    int64_t value);
/* key="value" for labels, escaped. */
void metrics_label(struct buf *, const char *key, struct pn_str value);

#endif
