/* rar - see rar.h. */
#include "inspect/rar.h"

#include <stdint.h>

#define HAS_EXTRA 1u /* header flags */
#define HAS_DATA 2u

enum header { HEADER_FILE = 2, HEADER_SERVICE = 3, HEADER_LOCK = 4 };

/* Seven bits a byte, the lowest first; taken off s. Past its end: 0. */
static uint64_t
take_number(struct pn_str *s)
{
	uint64_t n = 0;

	for (unsigned shift = 0; s->n > 0 && shift < 64; shift += 7) {
		unsigned char c = (unsigned char)s->p[0];

		*s = pn_str_sub(*s, 1, s->n);
		n |= (uint64_t)(c & 0x7f) << shift;
		if ((c & 0x80) == 0)
			break;
	}
	return n;
}

static size_t
cap(uint64_t n, struct pn_str s)
{
	return n < s.n ? (size_t)n : s.n;
}

/* Records of a file's header: the first kind is encryption. */
static bool
has_lock(struct pn_str extra)
{
	while (extra.n > 0) {
		size_t size = cap(take_number(&extra), extra);
		struct pn_str record = pn_str_sub(extra, 0, size);

		if (record.n > 0 && take_number(&record) == 1)
			return true;
		extra = pn_str_sub(extra, size, extra.n);
	}
	return false;
}

/* The block at the start of s, taken off with the data behind it. */
static bool
take_block(struct pn_str *s)
{
	struct pn_str head;
	uint64_t type, flags, extra = 0, data = 0;
	size_t size;

	*s = pn_str_sub(*s, 4, s->n); /* its sum */
	size = cap(take_number(s), *s);
	head = pn_str_sub(*s, 0, size);
	*s = pn_str_sub(*s, size, s->n);
	type = take_number(&head);
	flags = take_number(&head);
	if (flags & HAS_EXTRA)
		extra = take_number(&head);
	if (flags & HAS_DATA)
		data = take_number(&head);
	*s = pn_str_sub(*s, cap(data, *s), s->n);
	if (type == HEADER_LOCK)
		return true;
	return (type == HEADER_FILE || type == HEADER_SERVICE) &&
	    has_lock(pn_str_sub(head, head.n - cap(extra, head), head.n));
}

bool
rar_is_locked(struct pn_str s)
{
	if (!pn_str_starts(s, PN_STR_V("Rar!\x1a\7\1\0")))
		return false;
	s = pn_str_sub(s, 8, s.n);
	while (s.n > 4)
		if (take_block(&s))
			return true;
	return false;
}
