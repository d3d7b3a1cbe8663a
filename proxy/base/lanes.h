/*
 * lanes - sixteen bytes looked at at once, with the vectors that gcc and clang
 * give every machine (SSE2, NEON, or plain words). Comparing two lanes with
 * == gives one that is all ones where it holds: & | ^ of such, then
 * lanes_any().
 */
#ifndef BASE_LANES_H
#define BASE_LANES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define LANES 16
typedef signed char lanes __attribute__((vector_size(LANES)));

/* p[0] to p[LANES - 1], wherever they lie. */
static inline lanes
lanes_at(const char *p)
{
	lanes v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline lanes
lanes_of(char c)
{
	return (lanes){ 0 } + (signed char)c;
}

static inline bool
lanes_any(lanes v)
{
	uint64_t half[2];

	memcpy(half, &v, sizeof(half));
	return (half[0] | half[1]) != 0;
}

#endif
