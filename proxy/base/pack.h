/*
 * pack - flat messages: little-endian numbers, strings behind a 32-bit
 * length. Writing grows a buf; reading validates each step as if the sender
 * were hostile, and fails once for all: after the first short read every
 * value is 0 or empty and unpack_done() says false.
 */
#ifndef BASE_PACK_H
#define BASE_PACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* A full buf says so in .full. */
static inline void
pack_number(struct buf *b, uint64_t v, size_t bytes)
{
	unsigned char raw[8];

	for (size_t i = 0; i < bytes; i++)
		raw[i] = (unsigned char)(v >> (8 * i));
	(void)buf_add(b, raw, bytes);
}

static inline void
pack_u8(struct buf *b, uint8_t v)
{
	pack_number(b, v, 1);
}

static inline void
pack_u16(struct buf *b, uint16_t v)
{
	pack_number(b, v, 2);
}

static inline void
pack_u32(struct buf *b, uint32_t v)
{
	pack_number(b, v, 4);
}

static inline void
pack_u64(struct buf *b, uint64_t v)
{
	pack_number(b, v, 8);
}

void pack_str(struct buf *, struct pn_str);

struct unpack {
	const unsigned char *p;
	size_t n;    /* bytes left */
	bool failed; /* a read went past the end, or unpack_fail() */
};

static inline struct unpack
unpack_of(const void *p, size_t n)
{
	return (struct unpack){ p, n, false };
}
/* The receiver found a value that cannot be. */
void unpack_fail(struct unpack *);

static inline uint64_t
unpack_number(struct unpack *u, size_t bytes)
{
	uint64_t v = 0;

	if (u->failed || u->n < bytes) {
		unpack_fail(u);
		return 0;
	}
	for (size_t i = 0; i < bytes; i++)
		v |= (uint64_t)u->p[i] << (8 * i);
	u->p += bytes;
	u->n -= bytes;
	return v;
}

static inline uint8_t
unpack_u8(struct unpack *u)
{
	return (uint8_t)unpack_number(u, 1);
}

static inline uint16_t
unpack_u16(struct unpack *u)
{
	return (uint16_t)unpack_number(u, 2);
}

static inline uint32_t
unpack_u32(struct unpack *u)
{
	return (uint32_t)unpack_number(u, 4);
}

static inline uint64_t
unpack_u64(struct unpack *u)
{
	return unpack_number(u, 8);
}

/* Points into the message. */
struct pn_str unpack_str(struct unpack *);
/* All read, nothing left over, nothing failed. */
bool unpack_done(const struct unpack *);

#endif
