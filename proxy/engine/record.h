/*
 * record - what a mail leaves in the log, through whichever door it came: one
 * line a message at info, one a connection at debug. What an MTA asked about
 * has its name there (queue=) and the door's at the line's end.
 *
 * Called by the doors, on the loop.
 */
#ifndef ENGINE_RECORD_H
#define ENGINE_RECORD_H

#include "engine/engine.h"

/* The message was answered with code (0: nobody was left to hear it). size:
 * bytes that came of it. */
void record_message(const struct transaction *, uint64_t size, uint16_t code);
/* t->early was given as the answer, before any RCPT: line and summary. */
void record_early(struct engine *, struct transaction *t, uint16_t code);
/* A mail that ended before its message: line and summary, but only if some
 * recipients were refused. */
void record_abandoned(struct engine *, struct transaction *);
/* A connection ended; base: what was known of it. */
void record_connection(
    const struct transaction *base, unsigned messages, unsigned errors);

#endif
