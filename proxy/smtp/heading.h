/*
 * heading - what limits want to know of a message as it came: how large its
 * header is, how many Received fields are in it (RFC 5321 6.3: a loop), and
 * its longest line. Any slicing of the message reads the same.
 *
 * The header ends at the first line that is none of it: an empty one, or one
 * that is neither a field nor folded (RFC 5322 2.2). Owns nothing.
 */
#ifndef SMTP_HEADING_H
#define SMTP_HEADING_H

#include <stdbool.h>
#include <stddef.h>

#include "filters/pn_str.h"

#define HEADING_NAME 128 /* bytes of a line that tell whether it is a field */

struct heading { /* zeroed is the start */
	size_t bytes;      /* of the header so far, with its empty line */
	size_t longest;    /* line so far, without its end */
	unsigned received;
	bool ended;        /* the header did */

	size_t lines, line;      /* lines so far; bytes of the one at hand */
	char name[HEADING_NAME]; /* its beginning */
};

/* What comes next. With stop: no further than the end of the header. */
void heading_feed(struct heading *, struct pn_str piece, bool stop);

#endif
