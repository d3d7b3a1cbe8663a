/*
 * history - what became of every message, for `explain` and for questions of
 * next week. Written in batches that nobody waits for: a power cut may take
 * the last ones, and no mail with them. What is older than the retention goes,
 * and the oldest go where the file grows past its cap.
 *
 *   STATE/history.db   SQLite; apart from the index, so that a batch of
 *                      summaries costs no fsync
 *
 * history: one line a message, short, so that a search reads through many of
 * them quickly; trace: the full story of all but plain accepts. suspects: how
 * often a body broke an inspector within a day; same file.
 * Owned by keeper.c (or a test); one thread.
 */
#ifndef KEEPER_HISTORY_H
#define KEEPER_HISTORY_H

#include "base/buf.h"
#include "base/error.h"
#include "keeper/query.h"
#include "mail/keep.h"

struct history;

struct history *history_open(const char *state_dir, struct error *e);
void history_close(struct history *);

/*
 * One frame of KEEP_VERDICT, one transaction. -1: nothing of it was taken.
 * text false: what stood in the message is not written down (trace_redact() of
 * trace.h, and no subject).
 */
int history_add(struct history *, struct unpack *frame, bool text,
    struct error *e);

struct history_limits {
	uint64_t days;
	uint64_t bytes; /* of the file; 0: no cap */
};
/*
 * Forget what is too much, HISTORY_SLICE lines at most: call again until 0.
 * Returns how many lines went, or -1.
 */
#define HISTORY_SLICE 2000
int history_expire(struct history *, const struct history_limits *,
    uint64_t now_us, struct error *e);

/* One JSON object, trace included (null: none was kept). 1, 0 no such id, -1. */
int history_show(struct history *, struct pn_str id, struct buf *json,
    struct error *e);
int history_count(struct history *, int64_t *messages, int64_t *bytes,
    struct error *e);

/* ---- search: history_search.c ---- */

/*
 * A search goes by slices, so that mail need not wait for it: step until 0.
 * The query's texts are borrowed until the end. json: an open array; objects
 * of one message each, newest first. Returns 1 go on, 0 done, -1.
 */
struct history_search;
struct history_search *history_search_new(struct history *,
    const struct mail_query *, struct error *e);
int history_search_step(struct history_search *, struct buf *json,
    struct error *e);
/* There are more behind the limit. */
bool history_search_more(const struct history_search *);
void history_search_free(struct history_search *);

/* ---- suspects: suspect.c ---- */

#define SUSPECT_KEY 32                 /* a SHA-256 */
#define SUSPECT_LIFE_US 86400000000ull /* from the first time on */

/*
 * How often this key was seen within a day of now_us, this time included when
 * counting. A day after the first time it begins anew.
 */
int suspect_count(struct history *, const unsigned char key[SUSPECT_KEY],
    bool count, uint64_t now_us, uint32_t *times, struct error *e);

#endif
