/*
 * milter_facts - what milters of others look like to the chain: modules without
 * hooks, made for each block of the configuration. Called by the master.
 */
#include "engine/milters.h"

static const char *const early_words[] = { "continue", "accept", "reject",
	"tempfail", "discard", NULL };
const char *const milter_actions[] = { "continue", "accept", "reject",
	"tempfail", "discard", "quarantine", NULL };

static const struct pn_fact_decl declarations[MILTER_FACTS] = {
	[MILTER_FACT_EARLY_ACTION] = { "early-action", PN_WORD, PN_STAGE_RCPT,
	    "what the milter says of the session, the mail and the recipient, "
	    "before the message", early_words, 0 },
	[MILTER_FACT_ACTION] = { "action", PN_WORD, PN_STAGE_MESSAGE,
	    "what the milter says of the message", milter_actions, 0 },
	[MILTER_FACT_REPLY] = { "reply", PN_STRING, PN_STAGE_MESSAGE,
	    "text of the reply that the milter wants given", NULL, 0 },
	[MILTER_FACT_CODE] = { "code", PN_NUMBER, PN_STAGE_MESSAGE,
	    "its code", NULL, 0 },
	[MILTER_FACT_CHANGED] = { "changed", PN_BOOL, PN_STAGE_MESSAGE,
	    "the milter changes the message or its envelope", NULL, 0 },
	[MILTER_FACT_HEADER] = { "header", PN_STRING, PN_STAGE_MESSAGE,
	    "value that the milter gives this header field", NULL,
	    PN_FACT_KEYED | PN_FACT_MANY },
	[MILTER_FACT_QUARANTINE] = { "quarantine", PN_STRING, PN_STAGE_MESSAGE,
	    "why the milter wants the message held", NULL, 0 },
};

const struct pn_filter *
milter_filter(const char *name, struct arena *a)
{
	struct pn_filter *f = arena_alloc(a, sizeof(*f));
	struct pn_fact_decl *facts =
	    arena_alloc(a, (MILTER_FACTS + 1) * sizeof(*facts));

	if (f == NULL || facts == NULL)
		return NULL;
	for (int i = 0; i < MILTER_FACTS; i++) {
		facts[i] = declarations[i];
		facts[i].name =
		    arena_printf(a, "milter.%s.%s", name, facts[i].name);
		if (facts[i].name == NULL)
			return NULL;
	}
	f->abi = PN_ABI;
	f->name = arena_printf(a, "milter.%s", name);
	f->facts = facts;
	return f->name != NULL ? f : NULL;
}
