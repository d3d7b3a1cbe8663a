/*
 * probe - what next hops announce, asked before a client does. One short
 * connection at the start and whenever what is known is older than a minute
 * (each dial renews it too). Called by listener, hop and route; a server of the
 * hop owns it.
 */
#ifndef SMTP_PROBE_H
#define SMTP_PROBE_H

#include "smtp/upstream.h"

/* Ask its servers again if it is time to. Returns at once. */
void probe_if_stale(struct hop *);
/* Ask this one now, but for one that is being asked. */
void probe_start(struct server *);
void probe_stop(struct server *);

#endif
