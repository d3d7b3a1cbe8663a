/*
 * engine - the middle of a message's way: for each stage the modules
 * together, then the rules; at `message` the inspector first. The doors call
 * engine_run() and act on t->verdict; the engine never calls a door but
 * through t->wake().
 *
 * One a worker, on its loop. No threads (the milter door lends).
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "base/loop.h"
#include "inspect/pool.h"
#include "mail/site.h"
#include "mail/transaction.h"
#include "engine/keep.h"
#include "engine/milters.h"
#include "engine/needs.h"

struct engine;

/* Recipients of several policies in one transaction: those of others than the
 * first's are told to come back, or the strictest verdict is for all. */
enum engine_mixed { MIXED_DEFER, MIXED_STRICTEST };

/* Compiled by the master, inherited, read-only. */
struct engine_conf {
	const struct chain *chain;
	const struct rules *rules;
	struct site site;      /* what `direction` compares with */
	struct engine_needs needs;
	const struct milter_peer *milters; /* [n_milters], in file order */
	size_t n_milters;
	bool ask_client_name;  /* a rule or an upstream's identity wants PTR */
	uint64_t dns_timeout_ms; /* 5 s an ask */
	const char *trust_anchor; /* file of the next; NULL: the system's */
	struct pn_str dns_anchors; /* where DNSSEC is trusted from; "": nobody
				      asks for what must be signed */
	const char *dns_server;  /* "127.0.0.1@5353", or NULL: resolv.conf */
	bool enforce;          /* no: everything is accepted, the trace says what
				  would have been done */
	unsigned mixed;        /* enum engine_mixed */
	const char *unavailable_header; /* name of a field that tells which
					   modules had no answer; NULL: none */
	bool log_verdicts;     /* one JSON line in the log each */
	unsigned trace_accept_percent; /* of plain accepts that keep a trace: 1 */
};

/*
 * Borrows all; pools (of the two lanes, or one twice) and keep outlive it. keep may be NULL (scan): a body that
 * breaks the inspector is then held against the message at once. Reads
 * resolv.conf and hosts: call it before the sandbox closes. NULL and *e.
 */
struct engine *engine_new(struct loop *, const struct engine_conf *,
    struct pool *small, struct pool *large, struct keep *, struct error *e);
void engine_free(struct engine *);

enum engine_turn { ENGINE_DONE, ENGINE_PENDING };

/*
 * Run a stage. DONE: t->verdict (and t->rcpt_verdict at STAGE_RCPT) say what
 * is decided so far. PENDING: t->wake(t) will come from the loop; call again
 * with the same stage then. The caller has filled what the stage knows:
 * connect client.ip/port/listener, helo, envelope, t->rcpt, spool.
 *
 * STAGE_CONNECT fills client.name, .reverse_name, .name_state if asked for.
 * STAGE_RCPT: a refusal of connect, helo or mail is in t->verdict already and
 * the door gives it at RCPT. At STAGE_MESSAGE t->edits and t->trace are made.
 * Memory short, chain failed: verdict tempfail with its reply.
 */
enum engine_turn engine_run(struct engine *, struct transaction *, enum stage);
/* The client left, or RSET: drop what is under way. No wake follows. Harmless
 * when nothing is. */
void engine_cancel(struct engine *, struct transaction *);
/* The next transaction of the same session begins: what connect and helo
 * found is copied from `from` (facts, verdict). */
int engine_inherit(struct engine *, struct transaction *to,
    const struct transaction *from);
/*
 * The transaction is over: before it is freed. Conversations with milters hang
 * on the first one of a session; a mail's are given up with the mail, all of
 * them with the transaction that began them (the others must be gone).
 */
void engine_leave(struct engine *, struct transaction *);
/* For the doors' own questions. */
struct dns;
struct dns *engine_dns(struct engine *);
/* One that validates, or NULL: there are no anchors. */
struct dns *engine_secure_dns(struct engine *);
uint64_t engine_dns_timeout_ms(const struct engine *);
/* For the smtp door: ask the milters of the configuration. hostname: what we
 * call ourselves; borrowed. */
void engine_ask_milters(struct engine *, const char *hostname);
/* What a rule's action makes of a message; an edit makes it tagged. */
enum verdict_action engine_action(const struct rules_effect *);
/* Make t->trace now, if it is not made: what was judged so far. */
void engine_trace(struct engine *, struct transaction *);
/* History: one summary into the keeper's next batch. code: what the client
 * was told at the end. Never waits. */
void engine_summarise(struct engine *, struct transaction *, uint16_t code);

#endif
