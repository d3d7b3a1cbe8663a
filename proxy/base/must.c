/* must - see must.h. */
#include "base/must.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void
must_fail(const char *cond, const char *file, int line, const char *func)
{
	fprintf(stderr, "postern: %s:%d: %s: must(%s) does not hold\n", file,
	    line, func, cond);
	abort();
}
