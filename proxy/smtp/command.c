/*
 * command - the commands: a table of verbs, what each needs, and what it does.
 *
 * check() looks at syntax and limits, replies and says false; proceed() runs
 * after it. Called by session for each line; owns nothing. RFC 5321 3, 4.1;
 * order of commands 4.1.4.
 */
#include <stdio.h>

#include "base/fault.h"
#include "base/log.h"
#include "mail/address.h"
#include "smtp/identity.h"
#include "smtp/probe.h"
#include "smtp/session.h"

#define HELO_BYTES 255 /* RFC 5321 4.5.3.1.2: a domain */

/* What a command needs to have happened. */
enum need {
	NEED_NOTHING,
	NEED_NO_MAIL, /* XCLIENT */
	NEED_HELO,    /* and no mail under way */
	NEED_MAIL
};

struct command {
	struct pn_str verb;
	enum need need;
	bool junk; /* leads nowhere when repeated without mail */
	bool (*check)(struct session *, struct pn_str arg);
	void (*proceed)(struct session *, struct pn_str arg);
};

/* ---- HELO, EHLO ---- */

static bool
check_helo(struct session *s, struct pn_str name)
{
	bool ok = name.n > 0 && name.n <= HELO_BYTES;

	for (size_t i = 0; i < name.n; i++)
		ok = ok && (unsigned char)name.p[i] >= ' ' && name.p[i] != 127;
	if (!ok)
		session_say(s, 501, "5.5.4", "Syntax: HELO or EHLO hostname");
	return ok;
}

/* RFC 5321 4.1.4: as RSET; and the next hop must hear the new name. */
static void
hello(struct session *s, struct pn_str name, struct pn_str verb)
{
	struct client *c = &s->base->client;

	FAULT("ehlo");
	mail_end(s);
	upstream_free(s->up);
	s->up = NULL;
	c->helo = arena_str(s->base->arena, name);
	c->helo_verb = verb;
	if (c->helo.p == NULL) {
		session_say(s, 452, "4.3.1", "Insufficient system storage");
		return;
	}
	probe_if_stale(s->hop, s->smtp->loop, s->smtp->conf->hostname);
	s->state = SESSION_HELO;
}

static void
do_helo(struct session *s, struct pn_str name)
{
	hello(s, name, PN_STR_V("HELO"));
}

static void
do_ehlo(struct session *s, struct pn_str name)
{
	hello(s, name, PN_STR_V("EHLO"));
}

/* ---- MAIL, RCPT ---- */

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
	session_say(s, 452, "4.3.1", "Insufficient system storage");
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
	s->utf8 = false;
	if (!check_params(s, params, PARAM_OF_MAIL, &p) ||
	    !check_sender(s, &a, &p) || !keep_sender(s, &a, params))
		return false;
	s->utf8 = p.given & PARAM_SMTPUTF8;
	return true;
}

static bool
check_mail(struct session *s, struct pn_str arg)
{
	bool forwarded = s->t != NULL;

	if (!mail_new(s))
		return false;
	if (read_sender(s, arg))
		return true;
	if (!forwarded)
		mail_end(s);
	return false;
}

static void
do_mail(struct session *s, struct pn_str arg)
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

static bool
check_rcpt(struct session *s, struct pn_str arg)
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
		count_refused(&s->smtp->count, REFUSED_BY_LIMITS);
		session_say(s, 452, "4.5.3", "Error: too many recipients");
		s->errors++; /* one that counts: the limit is wide */
		return false;
	}
	return keep_rcpt(s, &a, params);
}

static void
do_rcpt(struct session *s, struct pn_str arg)
{
	(void)arg;
	FAULT("rcpt");
	s->state = SESSION_RCPT;
}

/* ---- DATA ---- */

static bool
no_argument(struct session *s, struct pn_str arg)
{
	if (arg.n > 0)
		session_say(s, 501, "5.5.4", "Syntax: no argument is allowed");
	return arg.n == 0;
}

static bool
check_data(struct session *s, struct pn_str arg)
{
	if (!no_argument(s, arg))
		return false;
	if (s->t->envelope.n_accepted == 0) {
		session_say(s, 554, "5.5.1", "Error: no valid recipients");
		return false;
	}
	return true;
}

static void
do_data(struct session *s, struct pn_str arg)
{
	(void)arg;
	FAULT("data");
	(void)buf_puts(&s->wire.out,
	    "354 End data with <CR><LF>.<CR><LF>\r\n");
	s->t->spool = spool_new(s->smtp->pool);
	if (s->up != NULL && upstream_at(s->up) == UPSTREAM_READY)
		upstream_hold(s->up);
	s->state = SESSION_DATA;
}

/* ---- the small ones ---- */

static void
do_rset(struct session *s, struct pn_str arg)
{
	(void)arg;
	if (s->mail)
		upstream_rset(s->up);
	mail_end(s);
	session_say(s, 250, "2.0.0", "Ok");
}

static void
do_noop(struct session *s, struct pn_str arg)
{
	(void)arg;
	session_say(s, 250, "2.0.0", "Ok");
}

static void
do_help(struct session *s, struct pn_str arg)
{
	(void)arg;
	session_say(s, 214, "2.0.0",
	    "postern: HELO EHLO MAIL RCPT DATA RSET NOOP HELP VRFY QUIT");
}

static void
do_vrfy(struct session *s, struct pn_str arg)
{
	if (arg.n == 0)
		session_say(s, 501, "5.5.4", "Syntax: VRFY address");
	else
		session_say(s, 252, "2.5.2",
		    "Cannot VRFY user, but will take mail for it and try");
}

static void
do_expn(struct session *s, struct pn_str arg)
{
	(void)arg;
	session_say(s, 502, "5.5.1", "Error: command not implemented");
}

static void
do_quit(struct session *s, struct pn_str arg)
{
	(void)arg;
	session_say(s, 221, "2.0.0", "Bye");
	session_hang_up(s);
}

/* ---- XCLIENT, XFORWARD: from listed addresses (identity from) ---- */

static bool
may_identify(struct session *s, enum smtp_identity by)
{
	if (s->listed && s->listener->identity_by == by)
		return true;
	session_say(s, 550, "5.7.0", "Error: insufficient authorization");
	return false;
}

static bool
check_xclient(struct session *s, struct pn_str arg)
{
	(void)arg;
	return may_identify(s, IDENTITY_XCLIENT);
}

static bool
check_xforward(struct session *s, struct pn_str arg)
{
	(void)arg;
	return may_identify(s, IDENTITY_XFORWARD);
}

/*
 * The session begins again as that client's: 220, and HELO anew
 * (XCLIENT_README). The address that was allowed stays allowed.
 */
static void
do_xclient(struct session *s, struct pn_str arg)
{
	struct transaction *t = session_transaction(s);
	struct reply r = { .code = 452, .status = "4.3.1",
		.text = PN_STR("Insufficient system storage") };
	bool copied = client_copy(&t->client, &s->base->client, t->arena) == 0;

	t->client.helo = t->client.helo_verb = (struct pn_str){ 0 };
	if (!copied || !identity_read(arg, false, t->arena, &t->client, &r)) {
		session_reply(s, &r);
		transaction_free(t);
		return;
	}
	mail_end(s);
	upstream_free(s->up);
	s->up = NULL;
	session_rebase(s, t);
	s->greeted = false;
	s->state = SESSION_GREETING;
}

/* For the next mail alone; its stages begin at connect, as that client's. */
static void
do_xforward(struct session *s, struct pn_str arg)
{
	struct client before;
	struct reply r;

	if (s->t == NULL) {
		s->t = session_transaction(s);
		s->t->client = s->base->client;
		s->stage = STAGE_CONNECT;
	}
	before = s->t->client;
	if (identity_read(arg, true, s->t->arena, &s->t->client, &r)) {
		session_say(s, 250, "2.0.0", "Ok");
		return;
	}
	s->t->client = before;
	session_reply(s, &r);
}

/* ---- the table ---- */

static const struct command commands[] = {
	{ PN_STR("RCPT"), NEED_MAIL, false, check_rcpt, do_rcpt },
	{ PN_STR("MAIL"), NEED_HELO, false, check_mail, do_mail },
	{ PN_STR("DATA"), NEED_MAIL, false, check_data, do_data },
	{ PN_STR("EHLO"), NEED_NOTHING, true, check_helo, do_ehlo },
	{ PN_STR("HELO"), NEED_NOTHING, true, check_helo, do_helo },
	{ PN_STR("QUIT"), NEED_NOTHING, false, no_argument, do_quit },
	{ PN_STR("RSET"), NEED_NOTHING, true, no_argument, do_rset },
	{ PN_STR("NOOP"), NEED_NOTHING, true, NULL, do_noop },
	{ PN_STR("HELP"), NEED_NOTHING, true, NULL, do_help },
	{ PN_STR("VRFY"), NEED_NOTHING, true, NULL, do_vrfy },
	{ PN_STR("EXPN"), NEED_NOTHING, true, NULL, do_expn },
	{ PN_STR("BDAT"), NEED_NOTHING, true, NULL, do_expn },
	{ PN_STR("STARTTLS"), NEED_NOTHING, true, NULL, do_expn },
	{ PN_STR("AUTH"), NEED_NOTHING, true, NULL, do_expn },
	{ PN_STR("ETRN"), NEED_NOTHING, true, NULL, do_expn },
	{ PN_STR("XCLIENT"), NEED_NO_MAIL, false, check_xclient, do_xclient },
	{ PN_STR("XFORWARD"), NEED_HELO, false, check_xforward, do_xforward },
};

/* The verb at the front; *arg is the rest without blanks around it. */
static struct pn_str
split(struct pn_str line, struct pn_str *arg)
{
	struct pn_str verb = line;

	for (verb.n = 0; verb.n < line.n && line.p[verb.n] != ' ' &&
	     line.p[verb.n] != '\t';
	     verb.n++)
		;
	*arg = pn_str_trim(pn_str_sub(line, verb.n, line.n));
	return verb;
}

static const struct command *
find(struct pn_str verb)
{
	for (size_t i = 0; i < PN_COUNT(commands); i++)
		if (pn_str_caseeq(commands[i].verb, verb))
			return &commands[i];
	return NULL;
}

bool
command_is_rcpt(struct pn_str line)
{
	struct pn_str arg;

	return pn_str_caseeq(split(line, &arg), PN_STR_V("RCPT"));
}

static bool
in_order(struct session *s, const struct command *c)
{
	switch (c->need) {
	case NEED_NOTHING:
		return true;
	case NEED_NO_MAIL:
	case NEED_HELO:
		if (s->mail)
			session_say(s, 503, "5.5.1", "Error: a mail is in progress");
		else if (c->need == NEED_HELO && !s->greeted)
			session_say(s, 503, "5.5.1", "Error: send HELO/EHLO first");
		return !s->mail && (c->need == NEED_NO_MAIL || s->greeted);
	case NEED_MAIL:
		if (!s->mail)
			session_say(s, 503, "5.5.1", "Error: need MAIL command");
		return s->mail;
	}
	return false;
}

static void
refuse_line(struct session *s, enum line_fault fault)
{
	switch (fault) {
	case LINE_TOO_LONG:
		session_say(s, 500, "5.5.2", "Error: line too long");
		return;
	case LINE_NUL:
		session_say(s, 500, "5.5.2", "Error: NUL in a command");
		return;
	case LINE_BARE:
		session_say(s, 500, "5.5.2", "Error: bare CR or LF in a command");
		return;
	case LINE_GOOD:
		return;
	}
}

void
command_run(struct session *s, struct pn_str line, enum line_fault fault)
{
	struct pn_str arg, verb;
	const struct command *c;

	if (fault != LINE_GOOD) {
		s->junk++;
		refuse_line(s, fault);
		return;
	}
	verb = split(line, &arg);
	c = find(verb);
	if (log_wants(LOG_LEVEL_DEBUG))
		log_debug(session_id(s), "client-says", "text=\"%s\"",
		    pn_str_caseeq(verb, PN_STR_V("AUTH")) ? "AUTH ..."
							  : VIS(line));
	if (c == NULL) {
		s->junk++;
		session_say(s, 500, "5.5.1", "Error: command not recognized");
		return;
	}
	s->verb = c->verb;
	if (c->junk)
		s->junk++;
	if (s->turned_away && c->proceed != do_quit) {
		session_say(s, 503, "5.5.1", "Error: send QUIT");
		return;
	}
	if (in_order(s, c) && (c->check == NULL || c->check(s, arg)))
		c->proceed(s, arg);
}
