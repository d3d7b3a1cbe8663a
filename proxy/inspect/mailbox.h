/*
 * mailbox - the addresses of a From, To, Cc ... field. RFC 5322 3.4 with its
 * obsolete forms (routes, comments, empty list elements), and what is sent
 * instead; groups are flattened.
 *
 * Pure; results lie in the arena or in the field.
 */
#ifndef INSPECT_MAILBOX_H
#define INSPECT_MAILBOX_H

#include "base/arena.h"
#include "filters/pn_str.h"

struct mailbox {
	struct pn_str display; /* decoded to UTF-8; "" */
	struct pn_str local;   /* without quotes */
	struct pn_str domain;  /* "" when there is no "@" */
};

/*
 * The next mailbox at or behind *at in the field's body, folded or not; false
 * at the end (or the arena's cap). Two addresses in angle brackets in one
 * element are two mailboxes: readers differ in which they show.
 */
bool mailbox_next(struct pn_str field, size_t *at, struct mailbox *,
    struct arena *);

#endif
