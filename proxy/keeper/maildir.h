/*
 * maildir - delivery without an MTA: `deliver maildir PATH`.
 *
 * One copy a recipient, as Postfix's virtual(8) delivers a message to each
 * mailbox, so that Delivered-To names whose it is and each can be refiled or
 * thrown away alone. Lines end in LF, as every maildir reader expects; the
 * message begins with Return-Path (RFC 5321 4.4) and Delivered-To.
 */
#ifndef KEEPER_MAILDIR_H
#define KEEPER_MAILDIR_H

#include <sys/types.h>

#include "base/error.h"
#include "mail/keep.h"

/* PATH and its tmp, new, cur, where they are not there yet. */
int maildir_make(const char *path, struct error *);

/*
 * 0: a copy for each recipient lies in new/ and is on the disk. -1: none does
 * of those that this call wrote. The names of copies are made of the id: what
 * an earlier try of the same id has delivered is found and not doubled;
 * `again` looks in cur/ too, where a reader may have put it meanwhile.
 */
int maildir_deliver(const char *path, const struct keep_job *, int fd,
    uint64_t size, bool again, struct error *);

#endif
