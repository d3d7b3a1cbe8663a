/* uu - see uu.c: a walk over the files in one text. Borrows the text. */
#ifndef INSPECT_UU_H
#define INSPECT_UU_H

#include "inspect/decode.h"

struct uu {
	struct pn_str text;
	size_t at;    /* where the walk goes on */
	bool unended; /* no line "end" from here on */
};

struct uu_file {
	struct pn_str name; /* as written */
	struct pn_str data; /* encoded */
	struct pn_str whole; /* with the lines that begin and end it */
	enum encoding how;
};

/* The next file; false when there is none. Start with .text alone set. */
bool uu_next(struct uu *, struct uu_file *); /* uuencode, begin-base64 */
bool uu_next_yenc(struct uu *, struct uu_file *);

#endif
