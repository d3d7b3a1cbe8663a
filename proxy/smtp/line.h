/*
 * line - command lines cut from what a client sent. RFC 5321 2.3.8: only CRLF
 * ends a line. A line that is too long, holds a NUL, or a CR or LF on its own,
 * is still read to its CRLF and then reported as such, so that a client and
 * we agree where the next one begins. Any slicing of the input gives the
 * same lines.
 *
 * Called by session; struct line lives in it and owns nothing.
 */
#ifndef SMTP_LINE_H
#define SMTP_LINE_H

#include "base/buf.h"

#define LINE_BYTES 2048      /* with CRLF */
#define LINE_BYTES_PATH 4096 /* MAIL and RCPT: DSN parameters and UTF-8 */
#define LINE_BYTES_AUTH 12288 /* AUTH and what follows it (RFC 4954 4) */

enum line_fault {
	LINE_GOOD,
	LINE_TOO_LONG,
	LINE_NUL,
	LINE_BARE,
	LINE_CHUNK /* any of these in BDAT: where its chunk ends, nobody knows */
};

struct line { /* zeroed is the start */
	size_t looked; /* bytes of the buffer that hold no CRLF's LF */
	bool skipping; /* too long: what comes is dropped up to its CRLF */
	bool chunk;    /* ... and it began with BDAT */
};

/*
 * Take the next line from the buffer. False: none is complete yet. text is
 * without CRLF, empty when too long, and valid until the buffer is next
 * added to.
 */
bool line_next(struct line *, struct buf *in, struct pn_str *text,
    enum line_fault *);
/* Likewise, within AUTH: whatever it begins with, it may be as long as that. */
bool line_next_response(struct line *, struct buf *in, struct pn_str *text,
    enum line_fault *);

#endif
