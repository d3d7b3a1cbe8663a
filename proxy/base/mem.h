/*
 * mem - small allocations outside an arena. They abort when there is no
 * memory: the process is forked again and the client retries.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

#include "filters/pn_str.h"

void *xcalloc(size_t count, size_t size);
void *xrealloc(void *p, size_t size);
/* Bytes of the heap that are in use; 0 where the C library does not tell. Costs
 * some microseconds. */
size_t mem_in_use(void);
char *xstrdup(const char *s);
/* NUL-terminated copy; NUL bytes inside s are copied as they are. */
char *xstrndup(struct pn_str s);

#endif
