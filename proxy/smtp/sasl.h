/*
 * sasl - what can be seen of a login while it passes by: who logs in, where
 * the mechanism shows it, and whether a security layer is being chosen, which
 * would lock us out. Nothing is checked here but that a line is base64: the
 * next hop alone knows passwords. RFC 4422, 4954; PLAIN 4616, CRAM-MD5 2195,
 * DIGEST-MD5 2831, SCRAM 5802, OAUTHBEARER 7628.
 *
 * The name is the one whose secret is checked (authcid), never the one it
 * wishes to act as (authzid): not every server looks at the latter.
 *
 * Called by auth, and by ehlo for what may be offered; pure. What was decoded is wiped before it returns.
 */
#ifndef SMTP_SASL_H
#define SMTP_SASL_H

#include <stdbool.h>

#include "filters/pn_str.h"

#define SASL_MECHANISM_MAX 20 /* RFC 4422 3.1 */
#define SASL_LOGIN_MAX 255    /* RFC 4616 2 */

struct sasl {
	char mechanism[SASL_MECHANISM_MAX + 1]; /* in upper case */
	unsigned seen;                    /* lines of the client's */
	char login[SASL_LOGIN_MAX + 1];   /* "" not known (yet) */
	bool missed_binding; /* it could have bound itself to the TLS, and
				saw no mechanism that does (RFC 5802 6: y) */
};

enum sasl_line {
	SASL_PASSES,
	SASL_NOT_BASE64,
	SASL_LAYER /* with a security layer nobody between could read on */
};

/* False: this is no name of a mechanism. */
bool sasl_init(struct sasl *, struct pn_str mechanism);
/* A line of the client's, the initial response too. */
enum sasl_line sasl_client(struct sasl *, struct pn_str base64);
/* Who logged in: "[GSSAPI]" where the mechanism does not show it. */
struct pn_str sasl_login(struct sasl *);

/*
 * Can it be relayed at all? Not what leans on our own connection: EXTERNAL
 * would log in postern's certificate, and what ends in -PLUS is bound to the
 * TLS of one hop (RFC 5929).
 */
bool sasl_can_pass(struct pn_str mechanism);
/* Is it one of those, ...-PLUS? */
bool sasl_binds(struct pn_str mechanism);

#endif
