/* tls_inside - what the files of tls share; see tls.h. */
#ifndef SMTP_TLS_INSIDE_H
#define SMTP_TLS_INSIDE_H

#include <openssl/ssl.h>

#include "smtp/tls.h"

#define TLS_MAGIC 0x746c7331u

/* One connection. Made by tls_accept() or tls_connect(), owned by a wire. */
struct tls {
	uint32_t magic;
	SSL *ssl;
	bool open;   /* the handshake was done */
	bool more;   /* tls_holds() */
	bool over;   /* nothing can be said or read any more */
	bool shut;   /* we said so */
	unsigned noise; /* records behind the handshake that are no data */
	char why[160];

	/* A client's. */
	const struct tls_next *next;
	struct tls_memory *memory;
	bool dane; /* a TLSA record must match */
};

/* Takes ssl. */
struct tls *tls_new(SSL *, int fd);
/* What both sides want of a context. NULL and *e. */
SSL_CTX *tls_context(const SSL_METHOD *, struct error *e);
/* A pair of PEM texts into it. */
int tls_use_pair(SSL_CTX *, const struct tls_pair *, struct error *e);
/* Its certificates become what chains may end in. */
int tls_trust(SSL_CTX *, const struct tls_file *ca, struct error *e);
/* The last thing OpenSSL complained about; clears the rest. */
const char *tls_reason(void);
/* "what: reason" into *e; -1. */
int tls_complain(struct error *e, const char *what);

#endif
