/*
 * upstream_inside - what a connection to a next hop is made of, for the files
 * that are upstream: upstream.c (its life, sending, replies), upstream_say.c
 * (what it is told), upstream_dial.c (until it is READY; TLS in
 * upstream_tls.c, DANE in upstream_dane.c),
 * upstream_again.c (a mail's first commands once more), upstream_sure.c (is it
 * the answer to the message?), upstream_end.c (the ways it ends), kept.c
 * (between two clients).
 *
 * What was asked stands in `expected`, one byte a command, in order: WANTED
 * CONTINUED and SECRET replies are the owner's, the others are dealt with by
 * upstream. Without PIPELINING commands wait in `queue` until the one before is
 * answered.
 */
#ifndef SMTP_UPSTREAM_INSIDE_H
#define SMTP_UPSTREAM_INSIDE_H

#include "mail/transaction.h"
#include "smtp/body.h"
#include "smtp/source.h"
#include "smtp/resolve.h"
#include "smtp/upstream.h"
#include "smtp/wire.h"

struct dns_ask;

#define UPSTREAM_MAGIC 0x75707374u

enum step {
	STEP_NONE,
	STEP_TLSA, /* what DNSSEC says of the server */
	STEP_BANNER,
	STEP_EHLO,
	STEP_HELO,
	STEP_STARTTLS,
	STEP_HANDSHAKE, /* of TLS */
	STEP_XCLIENT,
	STEP_AGAIN, /* EHLO after XCLIENT: the next hop forgot everything */
	STEP_READY
};

enum expected {
	WANTED = 'w',
	CONTINUED = 'c', /* wanted, and it may ask for more (3xx) */
	SECRET = 'a', /* CONTINUED, and a login: nothing of it is logged */
	SKIPPED = 's',
	IDENTITY = 'i',
	RESET = 'r'
};

/*
 * What a connection that served mails before was told of this one, as long as
 * it has answered none of it. It may have been closed meanwhile, and the news
 * cross our MAIL: then another one is dialled and told the same.
 */
struct again {
	bool on;           /* commands go into .lines first */
	bool dialling;     /* ... and stay there: the other one is not READY */
	struct buf lines;  /* whole commands */
	struct buf kinds;  /* enum expected, one for each */
	size_t passed;     /* of lines: in the queue too */
	struct keywords promised; /* those the commands were made for */
};

/* What DNSSEC says of the server at hand. */
struct dane {
	struct dns_ask *ask;   /* under way: STEP_TLSA */
	/* ... and what its answer tells. False: there is none to be had. */
	bool (*read)(struct upstream *, const struct dns_ask *,
	    const struct pn_dns *);
	enum tls_level level;  /* what its TLSA records make of TLS_DANE */
	struct buf records;    /* those that can be used, packed */
	char *base;            /* the name whose they are: its own, or where
				  its CNAMEs end */
	char *domain;          /* its MX led to it, and where the domain's
				  CNAMEs end; NULL: none did */
	bool by_anybody;       /* ... which nobody signed */
};

struct upstream {
	uint32_t magic;
	struct upstream_conf conf;
	struct wire wire;
	enum upstream_at at;
	enum step step;
	const struct client *client; /* borrowed until READY, and while .again is on */
	struct pn_str helo;
	char id[TRANSACTION_ID_MAX]; /* for the log: whose mail it is */
	bool identity;
	struct source source;        /* whom it was dialled for */
	struct resolve *resolve;     /* names of servers, while dialling */
	char *domain;                /* of the recipients; or NULL */
	struct plan plan;            /* servers that are left while dialling */
	struct server *server;       /* the one at hand */
	bool wants_kept;             /* once it is known whom MX names */
	bool without_tls;            /* its handshake had failed, and it may */
	struct dane dane;
	uint64_t dialled_ms;         /* it, */
	uint64_t give_up_ms;         /* and when no other is tried any more */
	struct keywords keywords;    /* of this connection */
	struct buf queue;    /* commands not handed to the wire */
	struct buf expected; /* enum expected, one for each command */
	unsigned outstanding; /* of them: sent, not answered */
	bool ended;          /* the peer closed; .in may hold its last words */
	bool holding;
	unsigned noops;
	bool binary;         /* the mail under way is: no DATA */
	bool chunked;        /* its message goes as one chunk */
	bool engaged;        /* AUTH was said: it serves nobody else, ever */
	bool challenged;     /* 334: what comes next is read as a response */
	bool writing;        /* a body */
	bool body_sent;      /* ... all of the last one */
	bool out_of_step;    /* answered before the body was all written */
	bool doubtful;       /* it refused one: perhaps before it had read it */
	enum { SURE_NOT, SURE_ASKED, SURE_YES } sure; /* upstream_sure.c */
	struct body body;
	struct reply failure;
	struct buf no;       /* ... its text, when it is the server's own */
	bool wake_due;

	struct buf told;     /* the name it heard in EHLO */
	struct buf named;    /* ... and by DNS's names, its client */
	unsigned mails;      /* that it heard of */
	unsigned junk;       /* commands that led to no mail, less one a mail */
	bool open;           /* it is in the midst of one */
	bool ending;         /* ... the reply to the message is due */
	bool refused;        /* it said 4xx or 5xx: nobody else's from now on */
	bool at_rest;        /* nothing was asked for a while */
	bool handed_on;      /* it was kept once */
	bool unasked;        /* XCLIENT was said before EHLO */
	bool renewing;       /* kept, and introduced to another client */
	bool looking;        /* dialled for no mail: a probe, or to be kept */
	struct again again;
	TAILQ_ENTRY(upstream) next; /* on its server's list: */
	bool kept;           /* nobody's now, */
	bool old;            /* ... and nobody wanted it at once */
};

/* ---- asking (upstream.c) ---- */

/* Wait for what comes next, as long as the step at hand allows. */
void upstream_arm(struct upstream *);
/* A reply of this kind is due, in its turn. */
void upstream_expect(struct upstream *, enum expected);
/* The end of a command (or all of it), and its reply is due. */
void upstream_command(struct upstream *, enum expected, const char *text);
/* Send what may be sent. The connection may have failed afterwards. */
void upstream_pump(struct upstream *);
/* The next reply and what it belongs to; false: none yet, or FAILED. */
bool upstream_next_reply(struct upstream *, struct reply_lines *,
    enum expected *);
/* Whose mail it is, for the log. */
void upstream_set_id(struct upstream *, const char *id);
/* May another client have it? */
bool upstream_may_serve(const struct upstream *);
/* Where commands are put together. */
struct buf *upstream_lines(struct upstream *);
/* It said more than it was asked: what it says next may be the answer to what
 * was asked before. */
bool upstream_is_ahead(const struct upstream *);
/* The owner's callback: something happened on the wire. */
void upstream_on_wire(int fd, short what, void *arg);

/* ---- the message under way (upstream_say.c) ---- */

/* More of it, as far as the wire takes it. */
void upstream_write_body(struct upstream *);

/* ---- the answer to a chunk (upstream_sure.c) ---- */

/* A message is sent. */
void sure_begin(struct upstream *);
/* May its replies be taken? False: more has to come first. */
bool sure_of_replies(struct upstream *);

/* ---- dialling (upstream_dial.c) ---- */

/* Go on with the steps while replies are there. */
void upstream_dial_on(struct upstream *);
/* The next server of the plan. False: there is none, or no time for it. */
bool upstream_dial_next(struct upstream *);
/* For the client at hand: from the first server that may be tried. */
void upstream_dial_anew(struct upstream *);
/* This server: DIALLING, or FAILED at once. */
void upstream_dial_server(struct upstream *, struct server *);
/* ... of which all is known that must be known before. */
void upstream_connect(struct upstream *);
/* Connected: it greets. */
void upstream_await_banner(struct upstream *);
/* "EHLO", or "LHLO" to one that speaks LMTP. */
const char *upstream_hello_verb(const struct upstream *);
void upstream_say_ehlo(struct upstream *);
/* Greeted, and TLS was dealt with: hand on who the client is. */
void upstream_identify(struct upstream *);

/* ---- once more (upstream_again.c) ---- */

/* A mail begins: remember its commands, if that may be of use. */
void again_begin(struct upstream *, const struct client *);
/* As upstream_expect(), of a command that may be told again. */
void again_expect(struct upstream *, enum expected);
/* The lines so far go on into the queue. */
void again_pass(struct upstream *);
/* It answered. */
void again_end(struct upstream *);
/* The connection is of no use: dial another one. False: it was the mail's
 * own. */
bool again_dial(struct upstream *);
/* The other one is READY: tell it. */
void again_tell(struct upstream *);

/* ---- TLS (upstream_tls.c) ---- */

void upstream_tls_after_ehlo(struct upstream *);
/* STARTTLS was. */
void upstream_tls_answered(struct upstream *, const struct reply_lines *);
void upstream_tls_begin(struct upstream *);
/* The wire says that the handshake ended. */
void upstream_tls_ended(struct upstream *);

/* "mx.example.com": what it is called in the configuration, or by DNS. */
const char *upstream_tls_host(const struct upstream *, char *out, size_t size);
/* FAILED: an operator must act, or somebody is between us. */
void upstream_fail_tls(struct upstream *, const char *status, const char *why);

/* ---- DANE (upstream_dane.c) ---- */

/* upstream_connect() follows, or FAILED; either may be at once. */
void upstream_dane_ask(struct upstream *);
void upstream_dane_cancel(struct upstream *);
void upstream_dane_fini(struct upstream *);
/* Its servers were found so. */
void upstream_dane_found(struct upstream *, const struct resolved *);
/* The name for the handshake: whose records bind us, or NULL. */
const char *upstream_dane_base(const struct upstream *);
/* Before the handshake. */
void upstream_dane_apply(struct upstream *, struct tls *);

/* ---- ends (upstream_end.c): the owner is to be woken ---- */

/* Closed, and nothing is due any more. */
void upstream_hang_up(struct upstream *);
/* Its failure is worth a line: a mail's, or the first of a server that was
 * well. The others are the server's own (outage.h). */
bool upstream_is_news(const struct upstream *);
/* FAILED, with this reply: there is nobody to dial. */
void upstream_fail_nobody(struct upstream *, const struct reply *);
/* FAILED: 451 with this status and text for the client, why for the log. */
void upstream_fail(struct upstream *, const char *status, struct pn_str text,
    const char *why);
void upstream_fail_dial(struct upstream *, const char *why);
/* FAILED, with what it says to this client, word for word. */
void upstream_fail_client(struct upstream *, const struct reply_lines *);
void upstream_fail_lost(struct upstream *, const char *why);
/* The channel for the client's identity is missing, or r refused it. */
void upstream_fail_identity(struct upstream *, const char *what,
    const struct reply_lines *r);
/* As it fits: still dialling, or lost. */
void upstream_fail_anyhow(struct upstream *, const char *why);

#endif
