/*
 * config_loop - a server that is one of our own listeners, from which mail
 * comes to that server again: each message would go round until it had too
 * many Received fields (Postfix: "mail loops back to myself"). Called by
 * config.c and config_blocks.c.
 *
 * Addresses as written alone: names are looked up by workers, which leave out
 * what comes straight back (smtp/resolve.c). A listener that leads elsewhere may
 * be a server of another: mail passes twice, and ends.
 */
#include "proxy/config_loop.h"

#include "base/must.h"
#include "smtp/self.h"

struct server_at {
	size_t upstream, server;
	struct lex_pos at;
};

void
config_keep_server(struct reader *r, const struct smtp_upstream *u,
    const struct lex_token *t)
{
	r->servers = setting_grow(
	    r, r->servers, r->n_servers, sizeof(*r->servers));
	r->servers[r->n_servers++] = (struct server_at){
		.upstream = r->conf->smtp.n_upstreams,
		.server = u->n_servers,
		.at = t->pos };
}

static bool comes_to(const struct smtp_conf *, const struct smtp_listener *,
    const struct smtp_upstream *, bool *seen);

/* Would what this server gets come to the upstream u? */
static bool
server_comes_to(const struct smtp_conf *c, const struct smtp_server *s,
    const struct smtp_upstream *u, bool *seen,
    const struct smtp_listener **by)
{
	for (size_t i = 0; s->host == NULL && i < c->n_listeners; i++) {
		const struct smtp_listener *l = &c->listeners[i];

		if (!self_is_reached(&l->addr, &s->addr) ||
		    !comes_to(c, l, u, seen))
			continue;
		*by = l;
		return true;
	}
	return false;
}

/* ... what this listener takes? seen: upstreams that were looked at. */
static bool
comes_to(const struct smtp_conf *c, const struct smtp_listener *l,
    const struct smtp_upstream *u, bool *seen)
{
	const struct smtp_listener *by;

	if (self_leads_to(l, u))
		return true;
	for (size_t i = 0; i < c->n_upstreams; i++) {
		const struct smtp_upstream *on = &c->upstreams[i];

		if (seen[i] || !self_leads_to(l, on))
			continue;
		seen[i] = true;
		for (size_t k = 0; k < on->n_servers; k++)
			if (server_comes_to(
				c, &on->servers[k], u, seen, &by))
				return true;
	}
	return false;
}

int
config_refuse_loops(struct reader *r, struct error *e)
{
	const struct smtp_conf *c = &r->conf->smtp;

	for (size_t i = 0; i < r->n_servers; i++) {
		const struct server_at *at = &r->servers[i];
		const struct smtp_upstream *u = &c->upstreams[at->upstream];
		const struct smtp_server *s = &u->servers[at->server];
		const struct smtp_listener *by;
		bool *seen = arena_alloc(r->arena, c->n_upstreams);

		must(seen != NULL);
		if (server_comes_to(c, s, u, seen, &by))
			return lex_error(e, &at->at,
			    "mail loops back to ourselves: server \"%s\" is "
			    "our own listener %s, which leads to upstream "
			    "\"%s\"",
			    s->name, by->name, u->name);
	}
	return 0;
}
