/* sasl - see sasl.h. */
#include "smtp/sasl.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

#define RAW_MAX (12288 / 4 * 3) /* of the longest line */

/* ---- base64 (RFC 4648 4) ---- */

static int
value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* Bytes in out, or -1. "=" alone is the empty response (RFC 4954 4). */
static int
decode(struct pn_str in, char *out)
{
	unsigned bits = 0, n_bits = 0;
	int n = 0;

	for (unsigned pad = 0; pad < 2 && in.n > 0 && in.p[in.n - 1] == '=';
	     pad++)
		in.n--;
	if (in.n / 4 * 3 > RAW_MAX - 3)
		return -1;
	for (size_t i = 0; i < in.n; i++) {
		int v = value_of(in.p[i]);

		if (v < 0)
			return -1;
		bits = bits << 6 | (unsigned)v;
		n_bits += 6;
		if (n_bits >= 8) {
			n_bits -= 8;
			out[n++] = (char)(bits >> n_bits & 0xff);
		}
	}
	return n;
}

/* ---- who it is, by mechanism ---- */

/* Up to the first c; all of it where there is none. */
static struct pn_str
up_to(struct pn_str s, char c)
{
	const char *end = s.n > 0 ? memchr(s.p, c, s.n) : NULL;

	return pn_str_sub(s, 0, end != NULL ? (size_t)(end - s.p) : s.n);
}

/* authzid NUL authcid NUL password */
static struct pn_str
of_plain(struct pn_str raw)
{
	struct pn_str authzid = up_to(raw, '\0'), rest, authcid;

	rest = pn_str_sub(raw, authzid.n + 1, raw.n);
	authcid = up_to(rest, '\0');
	/* Without the second NUL it may be anything: a password too. */
	return authcid.n < rest.n ? authcid : PN_STR_V("");
}

/* The name alone, then the password alone. */
static struct pn_str
of_login(struct pn_str raw)
{
	return raw;
}

/* name blank digest */
static struct pn_str
of_cram(struct pn_str raw)
{
	const char *blank = raw.n > 0 ? memrchr(raw.p, ' ', raw.n) : NULL;

	return blank != NULL ? pn_str_sub(raw, 0, (size_t)(blank - raw.p))
			     : PN_STR_V("");
}

/* user=NAME ^A auth=... ^A ^A */
static struct pn_str
of_xoauth2(struct pn_str raw)
{
	struct pn_str user = PN_STR("user=");

	return pn_str_starts(raw, user)
	    ? up_to(pn_str_sub(raw, user.n, raw.n), '\1')
	    : PN_STR_V("");
}

/* Behind "n,a=NAME,": the channel binding flag and the authzid. */
static struct pn_str
behind_gs2(struct pn_str raw, struct pn_str *authzid)
{
	struct pn_str flag = up_to(raw, ',');

	raw = pn_str_sub(raw, flag.n + 1, raw.n);
	*authzid = up_to(raw, ',');
	return pn_str_sub(raw, authzid->n + 1, raw.n);
}

/* The token says who it is, and a= must fit it (RFC 7628 3.1). */
static struct pn_str
of_oauthbearer(struct pn_str raw)
{
	struct pn_str name;

	(void)behind_gs2(raw, &name);
	return pn_str_starts(name, PN_STR_V("a="))
	    ? pn_str_sub(name, 2, name.n)
	    : PN_STR_V("");
}

static struct pn_str
of_scram(struct pn_str raw)
{
	struct pn_str authzid, first = behind_gs2(raw, &authzid);

	return pn_str_starts(first, PN_STR_V("n="))
	    ? pn_str_sub(up_to(first, ','), 2, first.n)
	    : PN_STR_V("");
}

/* The value of one of name=value,name="value"; quotes taken off. */
static struct pn_str
directive(struct pn_str raw, struct pn_str name)
{
	while (raw.n > 0) {
		struct pn_str key = pn_str_trim(up_to(raw, '=')), value;
		size_t end = 0;
		bool quoted;

		raw = pn_str_sub(raw, up_to(raw, '=').n + 1, raw.n);
		quoted = raw.n > 0 && raw.p[0] == '"';
		for (end = quoted; end < raw.n &&
		     raw.p[end] != (quoted ? '"' : ',');
		     end++)
			if (quoted && raw.p[end] == '\\')
				end++;
		if (end > raw.n)
			end = raw.n;
		value = pn_str_sub(raw, quoted, end - quoted);
		if (pn_str_caseeq(key, name))
			return value;
		raw = pn_str_sub(raw, end + quoted, raw.n);
		raw = pn_str_sub(raw, up_to(raw, ',').n + 1, raw.n);
	}
	return PN_STR_V("");
}

static struct pn_str
of_digest(struct pn_str raw)
{
	return directive(raw, PN_STR_V("username"));
}

/* RFC 5802 5.1: "," and "=" within a name. */
static struct pn_str
undo_saslname(struct pn_str name, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < name.n && n < SASL_LOGIN_MAX + 1u; i++) {
		struct pn_str three = pn_str_sub(name, i, 3);
		bool comma = pn_str_caseeq(three, PN_STR_V("=2C"));

		if (comma || pn_str_caseeq(three, PN_STR_V("=3D"))) {
			out[n++] = comma ? ',' : '=';
			i += 2;
		} else {
			out[n++] = name.p[i];
		}
	}
	return (struct pn_str){ out, n };
}

/* Out of "name=\"A\\\"B\"". */
static struct pn_str
undo_quoting(struct pn_str name, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < name.n && n < SASL_LOGIN_MAX + 1u; i++) {
		if (name.p[i] == '\\' && i + 1 < name.n)
			i++;
		out[n++] = name.p[i];
	}
	return (struct pn_str){ out, n };
}

static const struct mechanism {
	struct pn_str name; /* or how the names of a family begin */
	struct pn_str (*login)(struct pn_str raw); /* of the first line */
	struct pn_str (*undo)(struct pn_str name, char *out);
} mechanisms[] = {
	{ PN_STR("PLAIN"), of_plain, NULL },
	{ PN_STR("LOGIN"), of_login, NULL },
	{ PN_STR("XOAUTH2"), of_xoauth2, NULL },
	{ PN_STR("OAUTHBEARER"), of_oauthbearer, undo_saslname },
	{ PN_STR("CRAM-"), of_cram, NULL },
	{ PN_STR("DIGEST-MD5"), of_digest, undo_quoting },
	{ PN_STR("SCRAM-"), of_scram, undo_saslname },
};

static const struct mechanism *
mechanism_of(const struct sasl *s)
{
	for (size_t i = 0; i < PN_COUNT(mechanisms); i++)
		if (pn_str_starts(pn_str_of(s->mechanism), mechanisms[i].name))
			return &mechanisms[i];
	return NULL;
}

/* What goes into facts, XCLIENT and the log is text of one line. */
static bool
is_name(struct pn_str name)
{
	return name.n > 0 && name.n <= SASL_LOGIN_MAX &&
	    pn_str_is_one_line(name) && utf8_valid(name);
}

static void
keep_name(struct sasl *s, const struct mechanism *m, struct pn_str raw)
{
	char undone[SASL_LOGIN_MAX + 1];
	struct pn_str name = m->login(raw);

	if (m->undo != NULL)
		name = m->undo(name, undone);
	if (!is_name(name))
		return;
	memcpy(s->login, name.p, name.n);
	s->login[name.n] = '\0';
}

static void
keep_first(struct sasl *s, const struct mechanism *m, struct pn_str raw)
{
	s->missed_binding =
	    m->login == of_scram && pn_str_eq(up_to(raw, ','), PN_STR_V("y"));
	keep_name(s, m, raw);
}

/* RFC 2831 2.1.2.1: no qop is auth alone. */
static bool
chooses_layer(const struct sasl *s, struct pn_str raw)
{
	struct pn_str qop;

	if (strcmp(s->mechanism, "DIGEST-MD5") != 0)
		return false;
	qop = directive(raw, PN_STR_V("qop"));
	return qop.n > 0 && !pn_str_caseeq(qop, PN_STR_V("auth"));
}

/* ---- for auth ---- */

bool
sasl_init(struct sasl *s, struct pn_str mechanism)
{
	*s = (struct sasl){ 0 };
	if (mechanism.n == 0 || mechanism.n > SASL_MECHANISM_MAX)
		return false;
	for (size_t i = 0; i < mechanism.n; i++) {
		char c = mechanism.p[i];

		if (c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		if (!((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			c == '-' || c == '_'))
			return false;
		s->mechanism[i] = c;
	}
	return true;
}

enum sasl_line
sasl_client(struct sasl *s, struct pn_str base64)
{
	const struct mechanism *m = mechanism_of(s);
	char raw[RAW_MAX];
	int n = decode(base64, raw);
	struct pn_str text = { raw, n > 0 ? (size_t)n : 0 };
	/* An initial response that is empty: the name is yet to come. */
	bool nothing = pn_str_eq(base64, PN_STR_V("="));
	enum sasl_line is = SASL_PASSES;

	if (n < 0)
		is = SASL_NOT_BASE64;
	else if (chooses_layer(s, text))
		is = SASL_LAYER;
	else if (m != NULL && !nothing && s->seen++ == 0)
		keep_first(s, m, text);
	explicit_bzero(raw, sizeof(raw));
	return is;
}

struct pn_str
sasl_login(struct sasl *s)
{
	if (s->login[0] == '\0')
		(void)snprintf(
		    s->login, sizeof(s->login), "[%s]", s->mechanism);
	return pn_str_of(s->login);
}

bool
sasl_binds(struct pn_str mechanism)
{
	static const struct pn_str plus = PN_STR("-PLUS");

	return mechanism.n > plus.n &&
	    pn_str_caseeq(
		pn_str_sub(mechanism, mechanism.n - plus.n, plus.n), plus);
}

bool
sasl_can_pass(struct pn_str mechanism)
{
	return !pn_str_caseeq(mechanism, PN_STR_V("EXTERNAL")) &&
	    !sasl_binds(mechanism);
}
