/* dot - see dot.h. */
#include "smtp/dot.h"

#include <string.h>

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

size_t
dot_feed(struct dot *d, char *buf, size_t n, size_t *kept)
{
	size_t at = 0, to = 0;

	while (at < n && !d->ended) {
		size_t len = 1;

		switch (d->state) {
		case DOT_BOL:
			if (begins(d, buf[at]))
				at++;
			continue;
		case DOT_DOT:
			if (after_dot(d, buf[at]))
				at++;
			continue;
		case DOT_DOT_CR:
			if (after_dot_cr(d, buf[at]))
				at++;
			continue;
		case DOT_CR:
			after_cr(d, buf[at]);
			if (d->state == DOT_TEXT)
				continue;
			break;
		case DOT_TEXT:
			len = text(d, buf + at, n - at);
			break;
		}
		if (to != at)
			memmove(buf + to, buf + at, len);
		at += len;
		to += len;
	}
	*kept = to;
	return at;
}
