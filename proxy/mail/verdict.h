/*
 * verdict - what was decided. Joining is commutative, associative and
 * idempotent: strongest wins (reject > quarantine > tempfail > discard >
 * redirect > tag > accept), among equals the first in the file. To hold is a
 * weaker quarantine.
 */
#ifndef MAIL_VERDICT_H
#define MAIL_VERDICT_H

#include <stdbool.h>

#include "mail/reply.h"

enum verdict_action {
	VERDICT_ACCEPT,
	VERDICT_TAG,
	VERDICT_REDIRECT, /* goes on, to others than it was sent to */
	VERDICT_DISCARD, /* 250 to the client, nothing relayed */
	VERDICT_TEMPFAIL,
	VERDICT_QUARANTINE,
	VERDICT_REJECT
};

struct verdict {
	enum verdict_action action;
	unsigned order;           /* the deciding rule's place in the file */
	struct pn_str rule;       /* its name, or "" */
	struct pn_str class_name; /* quarantine: "default", "attachment", "failed" ... */
	bool hold;                /* QUARANTINE, class "hold": a door with an MTA
				     that can hold mail leaves it to that, and
				     the message goes on there with its edits;
				     the others keep it */
	struct pn_str reason;     /* hold: for the MTA, or "" */
	struct reply reply;       /* reject, tempfail */
	bool degraded;            /* some fact was unknown: the message is marked */
};

/* "accept" "tag" "redirect" "discard" "tempfail" "quarantine" "reject" */
const char *verdict_action_name(enum verdict_action);
/* Is the client told that it was not taken? */
bool verdict_refuses(const struct verdict *);
/* Does it go on, at once or held by the MTA: are edits and other recipients
 * for it? */
bool verdict_passes(const struct verdict *);
/* The stronger of the two into *v; .degraded is or'ed. */
void verdict_join(struct verdict *v, const struct verdict *other);

#endif
