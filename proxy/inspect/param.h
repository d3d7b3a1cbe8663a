/*
 * param - Content-Type, Content-Disposition and their kin: the value and its
 * parameters, each in every reading some mail reader has. RFC 2045 5.1, RFC
 * 2183 2, RFC 2231 3-4, RFC 2047 (which forbids what everybody does).
 *
 * Called by mime. Results lie in the arena or in the field's body.
 */
#ifndef INSPECT_PARAM_H
#define INSPECT_PARAM_H

#include "base/arena.h"
#include "filters/pn_str.h"

#define PARAM_VALUES 16

/* Different readings, or values, of one thing; in the order found. */
struct param_values {
	struct pn_str v[PARAM_VALUES];
	size_t n;
	bool more;    /* there were more than fit, or the arena is full */
	bool unknown; /* some were in a charset we do not read */
};

/* Adds one unless it is there already. */
void param_add(struct param_values *, struct pn_str);
/*
 * The value in front of the parameters, lower case, without comments, blanks
 * and quotes: "text/plain"; body is unfolded. .p NULL at the arena's cap.
 */
struct pn_str param_main(struct pn_str body, struct arena *);
/*
 * Adds every reading of the parameter called attr. decode: RFC 2047 words and
 * %XX are looked into (names; a boundary is taken as it stands).
 */
void param_read(struct param_values *, struct pn_str body, struct pn_str attr,
    bool decode, struct arena *);

#endif
