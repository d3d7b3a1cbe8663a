/*
 * keep - a worker's link to the keeper: quarantine and maildir jobs with their
 * answers, summaries in batches, releases coming the other way. Owns the ipc;
 * on the worker's loop.
 *
 * When the keeper dies with jobs open, it may have done them: "451" could be
 * a lie. So they wait KEEP_GRACE_MS for the next keeper (keep_attach), which
 * is told the same job again and knows by the id what is done. If none comes,
 * their fate stays unknown and the client hears nothing. The same of a job
 * over which three keepers have died. New jobs fail at once meanwhile: 451.
 */
#ifndef ENGINE_KEEP_H
#define ENGINE_KEEP_H

#include "base/loop.h"
#include "base/stats.h"
#include "mail/edits.h"
#include "mail/keep.h"

struct keep;
struct keep_ticket;

/*
 * NO_ROOM: no disk at the keeper, or no memory here; 452 4.3.1.
 * UNKNOWN: a keeper had the job and none will say what became of it; neither
 * 250 nor 451 would be the truth, so a client hears nothing (RFC 1047).
 */
enum keep_result {
	KEPT_NOT,
	KEPT_NO_ROOM,
	KEPT, /* and fsynced */
	KEPT_UNKNOWN
};
/* text: KEEP_DONE's or KEEP_FAILED's; valid until return. */
typedef void keep_done(void *arg, enum keep_result, struct pn_str text);
typedef void keep_counted(void *arg, bool ok, uint32_t count);
/* A message to relay for the keeper: the first size bytes of fd, which is the
 * callee's; the job is valid until return. Answer with keep_released(). */
typedef void keep_release(void *arg, const struct keep_job *, uint64_t job,
    int fd, uint64_t size);

/* An operator takes a server out of use (on), or back; server "": all. */
typedef void keep_drain(void *arg, struct pn_str upstream,
    struct pn_str server, bool on);

#define KEEP_GRACE_MS 3000
/* A keeper that is alive and does not answer. Less than the ten minutes that
 * a client waits for the reply to its dot (RFC 5321 4.5.3.2.6). */
#define KEEP_ANSWER_MS 300000

struct keep *keep_new(struct loop *, int sock);
void keep_free(struct keep *);
void keep_attach(struct keep *, int sock);
void keep_on_release(struct keep *, keep_release *, void *arg);
void keep_on_drain(struct keep *, keep_drain *, void *arg);

/*
 * type: KEEP_QUARANTINE or KEEP_MAILDIR, with KEEP_AGAIN if an earlier process
 * may have had the same job done. The body (ranges over spool; NULL
 * ranges: the spool as it is) is copied into a parcel at once: spool and job
 * may go. done is called later from the loop. NULL: no keeper, or the body
 * could not be copied (*e, which says whether room is short).
 */
struct keep_ticket *keep_submit(struct keep *, uint32_t type,
    const struct keep_job *, struct spool *, const struct edit_ranges *,
    keep_done *, void *arg, struct error *e);
void keep_cancel(struct keep_ticket *); /* done is not called; the job may
					   still be done */
void keep_summary(struct keep *, const struct keep_summary *); /* batched */
/* Count (or only look up) a body that broke an inspector; false: no keeper. */
struct keep_ticket *keep_suspect(struct keep *, const unsigned char sha256[32],
    bool count, keep_counted *, void *arg);
/*
 * This worker's counters: the keeper hears of what changed every KEEP_STATS_MS
 * and at the end. NULL without a keep, which stats_counter() takes for "do not
 * count".
 */
struct stats *keep_stats(struct keep *);
#define KEEP_STATS_MS 2000
/* ... what changed now, and need not wait so long: before an earlier generation's
 * are gone, or where somebody looks whether we are well. NULL is fine. */
void keep_tell_stats(struct keep *);
/*
 * What an operator should know of a module (mail/keep.h): told like the
 * counters, and again to each new keeper. At most KEEP_SAID_MAX parts; more
 * are not told. True: it is another text than before.
 */
bool keep_say(struct keep *, struct pn_str module, struct pn_str part,
    struct pn_str text);
#define KEEP_SAID_MAX 500
/*
 * A counter that all workers share. counted is called later from the loop; not
 * known: the keeper is gone (its like is not asked again: that would count
 * twice). NULL: it is away, or the key is too long.
 */
typedef void keep_number(void *arg, bool known, int64_t value, uint64_t age_ms);
struct keep_ticket *keep_count(struct keep *, const struct keep_counter *,
    keep_number *, void *arg);
/* The same without an answer. False: no keeper. */
bool keep_count_only(struct keep *, const struct keep_counter *);
void keep_released(struct keep *, uint64_t job, const struct keep_outcome *);

#endif
