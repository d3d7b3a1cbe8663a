/* pack - see pack.h. */
#include "base/pack.h"

#include "base/must.h"

void
pack_str(struct buf *b, struct pn_str s)
{
	must(s.n <= UINT32_MAX);
	pack_u32(b, (uint32_t)s.n);
	(void)buf_add(b, s.p, s.n); /* as pack_number() */
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
