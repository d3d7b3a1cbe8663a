/*
 * people - who a display name claims to be.
 *
 * A name is its words, folded (base/fold) in two ways: as read and as seen.
 * What is said claims to be it if these words stand there one behind the other
 * ("Dr. Ada Meyer (CEO)"), or turned around at a comma ("Meyer, Ada"), or
 * written together or letter by letter ("AdaMeyer", "A d a  M e y e r"); a
 * name of one word must be all there is. Or if one of the addresses stands
 * there. What is in parentheses is asked by itself.
 */
#include "rules/tree.h"

#include "base/fold.h"
#include "base/log.h"

#define SAID_MAX 4096 /* bytes of what is said; longer is unknown */
#define WORDS_MAX 512 /* in it; more are unknown */

struct said_word {
	struct pn_str text;
	bool apart;  /* a comma, a parenthesis or the like stands before it */
	bool comma;  /* ... namely that */
	bool bound;  /* a hyphen: Meyer-Schulz is not Meyer */
	bool within; /* parentheses */
};

/* Something said, cut into words. */
struct said {
	struct said_word words[WORDS_MAX];
	size_t n;
	char text[SAID_MAX + 8];
	size_t used;
};

struct name {
	struct pn_str *words[FOLD_WAYS];
	size_t n[FOLD_WAYS];
	struct name *next;
};

struct people {
	struct word *written; /* names as written */
	struct name *names;
	struct pn_str *addresses; /* folded */
	size_t n_addresses;
};

/* ---- words ---- */

struct cutting {
	struct said *s;
	enum fold_way way;
	unsigned depth; /* of parentheses */
	bool in_word, apart, comma;
	bool outer_apart, outer_comma; /* while within parentheses */
	char gap; /* the one since the last word; 0: several, or none */
};

/* rn looks like m, vv like w. */
static void
join_shapes(struct said *s, struct said_word *w)
{
	static const char pairs[][3] = { { 'r', 'n', 'm' }, { 'v', 'v', 'w' } };
	char *p = s->text + (w->text.p - s->text);

	for (size_t k = 0; k < PN_COUNT(pairs); k++)
		for (size_t i = 0; i + 1 < w->text.n; i++)
			if (p[i] == pairs[k][0] && p[i + 1] == pairs[k][1]) {
				p[i] = pairs[k][2];
				memmove(
				    p + i + 1, p + i + 2, w->text.n - i - 2);
				w->text.n--;
			}
}

static void
end_word(struct cutting *c)
{
	if (c->in_word && c->way == FOLD_LOOK)
		join_shapes(c->s, &c->s->words[c->s->n - 1]);
	c->in_word = false;
}

static bool
take_letters(struct cutting *c, const struct folded *f)
{
	struct said *s = c->s;

	if (s->used + f->n > sizeof(s->text))
		return false;
	if (!c->in_word) {
		if (s->n == WORDS_MAX)
			return false;
		s->words[s->n++] =
		    (struct said_word){ .text = { s->text + s->used, 0 },
			    .apart = c->apart,
			    .comma = c->comma,
			    .bound = c->gap == '-',
			    .within = c->depth > 0 };
		c->apart = c->comma = false;
		c->in_word = true;
	}
	memcpy(s->text + s->used, f->p, f->n);
	s->used += f->n;
	s->words[s->n - 1].text.n += f->n;
	return true;
}

static void
open_within(struct cutting *c)
{
	if (c->depth++ == 0) {
		c->outer_apart = c->apart;
		c->outer_comma = c->comma;
	}
	c->apart = true;
	c->comma = false;
}

/* What stood in the parentheses parts nothing: Ada (CEO) Meyer. */
static void
close_within(struct cutting *c)
{
	if (c->depth == 0 || --c->depth > 0)
		return;
	c->apart = c->outer_apart;
	c->comma = c->outer_comma;
}

static void
take_gap(struct cutting *c, char gap)
{
	c->gap = c->in_word ? gap : '\0';
	end_word(c);
	if (memchr("([{<", gap, 4) != NULL)
		open_within(c);
	else if (memchr(")]}>", gap, 4) != NULL)
		close_within(c);
	else if (memchr(",;|/:", gap, 5) != NULL)
		c->apart = true;
	c->comma |= gap == ',';
}

/* False past a limit. */
static bool
cut_words(struct said *s, struct pn_str text, enum fold_way way)
{
	struct cutting c = { .s = s, .way = way, .apart = true };

	s->n = s->used = 0;
	if (text.n > SAID_MAX)
		return false;
	for (size_t i = 0, bytes; i < text.n; i += bytes) {
		struct folded f =
		    fold_next(pn_str_sub(text, i, text.n), way, &bytes);

		if (f.kind == FOLD_GAP)
			take_gap(&c, f.p[0]);
		else if (f.kind == FOLD_LETTER && !take_letters(&c, &f))
			return false;
	}
	end_word(&c);
	return true;
}

/* ---- comparing ---- */

/* The name's words from w[0] on, nothing between them. */
static bool
stands_at(const struct pn_str *name, size_t n, const struct said_word *const *w,
    size_t n_words)
{
	if (n > n_words)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!pn_str_eq(name[i], w[i]->text) || (i > 0 && w[i]->apart))
			return false;
	return !w[0]->bound && (n == n_words || !w[n]->bound);
}

/* w's texts one behind the other are the name's. */
static bool
is_joined(const struct pn_str *name, size_t n, const struct said_word *const *w,
    size_t n_words)
{
	size_t word = 0, at = 0;

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < name[i].n; k++, at++) {
			while (word < n_words && at == w[word]->text.n) {
				word++;
				at = 0;
			}
			if (word == n_words ||
			    w[word]->text.p[at] != name[i].p[k])
				return false;
		}
	return word + 1 == n_words && at == w[word]->text.n;
}

/* The same, but for words of the name whose letters stand apart: "Ada M e y e
 * r". That a word of the name ends where one said does keeps "Adam Eyer" out. */
static bool
is_spelt_at(const struct pn_str *name, size_t n,
    const struct said_word *const *w, size_t n_words)
{
	bool spelt = false;
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		size_t letter = 0;

		spelt = false;
		if (at < n_words && (at == 0 || !w[at]->apart) &&
		    pn_str_eq(name[i], w[at]->text)) {
			at++;
			continue;
		}
		for (; letter < name[i].n; letter++, at++)
			if (at == n_words || (at > 0 && w[at]->apart) ||
			    w[at]->text.n != 1 ||
			    w[at]->text.p[0] != name[i].p[letter])
				return false;
		spelt = true;
	}
	if (at < n_words && spelt && !w[at]->apart && w[at]->text.n == 1)
		return false; /* it goes on */
	return !w[0]->bound && (at == n_words || !w[at]->bound);
}

/* How many words from w[0] on are one letter each. */
static size_t
single_letters(const struct said_word *const *w, size_t n)
{
	size_t i = 0;

	while (i < n && w[i]->text.n == 1 && (i == 0 || !w[i]->apart))
		i++;
	return i;
}

/* One row of words: all outside of parentheses, or all within. */
static bool
row_claims(const struct pn_str *name, size_t n,
    const struct said_word *const *w, size_t n_words)
{
	if (n == 1)
		return n_words == 1 && pn_str_eq(name[0], w[0]->text);
	for (size_t i = 0; i < n_words; i++) {
		size_t letters = single_letters(w + i, n_words - i);

		if (stands_at(name, n, w + i, n_words - i) ||
		    is_spelt_at(name, n, w + i, n_words - i) ||
		    is_joined(name, n, w + i, 1) ||
		    (letters > 2 && is_joined(name, n, w + i, letters)))
			return true;
		if (letters > 2)
			i += letters - 1;
	}
	return false;
}

/* At each comma: what stands behind it up to the next, then what is before. */
static bool
turned_claims(const struct pn_str *name, size_t n,
    const struct said_word *const *w, size_t n_words)
{
	size_t begin = 0;

	for (size_t comma = 1; n > 1 && comma < n_words; comma++) {
		size_t end = comma + 1, used, same = 0;

		if (!w[comma]->apart)
			continue;
		while (end < n_words && !w[end]->apart)
			end++;
		used = end - begin;
		for (size_t i = 0; w[comma]->comma && i + n <= used; i++) {
			for (same = 0; same < n; same++) {
				size_t k = comma - begin + i + same;

				if (!pn_str_eq(
					name[same], w[begin + k % used]->text))
					break;
			}
			if (same == n)
				return true;
		}
		begin = comma;
	}
	return false;
}

static bool
claims_name(const struct said *s, const struct name *name, enum fold_way way)
{
	const struct said_word *row[WORDS_MAX];

	for (int within = 0; within <= 1; within++) {
		size_t n = 0;

		for (size_t i = 0; i < s->n; i++)
			if (s->words[i].within == within)
				row[n++] = &s->words[i];
		if (row_claims(name->words[way], name->n[way], row, n) ||
		    turned_claims(name->words[way], name->n[way], row, n))
			return true;
	}
	return false;
}

/* ---- addresses ---- */

/* What is said without blanks and brackets, folded, word by word. */
static size_t
fold_token(struct pn_str s, size_t *at, char out[MEMBER_MAX])
{
	size_t n = 0;

	while (*at < s.n) {
		size_t bytes;
		struct folded f =
		    fold_next(pn_str_sub(s, *at, s.n), FOLD_READ, &bytes);
		bool ends = f.kind == FOLD_GAP &&
			    memchr(" <>()[]\",;:|", f.p[0], 12) != NULL;

		*at += bytes;
		if (ends && n > 0)
			break;
		if (ends || f.kind == FOLD_NOTHING)
			continue;
		if (n + f.n > MEMBER_MAX) {
			n = 0; /* longer than any address */
			continue;
		}
		memcpy(out + n, f.p, f.n);
		n += f.n;
	}
	while (n > 0 && out[n - 1] == '.')
		n--;
	return n;
}

static bool
claims_address(const struct people *p, struct pn_str said)
{
	char token[MEMBER_MAX];
	size_t at = 0;

	while (at < said.n) {
		struct pn_str t = { token, fold_token(said, &at, token) };

		for (size_t i = 0; t.n > 0 && i < p->n_addresses; i++)
			if (pn_str_eq(t, p->addresses[i]))
				return true;
	}
	return false;
}

enum tri
people_claimed(const struct people *p, struct pn_str text)
{
	struct said said;

	if (text.n > SAID_MAX)
		return TRI_UNKNOWN;
	if (claims_address(p, text))
		return TRI_TRUE;
	for (int way = 0; way < FOLD_WAYS; way++) {
		if (!cut_words(&said, text, (enum fold_way)way))
			return TRI_UNKNOWN;
		for (const struct name *n = p->names; n != NULL; n = n->next)
			if (claims_name(&said, n, (enum fold_way)way))
				return TRI_TRUE;
	}
	return TRI_FALSE;
}

const struct word *
people_names(const struct people *p)
{
	return p->written;
}

/* ---- making them ---- */

/* "Meyer, Ada" in the list is Ada Meyer. */
static struct pn_str *
keep_words(struct rules_builder *b, const struct said *s)
{
	struct pn_str *words = rules_alloc(b, s->n * sizeof(*words));
	size_t first = 0;

	for (size_t i = 1; i < s->n && first == 0; i++)
		if (s->words[i].comma)
			first = i;
	for (size_t i = 0; i < s->n; i++)
		words[i] = rules_copy(b, s->words[(first + i) % s->n].text);
	return words;
}

static int
add_name(struct rules_builder *b, struct name **last, const struct word *w,
    struct error *e)
{
	struct name *name = *last = rules_alloc(b, sizeof(*name));
	struct said said;

	for (int way = 0; way < FOLD_WAYS; way++) {
		if (w->text.n > MEMBER_MAX ||
		    !cut_words(&said, w->text, (enum fold_way)way))
			return lex_error(e, &w->pos,
			    "a name has at most %d bytes", MEMBER_MAX);
		if (said.n == 0)
			return lex_error(
			    e, &w->pos, "\"%s\" has no letters", VIS(w->text));
		name->words[way] = keep_words(b, &said);
		name->n[way] = said.n;
	}
	return 0;
}

static void
fold_address(struct rules_builder *b, struct people *p, const struct word *w)
{
	char token[MEMBER_MAX];
	size_t at = 0, n = fold_token(w->text, &at, token);

	p->addresses[p->n_addresses++] =
	    rules_copy(b, (struct pn_str){ token, n });
}

int
list_add_people(struct rules_builder *b, const struct word *name,
    struct word *names, struct word *addresses, struct error *e)
{
	struct people *p = rules_alloc(b, sizeof(*p));
	struct name **last = &p->names;
	struct list *l;

	p->written = names;
	for (const struct word *w = names; w != NULL; w = w->next) {
		if (add_name(b, last, w, e) < 0)
			return -1;
		last = &(*last)->next;
	}
	for (const struct word *w = addresses; w != NULL; w = w->next)
		if (!address_is_valid(w->text, false))
			return lex_error(
			    e, &w->pos, "\"%s\" is no address", VIS(w->text));
	l = list_of(b, addresses);
	l->kind = LIST_PEOPLE;
	p->addresses = rules_alloc(b, l->n_members * sizeof(*p->addresses));
	for (const struct word *w = l->members; w != NULL; w = w->next)
		fold_address(b, p, w);
	l->people = p;
	return list_add(b, name, l, e);
}
