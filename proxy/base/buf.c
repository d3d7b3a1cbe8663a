/* buf - see buf.h. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/must.h"

void
buf_fini(struct buf *b)
{
	size_t max = b->max;

	free(b->mem);
	*b = (struct buf){ .max = max };
}

void
buf_clear(struct buf *b)
{
	b->start = b->end = 0;
	b->full = false;
}

void
buf_drop(struct buf *b, size_t n)
{
	must(n <= buf_len(b));
	b->start += n;
	if (b->start == b->end)
		b->start = b->end = 0;
}

static void
make_room(struct buf *b, size_t n)
{
	size_t size = b->size ? b->size : 256;

	if (b->start > 0) {
		memmove(b->mem, b->mem + b->start, buf_len(b));
		b->end -= b->start;
		b->start = 0;
	}
	while (size - b->end < n)
		size *= 2;
	if (size != b->size)
		b->mem = xrealloc(b->mem, b->size = size);
}

char *
buf_room(struct buf *b, size_t n)
{
	if (b->full || (b->max > 0 && n > b->max - buf_len(b))) {
		b->full = true;
		return NULL;
	}
	/* No room is not what nothing needs: NULL would mean the cap. */
	if (b->mem == NULL || b->size - b->end < n)
		make_room(b, n);
	return b->mem + b->end;
}

void
buf_added(struct buf *b, size_t n)
{
	must(n <= b->size - b->end);
	b->end += n;
}

bool
buf_add_str(struct buf *b, struct pn_str s)
{
	return buf_add(b, s.p, s.n);
}

bool
buf_puts(struct buf *b, const char *cstr)
{
	return buf_add(b, cstr, strlen(cstr));
}

bool
buf_printf(struct buf *b, const char *fmt, ...)
{
	size_t here = b->mem != NULL ? b->size - b->end : 0;
	va_list ap, again;
	char *to;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(here > 0 ? b->mem + b->end : NULL, here, fmt, ap);
	va_end(ap);
	must(n >= 0);
	to = buf_room(b, (size_t)n + 1);
	if (to != NULL && (size_t)n >= here)
		(void)vsnprintf(to, (size_t)n + 1, fmt, again);
	if (to != NULL)
		buf_added(b, (size_t)n);
	va_end(again);
	return to != NULL;
}
