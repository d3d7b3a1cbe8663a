/* config_values - see config_values.h. */
#include "proxy/config_values.h"

#include <ctype.h>
#include <unistd.h>

#include "base/must.h"
#include "mail/domain.h"
#include "proxy/endpoint.h"

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

int
config_read_networks(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	struct smtp_conf *c = at;

	(void)s;
	c->site.mynetworks = NULL;
	c->site.n_mynetworks = 0;
	return setting_nets(r, key, &c->site.mynetworks, &c->site.n_mynetworks,
	    e);
}

void
config_print_networks(const void *at, struct buf *b)
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

	if (!fold_domain(domain) || !domain_has_labels(domain))
		return lex_error(
		    e, &t->pos, "\"%s\" is not a domain", VIS(t->text));
	all[c->site.n_relay_domains++] = domain;
	c->site.relay_domains = all;
	return 0;
}

int
config_read_domains(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	(void)s;
	(void)at;
	return each_value(r, key, take_domain, e);
}

void
config_print_domains(const void *at, struct buf *b)
{
	const struct smtp_conf *c = at;

	for (size_t i = 0; i < c->site.n_relay_domains; i++)
		(void)buf_printf(b, "%s%s", i ? " " : "", c->site.relay_domains[i]);
}

/* ---- single values with a shape of their own ---- */

int
config_read_hostname(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	struct lex_token t;
	char *name;

	(void)s;
	if (setting_value(r, key, &t, e) < 0)
		return -1;
	name = (char *)setting_text(r, t.text);
	if (!fold_domain(name) || !domain_has_labels(name))
		return lex_error(
		    e, &t.pos, "\"%s\" is not a host name", VIS(t.text));
	*(const char **)at = name;
	return 0;
}

int
config_read_workers(struct reader *r, const struct setting *s,
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

int
config_read_control(struct reader *r, const struct setting *s,
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

void
config_print_control(const void *at, struct buf *b)
{
	(void)buf_puts(b, "unix:");
	setting_print_word(at, b);
}

/* libunbound writes 127.0.0.1@5353, operators 127.0.0.1:5353. */
int
config_read_resolver(struct reader *r, const struct setting *s,
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

void
config_print_resolver(const void *at, struct buf *b)
{
	const char *s = *(const char *const *)at;
	int host;

	if (s == NULL)
		return;
	host = (int)(strrchr(s, '@') - s);
	(void)buf_printf(
	    b, strchr(s, ':') ? "[%.*s]:%s" : "%.*s:%s", host, s, s + host + 1);
}

void
config_print_optional_path(const void *at, struct buf *b)
{
	if (*(const char *const *)at != NULL)
		setting_print_word(at, b);
}

/* RFC 5322 3.6.8, but for what nobody should choose. */
int
config_read_field_name(struct reader *r, const struct setting *s,
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

void
config_print_field_name(const void *at, struct buf *b)
{
	const char *name = *(const char *const *)at;

	(void)buf_puts(b, name ? name : ""); /* no cap; "": not printed */
}

int
config_read_log(struct reader *r, const struct setting *s, const struct lex_token *key,
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

void
config_print_log(const void *at, struct buf *b)
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

int
config_read_map_check(struct reader *r, const struct setting *s,
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

int
config_read_level(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	(void)s;
	return setting_choice(r, key, levels, "log level", at, e);
}

void
config_print_level(const void *at, struct buf *b)
{
	(void)buf_puts(b, levels[*(const unsigned *)at]);
}

static const char *const bare_words[] = { [BARE_REJECT] = "reject",
	[BARE_NORMALISE] = "normalise", NULL };

int
config_read_bare(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	(void)s;
	return setting_choice(r, key, bare_words, "way with bare newlines", at, e);
}

void
config_print_bare(const void *at, struct buf *b)
{
	(void)buf_puts(b, bare_words[*(const unsigned *)at]);
}

static const char *const mixed_words[] = { [MIXED_DEFER] = "defer",
	[MIXED_STRICTEST] = "strictest", NULL };

int
config_read_mixed(struct reader *r, const struct setting *s,
    const struct lex_token *key, void *at, struct error *e)
{
	(void)s;
	return setting_choice(r, key, mixed_words, "way of mixing", at, e);
}

void
config_print_mixed(const void *at, struct buf *b)
{
	(void)buf_puts(b, mixed_words[*(const unsigned *)at]);
}

/* postern | postfix [NAME] | both [NAME] */
int
config_read_style(struct reader *r, const struct setting *s,
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

void
config_print_style(const void *at, struct buf *b)
{
	const struct daemon_conf *d = at;

	if (d->log_postfix == NULL)
		(void)buf_puts(b, "postern");
	else
		(void)buf_printf(b, "%s %s", d->log_own ? "both" : "postfix",
		    d->log_postfix);
}

int
config_read_verdicts(struct reader *r, const struct setting *s,
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

void
config_print_verdicts(const void *at, struct buf *b)
{
	(void)buf_puts(b, *(const bool *)at ? "json" : "no");
}
