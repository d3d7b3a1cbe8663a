/*
 * peer - the client and the mail as an MTA tells of them: arguments of
 * callbacks and values of macros into client and envelope. Pure; called by the
 * callbacks, copies into an arena.
 */
#ifndef MILTER_PEER_H
#define MILTER_PEER_H

#include <sys/socket.h>

#include "base/arena.h"
#include "mail/envelope.h"

/* Of xxfi_connect and its macros; .p NULL: the MTA did not tell. */
struct peer_told {
	struct pn_str hostname;
	const struct sockaddr *addr; /* NULL: no address at all */
	struct pn_str resolve;       /* {client_resolve}: OK FAIL FORGED TEMP */
	struct pn_str ptr;           /* {client_ptr} */
	struct pn_str port;          /* {client_port} */
};

/* ip, port and names. -1 at the arena's cap. */
int peer_client(struct client *, struct arena *, const struct peer_told *);

/* Macros of xxfi_helo, and {v} of xxfi_connect; .p NULL: the MTA did not tell. */
struct peer_tls_told {
	struct pn_str version; /* {tls_version} */
	struct pn_str cipher;  /* {cipher} */
	struct pn_str bits;    /* {cipher_bits} */
	struct pn_str subject; /* {cert_subject} */
	struct pn_str issuer;  /* {cert_issuer} */
	struct pn_str verify;  /* {verify} */
	struct pn_str mta;     /* v */
};

/* All of TLS that is told. -1 at the arena's cap. */
int peer_tls(struct client *, struct arena *, const struct peer_tls_told *);

/*
 * A path, "<ada@example.com>" or without brackets, and its parameters, as the
 * MTA took them. What our own reading of paths would refuse stays the path;
 * whom it means is the MTA's to say, in {mail_addr} or {rcpt_addr}: meant,
 * .p NULL: it does not, and the path is split at its last "@". -1 at the
 * arena's cap.
 */
int peer_sender(struct envelope *, struct arena *, char **argv,
    struct pn_str meant);
/* The rcpt is at the end of the list; NULL at the arena's cap. */
struct rcpt *peer_rcpt(struct envelope *, struct arena *, char **argv,
    struct pn_str meant);

#endif
