/* tls - see tls.h: one connection, whichever side of it we are. */
#include "smtp/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/must.h"
#include "smtp/tls_inside.h"

/* Of a connection: key updates (RFC 8446 4.6.3), tickets, alerts. Whoever
 * changes keys as often as AES wants it has sent terabytes by then. */
#define NOISE_MAX 64

/*
 * Called of each record that comes. OpenSSL goes on reading until there is
 * data: a peer that never sends any would have this worker for itself.
 */
static void
on_record(int sent, int version, int kind, const void *at, size_t n, SSL *ssl,
    void *arg)
{
	struct tls *t = SSL_get_app_data(ssl);
	const unsigned char *type = at;

	(void)version;
	(void)arg;
	if (sent || n == 0 || t == NULL || !t->open ||
	    (kind != SSL3_RT_HEADER && kind != SSL3_RT_INNER_CONTENT_TYPE) ||
	    *type == SSL3_RT_APPLICATION_DATA || ++t->noise <= NOISE_MAX)
		return;
	SSL_set_shutdown(ssl, SSL_get_shutdown(ssl) | SSL_RECEIVED_SHUTDOWN);
}

SSL_CTX *
tls_context(const SSL_METHOD *method, struct error *e)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	if (ctx == NULL) {
		(void)tls_complain(e, "TLS");
		return NULL;
	}
	must(SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1);
	(void)SSL_CTX_set_options(ctx,
	    SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
		SSL_OP_CIPHER_SERVER_PREFERENCE);
	/* An idle session holds no buffers; a write that has to wait may come
	 * again from another place. */
	(void)SSL_CTX_set_mode(ctx,
	    SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
		SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_msg_callback(ctx, on_record);
	SSL_CTX_set_read_ahead(ctx, 1); /* one recv() for head and record */
	return ctx;
}

struct tls *
tls_new(SSL *ssl, int fd)
{
	struct tls *t = xcalloc(1, sizeof(*t));

	t->magic = TLS_MAGIC;
	t->ssl = ssl;
	must(ssl != NULL && SSL_set_fd(ssl, fd) == 1);
	must(SSL_set_app_data(ssl, t) == 1);
	return t;
}

void
tls_free(struct tls *t)
{
	if (t == NULL)
		return;
	MUST_BE(t, TLS);
	SSL_free(t->ssl);
	t->magic = 0;
	free(t);
}

const char *
tls_why(const struct tls *t)
{
	return t->why;
}

void
tls_set_why(struct tls *t, const char *why)
{
	(void)snprintf(t->why, sizeof(t->why), "%s", why);
}

bool
tls_holds(const struct tls *t)
{
	return t->more;
}

bool
tls_resumed(const struct tls *t)
{
	return SSL_session_reused(t->ssl) == 1;
}

/* A certificate that was looked at and not liked tells more than the alert
 * that we sent of it. */
static void
note_why(struct tls *t)
{
	long seen = SSL_get_verify_result(t->ssl);

	if (!t->open && seen != X509_V_OK && t->next == NULL)
		tls_set_why(t, X509_verify_cert_error_string(seen));
	else
		tls_set_why(t, tls_reason());
}

static enum tls_turn
end(struct tls *t, const char *why)
{
	if (why != NULL)
		tls_set_why(t, why);
	t->over = true;
	return TLS_END;
}

/* What a call that did not succeed wants. */
static enum tls_turn
turn_of(struct tls *t, int result)
{
	int saved = errno;

	switch (SSL_get_error(t->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return TLS_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		if (t->noise > NOISE_MAX)
			return end(t, "it sends much that is no data");
		tls_set_why(t, "it said that it would send no more");
		return TLS_END; /* we still may */
	case SSL_ERROR_SYSCALL:
		return end(t,
		    saved != 0 ? strerror(saved) : "it closed the connection");
	case SSL_ERROR_SSL:
		if (ERR_GET_REASON(ERR_peek_last_error()) ==
		    SSL_R_UNEXPECTED_EOF_WHILE_READING) {
			ERR_clear_error();
			return end(t, "it closed the connection");
		}
		note_why(t);
		return end(t, NULL);
	default:
		return end(t, "OpenSSL wants what nobody gave it");
	}
}

static void
before(void)
{
	ERR_clear_error();
	errno = 0;
}

enum tls_turn
tls_handshake(struct tls *t)
{
	int r;

	MUST_BE(t, TLS);
	before();
	r = SSL_do_handshake(t->ssl);
	if (r != 1)
		return turn_of(t, r);
	t->open = true;
	t->more = SSL_has_pending(t->ssl) == 1;
	return TLS_DONE;
}

/*
 * A read of the socket may bring several records: they are taken as far as
 * there is room, for no event comes of what is in here already. `more` is
 * what is left; when a record is not yet complete, one look at the socket
 * says so, and more comes with an event.
 */
enum tls_turn
tls_read(struct tls *t, void *at, size_t n, size_t *got)
{
	size_t k;

	MUST_BE(t, TLS);
	*got = 0;
	t->more = false;
	if (t->over)
		return TLS_END;
	do {
		before();
		if (SSL_read_ex(t->ssl, (char *)at + *got, n - *got, &k) != 1) {
			enum tls_turn turn = turn_of(t, 0);

			if (*got == 0)
				return turn;
			t->more = turn == TLS_END || turn == TLS_WRITE;
			return TLS_DONE;
		}
		*got += k;
	} while (*got < n && SSL_has_pending(t->ssl));
	t->more = SSL_has_pending(t->ssl) == 1;
	return TLS_DONE;
}

enum tls_turn
tls_peek(struct tls *t)
{
	size_t k;
	char byte;

	if (t->over)
		return TLS_END;
	before();
	if (SSL_peek_ex(t->ssl, &byte, 1, &k) != 1)
		return turn_of(t, 0);
	t->more = true;
	return TLS_DONE;
}

enum tls_turn
tls_write(struct tls *t, const void *from, size_t n, size_t *sent)
{
	MUST_BE(t, TLS);
	must(n <= TLS_RECORD);
	if (t->over)
		return TLS_END;
	before();
	if (SSL_write_ex(t->ssl, from, n, sent) != 1)
		return turn_of(t, 0);
	return TLS_DONE;
}

void
tls_shut(struct tls *t)
{
	if (t->shut || t->over || !t->open)
		return;
	t->shut = true;
	before();
	(void)SSL_shutdown(t->ssl); /* a courtesy: nobody waits */
	ERR_clear_error();
}

/* ---- what it is ---- */

void
tls_text(const struct tls *t, char *out, size_t size)
{
	int all = 0, bits = SSL_get_cipher_bits(t->ssl, &all);

	(void)snprintf(out, size, "%s with cipher %s (%d/%d bits)",
	    SSL_get_version(t->ssl), SSL_get_cipher_name(t->ssl), bits, all);
}

/* RFC 2253, in UTF-8. */
static int
tell_name(struct pn_str *out, const X509_NAME *name, struct arena *a)
{
	BIO *b = BIO_new(BIO_s_mem());
	char *p = NULL;
	long n;

	must(b != NULL);
	(void)X509_NAME_print_ex(
	    b, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
	n = BIO_get_mem_data(b, &p);
	*out = arena_str(a, (struct pn_str){ p, (size_t)n });
	(void)BIO_free(b);
	return out->p != NULL ? 0 : -1;
}

static int
tell_fingerprint(struct pn_str *out, const X509 *x, struct arena *a)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	char *text = arena_alloc(a, 2 * TLS_DIGEST + 1);

	if (text == NULL)
		return -1;
	must(X509_digest(x, EVP_sha256(), digest, &n) == 1 && n == TLS_DIGEST);
	for (unsigned i = 0; i < n; i++)
		(void)snprintf(text + 2 * i, 3, "%02x", digest[i]);
	*out = (struct pn_str){ text, 2 * TLS_DIGEST };
	return 0;
}

static int
tell_cert(const struct tls *t, struct client *c, struct arena *a)
{
	X509 *x = SSL_get0_peer_certificate(t->ssl);

	if (x == NULL)
		return 0;
	c->tls_verified = SSL_get_verify_result(t->ssl) == X509_V_OK
	    ? CLIENT_CERT_VERIFIED
	    : CLIENT_CERT_UNVERIFIED;
	if (tell_name(&c->tls_subject, X509_get_subject_name(x), a) < 0 ||
	    tell_name(&c->tls_issuer, X509_get_issuer_name(x), a) < 0)
		return -1;
	return tell_fingerprint(&c->tls_fingerprint, x, a);
}

int
tls_tell(const struct tls *t, struct client *c, struct arena *a)
{
	const char *sni = SSL_get_servername(t->ssl, TLSEXT_NAMETYPE_host_name);

	/* Names of OpenSSL's own tables. */
	c->tls_version = pn_str_of(SSL_get_version(t->ssl));
	c->tls_cipher = pn_str_of(SSL_get_cipher_name(t->ssl));
	c->tls_bits = (unsigned)SSL_get_cipher_bits(t->ssl, NULL);
	c->tls_verified = CLIENT_CERT_UNVERIFIED;
	c->tls_subject = c->tls_issuer = c->tls_fingerprint = c->tls_sni =
	    (struct pn_str){ 0 };
	if (sni != NULL &&
	    (c->tls_sni = arena_str(a, pn_str_of(sni))).p == NULL)
		return -1;
	return tell_cert(t, c, a);
}
