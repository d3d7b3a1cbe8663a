/*
 * given - --fact NAME=VALUE and --unknown NAME of scan, explain and try: what
 * rules shall take for known in the place of what is.
 */
#include <arpa/inet.h>
#include <string.h>
#include <sysexits.h>

#include "base/ip.h"
#include "base/suggest.h"
#include "cli/scan.h"
#include "mail/address.h"

static int
no_fact(const struct chain *c, struct pn_str name)
{
	struct suggest near = suggest_for(name);
	char text[96];

	for (uint32_t i = 0; i < c->n_facts; i++)
		suggest_try(&near, pn_str_of(c->facts[i].name));
	return cli_fail(EX_USAGE, "unknown fact \"%.*s\"%s", PN_STR_ARG(name),
	    suggest_text(&near, text, sizeof(text)));
}

/* NAME or NAME("KEY"), up to the "="; the name and the key. */
static int
split(const char *text, bool has_value, struct pn_str *name, struct pn_str *key,
    struct pn_str *value)
{
	struct pn_str all = pn_str_of(text);
	const char *eq = has_value ? strchr(text, '=') : text + all.n;
	const char *open = memchr(text, '(', all.n), *close;

	*key = (struct pn_str){ "", 0 };
	if (open != NULL && (eq == NULL || open < eq)) {
		close = strchr(open, ')');
		if (close == NULL)
			return -1;
		eq = has_value ? strchr(close, '=') : text + all.n;
		*key = (struct pn_str){ open + 1, (size_t)(close - open) - 1 };
		if (key->n > 1 && key->p[0] == '"' && key->p[key->n - 1] == '"')
			*key = pn_str_sub(*key, 1, key->n - 2);
	}
	if (eq == NULL)
		return -1;
	*name = pn_str_sub(
	    all, 0, (size_t)((open != NULL && open < eq ? open : eq) - text));
	*value = has_value ? pn_str_sub(all, (size_t)(eq - text) + 1, all.n)
			   : (struct pn_str){ "", 0 };
	return 0;
}

/* ---- values, by the fact's type ---- */

static const char *
number(struct pn_str s, struct value *v)
{
	unsigned long long n;

	if (lex_size(s, &n) < 0 || n > INT64_MAX)
		return "is no number";
	v->number = (int64_t)n;
	return NULL;
}

static const char *
yesno(struct pn_str s, struct value *v)
{
	v->number =
	    pn_str_eq(s, PN_STR_V("yes")) || pn_str_eq(s, PN_STR_V("true"));
	if (v->number || pn_str_eq(s, PN_STR_V("no")) ||
	    pn_str_eq(s, PN_STR_V("false")))
		return NULL;
	return "is neither yes nor no";
}

static const char *
ip(struct arena *arena, struct pn_str s, struct value *v)
{
	unsigned char addr[16];
	char text[INET6_ADDRSTRLEN];
	bool v4;

	if (!ip_parse(s, addr, &v4) ||
	    inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? addr + 12 : addr, text,
		sizeof(text)) == NULL)
		return "is no address of a machine";
	v->str = arena_str(arena, pn_str_of(text));
	return NULL;
}

static const char *
address(struct arena *arena, struct pn_str s, struct value *v)
{
	const char *path = arena_printf(arena, "<%.*s>", PN_STR_ARG(s));
	struct address a;
	struct pn_str rest;

	if (path == NULL ||
	    address_parse_path(pn_str_of(path), arena, &a, &rest) !=
		ADDRESS_OK ||
	    rest.n > 0)
		return "is no address";
	v->str = a.address;
	v->local = a.local;
	v->domain = a.domain;
	return NULL;
}

static const char *
word(const struct chain_fact *f, struct pn_str s, struct value *v)
{
	v->str = s;
	for (size_t i = 0; f->words != NULL && f->words[i] != NULL; i++)
		if (pn_str_eq(s, pn_str_of(f->words[i])))
			return NULL;
	return "is none of its words (see postern facts)";
}

/* NULL, or what is wrong with it. */
static const char *
value_of(const struct chain_fact *f, struct arena *arena, struct pn_str s,
    struct value *v)
{
	switch (f->type) {
	case VALUE_NUMBER:
		return number(s, v);
	case VALUE_BOOL:
		return yesno(s, v);
	case VALUE_ADDRESS:
		return address(arena, s, v);
	case VALUE_IP:
		return ip(arena, s, v);
	case VALUE_WORD:
		return word(f, s, v);
	case VALUE_STRING:
		v->str = s;
		return NULL;
	}
	return NULL;
}

/* ---- one, and all ---- */

static int
given(const struct policy *p, struct arena *arena, const char *text, bool known,
    struct fact_given *out)
{
	const struct chain *c = &p->chain;
	struct pn_str name, key, value;
	const struct chain_fact *f;
	const char *wrong;
	uint32_t i = 0;

	if (split(text, known, &name, &key, &value) < 0)
		return cli_fail(EX_USAGE, "\"%s\" is not NAME=VALUE", text);
	while (i < c->n_facts && !pn_str_eq(pn_str_of(c->facts[i].name), name))
		i++;
	if (i == c->n_facts)
		return no_fact(c, name);
	f = &c->facts[i];
	if (f->content || f->of_thing)
		return cli_fail(EX_USAGE,
		    "\"%s\" is found in the message: it cannot be given",
		    f->name);
	if (f->keyed != (key.n > 0))
		return cli_fail(EX_USAGE,
		    f->keyed ? "\"%s\" needs a name: %s(\"NAME\")=VALUE"
			     : "\"%s\" takes no name",
		    f->name, f->name);
	if (f->braces && key.n > 1 && key.p[0] == '{' &&
	    key.p[key.n - 1] == '}')
		key = pn_str_sub(key, 1, key.n - 2);
	*out = (struct fact_given){ .index = i, .key = key };
	out->value.type = f->type;
	out->value.state = known ? VALUE_KNOWN : VALUE_UNKNOWN;
	wrong = known ? value_of(f, arena, value, &out->value) : NULL;
	if (wrong != NULL)
		return cli_fail(EX_USAGE, "%s: \"%.*s\" %s", f->name,
		    PN_STR_ARG(value), wrong);
	return 0;
}

int
given_facts(
    const struct policy *p, struct scan_session *said, struct arena *arena)
{
	for (size_t i = 0; i < said->n_given; i++) {
		int code = given(p, arena, said->given[i].text,
		    said->given[i].known, &said->instead[i]);

		if (code != 0)
			return code;
	}
	return 0;
}
