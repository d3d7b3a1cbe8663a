/*
 * conversation - one MTA's session with us: its client, and one mail after
 * the other.
 *
 * Made by the first callback of a connection, freed by the loop when it has
 * opened the last letter. Between stages everything belongs to the thread of
 * libmilter that runs the callback (talk.c, write.c, apply.c); for a stage it
 * is lent to the loop (stages.c, outcome.c), which gives it back. A mail that has
 * ended is posted to the loop and never seen again by a thread.
 */
#ifndef MILTER_CONVERSATION_H
#define MILTER_CONVERSATION_H

#include <libmilter/mfapi.h>

#include "engine/delay.h"
#include "mail/transaction.h"
#include "milter/door.h"

#define CONVERSATION_MAGIC 0x636f6e76u

/* What becomes of the message, once its verdict is there. */
enum outcome {
	OUTCOME_PASS,    /* with its edits */
	OUTCOME_HOLD,    /* the same, into the MTA's own hold queue */
	OUTCOME_DISCARD, /* nothing goes on; the keeper may have it */
	OUTCOME_REFUSE   /* .reply says how */
};

struct mail {
	struct letter letter; /* the mail's end */
	struct conversation *of;
	struct transaction *t;
	/* What the MTA told of this mail; goes to t when t knows what the
	 * connection's transaction knew. */
	struct pn_str login;
	struct macros told;
	bool inherited;       /* it does */
	enum stage next;      /* the next one that t runs: MAIL or later */
	struct rcpt *rcpt;    /* the next one that stage rcpt is run for */
	bool ended_early;     /* an `early` rule refused it; it is recorded */

	uint64_t received;    /* bytes of message */
	bool body;            /* the empty line behind the header is written */
	bool looked, wanted;  /* whether somebody reads what is behind it */
	struct reply fault;   /* why this message cannot be taken; code 0 */
	struct error trouble; /* ... for the log; "" nothing */

	enum outcome outcome;
	struct edit_ops ops;  /* PASS, HOLD: apply.c's */
	bool new_body;
	struct edit_ranges body_ranges;
	struct reply reply;   /* REFUSE */
	uint16_t code;        /* what the client was told; 0: it had no message */
};

struct conversation {
	uint32_t magic;
	struct letter letter; /* a stage, or the end of it all */
	struct turn turn;
	struct milter *milter;
	struct offer offer;   /* what was agreed */
	struct transaction *base; /* the connection and HELO */
	bool named;           /* HELO was said */
	struct mail *mail;    /* NULL between mails */

	/* The loop's. */
	bool counted;
	unsigned n_messages;  /* that passed */
	enum stage next;      /* the next one that base runs: CONNECT or HELO,
				 MAIL: none */
	enum stage until;     /* the one that was lent for */
	struct verdict kept;  /* an `early` refusal of the connection or its
				 name, for HELO and MAIL to be answered with */
	enum stage kept_of;
	struct delay delay;   /* a rule's, before the reply */
	uint64_t waited_ms;   /* for rules, since the MTA had a reply */
	struct keep_ticket *ticket;
	bool copying;         /* ticket: of a copy; the message goes on */
};

/* ---- from libmilter's threads ---- */

/* Lend it for the stages up to this one, and wait. ctx: at the end of a
 * message, to tell the MTA that we are at it; else NULL. */
void stages_lend(struct conversation *, enum stage until, SMFICTX *ctx);
/* The mail, or the conversation, has ended: the loop records it and frees it.
 * Nobody waits. */
void stages_end(struct mail *);
void stages_close(struct conversation *);

/* Bytes of a message into its spool (write.c): by libmilter's thread. */
void write_header(struct mail *, const struct milter *, bool blanks,
    const char *name, const char *value);
void write_body(struct mail *, const struct milter *, const void *p, size_t n);
void write_end(struct mail *, const struct milter *);
void mail_fault(struct mail *, uint16_t code, const char *status,
    const char *text);

/* ---- on the loop ---- */

/* An answer has come, or the conversation: on until the next wait. */
void stages_advance(struct conversation *);
/* The verdict is there: what follows from it (outcome.c). Gives back, at once
 * or when the keeper has spoken. */
void outcome_decide(struct conversation *);

#endif
