/*
 * identity - who the client is, told onward and taken in: XCLIENT (Postfix
 * XCLIENT_README: the next hop treats us as if we were the client) and
 * XFORWARD (XFORWARD_README: for its log alone). Attribute values are xtext.
 *
 * Outward called by upstream, inward by command; owns nothing.
 */
#ifndef SMTP_IDENTITY_H
#define SMTP_IDENTITY_H

#include "base/arena.h"
#include "base/buf.h"
#include "mail/envelope.h"
#include "mail/reply.h"

/* One command with every attribute of attrs (enum attribute) we know. */
void identity_xclient(struct buf *, const struct client *, unsigned attrs);
/*
 * As many commands as lines of 512 bytes need; returns their number. ident:
 * our id of the message. local: the client is one of our own networks.
 */
unsigned identity_xforward(struct buf *, const struct client *,
    const char *ident, bool local, unsigned attrs);

/*
 * Attributes from a listed MTA into *c; strings go into the arena. False: *r
 * says what was wrong, and *c may be half changed. xforward: the attributes
 * of that command, else XCLIENT's.
 */
bool identity_read(struct pn_str args, bool xforward, struct arena *,
    struct client *c, struct reply *r);

#endif
