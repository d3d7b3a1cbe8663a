/*
 * findings - what the worker asks of the inspector and what comes back: the
 * two frames, flat and versioned, and their validation.
 *
 * Facts travel by the chain's index. The worker drops an answer whose index,
 * type, thing or size no declaration allows: the sender may be broken.
 */
#ifndef INSPECT_FINDINGS_H
#define INSPECT_FINDINGS_H

#include "base/pack.h"
#include "mail/chain.h"
#include "mail/facts.h"
#include "rules/rules.h"

enum inspect_type { INSPECT_REQUEST = 1, INSPECT_ANSWER };

#define INSPECT_INLINE_MAX (128 * 1024)
#define FINDINGS_MAX (96 * 1024)   /* bytes of an answer; more is truncated */
#define FINDINGS_VALUE_MAX 512     /* bytes of one value; longer ones are cut */

/* Request body: this, packed, then the message's bytes when inline. */
struct inspect_request {
	bool in_slot;
	uint32_t slot;  /* number of the shared slot */
	uint64_t size;  /* bytes of the message */
};
void inspect_request_pack(const struct inspect_request *, struct buf *);
bool inspect_request_unpack(struct inspect_request *, struct unpack *);

struct findings {
	struct fact_of *facts;         /* message facts have thing FACT_OF_MESSAGE */
	uint32_t n_facts;
	struct fact_things things[THINGS];
	struct chain_trouble *troubles; /* of modules, by their index */
	uint32_t n_troubles;
	bool truncated;                /* facts were left out at FINDINGS_MAX */
	unsigned defects;              /* enum pn_defect */
	struct rules_answers *answers; /* NULL: the inspector could not */
};
void findings_pack(const struct findings *, struct buf *);
/* Strings point into the answer; size is the message's. False: drop it, the
 * inspector is suspect. */
bool findings_unpack(struct findings *, const struct chain *,
    const struct rules *, uint64_t size, struct unpack *, struct arena *);

#endif
