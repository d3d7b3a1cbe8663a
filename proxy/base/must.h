/*
 * must - what a correct program cannot violate. Stays on in release builds:
 * a clean abort is re-forked and loses nothing, a wild pointer may.
 */
#ifndef BASE_MUST_H
#define BASE_MUST_H

#include <stdint.h>

#define must(cond)                                                             \
	((cond) ? (void)0 : must_fail(#cond, __FILE__, __LINE__, __func__))

/* Long-lived structs begin with `uint32_t magic`; name_MAGIC is its value. */
#define MUST_BE(s, NAME) must((s) != NULL && (s)->magic == NAME##_MAGIC)

/* Writes one line to stderr and aborts. */
_Noreturn void must_fail(const char *cond, const char *file, int line,
    const char *func);

#endif
