/*
 * upstream - SMTP towards a next hop: one connection, dialled when needed,
 * with the client's identity handed on. RFC 5321, 2920; XCLIENT, XFORWARD.
 *
 * Made and freed by a session, a release or a probe, which hears through
 * wake() that something happened and then asks: upstream_at(),
 * upstream_take(). Nothing here calls wake() from within a call; wake() may
 * free the upstream. Replies come in the order of the commands; those to
 * RSET, NOOP and XFORWARD are dealt with here.
 */
#ifndef SMTP_UPSTREAM_H
#define SMTP_UPSTREAM_H

#include "base/loop.h"
#include "mail/edits.h"
#include "mail/envelope.h"
#include "mail/spool.h"
#include "smtp/hop.h"
#include "smtp/reply.h"
#include "smtp/smtp.h"

struct upstream;

enum upstream_at {
	UPSTREAM_DOWN,     /* never dialled, or closed while nothing was asked */
	UPSTREAM_DIALLING,
	UPSTREAM_READY,
	UPSTREAM_FAILED
};

struct upstream_conf {
	struct loop *loop;
	struct hop *hop;
	const char *hostname;
	uint64_t hold_noop_ms;
	void (*wake)(void *);
	void *arg;
};

struct upstream *upstream_new(const struct upstream_conf *);
/* With QUIT when nothing is outstanding, else by closing. NULL is fine. */
void upstream_free(struct upstream *);
/*
 * A connection for this client's mail: one that was kept (kept.h), READY or
 * soon, or a new one that dials as upstream_dial() does. Never NULL; freed by
 * upstream_free() or kept_give(). domain: as for upstream_set_domain().
 */
struct upstream *upstream_get(const struct upstream_conf *, const char *domain,
    const struct client *, struct pn_str helo, const char *id);

/* What EHLO says: the client's name; our own to servers of others (mx), and where
 * he has not said his (`dial connect`), or nobody told us. Borrowed of either. */
struct pn_str upstream_name(const struct upstream_conf *, const struct client *);

/*
 * Connect, greet, hand on the identity: with the first server of the hop's plan
 * that can be dialled. client and helo (what EHLO says) are
 * borrowed until READY or FAILED; id is for the log. A connection that is there is
 * closed first.
 */
void upstream_dial(struct upstream *, const struct client *, struct pn_str helo,
    const char *id);
/* The recipients' domain, where the hop goes by it: for the next dial. */
void upstream_set_domain(struct upstream *, const char *);
bool upstream_has_domain(const struct upstream *, const char *);
/* This server alone, and greet only: a probe. */
void upstream_probe(struct upstream *, struct server *, struct pn_str helo);
/* The one that is spoken to, or was last; NULL: never dialled. */
const struct server *upstream_server(const struct upstream *);
/* It may carry this client's mail, as far as his identity goes. */
bool upstream_is_for(const struct upstream *, const struct client *);
enum upstream_at upstream_at(const struct upstream *);
/* What the client hears where it is not READY: why it FAILED, else that the
 * connection was lost. */
const struct reply *upstream_failure(const struct upstream *);
/* Of no more use for this client than for others, or for anybody, or asked
 * nothing for a while: to be given back. NULL is fine. */
bool upstream_at_rest(const struct upstream *);

/*
 * Put a command behind those that wait; upstream_flush() sends. MAIL is
 * preceded by XFORWARD where that is the identity (client, id and local as
 * they are now). False: this connection lacks a keyword that the parameters
 * need (451 4.3.0), nothing was queued.
 */
bool upstream_mail(struct upstream *, const struct envelope *,
    const struct client *, const char *id, bool local);
bool upstream_rcpt(struct upstream *, const struct rcpt *);
/*
 * May this message come? DATA; or, for one that goes as a chunk (BDAT), NOOP:
 * is it still there? For a message once begun is never sent again.
 */
void upstream_data(struct upstream *, struct spool *,
    const struct edit_ranges *);
/* The answer to that is yes: upstream_body(). Or no, in words of its own that
 * are about this message. */
bool upstream_goes_ahead(const struct upstream *, uint16_t code);
bool upstream_refuses_message(const struct upstream *, uint16_t code);
/* The mail is over: RSET, or QUIT where there were too many of those. */
void upstream_rset(struct upstream *);
/* RSET, for another envelope on this connection, which is READY. */
void upstream_forget(struct upstream *);
/*
 * A line of AUTH: the command, then what the client says to each 334. Never
 * logged. From the first on the connection is engaged: it serves this session
 * alone and is not kept for another.
 */
void upstream_auth(struct upstream *, struct pn_str line);
/* Some other command, as the client wrote it. */
void upstream_command_line(struct upstream *, struct pn_str line);
/* EHLO once more, by another name; upstream_hello_taken() reads the keywords
 * of its reply. helo is borrowed for as long as the connection lives. */
void upstream_hello(struct upstream *, struct pn_str helo);
void upstream_hello_taken(struct upstream *, const struct reply_lines *);
/* What it announced on this connection. */
const struct keywords *upstream_keywords(const struct upstream *);
void upstream_flush(struct upstream *);
/* The next reply that was asked for. False: not there yet, or FAILED. */
bool upstream_take(struct upstream *, struct reply_lines *);

/* Send NOOP now and then while a message is held here. */
void upstream_hold(struct upstream *);
/*
 * After its yes: the body, dots stuffed, and its end; or BDAT and the body as
 * it is (RFC 3030 2). Goes on by itself; the reply
 * (under LMTP, one a recipient) is the next to take; it may come before all is
 * written. Borrows both until then. A spool that cannot be read ends in FAILED.
 */
void upstream_body(struct upstream *, struct spool *,
    const struct edit_ranges *, unsigned replies);
/* All of the body and its end is with the kernel: what became of it, only the
 * reply can tell. Stays true when the connection fails. */
bool upstream_body_sent(const struct upstream *);

#endif
