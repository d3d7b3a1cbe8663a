/*
 * doctor_talk - one connection of postern doctor to a next hop: dialled,
 * spoken to line by line, and under TLS by what its upstream says of it, with
 * the same contexts and checks as a worker's (smtp/tls.h). Waits, as nobody
 * else does here. Called by doctor_smtp.c, which owns it.
 */
#ifndef CLI_DOCTOR_TALK_H
#define CLI_DOCTOR_TALK_H

#include "proxy/config.h"
#include "smtp/tls.h"

#define TALK_REPLY_MAX 8192

struct talk { /* zeroed but for these: */
	const struct smtp_upstream *upstream;
	const struct smtp_server *server; /* at this address */
	const char *domain;  /* its MX led to it, or NULL */
	const char *mx_name; /* ... and where the domain's CNAMEs end, validated;
				or NULL */
	enum tls_level level; /* the upstream's, or what DNSSEC makes of it */
	int sock; /* -1 */

	char in[TALK_REPLY_MAX]; /* what it said and nobody has heard yet */
	size_t n;
	char reply[TALK_REPLY_MAX]; /* the last one, all lines, with its NUL */
	struct buf tlsa; /* packed: the records that it is held to */
	char base[256];  /* ... whose they are */
	struct tls_client *client;
	struct tls_memory memory;
	struct tls *tls;  /* NULL: in clear */
	char secret[160]; /* protocol and cipher */
	struct error why; /* what the last -1 was */
};

/* Connect. A PROXY header of somebody is sent where the identity is one. */
int talk_dial(struct talk *, const char *somebody);
/* The reply's code, or -1. What came behind it waits: it may be the answer to
 * something that was no question. */
int talk_hear(struct talk *);
/* Say a line, with its end, and hear. */
int talk_say(struct talk *, const char *fmt, const char *arg);
/* The handshake, from the next byte on; -1: there is none. */
int talk_secure(struct talk *);
/* Whoever it is: whom the level wants? NULL, or why not. */
const char *talk_check(struct talk *);
void talk_end(struct talk *);

#endif
