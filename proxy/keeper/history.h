/*
 * history - what became of every message, for `explain` and for questions of
 * next week. Written in batches that nobody waits for: a power cut may take
 * the last ones, and no mail with them. Lines older than the retention go.
 *
 *   STATE/history.db   SQLite; apart from the index, so that a batch of
 *                      summaries costs no fsync
 *
 * suspects: how often a body broke an inspector within a day; same file.
 * Owned by keeper.c (or a test); one thread.
 */
#ifndef KEEPER_HISTORY_H
#define KEEPER_HISTORY_H

#include "base/buf.h"
#include "base/error.h"
#include "mail/keep.h"

struct history;

struct history *history_open(const char *state_dir, struct error *e);
void history_close(struct history *);

/* One frame of KEEP_VERDICT, one transaction. -1: nothing of it was taken. */
int history_add(struct history *, struct unpack *frame, struct error *e);
/* Forget what is older. Returns how many lines went, or -1. */
int history_expire(struct history *, uint64_t days, uint64_t now_us,
    struct error *e);
/* One JSON object, trace included (null: none was kept). 1, 0 no such id, -1. */
int history_show(struct history *, struct pn_str id, struct buf *json,
    struct error *e);
int history_count(struct history *, int64_t *messages, struct error *e);

#define SUSPECT_KEY 32                 /* a SHA-256 */
#define SUSPECT_LIFE_US 86400000000ull /* from the first time on */

/*
 * How often this key was seen within a day of now_us, this time included when
 * counting. A day after the first time it begins anew.
 */
int suspect_count(struct history *, const unsigned char key[SUSPECT_KEY],
    bool count, uint64_t now_us, uint32_t *times, struct error *e);

#endif
