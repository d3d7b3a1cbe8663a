/*
 * bdat - the argument of BDAT: how many octets follow, and whether they are
 * the last of the message. RFC 3030 2.
 *
 * Called by session (chunk.c), which owns the chunk.
 */
#ifndef SMTP_BDAT_H
#define SMTP_BDAT_H

#include <stdint.h>

#include "mail/reply.h"

#define BDAT_MAX 999999999999999999u /* octets of a chunk that we can count */

struct chunk {
	uint64_t size;
	uint64_t left;   /* octets of it that have yet to come */
	bool last;
	struct reply no; /* why it is thrown away; code 0: it is not */
};

/* "86 LAST". False: it is none of ours, or has more octets than BDAT_MAX. */
bool bdat_parse(struct pn_str arg, struct chunk *);

#endif
