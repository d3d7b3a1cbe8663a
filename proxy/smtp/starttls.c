/*
 * starttls - see starttls.h.
 *
 * What a client sent in clear behind STARTTLS never counts: it could be
 * anybody's between us (CVE-2011-0411). Nor does what it said before: it
 * greets anew (RFC 3207 4.2). The client that a listed MTA named stays, as in
 * Postfix, but not its login: Postfix forgets it where it offers AUTH in clear,
 * we do everywhere.
 */
#include "smtp/starttls.h"

#include "base/log.h"
#include "smtp/auth.h"
#include "smtp/command.h"
#include "smtp/limits.h"
#include "smtp/tls.h"

bool
session_is_secure(const struct session *s)
{
	return s->wire.security == WIRE_SECURE;
}

/* ---- the contexts ---- */

static struct tls_server *
context_of(const struct smtp *smtp, const struct smtp_listener *l)
{
	struct tls_server *t;
	struct error e;

	if (l->tls.mode == LISTEN_CLEAR)
		return NULL;
	t = tls_server_new(&l->tls, l->name, &smtp->tickets, &e);
	if (t == NULL)
		log_error("", "tls", "listener=%s state=not-available why=\"%s\"",
		    l->name, e.text);
	return t;
}

void
starttls_open(struct smtp *s)
{
	/* Until somebody brings those of all workers; also what is taken of
	 * before must be nobody's. */
	for (int i = 0; i < TLS_TICKET_KEYS; i++)
		tls_tickets_rotate(&s->tickets);
	for (size_t i = 0; i < s->conf->n_listeners; i++)
		s->listeners[i].tls = context_of(s, &s->conf->listeners[i]);
}

void
starttls_close(struct smtp *s)
{
	for (size_t i = 0; i < s->conf->n_listeners; i++)
		tls_server_free(s->listeners[i].tls);
}

void
smtp_tickets(struct smtp *s, const struct tls_tickets *t)
{
	s->tickets = *t;
}

/* ---- the command ---- */

bool
starttls_offered(const struct session *s)
{
	return s->listener->tls.mode != LISTEN_CLEAR && s->tls != NULL &&
	    !session_is_secure(s);
}

/* As Postfix's smtpd_tls_security_level = encrypt has it. */
bool
starttls_refuses(struct session *s, struct pn_str verb)
{
	static const struct pn_str allowed[] = { PN_STR("EHLO"), PN_STR("HELO"),
		PN_STR("LHLO"), PN_STR("NOOP"), PN_STR("QUIT"), PN_STR("STARTTLS"),
		PN_STR("HELP"), PN_STR("XCLIENT"), PN_STR("XFORWARD") };

	if (s->listener->tls.mode != LISTEN_REQUIRE || session_is_secure(s))
		return false;
	for (size_t i = 0; i < PN_COUNT(allowed); i++)
		if (pn_str_caseeq(allowed[i], verb))
			return false;
	session_say(s, 530, "5.7.0", "Must issue a STARTTLS command first");
	return true;
}

bool
command_check_starttls(struct session *s, struct pn_str arg)
{
	if (s->listener->tls.mode == LISTEN_CLEAR)
		session_say(s, 502, "5.5.1", "Error: command not implemented");
	else if (arg.n > 0)
		session_say(s, 501, "5.5.4", "Syntax: STARTTLS");
	else if (session_is_secure(s))
		session_say(s, 503, "5.5.1", "Error: TLS is already active");
	else if (s->tls == NULL)
		session_say(s, 454, "4.7.0",
		    "Error: TLS is not available for now");
	else
		return command_in_order(s, NEED_NO_MAIL) && limits_tls(s);
	return false;
}

void
command_do_starttls(struct session *s, struct pn_str arg)
{
	(void)arg;
	session_say(s, 220, "2.0.0", "Ready to start TLS");
	s->state = SESSION_STARTTLS;
}

/* ---- the handshake ---- */

static void
begin(struct session *s)
{
	s->state = SESSION_HANDSHAKE;
	wire_secure(&s->wire, tls_accept(s->tls, s->wire.fd),
	    s->smtp->conf->starttls_timeout_ms);
}

void
starttls_wrap(struct session *s)
{
	if (s->tls != NULL && limits_tls(s)) {
		begin(s);
		return;
	}
	buf_clear(&s->wire.out); /* there are no words in clear here */
	s->gone = true;
}

/* The 220 must be out; what came behind the command is nobody's. */
enum turn
session_starttls(struct session *s)
{
	struct buf *in = &s->wire.in;

	if (!wire_flush(&s->wire))
		return s->wire.broken ? session_leave(s) : TURN_WAIT;
	if (buf_len(in) > 0) {
		log_warn(session_id(s), "tls",
		    "client=%.*s why=\"commands behind STARTTLS in clear\" "
		    "dropped=%zu",
		    PN_STR_ARG(s->base->client.ip), buf_len(in));
		count_injection(&s->smtp->count, "client");
		buf_clear(in);
	}
	s->line = (struct line){ 0 };
	begin(s);
	return TURN_WAIT;
}

static enum turn
failed(struct session *s)
{
	const char *why = tls_why(s->wire.tls);

	log_info(session_id(s), "tls", "client=%.*s result=failed why=\"%s\"",
	    PN_STR_ARG(s->base->client.ip), why);
	count_handshake(&s->smtp->count, "client", false);
	shape_tls_failed(s, why);
	return session_leave(s);
}

/* RFC 3207 4.2: as if nothing had been said. */
static void
forget(struct session *s)
{
	struct client *c = &s->base->client;

	mail_end(s);
	auth_forget(s);
	mail_drop(s);
	c->helo = c->helo_verb = (struct pn_str){ 0 };
	client_log_in(c, PN_STR_V(""), PN_STR_V(""));
	s->offered = (struct keywords){ 0 };
	s->greeted = false;
}

enum turn
session_handshake(struct session *s)
{
	switch (s->wire.security) {
	case WIRE_CLEAR:
	case WIRE_HANDSHAKE:
		return TURN_WAIT;
	case WIRE_INSECURE:
		return failed(s);
	case WIRE_SECURE:
		break;
	}
	forget(s);
	if (tls_tell(s->wire.tls, &s->base->client, s->base->arena) < 0)
		return session_leave(s); /* its facts have no room */
	count_handshake(&s->smtp->count, "client", true);
	if (log_wants(LOG_LEVEL_DEBUG))
		log_debug(session_id(s), "tls",
		    "client=%.*s version=%.*s cipher=%.*s resumed=%s sni=\"%s\"",
		    PN_STR_ARG(s->base->client.ip),
		    PN_STR_ARG(s->base->client.tls_version),
		    PN_STR_ARG(s->base->client.tls_cipher),
		    tls_resumed(s->wire.tls) ? "yes" : "no",
		    VIS(s->base->client.tls_sni));
	shape_tls(s);
	s->state = s->listener->tls.mode == LISTEN_WRAPPED ? SESSION_GREETING
							   : SESSION_COMMAND;
	return TURN_AGAIN;
}
