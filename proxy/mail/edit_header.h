/*
 * edit_header - what a list of edits makes of a header, change by change: the
 * one walk from which edit_ranges.c and edit_ops.c have all they know.
 */
#ifndef MAIL_EDIT_HEADER_H
#define MAIL_EDIT_HEADER_H

#include "base/buf.h"
#include "mail/edits.h"
#include "mail/field.h"

/*
 * A new field (field NULL); or one of those that are there: gone, with text in
 * its place or nothing, or else text between its colon and its value.
 */
struct header_change {
	const struct field *field;
	unsigned nth;       /* of its name, from 1 */
	bool gone;
	struct pn_str name; /* of a new field, or of what is in its place */
	struct pn_str text; /* whole fields, or what comes in between */
};
typedef void header_change_take(void *arg, const struct header_change *);

struct header_walk {
	const struct edits *edits;
	struct spool *spool;
	header_change_take *take;
	void *arg;
	unsigned *seen; /* of each edit: so many fields of its name were met */
	struct buf text;
};

/* -1: the arena's cap. Then, in this order: */
int header_walk_init(struct header_walk *, struct arena *);
/* New fields in front, from the topmost. */
void header_walk_front(struct header_walk *);
/* Fields that change; returns where the header ends. */
size_t header_walk_fields(struct header_walk *);
/* New ones behind the last, and those that were to be changed and are not
 * there. */
void header_walk_end(struct header_walk *);
void header_walk_fini(struct header_walk *);

#endif
