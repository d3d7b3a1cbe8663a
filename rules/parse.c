/*
 * parse - policy text to tree, item by item; grammar alone, no facts are looked
 * up. Policies and rules have files of their own.
 *
 * Called through rules_parse_item() by proxy/config.c, item by item. The
 * caller's text is copied into the arena first, so tokens and positions stay.
 * The grammar stands in postern-rules(5).
 */
#include "rules/parse.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"

struct pn_str
parse_under_base(struct rules_builder *b, struct pn_str path)
{
	struct pn_str dir = pn_str_of(b->base_dir);
	char *joined;

	if (dir.n == 0 || pn_str_starts(path, PN_STR_V("/")))
		return rules_copy(b, path);
	joined = rules_alloc(b, dir.n + path.n + 2);
	memcpy(joined, dir.p, dir.n);
	joined[dir.n] = '/';
	memcpy(joined + dir.n + 1, path.p, path.n);
	return (struct pn_str){ joined, dir.n + 1 + path.n };
}

/* ---- items ---- */

bool
rules_is_item(struct pn_str word)
{
	return pn_str_eq(word, PN_STR_V("set")) ||
	       pn_str_eq(word, PN_STR_V("map")) ||
	       pn_str_eq(word, PN_STR_V("people")) ||
	       pn_str_eq(word, PN_STR_V("policy")) ||
	       pn_str_eq(word, PN_STR_V("engine"));
}

/* engine clamd { ... }: no module that has such settings exists yet. */
static int
parse_engine(struct parser *p)
{
	struct word name;

	if (parse_name(p, "the name of an engine", &name) < 0)
		return -1;
	return lex_error(p->e, &name.pos,
	    "engine \"%s\" needs module %s, which is not loaded",
	    VIS(name.text), VIS(name.text));
}

static int
parse_item(struct parser *p)
{
	static const char *const items[] = { "set", "map", "people",
		"policy" };
	struct lex_token t;

	if (lex_next(p->l, &t, p->e) < 0)
		return -1;
	if (lex_is(&t, "set"))
		return parse_set(p);
	if (lex_is(&t, "map"))
		return parse_map(p);
	if (lex_is(&t, "people"))
		return parse_people(p);
	if (lex_is(&t, "policy"))
		return parse_policy(p);
	if (lex_is(&t, "engine"))
		return parse_engine(p);
	return parse_unexpected(
	    p->e, &t, "set, map, people or policy", items, PN_COUNT(items));
}

/* Our own copy of the caller's text, made once a file. */
static void
copy_source(struct rules_builder *b, const struct lex *l)
{
	if (b->copy_file != NULL && l->text.p == b->source.p &&
	    strcmp(l->file, b->copy_file) == 0 && pn_str_eq(l->text, b->copy))
		return;
	b->source = l->text;
	b->copy = rules_copy(b, l->text);
	b->copy_file = rules_copy(b, pn_str_of(l->file)).p;
}

/* A lexer over the copy, standing where the caller's stands. */
static struct lex
own_lexer(struct rules_builder *b, const struct lex *l)
{
	struct lex own = *l;

	copy_source(b, l);
	own.text = b->copy;
	own.file = b->copy_file;
	if (l->has_peeked) {
		own.at = l->line_start + l->peeked.pos.column - 1;
		own.has_peeked = 0;
	}
	return own;
}

/* An item, or with id a condition. */
static int
parse_guarded(
    struct rules_builder *b, struct lex *l, unsigned *id, struct error *e)
{
	struct lex own;
	struct parser p = { .b = b, .l = &own, .e = e };
	int done;

	if (b->rules == NULL || setjmp(b->full) != 0)
		return error_set(e,
		    "%s: the policy needs more memory than it "
		    "may have",
		    l->file);
	own = own_lexer(b, l);
	done = id != NULL ? parse_condition(&p, id) : parse_item(&p);
	l->seen = own.seen;
	if (done < 0)
		return -1;
	l->at = own.at;
	l->line = own.line;
	l->line_start = own.line_start;
	l->has_peeked = 0;
	if (own.has_peeked) {
		l->at = own.line_start + own.peeked.pos.column - 1;
		l->line = own.peeked.pos.line;
	}
	return 0;
}

int
rules_parse_item(struct rules_builder *b, struct lex *l, const char *base_dir,
    struct error *e)
{
	b->base_dir = base_dir != NULL ? base_dir : "";
	return parse_guarded(b, l, NULL, e);
}

int
rules_parse_condition(
    struct rules_builder *b, struct lex *l, unsigned *id, struct error *e)
{
	return parse_guarded(b, l, id, e);
}

struct rules_builder *
rules_builder_new(struct arena *arena, const struct rules_decls *decls)
{
	struct rules_builder *b = xcalloc(1, sizeof(*b));

	b->arena = arena;
	b->decls = decls;
	b->rules = arena_alloc(arena, sizeof(*b->rules));
	b->last_list = b->rules != NULL ? &b->rules->lists : NULL;
	b->last_condition = b->rules != NULL ? &b->rules->conditions : NULL;
	b->last_policy = &b->policies;
	b->last_atom = &b->atoms;
	return b;
}

void
rules_builder_free(struct rules_builder *b)
{
	if (b == NULL)
		return;
	if (!b->compiled && b->rules != NULL) {
		pattern_memory_close(b->memory);
		pattern_free_all(b->patterns);
		maps_close(b->rules);
	}
	arena_free(b->scratch);
	arena_free(b->building);
	free(b->table);
	free(b->roster.slots);
	free(b);
}
