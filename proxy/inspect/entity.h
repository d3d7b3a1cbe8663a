/*
 * entity - character references of HTML ("&amp;", "&#x26;") as browsers read
 * them: HTML 13.2.5.72 and the list of 13.5.
 *
 * Called by html. Pure.
 */
#ifndef INSPECT_ENTITY_H
#define INSPECT_ENTITY_H

#include "base/buf.h"
#include "filters/pn_str.h"

struct entity_name {
	const char *name; /* without '&' and ';' */
	const char *text; /* UTF-8 */
	bool bare;        /* also read without its ';' */
};
extern const struct entity_name entity_names[]; /* sorted by strcmp() */
extern const size_t entity_n_names;

/*
 * The reference at the start of s, which begins with '&': its bytes, and what
 * it stands for in *text (room holds what is a number); 0 when it is none. In
 * an attribute "&copy=1" is none.
 */
size_t entity_read(struct pn_str s, bool in_attribute, char room[4],
    struct pn_str *text);
/* s with all references replaced, behind out. */
void entity_decode(struct pn_str s, bool in_attribute, struct buf *out);

#endif
