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
 *                     -> held              4xx
 *                     -> refused           5xx
 *                     -> unknown           no answer, or somebody died meanwhile
 *
 * A release goes to all recipients that are not `released`, from any state but
 * releasing. Owned by keeper.c (or a test); one thread.
 */
#ifndef KEEPER_QUARANTINE_H
#define KEEPER_QUARANTINE_H

#include <sys/types.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
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
 * The job as it came, with the recipients a release goes to; all in the
 * arena. 1, or 0 when there is none of that id.
 */
int quarantine_job(struct quarantine *, struct pn_str id, struct keep_job *,
    struct arena *, struct error *e);
/* The message, read-only. */
int quarantine_body(struct quarantine *, struct pn_str id, uint64_t *size,
    struct error *e);

/* State of all (and of the recipients a release goes to) to `releasing`. */
int quarantine_release(struct quarantine *, struct pn_str id, uint64_t job,
    struct error *e);
/*
 * Replies to some recipients of a release. An outcome of another job than the
 * last is nobody's and ignored. *finished: none is open any more.
 */
int quarantine_outcome(struct quarantine *, uint64_t job,
    const struct keep_outcome *, bool *finished, struct error *e);
/* Nobody will answer this one. */
int quarantine_lost(struct quarantine *, uint64_t job, struct error *e);

/* 1 deleted, 0 no such id. Refused (-1) while it is being released. */
int quarantine_delete(struct quarantine *, struct pn_str id, struct error *e);

/* As JSON: one object each, newest first, at most limit; older than `before`
 * (an id) unless that is "". Returns how many, or -1. */
int quarantine_list(struct quarantine *, struct pn_str before, unsigned limit,
    struct buf *json, struct error *e);
/* One of the list's lines, "message". 1, 0 no such id, -1. */
int quarantine_brief(struct quarantine *, struct pn_str id, struct buf *json,
    struct error *e);
/* As one JSON object with all there is, trace included. 1, 0 or -1. */
int quarantine_show(struct quarantine *, struct pn_str id, struct buf *json,
    struct error *e);
int quarantine_trace(struct quarantine *, struct pn_str id, struct buf *trace,
    struct error *e);
int quarantine_count(struct quarantine *, int64_t *messages, int64_t *bytes,
    struct error *e);

#endif
