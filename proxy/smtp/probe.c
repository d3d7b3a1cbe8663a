/* probe - see probe.h. */
#include "smtp/probe.h"

#include "smtp/door.h"
#include "smtp/resolve.h"

#define STALE_MS 60000
#define RETRY_MS 1000 /* when it did not answer */

static void
done(void *arg)
{
	struct server *s = arg;

	if (upstream_at(s->probe) == UPSTREAM_DIALLING)
		return;
	probe_stop(s);
	s->hop->probed(s->hop);
}

void
probe_start(struct server *s)
{
	struct smtp *smtp = s->hop->smtp;

	if (s->probe != NULL)
		return;
	s->probed_ms = loop_now_ms(smtp->loop);
	s->probe = upstream_new(&(struct upstream_conf){ .loop = smtp->loop,
	    .hop = s->hop, .hostname = smtp->conf->hostname, .wake = done,
	    .arg = s });
	upstream_probe(s->probe, s, pn_str_of(smtp->conf->hostname));
	if (upstream_at(s->probe) == UPSTREAM_FAILED)
		probe_stop(s); /* at once: nobody waits for it yet */
}

static bool
is_stale(const struct server *s)
{
	uint64_t now = loop_now_ms(s->hop->smtp->loop);

	return !(s->known.known && now - s->known.when_ms < STALE_MS) &&
	    !(s->probed_ms != 0 && now - s->probed_ms < RETRY_MS);
}

static void
on_resolved(void *arg, const struct resolved *answer)
{
	struct hop *hop = arg;

	hop->resolve = NULL;
	for (size_t i = 0; i < answer->n; i++)
		if (is_stale(answer->servers[i]))
			probe_start(answer->servers[i]);
	if (!hop_is_new(hop))
		hop->probed(hop);
}

/* Mail hosts of others are not asked before there is mail for them. */
void
probe_if_stale(struct hop *hop)
{
	uint64_t now = loop_now_ms(hop->smtp->loop);
	struct server *s;

	if (hop->conf->mx)
		return;
	TAILQ_FOREACH (s, &hop->servers, next)
		if (!s->draining && !s->found && is_stale(s))
			probe_start(s);
	if (!hop_has_names(hop) || hop->resolve != NULL ||
	    (hop->resolved_ms != 0 && now - hop->resolved_ms < STALE_MS))
		return;
	hop->resolved_ms = now;
	hop->resolve = resolve_start(hop, NULL, on_resolved, hop);
}

void
probe_stop(struct server *s)
{
	upstream_free(s->probe);
	s->probe = NULL;
}
