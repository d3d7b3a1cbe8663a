/* pack - see pack.h. */
#include "base/pack.h"

#include "base/must.h"

static void
pack_number(struct buf *b, uint64_t v, size_t bytes)
{
	unsigned char raw[8];

	for (size_t i = 0; i < bytes; i++)
		raw[i] = (unsigned char)(v >> (8 * i));
	(void)buf_add(b, raw, bytes); /* a full buf says so in .full */
}

void
pack_u8(struct buf *b, uint8_t v)
{
	pack_number(b, v, 1);
}

void
pack_u16(struct buf *b, uint16_t v)
{
	pack_number(b, v, 2);
}

void
pack_u32(struct buf *b, uint32_t v)
{
	pack_number(b, v, 4);
}

void
pack_u64(struct buf *b, uint64_t v)
{
	pack_number(b, v, 8);
}

void
pack_str(struct buf *b, struct pn_str s)
{
	must(s.n <= UINT32_MAX);
	pack_u32(b, (uint32_t)s.n);
	(void)buf_add(b, s.p, s.n); /* see pack_number */
}

static uint64_t
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

uint8_t
unpack_u8(struct unpack *u)
{
	return (uint8_t)unpack_number(u, 1);
}

uint16_t
unpack_u16(struct unpack *u)
{
	return (uint16_t)unpack_number(u, 2);
}

uint32_t
unpack_u32(struct unpack *u)
{
	return (uint32_t)unpack_number(u, 4);
}

uint64_t
unpack_u64(struct unpack *u)
{
	return unpack_number(u, 8);
}

struct pn_str
unpack_str(struct unpack *u)
{
	uint32_t n = unpack_u32(u);
	struct pn_str s = { (const char *)u->p, n };

	if (u->failed || u->n < n) {
		unpack_fail(u);
		return (struct pn_str){ "", 0 };
	}
	u->p += n;
	u->n -= n;
	return s;
}

void
unpack_fail(struct unpack *u)
{
	u->failed = true;
	u->n = 0;
}

bool
unpack_done(const struct unpack *u)
{
	return !u->failed && u->n == 0;
}
