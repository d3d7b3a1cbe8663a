/*
 * normal - line ends of a message put right while it is received: a CR or LF
 * on its own becomes CRLF (`bare_newline normalise`).
 *
 * In DATA the end, and the dots that are taken off, are those of dot.h: only
 * CRLF.CRLF ends it. Behind a bare line end a dot is taken off where there are
 * two: its sender doubled them. One alone he did not, and it stays.
 *
 * Called by intake in place of dot_feed(); lives in the session.
 */
#ifndef SMTP_NORMAL_H
#define SMTP_NORMAL_H

#include "base/buf.h"
#include "smtp/dot.h"

/*
 * Read up to n bytes into out; how many were taken, as dot_feed() says. d is
 * as after dot_feed(), but that .dotted is true of what lies in out, and that
 * .bare says that it was changed.
 */
size_t normal_feed(struct dot *d, const char *p, size_t n, struct buf *out);
/* No byte comes any more: a CR that waits for its LF gets one. */
void normal_end(struct dot *d, struct buf *out);

#endif
