/*
 * buf - a growing run of bytes with a cap: what came and is not yet read,
 * what is said and not yet sent. Bytes leave at the front, come at the end.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "filters/pn_str.h"

struct buf {
	char *mem;
	size_t start; /* first byte that is still here */
	size_t end;   /* one behind the last */
	size_t size;  /* of mem */
	size_t max;   /* bytes held at most; 0: no cap */
	bool full;    /* an append was refused: nothing after it was taken */
};

/* A zeroed struct buf is empty and valid. */
void buf_fini(struct buf *); /* frees the memory; the buf is empty and valid */
static inline size_t
buf_len(const struct buf *b)
{
	return b->end - b->start;
}
static inline char *
buf_data(const struct buf *b)
{
	return b->mem ? b->mem + b->start : NULL;
}
static inline struct pn_str
buf_str(const struct buf *b)
{
	return (struct pn_str){ b->mem ? b->mem + b->start : NULL, buf_len(b) };
}
void buf_clear(struct buf *);
/* Forget the first n bytes. */
void buf_drop(struct buf *, size_t n);
/* Room for n more bytes at the end, NULL past the cap; then buf_added(). */
char *buf_room(struct buf *, size_t n);
void buf_added(struct buf *, size_t n);
/* All or nothing; false (and .full) past the cap. Inline: what is packed is
 * added a few bytes at a time. */
static inline bool
buf_add(struct buf *b, const void *p, size_t n)
{
	char *to = b->mem != NULL && b->max == 0 && n <= b->size - b->end
	    ? b->mem + b->end : buf_room(b, n);

	if (to == NULL)
		return false;
	if (n > 0)
		memcpy(to, p, n);
	b->end += n;
	return true;
}
bool buf_add_str(struct buf *, struct pn_str);
bool buf_puts(struct buf *, const char *cstr);
bool buf_printf(struct buf *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
