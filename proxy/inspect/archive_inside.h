/*
 * archive_inside - a part being looked into, for the files that are archive:
 * archive.c (what it truly is, and all it may be opened as), archive_unpack.c
 * (what libarchive makes of it).
 */
#ifndef INSPECT_ARCHIVE_INSIDE_H
#define INSPECT_ARCHIVE_INSIDE_H

#include "inspect/format.h"
#include "inspect/part.h"
#include "inspect/zip.h"

static inline void
limit(struct pn_part *p)
{
	p->flags |= PN_PART_LIMIT;
	p->view->defects |= PN_DEFECT_LIMIT;
}

static inline void
ambiguous(struct pn_part *p)
{
	p->flags |= PN_PART_AMBIGUOUS;
	p->view->defects |= PN_DEFECT_AMBIGUOUS;
}

/* ---- archive.c ---- */

/* By what the part truly is; by a name that readers open with an archive
 * program, whatever stands in front. */
bool archive_is(const char *magic);
bool archive_is_named(const struct pn_part *);
/* A part for a member, behind its archive. NULL: a limit. */
struct pn_part *archive_add_member(struct view *, const struct place *,
    struct pn_part *archive, const struct param_values *names);
/* A name in UTF-8; where it holds a NUL, also as C reads it. */
void archive_add_name(struct param_values *, struct pn_str name,
    struct arena *);
/*
 * bytes are all of the part, decoded. place is the part's own inside: depth
 * and path of what lies in it. Whatever the first bytes are, a zip directory
 * at the end makes it a zip.
 */
void archive_look_into(struct view *, const struct place *, struct pn_part *,
    struct pn_str bytes);

/* ---- archive_unpack.c ---- */

/* What a member's packed bytes hold; place is its inside. */
void archive_unpack_zip(struct view *, const struct place *, struct pn_part *,
    const struct zip_member *);
/* As one format has it; false: not one member. */
bool archive_list_as(struct view *, const struct place *, struct pn_part *,
    enum format, struct pn_str bytes);

#endif
