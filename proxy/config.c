/*
 * config - see config.h. The table of postern.conf's words, files and includes.
 * Values that are more than one plain word are read by config_values.c, upstreams
 * by config_blocks.c, listeners by config_listen.c.
 */
#include "proxy/config.h"

#include <unistd.h>

#include "base/io.h"
#include "base/must.h"
#include "proxy/config_blocks.h"
#include "proxy/config_keeper.h"
#include "proxy/config_limits.h"
#include "proxy/config_listen.h"
#include "proxy/config_loop.h"
#include "proxy/config_milter.h"
#include "proxy/config_route.h"
#include "proxy/config_tls.h"
#include "proxy/config_values.h"

#define IN(member) offsetof(struct config, member)

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
	{ "hostname", config_read_hostname, setting_print_word,
	    IN(smtp.hostname), NULL, NULL, NULL, 0 },
	{ "user", setting_read_word, setting_print_word, IN(daemon.user),
	    "postern", NULL, NULL, 0 },
	{ "inspect_user", setting_read_word, setting_print_word,
	    IN(daemon.inspect_user), "postern-inspect", NULL, NULL, 0 },
	{ "keeper_user", setting_read_word, setting_print_word,
	    IN(daemon.keeper_user), "postern-keeper", NULL, NULL, 0 },
	{ "workers", config_read_workers, setting_print_count,
	    IN(daemon.workers), "auto", "1", "256", 0 },
	{ "mynetworks", config_read_networks, config_print_networks,
	    IN(smtp), "127.0.0.0/8 [::1]/128;", NULL, NULL, 0 },
	{ "relay_domains", config_read_domains, config_print_domains,
	    IN(smtp), NULL, NULL, NULL, 0 },
	{ "message_size_limit", setting_read_size, setting_print_size,
	    IN(smtp.message_size_limit), "50M", "64K", "1G", 0 },
	{ "bare_newline", config_read_bare, config_print_bare,
	    IN(smtp.bare_newline), "reject", NULL, NULL, 0 },
	/* RFC 5321 4.5.3.1.8: at least 100 */
	{ "recipient_limit", setting_read_count, setting_print_count,
	    IN(smtp.recipient_limit), "1000", "100", "50000", 0 },
	{ "connection_limit", setting_read_count, setting_print_count,
	    IN(smtp.connection_limit), "10000", "1", "1000000", 0 },
	{ "client_connection_limit", setting_read_count, setting_print_count,
	    IN(smtp.client_connection_limit), "50", "1", "1000000", 0 },
	{ "client_ipv4_prefix_length", setting_read_count, setting_print_count,
	    IN(smtp.limits.ipv4_bits), "32", "8", "32", 0 },
	{ "client_ipv6_prefix_length", setting_read_count, setting_print_count,
	    IN(smtp.limits.ipv6_bits), "64", "16", "128", 0 },
	{ "limit_exceptions", config_read_exceptions, config_print_exceptions,
	    IN(smtp.limits), NULL, NULL, NULL, 0 },
	{ "rate_time_unit", setting_read_duration, setting_print_duration,
	    IN(smtp.limits.rate_unit_ms), "60s", "1s", "1d", 0 },
	{ "client_connection_rate_limit", setting_read_count,
	    setting_print_count, IN(smtp.limits.rates[RATE_CONNECTIONS]), "0",
	    NULL, "1000000", 0 },
	{ "client_message_rate_limit", setting_read_count,
	    setting_print_count, IN(smtp.limits.rates[RATE_MESSAGES]), "0",
	    NULL, "1000000", 0 },
	{ "client_recipient_rate_limit", setting_read_count,
	    setting_print_count, IN(smtp.limits.rates[RATE_RECIPIENTS]), "0",
	    NULL, "1000000", 0 },
	{ "client_auth_rate_limit", setting_read_count, setting_print_count,
	    IN(smtp.limits.rates[RATE_AUTH]), "0", NULL, "1000000", 0 },
	{ "client_new_tls_session_rate_limit", setting_read_count,
	    setting_print_count, IN(smtp.limits.rates[RATE_TLS]), "0", NULL,
	    "1000000", 0 },
	{ "client_command_rate_limit", setting_read_count,
	    setting_print_count, IN(smtp.limits.rates[RATE_COMMANDS]), "0",
	    NULL, "1000000", 0 },
	{ "recipient_overshoot_limit", setting_read_count, setting_print_count,
	    IN(smtp.limits.overshoot), "1000", NULL, "1000000", 0 },
	{ "soft_error_limit", setting_read_count, setting_print_count,
	    IN(smtp.limits.soft_errors), "10", NULL, "1000000", 0 },
	{ "error_sleep_time", setting_read_duration, setting_print_duration,
	    IN(smtp.limits.error_sleep_ms), "1s", NULL, "1m", 0 },
	{ "error_limit", setting_read_count, setting_print_count,
	    IN(smtp.error_limit), "20", "1", "1000000", 0 },
	{ "greet_wait", setting_read_duration, setting_print_duration,
	    IN(smtp.limits.greet_wait_ms), "0", NULL, "1m", 0 },
	{ "pregreet", config_read_pregreet, config_print_pregreet,
	    IN(smtp.limits), "drop", NULL, NULL, 0 },
	{ "memory_limit", setting_read_size, setting_print_size,
	    IN(smtp.limits.memory), "1G", NULL, NULL, 0 },
	{ "session_time_limit", setting_read_duration, setting_print_duration,
	    IN(smtp.limits.session_ms), "0", NULL, "7d", 0 },
	{ "min_data_rate", setting_read_size, setting_print_size,
	    IN(smtp.limits.data_rate), "0", NULL, "1M", 0 },
	{ "min_data_rate_grace", setting_read_duration, setting_print_duration,
	    IN(smtp.limits.data_grace_ms), "30s", NULL, "1h", 0 },
	{ "hopcount_limit", setting_read_count, setting_print_count,
	    IN(smtp.limits.hops), "50", NULL, "10000", 0 },
	{ "header_size_limit", setting_read_size, setting_print_size,
	    IN(smtp.limits.header_size), "1M", NULL, "1G", 0 },
	{ "message_line_limit", setting_read_size, setting_print_size,
	    IN(smtp.limits.line_length), "0", NULL, "1G", 0 },
	{ "junk_command_limit", setting_read_count, setting_print_count,
	    IN(smtp.junk_command_limit), "100", "1", "1000000", 0 },
	{ "command_timeout", setting_read_duration, setting_print_duration,
	    IN(smtp.command_timeout_ms), "5m", "1s", "1h", 0 },
	{ "data_timeout", setting_read_duration, setting_print_duration,
	    IN(smtp.data_timeout_ms), "3m", "1s", "1h", 0 },
	{ "starttls_timeout", setting_read_duration, setting_print_duration,
	    IN(smtp.starttls_timeout_ms), "1m", "1s", "1h", 0 },
	{ "hold_noop", setting_read_duration, setting_print_duration,
	    IN(smtp.hold_noop_ms), "60s", "1s", "1h", 0 },
	{ "drain_timeout", setting_read_duration, setting_print_duration,
	    IN(daemon.drain_timeout_ms), "5m", "100ms", "1d", 0 },
	{ "map_check", config_read_map_check, setting_print_duration,
	    IN(daemon.map_check_ms), "5s", NULL, "1d", 0 },
	{ "inspect_deadline", setting_read_duration, setting_print_duration,
	    IN(inspect.deadline_ms), "10s", "100ms", "10m", 0 },
	{ "pattern_time", setting_read_duration, setting_print_duration,
	    IN(inspect.pattern_time_ms), "5ms", "1ms", "10s", 0 },
	{ "message_time", setting_read_duration, setting_print_duration,
	    IN(inspect.message_time_ms), "250ms", "1ms", "1m", 0 },
	{ "inspect_memory", setting_read_size, setting_print_size,
	    IN(inspect.max_memory), "1G", "64M", NULL, 0 },
	{ "spool", setting_read_path, setting_print_word, IN(spool.dir),
	    "/var/spool/postern", NULL, NULL, 0 },
	{ "spool_memory", setting_read_size, setting_print_size,
	    IN(spool.max_memory), "1M", "0", "1G", 0 },
	{ "spool_memory_all", setting_read_size, setting_print_size,
	    IN(spool.all_memory), "128M", "0", "64G", 0 },
	{ "state", setting_read_path, setting_print_word, IN(keeper.state_dir),
	    "/var/lib/postern", NULL, NULL, 0 },
	{ "metrics", config_read_metrics, config_print_metrics, IN(daemon),
	    NULL, NULL, NULL, 0 },
	{ "quarantine", config_read_class, NULL, IN(keeper.settings), NULL, NULL,
	    NULL, SETTING_REPEATS | SETTING_CLOSED },
	{ "release_retry", config_read_retry, config_print_retry,
	    IN(keeper.settings), "1m 5m 15m 1h 4h;", NULL, NULL, 0 },
	{ "release_life", setting_read_duration, setting_print_duration,
	    IN(keeper.settings.release_life_ms), "2d", "1s", "365d", 0 },
	{ "history_days", setting_read_count, setting_print_count,
	    IN(keeper.settings.history_days), "30", "1", "3650", 0 },
	{ "history_size", setting_read_size, setting_print_size,
	    IN(keeper.settings.history_size), "1G", "0", NULL, 0 },
	{ "history_text", setting_read_yesno, setting_print_yesno,
	    IN(keeper.settings.history_text), "yes", NULL, NULL, 0 },
	{ "control", config_read_control, config_print_control,
	    IN(daemon.control), "unix:/run/postern/control", NULL, NULL, 0 },
	{ "dns", config_read_resolver, config_print_resolver,
	    IN(engine.dns_server), NULL, NULL, NULL, 0 },
	{ "trust_anchor", setting_read_path, config_print_optional_path,
	    IN(engine.trust_anchor), NULL, NULL, NULL, 0 },
	{ "dns_timeout", setting_read_duration, setting_print_duration,
	    IN(engine.dns_timeout_ms), "5s", "100ms", "5m", 0 },
	{ "log", config_read_log, config_print_log, IN(daemon.log_target),
	    "stderr", NULL, NULL, 0 },
	{ "log_level", config_read_level, config_print_level,
	    IN(daemon.log_level), "info", NULL, NULL, 0 },
	{ "log_style", config_read_style, config_print_style, IN(daemon),
	    "postern;", NULL, NULL, 0 },
	{ "log_verdicts", config_read_verdicts, config_print_verdicts,
	    IN(engine.log_verdicts), "no", NULL, NULL, 0 },
	{ "enforce", setting_read_yesno, setting_print_yesno,
	    IN(engine.enforce), "yes", NULL, NULL, 0 },
	{ "unavailable_header", config_read_field_name,
	    config_print_field_name, IN(engine.unavailable_header), NULL, NULL,
	    NULL, 0 },
	{ "mixed", config_read_mixed, config_print_mixed, IN(engine.mixed),
	    "defer", NULL, NULL, 0 },
	{ "trace_accept_percent", setting_read_count, setting_print_count,
	    IN(engine.trace_accept_percent), "1", "0", "100", 0 },
	{ "upstream", config_read_upstream, NULL, IN(smtp), NULL, NULL, NULL,
	    SETTING_REPEATS | SETTING_CLOSED },
	{ "route", config_read_route, NULL, IN(smtp), NULL, NULL, NULL,
	    SETTING_REPEATS | SETTING_CLOSED },
	{ "listen", config_read_listen, NULL, 0, NULL, NULL, NULL,
	    SETTING_REPEATS | SETTING_CLOSED },
	{ "milter", config_read_milter, NULL, IN(engine), NULL, NULL, NULL,
	    SETTING_REPEATS | SETTING_CLOSED },
	{ "module", config_read_module, NULL, 0, NULL, NULL, NULL,
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
	done = settings_read(r, top_table, &r->origins->top, NULL, r->conf, e);
	r->depth--;
	r->lex = outer;
	return done;
}

static int
defaults(struct reader *r, struct error *e)
{
	char name[256];

	if (gethostname(name, sizeof(name)) < 0)
		return error_set(e, "gethostname: %m");
	name[sizeof(name) - 1] = '\0';
	r->conf->smtp.hostname = setting_text(r, pn_str_of(name));
	settings_preset(r, top_table, r->conf);
	return 0;
}

int
config_read(struct config *c, struct arena *arena, const char *path,
    const struct config_items *items, struct error *e)
{
	struct reader r = { .conf = c, .arena = arena, .items = items };

	*c = (struct config){ 0 };
	r.origins = arena_alloc(arena, sizeof(*r.origins));
	must(r.origins != NULL);
	c->origins = r.origins;
	if (defaults(&r, e) < 0 || read_file(&r, path, e) < 0 ||
	    config_resolve_routes(&r, e) < 0 ||
	    config_route_listeners(&r, e) < 0 ||
	    config_refuse_loops(&r, e) < 0 ||
	    config_settle_dane(&r, e) < 0)
		return -1;
	config_gather_maildirs(&r);
	c->milter.hostname = c->smtp.hostname;
	c->milter.message_size_limit = c->smtp.message_size_limit;
	return 0;
}

int
config_log_open(const struct daemon_conf *d)
{
	log_style(d->log_postfix, d->log_own);
	return log_open("posternd", d->log_target,
	    (enum log_level)d->log_level);
}

int
config_defaults(struct config *c, struct arena *arena, struct error *e)
{
	struct reader r = { .conf = c, .arena = arena };

	*c = (struct config){ 0 };
	return defaults(&r, e);
}

void
config_each(const struct config *c, config_take *take, void *arg)
{
	const struct config_origins *o = c->origins;

	settings_each(top_table, o ? &o->top : NULL, NULL, c, take, arg);
	if (o != NULL) {
		config_blocks_each(&c->smtp, o, take, arg);
		config_routes_each(&c->smtp, o, take, arg);
		config_listen_each(c, o, take, arg);
		config_milters_each(&c->engine, o, take, arg);
		config_classes_each(&c->keeper.settings, o, take, arg);
	}
	modules_each(&c->modules, take, arg);
}

static int
wrap(const struct lex_pos *at, struct error *e)
{
	return error_wrap(e, "%s:%u:%u", at->file, at->line, at->column);
}

int
config_wrap(const struct config_origins *o, const char *name, struct error *e)
{
	for (size_t i = 0; top_table[i].name != NULL; i++)
		if (strcmp(top_table[i].name, name) == 0 &&
		    o->top.at[i].line != 0)
			return wrap(&o->top.at[i], e);
	return -1;
}

int
config_wrap_listener(const struct config_origins *o, bool milter, size_t i,
    struct error *e)
{
	return wrap(milter ? &o->milters[i].at : &o->listeners[i].at, e);
}

void
config_print(const struct config *c, struct buf *b)
{
	settings_print(top_table, "", c, b);
	config_blocks_print(&c->smtp, b);
	config_routes_print(&c->smtp, b);
	config_listen_print(c, b);
	config_milters_print(&c->engine, b);
	config_classes_print(&c->keeper.settings, b);
	modules_print(&c->modules, b);
}
