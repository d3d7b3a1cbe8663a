/* address - see address.h. */
#include "mail/address.h"

#include <ctype.h>
#include <string.h>

#include "base/utf8.h"

/* Letters, digits and RFC 5321's other atext. */
static bool
is_atext(unsigned char c)
{
	return isalnum(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c)) ||
	    c > 127;
}

/* Everything here walks a string with a mark that never passes the end. */
struct scan {
	struct pn_str in;
	size_t at;
};

static int
look(const struct scan *s)
{
	return s->at < s->in.n ? (unsigned char)s->in.p[s->at] : -1;
}

static bool
take(struct scan *s, int c)
{
	if (look(s) != c)
		return false;
	s->at++;
	return true;
}

/*
 * Dots anywhere among atoms: whole countries have addresses with two dots in
 * a row, and no harm comes from carrying them.
 */
static bool
dot_string(struct scan *s)
{
	size_t from = s->at;

	while (look(s) >= 0 && (look(s) == '.' || is_atext((unsigned char)look(s))))
		s->at++;
	return s->at > from;
}

static bool
quoted_string(struct scan *s)
{
	if (!take(s, '"'))
		return false;
	for (;;) {
		int c = look(s);

		if (c == '\\') {
			s->at++;
			c = look(s);
			if (c < ' ' || c == 127)
				return false;
		} else if (c == '"') {
			s->at++;
			return true;
		} else if (c < ' ' || c == 127) {
			return false; /* the end, or a control */
		}
		s->at++;
	}
}

/* [192.0.2.1], [IPv6:2001:db8::1], [tag:dtext] (RFC 5321 4.1.3). */
static bool
address_literal(struct scan *s)
{
	size_t from = s->at;

	if (!take(s, '['))
		return false;
	while (look(s) > ' ' && look(s) < 127 && strchr("[]\\", look(s)) == NULL)
		s->at++;
	return s->at > from + 1 && take(s, ']');
}

/* Labels of letters, digits, hyphen, underscore and UTF-8; none is empty. */
static bool
domain(struct scan *s)
{
	do {
		size_t from = s->at;

		while (look(s) >= 0 &&
		    (isalnum(look(s)) || look(s) == '-' || look(s) == '_' ||
			look(s) > 127))
			s->at++;
		if (s->at == from)
			return false;
	} while (take(s, '.'));
	return true;
}

/* "@one,@two:" - read and ignored (RFC 5321 4.1.2, appendix C). */
static bool
source_route(struct scan *s)
{
	if (look(s) != '@')
		return true;
	do {
		if (!take(s, '@') || !domain(s))
			return false;
	} while (take(s, ','));
	return take(s, ':');
}

static bool
unquote(struct pn_str raw, struct arena *arena, struct pn_str *out)
{
	char *to;
	size_t n = 0;

	if (raw.n == 0 || raw.p[0] != '"') {
		*out = raw;
		return true;
	}
	to = arena_alloc(arena, raw.n);
	if (to == NULL)
		return false;
	for (size_t i = 1; i + 1 < raw.n; i++) {
		if (raw.p[i] == '\\')
			i++;
		to[n++] = raw.p[i];
	}
	*out = (struct pn_str){ to, n };
	return true;
}

/* `"ada"` and `"a\da"` are ada (RFC 5321 4.1.2): one way to write each, for
 * all who compare. p has room for 2 * local.n + 2 bytes. */
static size_t
write_local(struct pn_str local, char *p)
{
	struct scan s = { local, 0 };
	size_t n = 0;

	if (dot_string(&s) && s.at == local.n) {
		memcpy(p, local.p, local.n);
		return local.n;
	}
	p[n++] = '"';
	for (size_t i = 0; i < local.n; i++) {
		if (local.p[i] == '"' || local.p[i] == '\\')
			p[n++] = '\\';
		p[n++] = local.p[i];
	}
	p[n++] = '"';
	return n;
}

/* The address of a local part that was quoted. */
static bool
write_address(struct address *a, struct arena *arena)
{
	char *p = arena_alloc(arena, 2 * a->local.n + 3 + a->domain.n);
	size_t n;

	if (p == NULL)
		return false;
	n = write_local(a->local, p);
	if (a->domain.n > 0) {
		p[n++] = '@';
		memcpy(p + n, a->domain.p, a->domain.n);
	}
	a->address = (struct pn_str){ p, n + a->domain.n };
	return true;
}

static struct pn_str
since(const struct scan *s, size_t from)
{
	return (struct pn_str){ s->in.p + from, s->at - from };
}

/* local@domain, or postmaster alone. */
static enum address_result
mailbox(struct scan *s, struct arena *arena, struct address *out)
{
	size_t from = s->at;
	struct pn_str raw;

	if (!(look(s) == '"' ? quoted_string(s) : dot_string(s)))
		return ADDRESS_BAD;
	raw = since(s, from);
	if (take(s, '@')) {
		size_t at = s->at;

		if (!(look(s) == '[' ? address_literal(s) : domain(s)))
			return ADDRESS_BAD;
		out->domain = since(s, at);
	} else if (!pn_str_caseeq(raw, PN_STR_V("postmaster"))) {
		return ADDRESS_BAD;
	}
	out->address = since(s, from);
	if (!unquote(raw, arena, &out->local) ||
	    (raw.p[0] == '"' && !write_address(out, arena)))
		return ADDRESS_NO_ROOM;
	return ADDRESS_OK;
}

static enum address_result
path(struct scan *s, bool bracketed, struct arena *arena, struct address *out)
{
	size_t from = s->at;
	enum address_result result = ADDRESS_OK;

	if (!bracketed || look(s) != '>') {
		if (!source_route(s))
			return ADDRESS_BAD;
		result = mailbox(s, arena, out);
	}
	out->path = since(s, from);
	return result;
}

static bool
has_high_byte(struct pn_str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] > 127)
			return true;
	return false;
}

enum address_result
address_parse_path(struct pn_str in, struct arena *arena, struct address *out,
    struct pn_str *rest)
{
	struct scan s = { in, 0 };
	bool bracketed;
	enum address_result result;

	*out = (struct address){ 0 };
	while (take(&s, ' '))
		; /* "MAIL FROM: <...>" is common, though no grammar has it */
	bracketed = take(&s, '<');
	result = path(&s, bracketed, arena, out);
	if (result != ADDRESS_OK)
		return result;
	if (bracketed && !take(&s, '>'))
		return ADDRESS_BAD;
	if (look(&s) != -1 && look(&s) != ' ')
		return ADDRESS_BAD;
	out->utf8 = has_high_byte(out->path);
	if (out->utf8 && !utf8_valid(out->path))
		return ADDRESS_BAD;
	*rest = pn_str_trim(pn_str_sub(in, s.at, in.n));
	return ADDRESS_OK;
}

bool
param_next(struct pn_str *rest, struct pn_str *name, struct pn_str *value,
    bool *has_value)
{
	struct pn_str word;
	const char *eq;

	*rest = pn_str_trim(*rest);
	if (rest->n == 0)
		return false;
	word.p = rest->p;
	for (word.n = 0; word.n < rest->n && rest->p[word.n] != ' '; word.n++)
		;
	*rest = pn_str_sub(*rest, word.n, rest->n);
	eq = memchr(word.p, '=', word.n);
	*has_value = eq != NULL;
	*name = word;
	*value = (struct pn_str){ word.p + word.n, 0 };
	if (eq != NULL) {
		name->n = (size_t)(eq - word.p);
		*value = pn_str_sub(word, name->n + 1, word.n);
	}
	return true;
}

/* esmtp-value (RFC 5321 4.1.2; RFC 6531 3.3 adds UTF-8 for ORCPT). */
static bool
is_value(struct pn_str v)
{
	for (size_t i = 0; i < v.n; i++) {
		unsigned char c = (unsigned char)v.p[i];

		if (c <= ' ' || c == '=' || c == 127)
			return false;
	}
	return v.n > 0;
}

static bool
check_size(struct pn_str v, struct params *p)
{
	if (v.n > 20)
		return false;
	p->size = 0;
	for (size_t i = 0; i < v.n; i++) {
		unsigned digit = (unsigned)(v.p[i] - '0');

		if (digit > 9 || p->size > (UINT64_MAX - digit) / 10)
			return false;
		p->size = p->size * 10 + digit;
	}
	return true;
}

static bool
check_body(struct pn_str v, struct params *p)
{
	p->eight_bit = pn_str_caseeq(v, PN_STR_V("8BITMIME"));
	p->binary = pn_str_caseeq(v, PN_STR_V("BINARYMIME"));
	return p->eight_bit || p->binary || pn_str_caseeq(v, PN_STR_V("7BIT"));
}

static bool
check_ret(struct pn_str v, struct params *p)
{
	(void)p;
	return pn_str_caseeq(v, PN_STR_V("FULL")) ||
	    pn_str_caseeq(v, PN_STR_V("HDRS"));
}

static bool
check_envid(struct pn_str v, struct params *p)
{
	(void)p;
	return v.n <= 100; /* RFC 3461 4.4 */
}

/* NEVER alone, or any of the three (RFC 3461 4.1). */
static bool
check_notify(struct pn_str v, struct params *p)
{
	(void)p;
	if (pn_str_caseeq(v, PN_STR_V("NEVER")))
		return true;
	for (;;) {
		const char *comma = memchr(v.p, ',', v.n);
		size_t n = comma ? (size_t)(comma - v.p) : v.n;
		struct pn_str word = pn_str_sub(v, 0, n);

		if (!pn_str_caseeq(word, PN_STR_V("SUCCESS")) &&
		    !pn_str_caseeq(word, PN_STR_V("FAILURE")) &&
		    !pn_str_caseeq(word, PN_STR_V("DELAY")))
			return false;
		if (comma == NULL)
			return true;
		v = pn_str_sub(v, n + 1, v.n);
	}
}

static bool
check_orcpt(struct pn_str v, struct params *p)
{
	const char *semi = memchr(v.p, ';', v.n);

	(void)p;
	return v.n <= 500 && semi != NULL && semi > v.p &&
	    semi + 1 < v.p + v.n; /* RFC 3461 4.2 */
}

/* xtext (RFC 3461 4), as RFC 4954 5 wants it: "<>" or an address. */
static bool
check_auth(struct pn_str v, struct params *p)
{
	(void)p;
	for (size_t i = 0; i < v.n; i++) {
		const char *hex = "0123456789ABCDEF";

		if ((unsigned char)v.p[i] > 126)
			return false;
		if (v.p[i] != '+')
			continue;
		if (i + 2 >= v.n || v.p[i + 1] == '\0' || v.p[i + 2] == '\0' ||
		    strchr(hex, v.p[i + 1]) == NULL ||
		    strchr(hex, v.p[i + 2]) == NULL)
			return false;
		i += 2;
	}
	return v.n <= 500;
}

static const struct param_rule {
	struct pn_str name;
	enum param bit;
	bool (*check)(struct pn_str, struct params *); /* NULL: takes no value */
} rules[] = {
	{ PN_STR("SIZE"), PARAM_SIZE, check_size },
	{ PN_STR("BODY"), PARAM_BODY, check_body },
	{ PN_STR("SMTPUTF8"), PARAM_SMTPUTF8, NULL },
	{ PN_STR("RET"), PARAM_RET, check_ret },
	{ PN_STR("ENVID"), PARAM_ENVID, check_envid },
	{ PN_STR("NOTIFY"), PARAM_NOTIFY, check_notify },
	{ PN_STR("ORCPT"), PARAM_ORCPT, check_orcpt },
	{ PN_STR("AUTH"), PARAM_AUTH, check_auth },
};

static const struct param_rule *
rule_of(struct pn_str name, unsigned allowed)
{
	for (size_t i = 0; i < PN_COUNT(rules); i++)
		if ((rules[i].bit & allowed) &&
		    pn_str_caseeq(rules[i].name, name))
			return &rules[i];
	return NULL;
}

enum params_result
params_check(struct pn_str text, unsigned allowed, struct params *out)
{
	struct pn_str name, value;
	bool has_value;

	*out = (struct params){ 0 };
	while (param_next(&text, &name, &value, &has_value)) {
		const struct param_rule *r = rule_of(name, allowed);

		out->bad = name;
		if (r == NULL)
			return PARAMS_UNKNOWN;
		if (out->given & r->bit)
			return PARAMS_BAD;
		out->given |= r->bit;
		if (r->check == NULL ? has_value
				     : !is_value(value) || !r->check(value, out))
			return PARAMS_BAD;
	}
	out->bad = (struct pn_str){ 0 };
	return PARAMS_OK;
}
