/*
 * envelope - who sends to whom, with every ESMTP parameter as it came.
 *
 * Filled by a door, kept in the mail's arena; packed flat for the keeper and
 * unpacked again at release. RFC 5321 3.3, RFC 3461 (DSN).
 */
#ifndef MAIL_ENVELOPE_H
#define MAIL_ENVELOPE_H

#include <stdbool.h>
#include <sys/queue.h>

#include "base/arena.h"
#include "base/pack.h"
#include "mail/reply.h"

struct rcpt {
	TAILQ_ENTRY(rcpt) next;
	struct pn_str path;    /* as written between < and >, "ada@example.com" */
	struct pn_str address; /* without source route */
	struct pn_str local;   /* unquoted local part */
	struct pn_str domain;  /* "" for <postmaster> */
	struct pn_str params;  /* "NOTIFY=NEVER ORCPT=..." as written, or "" */
	bool accepted;         /* the next hop (and the rules) said 2xx */
	uint16_t code;         /* what the client was answered; 0: not yet */
	unsigned policy;       /* the engine's: which one its rules are */
	bool added;            /* by a rule: the next hop has not heard of it */
	bool quiet;            /* ... nor the sender, who shall hear nothing */
};
TAILQ_HEAD(rcpts, rcpt);

struct envelope {
	bool has_sender;       /* MAIL was accepted; <> is a sender too */
	struct pn_str path;    /* reverse-path as written between < and > */
	struct pn_str address; /* without source route; "" is <> */
	struct pn_str local;
	struct pn_str domain;
	struct pn_str params;  /* "SIZE=100 BODY=8BITMIME ..." as written */
	struct rcpts rcpts;    /* in the order they came, refused ones too */
	unsigned n_accepted;
};

/* Who talks to us, or to the MTA that says so (identity from). */
struct client {
	struct pn_str ip;       /* "192.0.2.1", "2001:db8::1"; textual, canonical */
	uint16_t port;
	enum client_name_state {
		CLIENT_NAME_UNASKED,
		CLIENT_NAME_OK,         /* PTR whose A/AAAA leads back */
		CLIENT_NAME_NONE,       /* no PTR, or it does not lead back */
		CLIENT_NAME_TEMPORARY   /* DNS did not answer */
	} name_state;
	enum client_early {
		CLIENT_EARLY_UNTESTED,
		CLIENT_EARLY_NO,
		CLIENT_EARLY_YES        /* it talked before the greeting */
	} early;
	struct pn_str name;         /* when OK, else "" */
	struct pn_str reverse_name; /* PTR, confirmed or not; "" none */
	struct pn_str helo;
	struct pn_str helo_verb;    /* "HELO", "EHLO" */
	struct pn_str tls_version;  /* "" in clear */
	struct pn_str tls_cipher;
	unsigned tls_bits;          /* of the cipher; 0 unknown */
	struct pn_str tls_sni;      /* the name it asked for; "" none */
	struct pn_str tls_subject;  /* of its certificate; "" it showed none */
	struct pn_str tls_issuer;
	struct pn_str tls_fingerprint; /* SHA-256 in hex */
	enum client_cert {
		CLIENT_CERT_UNTOLD,     /* by an MTA; or there is none */
		CLIENT_CERT_UNVERIFIED,
		CLIENT_CERT_VERIFIED    /* by our CAs, or the MTA's */
	} tls_verified;
	struct pn_str login;        /* "" not logged in */
	struct pn_str login_type;   /* a SASL mechanism, or "XCLIENT"; "" not
				       known. Not packed. */
	struct pn_str listener;     /* as configured, "*:25" */
	struct pn_str to_ip;        /* ours that it connected to; "" not asked
				       for. Not packed: it is of now alone. */
	uint16_t to_port;
};

void envelope_init(struct envelope *);
/* Borrowed: as whom, and how. Both "": as nobody. */
void client_log_in(struct client *, struct pn_str login, struct pn_str type);
/* All its texts too; -1 at the arena's cap. */
int client_copy(struct client *, const struct client *from, struct arena *);
/* A zeroed rcpt at the end of the list; NULL at the arena's cap. */
struct rcpt *envelope_add_rcpt(struct envelope *, struct arena *);
/* One that a rule named: added and accepted. NULL: as above, or no address. */
struct rcpt *envelope_add_address(struct envelope *, struct arena *,
    struct pn_str address);
/* Another sender: "" is <>, and what AUTH= said of the old one (RFC 4954 5)
 * goes. -1: as above. */
int envelope_set_sender(struct envelope *, struct arena *,
    struct pn_str address);
/* Sender and accepted recipients of `from`, for rules to change. -1: cap. */
int envelope_copy(struct envelope *, const struct envelope *from,
    struct arena *);
/* The first recipient that was accepted, or the next behind that one; NULL:
 * there is none. */
const struct rcpt *envelope_next_accepted(const struct envelope *,
    const struct rcpt *behind);
/* Takes it off the list; it counts no more. */
void envelope_remove_rcpt(struct envelope *, struct rcpt *);
/* Accepted recipients only: what travels to the keeper and comes back. */
void envelope_pack(const struct envelope *, struct buf *);
void client_pack(const struct client *, struct buf *);
/* Strings point into the message. False when it cannot be or arena is full. */
bool envelope_unpack(struct envelope *, struct unpack *, struct arena *);
bool client_unpack(struct client *, struct unpack *);

#endif
