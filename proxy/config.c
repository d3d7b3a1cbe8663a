/*
 * config - see config.h. The table of postern.conf's words, the readers of the
 * few that are more than one plain value, files and includes. Upstreams are
 * read by config_blocks.c, listeners by config_listen.c.
 */
#include "proxy/config.h"

#include <ctype.h>
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
#include "proxy/endpoint.h"

#define IN(member) offsetof(struct config, member)

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
read_networks(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	struct smtp_conf *c = at;

	(void)s;
	c->site.mynetworks = NULL;
	c->site.n_mynetworks = 0;
	return setting_nets(r, key, &c->site.mynetworks, &c->site.n_mynetworks,
	    e);
}

static void
print_networks(const void *at, struct buf *b)
{
	const struct smtp_conf *c = at;

	setting_print_nets(c->site.mynetworks, c->site.n_mynetworks, b);
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
	    setting_grow(r, c->site.relay_domains, c->site.n_relay_domains, sizeof(*all));

	if (t->text.n == 0 || t->text.p[0] == '.' || !fold_domain(domain))
		return lex_error(
		    e, &t->pos, "\"%s\" is not a domain", VIS(t->text));
	all[c->site.n_relay_domains++] = domain;
	c->site.relay_domains = all;
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

	for (size_t i = 0; i < c->site.n_relay_domains; i++)
		(void)buf_printf(b, "%s%s", i ? " " : "", c->site.relay_domains[i]);
}

/* ---- single values with a shape of their own ---- */

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

static void
print_optional_path(const void *at, struct buf *b)
{
	if (*(const char *const *)at != NULL)
		setting_print_word(at, b);
}

/* RFC 5322 3.6.8, but for what nobody should choose. */
static int
read_field_name(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	struct lex_token t;

	(void)s;
	if (setting_value(r, key, &t, e) < 0)
		return -1;
	for (size_t i = 0; i < t.text.n; i++)
		if (!isalnum((unsigned char)t.text.p[i]) && t.text.p[i] != '-')
			t.text.n = 0;
	if (t.text.n == 0 || t.text.n > 64)
		return lex_error(e, &t.pos, "the name of a header field is of "
		    "letters, digits and \"-\", at most 64");
	*(const char **)at = setting_text(r, t.text);
	return 0;
}

static void
print_field_name(const void *at, struct buf *b)
{
	const char *name = *(const char *const *)at;

	(void)buf_puts(b, name ? name : ""); /* no cap; "": not printed */
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
		    setting_one_of(
			&t, facilities, "syslog facility", &place, e) < 0)
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

#define MAP_CHECK_LEAST_MS 100

static int
read_map_check(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	if (setting_read_duration(r, s, key, at, e) < 0)
		return -1;
	if (*(uint64_t *)at > 0 && *(uint64_t *)at < MAP_CHECK_LEAST_MS)
		return lex_error(e, &key->pos,
		    "\"map_check\" must be at least %dms, or 0: never",
		    MAP_CHECK_LEAST_MS);
	return 0;
}

static int
read_level(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	(void)s;
	return setting_choice(r, key, levels, "log level", at, e);
}

static void
print_level(const void *at, struct buf *b)
{
	(void)buf_puts(b, levels[*(const unsigned *)at]);
}

static const char *const bare_words[] = { [BARE_REJECT] = "reject",
	[BARE_NORMALISE] = "normalise", NULL };

static int
read_bare(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	(void)s;
	return setting_choice(r, key, bare_words, "way with bare newlines", at, e);
}

static void
print_bare(const void *at, struct buf *b)
{
	(void)buf_puts(b, bare_words[*(const unsigned *)at]);
}

static const char *const mixed_words[] = { [MIXED_DEFER] = "defer",
	[MIXED_STRICTEST] = "strictest", NULL };

static int
read_mixed(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	(void)s;
	return setting_choice(r, key, mixed_words, "way of mixing", at, e);
}

static void
print_mixed(const void *at, struct buf *b)
{
	(void)buf_puts(b, mixed_words[*(const unsigned *)at]);
}

/* postern | postfix [NAME] | both [NAME] */
static int
read_style(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	static const char *const styles[] = { "postern", "postfix", "both",
		NULL };
	struct daemon_conf *d = at;
	struct lex_token t;
	unsigned place;

	(void)s;
	if (setting_choice(r, key, styles, "log style", &place, e) < 0)
		return -1;
	d->log_own = place != 1;
	d->log_postfix = place == 0 ? NULL : "postfix";
	if (place == 0 || at_end(r, &t, e))
		return 0;
	if (setting_value(r, key, &t, e) < 0)
		return -1;
	d->log_postfix = setting_text(r, t.text);
	/* What the programs that read it take for a name. */
	if (t.text.n == 0 || t.text.n > 32 ||
	    strspn(d->log_postfix, "abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") !=
		t.text.n)
		return lex_error(e, &t.pos, "\"%s\" is no name for a log line",
		    VIS(t.text));
	return 0;
}

static void
print_style(const void *at, struct buf *b)
{
	const struct daemon_conf *d = at;

	if (d->log_postfix == NULL)
		(void)buf_puts(b, "postern");
	else
		(void)buf_printf(b, "%s %s", d->log_own ? "both" : "postfix",
		    d->log_postfix);
}

static int
read_verdicts(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	static const char *const words[] = { "no", "json", NULL };
	unsigned place;

	(void)s;
	if (setting_choice(r, key, words, "form of verdicts", &place, e) < 0)
		return -1;
	*(bool *)at = place == 1;
	return 0;
}

static void
print_verdicts(const void *at, struct buf *b)
{
	(void)buf_puts(b, *(const bool *)at ? "json" : "no");
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
	{ "bare_newline", read_bare, print_bare, IN(smtp.bare_newline), "reject",
	    NULL, NULL, 0 },
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
	{ "map_check", read_map_check, setting_print_duration,
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
	{ "control", read_control, print_control, IN(daemon.control),
	    "unix:/run/postern/control", NULL, NULL, 0 },
	{ "dns", read_resolver, print_resolver, IN(engine.dns_server), NULL,
	    NULL, NULL, 0 },
	{ "trust_anchor", setting_read_path, print_optional_path,
	    IN(engine.trust_anchor), NULL, NULL, NULL, 0 },
	{ "dns_timeout", setting_read_duration, setting_print_duration,
	    IN(engine.dns_timeout_ms), "5s", "100ms", "5m", 0 },
	{ "log", read_log, print_log, IN(daemon.log_target), "stderr", NULL,
	    NULL, 0 },
	{ "log_level", read_level, print_level, IN(daemon.log_level), "info",
	    NULL, NULL, 0 },
	{ "log_style", read_style, print_style, IN(daemon), "postern;", NULL,
	    NULL, 0 },
	{ "log_verdicts", read_verdicts, print_verdicts,
	    IN(engine.log_verdicts), "no", NULL, NULL, 0 },
	{ "enforce", setting_read_yesno, setting_print_yesno,
	    IN(engine.enforce), "yes", NULL, NULL, 0 },
	{ "unavailable_header", read_field_name, print_field_name,
	    IN(engine.unavailable_header), NULL, NULL, NULL, 0 },
	{ "mixed", read_mixed, print_mixed, IN(engine.mixed), "defer", NULL,
	    NULL, 0 },
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
