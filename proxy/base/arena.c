/* arena - see arena.h. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/must.h"

#define ALIGN 16
#define CHUNK 8192

struct chunk {
	struct chunk *next;
	size_t size; /* of data */
	size_t used;
	_Alignas(ALIGN) char data[];
};

struct arena {
	struct chunk *first; /* the newest; the last in the list is kept */
	size_t used;
	size_t max;
	size_t mapped; /* bytes of the one mapping, or 0 */
};

static struct chunk *
chunk_new(size_t size, struct chunk *next)
{
	struct chunk *c = malloc(sizeof(*c) + size);

	if (c == NULL)
		return NULL;
	c->next = next;
	c->size = size;
	c->used = 0;
	return c;
}

struct arena *
arena_new(size_t max_bytes)
{
	struct arena *a = xcalloc(1, sizeof(*a));

	a->max = max_bytes;
	return a;
}

struct arena *
arena_new_mapped(size_t max_bytes)
{
	struct arena *a = xcalloc(1, sizeof(*a));
	void *p = mmap(NULL, max_bytes, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	must(p != MAP_FAILED);
	a->max = a->mapped = max_bytes;
	a->first = p;
	a->first->size = max_bytes - sizeof(struct chunk);
	return a;
}

void
arena_free(struct arena *a)
{
	if (a == NULL)
		return;
	if (a->mapped > 0) {
		(void)munmap(a->first, a->mapped);
	} else {
		while (a->first != NULL) {
			struct chunk *next = a->first->next;

			free(a->first);
			a->first = next;
		}
	}
	free(a);
}

void
arena_reset(struct arena *a)
{
	must(a->mapped == 0);
	while (a->first != NULL && a->first->next != NULL) {
		struct chunk *next = a->first->next;

		free(a->first);
		a->first = next;
	}
	if (a->first != NULL)
		a->first->used = 0;
	a->used = 0;
}

void
arena_seal(struct arena *a)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t keep = sizeof(struct chunk) + a->first->used;

	must(a->mapped > 0);
	keep = (keep + page - 1) / page * page;
	a->first->size = a->first->used;
	if (keep < a->mapped)
		must(munmap((char *)a->first + keep, a->mapped - keep) == 0);
	a->mapped = keep;
	must(mprotect(a->first, keep, PROT_READ) == 0);
}

static struct chunk *
room_for(struct arena *a, size_t n)
{
	struct chunk *c = a->first;

	if (c != NULL && c->size - c->used >= n)
		return c;
	if (a->mapped > 0)
		return NULL;
	c = chunk_new(n > CHUNK ? n : CHUNK, a->first);
	if (c != NULL)
		a->first = c;
	return c;
}

void *
arena_alloc(struct arena *a, size_t n)
{
	struct chunk *c;
	char *p;

	if (n > SIZE_MAX - ALIGN)
		return NULL;
	n = (n + ALIGN - 1) / ALIGN * ALIGN;
	if (n == 0)
		n = ALIGN;
	if (n > a->max - a->used || (c = room_for(a, n)) == NULL)
		return NULL;
	p = c->data + c->used;
	c->used += n;
	a->used += n;
	return memset(p, 0, n);
}

struct pn_str
arena_str(struct arena *a, struct pn_str s)
{
	char *p = s.n == SIZE_MAX ? NULL : arena_alloc(a, s.n + 1);

	if (p == NULL)
		return (struct pn_str){ NULL, 0 };
	if (s.n > 0)
		memcpy(p, s.p, s.n);
	return (struct pn_str){ p, s.n };
}

char *
arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap, again;
	char *p;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	p = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
	if (p != NULL)
		(void)vsnprintf(p, (size_t)n + 1, fmt, again);
	va_end(again);
	return p;
}

size_t
arena_used(const struct arena *a)
{
	return a->used;
}
