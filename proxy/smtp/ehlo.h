/*
 * ehlo - the keywords of EHLO: read from a next hop, announced to a client.
 *
 * Hop-by-hop ones are ours, end-to-end ones need both sides, SIZE is the
 * smaller, and whatever we do not carry all the way is hidden. RFC 5321
 * 4.1.1.1, 1870, 1985, 2034, 2920, 3461, 4954, 6152, 6531; Postfix XCLIENT,
 * XFORWARD.
 * Called by session, upstream, hop and route; owns nothing.
 */
#ifndef SMTP_EHLO_H
#define SMTP_EHLO_H

#include "base/buf.h"

/* Attributes of XCLIENT and XFORWARD. */
enum attribute {
	ATTR_NAME = 1 << 0,
	ATTR_ADDR = 1 << 1,
	ATTR_PORT = 1 << 2,
	ATTR_PROTO = 1 << 3,
	ATTR_HELO = 1 << 4,
	ATTR_LOGIN = 1 << 5,
	ATTR_DESTADDR = 1 << 6,
	ATTR_DESTPORT = 1 << 7,
	ATTR_REVERSE_NAME = 1 << 8,
	ATTR_IDENT = 1 << 9,
	ATTR_SOURCE = 1 << 10
};
#define ATTR_OF_BOTH                                                           \
	(ATTR_NAME | ATTR_ADDR | ATTR_PORT | ATTR_PROTO | ATTR_HELO)
#define ATTR_OF_XCLIENT                                                        \
	(ATTR_OF_BOTH | ATTR_LOGIN | ATTR_DESTADDR | ATTR_DESTPORT |           \
	    ATTR_REVERSE_NAME)
#define ATTR_OF_XFORWARD (ATTR_OF_BOTH | ATTR_IDENT | ATTR_SOURCE)

/* Their names, in the order in which they are told and announced. */
#define ATTRIBUTES 11
extern const struct attribute_name {
	struct pn_str name;
	enum attribute bit;
} attribute_names[ATTRIBUTES];

#define EHLO_AUTH_MAX 256 /* a dozen mechanisms; more are not offered */

/* What a next hop announced. */
struct keywords {
	bool known; /* it was asked, and answered */
	bool starttls, pipelining, eight_bit, smtputf8, dsn, status, chunking, etrn;
	bool binary;        /* BINARYMIME, and what it needs beside (RFC 3030) */
	bool has_size;
	uint64_t size;      /* 0: no limit */
	unsigned xclient;   /* attributes; 0: not announced */
	unsigned xforward;
	char auth[EHLO_AUTH_MAX]; /* "PLAIN LOGIN": mechanisms that can pass
				     through us; "" none */
	bool auth_binds; /* and one that cannot, ...-PLUS */
	uint64_t when_ms;   /* loop_now_ms() of the answer */
};

/* The attribute called so, or 0. */
unsigned attribute_of(struct pn_str name);
/* From all lines of a 250 reply to EHLO. */
void keywords_read(struct keywords *, struct pn_str reply);
/* Of several that may be spoken to: *all keeps what this one has, too. The
 * first one makes it. */
void keywords_join(struct keywords *all, const struct keywords *);
/* Is the mechanism among those announced, in any case? */
bool keywords_have_mechanism(const struct keywords *, struct pn_str mechanism);

struct ehlo {
	const char *hostname;
	const struct keywords *next; /* its own when it is a maildir */
	uint64_t size_limit;         /* ours */
	bool starttls;
	bool xclient, xforward;      /* for a listed MTA */
	bool auth;                   /* may AUTH be offered? */
};
/* The smaller of both limits; 0: none. */
uint64_t ehlo_size(const struct ehlo *);
void ehlo_put(struct buf *, const struct ehlo *);

#endif
