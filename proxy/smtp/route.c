/*
 * route - see route.h.
 *
 * The lines of a route are looked at from the most to the least particular:
 * the address, its domain, the parents of that, then the maps, in order and by
 * the same keys, then the default.
 */
#include "smtp/route.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "engine/map.h"
#include "mail/domain.h"
#include "smtp/probe.h"

#define KEY_MAX 1024

/* ---- finding ---- */

static int
by_key(const void *key, const void *line)
{
	return strcasecmp(key, ((const struct smtp_route_line *)line)->key);
}

static const struct smtp_upstream *
find_line(const struct smtp_route *route, const char *key)
{
	const struct smtp_route_line *line = route->n_lines == 0
	    ? NULL
	    : bsearch(key, route->lines, route->n_lines, sizeof(*route->lines),
		  by_key);

	return line != NULL ? line->upstream : NULL;
}

static const struct smtp_upstream *
find_lines(const struct smtp_route *route, const char *address,
    const char *domain)
{
	const struct smtp_upstream *u = find_line(route, address);

	if (u == NULL)
		u = find_line(route, domain);
	for (const char *dot = strchr(domain, '.'); u == NULL && dot != NULL;
	     dot = strchr(dot + 1, '.'))
		u = find_line(route, dot);
	return u;
}

static enum route_found
upstream_named(const struct smtp_conf *conf, const char *map,
    struct pn_str name, const struct smtp_upstream **out)
{
	for (size_t i = 0; i < conf->n_upstreams; i++)
		if (pn_str_eq(name, pn_str_of(conf->upstreams[i].name))) {
			*out = &conf->upstreams[i];
			return ROUTE_FOUND;
		}
	log_error("", "route", "map=%s upstream=%s why=\"there is none\"", map,
	    VIS(name));
	return ROUTE_BROKEN;
}

static enum route_found
ask_map(const struct smtp_conf *conf, struct engine *engine, const char *map,
    const char *key, const struct smtp_upstream **out)
{
	struct buf value = { 0 };
	enum route_found found = ROUTE_NOWHERE;

	switch (engine_map_find(engine, pn_str_of(map), pn_str_of(key), &value)) {
	case ENGINE_MAP_NONE:
		break;
	case ENGINE_MAP_FOUND:
		found = upstream_named(
		    conf, map, pn_str_trim(buf_str(&value)), out);
		break;
	case ENGINE_MAP_UNKNOWN:
		found = ROUTE_BROKEN;
		break;
	}
	buf_fini(&value);
	return found;
}

/* The address, which is also looked for as @domain, then @.parent ... */
static enum route_found
find_in_map(const struct smtp_conf *conf, struct engine *engine,
    const char *map, const char *address, const char *domain,
    const struct smtp_upstream **out)
{
	enum route_found found = ask_map(conf, engine, map, address, out);
	char key[DOMAIN_MAX + 1];

	for (const char *dot = strchr(domain, '.');
	     found == ROUTE_NOWHERE && dot != NULL; dot = strchr(dot + 1, '.')) {
		(void)snprintf(key, sizeof(key), "@%s", dot);
		found = ask_map(conf, engine, map, key, out);
	}
	return found;
}

enum route_found
route_find(const struct smtp_conf *conf, const struct smtp_route *route,
    struct engine *engine, const struct rcpt *r,
    const struct smtp_upstream **out)
{
	char domain[DOMAIN_MAX], address[KEY_MAX];
	enum route_found found = ROUTE_NOWHERE;

	if (!domain_ascii(r->domain, domain) ||
	    (size_t)snprintf(address, sizeof(address), "%.*s@%s",
		PN_STR_ARG(r->local), domain) >= sizeof(address))
		return ROUTE_NOWHERE;
	if ((*out = find_lines(route, address, domain)) != NULL)
		return ROUTE_FOUND;
	for (size_t i = 0; found == ROUTE_NOWHERE && i < route->n_maps; i++)
		found = find_in_map(
		    conf, engine, route->maps[i], address, domain, out);
	if (found != ROUTE_NOWHERE)
		return found;
	*out = route->otherwise;
	/* RFC 5321 4.5.1: <postmaster> alone is never refused. */
	if (*out == NULL && r->domain.n == 0 && route->n_lines > 0)
		*out = route->lines[0].upstream;
	return *out != NULL ? ROUTE_FOUND : ROUTE_NOWHERE;
}

/* ---- all that a listener may lead to ---- */

void
route_refresh(const struct listener *l)
{
	for (size_t i = 0; i < l->n_hops; i++)
		probe_if_stale(l->hops[i]);
}

bool
route_is_new(const struct listener *l)
{
	for (size_t i = 0; i < l->n_hops; i++)
		if (hop_is_new(l->hops[i]))
			return true;
	return false;
}

void
route_keywords(const struct listener *l, struct keywords *all)
{
	*all = (struct keywords){ 0 };
	for (size_t i = 0; i < l->n_hops; i++)
		if (l->hops[i]->known.known)
			keywords_join(all, &l->hops[i]->known);
	/* A login, a queue: of which of them? */
	if (l->n_hops > 1) {
		all->auth[0] = '\0';
		all->etrn = false;
	}
}

/* ---- a mail's way ---- */

/* Its servers are those of the recipients' domain. */
static bool
by_recipient(const struct smtp_upstream *u)
{
	return u->mx && u->mx_domain == NULL;
}

bool
route_is_open(const struct session *s)
{
	return s->listener->route != NULL || by_recipient(s->listener->upstream);
}

static enum route_found
find(const struct session *s, const struct rcpt *r,
    const struct smtp_upstream **out)
{
	const struct smtp_route *route = s->listener->route;

	*out = s->listener->upstream;
	return route == NULL
	    ? ROUTE_FOUND
	    : route_find(s->smtp->conf, route, s->smtp->engine, r, out);
}

/* The same servers as the mail's, so far? */
static bool
same_way(const struct session *s, const struct smtp_upstream *to,
    const struct rcpt *r)
{
	char domain[DOMAIN_MAX];

	return s->routed && s->hop->conf == to &&
	    (!by_recipient(to) ||
		(domain_ascii(r->domain, domain) &&
		    strcmp(domain, s->domain) == 0));
}

void
route_heard(struct session *s, const struct reply_lines *r)
{
	struct pn_str raw;

	s->mail_code = r->code;
	if (r->code / 100 == 2)
		return;
	raw = arena_str(s->t->arena, r->raw);
	s->mail_refused = (struct reply_lines){ r->code, raw };
	if (raw.p == NULL)
		s->gone = true; /* at its cap: out of step */
}

const struct reply_lines *
route_refusal(const struct session *s)
{
	return s->mail_refused.code != 0 ? &s->mail_refused : NULL;
}

static bool
serves(const struct session *s, const struct rcpt *r)
{
	const struct smtp_upstream *to;

	return find(s, r, &to) == ROUTE_FOUND && same_way(s, to, r);
}

/* Nobody gets the message by a way that the route does not show. */
bool
route_serves_added(const struct session *s)
{
	const struct rcpt *r;

	if (!route_is_open(s))
		return true;
	TAILQ_FOREACH (r, &transaction_onward(s->t)->rcpts, next)
		if (r->added && !serves(s, r))
			return false;
	return true;
}

/* The mail goes this way, as far as anybody takes it. False: at the arena's cap,
 * or there is no such domain. */
static bool
choose(struct session *s, struct hop *hop)
{
	char domain[DOMAIN_MAX];

	s->domain = NULL;
	if (by_recipient(hop->conf) &&
	    (!domain_ascii(s->t->rcpt->domain, domain) ||
		(s->domain = arena_str(s->t->arena, pn_str_of(domain)).p) ==
		    NULL))
		return false;
	if (s->hop != hop ||
	    (s->up != NULL && !upstream_has_domain(s->up, s->domain)))
		mail_give_back(s);
	s->hop = hop;
	s->routed = true;
	s->opened = false;
	s->mail_refused = (struct reply_lines){ 0 };
	return true;
}

/* MAIL there, and the recipient that waits for it. */
static void
open_mail(struct session *s)
{
	s->opened = upstream_mail(s->up, &s->t->envelope, &s->t->client,
	    s->t->id, mail_is_local(s));
	if (s->opened) {
		mail_await_hidden(s);
		mail_pass_rcpt(s, s->t->rcpt);
		return;
	}
	s->routed = false;
	if (s->hop->conf->mx) { /* it never will (RFC 6152 3, RFC 6531 3.5) */
		s->t->rcpt->code = 554;
		session_say(s, 554, "5.6.3",
		    "Its mail server takes no 8-bit or UTF-8 mail");
		return;
	}
	s->t->rcpt->code = 451;
	session_say(s, 451, "4.3.0",
	    "The next hop no longer takes one of these options");
}

static void
pass(struct session *s)
{
	const struct reply_lines *no = route_refusal(s);

	s->state = SESSION_COMMAND;
	if (no != NULL && STAILQ_EMPTY(&s->answers)) {
		s->t->rcpt->code = no->code;
		count_refused(&s->smtp->count, REFUSED_BY_NEXT_HOP);
		session_pass_on(s, no);
		shape_refused_there(s, s->t->rcpt);
	} else if (s->hop->conf->maildir != NULL || s->opened) {
		mail_pass_rcpt(s, s->t->rcpt);
	} else if (mail_is_connected(s)) {
		open_mail(s);
	} else if (s->logged_in) { /* nobody is dialled in its place */
		s->t->rcpt->code = 451;
		session_say(s, 451, "4.4.2",
		    "The connection to the next hop was lost");
	} else {
		mail_dial(s);
		s->state = SESSION_ROUTE_DIAL;
	}
}

/* Nobody there has taken a recipient yet: another may be asked. */
static bool
is_free(const struct session *s)
{
	return !s->routed || s->t->envelope.n_accepted == 0;
}

static enum turn
go(struct session *s, const struct smtp_upstream *to)
{
	static const struct reply later = { .code = 452, .status = "4.5.3",
		.text = PN_STR("send this recipient separately") };
	bool same = same_way(s, to, s->t->rcpt);

	/* Whether it is free, the answers that are due will tell. */
	if (!STAILQ_EMPTY(&s->answers) && s->routed && !same) {
		s->then = SESSION_ROUTE;
		s->state = SESSION_ANSWERS;
		return TURN_AGAIN;
	}
	if (!same && !is_free(s)) {
		mail_refuse_rcpt(s, &later);
		s->state = SESSION_COMMAND;
		return TURN_AGAIN;
	}
	if ((!same ||
		(s->opened && upstream_at(s->up) != UPSTREAM_READY &&
		    is_free(s) && STAILQ_EMPTY(&s->answers))) &&
	    !choose(s, &s->smtp->hops[to - s->smtp->conf->upstreams])) {
		s->t->rcpt->code = 550;
		session_say(s, 550, "5.1.2", "Domain not found");
		s->state = SESSION_COMMAND;
		return TURN_AGAIN;
	}
	pass(s);
	return TURN_AGAIN;
}

/* Where no server behind us says who may send mail to whom, we have to: to the
 * world for our own clients alone, for anybody to our own domains. */
static bool
may_relay(const struct session *s, const struct smtp_upstream *to)
{
	bool world = by_recipient(to);

	if (!world && !to->delivers)
		return true;
	return deliver_takes(s, s->t->rcpt) ||
	    (world &&
		(mail_is_local(s) || s->t->client.login.n > 0));
}

/* After the stages of RCPT: where does this one go? */
enum turn
session_route(struct session *s)
{
	const struct smtp_upstream *to;

	switch (find(s, s->t->rcpt, &to)) {
	case ROUTE_FOUND:
		if (may_relay(s, to))
			return go(s, to);
		mail_deny_rcpt(s, s->t->rcpt);
		break;
	case ROUTE_NOWHERE:
		mail_deny_rcpt(s, s->t->rcpt);
		break;
	case ROUTE_BROKEN:
		s->t->rcpt->code = 451;
		session_say(s, 451, "4.3.5", "Server configuration error");
		break;
	}
	s->state = SESSION_COMMAND;
	return TURN_AGAIN;
}

enum turn
session_route_dial(struct session *s)
{
	if (upstream_at(s->up) == UPSTREAM_DIALLING)
		return session_wait_elsewhere(s);
	s->state = SESSION_COMMAND;
	if (upstream_at(s->up) == UPSTREAM_READY) {
		open_mail(s);
		return TURN_AGAIN;
	}
	mail_name_next_hop(s); /* whoever did not answer */
	s->routed = false;
	s->t->rcpt->code = upstream_failure(s->up)->code;
	session_reply(s, upstream_failure(s->up));
	return TURN_AGAIN;
}
