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
	bool header;              /* content, but the header tells it */
	bool keyed, many;
	bool wanted;              /* false: no rule asks for it */
	bool of_thing;            /* "part.x" */
	enum thing thing;         /* which, where of_thing */
	uint32_t module;          /* index into chain.modules; CHAIN_CORE */
	const char *const *words;
	const char *help;
	const char *const *keys;  /* of a keyed one, NULL-terminated; NULL: any */
	bool braces;              /* its names may stand in braces: rules_decl */
};
#define CHAIN_CORE UINT32_MAX /* given by the engine itself (client.ip ...) */

/* What happens when a module has no answer: its facts are unknown and rules
 * say what follows; the mail waits (451); or it goes on as if the module had
 * found nothing. */
enum chain_unavailable { CHAIN_UNKNOWN, CHAIN_TEMPFAIL, CHAIN_ACCEPT };

struct option_key;

struct chain_module {
	const struct pn_filter *filter;
	uint32_t first_fact, n_facts; /* in chain.facts */
	void *settings;           /* in the policy's arena */
	uint64_t timeout_ms;      /* of all it asks in one stage */
	enum chain_unavailable on_unavailable;
	const struct option_key *keys; /* that its keyed facts take: .setup */
	bool builtin;             /* it only reads what rules ask for */
	bool by_engine;           /* it has no hooks: the engine gives its facts */
};
#define CHAIN_TIMEOUT_MS 10000

/* What was wrong with a module's .inspect and one message. */
struct chain_trouble {
	uint32_t module;
	uint32_t dropped; /* facts and calls that were not taken */
	bool failed;      /* it has no answer */
};

struct chain {
	struct chain_module *modules;
	uint32_t n_modules;
	struct chain_fact *facts;
	uint32_t n_facts;
	bool wanted[THINGS];      /* false: no rule counts them */
	/* Facts that lie in the message itself and are served from there: their
	 * index, -1 where no module declares one. */
	int64_t raw, header, text, html, hidden;
};

/* The core facts, in the order of enum core_fact, come first. */
enum core_fact {
	FACT_CLIENT_IP, FACT_CLIENT_NAME, FACT_CLIENT_FCRDNS, FACT_HELO_NAME,
	FACT_HELO_VERB, FACT_TLS_VERSION, FACT_TLS_CIPHER, FACT_TLS_BITS,
	FACT_TLS_SNI, FACT_TLS_CERT_SUBJECT, FACT_TLS_CERT_ISSUER,
	FACT_TLS_CERT_FINGERPRINT, FACT_TLS_CERT_VERIFIED, FACT_LOGIN,
	FACT_LISTENER, FACT_SENDER, FACT_RCPT, FACT_SIZE, FACT_MIME_AMBIGUOUS,
	FACT_INSPECT_FAILED, FACT_NORMALISED, FACT_DIRECTION, FACT_SCORE, FACT_MACRO,
	FACT_CLIENT_EARLY,
	CORE_FACTS
};

/*
 * All in the arena. A module without settings gets its presets, one with
 * settings has been set up (mail/option). -1 and *e: a module of another ABI,
 * two facts of one name, a fact of an unknown thing, a .inspect fact that is
 * not of stage message. A fact of stage message given by a module with
 * .inspect and no .message hook, or with PN_FACT_INSPECT, is a content fact.
 * All are wanted: who knows the rules says what is not.
 */
int chain_build_from(struct chain *, const struct chain_module *,
    size_t n_modules, struct arena *, struct error *e);
/* The same of modules with their presets. */
int chain_build(struct chain *, const struct pn_filter *const *filters,
    size_t n_filters, struct arena *, struct error *e);
/* What says what to do when it is not ours; the first thing that may be looked
 * at in a module. */
int chain_check_abi(const struct pn_filter *, const char *name,
    struct error *e);
/* A word that can name a fact or a module. */
bool chain_is_name(struct pn_str);
/* Index by name, or -1. */
int64_t chain_find(const struct chain *, const char *name);

#endif
