/*
 * parse_list - items that name lists: sets, maps and people. Called by
 * parse.c.
 */
#include "rules/parse.h"

#include "base/log.h"

#define PEOPLE_MAX 1000 /* names and addresses of one block: each is tried */

/* set NAME = ext(a b c); set NAME = a "b c" 10.0.0.0/8; */
int
parse_set(struct parser *p)
{
	struct word name, *members = NULL;
	struct lex_token t;
	bool ext = false;

	if (parse_name(p, "the name of a set", &name) < 0 ||
	    lex_expect(p->l, "=", p->e) < 0 || lex_peek(p->l, &t, p->e) < 0)
		return -1;
	if (lex_is(&t, "ext")) {
		struct lex ahead = *p->l;

		(void)lex_next(&ahead, &t, p->e); /* peeked */
		ext = lex_next(&ahead, &t, p->e) == 0 && lex_is(&t, "(");
		if (ext)
			*p->l = ahead;
	}
	if (parse_list(p, &members, "a member of the set") < 0 ||
	    (ext && lex_expect(p->l, ")", p->e) < 0) ||
	    lex_expect(p->l, ";", p->e) < 0)
		return -1;
	return list_add_set(p->b, &name, ext, members, p->e);
}

/* The kind before the colon of text:FILE; *rest is what stands behind it. */
static bool
kind_of(struct pn_str source, enum list_kind *kind, struct pn_str *rest)
{
	for (*kind = LIST_TEXT; *kind <= LIST_CDB; ++*kind) {
		struct pn_str word = pn_str_of(list_kind_word(*kind));

		if (pn_str_starts(source, word) && source.n > word.n &&
		    source.p[word.n] == ':') {
			*rest = pn_str_sub(source, word.n + 1, source.n);
			return true;
		}
	}
	return false;
}

/* map NAME = text:FILE; also cidr: pcre: cdb: */
int
parse_map(struct parser *p)
{
	struct word name, source, path;
	enum list_kind kind;

	if (parse_name(p, "the name of a map", &name) < 0 ||
	    lex_expect(p->l, "=", p->e) < 0 ||
	    parse_text(p, "text:FILE", &source) < 0)
		return -1;
	path = source;
	if (source.quoted || !kind_of(source.text, &kind, &path.text))
		return lex_error(p->e, &source.pos,
		    "a map is text:FILE, cidr:FILE, pcre:FILE or cdb:FILE, not "
		    "\"%s\"",
		    VIS(source.text));
	if (path.text.n == 0 && parse_text(p, "a file's name", &path) < 0)
		return -1;
	if (lex_expect(p->l, ";", p->e) < 0)
		return -1;
	if (path.text.n == 0)
		return lex_error(p->e, &path.pos, "a file needs a name");
	return list_add_map(
	    p->b, kind, &name, &path, parse_under_base(p->b, path.text), p->e);
}

/* name "..." {, "..."}; address A {, A}; the words go behind *last. */
static int
parse_people_clause(
    struct parser *p, bool names, struct word ***last, size_t *n)
{
	const char *what = names ? "a name in quotes" : "an address";
	struct lex_token t;
	int more;

	do {
		if (lex_next(p->l, &t, p->e) < 0)
			return -1;
		if (++*n > PEOPLE_MAX)
			return lex_error(p->e, &t.pos,
			    "people have at most %d names and addresses",
			    PEOPLE_MAX);
		if (t.kind != LEX_STRING && (names || t.kind != LEX_WORD))
			return parse_unexpected(p->e, &t, what, NULL, 0);
		**last = rules_alloc(p->b, sizeof(***last));
		***last = parse_word_of(p->b, &t);
		*last = &(**last)->next;
	} while ((more = lex_accept(p->l, ",", p->e)) > 0);
	return more < 0 ? -1 : lex_expect(p->l, ";", p->e);
}

/* people NAME { name "Ada Meyer", "A. Meyer"; address ada@example.com; } */
int
parse_people(struct parser *p)
{
	static const char *const words[] = { "name", "address" };
	struct word name, *names = NULL, *addresses = NULL;
	struct word **last_name = &names, **last_address = &addresses;
	struct lex_token t;
	size_t n = 0;

	if (parse_name(p, "the name of the people", &name) < 0 ||
	    lex_expect(p->l, "{", p->e) < 0)
		return -1;
	for (;;) {
		bool is_name;

		if (lex_next(p->l, &t, p->e) < 0)
			return -1;
		if (lex_is(&t, "}"))
			break;
		is_name = lex_is(&t, "name");
		if (!is_name && !lex_is(&t, "address"))
			return parse_unexpected(p->e, &t,
			    "name, address or \"}\"", words, PN_COUNT(words));
		if (parse_people_clause(p, is_name,
			is_name ? &last_name : &last_address, &n) < 0)
			return -1;
	}
	if (names == NULL)
		return lex_error(p->e, &name.pos, "people \"%s\" need a name",
		    VIS(name.text));
	return list_add_people(p->b, &name, names, addresses, p->e);
}
