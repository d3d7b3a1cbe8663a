/*
 * mime_inside - one buffer being read as an entity, for the files that are
 * mime: mime.c (the tree), mime_boundary.c (where parts begin and end),
 * mime_leaf.c (what lies in a part that MIME takes for a leaf).
 */
#ifndef INSPECT_MIME_INSIDE_H
#define INSPECT_MIME_INSIDE_H

#include "inspect/mime_fields.h"

#define BOUNDARY_MAX 1000

struct boundary {
	struct pn_str text;
	struct place place; /* of the parts it separates */
	bool digest;
};

struct reading {
	struct view *view;
	struct pn_str bytes;
	struct boundary *known; /* [n_known] sorted; none is a prefix of another */
	size_t n_known, room;
	const char **taken;     /* open hash of delimiter lines the tree used */
	size_t n_taken, taken_size;
	bool odd;               /* a line looked like a delimiter and was none */
	size_t declared;        /* boundaries seen in all */
	size_t budget;          /* bytes that may still be scanned */
};

static inline void
note(struct view *v, unsigned defects)
{
	v->defects |= defects;
}

/* ---- the tree (mime.c) ---- */

/* An entity whose bytes are these: its parts, and what is in them. */
void mime_entity(struct reading *, const struct place *, struct pn_str bytes,
    bool digest);
/* A part for it, of that type; NULL: there is no room. */
struct pn_part *mime_add_part(struct reading *, const struct place *,
    const struct entity *, struct pn_str type, bool container);
/* Count n bytes that are gone over once more; false: the budget forbids it. */
bool mime_may_scan(struct reading *, size_t n);

/* ---- where parts begin and end (mime_boundary.c) ---- */

struct delimiter {
	const char *line;  /* its "--" */
	const char *next;  /* first byte of what follows */
	bool exact;        /* nothing but blanks behind the boundary */
	bool close;        /* "--" behind it */
};

/* A boundary of the parts at that place: the second look goes by it, too. */
void boundary_declare(struct reading *, struct pn_str text,
    const struct place *, bool digest);
/* The declared one that s begins with, or NULL. */
const struct boundary *boundary_known(const struct reading *, struct pn_str s);
/* The first line at or behind p that begins with one, or NULL. */
const char *boundary_line(const struct reading *, const char *p);
/* The line at hand, whole, with so many bytes of boundary. */
struct delimiter delimiter_at(const char *line, const char *end,
    size_t boundary);
/* The next line of that boundary, whole; others that begin so are odd. */
bool delimiter_next(struct reading *, const char *from, struct pn_str body,
    struct pn_str boundary, struct delimiter *);
/* Has the tree used this line? It does now; false: no memory. */
bool delimiter_is_taken(const struct reading *, const char *line);
bool delimiter_take(struct reading *, const char *line);
/* Of the part in front: without the line end that belongs to the delimiter. */
struct pn_str part_before(const char *from, const char *line);
/* No boundary was declared, or none that occurs: the first line that could be
 * one, as readers guess it. */
struct pn_str boundary_guess(struct pn_str body);

/* ---- leaves (mime_leaf.c) ---- */

void mime_leaf(struct reading *, const struct place *, const struct entity *,
    struct pn_str type, enum encoding, struct pn_str body);
/* A message inside: depth one more, a buffer of its own if it was encoded. */
void mime_message(struct reading *, const struct place *, struct pn_part *,
    enum encoding, struct pn_str body);
/* All of bytes decoded, in the arena; .p NULL at a limit. */
struct pn_str mime_decode(struct view *, enum encoding, struct pn_str bytes);

#endif
