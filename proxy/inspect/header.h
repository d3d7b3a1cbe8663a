/*
 * header - a block of header fields in order, with offsets, and what a field
 * says: unfolded, and with RFC 2047's encoded words decoded. RFC 5322 2.2 and
 * 4 (obsolete forms), and everything that is sent instead.
 *
 * Called by mime (each entity) and host. Fields point into the message; what
 * is decoded lies in the arena.
 */
#ifndef INSPECT_HEADER_H
#define INSPECT_HEADER_H

#include <stdint.h>

#include "base/arena.h"
#include "filters/pn_str.h"

struct header_field {
	struct pn_str name; /* without blanks in front of the colon */
	struct pn_str body; /* behind the colon, folded, without the last line end */
	struct pn_str text; /* decoded, once somebody asked; .p NULL: not yet */
	bool reread;        /* found only by readers for whom a bare CR ends a
			       line: it is part of another field as well */
};

struct header {
	struct header_field *fields;
	size_t n;
	size_t size;      /* bytes of the block, with the empty line behind it */
	size_t early;     /* some readers begin the body here: at a line that is
			     no field, or behind one of blanks only; 0: none */
	size_t n_early;   /* fields before that */
	bool bare;        /* a CR alone, a NUL, or lines of both CRLF and LF */
	bool cut;         /* fields were left out at max; Content-* ones are kept
			     to twice that */
	bool unended;     /* no empty line before the end of bytes */
};

/* -1 at the arena's cap. */
int header_parse(struct header *, struct pn_str bytes, size_t max_fields,
    struct arena *);

/* Without line ends (RFC 5322 2.2.3) and outer blanks; .p NULL at the cap. */
struct pn_str header_unfold(struct pn_str body, struct arena *);
/*
 * Encoded words decoded to UTF-8, adjacent ones joined before their charset
 * is, so that a character cut in two is whole again; the rest as
 * charset_guess() reads it. *unknown: some word's charset is not read.
 * .p NULL at the arena's cap.
 */
struct pn_str header_decode(struct pn_str unfolded, struct arena *,
    bool *unknown);

#endif
