/*
 * transaction - one message from its first command to its verdict.
 *
 * Made by a door (smtp/session, milter/, cli scan), which owns it and its
 * wake(); the engine borrows it between engine_run() and DONE. Everything in
 * it hangs on its arena. One thread at a time.
 */
#ifndef MAIL_TRANSACTION_H
#define MAIL_TRANSACTION_H

#include "base/arena.h"
#include "base/buf.h"
#include "mail/edits.h"
#include "mail/envelope.h"
#include "mail/facts.h"
#include "mail/spool.h"
#include "mail/stage.h"
#include "mail/verdict.h"

#define TRANSACTION_MAGIC 0x74726e31u
#define TRANSACTION_ID_MAX 24
#define TRANSACTION_ARENA_MAX (8u << 20)

struct engine_run;
struct engine_past;
struct engine_session;

/* Who takes the message from the client: we (the proxy), or an MTA that asks
 * us (the milter). */
enum door { DOOR_SMTP, DOOR_MILTER };

/* What an MTA tells of itself, the client and the mail, by its name for it
 * without braces: "auth_type", "i". */
struct macro {
	STAILQ_ENTRY(macro) next;
	struct pn_str name, value;
};
STAILQ_HEAD(macros, macro);

struct transaction {
	uint32_t magic;
	char id[TRANSACTION_ID_MAX]; /* unique for ever, sorts by time */
	enum door door;
	struct arena *arena;
	struct client client;
	struct envelope envelope;
	struct rcpt *rcpt;     /* the one STAGE_RCPT is about */
	struct spool *spool;   /* NULL before DATA; owned; as the client sent it */
	struct spool *changed; /* as others' milters left it, or NULL; owned */
	bool normalised;       /* a CR or LF stood alone and became CRLF: spool is
				  not to the octet what the client sent */
	bool partial;          /* spool has not all of it, for nothing could come
				  of the rest: it can be held by nobody */
	struct pn_str queue_id; /* what the MTA calls it; "" in the proxy */
	struct macros macros;  /* what the MTA told; empty in the proxy */
	struct facts facts;
	struct verdict verdict;      /* of all stages so far, for all recipients */
	struct verdict rcpt_verdict; /* of the last STAGE_RCPT: this rcpt alone */
	struct verdict early;  /* of the stage run last: a refusal of `early`
				  rules is given at once, not at RCPT */
	struct verdict would;  /* what shadow rules (or all, where nothing is
				  enforced) would have made of it */
	struct verdict copy;   /* QUARANTINE: the keeper gets a copy before the
				  message goes on; class_name, rule say whose */
	uint64_t delay_ms;     /* the reply to the stage run last waits so long */
	int64_t score;
	struct pn_str policy;  /* "sales,default": names of those that judged */
	struct pn_str notes;   /* what rules had to say, "; " between, or "" */
	struct pn_str subject; /* decoded; "" before the message stage */
	struct envelope *onward; /* where it goes when it passes; NULL: to whom
				  it was sent (transaction_onward()) */
	struct pn_str upstream; /* whom the message, or its recipients, was told
				  to when it ended: the block's name, and */
	struct pn_str server;  /* who that was: "192.0.2.1:25"; "" in the milter,
				  and where nobody was */
	struct edits edits;    /* to apply if the verdict lets it pass */
	struct buf trace;      /* JSON: every rule with the values it saw; made
				  at the message stage of all but plain accepts
				  (engine_trace() makes it for any) */
	const struct fact_given *instead; /* [n_instead]: what a try says, in
				  the place of what is known (not chained) */
	size_t n_instead;
	struct engine_session *session; /* the engine's: what outlives a mail */
	struct engine_past *past; /* the engine's, in the arena: finished stages */
	struct engine_run *run; /* the engine's; NULL when it holds nothing */

	/* Called by the engine, from the loop, after it had returned PENDING. */
	void (*wake)(struct transaction *);
	void *owner;           /* the door's */
};

/* Prefix of ids: base32 of time, worker, counter. worker < 1024. */
void transaction_new_id(char out[TRANSACTION_ID_MAX], unsigned worker);
/*
 * What goes on to the next hop, before edits: `changed` or `spool`. Whoever
 * writes an outgoing message writes this one; what is kept for release, and
 * what the inspector reads, is the spool.
 */
struct spool *transaction_message(const struct transaction *);
/* The MTA tells a macro, anew or for the first time. Copied; -1 at the
 * arena's cap. */
int transaction_set_macro(struct transaction *, struct pn_str name,
    struct pn_str value);
/* NULL: it was not told. */
const struct macro *transaction_macro(const struct transaction *,
    struct pn_str name);
/* Zeroed but for arena, lists and magic. The caller sets client, id, wake. */
struct transaction *transaction_new(void);
/* Sender and recipients for the next hop: rules may have changed these. */
const struct envelope *transaction_onward(const struct transaction *);
/* Is its sender another one than the client's? */
bool transaction_sender_changed(const struct transaction *);
/* The engine must not hold it (engine_cancel first). Frees spools and arena. */
void transaction_free(struct transaction *);

#endif
