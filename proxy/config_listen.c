/*
 * config_listen - the listen blocks of postern.conf, of both doors: how they
 * are read, joined to their upstreams once all is read, and printed. Called by
 * config.c.
 */
#include "proxy/config_listen.h"

#include "base/must.h"
#include "proxy/config_blocks.h"
#include "proxy/config_route.h"
#include "proxy/config_tls.h"
#include "proxy/endpoint.h"

/* ---- the SMTP door ---- */

struct listen_block {
	struct smtp_listener listener;
	struct lex_token route; /* the name of an upstream, or of a route */
};

static int
read_route(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	(void)s;
	return setting_value(r, key, &((struct listen_block *)at)->route, e);
}

/* Who says so, and how: from NET ... WORD. */
struct told {
	const struct site_net *nets;
	size_t n;
	unsigned how; /* place in ways_of_telling */
	struct lex_token word;
};

enum { TOLD_XCLIENT, TOLD_XFORWARD, TOLD_PROXY };
static const char *const ways_of_telling[] = { "xclient", "xforward", "proxy",
	NULL };

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Behind "from". */
static int
read_told(struct reader *r, const struct lex_token *key, struct told *told,
    struct error *e)
{
	for (;;) {
		struct site_net *nets;

		if (setting_value(r, key, &told->word, e) < 0)
			return -1;
		if (told->word.text.n > 0 && is_letter(told->word.text.p[0]))
			break;
		nets = setting_grow(r, told->nets, told->n, sizeof(*nets));
		if (setting_net(&told->word, &nets[told->n++], e) < 0)
			return -1;
		told->nets = nets;
	}
	if (told->n == 0)
		return lex_error(e, &told->word.pos,
		    "identity from whom? An address or network must stand "
		    "here");
	return setting_one_of(
	    &told->word, ways_of_telling, "identity", &told->how, e);
}

static int
keep_told(struct smtp_listener *l, const struct told *told, struct error *e)
{
	bool again = told->how == TOLD_PROXY ? l->n_proxy_from > 0
					     : l->n_identity_from > 0;

	if (again)
		return lex_error(e, &told->word.pos, "%s stands here already",
		    told->how == TOLD_PROXY ? "proxy" : "xclient or xforward");
	if (told->how == TOLD_PROXY) {
		l->proxy_from = told->nets;
		l->n_proxy_from = told->n;
		return 0;
	}
	l->identity_from = told->nets;
	l->n_identity_from = told->n;
	l->identity_by = told->how == TOLD_XCLIENT ? IDENTITY_XCLIENT
						   : IDENTITY_XFORWARD;
	return 0;
}

/* from NET ... proxy from NET ... xforward|xclient: either, or both */
static int
read_identity_from(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	struct smtp_listener *l = &((struct listen_block *)at)->listener;
	struct lex_token t;

	(void)s;
	do {
		struct told told = { 0 };

		if (lex_expect(r->lex, "from", e) < 0 ||
		    read_told(r, key, &told, e) < 0 ||
		    keep_told(l, &told, e) < 0 || lex_peek(r->lex, &t, e) < 0)
			return -1;
	} while (!lex_is(&t, ";"));
	return 0;
}

/* In the order of enum smtp_auth. */
static const char *const auths[] = { "none", "tls", "clear", "require", NULL };

static int
read_auth(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	unsigned place;

	(void)s;
	if (setting_choice(r, key, auths, "auth", &place, e) < 0)
		return -1;
	*(enum smtp_auth *)at = (enum smtp_auth)place;
	return 0;
}

static void
print_auth(const void *at, struct buf *b)
{
	(void)buf_puts(b, auths[*(const enum smtp_auth *)at]);
}

/* Printed from the listener, which stands first in its listen_block. */
static void
print_route(const void *at, struct buf *b)
{
	const struct smtp_listener *l = at;

	if (l->upstream != NULL)
		setting_print_word(&l->upstream->name, b);
}

static void
print_by_route(const void *at, struct buf *b)
{
	const struct smtp_listener *l = at;

	if (l->route != NULL)
		setting_print_word(&l->route->name, b);
}

static void
print_told(const struct site_net *nets, size_t n, const char *how,
    struct buf *b)
{
	if (n == 0)
		return;
	(void)buf_puts(b, buf_len(b) > 0 ? " from " : "from ");
	setting_print_nets(nets, n, b);
	(void)buf_printf(b, " %s", how);
}

static void
print_identity_from(const void *at, struct buf *b)
{
	const struct smtp_listener *l = at;
	struct buf text = { 0 };

	print_told(l->proxy_from, l->n_proxy_from, "proxy", &text);
	print_told(l->identity_from, l->n_identity_from,
	    config_identities[l->identity_by], &text);
	(void)buf_add_str(b, buf_str(&text));
	buf_fini(&text);
}

#define IN_LISTEN(member) offsetof(struct listen_block, listener.member)

static const struct setting listen_table[] = {
	{ "upstream", read_route, print_route, 0, NULL, NULL, NULL, 0 },
	{ "route", read_route, print_by_route, 0, NULL, NULL, NULL, 0 },
	{ "identity", read_identity_from, print_identity_from, 0, NULL, NULL,
	    NULL, 0 },
	{ "auth", read_auth, print_auth,
	    offsetof(struct listen_block, listener.auth), "tls", NULL, NULL,
	    0 },
	{ "tls", config_read_listen_tls, config_print_listen_tls,
	    IN_LISTEN(tls), NULL, NULL, NULL, 0 },
	{ "client_certificates", config_read_client_certs,
	    config_print_client_certs, IN_LISTEN(tls), NULL, NULL, NULL, 0 },
	{ .name = NULL },
};

/* Of either door: one socket is one listener. */
static int
check_address(const struct config *c, const struct lex_token *t,
    const struct sockaddr_storage *addr, struct error *e)
{
	const struct smtp_conf *s = &c->smtp;
	const struct milter_conf *m = &c->milter;
	bool taken = false;

	/* Port 0 is another free port each time. */
	if (endpoint_is_any_port(addr))
		return 0;
	for (size_t i = 0; i < s->n_listeners; i++)
		taken |= memcmp(&s->listeners[i].addr, addr, sizeof(*addr)) == 0;
	for (size_t i = 0; i < m->n_listeners; i++)
		taken |= memcmp(&m->listeners[i].addr, addr, sizeof(*addr)) == 0;
	return taken ? lex_error(e, &t->pos, "there is a listener on %s already",
			   VIS(t->text))
		     : 0;
}

static int
smtp_address(struct reader *r, const struct lex_token *t,
    struct smtp_listener *l, struct error *e)
{
	const char *wrong = endpoint_parse(t->text, &l->addr, &l->addr_len);

	if (wrong != NULL)
		return lex_error(e, &t->pos, "\"%s\" %s", VIS(t->text), wrong);
	l->name = setting_text(r, t->text);
	return check_address(r->conf, t, &l->addr, e);
}

/* In clear nobody can log in, unless a host that we believe says who did. */
static int
check_auth(const struct smtp_listener *l, const struct lex_token *name,
    struct error *e)
{
	if (l->auth != AUTH_REQUIRE || l->tls.mode != LISTEN_CLEAR ||
	    l->identity_by == IDENTITY_XCLIENT)
		return 0;
	return lex_error(e, &name->pos,
	    "listener %s has \"auth require\" and no TLS: nobody could log in",
	    VIS(name->text));
}

static int
read_smtp(struct reader *r, bool lmtp, const struct lex_token *key,
    const struct lex_token *address, struct error *e)
{
	struct smtp_conf *c = &r->conf->smtp;
	struct block_origin o = { .at = key->pos };
	struct listen_block block = { .listener.lmtp = lmtp };
	struct smtp_listener *all;
	bool upstream;

	settings_preset(r, listen_table, &block);
	if (smtp_address(r, address, &block.listener, e) < 0 ||
	    lex_expect(r->lex, "{", e) < 0 ||
	    settings_read(
		r, listen_table, &o.seen, "a listen block", &block, e) < 0)
		return -1;
	upstream = settings_seen(listen_table, &o.seen, "upstream");
	if (upstream == settings_seen(listen_table, &o.seen, "route"))
		return lex_error(e, &address->pos,
		    upstream ? "listener %s has both an upstream and a route line"
			     : "listener %s has no upstream or route line",
		    block.listener.name);
	if (config_check_listen_tls(&block.listener.tls, address, e) < 0 ||
	    check_auth(&block.listener, address, e) < 0)
		return -1;
	config_keep_origin(r, &r->origins->listeners, c->n_listeners, &o);
	all = setting_grow(r, c->listeners, c->n_listeners, sizeof(*all));
	r->routes =
	    setting_grow(r, r->routes, c->n_listeners, sizeof(*r->routes));
	r->routes[c->n_listeners] = block.route;
	all[c->n_listeners++] = block.listener;
	c->listeners = all;
	return 0;
}

/* ---- the milter door ---- */

struct milter_block {
	struct milter_listener listener;
	struct lex_token route; /* .text.p NULL: none */
};

#define IN_MILTER(member) offsetof(struct milter_block, listener.member)

static int
read_milter_route(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	struct milter_block *b = at;

	(void)s;
	if (setting_value(r, key, &b->route, e) < 0)
		return -1;
	b->listener.upstream = setting_text(r, b->route.text);
	return 0;
}

/* Octal, as chmod(1) has it; nobody executes a socket. */
static int
read_mode(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	struct lex_token t;
	mode_t mode = 0;

	(void)s;
	if (setting_value(r, key, &t, e) < 0)
		return -1;
	for (size_t i = 0; i < t.text.n; i++) {
		if (t.text.p[i] < '0' || t.text.p[i] > '7' || mode > 0777)
			t.text.n = 0;
		else
			mode = mode * 8 + (mode_t)(t.text.p[i] - '0');
	}
	if (t.text.n == 0 || mode == 0 || (mode & ~(mode_t)0666) != 0)
		return lex_error(e, &t.pos,
		    "the mode of a socket is octal, of read and write (0660)");
	*(mode_t *)at = mode;
	return 0;
}

static void
print_name(const void *at, struct buf *b)
{
	const char *name = *(const char *const *)at;

	if (name != NULL)
		setting_print_word(at, b);
}

static void
print_milter_route(const void *at, struct buf *b)
{
	setting_print_word(&((const struct milter_listener *)at)->upstream, b);
}

static void
print_mode(const void *at, struct buf *b)
{
	if (*(const mode_t *)at != 0)
		(void)buf_printf(b, "%04o", (unsigned)*(const mode_t *)at);
}

/* For settings_print() a milter_listener, which stands first, will do. */
static const struct setting milter_table[] = {
	{ "upstream", read_milter_route, print_milter_route, 0, NULL, NULL,
	    NULL, 0 },
	{ "mode", read_mode, print_mode, IN_MILTER(mode), NULL, NULL, NULL, 0 },
	{ "group", setting_read_word, print_name, IN_MILTER(group), NULL, NULL,
	    NULL, 0 },
	{ .name = NULL },
};

static int
milter_address(struct reader *r, const struct lex_token *t,
    struct milter_listener *l, struct error *e)
{
	const char *wrong =
	    endpoint_parse_milter(t->text, &l->addr, &l->addr_len);

	if (wrong != NULL)
		return lex_error(e, &t->pos, "\"%s\" %s", VIS(t->text), wrong);
	l->name = setting_text(r, t->text);
	return check_address(r->conf, t, &l->addr, e);
}

/* ";" or a block; *o has what was seen. */
static int
milter_settings(struct reader *r, struct milter_block *b,
    struct block_origin *o, struct error *e)
{
	struct lex_token t;

	if (lex_peek(r->lex, &t, e) < 0)
		return -1;
	if (!lex_is(&t, "{"))
		return lex_expect(r->lex, ";", e);
	(void)lex_next(r->lex, &t, e); /* looked at already */
	return settings_read(
	    r, milter_table, &o->seen, "a listen block", b, e);
}

/*
 * Without either, whoever is on this machine may connect, as on a loopback
 * port: the MTA's user is one we do not know. With a group, that one alone.
 */
static int
settle_mode(struct milter_listener *l, const struct lex_token *address,
    struct error *e)
{
	if (l->addr.ss_family != AF_UNIX)
		return l->mode != 0 || l->group != NULL
			   ? lex_error(e, &address->pos,
				 "listener %s has no socket file that a mode "
				 "or a group could be given to",
				 l->name)
			   : 0;
	if (l->mode == 0)
		l->mode = l->group != NULL ? 0660 : 0666;
	return 0;
}

static int
read_milter(struct reader *r, const struct lex_token *key,
    const struct lex_token *address, struct error *e)
{
	struct milter_conf *c = &r->conf->milter;
	struct block_origin o = { .at = key->pos };
	struct milter_block block = { .listener.upstream = "" };
	struct milter_listener *all;

	if (milter_address(r, address, &block.listener, e) < 0 ||
	    milter_settings(r, &block, &o, e) < 0 ||
	    settle_mode(&block.listener, address, e) < 0)
		return -1;
	config_keep_origin(r, &r->origins->milters, c->n_listeners, &o);
	all = setting_grow(r, c->listeners, c->n_listeners, sizeof(*all));
	r->milter_routes = setting_grow(
	    r, r->milter_routes, c->n_listeners, sizeof(*r->milter_routes));
	r->milter_routes[c->n_listeners] = block.route;
	all[c->n_listeners++] = block.listener;
	c->listeners = all;
	return 0;
}

/* ---- both ---- */

int
config_read_listen(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	static const char *const protocols[] = { "smtp", "lmtp", "milter",
		NULL };
	struct lex_token t, address;
	unsigned place;

	(void)s;
	(void)at;
	if (setting_value(r, key, &t, e) < 0 ||
	    setting_one_of(&t, protocols, "protocol", &place, e) < 0 ||
	    setting_value(r, key, &address, e) < 0)
		return -1;
	if (place == 2)
		return read_milter(r, key, &address, e);
	return read_smtp(r, place == 1, key, &address, e);
}

/* XFORWARD informs a log. To an MTA that hears of clients by it alone, all the
 * world comes from our own address. */
static int
check_identity(const struct smtp_listener *l, const struct smtp_upstream *u,
    const struct lex_token *name, struct error *e)
{
	if (u == NULL || u->identity != IDENTITY_XFORWARD ||
	    l->n_identity_from > 0)
		return 0;
	return lex_error(e, &name->pos,
	    "upstream \"%s\" has identity xforward, so listener %s needs an "
	    "\"identity from\" line",
	    u->name, l->name);
}

static int
check_identities(const struct smtp_listener *l, const struct lex_token *name,
    struct error *e)
{
	for (size_t i = 0; i < l->route->n_lines; i++)
		if (check_identity(
			l, l->route->lines[i].upstream, name, e) < 0)
			return -1;
	return check_identity(l, l->route->otherwise, name, e);
}

/* The one upstream that a route leads to; NULL: there are several, or what a
 * map names. */
static const struct smtp_upstream *
only_upstream(const struct smtp_listener *l)
{
	const struct smtp_upstream *only = l->upstream;

	if (l->route == NULL)
		return only;
	if (l->route->n_maps > 0)
		return NULL;
	only = l->route->otherwise;
	for (size_t i = 0; i < l->route->n_lines; i++) {
		if (only != NULL && l->route->lines[i].upstream != only)
			return NULL;
		only = l->route->lines[i].upstream;
	}
	return only;
}

/* A login is the next hop's: our own maildir knows none, nor do the world's
 * mail hosts, and of several nobody says whose it is. */
static int
check_logins(const struct smtp_listener *l, const struct lex_token *name,
    struct error *e)
{
	const struct smtp_upstream *only = only_upstream(l);

	if (l->auth != AUTH_REQUIRE || l->identity_by == IDENTITY_XCLIENT ||
	    (only != NULL && only->maildir == NULL && !only->mx))
		return 0;
	return lex_error(e, &name->pos,
	    "listener %s has \"auth require\", and %s \"%s\" is no next hop "
	    "that takes a login: nobody could log in",
	    l->name, l->route != NULL ? "route" : "upstream", VIS(name->text));
}

static bool
is_by_route(const struct reader *r, size_t listener)
{
	return settings_seen(listen_table,
	    &r->origins->listeners[listener].seen, "route");
}

static int
route_smtp(struct reader *r, struct error *e)
{
	const struct smtp_conf *c = &r->conf->smtp;
	struct smtp_listener *l = (struct smtp_listener *)c->listeners;

	for (size_t i = 0; i < c->n_listeners; i++) {
		const struct lex_token *name = &r->routes[i];

		if (is_by_route(r, i)) {
			l[i].route = config_find_route(c, name, e);
			if (l[i].route == NULL ||
			    check_identities(&l[i], name, e) < 0 ||
			    check_logins(&l[i], name, e) < 0)
				return -1;
			continue;
		}
		l[i].upstream = config_find_upstream(c, name->text);
		if (l[i].upstream == NULL)
			return config_no_upstream(c, name, e);
		if (check_identity(&l[i], l[i].upstream, name, e) < 0 ||
		    check_logins(&l[i], name, e) < 0)
			return -1;
	}
	return 0;
}

int
config_route_listeners(struct reader *r, struct error *e)
{
	const struct smtp_conf *c = &r->conf->smtp;

	for (size_t i = 0; i < r->conf->milter.n_listeners; i++) {
		const struct lex_token *name = &r->milter_routes[i];

		const struct smtp_upstream *u = name->text.p != NULL
		    ? config_find_upstream(c, name->text)
		    : NULL;

		if (name->text.p != NULL && u == NULL)
			return config_no_upstream(c, name, e);
		if (u != NULL && u->mx && u->mx_domain == NULL)
			return lex_error(e, &name->pos,
			    "upstream \"%s\" goes by the recipients' domain: "
			    "a message for several cannot be released there",
			    u->name);
	}
	return route_smtp(r, e);
}

/* ---- printing ---- */

static void
print_milter(const struct milter_listener *l, struct buf *b)
{
	(void)buf_puts(b, "listen milter ");
	setting_print_word(&l->name, b);
	(void)buf_puts(b, " {\n");
	settings_print(milter_table, "    ", l, b);
	(void)buf_puts(b, "}\n");
}

static const char *
kind(const struct smtp_listener *l)
{
	return l->lmtp ? "listen lmtp" : "listen smtp";
}

void
config_listen_print(const struct config *c, struct buf *b)
{
	for (size_t i = 0; i < c->smtp.n_listeners; i++) {
		(void)buf_printf(b, "%s %s {\n", kind(&c->smtp.listeners[i]),
		    c->smtp.listeners[i].name);
		settings_print(
		    listen_table, "    ", &c->smtp.listeners[i], b);
		(void)buf_puts(b, "}\n");
	}
	for (size_t i = 0; i < c->milter.n_listeners; i++)
		print_milter(&c->milter.listeners[i], b);
}

void
config_listen_each(const struct config *c, const struct config_origins *o,
    config_take *take, void *arg)
{
	for (size_t i = 0; i < c->smtp.n_listeners; i++)
		config_block_each(listen_table, kind(&c->smtp.listeners[i]),
		    c->smtp.listeners[i].name, &o->listeners[i],
		    &c->smtp.listeners[i], take, arg);
	for (size_t i = 0; i < c->milter.n_listeners; i++)
		config_block_each(milter_table, "listen milter",
		    c->milter.listeners[i].name, &o->milters[i],
		    &c->milter.listeners[i], take, arg);
}
