/*
 * drain - servers of a next hop that an operator takes out of use for a while
 * (postern upstream NAME drain) or back. The workers do it, each for itself;
 * here stands what they were told, for one that is forked anew. A generation
 * begins as its configuration says: an order is for the one it was given to,
 * and those before it, which still drain. The master keeps a copy for the next
 * keeper.
 *
 * Which servers there are the workers have told (upstream_servers of
 * /metrics). Called by command.c and keeper.c.
 */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "keeper/inside.h"

struct order {
	TAILQ_ENTRY(order) next;
	unsigned generation;
	struct pn_str upstream, server; /* server "": all; behind the struct */
	bool drain;
};

/* ---- the orders ---- */

static void
pack_order(const struct order *o, struct buf *b)
{
	pack_u32(b, o->generation);
	pack_str(b, o->upstream);
	pack_str(b, o->server);
	pack_u8(b, o->drain);
}

static void
forget(struct keeper *k, struct order *o)
{
	TAILQ_REMOVE(&k->orders, o, next);
	free(o);
}

/* One of a whole upstream undoes those of its servers. */
static bool
is_undone(const struct order *o, struct pn_str upstream, struct pn_str server)
{
	return pn_str_eq(o->upstream, upstream) &&
	    (server.n == 0 || pn_str_eq(o->server, server));
}

static void
forget_undone(struct keeper *k, struct pn_str upstream, struct pn_str server)
{
	struct order *o, *after;

	for (o = TAILQ_FIRST(&k->orders); o != NULL; o = after) {
		after = TAILQ_NEXT(o, next);
		if (is_undone(o, upstream, server))
			forget(k, o);
	}
}

static struct order *
order_new(struct keeper *k, unsigned generation, struct pn_str upstream,
    struct pn_str server, bool drain)
{
	struct order *o = xcalloc(1, sizeof(*o) + upstream.n + server.n + 1);
	char *text = (char *)(o + 1);

	forget_undone(k, upstream, server);
	o->generation = generation;
	memcpy(text, upstream.p, upstream.n);
	o->upstream = (struct pn_str){ text, upstream.n };
	text += upstream.n;
	if (server.n > 0)
		memcpy(text, server.p, server.n);
	o->server = (struct pn_str){ text, server.n };
	o->drain = drain;
	TAILQ_INSERT_TAIL(&k->orders, o, next);
	return o;
}

static void
send_order(const struct link *l, const struct order *o)
{
	struct buf b = { 0 };

	pack_str(&b, o->upstream);
	pack_str(&b, o->server);
	pack_u8(&b, o->drain);
	/* False: the worker is gone, and its like hears of it anew. */
	(void)ipc_send(l->ipc, KEEP_DRAIN, 0, buf_data(&b), buf_len(&b), -1);
	buf_fini(&b);
}

void
drain_link_new(struct keeper *k, const struct link *l)
{
	const struct order *o;

	TAILQ_FOREACH (o, &k->orders, next)
		if (l->relays && l->generation == o->generation)
			send_order(l, o);
}

void
drain_restore(struct keeper *k, struct pn_str orders)
{
	struct unpack u = unpack_of(orders.p, orders.n);

	while (u.n > 0 && !u.failed) {
		uint32_t generation = unpack_u32(&u);
		struct pn_str upstream = unpack_str(&u);
		struct pn_str server = unpack_str(&u);
		bool drain = unpack_u8(&u) != 0;

		if (!u.failed)
			(void)order_new(
			    k, generation, upstream, server, drain);
	}
}

void
drain_forget_all(struct keeper *k)
{
	while (!TAILQ_EMPTY(&k->orders))
		forget(k, TAILQ_FIRST(&k->orders));
}

/* ---- the question ---- */

struct search {
	struct pn_str upstream, server;
	bool known, found; /* the upstream has servers; this one is of them */
};

/* Of a server that is no more each state has no worker. */
static void
look_at(void *arg, const char *labels, int64_t workers)
{
	struct search *s = arg;
	struct pn_str server = metrics_label_of(labels, "server");

	if (workers == 0 ||
	    !pn_str_eq(metrics_label_of(labels, "upstream"), s->upstream))
		return;
	s->known = true;
	s->found |= s->server.n == 0 || pn_str_eq(server, s->server);
}

static void
refuse(struct control_call *call, const struct search *s)
{
	if (s->known)
		control_refuse(call, EX_NOINPUT,
		    "upstream %s has no server %s", VIS(s->upstream),
		    VIS(s->server));
	else
		control_refuse(call, EX_NOINPUT,
		    "no server of an upstream %s is known", VIS(s->upstream));
}

static unsigned
newest_generation(const struct keeper *k)
{
	unsigned newest = 0;
	const struct link *l;

	LIST_FOREACH (l, &k->links, next)
		if (l->generation > newest)
			newest = l->generation;
	return newest;
}

/* One more, as it is named, can be told to the master with the others. */
static bool
has_room(const struct keeper *k, const struct search *s)
{
	struct order one = { .upstream = s->upstream, .server = s->server };
	const struct order *o;
	struct buf all = { 0 };
	bool fits;

	TAILQ_FOREACH (o, &k->orders, next)
		if (!is_undone(o, s->upstream, s->server))
			pack_order(o, &all);
	pack_order(&one, &all);
	fits = buf_len(&all) <= IPC_MAX;
	buf_fini(&all);
	return fits;
}

static void
tell_master(struct keeper *k)
{
	const struct order *o;
	struct buf b = { 0 };

	TAILQ_FOREACH (o, &k->orders, next)
		pack_order(o, &b);
	if (k->master != NULL) /* false: it is gone, and so is the next keeper */
		(void)ipc_send(k->master, MASTER_ORDERS, 0, buf_data(&b),
		    buf_len(&b), -1);
	buf_fini(&b);
}

static void
order(struct keeper *k, const struct search *s, bool drain)
{
	const struct order *o = order_new(
	    k, newest_generation(k), s->upstream, s->server, drain);
	const struct link *l;

	LIST_FOREACH (l, &k->links, next)
		if (l->relays)
			send_order(l, o);
	tell_master(k);
	log_info("", "upstream", "upstream=%s server=\"%s\" order=%s",
	    VIS(s->upstream), VIS(s->server), drain ? "drain" : "resume");
}

void
drain_ask(struct keeper *k, struct control_call *call, const json_t *request,
    bool drain)
{
	struct search s = { .found = false };
	struct buf b = { 0 };

	if (!control_text(request, "upstream", &s.upstream) ||
	    !control_text(request, "server", &s.server) || s.upstream.n == 0) {
		control_refuse(call, EX_USAGE, "which upstream?");
		return;
	}
	metrics_each_level(k->metrics, "upstream_servers", look_at, &s);
	if (!s.found) {
		refuse(call, &s);
		return;
	}
	if (!has_room(k, &s)) {
		control_refuse(call, EX_UNAVAILABLE,
		    "too many servers have orders of their own: give one to "
		    "all of an upstream, and those end");
		return;
	}
	order(k, &s, drain);
	control_begin(&b);
	control_answer(call, &b);
}
