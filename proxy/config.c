/*
 * config - see config.h. The tables of postern.conf's words, the readers of
 * the few that are more than one plain value, files and includes, and what
 * must hold once all is read.
 */
#include "proxy/config.h"

#include <unistd.h>

#include "proxy/endpoint.h"
#include "base/io.h"
#include "base/must.h"
#include "base/suggest.h"
#include "proxy/setting.h"

#define IN(member) offsetof(struct config, member)
#define IN_UPSTREAM(member) offsetof(struct smtp_upstream, member)

/* ---- networks, domains ---- */

static bool
at_end(struct reader *r, struct lex_token *t, struct error *e)
{
	return lex_peek(r->lex, t, e) == 0 && lex_is(t, ";");
}

/* One or more values, up to the ";". */
static int
each_value(struct reader *r, const struct lex_token *key,
    int (*take)(struct reader *, const struct lex_token *, struct error *),
    struct error *e)
{
	struct lex_token t;

	do {
		if (setting_value(r, key, &t, e) < 0 || take(r, &t, e) < 0)
			return -1;
	} while (!at_end(r, &t, e));
	return 0;
}

static int
parse_net(const struct lex_token *t, struct smtp_net *net, struct error *e)
{
	const char *wrong = network_parse(t->text, net);

	return wrong ? lex_error(e, &t->pos, "\"%s\" %s", VIS(t->text), wrong)
		     : 0;
}

static int
take_net(struct reader *r, const struct lex_token *t, struct error *e)
{
	struct smtp_conf *c = &r->conf->smtp;
	struct smtp_net *nets =
	    setting_grow(r, c->mynetworks, c->n_mynetworks, sizeof(*nets));

	c->mynetworks = nets;
	return parse_net(t, &nets[c->n_mynetworks++], e);
}

static int
read_networks(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	struct smtp_conf *c = at;

	(void)s;
	c->mynetworks = NULL;
	c->n_mynetworks = 0;
	return each_value(r, key, take_net, e);
}

static void
print_networks(const void *at, struct buf *b)
{
	const struct smtp_conf *c = at;
	char text[ENDPOINT_TEXT_MAX];

	for (size_t i = 0; i < c->n_mynetworks; i++)
		(void)buf_printf(b, "%s%s", i ? " " : "",
		    network_text(&c->mynetworks[i], text));
}

/* A domain in ASCII or UTF-8, folded to lower case in place. */
static bool
fold_domain(char *s)
{
	for (; *s != '\0'; s++) {
		if (*s >= 'A' && *s <= 'Z')
			*s |= 32;
		else if (strchr("@/:*%+[] \t\r\n\"\\", *s) != NULL)
			return false;
	}
	return true;
}

static int
take_domain(struct reader *r, const struct lex_token *t, struct error *e)
{
	struct smtp_conf *c = &r->conf->smtp;
	char *domain = (char *)setting_text(r, t->text);
	const char **all =
	    setting_grow(r, c->relay_domains, c->n_relay_domains, sizeof(*all));

	if (t->text.n == 0 || t->text.p[0] == '.' || !fold_domain(domain))
		return lex_error(
		    e, &t->pos, "\"%s\" is not a domain", VIS(t->text));
	all[c->n_relay_domains++] = domain;
	c->relay_domains = all;
	return 0;
}

static int
read_domains(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	(void)s;
	(void)at;
	return each_value(r, key, take_domain, e);
}

static void
print_domains(const void *at, struct buf *b)
{
	const struct smtp_conf *c = at;

	for (size_t i = 0; i < c->n_relay_domains; i++)
		(void)buf_printf(b, "%s%s", i ? " " : "", c->relay_domains[i]);
}

/* ---- single values with a shape of their own ---- */

/* One of a NULL-terminated list of words; its place in it. */
static int
one_of(const struct lex_token *t, const char *const *words, const char *what,
    unsigned *place, struct error *e)
{
	struct suggest near = suggest_for(t->text);
	char text[96];

	for (*place = 0; words[*place] != NULL; (*place)++) {
		if (pn_str_eq(t->text, pn_str_of(words[*place])))
			return 0;
		suggest_try(&near, pn_str_of(words[*place]));
	}
	return lex_error(e, &t->pos, "unknown %s \"%s\"%s", what, VIS(t->text),
	    suggest_text(&near, text, sizeof(text)));
}

static int
read_hostname(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	struct lex_token t;
	char *name;

	(void)s;
	if (setting_value(r, key, &t, e) < 0)
		return -1;
	name = (char *)setting_text(r, t.text);
	if (t.text.n == 0 || t.text.p[0] == '.' || !fold_domain(name))
		return lex_error(
		    e, &t.pos, "\"%s\" is not a host name", VIS(t.text));
	*(const char **)at = name;
	return 0;
}

static int
read_workers(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	struct lex_token t;

	if (lex_peek(r->lex, &t, e) < 0)
		return -1;
	if (!lex_is(&t, "auto"))
		return setting_read_count(r, s, key, at, e);
	*(unsigned *)at = cores < 1 ? 1 : cores > 256 ? 256 : (unsigned)cores;
	return lex_next(r->lex, &t, e);
}

static int
read_control(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	static const struct pn_str unix_ = PN_STR("unix:/");
	struct lex_token t;

	(void)s;
	if (setting_value(r, key, &t, e) < 0)
		return -1;
	/* sun_path holds 108 bytes with its NUL. */
	if (!pn_str_starts(t.text, unix_) || t.text.n - 5 > 107)
		return lex_error(e, &t.pos,
		    "\"%s\" is not unix:/PATH of at most 107 bytes",
		    VIS(t.text));
	*(const char **)at = setting_text(r, pn_str_sub(t.text, 5, t.text.n));
	return 0;
}

static void
print_control(const void *at, struct buf *b)
{
	(void)buf_puts(b, "unix:");
	setting_print_word(at, b);
}

/* libunbound writes 127.0.0.1@5353, operators 127.0.0.1:5353. */
static int
read_resolver(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	struct sockaddr_storage addr;
	socklen_t n;
	struct lex_token t;
	const char *wrong;
	char text[ENDPOINT_TEXT_MAX], *colon;

	(void)s;
	if (setting_value(r, key, &t, e) < 0)
		return -1;
	wrong = endpoint_parse_default(t.text, 53, &addr, &n);
	if (wrong != NULL)
		return lex_error(e, &t.pos, "\"%s\" %s", VIS(t.text), wrong);
	(void)endpoint_text(&addr, text);
	colon = strrchr(text, ':');
	*colon = '@';
	if (text[0] == '[') {
		memmove(colon - 1, colon, strlen(colon) + 1);
		memmove(text, text + 1, strlen(text));
	}
	*(const char **)at = setting_text(r, pn_str_of(text));
	return 0;
}

static void
print_resolver(const void *at, struct buf *b)
{
	const char *s = *(const char *const *)at;
	int host;

	if (s == NULL)
		return;
	host = (int)(strrchr(s, '@') - s);
	(void)buf_printf(
	    b, strchr(s, ':') ? "[%.*s]:%s" : "%.*s:%s", host, s, s + host + 1);
}

static int
read_log(struct reader *r, const struct setting *s, const struct lex_token *key,
    void *at, struct error *e)
{
	static const char *const facilities[] = { "mail", "daemon", "local0",
		"local1", "local2", "local3", "local4", "local5", "local6",
		"local7", NULL };
	struct lex_token t;
	const char *target;
	unsigned place;

	(void)s;
	if (setting_value(r, key, &t, e) < 0)
		return -1;
	if (pn_str_eq(t.text, PN_STR_V("syslog"))) {
		if (setting_value(r, key, &t, e) < 0 ||
		    one_of(&t, facilities, "syslog facility", &place, e) < 0)
			return -1;
		target = arena_printf(r->arena, "syslog %s", facilities[place]);
		must(target != NULL);
	} else if (pn_str_eq(t.text, PN_STR_V("stderr")) ||
		   pn_str_starts(t.text, PN_STR_V("/"))) {
		target = setting_text(r, t.text);
	} else {
		return lex_error(e, &t.pos,
		    "a log is stderr, syslog FACILITY or /PATH, not \"%s\"",
		    VIS(t.text));
	}
	*(const char **)at = target;
	return 0;
}

static void
print_log(const void *at, struct buf *b)
{
	const char *s = *(const char *const *)at;

	if (strncmp(s, "syslog ", 7) == 0)
		(void)buf_puts(b, s);
	else
		setting_print_word(at, b);
}

static const char *const levels[] = { [LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
	NULL };

static int
read_level(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	struct lex_token t;

	(void)s;
	if (setting_value(r, key, &t, e) < 0)
		return -1;
	return one_of(&t, levels, "log level", at, e);
}

static void
print_level(const void *at, struct buf *b)
{
	(void)buf_puts(b, levels[*(const unsigned *)at]);
}

/* ---- upstreams ---- */

static const char *const identities[] = { [IDENTITY_NONE] = "none",
	[IDENTITY_XCLIENT] = "xclient",
	[IDENTITY_XFORWARD] = "xforward",
	NULL };

static int
read_server(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	struct smtp_upstream *u = at;
	struct lex_token t;
	const char *wrong;

	(void)s;
	if (setting_value(r, key, &t, e) < 0)
		return -1;
	wrong = endpoint_parse(t.text, &u->addr, &u->addr_len);
	if (wrong == NULL && t.text.p[0] == '*')
		wrong = "is not an address to connect to";
	if (wrong != NULL)
		return lex_error(e, &t.pos, "\"%s\" %s", VIS(t.text), wrong);
	u->server = setting_text(r, t.text);
	return 0;
}

static int
read_deliver(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	if (lex_expect(r->lex, "maildir", e) < 0)
		return -1;
	return setting_read_path(
	    r, s, key, &((struct smtp_upstream *)at)->maildir, e);
}

static int
read_identity(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	struct lex_token t;
	unsigned place;

	(void)s;
	if (setting_value(r, key, &t, e) < 0 ||
	    one_of(&t, identities, "identity", &place, e) < 0)
		return -1;
	((struct smtp_upstream *)at)->identity = (enum smtp_identity)place;
	return 0;
}

static const struct setting upstream_table[] = {
	{ "server", read_server, NULL, 0, NULL, NULL, NULL, 0 },
	{ "deliver", read_deliver, NULL, 0, NULL, NULL, NULL, 0 },
	{ "identity", read_identity, NULL, 0, NULL, NULL, NULL, 0 },
	{ "connect_timeout", setting_read_duration, setting_print_duration,
	    IN_UPSTREAM(connect_timeout_ms), "30s", "1s", "1h", 0 },
	/* RFC 5321 4.5.3.2 */
	{ "reply_timeout", setting_read_duration, setting_print_duration,
	    IN_UPSTREAM(reply_timeout_ms), "5m", "1s", "1h", 0 },
	{ "data_timeout", setting_read_duration, setting_print_duration,
	    IN_UPSTREAM(data_timeout_ms), "10m", "1s", "1h", 0 },
	{ .name = NULL },
};

static int
check_upstream(const struct smtp_upstream *u, const struct lex_token *name,
    bool has_identity, struct error *e)
{
	if (u->server == NULL && u->maildir == NULL)
		return lex_error(e, &name->pos,
		    "upstream \"%s\" has neither a server nor a deliver line",
		    u->name);
	if (u->server != NULL && u->maildir != NULL)
		return lex_error(e, &name->pos,
		    "upstream \"%s\" has both a server and a deliver line",
		    u->name);
	if (u->server != NULL && !has_identity)
		return lex_error(e, &name->pos,
		    "upstream \"%s\" has no identity line (write xclient, "
		    "xforward or none)",
		    u->name);
	if (u->maildir != NULL && has_identity)
		return lex_error(e, &name->pos,
		    "upstream \"%s\" delivers itself: an identity line tells "
		    "nobody",
		    u->name);
	return 0;
}

static const struct smtp_upstream *
find_upstream(const struct smtp_conf *c, struct pn_str name)
{
	for (size_t i = 0; i < c->n_upstreams; i++)
		if (pn_str_eq(name, pn_str_of(c->upstreams[i].name)))
			return &c->upstreams[i];
	return NULL;
}

static int
read_upstream(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	struct smtp_conf *c = at;
	struct settings_seen seen = { 0 };
	struct smtp_upstream u = { 0 }, *all;
	struct lex_token name;

	(void)s;
	if (setting_value(r, key, &name, e) < 0)
		return -1;
	if (name.kind != LEX_WORD)
		return lex_error(e, &name.pos,
		    "an upstream's name is a word without quotes");
	if (find_upstream(c, name.text) != NULL)
		return lex_error(e, &name.pos,
		    "there is an upstream \"%s\" already", VIS(name.text));
	u.name = setting_text(r, name.text);
	settings_preset(r, upstream_table, &u);
	if (lex_expect(r->lex, "{", e) < 0 ||
	    settings_read(
		r, upstream_table, &seen, "an upstream block", &u, e) < 0 ||
	    check_upstream(&u, &name,
		settings_seen(upstream_table, &seen, "identity"), e) < 0)
		return -1;
	all = setting_grow(r, c->upstreams, c->n_upstreams, sizeof(*all));
	all[c->n_upstreams++] = u;
	c->upstreams = all;
	return 0;
}

/* ---- listeners ---- */

struct listen_block {
	struct smtp_listener listener;
	struct lex_token route;
};

static int
read_route(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	(void)s;
	return setting_value(r, key, &((struct listen_block *)at)->route, e);
}

/* from NET ... xforward|xclient */
static int
read_identity_from(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	struct smtp_listener *l = &((struct listen_block *)at)->listener;
	struct lex_token t;
	unsigned place;

	(void)s;
	if (lex_expect(r->lex, "from", e) < 0)
		return -1;
	for (;;) {
		struct smtp_net *nets;

		if (setting_value(r, key, &t, e) < 0)
			return -1;
		if (t.text.n > 0 && t.text.p[0] == 'x')
			break;
		nets = setting_grow(
		    r, l->identity_from, l->n_identity_from, sizeof(*nets));
		if (parse_net(&t, &nets[l->n_identity_from++], e) < 0)
			return -1;
		l->identity_from = nets;
	}
	if (l->n_identity_from == 0)
		return lex_error(e, &t.pos,
		    "identity from whom? An address or network must stand "
		    "here");
	if (one_of(&t, identities, "identity", &place, e) < 0)
		return -1;
	l->identity_by = (enum smtp_identity)place;
	return 0;
}

static const struct setting listen_table[] = {
	{ "upstream", read_route, NULL, 0, NULL, NULL, NULL, 0 },
	{ "identity", read_identity_from, NULL, 0, NULL, NULL, NULL, 0 },
	{ .name = NULL },
};

static int
listen_address(struct reader *r, const struct lex_token *t,
    struct smtp_listener *l, struct error *e)
{
	const struct smtp_conf *c = &r->conf->smtp;
	const char *wrong = endpoint_parse(t->text, &l->addr, &l->addr_len);

	if (wrong != NULL)
		return lex_error(e, &t->pos, "\"%s\" %s", VIS(t->text), wrong);
	l->name = setting_text(r, t->text);
	/* Port 0 is another free port each time. */
	if (pn_str_ends(t->text, PN_STR_V(":0")))
		return 0;
	for (size_t i = 0; i < c->n_listeners; i++)
		if (memcmp(&c->listeners[i].addr, &l->addr, sizeof(l->addr)) ==
		    0)
			return lex_error(e, &t->pos,
			    "there is a listener on %s already", l->name);
	return 0;
}

static int
read_listen(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	static const char *const protocols[] = { "smtp", NULL };
	struct smtp_conf *c = at;
	struct settings_seen seen = { 0 };
	struct listen_block block = { 0 };
	struct lex_token t, address;
	struct smtp_listener *all;
	unsigned place;

	(void)s;
	if (setting_value(r, key, &t, e) < 0 ||
	    one_of(&t, protocols, "protocol", &place, e) < 0 ||
	    setting_value(r, key, &address, e) < 0 ||
	    listen_address(r, &address, &block.listener, e) < 0 ||
	    lex_expect(r->lex, "{", e) < 0 ||
	    settings_read(r, listen_table, &seen, "a listen block", &block, e) <
		0)
		return -1;
	if (!settings_seen(listen_table, &seen, "upstream"))
		return lex_error(e, &address.pos,
		    "listener %s has no upstream line", block.listener.name);
	all = setting_grow(r, c->listeners, c->n_listeners, sizeof(*all));
	r->routes =
	    setting_grow(r, r->routes, c->n_listeners, sizeof(*r->routes));
	r->routes[c->n_listeners] = block.route;
	all[c->n_listeners++] = block.listener;
	c->listeners = all;
	return 0;
}

/* ---- files ---- */

static int read_file(struct reader *, const char *path, struct error *e);

static int
read_include(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	struct lex_token t;
	const char *path, *folder = setting_folder(r);

	(void)s;
	(void)at;
	if (setting_value(r, key, &t, e) < 0 || lex_expect(r->lex, ";", e) < 0)
		return -1;
	if (r->depth == CONFIG_INCLUDE_DEPTH)
		return lex_error(e, &key->pos,
		    "files include one another more than %d deep",
		    CONFIG_INCLUDE_DEPTH);
	if (t.text.n == 0)
		return lex_error(e, &t.pos, "include what?");
	path =
	    t.text.p[0] == '/' || strcmp(folder, ".") == 0
		? setting_text(r, t.text)
		: arena_printf(r->arena, "%s/%.*s", folder, PN_STR_ARG(t.text));
	must(path != NULL);
	if (access(path, R_OK) < 0)
		return lex_error(e, &t.pos, "cannot read %s: %m", path);
	return read_file(r, path, e);
}

static const struct setting top_table[] = {
	{ "hostname", read_hostname, setting_print_word, IN(smtp.hostname),
	    NULL, NULL, NULL, 0 },
	{ "user", setting_read_word, setting_print_word, IN(daemon.user),
	    "postern", NULL, NULL, 0 },
	{ "inspect_user", setting_read_word, setting_print_word,
	    IN(daemon.inspect_user), "postern-inspect", NULL, NULL, 0 },
	{ "keeper_user", setting_read_word, setting_print_word,
	    IN(daemon.keeper_user), "postern-keeper", NULL, NULL, 0 },
	{ "workers", read_workers, setting_print_count, IN(daemon.workers),
	    "auto", "1", "256", 0 },
	{ "mynetworks", read_networks, print_networks, IN(smtp),
	    "127.0.0.0/8 [::1]/128;", NULL, NULL, 0 },
	{ "relay_domains", read_domains, print_domains, IN(smtp), NULL, NULL,
	    NULL, 0 },
	{ "message_size_limit", setting_read_size, setting_print_size,
	    IN(smtp.message_size_limit), "50M", "64K", "1G", 0 },
	/* RFC 5321 4.5.3.1.8: at least 100 */
	{ "recipient_limit", setting_read_count, setting_print_count,
	    IN(smtp.recipient_limit), "1000", "100", "50000", 0 },
	{ "connection_limit", setting_read_count, setting_print_count,
	    IN(smtp.connection_limit), "10000", "1", "1000000", 0 },
	{ "client_connection_limit", setting_read_count, setting_print_count,
	    IN(smtp.client_connection_limit), "50", "1", "1000000", 0 },
	{ "error_limit", setting_read_count, setting_print_count,
	    IN(smtp.error_limit), "20", "1", "1000000", 0 },
	{ "junk_command_limit", setting_read_count, setting_print_count,
	    IN(smtp.junk_command_limit), "100", "1", "1000000", 0 },
	{ "command_timeout", setting_read_duration, setting_print_duration,
	    IN(smtp.command_timeout_ms), "5m", "1s", "1h", 0 },
	{ "data_timeout", setting_read_duration, setting_print_duration,
	    IN(smtp.data_timeout_ms), "3m", "1s", "1h", 0 },
	{ "hold_noop", setting_read_duration, setting_print_duration,
	    IN(smtp.hold_noop_ms), "60s", "1s", "1h", 0 },
	{ "drain_timeout", setting_read_duration, setting_print_duration,
	    IN(daemon.drain_timeout_ms), "5m", "100ms", "1d", 0 },
	{ "inspect_deadline", setting_read_duration, setting_print_duration,
	    IN(inspect.deadline_ms), "10s", "100ms", "10m", 0 },
	{ "inspect_memory", setting_read_size, setting_print_size,
	    IN(inspect.max_memory), "1G", "64M", NULL, 0 },
	{ "spool", setting_read_path, setting_print_word, IN(spool.dir),
	    "/var/spool/postern", NULL, NULL, 0 },
	{ "spool_memory", setting_read_size, setting_print_size,
	    IN(spool.max_memory), "1M", "0", "1G", 0 },
	{ "state", setting_read_path, setting_print_word, IN(keeper.state_dir),
	    "/var/lib/postern", NULL, NULL, 0 },
	{ "control", read_control, print_control, IN(daemon.control),
	    "unix:/run/postern/control", NULL, NULL, 0 },
	{ "dns", read_resolver, print_resolver, IN(engine.dns_server), NULL,
	    NULL, NULL, 0 },
	{ "dns_timeout", setting_read_duration, setting_print_duration,
	    IN(engine.dns_timeout_ms), "5s", "100ms", "5m", 0 },
	{ "log", read_log, print_log, IN(daemon.log_target), "stderr", NULL,
	    NULL, 0 },
	{ "log_level", read_level, print_level, IN(daemon.log_level), "info",
	    NULL, NULL, 0 },
	{ "enforce", setting_read_yesno, setting_print_yesno,
	    IN(engine.enforce), "yes", NULL, NULL, 0 },
	{ "trace_accept_percent", setting_read_count, setting_print_count,
	    IN(engine.trace_accept_percent), "1", "0", "100", 0 },
	{ "upstream", read_upstream, NULL, IN(smtp), NULL, NULL, NULL,
	    SETTING_REPEATS | SETTING_CLOSED },
	{ "listen", read_listen, NULL, IN(smtp), NULL, NULL, NULL,
	    SETTING_REPEATS | SETTING_CLOSED },
	{ "include", read_include, NULL, 0, NULL, NULL, NULL,
	    SETTING_REPEATS | SETTING_CLOSED },
	{ .name = NULL },
};

/* The text stays in the arena: tokens and positions point into it. */
static int
load(struct reader *r, const char *path, struct pn_str *text, struct error *e)
{
	struct buf b = { 0 };

	if (io_slurp(path, CONFIG_TEXT_MAX - r->text_bytes, &b, e) < 0) {
		buf_fini(&b);
		return -1;
	}
	r->text_bytes += buf_len(&b);
	*text = arena_str(r->arena, buf_str(&b));
	buf_fini(&b);
	must(text->p != NULL);
	return 0;
}

static int
read_file(struct reader *r, const char *path, struct error *e)
{
	struct lex l, *outer = r->lex;
	struct pn_str text;
	int done;

	if (load(r, path, &text, e) < 0)
		return -1;
	lex_init(&l, setting_text(r, pn_str_of(path)), text);
	r->lex = &l;
	r->depth++;
	done = settings_read(r, top_table, &r->seen, NULL, r->conf, e);
	r->depth--;
	r->lex = outer;
	return done;
}

/* ---- what must hold once all is read ---- */

static int
no_upstream(
    const struct smtp_conf *c, const struct lex_token *name, struct error *e)
{
	struct suggest near = suggest_for(name->text);
	char text[96];

	for (size_t i = 0; i < c->n_upstreams; i++)
		suggest_try(&near, pn_str_of(c->upstreams[i].name));
	return lex_error(e, &name->pos, "there is no upstream \"%s\"%s",
	    VIS(name->text), suggest_text(&near, text, sizeof(text)));
}

static int
route_listeners(struct reader *r, struct error *e)
{
	const struct smtp_conf *c = &r->conf->smtp;
	struct smtp_listener *l = (struct smtp_listener *)c->listeners;

	for (size_t i = 0; i < c->n_listeners; i++) {
		const struct lex_token *name = &r->routes[i];

		l[i].upstream = find_upstream(c, name->text);
		if (l[i].upstream == NULL)
			return no_upstream(c, name, e);
		/*
		 * XFORWARD informs a log. To an MTA that hears of clients by
		 * it alone, all the world comes from our own address.
		 */
		if (l[i].upstream->identity == IDENTITY_XFORWARD &&
		    l[i].n_identity_from == 0)
			return lex_error(e, &name->pos,
			    "upstream \"%s\" has identity xforward, so "
			    "listener "
			    "%s needs an \"identity from\" line",
			    l[i].upstream->name, l[i].name);
	}
	return 0;
}

/* NULL-terminated, each once. */
static void
gather_maildirs(struct reader *r)
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

static int
defaults(struct reader *r, struct error *e)
{
	char name[256];

	if (gethostname(name, sizeof(name)) < 0)
		return error_set(e, "gethostname: %m");
	name[sizeof(name) - 1] = '\0';
	r->conf->smtp.hostname = setting_text(r, pn_str_of(name));
	r->conf->keeper.history_days = 30;
	settings_preset(r, top_table, r->conf);
	return 0;
}

int
config_read(struct config *c, struct arena *arena, const char *path,
    const struct config_items *items, struct error *e)
{
	struct reader r = { .conf = c, .arena = arena, .items = items };

	*c = (struct config){ 0 };
	if (defaults(&r, e) < 0 || read_file(&r, path, e) < 0 ||
	    route_listeners(&r, e) < 0)
		return -1;
	gather_maildirs(&r);
	return 0;
}

/* ---- printing ---- */

static void
print_upstream(const struct smtp_upstream *u, struct buf *b)
{
	(void)buf_printf(b, "upstream %s {\n", u->name);
	if (u->maildir != NULL) {
		(void)buf_puts(b, "    deliver maildir ");
		setting_print_word(&u->maildir, b);
		(void)buf_puts(b, ";\n");
	} else {
		(void)buf_printf(b, "    server %s;\n    identity %s;\n",
		    u->server, identities[u->identity]);
	}
	settings_print(upstream_table, "    ", u, b);
	(void)buf_puts(b, "}\n");
}

static void
print_listener(const struct smtp_listener *l, struct buf *b)
{
	char text[ENDPOINT_TEXT_MAX];

	(void)buf_printf(b, "listen smtp %s {\n    upstream %s;\n", l->name,
	    l->upstream->name);
	if (l->n_identity_from > 0) {
		(void)buf_puts(b, "    identity from");
		for (size_t i = 0; i < l->n_identity_from; i++)
			(void)buf_printf(
			    b, " %s", network_text(&l->identity_from[i], text));
		(void)buf_printf(b, " %s;\n", identities[l->identity_by]);
	}
	(void)buf_puts(b, "}\n");
}

void
config_print(const struct config *c, struct buf *b)
{
	settings_print(top_table, "", c, b);
	for (size_t i = 0; i < c->smtp.n_upstreams; i++)
		print_upstream(&c->smtp.upstreams[i], b);
	for (size_t i = 0; i < c->smtp.n_listeners; i++)
		print_listener(&c->smtp.listeners[i], b);
}
