/*
 * dot - the end of DATA and the dots in front of lines. RFC 5321 4.5.2, and
 * 2.3.8: only CRLF.CRLF ends it; a CR or LF on its own ends nothing, is
 * remembered, and the message is refused (a sender that another server
 * understands differently must not smuggle a second message in).
 *
 * With .raw it reads a chunk of BDAT (RFC 3030), where a dot is a dot and
 * nothing ends: only line ends are looked at.
 *
 * Works in place on any slice: the unstuffed bytes are moved to the front.
 * Called by intake while a message is received; lives in the session, owns
 * nothing.
 */
#ifndef SMTP_DOT_H
#define SMTP_DOT_H

#include <stdbool.h>
#include <stddef.h>

enum dot_state {
	DOT_BOL, /* a line begins here */
	DOT_DOT, /* it began with a dot, which is withheld */
	DOT_DOT_CR, /* dot and CR, both withheld */
	DOT_TEXT,
	DOT_CR /* within a line, a CR was the last byte */
};

struct dot { /* zeroed is the start */
	enum dot_state state;
	bool raw;    /* no dot is withheld, all that comes is message */
	bool ended;  /* CRLF.CRLF was read */
	bool bare;   /* a CR or LF stood alone: the message is refused, and what
			is given of it from here on does not matter */
	bool dotted; /* some unstuffed line begins with a dot */
	bool new_line; /* normal.h's: a line has just been begun, */
	bool odd_line; /* ... behind a lone CR or LF, */
	bool one_dot;  /* ... and all of it so far is a dot */
};

/*
 * Read up to n bytes of buf; returns how many were taken: all, or up to and
 * with the LF of the end. *kept bytes of message are at the front of buf.
 */
size_t dot_feed(struct dot *, char *buf, size_t n, size_t *kept);

#endif
