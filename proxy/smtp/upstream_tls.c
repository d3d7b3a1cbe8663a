/*
 * upstream_tls - TLS towards a next hop, by its upstream's level. Called by the
 * other files of upstream. RFC 3207, 8314, 7672.
 *
 *   BANNER -> EHLO -> STARTTLS -> HANDSHAKE -> EHLO ...
 *   HANDSHAKE -> BANNER -> EHLO ...                       (wrapped)
 *
 * What it announced in clear is forgotten, and a byte in clear behind its
 * "220 go ahead" is somebody else's: the connection ends there. Level `may`
 * goes on in clear where there is no TLS, and dials anew where a handshake
 * broke the connection; every other level says nothing of a mail then.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "smtp/door.h"
#include "smtp/tls.h"
#include "smtp/upstream_inside.h"

static const struct tls_next *
conf_of(const struct upstream *u)
{
	return &u->conf.hop->conf->tls;
}

/* What DNS says, where that is what is asked. */
static enum tls_level
level_of(const struct upstream *u)
{
	return conf_of(u)->level == TLS_DANE ? u->dane.level
					   : conf_of(u)->level;
}

const char *
upstream_tls_host(const struct upstream *u, char *out, size_t size)
{
	return tls_next_name(
	    conf_of(u), u->server->host, u->server->name, out, size);
}

void
upstream_fail_tls(struct upstream *u, const char *status, const char *why)
{
	if (upstream_is_news(u))
		log_error(u->id, "tls",
		    "upstream=%s server=%s result=failed why=\"%s\"",
		    u->conf.hop->conf->name, u->server->name, why);
	server_failed(u->server, loop_now_ms(u->conf.loop) - u->dialled_ms, why);
	upstream_fail(u, status,
	    strcmp(status, "4.7.4") == 0
		? PN_STR_V("The next hop does not offer the encryption that is "
			   "required")
		: PN_STR_V("TLS with the next hop failed"),
	    why);
}

/* ---- without ---- */

static bool
may_do_without(struct upstream *u)
{
	return level_of(u) == TLS_MAY && !conf_of(u)->wrapped;
}

static void
do_without(struct upstream *u, const char *why)
{
	if (!may_do_without(u)) {
		upstream_fail_tls(u, "4.7.4", why);
		return;
	}
	log_debug(u->id, "tls", "upstream=%s server=%s result=clear why=\"%s\"",
	    u->conf.hop->conf->name, u->server->name, why);
	upstream_identify(u);
}

/* ---- the handshake ---- */

void
upstream_tls_begin(struct upstream *u)
{
	const char *name = upstream_dane_base(u);
	char host[256];
	struct tls *t;

	if (u->conf.hop->tls == NULL) {
		upstream_fail_tls(u, "4.7.5", "TLS is not available here");
		return;
	}
	u->keywords = (struct keywords){ 0 };
	u->step = STEP_HANDSHAKE;
	if (name == NULL)
		name = upstream_tls_host(u, host, sizeof(host));
	t = tls_connect(u->conf.hop->tls, u->wire.fd, name, &u->server->tls);
	if (conf_of(u)->level == TLS_DANE)
		upstream_dane_apply(u, t);
	wire_secure(&u->wire, t,
	    u->conf.hop->conf->connect_timeout_ms);
}

/* The same server once more, and not a word of TLS. */
static void
again_in_clear(struct upstream *u, const char *why)
{
	if (!u->looking || !u->server->breaks_tls)
		log_info(u->id, "tls",
		    "upstream=%s server=%s result=failed why=\"%s\" next=clear",
		    u->conf.hop->conf->name, u->server->name, why);
	u->server->breaks_tls = true;
	upstream_hang_up(u);
	u->without_tls = true;
	upstream_dial_server(u, u->server);
}

static void
handshake_failed(struct upstream *u)
{
	char why[256];

	(void)snprintf(why, sizeof(why), "the handshake failed: %s",
	    tls_why(u->wire.tls));
	count_handshake(&u->conf.hop->smtp->count, "upstream", false);
	tls_memory_forget(&u->server->tls);
	if (may_do_without(u))
		again_in_clear(u, why);
	else
		upstream_fail_tls(u, "4.7.5", why);
}

/* smtp_tls_loglevel 1, and our own. */
static void
log_handshake(const struct upstream *u)
{
	static const char *const trust[] = { [TLS_NONE] = "Anonymous",
		[TLS_MAY] = "Untrusted",
		[TLS_ENCRYPT] = "Untrusted",
		[TLS_VERIFY] = "Verified",
		[TLS_FINGERPRINT] = "Verified",
		[TLS_DANE] = "Verified" };
	const char *word = trust[level_of(u)];
	char text[160];

	/* It is the host that anybody may have named. */
	if (level_of(u) == TLS_DANE && u->dane.by_anybody)
		word = "Trusted";
	tls_text(u->wire.tls, text, sizeof(text));
	log_debug(u->id, "tls",
	    "upstream=%s server=%s result=ok with=\"%s\" resumed=%s",
	    u->conf.hop->conf->name, u->server->name, text,
	    tls_resumed(u->wire.tls) ? "yes" : "no");
	if (log_wants_postfix())
		log_postfix("smtp", "%s TLS connection established to %s: %s",
		    word, u->server->name, text);
}

static void
secured(struct upstream *u)
{
	const char *why = tls_check(u->wire.tls);

	if (why != NULL) {
		count_handshake(&u->conf.hop->smtp->count, "upstream", false);
		upstream_fail_tls(u, "4.7.5", why);
		return;
	}
	count_handshake(&u->conf.hop->smtp->count, "upstream", true);
	u->server->breaks_tls = false;
	log_handshake(u);
	if (conf_of(u)->wrapped)
		upstream_await_banner(u);
	else
		upstream_say_ehlo(u);
}

void
upstream_tls_ended(struct upstream *u)
{
	if (u->wire.security == WIRE_SECURE)
		secured(u);
	else if (u->wire.security == WIRE_INSECURE)
		handshake_failed(u);
}

/* ---- STARTTLS ---- */

void
upstream_tls_after_ehlo(struct upstream *u)
{
	if (conf_of(u)->level == TLS_NONE || u->without_tls ||
	    u->wire.security == WIRE_SECURE) {
		upstream_identify(u);
	} else if (!u->keywords.starttls) {
		do_without(u, "it does not offer STARTTLS");
	} else {
		/* Ahead of a mail's commands that wait to be told again. */
		(void)buf_puts(&u->queue, "STARTTLS\r\n");
		upstream_expect(u, WANTED);
		u->step = STEP_STARTTLS;
	}
}

void
upstream_tls_answered(struct upstream *u, const struct reply_lines *r)
{
	if (r->code != 220) {
		do_without(u, "it refuses STARTTLS");
		return;
	}
	if (buf_len(&u->wire.in) > 0) {
		if (upstream_is_news(u))
			log_error(u->id, "tls",
			    "upstream=%s server=%s result=injection dropped=%zu "
			    "why=\"bytes in clear behind the answer to STARTTLS\"",
			    u->conf.hop->conf->name, u->server->name,
			    buf_len(&u->wire.in));
		count_injection(&u->conf.hop->smtp->count, "upstream");
		upstream_fail_dial(
		    u, "bytes in clear behind the answer to STARTTLS");
		return;
	}
	upstream_tls_begin(u);
}
