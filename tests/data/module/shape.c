/*
 * shape - modules that are not what they should be, for
 * tests/integration/module.py: -DSHAPE=... says how, -DEMPTY that it is none at all.
 */
#include <filter.h>

enum { OLD, NAMELESS, HOOKLESS };

#ifndef EMPTY
const struct pn_filter pn_filter = {
	.abi = SHAPE == OLD ? PN_ABI - 1 : PN_ABI,
	.name = SHAPE == NAMELESS ? NULL : "shape",
};
#endif
