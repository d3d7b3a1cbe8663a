/*
 * received - the trace field of mail that ends here (RFC 5321 4.4). Mail that
 * is relayed end to end gets none. Called by deliver and release.
 */
#ifndef SMTP_RECEIVED_H
#define SMTP_RECEIVED_H

#include "base/arena.h"
#include "mail/edits.h"
#include "mail/envelope.h"

/* In front of the header; the accepted recipients count. -1: arena's cap. */
int received_add(struct edits *, struct arena *, const char *hostname,
    const struct client *, const struct envelope *, const char *id);

#endif
