/*
 * tnef - the files in a winmail.dat, as Outlook wraps and unwraps them.
 * MS-OXTNEF 2.1. Called by archive; pure, results lie in the bytes or the
 * arena.
 */
#ifndef INSPECT_TNEF_H
#define INSPECT_TNEF_H

#include "base/arena.h"
#include "inspect/param.h"

struct tnef_file {
	struct param_values names; /* every one it has, short and long */
	struct pn_str data;
	bool nested;               /* holds a message that is not looked into */
};

bool tnef_is(struct pn_str bytes);
/* The next file; false at the end. *at is 0 at first. *cut: an attribute
 * reaches past the end of bytes. */
bool tnef_next(struct pn_str bytes, size_t *at, struct tnef_file *, bool *cut,
    struct arena *);

#endif
