/*
 * session - one client from accept to close: RFC 5321 as one state machine.
 *
 * Made by listener, frees itself when it has gone. Owns its connection, its
 * transaction and its upstream. States are named for what is waited for; each
 * is one function that does one thing and says what follows. Callbacks only
 * record what happened and call session_advance(). While an answer is
 * pending the client is not read (half-duplex), so replies keep their order.
 *
 * [PROXY ->] [HANDSHAKE -> | PREGREET ->] GREETING -> COMMAND
 *                       -> TARPIT -> COMMAND
 *                       -> HELO [[-> GREETED] -> HELLO] -> KEYWORDS -> COMMAND
 *                       -> STARTTLS -> HANDSHAKE -> COMMAND
 *                       -> MAIL [-> DIAL] -> COMMAND
 *                       -> RCPT [-> ROUTE [-> ROUTE_DIAL]] -> COMMAND
 *                                                 (queued: ANSWERS -> COMMAND)
 *                       -> CHUNK -> COMMAND     (BDAT; the last one: FINDINGS)
 *                       -> AUTH -> AUTH_ANSWER [-> AUTH_RESPONSE ->]... COMMAND
 *                       -> ETRN -> ETRN_ANSWER -> COMMAND
 *                       -> DATA -> FINDINGS -> KEEPER -> COMMAND
 *                                           -> [REDIAL -> REPEAT ->] GO_AHEAD
 *                                              -> LAST_WORD -> COMMAND
 *                       -> CLOSING
 */
#ifndef SMTP_SESSION_H
#define SMTP_SESSION_H

#include <time.h>

#include "engine/delay.h"
#include "engine/record.h"
#include "mail/transaction.h"
#include "smtp/bdat.h"
#include "smtp/door.h"
#include "smtp/dot.h"
#include "smtp/line.h"
#include "smtp/sasl.h"
#include "smtp/pace.h"
#include "smtp/wire.h"

#define SESSION_MAGIC 0x73657373u

enum turn {
	TURN_AGAIN, /* the (new) state can go on at once */
	TURN_WAIT,  /* an event will call us */
	TURN_GONE   /* the session is freed: touch nothing */
};

enum session_state {
	SESSION_PROXY,     /* the header of a load balancer */
	SESSION_PREGREET,  /* greet_wait, or a client that cannot */
	SESSION_GREETING,  /* the connect stage */
	SESSION_STARTTLS,  /* the 220 to STARTTLS to be sent */
	SESSION_HANDSHAKE, /* TLS */
	SESSION_COMMAND,   /* a command line */
	SESSION_TARPIT,    /* a while, for its errors */
	SESSION_HELO,      /* the helo stage */
	SESSION_KEYWORDS,  /* the first probe of the next hop */
	SESSION_GREETED,   /* the next hop, under `dial connect` */
	SESSION_HELLO,     /* its reply to EHLO: so, or behind a login */
	SESSION_AUTH,      /* the next hop's greeting, to be sent AUTH */
	SESSION_AUTH_ANSWER,   /* its reply to AUTH, or to a response */
	SESSION_AUTH_RESPONSE, /* what the client says to a challenge */
	SESSION_ETRN,      /* the next hop's greeting, to be sent ETRN */
	SESSION_ETRN_ANSWER, /* its reply */
	SESSION_MAIL,      /* the stages up to mail */
	SESSION_DIAL,      /* the next hop's greeting */
	SESSION_RCPT,      /* the rcpt stage */
	SESSION_ROUTE,     /* ... the way of that recipient */
	SESSION_ROUTE_DIAL, /* ... and the greeting of its next hop */
	SESSION_ANSWERS,   /* the next hop's replies to MAIL and RCPT */
	SESSION_DATA,      /* the message */
	SESSION_CHUNK,     /* a chunk of it, or one that is thrown away */
	SESSION_FINDINGS,  /* the message stage */
	SESSION_KEEPER,    /* the keeper's word that it holds a copy */
	SESSION_REDIAL,    /* a second connection: the first one was closed */
	SESSION_REPEAT,    /* its replies to MAIL and RCPT */
	SESSION_GO_AHEAD,  /* 354 from the next hop, or its being there (BDAT) */
	SESSION_LAST_WORD, /* its reply to the message */
	SESSION_CLOSING    /* our last reply to be sent */
};

/* A reply that is due in its turn (RFC 2920: in the order of the commands). */
struct answer {
	STAILQ_ENTRY(answer) next;
	enum { ANSWER_OURS, ANSWER_MAIL, ANSWER_HIDDEN, ANSWER_RCPT } kind;
	struct rcpt *rcpt;
	uint16_t code;
	struct pn_str text; /* ours: all of it */
};
STAILQ_HEAD(answers, answer);

struct session {
	uint32_t magic;
	TAILQ_ENTRY(session) all;
	struct smtp *smtp;
	const struct smtp_listener *listener;
	const struct listener *door; /* it, in this worker */
	struct hop *hop;          /* of a route: this mail's, once it is known */
	struct crowd_hold hold; /* what limits know of it */
	struct tls_server *tls; /* the listener's; NULL: not available */
	struct pace pace;
	bool listed; /* may tell us who its client is */
	unsigned forwarded; /* by XFORWARD: what of the mail at hand's client */
	struct proxied *proxied; /* PROXY: what it says; else NULL */
	struct wire wire;
	struct line line;
	enum session_state state;

	/* Recorded by callbacks. */
	bool readable, timed_out, gone;

	struct transaction *base; /* the connection and HELO */
	struct transaction *t;    /* the mail; NULL between mails */
	bool turned_away;         /* by the banner: only QUIT is left to say */
	bool talks;               /* it was greeted, and has not said QUIT */
	bool greeted;             /* HELO or EHLO was said */
	struct keywords offered;  /* of the next hop, at EHLO */
	enum stage stage;         /* the next one that t runs */
	bool mail;                /* MAIL was taken */
	bool utf8;                /* with SMTPUTF8 */
	bool binary;              /* with BODY=BINARYMIME: BDAT alone, any bytes */
	uint16_t mail_code;       /* what the next hop said to it */
	struct upstream *up;
	struct login *login;      /* AUTH under way (auth.c); NULL none */
	bool logged_in;           /* by AUTH: `up` is where, and no other */
	struct pn_str node;       /* ETRN: of whom */
	struct answers answers;
	struct pn_str held;       /* a line that must wait for the answers */
	enum line_fault held_fault;
	bool has_held;
	enum session_state then;  /* ANSWERS: what follows; mostly COMMAND */
	bool routed;              /* by a route: the mail has its next hop, */
	const char *domain;       /* of its recipients, where that matters */
	bool opened;              /* which has been sent MAIL */
	struct reply_lines mail_refused; /* ... and its no; code 0 none */
	unsigned n_rcpts; /* RCPTs of this mail, refused ones too */
	unsigned errors, junk, messages;
	bool dismissed; /* it heard 421 from a milter: no more commands */
	struct pn_str verb;       /* of the last command; "" none yet */
	struct timespec began;    /* the mail */
	char said[256];           /* the last reply's first line, for the log */
	size_t reply_at;          /* where in wire.out it begins */

	struct dot dot;
	struct chunk chunk;       /* CHUNK: the one at hand */
	bool chunked;             /* the message comes by BDAT, and has begun */
	uint64_t received;        /* bytes of message */
	struct reply fault;       /* why this message cannot be taken; code 0 */
	struct edit_ranges ranges;
	const struct rcpt *repeat; /* REPEAT: whose answer is next; NULL MAIL's */
	bool redialled;
	struct keep_ticket *ticket;
	bool keeper_spoke;
	enum keep_result kept;    /* what it said */
	bool copying;             /* KEEPER: of a copy; the message goes on */
	const struct envelope *rest; /* KEEPER: whom LMTP refused it to */
	char rest_id[TRANSACTION_ID_MAX]; /* ... by which name */
	struct last_words *last_words; /* LMTP: of the next hop (lmtp.c) */
	bool answered_each;       /* LMTP: of the client's recipients */

	struct delay delay;       /* a rule's, before the reply */
	bool lingers;             /* CLOSING: more of it may be on its way */
};

/* Takes fd, which is accepted and non-blocking, and what is held of the crowd. */
void session_new(struct listener *, int fd, const struct sockaddr *,
    const struct crowd_hold *);
/* That is its client: of the connection, or as a PROXY header says. */
void session_set_client(struct session *, const struct sockaddr *);
/* Where that connected to. */
void session_set_listener(struct session *, const struct sockaddr *);
/* May this address tell us who its client is? */
bool session_is_listed(const struct smtp_listener *, const struct sockaddr *);
void session_advance(struct session *);
/* All that is said now goes through TLS (starttls.c). */
bool session_is_secure(const struct session *);
/* 421 now, or at once without a word. For smtp_drain() and smtp_free(). */
void session_drain(struct session *);
void session_free(struct session *);

/* A transaction with nothing in it but its id and us as owner. */
struct transaction *session_transaction(struct session *);
/* XCLIENT: this is the connection's transaction from now on; taken over. */
void session_rebase(struct session *, struct transaction *);

/* Who the client is, is known: the first state of all. */
void session_begin(struct session *);

/* For the states (session, mail, data, chunk, relay, deliver). --------- */

enum turn session_starttls(struct session *);
enum turn session_handshake(struct session *);
/* Has this client to wait for its greeting (pregreet.c)? */
bool pregreet_is_due(const struct session *);
enum turn session_pregreet(struct session *);
enum turn session_tarpit(struct session *);
/* `dial connect` (dial.c): is it so, do it, and what the next hop announced to
 * this client; NULL: it is not there, or it is not so. */
bool dial_is_early(const struct session *);
void dial_begin(struct session *);
enum turn session_greeted(struct session *);
const struct keywords *dial_keywords(const struct session *);
enum turn session_mail(struct session *);
enum turn session_dial(struct session *);
enum turn session_rcpt(struct session *);
enum turn session_route(struct session *);
enum turn session_route_dial(struct session *);
enum turn session_answers(struct session *);
enum turn session_data(struct session *);
enum turn session_chunk(struct session *);
enum turn session_findings(struct session *);
enum turn session_keeper(struct session *);
enum turn session_redial(struct session *);
enum turn session_repeat(struct session *);
enum turn session_go_ahead(struct session *);
enum turn session_last_word(struct session *);

/* A reply: into the batch of answers if there is one, else to be sent. */
void session_say(struct session *, uint16_t code, const char *status,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* 452: at the arena's cap, or the keeper has no room. */
void session_say_no_room(struct session *);
void session_reply(struct session *, const struct reply *);
/* What a verdict on t says, with the mail's reference; 421 ends the session. */
void session_refuse(struct session *, struct transaction *t,
    const struct reply *);
/* An error of the client's? 452 is none: who is told to come back with some of
 * his recipients must not be sent away for having many. */
void session_count(struct session *, uint16_t code);
/* A next hop's reply, word for word. */
void session_pass_on(struct session *, const struct reply_lines *);
/* The last reply is said: send it, then close. */
void session_hang_up(struct session *);
/* Close without a word: the client has gone. Returns TURN_GONE. */
enum turn session_leave(struct session *);
/* Send what is said and wait for the client, or for the next hop. */
enum turn session_wait(struct session *, uint64_t timeout_ms);
enum turn session_wait_elsewhere(struct session *);
/* There is no whole line yet: read on, or the time is over. */
enum turn session_want_line(struct session *);
/* The name this transaction or connection has in the log. */
const char *session_id(const struct session *);

/* The PROXY header of a listed load balancer, before all else (proxied.c). */
struct proxied *proxied_new(struct loop *);
void proxied_free(struct proxied *);
bool proxied_is_listed(const struct smtp_listener *, const struct sockaddr *);
enum turn session_proxied(struct session *);

/* One command line (command.c). */
void command_run(struct session *, struct pn_str line, enum line_fault);
bool command_is_rcpt(struct pn_str line);

/* BDAT: its chunk is read whatever it is answered (chunk.c). */
void bdat_run(struct session *, struct pn_str arg);
void bdat_syntax(struct session *);

/* Mails. A fresh transaction that knows connection and HELO; false: no memory
 * for it, 452 is said. */
bool mail_new(struct session *);
/* Forget the mail. */
void mail_end(struct session *);
/* To whom the mail at hand was told, for whoever writes of it. */
void mail_name_next_hop(struct session *);
/* The upstream, made if there is none, dials: for the mail, or for a command
 * before there is one. */
void mail_dial(struct session *);
/* Is there one, as the client of this mail (or of the command)? What was
 * another client's is left. */
bool mail_is_connected(struct session *);
/* Its connection is for others now, if it may be; or it is of no more use. */
void mail_give_back(struct session *);
void mail_drop(struct session *);
/* MAIL's answer is due, and not the client's. */
void mail_await_hidden(struct session *);
/* To the next hop, or taken here. */
void mail_pass_rcpt(struct session *, struct rcpt *);
/* Refused by this reply; 554 5.7.1, relaying. */
void mail_refuse_rcpt(struct session *, const struct reply *);
void mail_deny_rcpt(struct session *, struct rcpt *);
/* The client's addresses are our own. */
bool mail_is_local(const struct session *);

/* Stages (stage.c). Done: it is run and a rule's delay is over. */
void stage_open(struct session *);
bool stage_done(struct session *, struct transaction *, enum stage);
/* What t->early says, now: in the banner, or to the command at hand. */
void stage_refuse_connection(struct session *);
void stage_refuse(struct session *, struct transaction *);

/* The message, by DATA or BDAT (intake.c). */
void intake_start(struct session *);
/* Why it cannot be taken: the first such word counts, and what comes of the
 * message from here on is thrown away. */
void intake_fault(struct session *, uint16_t code, const char *status,
    const char *text);
/* Of at most max bytes of what was read already, those that are message go to
 * the spool. How many were used. */
size_t intake_pipelined(struct session *, uint64_t max);
/* The same of one recv(). False: the client has gone. */
bool intake_receive(struct session *, uint64_t max, size_t *used);
/* 421: it sends no more of it. */
enum turn intake_timed_out(struct session *);
/* For more of it; timed out when it comes too slowly. */
enum turn intake_wait(struct session *);
/* All of it is here: judge it, or say why not. */
enum turn intake_end(struct session *);
/* The fault is the answer. */
enum turn intake_refuse(struct session *);

/* After the verdict. */
/* To the next hop, or into its maildir. */
void pass_start(struct session *);
void relay_start(struct session *);
/* A recipient that a rule added cannot be served: 451, for all. */
void relay_added_refused(struct session *, struct pn_str why);
/* 452, for all: why is for the log. */
void relay_no_room(struct session *, const char *why);
void deliver_start(struct session *);
bool deliver_takes(const struct session *, const struct rcpt *);
void hold_start(struct session *); /* quarantine */
void copy_start(struct session *); /* quarantine copy; then it goes on */
/* For those whom the next hop refused it to, while others have it. */
void rest_start(struct session *, const struct envelope *);
/* Mail that ends here: a Received field, and only for our own domains. False:
 * it is answered. */
bool deliver_prepare(struct session *);
/* The message is answered (code): log, summarise, forget. */
void mail_done(struct session *, uint16_t code);

/* What engine/record.h logs, as Postfix would say it (shape.c), where
 * `log_style` wants that. */
void shape_connect(const struct session *);
void shape_disconnect(const struct session *);
void shape_tls(const struct session *);
void shape_tls_failed(const struct session *, const char *why);
/* "lost connection", "timeout", "too many errors": after the last command. */
void shape_left(const struct session *, const char *how);
/* A limit by client net: "Connection rate limit exceeded". */
void shape_limit(enum limit, struct pn_str ip, unsigned count);
void shape_hops(const struct session *);
void shape_pregreet(const struct session *, uint64_t after_ms, size_t bytes,
    struct pn_str shown);
/* What the client hears: "550 5.7.1 text". */
void shape_said(struct session *, struct pn_str reply);
void shape_reply(struct session *, const struct reply *);
/* A recipient is refused: by a rule on what, by ourselves, or there. */
enum shape_about { SHAPE_AS_IS, SHAPE_CLIENT, SHAPE_SENDER, SHAPE_RCPT };
void shape_refused(const struct session *, const struct rcpt *,
    enum shape_about, const struct reply *);
void shape_early(const struct session *, const struct transaction *,
    uint16_t code);
void shape_refused_there(const struct session *, const struct rcpt *);
void shape_login_refused(const struct session *, const char *mechanism,
    uint16_t code);
void shape_message(const struct session *, uint16_t code);

#endif
