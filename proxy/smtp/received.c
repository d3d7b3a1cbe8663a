/* received - see received.h. */
#include "smtp/received.h"

#include <stdio.h>
#include <time.h>

#include "mail/address.h"

static const char *
date_now(char out[64])
{
	time_t now = time(NULL);
	struct tm tm;

	(void)gmtime_r(&now, &tm);
	(void)strftime(out, 64, "%a, %d %b %Y %H:%M:%S +0000", &tm);
	return out;
}

/* RFC 3848, RFC 6531 4.3: "ESMTPSA"; NULL: the arena's cap. */
static const char *
protocol(const struct client *c, const struct envelope *e, struct arena *a)
{
	bool lmtp = pn_str_caseeq(c->helo_verb, PN_STR_V("LHLO"));
	const char *word = lmtp ? "LMTP" : "ESMTP";
	struct params p;

	(void)params_check(e->params, PARAM_OF_MAIL, &p); /* was checked once */
	if (p.given & PARAM_SMTPUTF8)
		word = lmtp ? "UTF8LMTP" : "UTF8SMTP";
	else if (pn_str_caseeq(c->helo_verb, PN_STR_V("HELO")))
		return "SMTP"; /* there is no other word for it */
	return arena_printf(a, "%s%s%s", word, c->tls_version.n > 0 ? "S" : "",
	    c->login.n > 0 ? "A" : "");
}

/* " (TLSv1.3 with TLS_AES_256_GCM_SHA384)" */
static const char *
encryption(const struct client *c, struct arena *a)
{
	if (c->tls_version.n == 0)
		return "";
	return arena_printf(a, " (%.*s with %.*s)", PN_STR_ARG(c->tls_version),
	    PN_STR_ARG(c->tls_cipher));
}

/* " for <path>", only if there is one: others must not learn of a Bcc
 * (RFC 5321 7.2). */
static const char *
only_rcpt(const struct envelope *e, struct arena *a)
{
	const struct rcpt *r = envelope_next_accepted(e, NULL);

	if (e->n_accepted != 1 || r == NULL)
		return "";
	return arena_printf(a, " for <%.*s>", PN_STR_ARG(r->path));
}

int
received_add(struct edits *edits, struct arena *a, const char *hostname,
    const struct client *c, const struct envelope *e, const char *id)
{
	struct pn_str name = c->name.n ? c->name : PN_STR_V("unknown");
	struct pn_str helo = c->helo.n ? c->helo : name;
	bool six = c->ip.n > 0 && memchr(c->ip.p, ':', c->ip.n) != NULL;
	const char *rcpt = only_rcpt(e, a), *with = protocol(c, e, a);
	const char *tls = encryption(c, a), *value;
	char date[64];

	if (rcpt == NULL || with == NULL || tls == NULL)
		return -1;
	value = arena_printf(a,
	    "from %.*s (%.*s [%s%.*s]) by %s (postern) with %s%s id %s%s; %s",
	    PN_STR_ARG(helo), PN_STR_ARG(name), six ? "IPv6:" : "",
	    PN_STR_ARG(c->ip), hostname, with, tls, id, rcpt,
	    date_now(date));
	if (value == NULL)
		return -1;
	return edits_add(edits, a, EDIT_HEADER_INSERT, PN_STR_V("Received"),
	    pn_str_of(value));
}
