/* probe - see probe.h. */
#include "smtp/probe.h"

#define STALE_MS 60000
#define RETRY_MS 1000 /* when it did not answer */

static void
done(void *arg)
{
	struct hop *hop = arg;

	if (upstream_at(hop->probe) == UPSTREAM_DIALLING)
		return;
	probe_stop(hop);
	hop->probed(hop);
}

void
probe_if_stale(struct hop *hop, struct loop *loop, const char *hostname)
{
	uint64_t now = loop_now_ms(loop);

	if (hop->conf->maildir != NULL || hop->probe != NULL ||
	    (hop->known.known && now - hop->known.when_ms < STALE_MS) ||
	    (hop->probed_ms != 0 && now - hop->probed_ms < RETRY_MS))
		return;
	hop->probed_ms = now;
	hop->probe = upstream_new(&(struct upstream_conf){ .loop = loop,
	    .hop = hop, .hostname = hostname, .wake = done, .arg = hop });
	upstream_dial(hop->probe, NULL, pn_str_of(hostname), "", false);
	if (upstream_at(hop->probe) == UPSTREAM_FAILED)
		probe_stop(hop); /* at once: nobody waits for it yet */
}

void
probe_stop(struct hop *hop)
{
	upstream_free(hop->probe);
	hop->probe = NULL;
}
