/*
 * lookups - whether the mail hosts of a next hop that goes by MX can be found
 * at all. Of one domain whose DNS does not answer its owner hears from us by
 * 451; of all of them, whoever shares mail out among gateways should (/ready).
 *
 * Embedded in hop, told by resolve; pure.
 */
#ifndef SMTP_LOOKUPS_H
#define SMTP_LOOKUPS_H

#include <stdbool.h>

#include "mail/domain.h"

/* No mail comes to a gateway that is not ready: it must come to be tried. */
#define LOOKUPS_FORGET_MS 60000

enum lookups_state {
	LOOKUPS_UNKNOWN,
	LOOKUPS_FOUND,   /* the last one was answered, if only by no */
	LOOKUPS_FAILING, /* those of two domains in a row were not */
	LOOKUPS_STATES
};

struct lookups { /* zeroed: nothing is known */
	enum lookups_state state;
	char failed[DOMAIN_MAX]; /* the last that had no answer, or "" */
};

/* One has ended. only: all mail goes to this domain. True: that is news. */
bool lookups_ended(
    struct lookups *, const char *domain, bool only, bool answered);

#endif
