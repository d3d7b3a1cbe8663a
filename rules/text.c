/*
 * text - reply texts, prefixes and header values with $facts in them.
 *
 * Checked and cut into pieces by check.c, rendered by judge.c when a rule
 * fires. What comes from the mail is stripped of controls and cut with "..."
 * in sight; in replies what is not ASCII becomes "?" (RFC 5321 4.2).
 */
#include "rules/text.h"

#include <stdio.h>

#include "base/log.h"

#define LITERAL_MAX 400 /* bytes of a text as written */
#define VALUE_SHOWN 128 /* bytes of one fact in a text */

/* ---- cutting ---- */

static bool
is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

/* Bytes of the fact's name behind a `$`: no "." or "-" at its end. */
static size_t
name_length(struct pn_str s)
{
	size_t n = 0;

	while (n < s.n && is_name_byte(s.p[n]))
		n++;
	while (n > 0 && (s.p[n - 1] == '.' || s.p[n - 1] == '-'))
		n--;
	return n;
}

static struct lex_pos
at_offset(const struct text *t, size_t offset)
{
	struct lex_pos pos = t->pos;

	pos.column += 1 + (unsigned)offset;
	return pos;
}

/* Bytes of a regex group's name. */
static size_t
group_length(struct pn_str s)
{
	size_t n = 0;

	while (
	    n < s.n && is_name_byte(s.p[n]) && s.p[n] != '-' && s.p[n] != '.')
		n++;
	return n;
}

struct pn_str
named_name(const struct named *n)
{
	return pattern_capture_name(n->atom->pattern, n->index);
}

static bool
take_capture(
    const struct text_use *use, struct pn_str rest, struct piece *piece)
{
	struct pn_str name = pn_str_sub(rest, 0, group_length(rest));

	for (const struct named *n = use->named; n != NULL; n = n->next)
		if (pn_str_eq(named_name(n), name)) {
			*piece = (struct piece){ .kind = PIECE_CAPTURE,
				.literal = name };
			return true;
		}
	return false;
}

static int
take_fact(struct rules_builder *b, const struct text_use *use,
    const struct text *t, size_t offset, struct piece *piece, struct error *e)
{
	struct pn_str rest = pn_str_sub(t->raw, offset + 1, t->raw.n);
	struct word name = { .text = pn_str_sub(rest, 0, name_length(rest)),
		.pos = at_offset(t, offset) };
	const struct rules_decls *d = b->decls;
	struct fact_ref ref;

	if (name.text.n == 0)
		return lex_error(e, &name.pos,
		    "a fact's name must follow the $ ($$ is a dollar)");
	if (fact_exists(d, NO_THING, name.text, &ref) &&
	    ref.thing != NO_THING) {
		if (!use->any_of[ref.thing])
			return lex_error(e, &name.pos,
			    "\"$%s\" needs a %s that was found: %s",
			    VIS(name.text), d->things[ref.thing], use->no_any);
	} else if (!fact_exists(d, NO_THING, name.text, &ref) &&
		   take_capture(use, rest, piece)) {
		return (int)piece->literal.n + 1;
	} else if (fact_find(d, NO_THING, &name, &ref, e) < 0) {
		return -1;
	}
	if (d->facts[ref.fact].keyed)
		return lex_error(e, &name.pos,
		    "\"$%s\" needs a name and cannot stand in a text",
		    VIS(name.text));
	*piece = (struct piece){ .kind = PIECE_FACT,
		.fact = ref.fact,
		.field = ref.field,
		.thing = ref.thing };
	return (int)name.text.n + 1;
}

/* A literal up to the next `$`; `$$` is one dollar. */
static int
take_literal(struct rules_builder *b, const struct text_use *use,
    const struct text *t, size_t offset, struct piece *piece, struct error *e)
{
	size_t n = 0;
	struct pn_str rest = pn_str_sub(t->raw, offset, t->raw.n);
	struct lex_pos pos = at_offset(t, offset);

	if (pn_str_starts(rest, PN_STR_V("$$"))) {
		piece->literal = pn_str_sub(rest, 0, 1);
		return 2;
	}
	while (n < rest.n && rest.p[n] != '$')
		n += rest.p[n] == '\\' && n + 1 < rest.n ? 2 : 1;
	piece->literal =
	    lex_unescape(pn_str_sub(rest, 0, n), rules_alloc(b, n + 1));
	for (size_t i = 0; i < piece->literal.n; i++) {
		unsigned char c = (unsigned char)piece->literal.p[i];

		if (c < ' ' || c == 127)
			return lex_error(e, &pos,
			    "control characters cannot stand in this text");
		if (c > 127 && use->reply)
			return lex_error(
			    e, &pos, "a reply is ASCII alone (RFC 5321 4.2)");
	}
	return (int)n;
}

int
text_check(struct rules_builder *b, const struct text_use *use, struct text *t,
    struct error *e)
{
	struct piece **last = &t->pieces;

	if (t->raw.n > LITERAL_MAX)
		return lex_error(
		    e, &t->pos, "a text has at most %d bytes", LITERAL_MAX);
	for (size_t i = 0; i < t->raw.n;) {
		struct pn_str rest = pn_str_sub(t->raw, i, t->raw.n);
		bool fact =
		    rest.p[0] == '$' && !pn_str_starts(rest, PN_STR_V("$$"));
		int n;

		*last = rules_alloc(b, sizeof(**last));
		n = fact ? take_fact(b, use, t, i, *last, e)
			 : take_literal(b, use, t, i, *last, e);
		if (n < 0)
			return -1;
		last = &(*last)->next;
		i += (size_t)n;
	}
	return 0;
}

/* ---- rendering ---- */

static void
put_value(struct buf *b, struct pn_str s, bool ascii)
{
	bool whole = s.n <= VALUE_SHOWN;

	/* Cut before a UTF-8 sequence, not in it. */
	for (s.n = whole ? s.n : VALUE_SHOWN;
	     !whole && s.n > 0 && (s.p[s.n] & 0xc0) == 0x80;)
		s.n--;
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c < ' ' || c == 127)
			continue;
		(void)buf_add(b, c > 127 && ascii ? "?" : &s.p[i], 1);
	}
	if (!whole)
		(void)buf_puts(b, "...");
}

static void
put_known(struct buf *b, const struct value *v, enum value_type type,
    enum field field, bool ascii)
{
	if (type == VALUE_NUMBER)
		(void)buf_printf(b, "%lld", (long long)v->number);
	else if (type == VALUE_BOOL)
		(void)buf_puts(b, v->number ? "yes" : "no");
	else
		put_value(b, value_text(v, field), ascii);
}

static void
put_fact(const struct text_source *from, const struct piece *piece, bool ascii,
    struct buf *b)
{
	const struct rules_decl *decl = &from->r->decls->facts[piece->fact];
	const struct rules_facts *facts = from->facts;
	uint32_t thing = RULES_MESSAGE;
	struct value v = { .state = VALUE_KNOWN, .number = from->score };

	if (piece->thing != NO_THING) {
		thing = from->found[piece->thing];
		if (thing == NO_THING)
			return; /* the rule fired for another reason */
	}
	if (piece->fact != from->r->score) {
		v = (struct value){ 0 };
		facts->get(facts->arg, piece->fact, thing,
		    (struct pn_str){ "", 0 }, 0, &v);
	}
	if (v.state == VALUE_UNKNOWN)
		(void)buf_puts(b, "unknown");
	if (v.state == VALUE_KNOWN)
		put_known(b, &v, decl->type, piece->field, ascii);
}

struct pn_str
text_render(const struct text_source *from, const struct text *t, bool ascii,
    struct arena *arena)
{
	struct buf b = { 0 };
	struct pn_str out;

	for (const struct piece *p = t->pieces; p != NULL; p = p->next) {
		if (p->kind == PIECE_FACT)
			put_fact(from, p, ascii, &b);
		else if (p->kind == PIECE_CAPTURE)
			put_value(
			    &b, from->capture(from->arg, p->literal), ascii);
		else
			(void)buf_add_str(&b, p->literal); /* no cap */
	}
	out = arena_str(arena, buf_str(&b));
	buf_fini(&b);
	return out;
}
