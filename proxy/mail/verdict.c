/* verdict - see verdict.h. */
#include "mail/verdict.h"

const char *
verdict_action_name(enum verdict_action a)
{
	static const char *const names[] = {
		[VERDICT_ACCEPT] = "accept",
		[VERDICT_TAG] = "tag",
		[VERDICT_REDIRECT] = "redirect",
		[VERDICT_DISCARD] = "discard",
		[VERDICT_TEMPFAIL] = "tempfail",
		[VERDICT_QUARANTINE] = "quarantine",
		[VERDICT_REJECT] = "reject",
	};

	return names[a];
}

bool
verdict_refuses(const struct verdict *v)
{
	return v->action == VERDICT_REJECT || v->action == VERDICT_TEMPFAIL;
}

void
verdict_join(struct verdict *v, const struct verdict *other)
{
	bool degraded = v->degraded || other->degraded;

	if (other->action > v->action ||
	    (other->action == v->action && other->order < v->order))
		*v = *other;
	v->degraded = degraded;
}
