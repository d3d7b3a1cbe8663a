/*
 * parcel - a message and its job in one memfd: [message][packed keep_job].
 *
 * The form in which KEEP_QUARANTINE, KEEP_MAILDIR and KEEP_RELEASE travel:
 * a thousand recipients with their parameters do not fit into a frame. The
 * frame's body is one u64, the message's size; its descriptor is the parcel.
 * Written by one side, read by the other; each closes its own descriptor.
 */
#ifndef MAIL_PARCEL_H
#define MAIL_PARCEL_H

#include "base/error.h"
#include "mail/edits.h"
#include "mail/keep.h"

#define PARCEL_JOB_MAX (16u << 20) /* bytes of a packed job; more is hostile */

/*
 * A new memfd, close-on-exec. ranges over spool, or the spool as it is when
 * NULL. *size becomes the message's bytes. -1 and *e.
 */
int parcel_from_spool(struct spool *, const struct edit_ranges *,
    const struct keep_job *, uint64_t *size, struct error *e);
/* The same from a file's first size bytes (release). */
int parcel_from_file(int file, uint64_t size, const struct keep_job *,
    struct error *e);
/* The job behind the message; everything in the arena. -1 and *e. */
int parcel_job(int fd, uint64_t size, struct keep_job *, struct arena *,
    struct error *e);

#endif
