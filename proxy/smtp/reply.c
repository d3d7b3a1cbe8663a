/* reply - see reply.h. */
#include "smtp/reply.h"

#include <stdio.h>

/* As much of text as goes into max bytes, up to a line end, or else to a blank
 * if there is one. */
static size_t
cut(struct pn_str text, size_t max)
{
	const char *lf = text.n ? memchr(text.p, '\n', text.n) : NULL;

	if (lf != NULL && (size_t)(lf - text.p) <= max)
		return (size_t)(lf - text.p);
	if (text.n <= max)
		return text.n;
	for (size_t n = max; n > max / 2; n--)
		if (text.p[n] == ' ')
			return n;
	while (max > 1 && ((unsigned char)text.p[max] & 0xc0) == 0x80)
		max--; /* not within a UTF-8 character */
	return max;
}

void
reply_put(struct buf *b, const struct reply *r)
{
	size_t head = 4 + strlen(r->status) + (r->status[0] != '\0');
	struct pn_str rest = r->text;

	do {
		size_t n = cut(rest, REPLY_LINE - 2 - head);
		struct pn_str text = pn_str_sub(rest, 0, n);

		rest = pn_str_sub(rest, n, rest.n);
		if (rest.n > 0 && (rest.p[0] == ' ' || rest.p[0] == '\n'))
			rest = pn_str_sub(rest, 1, rest.n);
		(void)buf_printf(b, "%u%c%s%s", r->code, rest.n ? '-' : ' ',
		    r->status, r->status[0] ? " " : "");
		(void)buf_add_str(b, text);
		(void)buf_puts(b, "\r\n");
	} while (rest.n > 0);
}

/* Length of the line at `from` with its CRLF; 0: incomplete, -1: a bare CR or
 * LF, or a NUL: somebody would take it for more than one line, or for less. */
static long
line_at(struct pn_str in, size_t from)
{
	struct pn_str line = pn_str_sub(in, from, in.n);
	const char *lf = line.n ? memchr(line.p, '\n', line.n) : NULL;

	if (lf == NULL)
		return 0;
	line.n = (size_t)(lf - line.p);
	if (line.n == 0 || memchr(line.p, '\r', line.n) != lf - 1 ||
	    memchr(line.p, '\0', line.n) != NULL)
		return -1;
	return (long)line.n + 1;
}

/* The code of "250-text" or "250 text" or "250"; 0: it is none. */
static uint16_t
code_of(struct pn_str line)
{
	if (line.n < 5 || line.p[0] < '2' || line.p[0] > '5' ||
	    line.p[1] < '0' || line.p[1] > '9' || line.p[2] < '0' ||
	    line.p[2] > '9' || strchr("- \r", line.p[3]) == NULL ||
	    line.p[3] == '\0')
		return 0;
	return (uint16_t)((line.p[0] - '0') * 100 + (line.p[1] - '0') * 10 +
	    (line.p[2] - '0'));
}

long
reply_length(struct pn_str in, uint16_t *code)
{
	size_t at = 0;

	*code = 0;
	for (;;) {
		long n = line_at(in, at);
		struct pn_str line = pn_str_sub(in, at, n > 0 ? (size_t)n : 0);

		if (n == 0)
			return in.n > REPLY_BYTES ? -1 : 0;
		if (n < 0 || code_of(line) == 0 ||
		    (*code != 0 && *code != code_of(line)) ||
		    at + line.n > REPLY_BYTES)
			return -1;
		*code = code_of(line);
		at += line.n;
		if (line.p[3] != '-')
			return (long)at;
	}
}

enum reply_taken
reply_take(struct buf *in, struct reply_lines *out)
{
	struct pn_str have = buf_str(in);
	uint16_t code;
	long n = reply_length(have, &code);

	if (n <= 0)
		return n == 0 ? REPLY_NONE : REPLY_BROKEN;
	*out = (struct reply_lines){ code, pn_str_sub(have, 0, (size_t)n) };
	buf_drop(in, (size_t)n);
	return REPLY_WHOLE;
}

void
reply_pass(struct buf *b, const struct reply_lines *r)
{
	struct pn_str rest = r->raw;

	while (rest.n > 0) {
		const char *lf = memchr(rest.p, '\n', rest.n);
		size_t n = lf != NULL ? (size_t)(lf - rest.p) + 1 : rest.n;

		if (n <= REPLY_LINE) {
			(void)buf_add(b, rest.p, n);
		} else {
			(void)buf_add(b, rest.p, REPLY_LINE - 2);
			(void)buf_puts(b, "\r\n");
		}
		rest = pn_str_sub(rest, n, rest.n);
	}
}

/* "5.7.1 text" -> "text" */
static struct pn_str
skip_status(struct pn_str s)
{
	size_t at = 0;
	int dots = 0;

	while (at < s.n && (s.p[at] == '.' || (s.p[at] >= '0' && s.p[at] <= '9')))
		dots += s.p[at++] == '.';
	if (dots == 2 && at < s.n && s.p[at] == ' ')
		return pn_str_sub(s, at + 1, s.n);
	return s;
}

struct pn_str
reply_text(const struct reply_lines *r)
{
	struct pn_str last = pn_str_sub(r->raw, 0, r->raw.n - 2);
	const char *lf = last.n ? memrchr(last.p, '\n', last.n) : NULL;

	if (lf != NULL)
		last = pn_str_sub(last, (size_t)(lf - last.p) + 1, last.n);
	return skip_status(pn_str_sub(last, 4, last.n));
}
