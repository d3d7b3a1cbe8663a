/*
 * address - RFC 5321 paths and ESMTP parameters, as MAIL and RCPT carry them.
 *
 * Called by the doors, by release and by tests; owns nothing: results point
 * into the command line, only what was quoted is made in the arena.
 * RFC 5321 4.1.2 (paths), 4.1.3 (literals), RFC 6531 3.3 (UTF-8), RFC 1870,
 * 6152, 3461, 4954 (parameters).
 */
#ifndef MAIL_ADDRESS_H
#define MAIL_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"

struct address {
	struct pn_str path;    /* between < and >, as written */
	struct pn_str address; /* without the source route, quoted only where it
				  must be; "" is <> */
	struct pn_str local;   /* unquoted, escapes resolved */
	struct pn_str domain;  /* as written, "[192.0.2.1]" too; "" for <> and
				  <postmaster> */
	bool utf8;             /* some byte is over 127: needs SMTPUTF8 */
};

enum address_result {
	ADDRESS_OK,
	ADDRESS_BAD,    /* not a path */
	ADDRESS_NO_ROOM /* the arena is at its cap */
};

/*
 * Parse a path at the start of in: <...>, or without brackets up to the next
 * blank, as many devices send it. rest is what follows, blanks skipped.
 * <> is a path here; a caller that reads a forward-path refuses it.
 */
enum address_result address_parse_path(struct pn_str in, struct arena *,
    struct address *out, struct pn_str *rest);

/* Parameters, and what each needs of the next hop. */
enum param {
	PARAM_SIZE = 1 << 0,
	PARAM_BODY = 1 << 1,
	PARAM_SMTPUTF8 = 1 << 2,
	PARAM_RET = 1 << 3,
	PARAM_ENVID = 1 << 4,
	PARAM_NOTIFY = 1 << 5,
	PARAM_ORCPT = 1 << 6,
	PARAM_AUTH = 1 << 7
};
#define PARAM_OF_MAIL                                                          \
	(PARAM_SIZE | PARAM_BODY | PARAM_SMTPUTF8 | PARAM_RET | PARAM_ENVID |  \
	    PARAM_AUTH)
#define PARAM_OF_RCPT (PARAM_NOTIFY | PARAM_ORCPT)
#define PARAM_OF_DSN (PARAM_RET | PARAM_ENVID | PARAM_NOTIFY | PARAM_ORCPT)

struct params {
	unsigned given;     /* enum param */
	uint64_t size;      /* of SIZE= */
	bool eight_bit;     /* BODY=8BITMIME */
	bool binary;        /* BODY=BINARYMIME (RFC 3030 3) */
	struct pn_str bad;  /* the one that failed */
};

enum params_result {
	PARAMS_OK,
	PARAMS_UNKNOWN, /* not among allowed: 555 5.5.4 */
	PARAMS_BAD      /* value missing, malformed, or given twice: 501 5.5.4 */
};

/* The next blank-separated NAME or NAME=VALUE of *rest; false at the end. */
bool param_next(struct pn_str *rest, struct pn_str *name, struct pn_str *value,
    bool *has_value);
enum params_result params_check(struct pn_str text, unsigned allowed,
    struct params *out);

#endif
