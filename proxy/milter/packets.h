/*
 * packets - what an MTA has sent and libmilter has not read yet, of one
 * connection: bytes in, the same bytes out. The packets' frames are followed
 * (32 bits of length, a command, what belongs to it) for two reasons: none goes
 * on that libmilter does not survive, which are lists of macros (it looks behind
 * the end of one that is not whole) and lengths that it misreads; and of a
 * large one most need not lie here first.
 */
#ifndef MILTER_PACKETS_H
#define MILTER_PACKETS_H

#include <stddef.h>

#include "base/buf.h"

/* Zeroed it is empty and valid. */
struct packets {
	struct buf in;
	size_t left; /* of the packet that goes on; 0: look at the next */
};

void packets_add(struct packets *, const void *, size_t n);
/* How many bytes can be taken. 0: more has to come; -1: nothing any more, for
 * next is what libmilter must not see. */
long packets_ready(struct packets *);
/* Takes up to n of those. */
size_t packets_take(struct packets *, void *to, size_t n);
/* So much of what the MTA sends next belongs to the packet that goes on: it can
 * be read past us; then packets_passed(). */
size_t packets_direct(const struct packets *);
void packets_passed(struct packets *, size_t n);
/* Frees what memory it has while it is empty. */
void packets_rest(struct packets *);
void packets_fini(struct packets *);

#endif
