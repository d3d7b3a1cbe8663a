/*
 * quarantine - mail that is held: the raw message in a file, all that is
 * known about it in the index.
 *
 *   STATE/quarantine/tmp/ID         being written
 *   STATE/quarantine/IIII/ID.eml    unstuffed, CRLF; IIII: the id's first four
 *   STATE/index.db                  SQLite, every commit on the disk
 *   STATE/lock                      flock(2): who holds it may recover
 *
 * Storing: file, then row: a row promises its file. Deleting: row, then file.
 * So a file without a row was promised to nobody (or is deleted already), and
 * goes at the next start; a row without a file is an accident and reported.
 * Only a keeper that is alone may think so: another one, of a master that
 * died, may still serve its last sessions and stand between file and row.
 * STATE/lock is held as long as a keeper lives.
 *
 * States of a message, and of each of its recipients:
 *
 *   held -> releasing -> released          2xx
 *                     -> waiting           4xx: tried again, see below
 *                     -> unknown           no answer, or somebody died: tried
 *                                          again too; it may be there already
 *                     -> refused           5xx
 *   waiting -> failed                      its time is over
 *
 * A message is what the worst of its recipients is: releasing, unknown,
 * waiting, failed, refused, released. A release that an operator asks for goes
 * to all recipients that are not `released`, from any state but releasing; a
 * further try to those alone that are waiting or unknown. Waits and the time
 * in all are settings.h's. Owned by keeper.c (or a test); one thread.
 */
#ifndef KEEPER_QUARANTINE_H
#define KEEPER_QUARANTINE_H

#include <sys/types.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "keeper/query.h"
#include "keeper/settings.h"
#include "mail/keep.h"

struct quarantine;

/* Opens, and recovers if nobody else is there. state_dir is there
 * (keeper_prepare). */
struct quarantine *quarantine_open(const char *state_dir, struct error *e);
/* Put right what a crash left, once: 1 done (now or before), 0 there is
 * another keeper, ask again later, -1. */
int quarantine_recover(struct quarantine *, struct error *e);
void quarantine_close(struct quarantine *);

/*
 * 0: message and row are on the disk. The message is the first size bytes of
 * fd. An id that is there already is stored already: 0 again, nothing done.
 */
int quarantine_store(struct quarantine *, const struct keep_job *, int fd,
    uint64_t size, struct error *e);

/* Is it a name of ours? What is not is asked for in no query and no path. */
bool quarantine_id_valid(struct pn_str id);

/*
 * The job as it came, with the recipients a release goes to (again: a further
 * try); all in the arena. 1, or 0 when there is none of that id.
 */
int quarantine_job(struct quarantine *, struct pn_str id, bool again,
    struct keep_job *, struct arena *, struct error *e);
/* The message, read-only. */
int quarantine_body(struct quarantine *, struct pn_str id, uint64_t *size,
    struct error *e);

/* ---- releases: quarantine_release.c ---- */

/* One try of a release: which, by whom, when. */
struct quarantine_try {
	uint64_t job; /* unique for ever */
	unsigned worker, generation;
	uint64_t now_us;
	bool again; /* a further one; else an operator asked, and it begins anew */
};
/* State of all (and of the recipients it goes to) to `releasing`. */
int quarantine_release(struct quarantine *, struct pn_str id,
    const struct quarantine_try *, struct error *e);
/*
 * Replies to some recipients of a release. An outcome of another job than the
 * last is nobody's and ignored. *finished: none is open any more.
 */
int quarantine_outcome(struct quarantine *, uint64_t job,
    const struct keep_outcome *, uint64_t now_us, bool *finished,
    struct error *e);
/* Nobody will answer this one. unsent: nor did anybody begin with it. */
int quarantine_lost(struct quarantine *, uint64_t job, bool unsent,
    uint64_t now_us, struct error *e);
/* A further try could not be begun: after the next wait, then. */
int quarantine_put_off(struct quarantine *, struct pn_str id, uint64_t now_us,
    struct error *e);
/* Those that are `releasing`, each once. take: false ends it. */
typedef bool quarantine_open_take(void *arg, struct pn_str id, uint64_t job,
    unsigned worker, unsigned generation);
int quarantine_releasing(struct quarantine *, quarantine_open_take *, void *arg,
    struct error *e);
/* The next one that is to be tried again: when and which; *next_us 0: none. */
int quarantine_next(struct quarantine *, uint64_t *next_us, char id[32],
    struct error *e);

/* ---- what goes, and when: quarantine_keep.c ---- */

/* Quota and retention from here on; borrowed. None: neither. */
void quarantine_use(struct quarantine *, const struct keeper_settings *);
/* 1 deleted, 0 no such id. Refused (-1) while it is being released. */
int quarantine_delete(struct quarantine *, struct pn_str id, struct error *e);
/*
 * Delete what its class keeps no longer; what is being released, or is to be
 * tried again, stays. QUARANTINE_SLICE messages at most: call again until 0.
 * Returns how many went, or -1. steady_us is of a clock that nobody sets: after
 * now_us ran away from it nothing goes for a day.
 */
#define QUARANTINE_SLICE 200
int quarantine_expire(struct quarantine *, uint64_t now_us, uint64_t steady_us,
    struct error *e);

struct quarantine_counts {
	uint64_t expired, dropped; /* messages: too old; for room */
	uint64_t refused;          /* no room was to be had */
};
void quarantine_counted(const struct quarantine *, struct quarantine_counts *);
/* What each class holds in each state. */
typedef void quarantine_use_of(void *arg, struct pn_str class_name,
    struct pn_str state, int64_t messages, int64_t bytes);
int quarantine_usage(struct quarantine *, quarantine_use_of *, void *arg,
    struct error *e);

/* ---- as JSON: quarantine_json.c ---- */

/* One object each, newest first, into "messages". Returns how many, or -1. */
int quarantine_list(struct quarantine *, const struct mail_query *,
    struct buf *json, struct error *e);
/* One of the list's lines, "message". 1, 0 no such id, -1. */
int quarantine_brief(struct quarantine *, struct pn_str id, struct buf *json,
    struct error *e);
/* As one JSON object with all there is, trace included. 1, 0 or -1. */
int quarantine_show(struct quarantine *, struct pn_str id, struct buf *json,
    struct error *e);
int quarantine_count(struct quarantine *, int64_t *messages, int64_t *bytes,
    struct error *e);

#endif
