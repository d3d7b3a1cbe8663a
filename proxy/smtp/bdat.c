/* bdat - see bdat.h. */
#include "smtp/bdat.h"

bool
bdat_parse(struct pn_str arg, struct chunk *c)
{
	struct pn_str rest;
	size_t i = 0;

	*c = (struct chunk){ 0 };
	for (; i < arg.n && arg.p[i] >= '0' && arg.p[i] <= '9'; i++) {
		if (c->size > BDAT_MAX / 10)
			return false;
		c->size = c->size * 10 + (uint64_t)(arg.p[i] - '0');
	}
	if (i == 0 || c->size > BDAT_MAX)
		return false;
	rest = pn_str_trim(pn_str_sub(arg, i, arg.n));
	c->last = pn_str_caseeq(rest, PN_STR_V("LAST"));
	c->left = c->size;
	return rest.n == 0 || (c->last && (arg.p[i] == ' ' || arg.p[i] == '\t'));
}
