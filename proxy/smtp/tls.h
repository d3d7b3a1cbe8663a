/*
 * tls - TLS on a connection's own descriptor, both sides. The one home of
 * OpenSSL's SSL_*: RFC 8446, 5246, 3207 (STARTTLS), 8314 (implicit), 6066
 * (SNI), 5077 (tickets), 7672 (DANE for SMTP).
 *
 * Four files: tls_file.c reads and checks certificates when the configuration
 * is read; tls_server.c and tls_client.c make a worker's contexts of them;
 * tls.c is one connection, which hangs on a struct wire and is asked by it
 * alone. Nothing here waits: a turn says what must happen first.
 *
 * Keys lie in an arena that only the master and workers have (config.secrets).
 */
#ifndef SMTP_TLS_H
#define SMTP_TLS_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/arena.h"
#include "base/error.h"
#include "mail/envelope.h"

/* ---- as configured; texts are PEM ---- */

struct tls_file {
	const char *path;    /* NULL: none */
	struct pn_str text;  /* .p NULL: this process may not read it */
};

struct tls_pair {
	struct tls_file cert; /* with its chain behind it */
	struct tls_file key;  /* may be the same file */
	time_t until;         /* the certificate's end; 0 unknown */
};

enum tls_listen_mode { LISTEN_CLEAR, LISTEN_MAY, LISTEN_REQUIRE, LISTEN_WRAPPED };
enum tls_ask { ASK_NONE, ASK_OPTIONAL, ASK_REQUIRED };

/* Of a listener. */
struct tls_listen {
	enum tls_listen_mode mode;
	const struct tls_pair *pairs; /* the first is the default */
	size_t n_pairs;
	enum tls_ask client_certs;
	struct tls_file client_ca;
};

enum tls_level {
	TLS_NONE,
	TLS_MAY,         /* if it can */
	TLS_ENCRYPT,     /* whoever it is */
	TLS_VERIFY,      /* a chain to ca, and its name */
	TLS_FINGERPRINT, /* this certificate, or this key */
	TLS_DANE         /* what DNSSEC says of it */
};

#define TLS_DIGEST 32 /* SHA-256 */

/* Of an upstream. */
struct tls_next {
	enum tls_level level;
	bool wrapped;                 /* before the banner */
	const char *name;             /* instead of the server's; NULL */
	struct tls_file ca;           /* .path NULL: not needed */
	bool system_ca;               /* ... which is this machine's */
	const struct tls_pair *pair;  /* our own, or NULL */
	const unsigned char (*fingerprints)[TLS_DIGEST];
	size_t n_fingerprints;
};

/*
 * Read a file of PEM into the arena. -1: *e says why, in words that follow the
 * path; errno is that of open() or read(), or 0.
 */
int tls_file_read(struct tls_file *, const char *path, struct arena *,
    struct error *e);
/* The first of the usual bundles of this system; -1: there is none. */
int tls_file_system_ca(struct tls_file *, struct arena *, struct error *e);
/* Does the key fit, is there a certificate at all? Sets .until. */
int tls_pair_check(struct tls_pair *, struct error *e);
/* At least one certificate in it? */
int tls_ca_check(const struct tls_file *, struct error *e);

/* ---- tickets: one set of keys for all workers ---- */

#define TLS_TICKET_KEYS 2
#define TLS_TICKET_LIFE_S 7200 /* keys change as often: the one before is
				  still taken */

struct tls_tickets {
	struct tls_ticket_key {
		unsigned char name[16], aes[32], mac[32];
	} key[TLS_TICKET_KEYS]; /* [0] makes new ones */
};

/* Another first key; the first one of before is the second. */
void tls_tickets_rotate(struct tls_tickets *);

/* ---- contexts, of a worker ---- */

struct tls_server;
struct tls_client;
struct tls;

/* Borrows conf, name and tickets. NULL and *e. */
struct tls_server *tls_server_new(const struct tls_listen *conf,
    const char *name, const struct tls_tickets *, struct error *e);
void tls_server_free(struct tls_server *);
/* Somebody connected to fd, which stays the caller's. */
struct tls *tls_accept(struct tls_server *, int fd);

/* The session to be resumed with one server. Zeroed: none. */
struct tls_memory {
	void *session;
};
void tls_memory_forget(struct tls_memory *);

struct tls_client *tls_client_new(const struct tls_next *, struct error *e);
void tls_client_free(struct tls_client *);
/*
 * What the server's certificate must bear: the level's own name, or that by
 * which the server is known (host), or of one that is an address ("[::1]:25",
 * server) that one, in out ("::1").
 */
const char *tls_next_name(const struct tls_next *, const char *host,
    const char *server, char *out, size_t size);
/* name: the server's, or its address in text. Borrows memory. */
struct tls *tls_connect(struct tls_client *, int fd, const char *name,
    struct tls_memory *);
/* Has the TLSA record a usage that mail has, and a form that we know (RFC 7672
 * 3.1)? What is in it may be broken all the same. */
bool tls_tlsa_usable(struct pn_str rdata);
/*
 * One TLSA record, RFC 6698 2.1, before the handshake. False: not usable.
 * Once one was, the server must match one of them.
 */
bool tls_add_tlsa(struct tls *, struct pn_str rdata);
/* Another name that its certificate may bear instead. */
void tls_add_name(struct tls *, const char *);
/* After the handshake: is it whom the level wants? NULL, or why not. */
const char *tls_check(struct tls *);

/* ---- a connection ---- */

enum tls_turn {
	TLS_DONE,
	TLS_READ,  /* again when the socket has bytes */
	TLS_WRITE, /* again when the socket has room */
	TLS_END    /* it is over; tls_why() says more */
};

void tls_free(struct tls *);
enum tls_turn tls_handshake(struct tls *);
/* Up to n bytes; TLS_DONE: at least one. */
enum tls_turn tls_read(struct tls *, void *at, size_t n, size_t *got);
enum tls_turn tls_peek(struct tls *);
/* One record of the n bytes (at most TLS_RECORD), of which *sent went: fewer
 * where the peer wants smaller ones (RFC 6066 4). None: the next must begin
 * alike. */
#define TLS_RECORD 16384
enum tls_turn tls_write(struct tls *, const void *from, size_t n, size_t *sent);
/* Something is left in here of which no event of the socket will tell. */
bool tls_holds(const struct tls *);
/* We say no more; once. */
void tls_shut(struct tls *);
/* Why it ended, or the handshake failed. */
const char *tls_why(const struct tls *);
void tls_set_why(struct tls *, const char *why);
bool tls_resumed(const struct tls *);

/* What the client's facts say of it, into the arena. -1: at its cap. */
int tls_tell(const struct tls *, struct client *, struct arena *);
/* "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)" */
void tls_text(const struct tls *, char *out, size_t size);

#endif
