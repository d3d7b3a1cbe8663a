/* answer - see answer.h. RFC 5321 4.2.1, RFC 3463 2. */
#include "milter/answer.h"

#include <stdio.h>

/* A code that is neither 4xx nor 5xx would be no refusal: 451, or 550. */
static void
set_code(struct answer *a, const struct reply *r)
{
	uint16_t code = r->code;
	const char *rest = r->status;

	if (code < 400 || code > 599)
		code = code / 100 == 2 ? 550 : 451;
	a->later = code < 500;
	(void)snprintf(a->code, sizeof(a->code), "%u", code);
	/* "5.7.1" with 450 would be dropped, text and all: the class is the
	 * code's (RFC 2034 4). */
	rest = rest[0] != '\0' ? rest + 1 : ".7.1";
	(void)snprintf(a->status, sizeof(a->status), "%c%s",
	    a->later ? '4' : '5', rest);
}

/* How much of text goes into one line, `%` counted twice: up to a blank where
 * there is one, never within a character of UTF-8. */
static size_t
cut(struct pn_str text)
{
	size_t n = 0, used = 0, blank = 0;

	for (; n < text.n; n++) {
		used += text.p[n] == '%' ? 2 : 1;
		if (used > ANSWER_LINE)
			break;
		if (text.p[n] == ' ')
			blank = n;
	}
	if (n == text.n)
		return n;
	if (text.p[n] == ' ')
		return n;
	if (blank > ANSWER_LINE / 4)
		return blank;
	while (n > 1 && ((unsigned char)text.p[n] & 0xc0) == 0x80)
		n--;
	return n;
}

/* libmilter takes no CR or LF in a line, and a NUL would end it. */
static char *
put(char *at, struct pn_str line)
{
	for (size_t i = 0; i < line.n; i++) {
		char c = line.p[i];

		*at++ = c == '\r' || c == '\n' || c == '\0' ? ' ' : c;
		if (c == '%')
			*at++ = '%';
	}
	*at++ = '\0';
	return at;
}

/* The next line of *rest, which is left of it; its last tail_n bytes stand in
 * one line. */
static char *
put_line(struct answer *a, char *at, struct pn_str *rest, size_t tail_n)
{
	size_t n = cut(*rest);

	if (n < rest->n && rest->n - n < tail_n && rest->n > tail_n)
		n = rest->n - tail_n;
	a->lines[a->n++] = at;
	at = put(at, pn_str_sub(*rest, 0, n));
	*rest = pn_str_sub(*rest, n, rest->n);
	if (rest->n > 0 && rest->p[0] == ' ')
		*rest = pn_str_sub(*rest, 1, rest->n);
	return at;
}

void
answer_make(struct answer *a, const struct reply *r, const char *id)
{
	char tail[48] = "";
	size_t tail_n, n = r->text.n;
	struct pn_str rest;
	char *at = a->text;

	set_code(a, r);
	if (id[0] != '\0')
		(void)snprintf(tail, sizeof(tail), " [ref %s]", id);
	tail_n = strlen(tail);
	a->cut = n > sizeof(a->whole) - tail_n;
	if (a->cut)
		n = sizeof(a->whole) - tail_n;
	if (n > 0)
		memcpy(a->whole, r->text.p, n);
	memcpy(a->whole + n, tail, tail_n);
	rest = (struct pn_str){ a->whole, n + tail_n };
	a->n = 0;
	do {
		/* The reference is what an operator asks for: never cut off. */
		if (a->n == ANSWER_LINES - 1 && cut(rest) < rest.n) {
			a->cut = true;
			rest = pn_str_of(tail_n > 0 ? tail + 1 : "");
		}
		at = put_line(a, at, &rest, tail_n);
	} while (rest.n > 0);
	for (unsigned i = a->n; i < ANSWER_LINES; i++)
		a->lines[i] = NULL;
}
