/*
 * chain - the filter modules of a generation and the facts they declare.
 *
 * Built by the master (proxy/policy) from struct pn_filter of each module;
 * read-only afterwards. A fact's index here is its name everywhere: in struct
 * facts, on the inspector's wire, in the compiled rules. Shared by the
 * engine (worker hooks) and inspect/host (.inspect); that is why it lives
 * below both.
 */
#ifndef MAIL_CHAIN_H
#define MAIL_CHAIN_H

#include "base/arena.h"
#include "base/error.h"
#include "base/value.h"
#include "filters/filter.h"
#include "mail/facts.h"
#include "mail/stage.h"

struct chain_fact {
	const char *name;
	enum value_type type;
	enum stage stage;
	bool content;             /* given by an .inspect hook */
	bool keyed, many;
	bool of_thing;            /* "part.x" */
	enum thing thing;         /* which, where of_thing */
	uint32_t module;          /* index into chain.modules; CHAIN_CORE */
	const char *const *words;
	const char *help;
};
#define CHAIN_CORE UINT32_MAX /* given by the engine itself (client.ip ...) */

struct chain_module {
	const struct pn_filter *filter;
	void *settings;           /* in the policy's arena */
	uint64_t timeout_ms;
	enum chain_unavailable { CHAIN_UNKNOWN, CHAIN_TEMPFAIL, CHAIN_ACCEPT } on_unavailable;
};

struct chain {
	struct chain_module *modules;
	uint32_t n_modules;
	struct chain_fact *facts;
	uint32_t n_facts;
};

/* The core facts, in the order of enum core_fact, come first. */
enum core_fact {
	FACT_CLIENT_IP, FACT_CLIENT_NAME, FACT_CLIENT_FCRDNS, FACT_HELO_NAME,
	FACT_HELO_VERB, FACT_TLS_VERSION, FACT_TLS_CIPHER, FACT_LOGIN,
	FACT_LISTENER, FACT_SENDER, FACT_RCPT, FACT_SIZE, FACT_MIME_AMBIGUOUS,
	FACT_INSPECT_FAILED, FACT_DIRECTION, CORE_FACTS
};

/*
 * All in the arena. -1 and *e: a module of another ABI, two facts of one
 * name, a fact of an unknown thing, a .inspect fact that is not of stage
 * message. A fact of stage message given by a module with .inspect and no
 * .message hook is a content fact.
 */
int chain_build(struct chain *, const struct pn_filter *const *filters,
    size_t n_filters, struct arena *, struct error *e);
/* Index by name, or -1. */
int64_t chain_find(const struct chain *, const char *name);

#endif
