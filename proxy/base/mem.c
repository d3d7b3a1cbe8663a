/* mem - see mem.h. */
#include "base/mem.h"

#include <stdlib.h>
#ifdef HAVE_MALLINFO2
#include <malloc.h>
#endif

#include "base/must.h"

void *
xcalloc(size_t count, size_t size)
{
	void *p = calloc(count ? count : 1, size ? size : 1);

	must(p != NULL);
	return p;
}

void *
xrealloc(void *old, size_t size)
{
	void *p = realloc(old, size ? size : 1);

	must(p != NULL);
	return p;
}

size_t
mem_in_use(void)
{
#ifdef HAVE_MALLINFO2
	struct mallinfo2 now = mallinfo2();

	return now.uordblks + now.hblkhd;
#else
	return 0;
#endif
}

char *
xstrdup(const char *s)
{
	return xstrndup(pn_str_of(s));
}

char *
xstrndup(struct pn_str s)
{
	char *p = xcalloc(1, s.n + 1);

	if (s.n > 0)
		memcpy(p, s.p, s.n);
	return p;
}
