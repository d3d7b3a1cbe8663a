/*
 * policy - see policy.h. Called by main.c, reload.c and postern(1). The order
 * of policy_load() is that of need: facts before rules, rules before what
 * they ask for.
 */
#include "proxy/policy.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/must.h"
#include "base/suggest.h"
#include "proxy/config_milter.h"
#include "filters/builtin.h"
#include "proxy/setting.h"

/* Address space until it is sealed: patterns' text, rules, maps, settings. */
#define POLICY_MAX (256u << 20)

/* Postfix waits 300 s for an answer to the end of a message, Sendmail 300. */
#define MILTER_PROGRESS_MS 10000

static const char *const stages[] = { [STAGE_CONNECT] = "connect",
	[STAGE_HELO] = "helo",
	[STAGE_MAIL] = "mail",
	[STAGE_RCPT] = "rcpt",
	[STAGE_MESSAGE] = "message",
	NULL };
static const char *const item_words[] = { "set", "map", "people", "policy",
	NULL };

static const struct pn_filter *const builtin[] = { PN_BUILTIN_FILTERS };

/* Words of the language whose module is not built in: the error names it. */
static const struct rules_absent absent[] = {
	{ "client.country", "geoip" },
	{ "client.asn", "geoip" },
	{ "spf", "spf" },
	{ "dkim", "dkim" },
	{ "dmarc", "dmarc" },
	{ "arc", "arc" },
	{ "dnsbl", "dnsbl" },
	{ "urlbl", "urlbl" },
	{ "greylist", "greylist" },
	{ "rate", "rate" },
	{ "known-sender", "known-sender" },
	{ "bayes", "bayes" },
	{ "clamd", "clamd" },
	{ "rspamd", "rspamd" },
	{ "spamd", "spamd" },
	{ "icap", "icap" },
	{ "milter", NULL },
	{ "exec", "exec" },
	{ "time", "time" },
	{ "part.macro", "ole" },
	{ "part.active", "active" },
	{ "part.digest", "digest" },
	{ "archive.ratio", "archive" },
	{ "archive.members", "archive" },
	{ "archive.depth", "archive" },
};

/* ---- what rules may ask about ---- */

/* Of ours but one is none; of others' nobody knows. */
static bool
may_be_below_zero(const struct chain *c, const struct chain_fact *f)
{
	if (f->module == CHAIN_CORE)
		return f == &c->facts[FACT_SCORE];
	for (size_t i = 0; i < PN_COUNT(builtin); i++)
		if (builtin[i] == c->modules[f->module].filter)
			return false;
	return true;
}

static struct rules_decl
declaration(const struct chain *c, const struct chain_fact *f)
{
	return (struct rules_decl){ .name = f->name,
		.type = f->type,
		.stage = f->stage,
		.content = f->content,
		.keyed = f->keyed,
		.keys = f->keys,
		.braces = f->braces,
		.many = f->many,
		.below_zero = may_be_below_zero(c, f),
		.module = f->module == CHAIN_CORE
			      ? "core"
			      : c->modules[f->module].filter->name,
		.words = f->words,
		.help = f->help };
}

/* Filled when the modules are known: only compiling looks at the facts. */
static struct rules_decls *
declarations_new(struct arena *arena)
{
	struct rules_decls *d = arena_alloc(arena, sizeof(*d));

	must(d != NULL);
	*d = (struct rules_decls){ .things = thing_names,
		.stages = stages,
		.absent = absent,
		.n_absent = PN_COUNT(absent) };
	return d;
}

static void
declare(struct rules_decls *d, const struct chain *c, struct arena *arena)
{
	struct rules_decl *facts =
	    arena_alloc(arena, c->n_facts * sizeof(*facts));

	must(facts != NULL);
	for (uint32_t i = 0; i < c->n_facts; i++)
		facts[i] = declaration(c, &c->facts[i]);
	d->facts = facts;
	d->n_facts = c->n_facts;
}

/* ---- loading ---- */

static int
parse_item(void *arg, struct lex *l, const char *base_dir, struct error *e)
{
	return rules_parse_item(arg, l, base_dir, e);
}

static int
parse_condition(void *arg, struct lex *l, unsigned *id, struct error *e)
{
	return rules_parse_condition(arg, l, id, e);
}

typedef int item_parse(void *arg, struct lex *, const char *base_dir,
    struct error *);

static int
read_all(struct policy *p, item_parse *parse, void *arg, const char *path,
    struct error *e)
{
	struct config_items items = { .words = item_words,
		.is_item = rules_is_item, .parse = parse,
		.condition = arg != NULL ? parse_condition : NULL, .arg = arg,
		.load_modules = true, .builtin = builtin,
		.n_builtin = PN_COUNT(builtin) };
	struct config c;
	int done = config_read(&c, p->arena, path, &items, e);

	p->modules = c.modules; /* those of a broken file are to be closed, too */
	p->secrets = c.secrets;
	if (done < 0)
		return -1;
	p->daemon = c.daemon;
	p->smtp = c.smtp;
	p->unread = c.unread;
	p->milter = c.milter;
	p->origins = c.origins;
	p->engine = c.engine;
	p->inspect = c.inspect;
	p->keeper = c.keeper;
	p->spool = c.spool;
	if (modules_chain(&p->chain, &p->modules, builtin, PN_COUNT(builtin),
		config_milters_modules(&p->engine, p->arena),
		p->engine.n_milters, p->arena, e) < 0)
		return -1;
	config_milters_find(&p->engine, &p->chain);
	return 0;
}

bool
policy_is_transparent(const struct policy *p)
{
	for (size_t i = 0; i < p->smtp.n_upstreams; i++)
		if (p->smtp.upstreams[i].identity == IDENTITY_TPROXY)
			return true;
	return false;
}

/* PTR look-ups cost the first mail of a client its time: only if wanted. */
static bool
wants_client_name(const struct policy *p)
{
	for (size_t i = 0; i < p->smtp.n_upstreams; i++)
		if (p->smtp.upstreams[i].identity == IDENTITY_XCLIENT ||
		    p->smtp.upstreams[i].identity == IDENTITY_XFORWARD)
			return true;
	return p->engine.n_milters > 0 || /* they are told it at once */
	       rules_uses(p->rules, FACT_CLIENT_NAME) ||
	       rules_uses(p->rules, FACT_CLIENT_FCRDNS);
}

/* What is dear to find out is left out where no rule asks for it. */
static void
note_wanted(struct policy *p)
{
	for (uint32_t i = 0; i < p->chain.n_facts; i++)
		p->chain.facts[i].wanted = rules_uses(p->rules, i);
	for (uint32_t i = 0; i < THINGS; i++)
		p->chain.wanted[i] = rules_counts(p->rules, i);
}

/* Those that the milter door asks the MTA for, because a rule does. */
struct wanted_macros {
	struct arena *arena;
	struct pn_str *names;
	size_t n;
};

static void
take_macro(void *arg, struct pn_str key)
{
	struct wanted_macros *w = arg;

	if (w->names != NULL)
		w->names[w->n] = arena_str(w->arena, key);
	w->n++;
}

static void
note_macros(struct policy *p)
{
	struct wanted_macros w = { .arena = p->arena };

	rules_keys(p->rules, FACT_MACRO, take_macro, &w);
	w.names = arena_alloc(p->arena, (w.n + 1) * sizeof(*w.names));
	must(w.names != NULL);
	w.n = 0;
	rules_keys(p->rules, FACT_MACRO, take_macro, &w);
	p->milter.macros = w.names;
	p->milter.n_macros = w.n;
}

/* ---- routes ---- */

struct map_of_route {
	const struct smtp_conf *conf;
	const char *route;
};

/* What stands behind a key names an upstream. A pattern's may be made of what
 * it found: that is known when mail comes. */
static int
check_entry(void *arg, struct pn_str value, const struct lex_pos *at,
    struct error *e)
{
	const struct map_of_route *m = arg;
	struct pn_str name = pn_str_trim(value);
	struct suggest near = suggest_for(name);
	char text[96];

	if (pn_str_caseeq(name, PN_STR_V("DUNNO")) ||
	    (name.n > 0 && memchr(name.p, '$', name.n) != NULL))
		return 0;
	for (size_t i = 0; i < m->conf->n_upstreams; i++) {
		struct pn_str known = pn_str_of(m->conf->upstreams[i].name);

		if (pn_str_eq(name, known))
			return 0;
		suggest_try(&near, known);
	}
	return lex_error(e, at,
	    "route \"%s\" uses this map, and there is no upstream \"%s\"%s",
	    m->route, VIS(name), suggest_text(&near, text, sizeof(text)));
}

static bool
is_map_of_route(const void *arg, struct pn_str map)
{
	const struct smtp_conf *c = arg;

	for (size_t i = 0; i < c->n_routes; i++)
		for (size_t k = 0; k < c->routes[i].n_maps; k++)
			if (pn_str_eq(map, pn_str_of(c->routes[i].maps[k])))
				return true;
	return false;
}

/* The maps that routes name exist, and name upstreams. */
static int
check_routes(const struct policy *p, struct error *e)
{
	for (size_t i = 0; i < p->smtp.n_routes; i++) {
		const struct smtp_route *route = &p->smtp.routes[i];
		struct map_of_route m = { &p->smtp, route->name };
		struct error why = { 0 };

		for (size_t k = 0; k < route->n_maps; k++)
			if (rules_map_each(p->rules, pn_str_of(route->maps[k]),
				check_entry, &m, &why) < 0)
				return strchr(why.text, '\n') != NULL
				    ? error_set(e, "%s", why.text)
				    : lex_error(e,
					  &p->origins->routes[i].maps[k], "%s",
					  why.text);
	}
	return 0;
}

static int
connect_parts(struct policy *p, struct error *e)
{
	if (check_routes(p, e) < 0)
		return -1;
	note_wanted(p);
	note_macros(p);
	p->engine.chain = p->inspect.chain = &p->chain;
	p->engine.rules = p->inspect.rules = p->rules;
	p->engine.site = p->smtp.site;
	p->milter.engine = &p->engine;
	p->milter.progress_ms = MILTER_PROGRESS_MS;
	p->engine.ask_client_name = wants_client_name(p);
	p->inspect.limits = view_limits_default;
	p->inspect.charsets = charsets_open();
	p->keeper.control_uid = geteuid();
	return engine_needs_find(&p->engine.needs, &p->engine, p->arena, e);
}

static int
compile(struct policy *p, const char *path, struct error *e)
{
	struct rules_decls *decls = declarations_new(p->arena);
	struct rules_builder *b = rules_builder_new(p->arena, decls);
	int done = read_all(p, parse_item, b, path, e);

	if (done == 0) {
		declare(decls, &p->chain, p->arena);
		p->rules = rules_compile(b, e);
		done = p->rules == NULL ? -1 : 0;
	}
	rules_builder_free(b);
	return done == 0 ? connect_parts(p, e) : done;
}

static struct policy *
policy_new(void)
{
	struct arena *arena = arena_new_mapped(POLICY_MAX);
	struct policy *p = arena_alloc(arena, sizeof(*p));

	must(p != NULL);
	p->arena = arena;
	return p;
}

const struct policy *
policy_load(const char *path, struct error *e)
{
	struct policy *p = policy_new();

	if (compile(p, path, e) < 0) {
		policy_free(p);
		return NULL;
	}
	if (p->secrets != NULL) {
		arena_seal(p->secrets);
		arena_bequeath(p->secrets, false);
	}
	arena_seal(p->arena);
	return p;
}

const struct policy *
policy_load_facts(const char *path, item_parse *skip, struct error *e)
{
	struct policy *p = policy_new();

	if (read_all(p, skip, NULL, path, e) == 0)
		return p;
	policy_free(p);
	return NULL;
}

void
policy_free(const struct policy *p)
{
	if (p == NULL)
		return;
	if (p->rules != NULL)
		rules_free(p->rules);
	charsets_close(p->inspect.charsets);
	modules_close(&p->modules);
	arena_free(p->secrets);
	arena_free(p->arena);
}

/* ---- what settings and rules mean together ---- */

static void
note_quarantine(void *arg, const struct rules_use *u)
{
	if (u->kind == RULES_USE_ACTION && u->action == RULES_QUARANTINE)
		*(bool *)arg = true;
}

static bool
may_quarantine(const struct policy *p)
{
	bool found = false;

	for (unsigned i = 0; i < rules_policies(p->rules); i++)
		rules_each_use(p->rules, i, note_quarantine, &found);
	return found;
}

/* As rules_lint(): warnings into *b, and how many. */
static size_t
lint_listeners(const struct policy *p, struct buf *b)
{
	const struct milter_conf *c = &p->milter;
	bool holds = c->n_listeners > 0 && may_quarantine(p);
	struct error e;
	size_t n = 0;

	for (size_t i = 0; holds && i < c->n_listeners; i++) {
		if (c->listeners[i].upstream[0] != '\0')
			continue;
		(void)lex_error(&e, &p->origins->milters[i].at,
		    "warning: rules quarantine, and what comes in here cannot "
		    "be released: there is no \"upstream\" for it to go to");
		(void)buf_printf(b, "%s\n", e.text);
		n++;
	}
	return n;
}

/* The MTA asks its milters itself, and without the proxy there is nobody. */
static size_t
lint_milters(const struct policy *p, struct buf *b)
{
	struct error e;

	if (p->engine.n_milters == 0 ||
	    (p->milter.n_listeners == 0 && p->smtp.n_listeners > 0))
		return 0;
	(void)lex_error(&e, &p->origins->peers[0].at,
	    p->smtp.n_listeners == 0
		? "warning: milters are asked for mail of \"listen smtp\", "
		  "and there is none"
		: "warning: milters are asked for mail of \"listen smtp\" "
		  "alone: what comes in by \"listen milter\" they do not see");
	(void)buf_printf(b, "%s\n", e.text);
	return 1;
}

/* "x@example.com" and "example.com"; of ".example.com" nobody knows which. */
static bool
is_taken(const struct site *site, const char *key)
{
	const char *at = strrchr(key, '@');

	return key[0] == '.' ||
	    site_has_domain(site, pn_str_of(at != NULL ? at + 1 : key));
}

/* What ends in a mailbox is taken for relay_domains alone. */
static size_t
lint_route(const struct policy *p, size_t i, struct buf *b)
{
	const struct smtp_route *route = &p->smtp.routes[i];
	struct error e;
	size_t n = 0;

	for (size_t k = 0; k < route->n_lines; k++) {
		const struct smtp_route_line *line = &route->lines[k];

		if (!line->upstream->delivers ||
		    is_taken(&p->smtp.site, line->key))
			continue;
		(void)lex_error(&e, &p->origins->routes[i].lines[k],
		    "warning: mail for \"%s\" is refused: upstream \"%s\" "
		    "takes that of relay_domains alone", line->key,
		    line->upstream->name);
		(void)buf_printf(b, "%s\n", e.text);
		n++;
	}
	return n;
}

static size_t
lint_relaying(const struct policy *p, struct buf *b)
{
	const struct smtp_conf *c = &p->smtp;
	struct error e;
	size_t n = 0;

	for (size_t i = 0; i < c->n_routes; i++)
		n += lint_route(p, i, b);
	for (size_t i = 0; i < c->n_listeners; i++) {
		const struct smtp_upstream *u = c->listeners[i].upstream;

		if (u == NULL || !u->delivers || c->site.n_relay_domains > 0)
			continue;
		(void)lex_error(&e, &p->origins->listeners[i].at,
		    "warning: all mail is refused here: upstream \"%s\" takes "
		    "that of relay_domains alone, and there are none", u->name);
		(void)buf_printf(b, "%s\n", e.text);
		n++;
	}
	return n;
}

void
policy_describe(const struct policy *p, struct buf *b)
{
	struct config c = { .daemon = p->daemon,
		.smtp = p->smtp,
		.milter = p->milter,
		.engine = p->engine,
		.inspect = p->inspect,
		.keeper = p->keeper,
		.spool = p->spool,
		.modules = p->modules };
	size_t n;

	config_print(&c, b);
	(void)buf_puts(b, "\n");
	rules_describe(p->rules, b);
	n = lint_listeners(p, b);
	n += lint_milters(p, b);
	n += lint_relaying(p, b);
	n += policy_warn(p, b);
	n += rules_lint(p->rules, p->milter.n_listeners > 0, is_map_of_route,
	    &p->smtp, b);
	(void)buf_printf(b, "%zu warning%s\n", n, n == 1 ? "" : "s");
}
