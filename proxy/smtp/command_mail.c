/*
 * command_mail - MAIL and RCPT: syntax, parameters, limits, and what the
 * envelope keeps of them. RFC 5321 3.3, 4.1.1.2, 4.1.1.3; parameters of RFC
 * 1870, 3461, 6152, 6531.
 */
#include "base/fault.h"
#include "mail/address.h"
#include "smtp/auth.h"
#include "smtp/command.h"
#include "smtp/limits.h"

/* "FROM:" or "TO:" at the front of *arg, in any case; taken off. */
static bool
take_word(struct pn_str *arg, struct pn_str word)
{
	if (!pn_str_caseeq(pn_str_sub(*arg, 0, word.n), word))
		return false;
	*arg = pn_str_sub(*arg, word.n, arg->n);
	return true;
}

/* What EHLO offered: end-to-end parameters need the next hop too. */
static unsigned
offered(const struct session *s, unsigned of)
{
	const struct keywords *k = &s->offered;
	unsigned bits = PARAM_SIZE;

	if (k->eight_bit)
		bits |= PARAM_BODY;
	if (k->smtputf8)
		bits |= PARAM_SMTPUTF8;
	if (k->dsn)
		bits |= PARAM_OF_DSN;
	if (k->auth[0] != '\0' && s->listener->auth != AUTH_NONE)
		bits |= PARAM_AUTH;
	return bits & of;
}

static bool
check_params(struct session *s, struct pn_str text, unsigned of,
    struct params *p)
{
	switch (params_check(text, offered(s, of), p)) {
	case PARAMS_OK:
		return true;
	case PARAMS_UNKNOWN:
		session_say(s, 555, "5.5.4", "Unsupported option: %.*s",
		    PN_STR_ARG(p->bad));
		return false;
	case PARAMS_BAD:
		session_say(s, 501, "5.5.4", "Bad value of option: %.*s",
		    PN_STR_ARG(p->bad));
		return false;
	}
	return false;
}

static bool
no_room(struct session *s)
{
	session_say_no_room(s);
	return false;
}

static bool
check_sender(struct session *s, const struct address *a,
    const struct params *p)
{
	struct ehlo e = { .next = &s->offered,
		.size_limit = s->smtp->conf->message_size_limit };

	if (a->utf8 && !(p->given & PARAM_SMTPUTF8)) {
		session_say(s, 553, "5.6.7",
		    "Address needs the SMTPUTF8 option");
		return false;
	}
	if (p->binary && !s->offered.binary) {
		session_say(s, 501, "5.5.4", "Bad value of option: BODY");
		return false;
	}
	if (ehlo_size(&e) > 0 && p->size > ehlo_size(&e)) {
		session_say(s, 552, "5.3.4",
		    "Message size exceeds fixed limit");
		return false;
	}
	return true;
}

/* Into the transaction's envelope. False: at its cap. */
static bool
keep_sender(struct session *s, struct address *a, struct pn_str params)
{
	struct envelope *e = &s->t->envelope;
	struct arena *arena = s->t->arena;

	e->path = arena_str(arena, a->path);
	e->address = arena_str(arena, a->address);
	e->local = arena_str(arena, a->local);
	e->domain = arena_str(arena, a->domain);
	e->params = arena_str(arena, params);
	return (e->path.p && e->address.p && e->local.p && e->domain.p &&
		   e->params.p) ||
	    no_room(s);
}

static bool
read_sender(struct session *s, struct pn_str arg)
{
	struct address a;
	struct params p;
	struct pn_str params;

	if (!take_word(&arg, PN_STR_V("FROM:"))) {
		session_say(s, 501, "5.5.4", "Syntax: MAIL FROM:<address>");
		return false;
	}
	switch (address_parse_path(arg, s->t->arena, &a, &params)) {
	case ADDRESS_OK:
		break;
	case ADDRESS_BAD:
		session_say(s, 501, "5.1.7", "Bad sender address syntax");
		return false;
	case ADDRESS_NO_ROOM:
		return no_room(s);
	}
	s->utf8 = s->binary = false;
	if (!check_params(s, params, PARAM_OF_MAIL, &p) ||
	    !check_sender(s, &a, &p) || !keep_sender(s, &a, params))
		return false;
	s->utf8 = p.given & PARAM_SMTPUTF8;
	s->binary = p.binary;
	return true;
}

bool
command_check_mail(struct session *s, struct pn_str arg)
{
	bool forwarded = s->t != NULL;

	if (!auth_allows(s) || !limits_mail(s) || !mail_new(s))
		return false;
	if (read_sender(s, arg))
		return true;
	if (!forwarded)
		mail_end(s);
	return false;
}

void
command_do_mail(struct session *s, struct pn_str arg)
{
	(void)arg;
	FAULT("mail");
	s->mail = true;
	s->state = SESSION_MAIL;
}

static bool
keep_rcpt(struct session *s, const struct address *a, struct pn_str params)
{
	struct arena *arena = s->t->arena;
	struct rcpt *r = envelope_add_rcpt(&s->t->envelope, arena);

	if (r == NULL)
		return no_room(s);
	s->n_rcpts++;
	s->t->rcpt = r;
	r->path = arena_str(arena, a->path);
	r->address = arena_str(arena, a->address);
	r->local = arena_str(arena, a->local);
	r->domain = arena_str(arena, a->domain);
	r->params = arena_str(arena, params);
	if (r->path.p && r->address.p && r->local.p && r->domain.p &&
	    r->params.p)
		return true;
	r->code = 452;
	return no_room(s);
}

bool
command_check_rcpt(struct session *s, struct pn_str arg)
{
	struct address a;
	struct params p;
	struct pn_str params;
	enum address_result got;

	if (!take_word(&arg, PN_STR_V("TO:"))) {
		session_say(s, 501, "5.5.4", "Syntax: RCPT TO:<address>");
		return false;
	}
	got = address_parse_path(arg, s->t->arena, &a, &params);
	if (got == ADDRESS_NO_ROOM)
		return no_room(s);
	if (got == ADDRESS_BAD || a.address.n == 0) {
		session_say(s, 501, "5.1.3", "Bad recipient address syntax");
		return false;
	}
	if (a.utf8 && !s->utf8) {
		session_say(s, 553, "5.6.7",
		    "Address needs the SMTPUTF8 option");
		return false;
	}
	if (!check_params(s, params, PARAM_OF_RCPT, &p))
		return false;
	if (s->n_rcpts >= s->smtp->conf->recipient_limit) {
		limits_recipients(s);
		return false;
	}
	if (!limits_rcpt(s))
		return false;
	return keep_rcpt(s, &a, params);
}

void
command_do_rcpt(struct session *s, struct pn_str arg)
{
	(void)arg;
	FAULT("rcpt");
	s->state = SESSION_RCPT;
}
