/* dot - see dot.h. */
#include "smtp/dot.h"

#include <string.h>

#include "base/lanes.h"

#define AT_ONCE 4 /* lanes */

/*
 * A lone CR or LF, or a dot that begins a line, in one of so many bytes from
 * p, which has a byte in front of it?
 */
static bool
is_odd(const char *p)
{
	lanes lone = { 0 }, dot = { 0 };

	for (size_t i = 0; i < AT_ONCE; i++, p += LANES) {
		lanes c = lanes_at(p), before = lanes_at(p - 1);

		lone |= (c == lanes_of('\n')) ^ (before == lanes_of('\r'));
		dot |= (c == lanes_of('.')) & (before == lanes_of('\n'));
	}
	return lanes_any(lone | dot);
}

/*
 * How much from buf[at] on is what nearly all mail is: nothing in it needs to
 * be looked at by itself. The state is that behind it.
 */
static size_t
plain(struct dot *d, const char *buf, size_t at, size_t n)
{
	size_t end = at;

	if (at == 0 || d->state == DOT_DOT || d->state == DOT_DOT_CR)
		return 0;
	while (n - end >= AT_ONCE * LANES && !is_odd(buf + end))
		end += AT_ONCE * LANES;
	if (end > at)
		d->state = buf[end - 1] == '\n'   ? DOT_BOL
			   : buf[end - 1] == '\r' ? DOT_CR
						  : DOT_TEXT;
	return end - at;
}

/*
 * Text up to the next CR, as fast as memchr: bytes of a line are only looked
 * at for a lone LF. Returns the bytes taken.
 */
static size_t
text(struct dot *d, const char *p, size_t n)
{
	const char *cr = memchr(p, '\r', n);
	size_t len = cr ? (size_t)(cr - p) : n;

	if (memchr(p, '\n', len) != NULL)
		d->bare = true;
	d->state = cr ? DOT_CR : DOT_TEXT;
	return cr ? len + 1 : len;
}

/* The first byte of a line: a dot is withheld, all else is text. */
static bool
begins(struct dot *d, char c)
{
	if (d->raw) {
		d->dotted |= c == '.';
	} else if (c == '.') {
		d->state = DOT_DOT;
		return true;
	}
	d->state = DOT_TEXT;
	return false;
}

/*
 * Behind the first dot of a line. The byte stays (false) unless it may belong
 * to the end of the message.
 */
static bool
after_dot(struct dot *d, char c)
{
	if (c == '\r') {
		d->state = DOT_DOT_CR;
		return true;
	}
	if (c == '.')
		d->dotted = true;
	d->state = DOT_TEXT;
	return false;
}

static bool
after_dot_cr(struct dot *d, char c)
{
	if (c == '\n') {
		d->ended = true;
		return true;
	}
	d->bare = true; /* the CR is gone; nobody will see this message */
	d->state = DOT_TEXT;
	return false;
}

/* CRLF begins a line; CR CR may yet be followed by LF. */
static void
after_cr(struct dot *d, char c)
{
	if (c == '\n') {
		d->state = DOT_BOL;
	} else {
		d->bare = true;
		d->state = DOT_TEXT;
	}
}

/* The bytes of message that begin at buf[*at], none where one or two are
 * withheld or dropped: those are skipped. */
static size_t
piece(struct dot *d, const char *buf, size_t *at, size_t n)
{
	size_t len = plain(d, buf, *at, n);
	char c = buf[*at];

	if (len > 0)
		return len;
	switch (d->state) {
	case DOT_BOL:
		*at += begins(d, c);
		return 0;
	case DOT_DOT:
		*at += after_dot(d, c);
		return 0;
	case DOT_DOT_CR:
		*at += after_dot_cr(d, c);
		return 0;
	case DOT_CR:
		after_cr(d, c);
		return d->state == DOT_BOL;
	case DOT_TEXT:
		break;
	}
	return text(d, buf + *at, n - *at);
}

size_t
dot_feed(struct dot *d, char *buf, size_t n, size_t *kept)
{
	size_t at = 0, to = 0;

	while (at < n && !d->ended) {
		size_t len = piece(d, buf, &at, n);

		if (to != at)
			memmove(buf + to, buf + at, len);
		at += len;
		to += len;
	}
	*kept = to;
	return at;
}
