/* mailbox - see mailbox.h. */
#include "inspect/mailbox.h"

#include "inspect/header.h"

/* One element of the list while it is taken apart: pieces of the field. */
struct element {
	struct pn_str phrase;  /* in front of the angle bracket */
	struct pn_str address; /* in brackets, or all of it */
	struct pn_str comment; /* the last one, without parentheses */
	bool angle;
};

/* Index behind the quoted string or comment at i; i + 1 for anything else. */
static size_t
skip(struct pn_str s, size_t i)
{
	char close = s.p[i] == '"' ? '"' : s.p[i] == '(' ? ')' : '\0';
	size_t open = 1, from = i;

	if (close == '\0')
		return i + (s.p[i] == '\\' && i + 1 < s.n ? 2 : 1);
	for (i++; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == close && --open == 0)
			return i + 1;
		else if (close == ')' && s.p[i] == '(')
			open++;
	}
	return from + 1; /* never closed: a character like any other */
}

/* Up to the bracket that closes it, or to what cannot be in an address. */
static size_t
angle_end(struct pn_str s, size_t i)
{
	while (i < s.n && s.p[i] != '>' && s.p[i] != '<')
		i = s.p[i] == '"' ? skip(s, i) : i + 1;
	return i;
}

/* The comment behind a bracket, at s[i], or nothing. */
static struct pn_str
comment_at(struct pn_str s, size_t i)
{
	size_t end;

	while (i < s.n && memchr(" \t\r\n", s.p[i], 4) != NULL)
		i++;
	if (i == s.n || s.p[i] != '(' || (end = skip(s, i)) == i + 1)
		return (struct pn_str){ NULL, 0 };
	return pn_str_sub(s, i + 1, end - i - 2);
}

/* The next element from *at; what follows a bracket up to the comma waits
 * for the next call, which finds another bracket there or nothing. */
static void
take_element(struct pn_str s, size_t *at, struct element *e)
{
	size_t from = *at, i = *at;

	*e = (struct element){ .phrase = { NULL, 0 } };
	while (i < s.n && s.p[i] != ',' && s.p[i] != ';') {
		if (s.p[i] == '<') {
			size_t end = angle_end(s, i + 1);

			e->angle = true;
			e->phrase = pn_str_sub(s, from, i - from);
			e->address = pn_str_sub(s, i + 1, end - i - 1);
			*at = end + (end < s.n && s.p[end] == '>');
			e->comment = comment_at(s, *at);
			return;
		}
		if (s.p[i] == ':') { /* a group's name */
			from = i + 1;
			e->comment = (struct pn_str){ NULL, 0 };
		}
		if (s.p[i] == '(') {
			size_t end = skip(s, i);

			if (end > i + 1)
				e->comment = pn_str_sub(s, i + 1, end - i - 2);
		}
		i = skip(s, i);
	}
	if (i > s.n)
		i = s.n;
	e->address = pn_str_sub(s, from, i - from);
	*at = i < s.n ? i + 1 : i;
}

/* Without comments, blanks outside of quotes, quotes and backslashes; *split
 * is the last "@" that was not quoted. */
static struct pn_str
bare_address(struct pn_str s, struct arena *arena, size_t *split)
{
	char *out = arena_alloc(arena, s.n);
	bool quoted = false;
	size_t n = 0;

	*split = SIZE_MAX;
	for (size_t i = 0; out != NULL && i < s.n; i++) {
		char c = s.p[i];

		if (c == '"') {
			quoted = !quoted;
			continue;
		}
		if (!quoted && c == '(') {
			size_t end = skip(s, i);

			if (end > i + 1) {
				i = end - 1;
				continue;
			}
		}
		if (!quoted && (c == ' ' || c == '\t'))
			continue;
		if (c == '\r' || c == '\n')
			continue;
		if (c == '\\' && i + 1 < s.n)
			c = s.p[++i];
		else if (c == '@' && !quoted)
			*split = n;
		out[n++] = c;
	}
	return (struct pn_str){ out, n };
}

/* A display name: quotes and backslashes undone, then RFC 2047. */
static struct pn_str
plain_phrase(struct pn_str s, struct arena *arena)
{
	struct pn_str t = header_unfold(s, arena);
	bool unknown = false;
	char *out;
	size_t n = 0;

	if (t.n == 0)
		return PN_STR_V("");
	if (memchr(t.p, '"', t.n) != NULL || memchr(t.p, '\\', t.n) != NULL) {
		if ((out = arena_alloc(arena, t.n)) == NULL)
			return PN_STR_V("");
		for (size_t i = 0; i < t.n; i++) {
			if (t.p[i] == '\\' && i + 1 < t.n)
				i++;
			else if (t.p[i] == '"')
				continue;
			out[n++] = t.p[i];
		}
		t = pn_str_trim((struct pn_str){ out, n });
	}
	t = header_decode(t, arena, &unknown);
	return t.p == NULL ? PN_STR_V("") : t;
}

/* RFC 5322 4.4: "@a,@b:" in front of the address is a route, ignored. */
static struct pn_str
without_route(struct pn_str s)
{
	struct pn_str t = pn_str_trim(s);
	const char *colon = t.n > 0 && t.p[0] == '@' ? memchr(t.p, ':', t.n) :
						       NULL;

	return colon == NULL ? s :
	    pn_str_sub(t, (size_t)(colon + 1 - t.p), t.n);
}

bool
mailbox_next(struct pn_str field, size_t *at, struct mailbox *m,
    struct arena *arena)
{
	while (*at < field.n) {
		struct element e;
		struct pn_str a;
		size_t split;

		take_element(field, at, &e);
		a = bare_address(without_route(e.address), arena, &split);
		if (a.p == NULL)
			return false;
		if (a.n == 0 && !e.angle)
			continue; /* an empty element, the rest of a group */
		m->local = pn_str_sub(a, 0, split);
		m->domain = split == SIZE_MAX ? PN_STR_V("") :
			pn_str_sub(a, split + 1, a.n);
		if (m->domain.n > 1 && m->domain.p[m->domain.n - 1] == '.')
			m->domain.n--; /* the root's: the same domain */
		m->display = plain_phrase(e.angle ? e.phrase : e.comment, arena);
		if (m->display.n == 0) /* "<a@b> (Ada)" */
			m->display = plain_phrase(e.comment, arena);
		return true;
	}
	return false;
}
