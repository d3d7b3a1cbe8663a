/*
 * arena - see arena.h.
 *
 * Under AddressSanitizer what is not handed out is poisoned, and a gap lies
 * behind each allocation: else a step past its end would go unseen, for the
 * chunk around it is one allocation to malloc. Of a mapping only the gaps are:
 * poisoning all of it would touch an eighth as much memory.
 */
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
/* The first is small: clients wait by the thousand. Each next one is twice the
 * size, up to the largest. */
#define CHUNK_FIRST 1024
#define CHUNK_LAST 8192

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define ASAN 1
#endif
#ifdef ASAN
#include <sanitizer/asan_interface.h>
#define GAP ALIGN
#define HIDE(p, n) ASAN_POISON_MEMORY_REGION((p), (n))
#define SHOW(p, n) ASAN_UNPOISON_MEMORY_REGION((p), (n))
#else
#define GAP 0
#define HIDE(p, n) ((void)0)
#define SHOW(p, n) ((void)0)
#endif

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
	size_t next;   /* size of the next chunk */
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
	HIDE(c->data, size);
	return c;
}

static void
chunk_free(struct chunk *c)
{
	SHOW(c->data, c->size);
	free(c);
}

struct arena *
arena_new(size_t max_bytes)
{
	struct arena *a = xcalloc(1, sizeof(*a));

	a->max = max_bytes;
	a->next = CHUNK_FIRST;
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
		SHOW(a->first, a->mapped);
		(void)munmap(a->first, a->mapped);
	} else {
		while (a->first != NULL) {
			struct chunk *next = a->first->next;

			chunk_free(a->first);
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

		chunk_free(a->first);
		a->first = next;
	}
	if (a->first != NULL) {
		a->first->used = 0;
		HIDE(a->first->data, a->first->size);
	}
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
	SHOW((char *)a->first + keep, a->mapped - keep);
	if (keep < a->mapped)
		must(munmap((char *)a->first + keep, a->mapped - keep) == 0);
	a->mapped = keep;
	must(mprotect(a->first, keep, PROT_READ) == 0);
}

void
arena_bequeath(struct arena *a, bool yes)
{
	must(a->mapped > 0);
	must(madvise(a->first, a->mapped, yes ? MADV_DOFORK : MADV_DONTFORK) ==
	    0);
}

static struct chunk *
room_for(struct arena *a, size_t n)
{
	struct chunk *c = a->first;

	if (c != NULL && c->size - c->used >= n)
		return c;
	if (a->mapped > 0)
		return NULL;
	c = chunk_new(n > a->next ? n : a->next, a->first);
	if (c == NULL)
		return NULL;
	a->first = c;
	if (a->next < CHUNK_LAST)
		a->next *= 2;
	return c;
}

void *
arena_alloc(struct arena *a, size_t n)
{
	struct chunk *c;
	size_t room;
	char *p;

	if (n > SIZE_MAX - ALIGN - GAP)
		return NULL;
	room = n > 0 ? (n + ALIGN - 1) / ALIGN * ALIGN : ALIGN;
	if (room > a->max - a->used || (c = room_for(a, room + GAP)) == NULL)
		return NULL;
	p = c->data + c->used;
	HIDE(p, room + GAP);
	SHOW(p, n);
	c->used += room + GAP;
	a->used += room;
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
