/* peer - see peer.h. */
#include "milter/peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/un.h>

#include "base/buf.h"
#include "mail/address.h"

/* "unknown" and "[192.0.2.1]" are how MTAs say that there is no name. */
static struct pn_str
name_of(struct pn_str s)
{
	if (s.n == 0 || s.p[0] == '[' || pn_str_caseeq(s, PN_STR_V("unknown")))
		return (struct pn_str)PN_STR("");
	return s;
}

static int
copy(struct pn_str *to, struct arena *a, struct pn_str s)
{
	*to = arena_str(a, s);
	return to->p != NULL ? 0 : -1;
}

static void
set_address(struct client *c, char text[INET6_ADDRSTRLEN],
    const struct sockaddr *sa)
{
	const struct sockaddr_in *four = (const void *)sa;
	const struct sockaddr_in6 *six = (const void *)sa;

	text[0] = '\0';
	if (sa == NULL)
		return;
	if (sa->sa_family == AF_INET) {
		(void)inet_ntop(AF_INET, &four->sin_addr, text,
		    INET6_ADDRSTRLEN);
		c->port = ntohs(four->sin_port);
	} else if (sa->sa_family == AF_INET6) {
		if (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
			(void)inet_ntop(AF_INET, six->sin6_addr.s6_addr + 12,
			    text, INET6_ADDRSTRLEN);
		else
			(void)inet_ntop(AF_INET6, &six->sin6_addr, text,
			    INET6_ADDRSTRLEN);
		c->port = ntohs(six->sin6_port);
	}
}

static uint16_t
number(struct pn_str s)
{
	unsigned n = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9' || n > 65535)
			return 0;
		n = n * 10 + (unsigned)(s.p[i] - '0');
	}
	return n <= 65535 ? (uint16_t)n : 0;
}

/*
 * Sendmail says in {client_resolve} how it went. Postfix does not: there the
 * hostname is the confirmed name or "unknown", and nobody can tell whether DNS
 * said no or nothing at all.
 */
static enum client_name_state
name_state(const struct peer_told *told)
{
	if (pn_str_caseeq(told->resolve, PN_STR_V("TEMP")))
		return CLIENT_NAME_TEMPORARY;
	if (told->resolve.n > 0 &&
	    !pn_str_caseeq(told->resolve, PN_STR_V("OK")))
		return CLIENT_NAME_NONE;
	return name_of(told->hostname).n > 0 ? CLIENT_NAME_OK
					     : CLIENT_NAME_NONE;
}

int
peer_client(struct client *c, struct arena *a, const struct peer_told *told)
{
	struct pn_str name = name_of(told->hostname), ptr = name_of(told->ptr);
	char ip[INET6_ADDRSTRLEN];

	set_address(c, ip, told->addr);
	if (c->port == 0)
		c->port = number(told->port);
	c->name_state = name_state(told);
	if (ptr.n == 0) /* forged: the name that does not lead back */
		ptr = name;
	if (c->name_state != CLIENT_NAME_OK)
		name = PN_STR_V("");
	return copy(&c->ip, a, pn_str_of(ip)) | copy(&c->name, a, name) |
	    copy(&c->reverse_name, a, ptr);
}

/*
 * Sendmail says in {verify} how it went, and names whoever's certificate it
 * was. Postfix names them of those alone that its CAs vouch for; where it names
 * nobody there may be one, or it was not asked to tell.
 */
static enum client_cert
cert_state(const struct peer_tls_told *told)
{
	static const struct pn_str postfix = PN_STR("Postfix");

	if (told->verify.p != NULL)
		return pn_str_eq(told->verify, PN_STR_V("OK"))
		    ? CLIENT_CERT_VERIFIED
		    : CLIENT_CERT_UNVERIFIED;
	return pn_str_starts(told->mta, postfix) && told->subject.p != NULL
	    ? CLIENT_CERT_VERIFIED
	    : CLIENT_CERT_UNTOLD;
}

int
peer_tls(struct client *c, struct arena *a, const struct peer_tls_told *told)
{
	c->tls_bits = number(told->bits);
	c->tls_verified = cert_state(told);
	return copy(&c->tls_version, a, told->version) |
	    copy(&c->tls_cipher, a, told->cipher) |
	    copy(&c->tls_subject, a, told->subject) |
	    copy(&c->tls_issuer, a, told->issuer);
}

/* ---- envelope ---- */

struct path {
	struct pn_str path, address, local, domain, params;
};

static void
split_anyhow(struct path *p, struct pn_str text)
{
	const char *at;

	if (text.n >= 2 && text.p[0] == '<' && text.p[text.n - 1] == '>')
		text = pn_str_sub(text, 1, text.n - 2);
	at = text.n > 0 ? memrchr(text.p, '@', text.n) : NULL;
	p->path = p->address = p->local = text;
	if (at != NULL) {
		p->local = pn_str_sub(text, 0, (size_t)(at - text.p));
		p->domain = pn_str_sub(text, p->local.n + 1, text.n);
	}
}

/* One, and nothing behind it. */
static enum address_result
parse(struct address *got, struct arena *a, struct pn_str text)
{
	struct pn_str rest;
	enum address_result r = address_parse_path(text, a, got, &rest);

	return r == ADDRESS_OK && rest.n > 0 ? ADDRESS_BAD : r;
}

/*
 * MTAs read more than RFC 5321 has: "<(to)bob@example.com>" is Bob to Postfix,
 * so he is it to rules. Sendmail's macro may be a name alone, which says less.
 */
static enum address_result
parse_meant(struct address *got, struct arena *a, struct pn_str meant)
{
	enum address_result r = meant.n > 0 ? parse(got, a, meant)
					    : ADDRESS_BAD;

	return r == ADDRESS_OK && got->domain.n == 0 ? ADDRESS_BAD : r;
}

static int
read_path(struct path *p, struct arena *a, struct pn_str text,
    struct pn_str meant)
{
	struct address got = { 0 };
	enum address_result r = parse(&got, a, text);
	bool bad = r == ADDRESS_BAD;

	*p = (struct path){ 0 };
	split_anyhow(p, text);
	if (bad)
		r = parse_meant(&got, a, meant);
	if (r == ADDRESS_NO_ROOM)
		return -1;
	if (r == ADDRESS_OK) {
		p->path = bad ? p->path : got.path;
		p->address = got.address;
		p->local = got.local;
		p->domain = got.domain;
	}
	return copy(&p->path, a, p->path) | copy(&p->address, a, p->address) |
	    copy(&p->local, a, p->local) | copy(&p->domain, a, p->domain);
}

/* "SIZE=100 BODY=8BITMIME", as they stood behind the path. */
static int
read_params(struct path *p, struct arena *a, char **argv)
{
	struct buf b = { 0 };
	int r;

	for (size_t i = 0; argv[i] != NULL; i++) {
		if (buf_len(&b) > 0)
			(void)buf_puts(&b, " ");
		(void)buf_puts(&b, argv[i]);
	}
	r = copy(&p->params, a, buf_str(&b));
	buf_fini(&b);
	return r;
}

static int
read_argv(struct path *p, struct arena *a, char **argv, struct pn_str meant)
{
	if (argv[0] == NULL)
		return read_path(p, a, PN_STR_V(""), meant) |
		    read_params(p, a, argv);
	if (read_path(p, a, pn_str_of(argv[0]), meant) < 0)
		return -1;
	return read_params(p, a, argv + 1);
}

int
peer_sender(struct envelope *e, struct arena *a, char **argv,
    struct pn_str meant)
{
	struct path p;

	if (read_argv(&p, a, argv, meant) < 0)
		return -1;
	e->path = p.path;
	e->address = p.address;
	e->local = p.local;
	e->domain = p.domain;
	e->params = p.params;
	e->has_sender = true;
	return 0;
}

struct rcpt *
peer_rcpt(struct envelope *e, struct arena *a, char **argv,
    struct pn_str meant)
{
	struct path p;
	struct rcpt *r;

	if (read_argv(&p, a, argv, meant) < 0 ||
	    (r = envelope_add_rcpt(e, a)) == NULL)
		return NULL;
	r->path = p.path;
	r->address = p.address;
	r->local = p.local;
	r->domain = p.domain;
	r->params = p.params;
	return r;
}
