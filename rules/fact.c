/*
 * fact - a fact by the name a policy writes: alone or within its thing's
 * quantifier, with a part of an address behind it, with a key in parentheses;
 * or what is wrong with the name, and what was probably meant.
 *
 * Called by whatever checks a name: atoms.c, operand.c, text.c, check_expr.c,
 * check_test.c. Owns nothing; looks into the declarations alone.
 */
#include "rules/tree.h"

#include "base/log.h"
#include "base/suggest.h"

static const struct {
	const char *name;
	enum field field;
} fields[] = { { ".local", FIELD_LOCAL }, { ".domain", FIELD_DOMAIN },
	{ ".display", FIELD_DISPLAY }, { ".address", FIELD_WHOLE } };

/* The thing a declaration belongs to, or NO_THING. */
static uint32_t
thing_of(const struct rules_decls *d, struct pn_str name)
{
	for (uint32_t i = 0; d->things[i] != NULL; i++) {
		struct pn_str thing = pn_str_of(d->things[i]);

		if (pn_str_starts(name, thing) && name.n > thing.n &&
		    name.p[thing.n] == '.')
			return i;
	}
	return NO_THING;
}

/* Does decl read as prefix.name (or name, without a prefix)? */
static bool
reads_as(const char *decl, struct pn_str prefix, struct pn_str name)
{
	struct pn_str d = pn_str_of(decl);

	if (prefix.n > 0) {
		if (!pn_str_starts(d, prefix) || d.n <= prefix.n ||
		    d.p[prefix.n] != '.')
			return false;
		d = pn_str_sub(d, prefix.n + 1, d.n);
	}
	return pn_str_eq(d, name);
}

static bool
find_decl(const struct rules_decls *d, struct pn_str prefix, struct pn_str name,
    uint32_t *fact)
{
	for (*fact = 0; *fact < d->n_facts; ++*fact)
		if (reads_as(d->facts[*fact].name, prefix, name))
			return true;
	return false;
}

static bool
find_with_field(const struct rules_decls *d, struct pn_str prefix,
    struct pn_str name, struct fact_ref *out)
{
	out->field = FIELD_WHOLE;
	if (find_decl(d, prefix, name, &out->fact))
		return true;
	for (size_t i = 0; i < PN_COUNT(fields); i++) {
		struct pn_str f = pn_str_of(fields[i].name);

		out->field = fields[i].field;
		if (pn_str_ends(name, f) &&
		    find_decl(d, prefix, pn_str_sub(name, 0, name.n - f.n),
			&out->fact))
			return d->facts[out->fact].type == VALUE_ADDRESS;
	}
	return false;
}

bool
fact_exists(const struct rules_decls *d, uint32_t thing, struct pn_str name,
    struct fact_ref *out)
{
	if (thing != NO_THING &&
	    find_with_field(d, pn_str_of(d->things[thing]), name, out)) {
		out->thing = thing;
		return true;
	}
	if (!find_with_field(d, (struct pn_str){ NULL, 0 }, name, out))
		return false;
	out->thing = thing_of(d, pn_str_of(d->facts[out->fact].name));
	return true;
}

static int
error_of_thing(const struct word *name, const char *thing, struct error *e)
{
	return lex_error(e, &name->pos,
	    "\"%s\" is a fact of each %s: ask with any, all or no %s ( ... )",
	    VIS(name->text), thing, thing);
}

/* Is it this name, or one of those that begin with it and a dot? */
static bool
is_under(struct pn_str name, const char *first)
{
	struct pn_str f = pn_str_of(first);

	return pn_str_starts(name, f) &&
	       (name.n == f.n || name.p[f.n] == '.');
}

/* Then the name is a slip: there are such facts. */
static bool
has_some_under(const struct rules_decls *d, const char *first)
{
	for (uint32_t i = 0; i < d->n_facts; i++)
		if (is_under(pn_str_of(d->facts[i].name), first))
			return true;
	return false;
}

static int
error_of_absent(const struct word *name, const struct rules_absent *absent,
    struct error *e)
{
	if (absent->module == NULL)
		return lex_error(e, &name->pos,
		    "fact \"%s\" needs a block \"%s NAME { ... }\"",
		    VIS(name->text), absent->name);
	return lex_error(e, &name->pos,
	    "fact \"%s\" needs module %s, which is not loaded",
	    VIS(name->text), absent->module);
}

#define BELOW_MAX 12

/* Why a name is no fact: its module is absent, its quantifier, a slip, or the
 * front of several. */
static int
explain_missing(const struct rules_decls *d, uint32_t thing,
    const struct word *name, struct error *e)
{
	struct suggest s = suggest_for(name->text);
	const char *below[BELOW_MAX + 1] = { NULL };
	struct fact_ref ref;
	size_t n = 0;
	char near[256];

	for (size_t i = 0; i < d->n_absent; i++)
		if (is_under(name->text, d->absent[i].name) &&
		    !has_some_under(d, d->absent[i].name))
			return error_of_absent(name, &d->absent[i], e);
	for (uint32_t i = 0; d->things[i] != NULL; i++)
		if (find_with_field(
			d, pn_str_of(d->things[i]), name->text, &ref))
			return error_of_thing(name, d->things[i], e);
	for (uint32_t i = 0; i < d->n_facts; i++) {
		struct pn_str f = pn_str_of(d->facts[i].name);

		if (thing != NO_THING && thing_of(d, f) == thing)
			f = pn_str_sub(f, strlen(d->things[thing]) + 1, f.n);
		suggest_try(&s, f);
		if (pn_str_starts(f, name->text) && f.n > name->text.n &&
		    f.p[name->text.n] == '.' && n < BELOW_MAX)
			below[n++] = f.p; /* to the end of the name */
	}
	return lex_error(e, &name->pos, "unknown fact \"%s\"%s",
	    VIS(name->text), suggest_or_list(&s, below, near, sizeof(near)));
}

int
fact_find(const struct rules_decls *d, uint32_t thing, const struct word *name,
    struct fact_ref *out, struct error *e)
{
	if (name->quoted || !fact_exists(d, thing, name->text, out))
		return explain_missing(d, thing, name, e);
	if (out->thing != NO_THING && out->thing != thing)
		return error_of_thing(name, d->things[out->thing], e);
	return 0;
}

/* ---- keys ---- */

struct pn_str
key_bare(const struct rules_decl *d, struct pn_str key)
{
	bool braces = d->braces && key.n > 1 && key.p[0] == '{' &&
		      key.p[key.n - 1] == '}';

	return braces ? pn_str_sub(key, 1, key.n - 2) : key;
}

/* A name that the fact does not know could never hold. */
int
key_known(const struct rules_decl *d, const struct word *key, struct error *e)
{
	struct suggest near = suggest_for(key->text);
	char text[96];

	for (size_t i = 0; d->keys != NULL && d->keys[i] != NULL; i++) {
		if (pn_str_caseeq(key->text, pn_str_of(d->keys[i])))
			return 0;
		suggest_try(&near, pn_str_of(d->keys[i]));
	}
	return d->keys == NULL ? 0
			       : lex_error(e, &key->pos, "%s knows no \"%s\"%s",
				     d->name, VIS(key->text),
				     suggest_text(&near, text, sizeof(text)));
}
