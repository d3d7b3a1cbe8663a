/*
 * milters - milters of other people, asked for mail of the smtp door: what
 * postern.conf says of each (`milter NAME { ... }`), and how the chain knows
 * it: a module without hooks whose facts the engine gives.
 *
 * Compiled by the master, inherited, read-only; asked by a worker's engine, in
 * the order of the file.
 */
#ifndef ENGINE_MILTERS_H
#define ENGINE_MILTERS_H

#include "base/arena.h"
#include "engine/milter_packet.h"
#include "mail/chain.h"
#include "mail/option.h"

/* What of a milter's answers has an effect; facts they are always. */
enum milter_obey {
	MILTER_OBEY_YES,
	MILTER_OBEY_NO,
	MILTER_OBEY_EDITS /* its changes, not its refusals */
};

struct milter_peer {
	const char *name;
	const struct pn_service *server;
	uint64_t connect_timeout_ms, command_timeout_ms;
	uint64_t content_timeout_ms; /* of each answer from the header on */
	unsigned on_unavailable;     /* enum chain_unavailable */
	unsigned obey;               /* enum milter_obey */
	unsigned protocol;           /* the highest version to speak */
	bool reuse;                  /* of connections, for other sessions */
	const char *const *macros[MILTER_LISTS]; /* NULL-terminated names; NULL:
						    as Postfix */
	const char *when;   /* as written, or NULL */
	bool has_condition; /* it is compiled */
	unsigned condition; /* rules_condition() */
	uint32_t module;    /* its place in the chain */
};

/* Stage of each: rcpt, then message. In this order in the chain. */
enum milter_fact {
	MILTER_FACT_EARLY_ACTION,
	MILTER_FACT_ACTION,
	MILTER_FACT_REPLY,
	MILTER_FACT_CODE,
	MILTER_FACT_CHANGED,
	MILTER_FACT_HEADER,
	MILTER_FACT_QUARANTINE,
	MILTER_FACTS
};

/* Words of the two actions, by enum milter_action and "quarantine". */
extern const char *const milter_actions[];

/* Of the chain, for the block so called: "milter.NAME". In the arena; NULL: it
 * is full. */
const struct pn_filter *milter_filter(const char *name, struct arena *);

#define MILTER_MACROS_MAX 64 /* of one list; what a milter names beyond is not
				told */
/* Is it one that we know a value for? And all of these, without braces; "" ends
 * them. */
struct pn_str milter_macros_nth(size_t);
bool milter_macros_known(struct pn_str name);

#endif
