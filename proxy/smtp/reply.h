/*
 * reply - replies as they go out and come in. RFC 5321 4.2 (codes, several
 * lines, 512 bytes a line), RFC 2034 and 3463 (the enhanced status in each
 * line). Called by session, upstream and release; owns nothing.
 */
#ifndef SMTP_REPLY_H
#define SMTP_REPLY_H

#include "base/buf.h"
#include "mail/reply.h"

#define REPLY_LINE 512            /* RFC 5321 4.5.3.1.5, with CRLF */
#define REPLY_BYTES (64 * 1024)   /* of a whole reply from a next hop */

/* Text longer than a line goes on in the next, cut at a blank. */
void reply_put(struct buf *, const struct reply *);

/* A reply of a next hop, all its lines as they came. */
struct reply_lines {
	uint16_t code;
	struct pn_str raw; /* with every CRLF; valid until the buf is added to */
};

enum reply_taken { REPLY_NONE, REPLY_WHOLE, REPLY_BROKEN };

/*
 * Take one from the front. NONE: not complete yet. BROKEN: no reply at all,
 * lines of different codes, a bare CR or LF, a NUL, or more than REPLY_BYTES.
 */
enum reply_taken reply_take(struct buf *in, struct reply_lines *);
/* Of the one at the front, all of it; 0: NONE, -1: BROKEN. */
long reply_length(struct pn_str in, uint16_t *code);
/* Word for word to a client; lines are cut where its own limit is. */
void reply_pass(struct buf *, const struct reply_lines *);
/* The last line's text behind code and enhanced status. */
struct pn_str reply_text(const struct reply_lines *);

#endif
