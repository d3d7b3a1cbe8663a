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

void pack_u8(struct buf *, uint8_t);
void pack_u16(struct buf *, uint16_t);
void pack_u32(struct buf *, uint32_t);
void pack_u64(struct buf *, uint64_t);
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
uint8_t unpack_u8(struct unpack *);
uint16_t unpack_u16(struct unpack *);
uint32_t unpack_u32(struct unpack *);
uint64_t unpack_u64(struct unpack *);
/* Points into the message. */
struct pn_str unpack_str(struct unpack *);
/* The receiver found a value that cannot be. */
void unpack_fail(struct unpack *);
/* All read, nothing left over, nothing failed. */
bool unpack_done(const struct unpack *);

#endif
