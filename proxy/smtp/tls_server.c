/*
 * tls_server - see tls.h: the context of a listener, of its certificates one
 * each. Which one a client sees is what it asks for (SNI), else the first.
 */
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/must.h"
#include "smtp/tls_inside.h"

struct tls_server {
	const struct tls_listen *conf;
	const struct tls_tickets *tickets;
	size_t n;
	SSL_CTX *contexts[]; /* [n], one for each set of names */
};

/* ---- tickets ---- */

void
tls_tickets_rotate(struct tls_tickets *t)
{
	memmove(&t->key[1], &t->key[0],
	    sizeof(t->key) - sizeof(t->key[0]));
	must(RAND_priv_bytes((unsigned char *)&t->key[0], sizeof(t->key[0])) ==
	    1);
}

static int
set_keys(const struct tls_ticket_key *k, const unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int making)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY,
		    (void *)k->mac, sizeof(k->mac)),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
		    (char *)"SHA256", 0),
		OSSL_PARAM_construct_end()
	};

	return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, k->aes, iv,
		   making) == 1 &&
	    EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* RFC 5077 4. Of our return values 2 also asks for a new ticket. */
static int
on_ticket(SSL *ssl, unsigned char name[16], unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int making)
{
	const struct tls_server *s =
	    SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	const struct tls_ticket_key *k = s->tickets->key;

	if (making) {
		if (RAND_bytes(iv, EVP_MAX_IV_LENGTH) != 1)
			return -1;
		memcpy(name, k->name, sizeof(k->name));
		return set_keys(k, iv, cipher, mac, 1) ? 1 : -1;
	}
	for (int i = 0; i < TLS_TICKET_KEYS; i++)
		if (memcmp(name, k[i].name, sizeof(k[i].name)) == 0)
			return !set_keys(&k[i], iv, cipher, mac, 0) ? -1
			    : i == 0				     ? 1
								     : 2;
	return 0;
}

/* ---- names ---- */

static bool
has_name(SSL_CTX *ctx, const char *name, unsigned flags)
{
	X509 *x = SSL_CTX_get0_certificate(ctx);

	return X509_check_host(x, name, 0,
		   flags | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1;
}

static SSL_CTX *
find_context(const struct tls_server *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (has_name(s->contexts[i], name,
			X509_CHECK_FLAG_NO_WILDCARDS))
			return s->contexts[i];
	for (size_t i = 0; i < s->n; i++)
		if (has_name(s->contexts[i], name, 0))
			return s->contexts[i];
	return NULL;
}

/* Whom nobody here is called gets the first: RFC 6066 3 allows it, and mail
 * that could have been encrypted would go in clear. */
static int
on_name(SSL *ssl, int *alert, void *arg)
{
	const struct tls_server *s = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	SSL_CTX *ctx = name != NULL ? find_context(s, name) : NULL;

	(void)alert;
	if (ctx == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	return SSL_set_SSL_CTX(ssl, ctx) != NULL ? SSL_TLSEXT_ERR_OK
						 : SSL_TLSEXT_ERR_NOACK;
}

/* ---- clients' certificates ---- */

static int
take_any(int ok, X509_STORE_CTX *store)
{
	(void)ok;
	(void)store; /* what was wrong is tls.cert.verified */
	return 1;
}

static STACK_OF(X509_NAME) *
names_of(const struct tls_file *ca)
{
	STACK_OF(X509_NAME) *names = sk_X509_NAME_new_null();
	BIO *b = BIO_new_mem_buf(ca->text.p, (int)ca->text.n);
	X509 *x;

	must(names != NULL && b != NULL);
	while ((x = PEM_read_bio_X509(b, NULL, NULL, NULL)) != NULL) {
		(void)sk_X509_NAME_push(
		    names, X509_NAME_dup(X509_get_subject_name(x)));
		X509_free(x);
	}
	(void)BIO_free(b);
	ERR_clear_error();
	return names;
}

static int
ask_clients(SSL_CTX *ctx, const struct tls_listen *c, struct error *e)
{
	if (c->client_certs == ASK_NONE)
		return 0;
	if (c->client_ca.path != NULL) {
		if (tls_trust(ctx, &c->client_ca, e) < 0)
			return -1;
		SSL_CTX_set_client_CA_list(ctx, names_of(&c->client_ca));
	}
	if (c->client_certs == ASK_OPTIONAL)
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, take_any);
	else
		SSL_CTX_set_verify(ctx,
		    SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	return 0;
}

/*
 * What a session may be resumed under: this listener's name, and whom it
 * trusted then. With other CAs a client has to show its certificate again.
 */
static void
set_session_id(SSL_CTX *ctx, const struct tls_listen *c, const char *name)
{
	unsigned char id[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	EVP_MD_CTX *md = EVP_MD_CTX_new();

	must(md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
	    EVP_DigestUpdate(md, name, strlen(name) + 1) == 1 &&
	    EVP_DigestUpdate(md, &c->client_certs, sizeof(c->client_certs)) ==
		1 &&
	    EVP_DigestUpdate(md, c->client_ca.text.p, c->client_ca.text.n) ==
		1 &&
	    EVP_DigestFinal_ex(md, id, &n) == 1);
	EVP_MD_CTX_free(md);
	must(SSL_CTX_set_session_id_context(ctx, id, n) == 1);
}

/* ---- contexts ---- */

static int
set_up(struct tls_server *s, SSL_CTX *ctx, const struct tls_pair *p,
    const char *name, struct error *e)
{
	if (tls_use_pair(ctx, p, e) < 0 || ask_clients(ctx, s->conf, e) < 0)
		return -1;
	must(SSL_CTX_set_app_data(ctx, s) == 1);
	set_session_id(ctx, s->conf, name);
	(void)SSL_CTX_set_dh_auto(ctx, 1);
	(void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_timeout(ctx, TLS_TICKET_LIFE_S);
	(void)SSL_CTX_set_num_tickets(ctx, 1);
	(void)SSL_CTX_set_tlsext_servername_callback(ctx, on_name);
	(void)SSL_CTX_set_tlsext_servername_arg(ctx, s);
	(void)SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
	return 0;
}

/* A certificate of the same names and another kind of key (RSA beside EC):
 * what the client can do decides. */
static bool
join(SSL_CTX *ctx, const struct tls_pair *p)
{
	X509 *old = SSL_CTX_get0_certificate(ctx), *new;
	BIO *b = BIO_new_mem_buf(p->cert.text.p, (int)p->cert.text.n);
	GENERAL_NAMES *a = NULL, *c = NULL;
	struct error e;
	bool same;

	new = PEM_read_bio_X509(b, NULL, NULL, NULL);
	(void)BIO_free(b);
	if (new == NULL)
		return false;
	a = X509_get_ext_d2i(old, NID_subject_alt_name, NULL, NULL);
	c = X509_get_ext_d2i(new, NID_subject_alt_name, NULL, NULL);
	same = EVP_PKEY_get_base_id(X509_get0_pubkey(old)) !=
		EVP_PKEY_get_base_id(X509_get0_pubkey(new)) &&
	    sk_GENERAL_NAME_num(a) == sk_GENERAL_NAME_num(c) &&
	    X509_NAME_cmp(X509_get_subject_name(old),
		X509_get_subject_name(new)) == 0;
	for (int i = 0; same && i < sk_GENERAL_NAME_num(a); i++)
		same = GENERAL_NAME_cmp(sk_GENERAL_NAME_value(a, i),
			   sk_GENERAL_NAME_value(c, i)) == 0;
	GENERAL_NAMES_free(a);
	GENERAL_NAMES_free(c);
	X509_free(new);
	return same && tls_use_pair(ctx, p, &e) == 0;
}

static int
add_pair(struct tls_server *s, const struct tls_pair *p, const char *name,
    struct error *e)
{
	SSL_CTX *ctx;

	for (size_t i = 0; i < s->n; i++)
		if (join(s->contexts[i], p))
			return 0;
	ctx = tls_context(TLS_server_method(), e);
	if (ctx == NULL)
		return -1;
	s->contexts[s->n++] = ctx;
	return set_up(s, ctx, p, name, e);
}

struct tls_server *
tls_server_new(const struct tls_listen *conf, const char *name,
    const struct tls_tickets *tickets, struct error *e)
{
	struct tls_server *s = xcalloc(1,
	    sizeof(*s) + conf->n_pairs * sizeof(s->contexts[0]));

	s->conf = conf;
	s->tickets = tickets;
	for (size_t i = 0; i < conf->n_pairs; i++)
		if (add_pair(s, &conf->pairs[i], name, e) < 0) {
			tls_server_free(s);
			return NULL;
		}
	return s;
}

void
tls_server_free(struct tls_server *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->n; i++)
		SSL_CTX_free(s->contexts[i]);
	free(s);
}

struct tls *
tls_accept(struct tls_server *s, int fd)
{
	struct tls *t = tls_new(SSL_new(s->contexts[0]), fd);

	SSL_set_accept_state(t->ssl);
	return t;
}
