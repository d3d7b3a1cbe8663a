/*
 * map_file - the text of a map's file to its entries. Called by map.c, in the
 * master alone; the file is the operator's, and may be a Postfix table.
 *
 *   text   KEY [VALUE]; KEY is an address or @domain; # to the line's end is a
 *          comment
 *   cidr   [!]NETWORK [VALUE], as cidr_table(5)
 *   pcre   [!]/PATTERN/FLAGS [VALUE], as pcre_table(5)
 *
 * In the last two a line that begins with a blank goes on with the value of
 * the one before it, and lines whose first word begins with # are comments.
 */
#include "rules/tree.h"

#include "base/log.h"

#define PATTERNS_MAX 10000 /* entries of one pcre map: they are tried in turn  \
			    */

struct reading {
	struct rules_builder *b;
	enum list_kind kind;
	struct lex_pos pos; /* of the line at hand */
	struct word **last;
	struct map_entry
	    *entry; /* the last one: what goes on goes on with it */
	size_t n;
	struct error *e;
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct lex_pos
pos_in(const struct reading *r, struct pn_str line, const char *at)
{
	struct lex_pos pos = r->pos;

	pos.column = (unsigned)(at - line.p) + 1;
	return pos;
}

/* The entry whose key begins at key.p; the value is what follows it. */
static struct map_entry *
entry_new(struct reading *r, struct pn_str line, struct pn_str key,
    struct pn_str rest)
{
	struct map_entry *m = rules_alloc(r->b, sizeof(*m));

	m->word.text = key;
	m->word.pos = pos_in(r, line, key.p);
	m->value = pn_str_trim(rest);
	*r->last = &m->word;
	r->last = &m->word.next;
	r->entry = m;
	r->n++;
	return m;
}

/* The first word of s; *rest is what is left. */
static struct pn_str
first_word(struct pn_str s, struct pn_str *rest)
{
	size_t n = 0;

	while (n < s.n && !is_blank(s.p[n]))
		n++;
	*rest = pn_str_sub(s, n, s.n);
	return pn_str_sub(s, 0, n);
}

/* ---- one line of each kind; it is not empty ---- */

static int
take_text(struct reading *r, struct pn_str line, struct pn_str s)
{
	struct pn_str rest, key = first_word(s, &rest);
	struct lex_pos pos = pos_in(r, line, key.p);

	if (!address_is_valid(key, true))
		return lex_error(r->e, &pos,
		    "\"%s\" is neither an address nor @domain", VIS(key));
	(void)entry_new(r, line, key, rest);
	return 0;
}

static int
take_cidr(struct reading *r, struct pn_str line, struct pn_str s)
{
	struct pn_str rest, key = first_word(s, &rest);
	bool negated = pn_str_starts(key, PN_STR_V("!"));
	struct lex_pos pos;
	const char *wrong;
	struct net net;

	if (negated)
		key = pn_str_sub(key, 1, key.n);
	pos = pos_in(r, line, key.p);
	wrong = net_parse(key, &net);
	if (wrong != NULL)
		return lex_error(r->e, &pos, "\"%s\" %s", VIS(key), wrong);
	entry_new(r, line, key, rest)->negated = negated;
	return 0;
}

/*
 * Postfix's flags switch what is on by default; ours are those a regex of the
 * language has. Its i and s are on until they are named.
 */
static int
take_flags(struct reading *r, struct pn_str line, struct pn_str flags,
    struct pn_str *out)
{
	bool i = true, s = true, m = false, x = false;
	char *text = rules_alloc(r->b, 5);
	size_t n = 0;

	for (size_t k = 0; k < flags.n; k++) {
		struct lex_pos pos = pos_in(r, line, flags.p + k);
		bool *flag = flags.p[k] == 'i'	 ? &i
			     : flags.p[k] == 's' ? &s
			     : flags.p[k] == 'm' ? &m
			     : flags.p[k] == 'x' ? &x
						 : NULL;

		if (flag == NULL)
			return lex_error(r->e, &pos,
			    "flag \"%s\" is none of i m s x",
			    VIS(pn_str_sub(flags, k, 1)));
		*flag = !*flag;
	}
	for (size_t k = 0; k < 4; k++)
		if ((const bool[]){ i, m, s, x }[k])
			text[n++] = "imsx"[k];
	*out = (struct pn_str){ text, n };
	return 0;
}

size_t
map_reference(struct pn_str s, unsigned *group)
{
	char close = s.n > 1 && s.p[1] == '('	? ')'
		     : s.n > 1 && s.p[1] == '{' ? '}'
						: '\0';
	size_t first = close != '\0' ? 2 : 1, i = first;

	*group = 0;
	for (; i < s.n && i < first + 3 && s.p[i] >= '0' && s.p[i] <= '9'; i++)
		*group = *group * 10 + (unsigned)(s.p[i] - '0');
	if (*group == 0 || (close != '\0' && (i == s.n || s.p[i] != close)))
		return 0;
	return i + (close != '\0');
}

/* In the value, as far as it stands in one piece. */
static struct lex_pos
pos_in_value(const struct map_entry *m, size_t i)
{
	const char *at = m->value.p + i, *text = m->word.pos.text.p;
	struct lex_pos pos = m->word.pos;

	if (at >= text && at < text + m->word.pos.text.n)
		pos.column += 1 + (unsigned)(at - m->word.text.p);
	return pos;
}

static int
check_reference(const struct map_entry *m, size_t i, size_t *n, struct error *e)
{
	struct pn_str rest = pn_str_sub(m->value, i, m->value.n);
	struct lex_pos pos = pos_in_value(m, i);
	unsigned group;

	*n = 2;
	if (pn_str_starts(rest, PN_STR_V("$$")))
		return 0;
	*n = map_reference(rest, &group);
	if (*n == 0)
		return lex_error(e, &pos,
		    "a group's number must follow the $ ($$ is a dollar)");
	if (m->negated)
		return lex_error(e, &pos, "what does not match has no groups");
	if (group >= pattern_n_groups(m->pattern))
		return lex_error(e, &pos, "the pattern has no group %u", group);
	return 0;
}

static int
check_values(const struct word *w, struct error *e)
{
	for (; w != NULL; w = w->next) {
		const struct map_entry *m = (const struct map_entry *)w;

		for (size_t i = 0, n = 1; i < m->value.n; i += n) {
			n = 1;
			if (m->value.p[i] == '$' &&
			    check_reference(m, i, &n, e) < 0)
				return -1;
		}
	}
	return 0;
}

/* The pattern's end in s, which begins behind the first delimiter. */
static size_t
closing(struct pn_str s, char delimiter)
{
	size_t i = 0;

	while (i < s.n && s.p[i] != delimiter)
		i += s.p[i] == '\\' && i + 1 < s.n ? 2 : 1;
	return i;
}

static bool
is_delimiter(char c)
{
	return c > ' ' && c < 127 && strchr("\\#!", c) == NULL &&
	       (c < '0' || (c > '9' && c < 'A') || (c > 'Z' && c < 'a') ||
		   c > 'z');
}

static int
take_pcre(struct reading *r, struct pn_str line, struct pn_str s)
{
	bool negated = s.p[0] == '!';
	struct pn_str rest, flags,
	    regex = pn_str_trim(pn_str_sub(s, negated, s.n));
	struct lex_pos pos = pos_in(r, line, regex.p);
	struct map_entry *m;
	struct word at;
	size_t n;

	if (r->n == PATTERNS_MAX)
		return lex_error(r->e, &pos,
		    "a pcre map has at most %d entries", PATTERNS_MAX);
	if (regex.n == 0 || !is_delimiter(regex.p[0]))
		return lex_error(r->e, &pos,
		    "/PATTERN/ must stand here, not \"%s\"",
		    VIS(first_word(regex, &rest)));
	n = closing(pn_str_sub(regex, 1, regex.n), regex.p[0]);
	if (n + 1 >= regex.n)
		return lex_error(
		    r->e, &pos, "the pattern does not end on its line");
	flags = first_word(pn_str_sub(regex, n + 2, regex.n), &rest);
	at = (struct word){ .text = pn_str_sub(regex, 1, n), .pos = pos };
	if (take_flags(r, line, flags, &flags) < 0)
		return -1;
	m = entry_new(r, line, at.text, rest);
	m->word.pos = pos;
	m->negated = negated;
	return pattern_compile(r->b, &at, flags, &m->pattern, r->e);
}

/* ---- lines ---- */

/* A line that goes on with the value before it. */
static int
go_on(struct reading *r, struct pn_str line, struct pn_str s)
{
	struct lex_pos pos = pos_in(r, line, s.p);
	struct pn_str before;
	char *joined;

	if (r->entry == NULL)
		return lex_error(r->e, &pos,
		    "a line that begins with a blank goes on with the one "
		    "before it, and there is none");
	before = r->entry->value;
	joined = rules_alloc(r->b, before.n + 1 + s.n);
	if (before.n > 0)
		memcpy(joined, before.p, before.n);
	joined[before.n] = ' ';
	memcpy(joined + before.n + 1, s.p, s.n);
	r->entry->value =
	    pn_str_trim((struct pn_str){ joined, before.n + 1 + s.n });
	return 0;
}

static int
refuse_if(struct reading *r, struct pn_str line, struct pn_str s)
{
	struct pn_str rest, word = first_word(s, &rest);
	struct lex_pos pos = pos_in(r, line, s.p);

	if (!pn_str_caseeq(word, PN_STR_V("if")) &&
	    !pn_str_caseeq(word, PN_STR_V("endif")))
		return 0;
	return lex_error(r->e, &pos,
	    "\"%s\" is not for maps of postern: write the entries apart",
	    VIS(word));
}

static int
take_line(struct reading *r, struct pn_str line)
{
	struct pn_str s = pn_str_trim(line);
	bool goes_on = line.n > 0 && is_blank(line.p[0]);
	const char *comment;

	if (r->kind == LIST_TEXT) {
		comment = s.n ? memchr(s.p, '#', s.n) : NULL;
		if (comment != NULL)
			s.n = (size_t)(comment - s.p);
		s = pn_str_trim(s);
		return s.n > 0 ? take_text(r, line, s) : 0;
	}
	if (s.n == 0 || s.p[0] == '#')
		return 0;
	if (goes_on)
		return go_on(r, line, s);
	if (refuse_if(r, line, s) < 0)
		return -1;
	return r->kind == LIST_CIDR ? take_cidr(r, line, s)
				    : take_pcre(r, line, s);
}

int
map_read(struct rules_builder *b, enum list_kind kind, const char *path,
    struct pn_str text, struct word **members, struct error *e)
{
	struct reading r = { .b = b, .kind = kind, .last = members, .e = e };

	r.pos = (struct lex_pos){ .file = path, .text = text, .line = 1 };
	for (size_t i = 0; i < text.n; r.pos.line++) {
		struct pn_str line = pn_str_sub(text, i, text.n);
		const char *nl = memchr(line.p, '\n', line.n);

		if (nl != NULL)
			line.n = (size_t)(nl - line.p);
		if (take_line(&r, line) < 0)
			return -1;
		i += line.n + 1;
	}
	return kind == LIST_PCRE ? check_values(*members, e) : 0;
}
