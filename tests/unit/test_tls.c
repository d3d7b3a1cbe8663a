/*
 * test_tls - a wire under TLS against another: both ends on one loop, over a
 * socketpair. What is sent arrives, in whatever pieces it is sent and read;
 * what no event tells of does not stall; who says garbage, nothing, or wants to
 * negotiate anew gets nowhere.
 */
#include <event2/event.h>
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/must.h"
#include "smtp/tls.h"
#include "smtp/wire.h"
#include "tests/unit/cm.h"

#define PATIENCE_MS 10000

/* One end: reads in pieces of at most `room`. */
struct end {
	struct wire wire;
	size_t room;
	struct buf got;
	struct pn_str left; /* to be sent */
	unsigned told;	    /* that the handshake ended */
	bool ended, shut_after;
	bool pauses; /* after each read, as a session does that is busy */
};

struct world {
	struct loop *loop;
	struct tls_pair pair;
	struct tls_listen listen;
	struct tls_next next;
	struct tls_tickets tickets;
	struct tls_server *server;
	struct tls_client *client;
	struct tls_memory memory;
	struct end end[2]; /* the server's first */
	char pem[4096];
};

/* ---- a certificate ---- */

static void
make_pem(struct world *w)
{
	EVP_PKEY *k = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	BIO *b = BIO_new(BIO_s_mem());
	int n;

	must(k != NULL && x != NULL && b != NULL);
	must(X509_set_version(x, X509_VERSION_3) == 1);
	must(ASN1_INTEGER_set(X509_get_serialNumber(x), 1) == 1);
	must(X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN",
		 MBSTRING_ASC, (const unsigned char *)"a.example", -1, -1,
		 0) == 1);
	must(X509_set_issuer_name(x, X509_get_subject_name(x)) == 1);
	must(X509_gmtime_adj(X509_getm_notBefore(x), -3600) != NULL);
	must(X509_gmtime_adj(X509_getm_notAfter(x), 3600) != NULL);
	must(X509_set_pubkey(x, k) == 1 && X509_sign(x, k, EVP_sha256()) > 0);
	must(PEM_write_bio_X509(b, x) == 1);
	must(PEM_write_bio_PrivateKey(b, k, NULL, NULL, 0, NULL, NULL) == 1);
	n = BIO_read(b, w->pem, sizeof(w->pem) - 1);
	must(n > 0);
	w->pair.cert = (struct tls_file){ "a.pem", { w->pem, (size_t)n } };
	w->pair.key = w->pair.cert;
	BIO_free(b);
	X509_free(x);
	EVP_PKEY_free(k);
}

/* ---- two ends ---- */

static void
send_on(struct end *e)
{
	while (e->left.n > 0) {
		size_t half = e->left.n / 3;
		size_t n = wire_sendv(&e->wire,
		    (struct iovec[]){ { (char *)e->left.p, half },
			{ (char *)e->left.p + half, e->left.n - half } },
		    2);

		if (n == 0)
			return;
		e->left = pn_str_sub(e->left, n, e->left.n);
	}
	if (e->shut_after) {
		tls_shut(e->wire.tls);
		assert_int_equal(shutdown(e->wire.fd, SHUT_WR), 0);
	}
	e->shut_after = false;
}

static void
read_once(struct end *e)
{
	char *at = malloc(e->room);
	size_t n;

	switch (wire_recv(&e->wire, at, e->room, &n)) {
	case WIRE_BYTES:
		if (e->pauses)
			wire_pause(&e->wire);
		(void)buf_add(&e->got, at, n); /* no cap */
		break;
	case WIRE_END:
		e->ended = true;
		wire_pause(&e->wire);
		break;
	case WIRE_NOTHING:
		break;
	}
	free(at);
}

static void
on_wire(int fd, short what, void *arg)
{
	struct end *e = arg;

	(void)fd;
	if (what == 0) {
		e->told++;
		if (e->wire.security == WIRE_SECURE)
			wire_wait(&e->wire, PATIENCE_MS);
		return;
	}
	if (what & EV_WRITE)
		send_on(e);
	if (what & EV_READ)
		read_once(e);
}

static int
set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct error e;
	int fd[2];

	w->loop = loop_new();
	make_pem(w);
	assert_int_equal(tls_pair_check(&w->pair, &e), 0);
	w->listen = (struct tls_listen){ .mode = LISTEN_MAY, .pairs = &w->pair,
		.n_pairs = 1 };
	w->next.level = TLS_ENCRYPT;
	tls_tickets_rotate(&w->tickets);
	w->server = tls_server_new(&w->listen, "l", &w->tickets, &e);
	w->client = tls_client_new(&w->next, &e);
	assert_non_null(w->server);
	assert_non_null(w->client);
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) == 0);
	for (int i = 0; i < 2; i++) {
		w->end[i].room = 65536;
		wire_open(&w->end[i].wire, w->loop, fd[i], on_wire, &w->end[i]);
	}
	*state = w;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 2; i++) {
		wire_close(&w->end[i].wire);
		buf_fini(&w->end[i].got);
	}
	tls_memory_forget(&w->memory);
	tls_client_free(w->client);
	tls_server_free(w->server);
	loop_free(w->loop);
	free(w);
	return 0;
}

static void
turn(struct world *w)
{
	event_base_loop(loop_base(w->loop), EVLOOP_NONBLOCK);
}

/* Turns of the loop until it is so, or for too long. */
#define UNTIL(w, what)                                                  \
	do {                                                            \
		for (int turns_ = 0; turns_ < 100000 && !(what); turns_++) { \
			turn(w);                                        \
			if (turns_ > 1000)                              \
				usleep(1000);                           \
			if (turns_ > 6000)                              \
				break;                                  \
		}                                                       \
		assert_true(what);                                      \
	} while (0)

static void
shake_hands(struct world *w)
{
	wire_secure(&w->end[0].wire, tls_accept(w->server, w->end[0].wire.fd),
	    PATIENCE_MS);
	wire_secure(&w->end[1].wire,
	    tls_connect(w->client, w->end[1].wire.fd, "a.example", &w->memory),
	    PATIENCE_MS);
	UNTIL(w, w->end[0].told && w->end[1].told);
	assert_int_equal(w->end[0].wire.security, WIRE_SECURE);
	assert_int_equal(w->end[1].wire.security, WIRE_SECURE);
}

static void
what_is_sent_arrives(void **state)
{
	static const size_t sizes[] = { 1, 2, 16383, 16384, 16385, 50000,
		1000000 };
	static const size_t rooms[] = { 7, 4096, 16384, 65536 };
	struct world *w = *state;
	char *text = malloc(1000000);

	for (size_t i = 0; i < 1000000; i++)
		text[i] = (char)(i * 31 + i / 251);
	shake_hands(w);
	for (size_t s = 0; s < PN_COUNT(sizes); s++) {
		for (size_t r = sizes[s] > 50000; r < PN_COUNT(rooms); r++) {
			for (int i = 0; i < 2; i++) {
				buf_clear(&w->end[i].got);
				w->end[i].room = rooms[r];
				w->end[i].left =
				    (struct pn_str){ text, sizes[s] };
				send_on(&w->end[i]);
			}
			UNTIL(w, buf_len(&w->end[0].got) == sizes[s] &&
				  buf_len(&w->end[1].got) == sizes[s]);
			for (int i = 0; i < 2; i++)
				assert_memory_equal(buf_data(&w->end[i].got),
				    text, sizes[s]);
		}
	}
	free(text);
}

/* Several records that one read of the socket brings, a byte taken each time. */
static void
what_is_held_back_makes_an_event(void **state)
{
	struct world *w = *state;
	struct end *e = &w->end[0];

	shake_hands(w);
	for (int i = 0; i < 10; i++) {
		w->end[1].left = PN_STR_V("x");
		send_on(&w->end[1]);
	}
	e->room = 1;
	e->pauses = true;
	for (size_t n = 1; n <= 10; n++) {
		UNTIL(w, buf_len(&e->got) == n);
		turn(w);
		assert_int_equal(buf_len(&e->got), n);
		if (n < 10)
			assert_int_equal(wire_peek(&e->wire), WIRE_BYTES);
		wire_wait(&e->wire, PATIENCE_MS);
	}
	assert_int_equal(wire_peek(&e->wire), WIRE_NOTHING);
}

static void
one_side_may_end(void **state)
{
	struct world *w = *state;

	shake_hands(w);
	w->end[1].left = PN_STR_V("the last words");
	w->end[1].shut_after = true;
	send_on(&w->end[1]);
	UNTIL(w, w->end[0].ended);
	assert_true(pn_str_eq(buf_str(&w->end[0].got),
	    PN_STR_V("the last words")));
	w->end[0].left = PN_STR_V("and an answer");
	send_on(&w->end[0]);
	UNTIL(w, buf_len(&w->end[1].got) == 13);
}

static void
a_session_is_resumed(void **state)
{
	struct world *w = *state;
	int fd[2];

	shake_hands(w);
	w->end[0].left = PN_STR_V("x"); /* the ticket comes before it */
	send_on(&w->end[0]);
	UNTIL(w, buf_len(&w->end[1].got) == 1);
	assert_non_null(w->memory.session);
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) == 0);
	for (int i = 0; i < 2; i++) {
		wire_close(&w->end[i].wire);
		w->end[i].told = 0;
		wire_open(&w->end[i].wire, w->loop, fd[i], on_wire, &w->end[i]);
	}
	tls_tickets_rotate(&w->tickets); /* the keys before are still taken */
	shake_hands(w);
	assert_true(tls_resumed(w->end[0].wire.tls));
	assert_true(tls_resumed(w->end[1].wire.tls));
}

static void
garbage_is_no_handshake(void **state)
{
	struct world *w = *state;

	wire_secure(&w->end[0].wire, tls_accept(w->server, w->end[0].wire.fd),
	    PATIENCE_MS);
	must(write(w->end[1].wire.fd, "EHLO me\r\nNOOP\r\n", 15) == 15);
	UNTIL(w, w->end[0].told);
	assert_int_equal(w->end[0].wire.security, WIRE_INSECURE);
	assert_true(strlen(tls_why(w->end[0].wire.tls)) > 0);
}

/* A byte now and then wins no time. */
static void
silence_ends_it(void **state)
{
	struct world *w = *state;

	wire_secure(&w->end[0].wire, tls_accept(w->server, w->end[0].wire.fd),
	    300);
	for (int i = 0; i < 100 && !w->end[0].told; i++) {
		if (i < 3)
			must(write(w->end[1].wire.fd, &"\x16\x03\x01"[i], 1) ==
			    1);
		usleep(20000);
		turn(w);
	}
	assert_int_equal(w->end[0].told, 1);
	assert_string_equal(tls_why(w->end[0].wire.tls), "it took too long");
}

/* TLS 1.2 has it; a client could make us compute for ever. */
static void
negotiating_anew_is_refused(void **state)
{
	struct world *w = *state;
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl;
	char byte;

	SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
	ssl = SSL_new(ctx);
	SSL_set_fd(ssl, w->end[1].wire.fd);
	SSL_set_connect_state(ssl);
	wire_secure(&w->end[0].wire, tls_accept(w->server, w->end[0].wire.fd),
	    PATIENCE_MS);
	UNTIL(w, SSL_do_handshake(ssl) == 1);
	UNTIL(w, w->end[0].told);
	assert_int_equal(SSL_renegotiate(ssl), 1);
	(void)SSL_do_handshake(ssl);
	for (int i = 0; i < 50; i++) {
		turn(w);
		(void)SSL_read(ssl, &byte, 1);
	}
	assert_int_equal(SSL_session_reused(ssl), 0);
	assert_int_equal(SSL_renegotiate_pending(ssl), 1); /* for ever */
	SSL_free(ssl);
	SSL_CTX_free(ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    what_is_sent_arrives, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    what_is_held_back_makes_an_event, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    one_side_may_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    a_session_is_resumed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    garbage_is_no_handshake, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    silence_ends_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    negotiating_anew_is_refused, set_up, tear_down),
	};

	(void)signal(SIGPIPE, SIG_IGN); /* as in posternd */
	return cmocka_run_group_tests_name("tls", tests, NULL, NULL);
}
