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

bool
verdict_passes(const struct verdict *v)
{
	return v->action <= VERDICT_REDIRECT || v->hold;
}

static bool
is_stronger(const struct verdict *v, const struct verdict *than)
{
	if (v->action != than->action)
		return v->action > than->action;
	if (v->hold != than->hold)
		return than->hold;
	return v->order < than->order;
}

void
verdict_join(struct verdict *v, const struct verdict *other)
{
	bool degraded = v->degraded || other->degraded;

	if (is_stronger(other, v))
		*v = *other;
	v->degraded = degraded;
}
