/* heading - see heading.h. */
#include "smtp/heading.h"

/* Bytes of the line at hand without its CRLF, as far as they are kept. */
static struct pn_str
kept_line(const struct heading *h)
{
	struct pn_str line = { h->name,
		h->line < HEADING_NAME ? h->line : HEADING_NAME };

	while (line.n > 0 &&
	    (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r'))
		line.n--;
	return line;
}

/* "Received" of "Received: by mx", with blanks before the colon (RFC 5322
 * 4.5.8); .p NULL: it is no field. */
static struct pn_str
field_name(struct pn_str line)
{
	size_t n = 0, colon;

	while (n < line.n && line.p[n] > ' ' && line.p[n] < 127 &&
	    line.p[n] != ':')
		n++;
	for (colon = n; colon < line.n &&
	     (line.p[colon] == ' ' || line.p[colon] == '\t');
	     colon++)
		;
	if (n == 0 || (colon < line.n ? line.p[colon] != ':'
				      : line.n < HEADING_NAME))
		return (struct pn_str){ 0 };
	return pn_str_sub(line, 0, n);
}

/* Some put the line of an mbox in front. */
static bool
is_envelope(const struct heading *h, struct pn_str line)
{
	return h->lines == 0 && (pn_str_starts(line, PN_STR_V("From ")) ||
				    pn_str_starts(line, PN_STR_V(">From ")));
}

/* Does the line at hand belong to the header? */
static void
judge_line(struct heading *h)
{
	struct pn_str line = kept_line(h), name;

	if (line.n == 0) {
		h->ended = true;
		return;
	}
	if (((line.p[0] == ' ' || line.p[0] == '\t') && h->lines > 0) ||
	    is_envelope(h, line))
		return;
	name = field_name(line);
	h->ended = name.p == NULL;
	h->received += pn_str_caseeq(name, PN_STR_V("Received"));
}

/* n more bytes of the line at hand; whole: its LF is the last. */
static void
take(struct heading *h, const char *p, size_t n, bool whole)
{
	size_t text;

	if (h->line < HEADING_NAME)
		memcpy(h->name + h->line, p,
		    n < HEADING_NAME - h->line ? n : HEADING_NAME - h->line);
	h->line += n;
	h->bytes += h->ended ? 0 : n;
	/* Only CRLF ends a line; a CR at the end of a slice may be its. */
	text = h->line - (whole && h->line >= 2 ? 2 : p[n - 1] == '\r');
	if (text > h->longest)
		h->longest = text;
	if (!whole)
		return;
	if (!h->ended)
		judge_line(h);
	h->lines++;
	h->line = 0;
}

void
heading_feed(struct heading *h, struct pn_str piece, bool stop)
{
	while (piece.n > 0 && !(stop && h->ended)) {
		const char *lf = memchr(piece.p, '\n', piece.n);
		size_t n = lf != NULL ? (size_t)(lf - piece.p) + 1 : piece.n;

		take(h, piece.p, n, lf != NULL);
		piece = pn_str_sub(piece, n, piece.n);
	}
}
