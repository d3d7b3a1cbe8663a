/*
 * body - writes a message to a next hop: a walk over its ranges, dots stuffed
 * when some line begins with one, then CRLF.CRLF (RFC 5321 4.5.2); or, as a
 * chunk whose size was said, not a byte more (RFC 3030).
 *
 * Part of upstream. Undotted text (nearly all) goes from the spool to the
 * socket as it is; dotted text through the wire's buffer.
 */
#ifndef SMTP_BODY_H
#define SMTP_BODY_H

#include "mail/edits.h"
#include "smtp/wire.h"

struct body {
	struct spool *spool;
	const struct edit_ranges *ranges;
	struct edit_cursor cursor;
	size_t left;   /* bytes of the message not yet written */
	bool chunk;
	bool dotted;   /* some line of it begins with a dot, or may */
	bool mid_line; /* the last byte written was no LF */
	bool ended;    /* the end is with the wire */
};

enum body_turn { BODY_SENT, BODY_BLOCKED, BODY_UNREADABLE };

void body_start(struct body *, struct spool *, const struct edit_ranges *,
    bool chunk);
/* Is its last line without CRLF? */
bool body_ends_mid_line(struct spool *, const struct edit_ranges *);
/* BLOCKED: EV_WRITE will come (or the wire is broken): call again then. */
enum body_turn body_send(struct body *, struct wire *);

#endif
