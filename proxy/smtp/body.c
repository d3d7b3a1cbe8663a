/* body - see body.h. */
#include "smtp/body.h"

#define STAGING (64 * 1024) /* stuffed bytes in the wire's buffer at most */

/* Edits may begin a line with a dot where there was none: with their own text,
 * or where they end within a line. */
static bool
may_add_dots(const struct edit_ranges *ranges, struct spool *s)
{
	const struct edit_range *r;

	STAILQ_FOREACH (r, ranges, next) {
		struct pn_str text = r->literal;

		if (text.p != NULL && memmem(text.p, text.n, "\n.", 2) != NULL)
			return true;
		if (text.p == NULL && r->offset > 0)
			text = spool_at(s, r->offset);
		if (text.n > 0 && text.p[0] == '.')
			return true;
	}
	return false;
}

void
body_start(struct body *b, struct spool *spool,
    const struct edit_ranges *ranges, bool chunk)
{
	*b = (struct body){ .spool = spool, .ranges = ranges, .chunk = chunk,
		.left = edit_ranges_size(ranges),
		.dotted = !chunk &&
		    (spool_dotted(spool) || may_add_dots(ranges, spool)) };
}

bool
body_ends_mid_line(struct spool *spool, const struct edit_ranges *ranges)
{
	const struct edit_range *r, *last = NULL;
	struct pn_str end;

	STAILQ_FOREACH (r, ranges, next)
		last = r;
	if (last == NULL || last->n == 0)
		return false;
	end = last->literal.p != NULL
	    ? pn_str_sub(last->literal, last->n - 1, 1)
	    : spool_at(spool, last->offset + last->n - 1);
	return end.n > 0 && end.p[0] != '\n';
}

/* What ends the message: CRLF first if its last line has none. */
static struct pn_str
end_of(const struct body *b, bool mid_line)
{
	if (b->chunk)
		return PN_STR_V("");
	return mid_line ? PN_STR_V("\r\n.\r\n") : PN_STR_V(".\r\n");
}

static void
written(struct body *b, struct pn_str piece, size_t n)
{
	if (n == 0)
		return;
	edit_cursor_skip(&b->cursor, n);
	b->left -= n;
	b->mid_line = piece.p[n - 1] != '\n';
}

static enum body_turn
flush(struct wire *w)
{
	return wire_flush(w) ? BODY_SENT : BODY_BLOCKED;
}

/* The rest of the message is at hand: it and its end leave in one call. */
static enum body_turn
send_last(struct body *b, struct wire *w, struct pn_str piece)
{
	bool mid_line = piece.n > 0 ? piece.p[piece.n - 1] != '\n' : b->mid_line;
	struct pn_str end = end_of(b, mid_line);
	size_t n = wire_sendv(w,
	    (struct iovec[]){ { (char *)piece.p, piece.n },
		{ (char *)end.p, end.n } },
	    2);

	if (n < piece.n) {
		written(b, piece, n);
		return BODY_BLOCKED;
	}
	written(b, piece, piece.n);
	b->ended = true;
	end = pn_str_sub(end, n - piece.n, end.n);
	(void)buf_add_str(&w->out, end); /* a few bytes that did not go */
	return flush(w);
}

static enum body_turn
send_plain(struct body *b, struct wire *w)
{
	for (;;) {
		struct pn_str piece = edit_cursor_peek(&b->cursor, b->ranges,
		    b->spool);
		size_t n;

		if (piece.p == NULL)
			return BODY_UNREADABLE;
		if (piece.n == b->left) {
			enum body_turn turn = send_last(b, w, piece);

			if (b->ended || w->broken ||
			    event_pending(&w->wr, EV_WRITE, NULL))
				return turn;
			continue; /* a short write: try for the rest */
		}
		n = wire_sendv(w,
		    (struct iovec[]){ { (char *)piece.p, piece.n } }, 1);
		if (n == 0)
			return BODY_BLOCKED;
		written(b, piece, n);
	}
}

/* A piece into out, every line's first dot doubled. */
static void
stuff(struct body *b, struct buf *out, struct pn_str piece)
{
	while (piece.n > 0) {
		const char *lf = memchr(piece.p, '\n', piece.n);
		size_t n = lf ? (size_t)(lf - piece.p) + 1 : piece.n;

		if (!b->mid_line && piece.p[0] == '.')
			(void)buf_add(out, ".", 1);
		(void)buf_add(out, piece.p, n);
		written(b, piece, n);
		piece = pn_str_sub(piece, n, piece.n);
	}
}

static enum body_turn
send_dotted(struct body *b, struct wire *w)
{
	while (b->left > 0) {
		struct pn_str piece = edit_cursor_peek(&b->cursor, b->ranges,
		    b->spool);

		if (piece.p == NULL)
			return BODY_UNREADABLE;
		stuff(b, &w->out, pn_str_sub(piece, 0, STAGING));
		if (b->left > 0 && !wire_flush(w))
			return BODY_BLOCKED;
	}
	(void)buf_add_str(&w->out, end_of(b, b->mid_line));
	b->ended = true;
	return flush(w);
}

enum body_turn
body_send(struct body *b, struct wire *w)
{
	if (b->ended)
		return flush(w);
	if (!b->dotted)
		return send_plain(b, w);
	if (buf_len(&w->out) > 0 && !wire_flush(w))
		return BODY_BLOCKED;
	return send_dotted(b, w);
}
