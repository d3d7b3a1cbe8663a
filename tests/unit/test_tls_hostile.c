/* test_tls_hostile - what a hostile client may do inside TLS: a connection is neither
 * kept busy by it nor confused. */
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cm.h"
#include "smtp/tls.h"

struct pair {
	struct tls_tickets tickets;
	struct tls_pair own;
	struct tls_listen conf;
	struct tls_server *server;
	struct tls *tls;
	SSL_CTX *ctx;
	SSL *client;
	int fds[2];
	char text[8192];
};

static void
make_certificate(struct pair *p)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	BIO *b = BIO_new(BIO_s_mem());
	char *at;
	long n;

	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN",
	    MBSTRING_ASC, (const unsigned char *)"a.example", -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, key);
	assert_int_not_equal(X509_sign(x, key, EVP_sha256()), 0);
	assert_int_equal(PEM_write_bio_X509(b, x), 1);
	assert_int_equal(PEM_write_bio_PrivateKey(b, key, NULL, NULL, 0, NULL,
			     NULL), 1);
	n = BIO_get_mem_data(b, &at);
	assert_true(n > 0 && (size_t)n < sizeof(p->text));
	memcpy(p->text, at, (size_t)n);
	p->own.cert.path = p->own.key.path = "a.pem";
	p->own.cert.text = p->own.key.text =
	    (struct pn_str){ p->text, (size_t)n };
	BIO_free(b);
	X509_free(x);
	EVP_PKEY_free(key);
}

/* Both ends of a connection, their handshake done. */
static void
set_up(struct pair *p, int version, unsigned char fragment)
{
	struct error e;
	bool ours = false, theirs = false;

	memset(p, 0, sizeof(*p));
	make_certificate(p);
	tls_tickets_rotate(&p->tickets);
	p->conf = (struct tls_listen){ .mode = LISTEN_MAY, .pairs = &p->own,
		.n_pairs = 1 };
	p->server = tls_server_new(&p->conf, "x", &p->tickets, &e);
	assert_non_null(p->server);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
			     p->fds), 0);
	p->tls = tls_accept(p->server, p->fds[0]);
	p->ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_max_proto_version(p->ctx, version);
	if (fragment != 0)
		SSL_CTX_set_tlsext_max_fragment_length(p->ctx, fragment);
	p->client = SSL_new(p->ctx);
	SSL_set_fd(p->client, p->fds[1]);
	SSL_set_connect_state(p->client);
	for (int i = 0; i < 20 && !(ours && theirs); i++) {
		theirs = theirs || SSL_do_handshake(p->client) == 1;
		ours = ours || tls_handshake(p->tls) == TLS_DONE;
	}
	assert_true(ours && theirs);
}

static void
tear_down(struct pair *p)
{
	tls_free(p->tls);
	tls_server_free(p->server);
	SSL_free(p->client);
	SSL_CTX_free(p->ctx);
	close(p->fds[0]);
	close(p->fds[1]);
}

/* So many as the socket takes at once: how many went. */
static int
update_keys(struct pair *p, int most)
{
	int n = 0;

	while (n < most && SSL_key_update(p->client,
			       SSL_KEY_UPDATE_NOT_REQUESTED) == 1 &&
	    SSL_do_handshake(p->client) == 1)
		n++;
	return n;
}

static void
test_key_updates(void **state)
{
	struct pair p;
	char got[16];
	size_t n;

	(void)state;
	set_up(&p, TLS1_3_VERSION, 0);
	assert_int_equal(update_keys(&p, 40), 40);
	assert_int_equal(SSL_write(p.client, "NOOP\r\n", 6), 6);
	assert_int_equal(tls_read(p.tls, got, sizeof(got), &n), TLS_DONE);
	assert_int_equal(n, 6); /* some are nothing unusual */
	assert_int_equal(update_keys(&p, 40), 40);
	assert_int_equal(SSL_write(p.client, "NOOP\r\n", 6), 6);
	assert_int_equal(tls_read(p.tls, got, sizeof(got), &n), TLS_END);
	assert_string_equal(tls_why(p.tls), "it sends much that is no data");
	assert_int_equal(tls_read(p.tls, got, sizeof(got), &n), TLS_END);
	tear_down(&p);
}

/* Renegotiation, which is refused each time it is asked for. */
static void
test_renegotiation(void **state)
{
	struct pair p;
	char got[16];
	size_t n;

	(void)state;
	set_up(&p, TLS1_2_VERSION, 0);
	assert_int_equal(SSL_renegotiate(p.client), 1);
	(void)SSL_do_handshake(p.client);
	assert_int_equal(tls_read(p.tls, got, sizeof(got), &n), TLS_READ);
	tear_down(&p);
}

static void
test_fragments(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	char said[2000], got[4000];
	struct pair p;
	size_t sent, n = 0;

	(void)state;
	memset(said, 'x', sizeof(said));
	for (size_t i = 0; i < PN_COUNT(versions); i++) {
		set_up(&p, versions[i], TLSEXT_max_fragment_length_512);
		for (size_t at = 0; at < sizeof(said); at += sent) {
			assert_int_equal(tls_write(p.tls, said + at,
					     sizeof(said) - at, &sent),
			    TLS_DONE);
			assert_in_range(sent, 1, 512);
		}
		for (n = 0; n < sizeof(said);) {
			int k = SSL_read(p.client, got + n,
			    (int)(sizeof(got) - n));

			assert_true(k > 0);
			n += (size_t)k;
		}
		assert_memory_equal(got, said, sizeof(said));
		tear_down(&p);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_key_updates),
		cmocka_unit_test(test_renegotiation),
		cmocka_unit_test(test_fragments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
