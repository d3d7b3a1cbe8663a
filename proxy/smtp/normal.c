/* normal - see normal.h. */
#include "smtp/normal.h"

/* A CR is written when it is known what follows it: always with its LF. */
static void
end_line(struct dot *d, struct buf *out, bool bare)
{
	(void)buf_puts(out, "\r\n");
	d->bare |= bare;
	d->new_line = true;
	d->odd_line = bare && !d->raw;
	d->one_dot = false;
}

/*
 * n bytes without CR and LF. Who ends lines with LF doubles the dots behind it,
 * so of two one goes; of one alone nobody knows what it was: it stays.
 */
static void
put(struct dot *d, struct buf *out, const char *p, size_t n)
{
	bool dot = d->new_line && p[0] == '.';
	size_t skip = d->one_dot && p[0] == '.';

	if (dot && d->odd_line && n > 1 && p[1] == '.')
		skip = 1;
	d->one_dot = dot && d->odd_line && n == 1;
	d->dotted |= dot;
	d->new_line = false;
	(void)buf_add(out, p + skip, n - skip);
}

static size_t
text(struct dot *d, const char *p, size_t n, struct buf *out)
{
	size_t len = 0;

	while (len < n && p[len] != '\r' && p[len] != '\n')
		len++;
	if (len > 0)
		put(d, out, p, len);
	if (len == n)
		return n;
	if (p[len] == '\n')
		end_line(d, out, true);
	d->state = p[len] == '\r' ? DOT_CR : DOT_TEXT;
	return len + 1;
}

/* One byte; false: it is not taken, and is looked at again in the new state. */
static bool
step(struct dot *d, char c, struct buf *out)
{
	switch (d->state) {
	case DOT_BOL:
		d->new_line = true;
		d->state = c == '.' && !d->raw ? DOT_DOT : DOT_TEXT;
		return d->state == DOT_DOT;
	case DOT_DOT:
		d->state = c == '\r' ? DOT_DOT_CR : DOT_TEXT;
		return c == '\r';
	case DOT_DOT_CR:
		d->ended = c == '\n';
		if (d->ended)
			return true;
		end_line(d, out, true);
		d->state = DOT_TEXT;
		return false;
	case DOT_CR:
		end_line(d, out, c != '\n');
		d->state = c == '\n' ? DOT_BOL : DOT_TEXT;
		return c == '\n';
	case DOT_TEXT:
		break;
	}
	return false;
}

size_t
normal_feed(struct dot *d, const char *p, size_t n, struct buf *out)
{
	size_t at = 0;

	while (at < n && !d->ended) {
		if (d->state == DOT_TEXT)
			at += text(d, p + at, n - at, out);
		else
			at += step(d, p[at], out);
	}
	return at;
}

void
normal_end(struct dot *d, struct buf *out)
{
	if (d->state == DOT_CR)
		end_line(d, out, true);
	d->state = DOT_BOL;
}
