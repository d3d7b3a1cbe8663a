/*
 * host - the running of .inspect hooks (what they see: pn_view.c): what they
 * give is collected as facts by the chain's index, ready for the answer
 * frame and for the rules' content atoms.
 *
 * Called by the inspector once a message. Everything lies in the view's
 * arena; one process, one thread.
 */
#ifndef INSPECT_HOST_H
#define INSPECT_HOST_H

#include "inspect/view.h"
#include "mail/chain.h"
#include "mail/facts.h"
#include "rules/rules.h"

struct host_result {
	struct fact_of *facts; /* [n_facts] by kind and thing, message last, each in the
				  order given; without raw and header(): those
				  are looked up in the view when asked for */
	uint32_t n_facts;
	struct fact_things things[THINGS];
	unsigned defects;      /* enum pn_defect */
	bool truncated;        /* facts were lost at the arena's cap */
	uint32_t dropped;      /* facts refused: see pn_mail.h */
	struct chain_trouble *troubles; /* of which modules */
	uint32_t n_troubles;
	struct rules_facts ask; /* for rules_inspect(); valid as long as this */
};

/*
 * Run every module's .inspect over the view. A module that answered PN_FAIL
 * has all its content facts unknown. NULL at the arena's cap.
 */
struct host_result *host_run(struct view *, const struct chain *);

#endif
