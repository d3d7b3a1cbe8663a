/*
 * tls_client - see tls.h: the context of an upstream, and whether a next hop
 * is whom its level wants.
 *
 * OpenSSL verifies as it always does, and does not end the handshake for it:
 * tls_check() looks afterwards, so that one place says no, and why. Nothing of
 * a mail is said before it said yes.
 */
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "smtp/tls_inside.h"

struct tls_client {
	const struct tls_next *conf;
	SSL_CTX *ctx;
};

/* ---- resuming ---- */

void
tls_memory_forget(struct tls_memory *m)
{
	SSL_SESSION_free(m->session);
	m->session = NULL;
}

/* TLS 1.3 brings it behind the handshake. Ours now, when 1 is returned. */
static int
on_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls *t = SSL_get_app_data(ssl);

	if (t->memory == NULL)
		return 0;
	tls_memory_forget(t->memory);
	t->memory->session = session;
	return 1;
}

/* ---- contexts ---- */

static int
set_up(struct tls_client *c, struct error *e)
{
	const struct tls_next *n = c->conf;

	SSL_CTX_set_verify(c->ctx, SSL_VERIFY_NONE, NULL);
	(void)SSL_CTX_set_session_cache_mode(c->ctx,
	    SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(c->ctx, on_session);
	if (n->ca.path != NULL && tls_trust(c->ctx, &n->ca, e) < 0)
		return -1;
	if (n->pair != NULL && tls_use_pair(c->ctx, n->pair, e) < 0)
		return -1;
	/* RFC 7672 2.1.3: clients of other levels need not know of it. */
	if (n->level == TLS_DANE && SSL_CTX_dane_enable(c->ctx) != 1)
		return tls_complain(e, "dane");
	if (n->level == TLS_DANE)
		(void)SSL_CTX_dane_set_flags(
		    c->ctx, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
	return 0;
}

struct tls_client *
tls_client_new(const struct tls_next *conf, struct error *e)
{
	struct tls_client *c = xcalloc(1, sizeof(*c));

	c->conf = conf;
	c->ctx = tls_context(TLS_client_method(), e);
	if (c->ctx != NULL && set_up(c, e) == 0)
		return c;
	tls_client_free(c);
	return NULL;
}

void
tls_client_free(struct tls_client *c)
{
	if (c == NULL)
		return;
	SSL_CTX_free(c->ctx);
	free(c);
}

static bool
is_address(const char *name)
{
	unsigned char raw[16];

	return inet_pton(AF_INET, name, raw) == 1 ||
	    inet_pton(AF_INET6, name, raw) == 1;
}

/* False: this name cannot be one, so that nothing could be verified. */
static bool
set_names(struct tls *t, const char *name, enum tls_level level)
{
	if (!is_address(name) && SSL_set_tlsext_host_name(t->ssl, name) != 1)
		return false; /* RFC 6066 3: no addresses */
	SSL_set_hostflags(t->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (level == TLS_DANE)
		return SSL_dane_enable(t->ssl, name) > 0;
	return level != TLS_VERIFY || SSL_set1_host(t->ssl, name) == 1;
}

const char *
tls_next_name(const struct tls_next *next, const char *host,
    const char *server, char *out, size_t size)
{
	const char *end = strrchr(server, ':');
	int n = end != NULL ? (int)(end - server) : (int)strlen(server);

	if (next->name != NULL)
		return next->name;
	if (host != NULL)
		return host;
	if (server[0] == '[' && n > 2) {
		server++;
		n -= 2;
	}
	(void)snprintf(out, size, "%.*s", n, server);
	return out;
}

struct tls *
tls_connect(struct tls_client *c, int fd, const char *name,
    struct tls_memory *memory)
{
	struct tls *t = tls_new(SSL_new(c->ctx), fd);

	t->next = c->conf;
	ERR_clear_error();
	if (!set_names(t, name, c->conf->level)) {
		tls_set_why(t, "its name cannot be that of a server");
		t->over = true;
	}
	/* What DANE said of a server is not kept with its session. */
	if (c->conf->level != TLS_DANE) {
		t->memory = memory;
		if (memory->session != NULL)
			(void)SSL_set_session(t->ssl, memory->session);
	}
	SSL_set_connect_state(t->ssl);
	return t;
}

/* ---- DANE ---- */

bool
tls_tlsa_usable(struct pn_str r)
{
	const unsigned char *p = (const unsigned char *)r.p;

	/* RFC 7672 3.1.3: what PKIX-TA(0) and PKIX-EE(1) mean for mail is not
	 * defined. */
	if (r.n < 4 || (p[0] != 2 && p[0] != 3) || p[1] > 1)
		return false;
	return (p[2] == 0) || (p[2] == 1 && r.n == 3 + 32) ||
	    (p[2] == 2 && r.n == 3 + 64);
}

bool
tls_add_tlsa(struct tls *t, struct pn_str r)
{
	const unsigned char *p = (const unsigned char *)r.p;
	int added;

	if (!tls_tlsa_usable(r))
		return false;
	added = SSL_dane_tlsa_add(t->ssl, p[0], p[1], p[2], p + 3, r.n - 3);
	ERR_clear_error();
	t->dane |= added > 0;
	return added > 0;
}

void
tls_add_name(struct tls *t, const char *name)
{
	/* What cannot be a name is in no certificate. */
	(void)SSL_add1_host(t->ssl, name);
	ERR_clear_error();
}

/* ---- is it he? ---- */

static bool
is_one_of(const struct tls_next *n, const unsigned char *digest)
{
	for (size_t i = 0; i < n->n_fingerprints; i++)
		if (memcmp(n->fingerprints[i], digest, TLS_DIGEST) == 0)
			return true;
	return false;
}

static bool
key_digest(X509 *x, unsigned char *digest)
{
	unsigned char *der = NULL;
	int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);
	unsigned len = 0;
	bool ok = n > 0 &&
	    EVP_Digest(der, (size_t)n, digest, &len, EVP_sha256(), NULL) == 1;

	OPENSSL_free(der);
	return ok && len == TLS_DIGEST;
}

static const char *
check_fingerprint(struct tls *t)
{
	X509 *x = SSL_get0_peer_certificate(t->ssl);
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (x == NULL)
		return "it has no certificate";
	if (X509_digest(x, EVP_sha256(), digest, &n) == 1 &&
	    n == TLS_DIGEST && is_one_of(t->next, digest))
		return NULL;
	if (key_digest(x, digest) && is_one_of(t->next, digest))
		return NULL;
	return "its certificate has another fingerprint";
}

static const char *
check_chain(struct tls *t)
{
	long seen = SSL_get_verify_result(t->ssl);

	if (SSL_get0_peer_certificate(t->ssl) == NULL)
		return "it has no certificate";
	return seen == X509_V_OK ? NULL : X509_verify_cert_error_string(seen);
}

static const char *
check(struct tls *t)
{
	switch (t->next->level) {
	case TLS_NONE:
	case TLS_MAY:
	case TLS_ENCRYPT:
		return NULL;
	case TLS_VERIFY:
		return check_chain(t);
	case TLS_FINGERPRINT:
		return check_fingerprint(t);
	case TLS_DANE:
		return t->dane ? check_chain(t) : NULL;
	}
	return "a level that is none";
}

const char *
tls_check(struct tls *t)
{
	const char *why = check(t);

	if (why != NULL && t->memory != NULL) {
		tls_memory_forget(t->memory);
		t->memory = NULL; /* nor what comes of it later */
	}
	return why;
}
