/* auth - see auth.h. */
#include "smtp/auth.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "smtp/command.h"
#include "smtp/limits.h"

/* AUTH under way. Made by auth_check(), freed by auth_end(). */
struct login {
	struct sasl sasl;
	struct buf line;      /* until the next hop can hear it */
	struct reply why;     /* why we break it off; code 0: we do not */
	bool given_up;        /* by the client: "*" */
};

static struct login *
login_new(const struct sasl *sasl, struct pn_str mechanism,
    struct pn_str initial)
{
	struct login *l = xcalloc(1, sizeof(*l));

	l->sasl = *sasl;
	(void)buf_puts(&l->line, "AUTH ");
	(void)buf_add_str(&l->line, mechanism);
	if (initial.n > 0)
		(void)buf_puts(&l->line, " ");
	(void)buf_add_str(&l->line, initial);
	return l;
}

static void
forget_line(struct buf *line)
{
	if (line->mem != NULL)
		explicit_bzero(line->mem, line->size);
	buf_fini(line);
}

static void
login_free(struct login *l)
{
	if (l == NULL)
		return;
	forget_line(&l->line);
	free(l);
}

/* ---- may it? ---- */

/* Is there any AUTH here, for anybody? */
static bool
is_there(const struct session *s)
{
	const struct keywords *k = command_keywords(s);

	return s->listener->auth != AUTH_NONE &&
	    s->hop->conf->maildir == NULL &&
	    !(k->known && k->auth[0] == '\0');
}

bool
auth_is_offered(const struct session *s)
{
	if (!is_there(s))
		return false;
	switch (s->listener->auth) {
	case AUTH_NONE:
		return false;
	case AUTH_CLEAR:
		return true;
	case AUTH_TLS:
	case AUTH_REQUIRE:
		return session_is_secure(s);
	}
	return false;
}

bool
auth_allows(struct session *s)
{
	if (s->listener->auth != AUTH_REQUIRE || s->base->client.login.n > 0)
		return true;
	session_say(s, 530, "5.7.0", "Authentication required");
	return false;
}

static bool
is_the_time(struct session *s)
{
	if (!is_there(s)) {
		session_say(s, 502, "5.5.1", "Error: command not implemented");
		return false;
	}
	if (!command_in_order(s, NEED_HELO))
		return false;
	if (s->base->client.login.n > 0) {
		session_say(s, 503, "5.5.1", "Error: already authenticated");
		return false;
	}
	return true;
}

static bool
check_mechanism(struct session *s, struct sasl *sasl, struct pn_str mechanism)
{
	if (!auth_is_offered(s)) {
		session_say(s, 538, "5.7.11",
		    "Encryption required for requested authentication "
		    "mechanism");
		return false;
	}
	if (!sasl_init(sasl, mechanism) ||
	    !keywords_have_mechanism(&s->offered, mechanism)) {
		session_say(s, 504, "5.5.4",
		    "Unrecognized authentication mechanism");
		return false;
	}
	return true;
}

/* A line that does not go on to the next hop. */
static bool
refused_line(struct sasl *sasl, struct pn_str line, struct reply *r)
{
	switch (sasl_client(sasl, line)) {
	case SASL_PASSES:
		return false;
	case SASL_NOT_BASE64:
		*r = (struct reply){ .code = 501, .status = "5.5.2",
			.text = PN_STR("Error: this is not base64") };
		break;
	case SASL_LAYER:
		*r = (struct reply){ .code = 501, .status = "5.5.4",
			.text = PN_STR("Error: a security layer cannot be "
				       "relayed") };
		break;
	}
	return true;
}

bool
auth_check(struct session *s, struct pn_str arg)
{
	struct pn_str initial, mechanism = arg;
	const char *blank = arg.n > 0 ? memchr(arg.p, ' ', arg.n) : NULL;
	struct sasl sasl;
	struct reply r;

	if (!is_the_time(s))
		return false;
	if (blank != NULL)
		mechanism.n = (size_t)(blank - arg.p);
	initial = pn_str_trim(pn_str_sub(arg, mechanism.n, arg.n));
	if (mechanism.n == 0 ||
	    (initial.n > 0 && memchr(initial.p, ' ', initial.n) != NULL)) {
		session_say(s, 501, "5.5.4", "Syntax: AUTH mechanism");
		return false;
	}
	if (!check_mechanism(s, &sasl, mechanism))
		return false;
	if (initial.n > 0 && refused_line(&sasl, initial, &r)) {
		session_reply(s, &r);
		return false;
	}
	if (!limits_auth(s))
		return false;
	s->login = login_new(&sasl, mechanism, initial);
	return true;
}

void
auth_do(struct session *s, struct pn_str arg)
{
	(void)arg;
	if (!mail_is_connected(s))
		mail_dial(s);
	s->state = SESSION_AUTH;
}

/* ---- how it ends ---- */

void
auth_end(struct session *s)
{
	if (s->login != NULL) /* the client has left */
		count_login(&s->smtp->count, LOGIN_GIVEN_UP);
	login_free(s->login);
	s->login = NULL;
}

static void
settle(struct session *s, enum count_login result)
{
	count_login(&s->smtp->count, result);
	login_free(s->login);
	s->login = NULL;
	s->state = SESSION_COMMAND;
}

/* The next hop does not answer, or not as AUTH is answered. */
static enum turn
fail(struct session *s)
{
	if (s->login->why.code != 0)
		session_reply(s, &s->login->why);
	else
		session_say(s, 454, "4.7.0",
		    "Temporary authentication failure");
	settle(s, LOGIN_FAILED);
	return TURN_AGAIN;
}

static enum turn
fail_out_of_step(struct session *s)
{
	log_warn(session_id(s), "login", "upstream=%s why=\"%s\"",
	    s->hop->conf->name, "it answers AUTH with nonsense");
	mail_drop(s);
	return fail(s);
}

static enum turn
succeed(struct session *s, const struct reply_lines *r)
{
	struct sasl *sasl = &s->login->sasl;
	struct pn_str name = arena_str(s->base->arena, sasl_login(sasl));
	struct pn_str type = arena_str(
	    s->base->arena, pn_str_of(sasl->mechanism));

	if (name.p == NULL || type.p == NULL) { /* no memory: nobody logged in */
		mail_drop(s);
		return fail(s);
	}
	client_log_in(&s->base->client, name, type);
	if (s->t != NULL) /* XFORWARD made it, for the mail to come */
		client_log_in(&s->t->client, name, type);
	s->logged_in = true;
	if (log_wants(LOG_LEVEL_DEBUG))
		log_debug(session_id(s), "login",
		    "client=%.*s mechanism=%s login=\"%s\"",
		    PN_STR_ARG(s->base->client.ip), sasl->mechanism, VIS(name));
	session_pass_on(s, r);
	settle(s, LOGIN_OK);
	return TURN_AGAIN;
}

/*
 * A client that could bind itself to its TLS says that it saw no way to, and a
 * next hop that has one takes that for an attack (RFC 5802 6). What was said
 * is under the client's proof: only who set the next hop up can help.
 */
static void
warn_of_binding(const struct session *s, uint16_t code)
{
	if (s->login->sasl.missed_binding &&
	    upstream_keywords(s->up)->auth_binds)
		log_warn(session_id(s), "login",
		    "upstream=%s mechanism=%s code=%u why=\"%s\"",
		    s->hop->conf->name, s->login->sasl.mechanism, code,
		    "it has mechanisms with channel binding (-PLUS), which "
		    "cannot pass: switch them off there");
}

/* Its words go to the client alone: they may repeat what was sent. */
static enum turn
be_refused(struct session *s, const struct reply_lines *r)
{
	bool given_up = s->login->given_up || s->login->why.code != 0;

	if (log_wants_own() && !given_up)
		log_info(session_id(s), "login",
		    "client=%.*s mechanism=%s result=refused code=%u",
		    PN_STR_ARG(s->base->client.ip), s->login->sasl.mechanism,
		    r->code);
	if (!given_up) {
		shape_login_refused(s, s->login->sasl.mechanism, r->code);
		warn_of_binding(s, r->code);
	}
	if (s->login->why.code != 0)
		session_reply(s, &s->login->why);
	else
		session_pass_on(s, r);
	settle(s, given_up ? LOGIN_GIVEN_UP : LOGIN_REFUSED);
	return TURN_AGAIN;
}

/* ---- the exchange ---- */

static void
say(struct session *s, struct pn_str line)
{
	upstream_auth(s->up, line);
	s->state = SESSION_AUTH_ANSWER;
}

enum turn
session_auth(struct session *s)
{
	if (upstream_at(s->up) == UPSTREAM_DIALLING)
		return session_wait_elsewhere(s);
	if (upstream_at(s->up) != UPSTREAM_READY)
		return fail(s);
	if (!keywords_have_mechanism(upstream_keywords(s->up),
		pn_str_of(s->login->sasl.mechanism)))
		return fail(s); /* it was promised by another connection */
	say(s, buf_str(&s->login->line));
	forget_line(&s->login->line);
	return TURN_AGAIN;
}

enum turn
session_auth_answer(struct session *s)
{
	bool breaking_off = s->login->given_up || s->login->why.code != 0;
	struct reply_lines r;

	if (!upstream_take(s->up, &r)) {
		if (upstream_at(s->up) == UPSTREAM_READY)
			return session_wait_elsewhere(s);
		return fail(s);
	}
	if (r.code >= 400)
		return be_refused(s, &r);
	if (breaking_off || (r.code != 235 && r.code != 334))
		return fail_out_of_step(s);
	if (r.code == 235)
		return succeed(s, &r);
	(void)buf_add_str(&s->wire.out, r.raw);
	s->state = SESSION_AUTH_RESPONSE;
	return TURN_AGAIN;
}

/* RFC 4954 4: the next hop is told to forget it, and the client why. */
static void
break_off(struct session *s)
{
	say(s, PN_STR_V("*"));
}

static void
take_response(struct session *s, struct pn_str line, enum line_fault fault)
{
	struct reply *why = &s->login->why;

	if (fault == LINE_TOO_LONG || fault == LINE_CHUNK) {
		*why = (struct reply){ .code = 500, .status = "5.5.6",
			.text = PN_STR("Authentication exchange line is too "
				       "long") };
		break_off(s);
	} else if (fault == LINE_GOOD &&
	    pn_str_eq(line, PN_STR_V("*"))) {
		s->login->given_up = true;
		break_off(s);
	} else if (refused_line(&s->login->sasl, line, why)) {
		break_off(s);
	} else {
		say(s, line);
	}
}

enum turn
session_auth_response(struct session *s)
{
	struct pn_str line;
	enum line_fault fault;

	if (!line_next_response(&s->line, &s->wire.in, &line, &fault))
		return session_want_line(s);
	pace_line_came(s);
	if (upstream_at(s->up) != UPSTREAM_READY)
		return fail(s);
	take_response(s, line, fault);
	return TURN_AGAIN;
}

/* ---- after it ---- */

void
auth_forget(struct session *s)
{
	auth_end(s);
	if (s->logged_in)
		client_log_in(&s->base->client, PN_STR_V(""), PN_STR_V(""));
	s->logged_in = false;
}

bool
auth_is_lost(const struct session *s)
{
	return s->logged_in &&
	    (s->up == NULL || upstream_at(s->up) != UPSTREAM_READY);
}

void
auth_lost(struct session *s)
{
	mail_end(s);
	session_say(s, 421, "4.4.2",
	    "%s The connection to the next hop was lost, and the login with it",
	    s->smtp->conf->hostname);
	session_hang_up(s);
}

void
auth_hello(struct session *s)
{
	if (auth_is_lost(s)) {
		auth_lost(s);
		return;
	}
	upstream_hello(s->up, s->base->client.helo);
	s->state = SESSION_HELLO;
}

/* What it announced is known no more; a login, if there is one, is gone. */
static void
no_hello(struct session *s)
{
	if (s->logged_in) {
		auth_lost(s);
		return;
	}
	mail_drop(s); /* a mail dials anew */
	s->state = SESSION_KEYWORDS;
}

enum turn
session_hello(struct session *s)
{
	struct reply_lines r;

	if (!upstream_take(s->up, &r)) {
		if (upstream_at(s->up) == UPSTREAM_READY)
			return session_wait_elsewhere(s);
		no_hello(s);
	} else if (r.code != 250) {
		mail_drop(s);
		no_hello(s);
	} else {
		upstream_hello_taken(s->up, &r);
		s->state = SESSION_KEYWORDS;
	}
	return TURN_AGAIN;
}
