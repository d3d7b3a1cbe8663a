/* ready - see ready.h. */
#include "keeper/ready.h"

#include <stdlib.h>

#include "base/mem.h"

/* One upstream's servers, over all workers; and the look-ups of its mail hosts,
 * where these are the world's. */
struct hop_state {
	struct pn_str name; /* as its label writes it; the series' */
	int64_t up, away, draining;
	int64_t found, failing;
};

struct hop_states {
	struct hop_state *all;
	size_t n;
};

static struct hop_state *
hop_named(struct hop_states *h, struct pn_str name)
{
	for (size_t i = 0; i < h->n; i++)
		if (pn_str_eq(h->all[i].name, name))
			return &h->all[i];
	h->all = xrealloc(h->all, (h->n + 1) * sizeof(*h->all));
	h->all[h->n] = (struct hop_state){ .name = name };
	return &h->all[h->n++];
}

static void
count_server(void *arg, const char *labels, int64_t workers)
{
	struct hop_state *h =
	    hop_named(arg, metrics_label_of(labels, "upstream"));
	struct pn_str state = metrics_label_of(labels, "state");

	if (pn_str_eq(state, PN_STR_V("up")))
		h->up += workers;
	else if (pn_str_eq(state, PN_STR_V("away")))
		h->away += workers;
	else if (pn_str_eq(state, PN_STR_V("draining")))
		h->draining += workers;
}

static void
count_lookup(void *arg, const char *labels, int64_t workers)
{
	struct hop_state *h =
	    hop_named(arg, metrics_label_of(labels, "upstream"));
	struct pn_str state = metrics_label_of(labels, "state");

	if (pn_str_eq(state, PN_STR_V("found")))
		h->found += workers;
	else if (pn_str_eq(state, PN_STR_V("failing")))
		h->failing += workers;
}

/* What speaks against it, or NULL. */
static const char *
reason(const struct hop_state *h)
{
	if (h->failing > 0 && h->found == 0)
		return "no mail host can be looked up";
	if (h->up > 0 || h->away + h->draining == 0)
		return NULL;
	return h->away > 0 ? "all its servers are away"
			   : "all its servers are draining";
}

void
ready_look(const struct metrics *m, struct buf *reasons)
{
	struct hop_states states = { 0 };

	metrics_each_level(m, "upstream_servers", count_server, &states);
	metrics_each_level(m, "upstream_lookups", count_lookup, &states);
	for (size_t i = 0; i < states.n; i++) {
		const char *why = reason(&states.all[i]);

		if (why != NULL)
			(void)buf_printf(reasons, "upstream %.*s: %s\n", /* no cap */
			    PN_STR_ARG(states.all[i].name), why);
	}
	free(states.all);
}
