/*
 * config_blocks - the upstream blocks of postern.conf: how they are read, found
 * by name, and printed; and what all blocks are told to config_each() by.
 * Called by config.c and by those that read other blocks.
 */
#include "proxy/config_blocks.h"

#include "base/must.h"
#include "base/suggest.h"
#include "mail/domain.h"
#include "proxy/config_loop.h"
#include "proxy/config_tls.h"
#include "proxy/endpoint.h"

#define IN_UPSTREAM(member) offsetof(struct smtp_upstream, member)

/* ---- upstreams ---- */

const char *const config_identities[] = { [IDENTITY_NONE] = "none",
	[IDENTITY_XCLIENT] = "xclient",
	[IDENTITY_XFORWARD] = "xforward",
	[IDENTITY_PROXY] = "proxy",
	[IDENTITY_PROXY_V1] = "proxy-v1",
	[IDENTITY_TPROXY] = "tproxy",
	NULL };

/* In A-labels; NULL: it is no name of a host. Digits and dots alone are meant
 * as an address. */
static const char *
read_host(struct reader *r, struct pn_str text)
{
	char host[DOMAIN_MAX];

	if (text.n == 0 || !domain_ascii(text, host) ||
	    strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789-._") !=
		strlen(host) ||
	    strspn(host, "0123456789.") == strlen(host) ||
	    !domain_has_labels(host))
		return NULL;
	return setting_text(r, pn_str_of(host));
}

/* NAME:PORT. False: it is something else. */
static bool
parse_name(struct reader *r, struct pn_str text, struct smtp_server *s)
{
	const char *colon = text.n > 0 ? memrchr(text.p, ':', text.n) : NULL;
	unsigned long long port;
	size_t n;

	if (colon == NULL)
		return false;
	n = (size_t)(colon - text.p);
	if (lex_size(pn_str_sub(text, n + 1, text.n), &port) < 0 || port == 0 ||
	    port > 65535)
		return false;
	s->host = read_host(r, pn_str_sub(text, 0, n));
	s->port = (uint16_t)port;
	return s->host != NULL;
}

/* unix:/path, a name or an address, and a port: milters' parser takes other
 * ways to write them, too. */
static const char *
parse_server(struct reader *r, struct pn_str text, struct smtp_server *s)
{
	if (pn_str_starts(text, PN_STR_V("unix:")))
		return endpoint_parse_milter(text, &s->addr, &s->addr_len);
	if (parse_name(r, text, s))
		return NULL;
	return endpoint_parse(text, &s->addr, &s->addr_len);
}

/* [priority N] [weight N] [drain] */
static int
read_server_words(struct reader *r, struct smtp_server *server, struct error *e)
{
	static const char *const words[] = { "priority", "weight", "drain",
		NULL };
	unsigned *const numbers[] = { &server->priority, &server->weight };
	static const struct setting limits[] = {
		{ .name = "priority", .most = "65535" },
		{ .name = "weight", .least = "1", .most = "1000" },
	};
	bool said[PN_COUNT(words)] = { false };
	struct lex_token t;
	unsigned place;

	for (;;) {
		if (lex_peek(r->lex, &t, e) < 0)
			return -1;
		if (t.kind != LEX_WORD)
			return 0;
		(void)lex_next(r->lex, &t, e); /* looked at already */
		if (setting_one_of(&t, words, "word behind a server", &place,
			e) < 0)
			return -1;
		if (said[place])
			return lex_error(e, &t.pos, "\"%s\" is written twice",
			    words[place]);
		said[place] = true;
		if (place == 2)
			server->drain = true;
		else if (setting_read_count(
			     r, &limits[place], &t, numbers[place], e) < 0)
			return -1;
	}
}

/* ADDRESS [priority N] [weight N] [drain] */
static int
read_server(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	struct smtp_upstream *u = at;
	struct smtp_server server = { .weight = 1 }, *all;
	struct lex_token t;
	const char *wrong;

	(void)s;
	if (setting_value(r, key, &t, e) < 0)
		return -1;
	wrong = parse_server(r, t.text, &server);
	if (wrong == NULL && t.text.p[0] == '*')
		wrong = "is not an address to connect to";
	if (wrong != NULL)
		return lex_error(e, &t.pos, "\"%s\" %s", VIS(t.text), wrong);
	for (size_t i = 0; i < u->n_servers; i++)
		if (pn_str_eq(t.text, pn_str_of(u->servers[i].name)))
			return lex_error(e, &t.pos,
			    "server \"%s\" stands there already", VIS(t.text));
	if (u->n_servers == HOP_SERVERS_MAX)
		return lex_error(e, &t.pos, "an upstream has at most %d servers",
		    HOP_SERVERS_MAX);
	server.name = setting_text(r, t.text);
	if (read_server_words(r, &server, e) < 0)
		return -1;
	config_keep_server(r, u, &t);
	all = setting_grow(r, u->servers, u->n_servers, sizeof(*all));
	all[u->n_servers++] = server;
	u->servers = all;
	return 0;
}

/* [DOMAIN] [port N] */
static int
read_mx(struct reader *r, const struct setting *s, const struct lex_token *key,
    void *at, struct error *e)
{
	static const struct setting port = { .name = "port",
		.least = "1",
		.most = "65535" };
	struct smtp_upstream *u = at;
	struct lex_token t;

	(void)s;
	u->mx = true;
	u->mx_port = 25;
	if (lex_peek(r->lex, &t, e) < 0)
		return -1;
	if ((t.kind == LEX_WORD || t.kind == LEX_STRING) &&
	    !lex_is(&t, "port")) {
		if (setting_value(r, key, &t, e) < 0)
			return -1;
		u->mx_domain = read_host(r, t.text);
		if (u->mx_domain == NULL)
			return lex_error(e, &t.pos,
			    "\"%s\" is no domain (a single host is a "
			    "\"server\")",
			    VIS(t.text));
		if (lex_peek(r->lex, &t, e) < 0)
			return -1;
	}
	if (!lex_is(&t, "port"))
		return 0;
	(void)lex_next(r->lex, &t, e); /* looked at already */
	return setting_read_count(r, &port, &t, &u->mx_port, e);
}

static void
print_mx(const void *at, struct buf *b)
{
	const struct smtp_upstream *u = at;

	if (!u->mx)
		return;
	if (u->mx_domain != NULL)
		(void)buf_printf(b, "%s ", u->mx_domain);
	(void)buf_printf(b, "port %u", u->mx_port);
}

/* maildir PATH | lmtp ADDRESS */
static int
read_deliver(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	static const char *const ways[] = { "maildir", "lmtp", NULL };
	struct smtp_upstream *u = at;
	unsigned place;

	if (setting_choice(r, key, ways, "way to deliver", &place, e) < 0)
		return -1;
	u->delivers = true;
	if (place == 0)
		return setting_read_path(r, s, key, &u->maildir, e);
	u->lmtp = true;
	return read_server(r, s, key, u, e);
}

static int
read_protocol(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	static const char *const protocols[] = { "smtp", "lmtp", NULL };
	unsigned place;

	(void)s;
	if (setting_choice(r, key, protocols, "protocol", &place, e) < 0)
		return -1;
	((struct smtp_upstream *)at)->lmtp = place == 1;
	return 0;
}

static int
read_identity(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	unsigned place;

	(void)s;
	if (setting_choice(r, key, config_identities, "identity", &place, e) < 0)
		return -1;
	((struct smtp_upstream *)at)->identity = (enum smtp_identity)place;
	return 0;
}

static const char *const dials[] = { "mail", "connect", NULL };

static int
read_dial(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	unsigned place;

	(void)s;
	if (setting_choice(r, key, dials, "dial", &place, e) < 0)
		return -1;
	((struct smtp_upstream *)at)->dial_connect = place;
	return 0;
}

/* N idle SECONDS */
static int
read_keep(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	static const struct setting limits[] = {
		{ .name = "keep", .least = "1", .most = "1000" },
		{ .name = "idle", .least = "1s", .most = "1h" },
	};
	struct smtp_upstream *u = at;

	(void)s;
	if (setting_read_count(r, &limits[0], key, &u->keep, e) < 0 ||
	    lex_expect(r->lex, "idle", e) < 0)
		return -1;
	return setting_read_duration(r, &limits[1], key, &u->keep_idle_ms, e);
}

static void
print_keep(const void *at, struct buf *b)
{
	const struct smtp_upstream *u = at;

	setting_print_count(&u->keep, b);
	(void)buf_puts(b, " idle ");
	setting_print_duration(&u->keep_idle_ms, b);
}

static void
print_server(const void *at, struct buf *b)
{
	const struct smtp_upstream *u = at;

	for (size_t i = 0; !u->delivers && i < u->n_servers; i++) {
		const struct smtp_server *server = &u->servers[i];

		(void)buf_puts(b, i > 0 ? "\n" : "");
		setting_print_word(&server->name, b);
		if (server->priority != 0)
			(void)buf_printf(b, " priority %u", server->priority);
		if (server->weight != 1)
			(void)buf_printf(b, " weight %u", server->weight);
		(void)buf_puts(b, server->drain ? " drain" : "");
	}
}

static void
print_deliver(const void *at, struct buf *b)
{
	const struct smtp_upstream *u = at;

	if (!u->delivers)
		return;
	(void)buf_puts(b, u->maildir != NULL ? "maildir " : "lmtp ");
	setting_print_word(
	    u->maildir != NULL ? &u->maildir : &u->servers[0].name, b);
}

static void
print_protocol(const void *at, struct buf *b)
{
	const struct smtp_upstream *u = at;

	if (!u->delivers)
		(void)buf_puts(b, u->lmtp ? "lmtp" : "smtp");
}

static void
print_identity(const void *at, struct buf *b)
{
	const struct smtp_upstream *u = at;

	if (!u->delivers)
		(void)buf_puts(b, config_identities[u->identity]);
}

static void
print_dial(const void *at, struct buf *b)
{
	const struct smtp_upstream *u = at;

	if (u->n_servers > 0)
		(void)buf_puts(b, dials[u->dial_connect]);
}

static const struct setting upstream_table[] = {
	{ "server", read_server, print_server, 0, NULL, NULL, NULL,
	    SETTING_REPEATS },
	{ "mx", read_mx, print_mx, 0, NULL, NULL, NULL, 0 },
	{ "deliver", read_deliver, print_deliver, 0, NULL, NULL, NULL, 0 },
	{ "protocol", read_protocol, print_protocol, 0, NULL, NULL, NULL, 0 },
	{ "identity", read_identity, print_identity, 0, NULL, NULL, NULL, 0 },
	{ "dial", read_dial, print_dial, 0, NULL, NULL, NULL, 0 },
	{ "tls", config_read_next_tls, config_print_next_tls, IN_UPSTREAM(tls),
	    NULL, NULL, NULL, 0 },
	{ "connect_timeout", setting_read_duration, setting_print_duration,
	    IN_UPSTREAM(connect_timeout_ms), "30s", "1s", "1h", 0 },
	{ "health", setting_read_duration, setting_print_duration,
	    IN_UPSTREAM(health_ms), "0s", NULL, "1h", 0 },
	{ "failover_timeout", setting_read_duration, setting_print_duration,
	    IN_UPSTREAM(failover_timeout_ms), "1m", "1s", "1h", 0 },
	/* RFC 5321 4.5.3.2 */
	{ "reply_timeout", setting_read_duration, setting_print_duration,
	    IN_UPSTREAM(reply_timeout_ms), "5m", "1s", "1h", 0 },
	{ "data_timeout", setting_read_duration, setting_print_duration,
	    IN_UPSTREAM(data_timeout_ms), "10m", "1s", "1h", 0 },
	{ "reuse", setting_read_yesno, setting_print_yesno, IN_UPSTREAM(reuse),
	    "yes", NULL, NULL, 0 },
	/* Postfix under stress waits 10 s for a command; and with fewer than
	 * its 100 processes, none of them waits longer than this for us. */
	{ "keep", read_keep, print_keep, 0, "20 idle 5s", NULL, NULL, 0 },
	{ "warm", setting_read_count, setting_print_count, IN_UPSTREAM(warm),
	    "0", NULL, "100", 0 },
	{ .name = NULL },
};

/* Who begins with the client's address cannot begin without a client. */
static int
check_warm(const struct smtp_upstream *u, const struct lex_pos *at,
    struct error *e)
{
	if (u->warm > u->keep)
		return lex_error(e, at,
		    "upstream \"%s\": %u connections cannot be warm where %u are "
		    "kept", u->name, u->warm, u->keep);
	if (u->warm > 0 && u->identity != IDENTITY_NONE &&
	    u->identity != IDENTITY_XFORWARD &&
	    u->identity != IDENTITY_XCLIENT)
		return lex_error(e, at,
		    "upstream \"%s\": with identity %s no connection can be warm, "
		    "it begins with the client's address",
		    u->name, config_identities[u->identity]);
	return 0;
}

/* Whom a client's connection is for must be known before his mail is, and it is
 * no other's. */
static int
check_dial(const struct smtp_upstream *u, const struct lex_pos *at,
    struct error *e)
{
	if (!u->dial_connect)
		return 0;
	if (u->n_servers == 0)
		return lex_error(e, at,
		    "upstream \"%s\" has \"dial connect\" and no server to dial",
		    u->name);
	if (u->warm > 0)
		return lex_error(e, at,
		    "upstream \"%s\": with \"dial connect\" no connection can "
		    "be warm, each is a client's",
		    u->name);
	return 0;
}

/* Whose certificate would DANE look for? */
static bool
has_nameless_server(const struct smtp_upstream *u)
{
	for (size_t i = 0; i < u->n_servers; i++)
		if (u->tls.name == NULL && u->servers[i].host == NULL)
			return true;
	return false;
}

static int
check_upstream(const struct smtp_upstream *u, const struct lex_token *name,
    const struct settings_seen *seen, struct error *e)
{
	bool server = settings_seen(upstream_table, seen, "server");
	bool identity = settings_seen(upstream_table, seen, "identity");
	bool protocol = settings_seen(upstream_table, seen, "protocol");
	const struct {
		bool is;
		const char *what;
	} wrong[] = {
		{ u->tls.level == TLS_DANE && has_nameless_server(u),
		    "has \"tls dane\" and a server without a name: write "
		    "\"tls dane name NAME\"" },
		{ !server && !u->delivers && !u->mx,
		    "has neither a server nor a deliver line" },
		{ u->mx && (server || u->delivers),
		    "goes by mx: a server or deliver line says otherwise" },
		{ u->mx && (u->identity != IDENTITY_NONE || u->lmtp),
		    "goes by mx: servers of others are spoken to as anybody "
		    "does" },
		{ server && u->delivers,
		    "has both a server and a deliver line" },
		{ server && !identity,
		    "has no identity line (write xclient, proxy, tproxy, "
		    "xforward or none)" },
		{ u->delivers && u->n_servers == 0 && u->tls.level != TLS_NONE,
		    "delivers itself: there is nobody to speak TLS to" },
		{ u->delivers && identity,
		    "delivers itself: an identity line tells nobody" },
		{ u->delivers && protocol,
		    "delivers: its deliver line says in what way" },
	};

	for (size_t i = 0; i < PN_COUNT(wrong); i++)
		if (wrong[i].is)
			return lex_error(e, &name->pos, "upstream \"%s\" %s",
			    u->name, wrong[i].what);
	if (check_dial(u, &name->pos, e) < 0)
		return -1;
	return check_warm(u, &name->pos, e);
}

const struct smtp_upstream *
config_find_upstream(const struct smtp_conf *c, struct pn_str name)
{
	for (size_t i = 0; i < c->n_upstreams; i++)
		if (pn_str_eq(name, pn_str_of(c->upstreams[i].name)))
			return &c->upstreams[i];
	return NULL;
}

int
config_no_upstream(
    const struct smtp_conf *c, const struct lex_token *name, struct error *e)
{
	struct suggest near = suggest_for(name->text);
	char text[96];

	for (size_t i = 0; i < c->n_upstreams; i++)
		suggest_try(&near, pn_str_of(c->upstreams[i].name));
	return lex_error(e, &name->pos, "there is no upstream \"%s\"%s",
	    VIS(name->text), suggest_text(&near, text, sizeof(text)));
}

void
config_keep_origin(struct reader *r, struct block_origin **all, size_t n,
    const struct block_origin *o)
{
	*all = setting_grow(r, *all, n, sizeof(**all));
	(*all)[n] = *o;
}

int
config_read_upstream(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	struct smtp_conf *c = at;
	struct block_origin o = { .at = key->pos };
	struct smtp_upstream u = { 0 }, *all;
	struct lex_token name;

	(void)s;
	if (setting_value(r, key, &name, e) < 0)
		return -1;
	if (name.kind != LEX_WORD)
		return lex_error(e, &name.pos,
		    "an upstream's name is a word without quotes");
	if (config_find_upstream(c, name.text) != NULL)
		return lex_error(e, &name.pos,
		    "there is an upstream \"%s\" already", VIS(name.text));
	u.name = setting_text(r, name.text);
	settings_preset(r, upstream_table, &u);
	if (lex_expect(r->lex, "{", e) < 0 ||
	    settings_read(
		r, upstream_table, &o.seen, "an upstream block", &u, e) < 0 ||
	    check_upstream(&u, &name, &o.seen, e) < 0)
		return -1;
	config_keep_origin(r, &r->origins->upstreams, c->n_upstreams, &o);
	all = setting_grow(r, c->upstreams, c->n_upstreams, sizeof(*all));
	all[c->n_upstreams++] = u;
	c->upstreams = all;
	return 0;
}

/* ---- maildirs ---- */

/* NULL-terminated, each once. */
void
config_gather_maildirs(struct reader *r)
{
	const struct smtp_conf *c = &r->conf->smtp;
	const char **dirs =
	    arena_alloc(r->arena, (c->n_upstreams + 1) * sizeof(*dirs));
	size_t n = 0;

	must(dirs != NULL);
	for (size_t i = 0; i < c->n_upstreams; i++) {
		const char *dir = c->upstreams[i].maildir;
		size_t j = 0;

		while (j < n && dir != NULL && strcmp(dirs[j], dir) != 0)
			j++;
		if (dir != NULL && j == n)
			dirs[n++] = dir;
	}
	r->conf->keeper.maildirs = dirs;
}

/* ---- printing ---- */

void
config_blocks_print(const struct smtp_conf *c, struct buf *b)
{
	for (size_t i = 0; i < c->n_upstreams; i++) {
		(void)buf_printf(b, "upstream %s {\n", c->upstreams[i].name);
		settings_print(upstream_table, "    ", &c->upstreams[i], b);
		(void)buf_puts(b, "}\n");
	}
}

void
config_block_each(const struct setting *table, const char *kind, const char *name,
    const struct block_origin *o, const void *from, config_take *take,
    void *arg)
{
	struct buf block = { 0 };

	(void)buf_printf(&block, "%s %s%c", kind, name, '\0');
	take(arg,
	    &(struct config_line){ .block = buf_data(&block), .at = &o->at });
	settings_each(table, &o->seen, buf_data(&block), from, take, arg);
	buf_fini(&block);
}

void
config_blocks_each(const struct smtp_conf *c, const struct config_origins *o,
    config_take *take, void *arg)
{
	for (size_t i = 0; i < c->n_upstreams; i++)
		config_block_each(upstream_table, "upstream", c->upstreams[i].name,
		    &o->upstreams[i], &c->upstreams[i], take, arg);
}
