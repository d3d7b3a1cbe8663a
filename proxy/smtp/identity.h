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
 * says what was wrong, and *c is as it was.
 *
 * XFORWARD may come in several commands: told has the attributes of those
 * before (0: this is the first), and those of this one thereafter. As in
 * Postfix, what none of them tells is not known, but for the address, which
 * stays the MTA's own.
 */
bool identity_read_xclient(struct pn_str args, struct arena *,
    struct client *c, struct reply *r);
bool identity_read_xforward(struct pn_str args, unsigned *told, struct arena *,
    struct client *c, struct reply *r);

#endif
