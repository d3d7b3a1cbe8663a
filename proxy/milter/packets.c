/* packets - see packets.h. The milter protocol, as MTAs speak it to a filter. */
#include "milter/packets.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/must.h"

#define HEAD 5          /* the length, and the command that it counts */
#define MACROS 'D'
#define DATA_MAX 65535 /* behind the command: no MTA sends more of it */

void
packets_add(struct packets *p, const void *from, size_t n)
{
	must(buf_add(&p->in, from, n)); /* there is no cap */
}

/* Behind the command they are for: name, value, name, value, each with a NUL
 * at its end. */
static bool
are_pairs(struct pn_str s)
{
	size_t ends = 0;

	for (size_t i = 1; i < s.n; i++)
		ends += s.p[i] == '\0';
	return s.n == 1 || (s.n > 1 && s.p[s.n - 1] == '\0' && ends % 2 == 0);
}

/* Of the packet at the front, all in all. */
static size_t
size_of(struct pn_str s)
{
	uint32_t n;

	memcpy(&n, s.p, sizeof(n));
	return HEAD - 1 + (size_t)ntohl(n);
}

/* -1: libmilter must not see it; 0: not yet. */
static int
look(struct pn_str s)
{
	size_t size = size_of(s);

	/* libmilter takes a length with the sign bit for none, and what
	 * follows for packets. */
	if (size < HEAD || size > HEAD + DATA_MAX)
		return -1;
	if (s.p[HEAD - 1] != MACROS)
		return 1;
	if (s.n < size)
		return 0;
	return are_pairs(pn_str_sub(s, HEAD, size - HEAD)) ? 1 : -1;
}

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

long
packets_ready(struct packets *p)
{
	struct pn_str s = buf_str(&p->in);
	int good;

	if (p->left == 0) {
		good = s.n < HEAD ? 0 : look(s);
		if (good <= 0)
			return good;
		p->left = size_of(s);
	}
	return (long)least(s.n, p->left);
}

size_t
packets_take(struct packets *p, void *to, size_t n)
{
	long ready = packets_ready(p);

	if (ready <= 0)
		return 0;
	n = least(n, (size_t)ready);
	memcpy(to, buf_data(&p->in), n);
	buf_drop(&p->in, n);
	p->left -= n;
	return n;
}

size_t
packets_direct(const struct packets *p)
{
	return buf_len(&p->in) == 0 ? p->left : 0;
}

void
packets_passed(struct packets *p, size_t n)
{
	must(n <= packets_direct(p));
	p->left -= n;
}

void
packets_rest(struct packets *p)
{
	if (buf_len(&p->in) == 0)
		buf_fini(&p->in);
}

void
packets_fini(struct packets *p)
{
	buf_fini(&p->in);
}
