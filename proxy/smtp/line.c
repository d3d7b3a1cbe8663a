/* line - see line.h. */
#include "smtp/line.h"

static size_t
limit_of(struct pn_str line)
{
	struct pn_str verb = pn_str_sub(line, 0, 5);

	if (pn_str_caseeq(verb, PN_STR_V("AUTH ")))
		return LINE_BYTES_AUTH;
	return pn_str_caseeq(verb, PN_STR_V("MAIL ")) ||
		pn_str_caseeq(verb, PN_STR_V("RCPT "))
	    ? LINE_BYTES_PATH
	    : LINE_BYTES;
}

/* Length of the line at the front with its CRLF, or 0. */
static size_t
find_end(struct line *l, struct pn_str in)
{
	const char *lf;

	while (l->looked < in.n) {
		lf = memchr(in.p + l->looked, '\n', in.n - l->looked);
		if (lf == NULL)
			break;
		l->looked = (size_t)(lf - in.p) + 1;
		if (lf > in.p && lf[-1] == '\r')
			return l->looked;
	}
	l->looked = in.n;
	return 0;
}

static enum line_fault
fault_of(struct pn_str text)
{
	if (text.n == 0)
		return LINE_GOOD;
	if (memchr(text.p, '\0', text.n) != NULL)
		return LINE_NUL;
	if (memchr(text.p, '\r', text.n) != NULL ||
	    memchr(text.p, '\n', text.n) != NULL)
		return LINE_BARE;
	return LINE_GOOD;
}

static bool
is_chunk(struct pn_str line)
{
	return pn_str_caseeq(pn_str_sub(line, 0, 4), PN_STR_V("BDAT"));
}

/* Nobody may make us hold more than a line: keep only what may be its CR. */
static void
skip(struct line *l, struct buf *in, size_t limit)
{
	if (!l->skipping && buf_len(in) < limit)
		return;
	if (buf_len(in) > 1) {
		l->chunk |= !l->skipping && is_chunk(buf_str(in));
		l->skipping = true;
		buf_drop(in, buf_len(in) - 1);
	}
	l->looked = buf_len(in);
}

static bool
next(struct line *l, struct buf *in, size_t limit, struct pn_str *text,
    enum line_fault *fault)
{
	struct pn_str have = buf_str(in);
	size_t n = find_end(l, have);

	if (n == 0) {
		skip(l, in, limit);
		return false;
	}
	*text = pn_str_sub(have, 0, n - 2);
	l->chunk |= !l->skipping && is_chunk(*text);
	if (l->skipping || n > limit) {
		*fault = LINE_TOO_LONG;
		text->n = 0;
	} else {
		*fault = fault_of(*text);
	}
	if (*fault != LINE_GOOD && l->chunk)
		*fault = LINE_CHUNK;
	*l = (struct line){ 0 };
	buf_drop(in, n);
	return true;
}

bool
line_next(struct line *l, struct buf *in, struct pn_str *text,
    enum line_fault *fault)
{
	return next(l, in, limit_of(buf_str(in)), text, fault);
}

bool
line_next_response(struct line *l, struct buf *in, struct pn_str *text,
    enum line_fault *fault)
{
	return next(l, in, LINE_BYTES_AUTH, text, fault);
}
