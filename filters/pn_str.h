/*
 * pn_str - text from the network: a pointer and a length.
 *
 * Mail contains NUL bytes, and a filter that stops reading at one can be
 * walked past. So nothing here is NUL-terminated, and nothing here owns its
 * bytes: they live as long as what they were cut from. Used by modules
 * (through filter.h) and by the whole of postern; depends on libc alone.
 */
#ifndef PN_STR_H
#define PN_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct pn_str {
	const char *p; /* may be NULL when n is 0 */
	size_t n;      /* bytes */
};

/* A literal as an initializer, and as a value. */
#define PN_STR(lit)                                                            \
	{                                                                      \
		(lit), sizeof(lit) - 1                                         \
	}
#define PN_STR_V(lit) ((struct pn_str)PN_STR(lit))
#define PN_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* For printf: "%.*s", PN_STR_ARG(s). */
#define PN_STR_ARG(s) (int)(s).n, ((s).n ? (s).p : "")

static inline struct pn_str
pn_str_of(const char *cstr)
{
	return (struct pn_str){ cstr, cstr ? strlen(cstr) : 0 };
}

static inline bool
pn_str_eq(struct pn_str a, struct pn_str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Letters of ASCII alone, whatever the locale. */
static inline char
pn_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 32) : c;
}

/* Equal but for the case of ASCII letters. */
static inline bool
pn_str_caseeq(struct pn_str a, struct pn_str b)
{
	for (size_t i = 0; a.n == b.n && i < a.n; i++)
		if (pn_lower(a.p[i]) != pn_lower(b.p[i]))
			return false;
	return a.n == b.n;
}

static inline bool
pn_str_starts(struct pn_str s, struct pn_str head)
{
	return s.n >= head.n &&
	    (head.n == 0 || memcmp(s.p, head.p, head.n) == 0);
}

static inline bool
pn_str_ends(struct pn_str s, struct pn_str tail)
{
	return s.n >= tail.n &&
	    (tail.n == 0 || memcmp(s.p + s.n - tail.n, tail.p, tail.n) == 0);
}

/* Has it no control characters? So that it can be a line of a log, a header
 * field or a command, or part of one. */
static inline bool
pn_str_is_one_line(struct pn_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 127)
			return false;
	return true;
}

/* Bytes [from, from + n) of s, cut to what is there. */
static inline struct pn_str
pn_str_sub(struct pn_str s, size_t from, size_t n)
{
	if (from > s.n)
		from = s.n;
	if (n > s.n - from)
		n = s.n - from;
	return (struct pn_str){ s.n ? s.p + from : s.p, n };
}

/* Without blanks and line ends at both ends. */
static inline struct pn_str
pn_str_trim(struct pn_str s)
{
	while (s.n > 0 && strchr(" \t\r\n", s.p[0]) != NULL && s.p[0] != '\0')
		s = (struct pn_str){ s.p + 1, s.n - 1 };
	while (s.n > 0 && strchr(" \t\r\n", s.p[s.n - 1]) != NULL &&
	    s.p[s.n - 1] != '\0')
		s.n--;
	return s;
}

#endif
