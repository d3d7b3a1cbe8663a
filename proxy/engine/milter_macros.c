/*
 * milter_macros - what a milter is told by name before each callback: which
 * names (as Postfix tells them, as the configuration or the milter itself asks
 * for), and their values. A name without a value is not told, as in Postfix.
 *
 * Called by milter_talk.c; owns nothing: values live in the transaction's
 * arena.
 */
#include <stdio.h>

#include "engine/milter_talk.h"

/* Postfix's milter_*_macros. */
static const char *const on_connect[] = { "j", "{daemon_name}",
	"{daemon_addr}", "v", "_", NULL };
static const char *const on_helo[] = { "{tls_version}", "{cipher}",
	"{cipher_bits}", "{cert_subject}", "{cert_issuer}", NULL };
static const char *const on_mail[] = { "i", "{auth_type}", "{auth_authen}",
	"{auth_author}", "{mail_addr}", "{mail_host}", "{mail_mailer}", NULL };
static const char *const on_rcpt[] = { "i", "{rcpt_addr}", "{rcpt_host}",
	"{rcpt_mailer}", NULL };
static const char *const queue_id[] = { "i", NULL };

static const char *const *
by_default(enum milter_list list)
{
	static const char *const *const lists[MILTER_LISTS] = {
		[MILTER_LIST_CONNECT] = on_connect,
		[MILTER_LIST_HELO] = on_helo,
		[MILTER_LIST_MAIL] = on_mail,
		[MILTER_LIST_RCPT] = on_rcpt,
		[MILTER_LIST_DATA] = queue_id,
		[MILTER_LIST_END_OF_BODY] = queue_id,
		[MILTER_LIST_END_OF_HEADER] = queue_id,
	};

	return lists[list];
}

/* ---- values; .p NULL: there is none ---- */

static const struct pn_str none;

/* Of what is absent where it is empty. */
static struct pn_str
some(struct pn_str s)
{
	return s.n > 0 ? s : none;
}

static struct pn_str
or_unknown(struct pn_str s)
{
	return s.n > 0 ? s : PN_STR_V("unknown");
}

static struct pn_str
empty_at_least(struct pn_str s)
{
	return s.p != NULL ? s : PN_STR_V("");
}

/* "mx.example [192.0.2.1]" */
static struct pn_str
client_text(const struct transaction *t)
{
	const struct client *c = &t->client;
	bool forged = c->reverse_name.n > 0 && c->name.n == 0;

	return pn_str_of(arena_printf(t->arena, "%.*s [%.*s]%s",
	    PN_STR_ARG(or_unknown(c->reverse_name)), PN_STR_ARG(c->ip),
	    forged ? " (may be forged)" : ""));
}

/* As in an address literal: Postfix's {client_addr}, not its connect packet. */
static struct pn_str
client_addr(const struct transaction *t)
{
	struct pn_str ip = t->client.ip;

	if (ip.n == 0 || memchr(ip.p, ':', ip.n) == NULL)
		return some(ip);
	return pn_str_of(
	    arena_printf(t->arena, "IPv6:%.*s", PN_STR_ARG(ip)));
}

static struct pn_str
client_resolve(const struct client *c)
{
	if (c->name_state == CLIENT_NAME_OK)
		return PN_STR_V("OK");
	if (c->name_state == CLIENT_NAME_TEMPORARY)
		return PN_STR_V("TEMP");
	return c->reverse_name.n > 0 ? PN_STR_V("FORGED") : PN_STR_V("FAIL");
}

/* The address in front of the listener's last colon, unless it is all. */
static struct pn_str
daemon_part(struct pn_str listener, bool port)
{
	const char *colon = listener.n ? memrchr(listener.p, ':', listener.n)
				       : NULL;
	struct pn_str host;

	if (colon == NULL)
		return none;
	host = (struct pn_str){ listener.p, (size_t)(colon - listener.p) };
	if (port)
		return pn_str_sub(listener, host.n + 1, listener.n);
	if (host.n > 2 && host.p[0] == '[')
		host = pn_str_sub(host, 1, host.n - 2);
	return pn_str_eq(host, PN_STR_V("*")) ? none : some(host);
}

/* Of a distinguished name (RFC 2253), escaped as it stands there. */
static struct pn_str
common_name(struct pn_str dn)
{
	size_t from = 0, to = 0;

	for (; from < dn.n; from = ++to) {
		struct pn_str part;

		while (to < dn.n && dn.p[to] != ',' && dn.p[to] != '+')
			to += dn.p[to] == '\\' ? 2 : 1;
		part = pn_str_sub(dn, from, to - from);
		if (pn_str_starts(part, PN_STR_V("CN=")))
			return some(pn_str_sub(part, 3, part.n));
	}
	return none;
}

/* As Postfix: of a certificate that nobody vouches for nothing is told. */
static struct pn_str
vouched(const struct client *c, struct pn_str dn)
{
	return c->tls_verified == CLIENT_CERT_VERIFIED ? common_name(dn) : none;
}

/* What is known of a session, its mail and its recipient. */
struct about {
	const struct transaction *t;
	const char *hostname;
};

#define VALUE(name, what)                                                      \
	static struct pn_str name(const struct about *a)                       \
	{                                                                      \
		const struct transaction *t = a->t;                            \
		const struct client *c = &t->client;                           \
                                                                               \
		(void)c;                                                       \
		return (what);                                                 \
	}

VALUE(get_j, pn_str_of(a->hostname))
VALUE(get_v, PN_STR_V("postern " PACKAGE_VERSION))
VALUE(get_client, client_text(t))
VALUE(get_daemon_addr, daemon_part(c->listener, false))
VALUE(get_daemon_port, daemon_part(c->listener, true))
VALUE(get_client_addr, client_addr(t))
VALUE(get_client_name, or_unknown(c->name))
VALUE(get_client_ptr, or_unknown(c->reverse_name))
VALUE(get_client_resolve, client_resolve(c))
VALUE(get_client_port, pn_str_of(arena_printf(t->arena, "%u", c->port)))
VALUE(get_tls_version, some(c->tls_version))
VALUE(get_cipher, some(c->tls_cipher))
VALUE(get_login, some(c->login))
/* Filters sign for whom it is told. */
VALUE(get_auth_type, c->login.n > 0 ? or_unknown(c->login_type) : none)
VALUE(get_cipher_bits, c->tls_bits > 0
	? pn_str_of(arena_printf(t->arena, "%u", c->tls_bits)) : none)
VALUE(get_cert_subject, vouched(c, c->tls_subject))
VALUE(get_cert_issuer, vouched(c, c->tls_issuer))
VALUE(get_i, t->envelope.address.p ? pn_str_of(t->id) : none)
/* Empty, but told, of the null sender. */
VALUE(get_mail_addr, t->envelope.address)
VALUE(get_mail_host, t->envelope.address.p ? empty_at_least(t->envelope.domain)
					   : none)
VALUE(get_mail_mailer, t->envelope.address.p ? PN_STR_V("smtp") : none)
VALUE(get_rcpt_addr, t->rcpt ? t->rcpt->address : none)
VALUE(get_rcpt_host, t->rcpt ? t->rcpt->domain : none)
VALUE(get_rcpt_mailer, t->rcpt ? PN_STR_V("smtp") : none)

static const struct {
	struct pn_str name; /* without braces */
	struct pn_str (*get)(const struct about *);
} values[] = {
	{ PN_STR("j"), get_j },
	{ PN_STR("v"), get_v },
	{ PN_STR("_"), get_client },
	{ PN_STR("i"), get_i },
	{ PN_STR("daemon_name"), get_j },
	{ PN_STR("daemon_addr"), get_daemon_addr },
	{ PN_STR("daemon_port"), get_daemon_port },
	{ PN_STR("client_addr"), get_client_addr },
	{ PN_STR("client_name"), get_client_name },
	{ PN_STR("client_ptr"), get_client_ptr },
	{ PN_STR("client_resolve"), get_client_resolve },
	{ PN_STR("client_port"), get_client_port },
	{ PN_STR("tls_version"), get_tls_version },
	{ PN_STR("cipher"), get_cipher },
	{ PN_STR("cipher_bits"), get_cipher_bits },
	{ PN_STR("cert_subject"), get_cert_subject },
	{ PN_STR("cert_issuer"), get_cert_issuer },
	{ PN_STR("auth_authen"), get_login },
	{ PN_STR("auth_type"), get_auth_type },
	{ PN_STR("mail_addr"), get_mail_addr },
	{ PN_STR("mail_host"), get_mail_host },
	{ PN_STR("mail_mailer"), get_mail_mailer },
	{ PN_STR("rcpt_addr"), get_rcpt_addr },
	{ PN_STR("rcpt_host"), get_rcpt_host },
	{ PN_STR("rcpt_mailer"), get_rcpt_mailer },
};

static size_t
find(struct pn_str name)
{
	size_t i = 0;

	if (name.n > 2 && name.p[0] == '{' && name.p[name.n - 1] == '}')
		name = pn_str_sub(name, 1, name.n - 2);
	while (i < PN_COUNT(values) && !pn_str_eq(values[i].name, name))
		i++;
	return i;
}

struct pn_str
milter_macros_nth(size_t i)
{
	return i < PN_COUNT(values) ? values[i].name : PN_STR_V("");
}

bool
milter_macros_known(struct pn_str name)
{
	return find(name) < PN_COUNT(values);
}

/* ---- lists ---- */

/* The two strings of one macro; none where there is no value. */
static size_t
tell(const struct about *a, struct pn_str name, struct pn_str *out)
{
	size_t i = find(name);
	struct pn_str value;

	if (i == PN_COUNT(values) || (value = values[i].get(a)).p == NULL)
		return 0;
	out[0] = name;
	out[1] = value;
	return 2;
}

static size_t
tell_asked(const struct about *a, struct pn_str asked, struct pn_str *out)
{
	size_t n = 0;

	while (asked.n > 0 && n < 2 * MILTER_MACROS_MAX) {
		struct pn_str name = asked;

		for (name.n = 0; name.n < asked.n && asked.p[name.n] != ' ' &&
		     asked.p[name.n] != ',';
		     name.n++)
			;
		asked = pn_str_sub(asked, name.n + 1, asked.n);
		n += tell(a, name, out + n);
	}
	return n;
}

size_t
milter_macros(const struct transaction *t, const char *hostname,
    enum milter_list list, const char *const *names, struct pn_str asked,
    struct pn_str out[2 * MILTER_MACROS_MAX])
{
	const struct about a = { t, hostname };
	size_t n = 0;

	if (asked.p != NULL)
		return tell_asked(&a, asked, out);
	if (names == NULL)
		names = by_default(list);
	for (; *names != NULL && n < 2 * MILTER_MACROS_MAX; names++)
		n += tell(&a, pn_str_of(*names), out + n);
	return n;
}
