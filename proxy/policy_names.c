/*
 * policy_names - names that lead nowhere, and are told rather than refused: an
 * upstream or route may wait for its day, and a policy may be written for
 * several hosts.
 * Called by main.c and policy.c.
 */
#include "proxy/policy.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/suggest.h"
#include "proxy/config_tls.h"
#include "proxy/setting.h"

/* ---- upstreams and routes that nothing refers to ---- */

static bool
route_names(const struct smtp_route *route, const struct smtp_upstream *u)
{
	/* Maps change, and may name any of them then. */
	if (route->n_maps > 0 || route->otherwise == u)
		return true;
	for (size_t i = 0; i < route->n_lines; i++)
		if (route->lines[i].upstream == u)
			return true;
	return false;
}

static bool
is_named(const struct policy *p, const struct smtp_upstream *u)
{
	const struct smtp_conf *c = &p->smtp;

	for (size_t i = 0; i < c->n_listeners; i++)
		if (c->listeners[i].upstream == u)
			return true;
	for (size_t i = 0; i < c->n_routes; i++)
		if (route_names(&c->routes[i], u))
			return true;
	for (size_t i = 0; i < p->milter.n_listeners; i++)
		if (strcmp(p->milter.listeners[i].upstream, u->name) == 0)
			return true;
	return false;
}

static size_t
lint_upstream_names(const struct policy *p, struct buf *b)
{
	struct error e;
	size_t n = 0;

	for (size_t i = 0; i < p->smtp.n_upstreams; i++) {
		const struct smtp_upstream *u = &p->smtp.upstreams[i];

		if (is_named(p, u))
			continue;
		(void)lex_error(&e, &p->origins->upstreams[i].at,
		    "warning: upstream \"%s\" is never used: no listener and "
		    "no route leads there", u->name);
		(void)buf_printf(b, "%s\n", e.text);
		n++;
	}
	return n;
}

static bool
is_used(const struct policy *p, const struct smtp_route *route)
{
	for (size_t i = 0; i < p->smtp.n_listeners; i++)
		if (p->smtp.listeners[i].route == route)
			return true;
	return false;
}

/* An upstream that such a route names is not told of as well. */
static size_t
lint_route_names(const struct policy *p, struct buf *b)
{
	struct error e;
	size_t n = 0;

	for (size_t i = 0; i < p->smtp.n_routes; i++) {
		const struct smtp_route *route = &p->smtp.routes[i];

		if (is_used(p, route))
			continue;
		(void)lex_error(&e, &p->origins->routes[i].at,
		    "warning: route \"%s\" is never used: no listener has it",
		    route->name);
		(void)buf_printf(b, "%s\n", e.text);
		n++;
	}
	return n;
}

/* ---- listeners that there are none of ---- */

struct looking {
	const char **names; /* NULL-terminated */
	struct buf *b;
	size_t n;
};

static void
look_at_listener(void *arg, struct pn_str text, const struct lex_pos *at)
{
	struct looking *l = arg;
	struct suggest near = suggest_for(text);
	struct error e;
	char meant[256];

	for (size_t i = 0; l->names[i] != NULL; i++) {
		if (pn_str_caseeq(text, pn_str_of(l->names[i])))
			return;
		suggest_try(&near, pn_str_of(l->names[i]));
	}
	(void)lex_error(&e, at, "warning: there is no listener \"%s\"%s",
	    VIS(text), suggest_or_list(&near, l->names, meant, sizeof(meant)));
	(void)buf_printf(l->b, "%s\n", e.text);
	l->n++;
}

/* What policies are for, and what rules compare the fact with. */
static size_t
lint_listener_names(const struct policy *p, struct buf *b)
{
	struct looking l = { .b = b };
	size_t n = 0;

	l.names = xcalloc(p->smtp.n_listeners + p->milter.n_listeners + 1,
	    sizeof(*l.names));
	for (size_t i = 0; i < p->smtp.n_listeners; i++)
		l.names[n++] = p->smtp.listeners[i].name;
	for (size_t i = 0; i < p->milter.n_listeners; i++)
		l.names[n++] = p->milter.listeners[i].name;
	rules_texts(p->rules, FACT_LISTENER, look_at_listener, &l);
	free(l.names);
	return l.n;
}

size_t
policy_warn(const struct policy *p, struct buf *b)
{
	size_t n = lint_upstream_names(p, b);

	n += lint_route_names(p, b);
	n += lint_listener_names(p, b);
	return n + config_lint_tls(&p->smtp, b);
}
