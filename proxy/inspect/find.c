/* find - see find.h. */
#include "inspect/find.h"

#include <string.h>

#define RARE 64 /* times a letter is looked for, until it is no rare one */

const char *
find_word(struct pn_str s, struct pn_str word)
{
	const char *p;

	for (int tries = 0; s.n >= word.n && tries < RARE; tries++) {
		p = memchr(s.p, word.p[0], s.n);
		if (p == NULL)
			return NULL;
		s = pn_str_sub(s, (size_t)(p - s.p), s.n);
		if (pn_str_starts(s, word))
			return p;
		s = pn_str_sub(s, 1, s.n);
	}
	return s.n >= word.n ? memmem(s.p, s.n, word.p, word.n) : NULL;
}
