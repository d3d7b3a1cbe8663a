/*
 * needs - what a policy can have a use for: at which stages something is asked
 * or judged, and whether what stands behind a message's header can change
 * anything. For a door that may choose what it is told (the milter); the proxy
 * has all of it anyway.
 *
 * Found once, where the policy is made; read-only. Where no rule looks at any
 * message, none is read, and history tells no subject.
 */
#ifndef ENGINE_NEEDS_H
#define ENGINE_NEEDS_H

#include "mail/chain.h"
#include "rules/rules.h"

struct transaction;
struct engine_conf;

/* Of one policy: can the body matter, for any of its rules; for those alone
 * that are marked `always`, which count when something was allowed? */
struct policy_needs {
	bool body, body_always;
};

struct engine_needs {
	/* A module has a hook, or some policy a rule, at this stage. The first
	 * four may otherwise be run together with a later one. */
	bool stages[STAGES];
	bool header;     /* somebody reads it, changes it or keeps it */
	bool body;       /* of some message */
	bool every_body; /* of each: a module reads it, whatever rules ask */
	uint32_t actions; /* 1 << enum rules_action: of some rule */
	bool marks;      /* every message may get a header field */
	const struct policy_needs *policies; /* [rules_policies()] */
};

/* From conf's chain and rules (NULL: there are none); *out may be conf->needs.
 * -1: no room. */
int engine_needs_find(struct engine_needs *out, const struct engine_conf *conf,
    struct arena *, struct error *e);

/*
 * Can what is still to come of this message's body change its verdict, or be
 * wanted by anybody? Asked when its recipients are known. False: the door may
 * leave it out, and says so in t->partial. Pure: from any thread that has t.
 */
bool engine_wants_body(const struct engine_conf *, const struct transaction *);

#endif
