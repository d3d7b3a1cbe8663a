/*
 * command - the commands: a table of verbs, what each needs, and what it does.
 *
 * Called by session for each line; owns nothing. RFC 5321 3, 4.1;
 * order of commands 4.1.4.
 */
#include <stdio.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/utf8.h"
#include "smtp/auth.h"
#include "smtp/command.h"
#include "smtp/etrn.h"
#include "smtp/limits.h"
#include "smtp/route.h"
#include "smtp/starttls.h"

#define HELO_BYTES 255 /* RFC 5321 4.5.3.1.2: a domain */

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
	bool ok = name.n > 0 && name.n <= HELO_BYTES &&
	    pn_str_is_one_line(name);

	if (!ok)
		session_say(s, 501, "5.5.4", "Syntax: %s hostname",
		    s->listener->lmtp ? "LHLO" : "HELO or EHLO");
	return ok;
}

/* RFC 5321 4.1.4: as RSET; and the next hop must hear the new name. One that
 * this client has logged in at, or that was dialled for him, hears it as EHLO
 * (RFC 4954 4). */
static void
hello(struct session *s, struct pn_str name, struct pn_str verb)
{
	struct client *c = &s->base->client;

	FAULT("ehlo");
	mail_end(s);
	if (!s->logged_in && !dial_is_early(s))
		mail_give_back(s);
	c->helo = arena_str(s->base->arena, name);
	c->helo_verb = verb;
	if (c->helo.p == NULL) {
		session_say_no_room(s);
		return;
	}
	route_refresh(s->door);
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

static void
do_lhlo(struct session *s, struct pn_str name)
{
	hello(s, name, PN_STR_V("LHLO"));
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
	if (s->binary) {
		session_say(s, 503, "5.5.1",
		    "Error: BODY=BINARYMIME needs BDAT");
		return false;
	}
	if (s->t->envelope.n_accepted == 0) { /* RFC 2033 4.2 wants 503 */
		session_say(s, s->listener->lmtp ? 503 : 554, "5.5.1",
		    "Error: no valid recipients");
		return false;
	}
	return true;
}

static void
do_data(struct session *s, struct pn_str arg)
{
	(void)arg;
	(void)buf_puts(&s->wire.out,
	    "354 End data with <CR><LF>.<CR><LF>\r\n");
	intake_start(s);
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
	s->talks = false;
	session_hang_up(s);
}

/* ---- the table ---- */

static void do_help(struct session *, struct pn_str arg); /* it reads this: */

static const struct command commands[] = {
	{ PN_STR("RCPT"), NEED_MAIL, false, command_check_rcpt, command_do_rcpt },
	{ PN_STR("MAIL"), NEED_HELO, false, command_check_mail, command_do_mail },
	{ PN_STR("DATA"), NEED_MAIL, false, check_data, do_data },
	{ PN_STR("EHLO"), NEED_NOTHING, true, check_helo, do_ehlo },
	{ PN_STR("HELO"), NEED_NOTHING, true, check_helo, do_helo },
	{ PN_STR("LHLO"), NEED_NOTHING, true, check_helo, do_lhlo },
	{ PN_STR("QUIT"), NEED_NOTHING, false, no_argument, do_quit },
	{ PN_STR("RSET"), NEED_NOTHING, true, no_argument, do_rset },
	{ PN_STR("NOOP"), NEED_NOTHING, true, NULL, do_noop },
	{ PN_STR("HELP"), NEED_NOTHING, true, NULL, do_help },
	{ PN_STR("VRFY"), NEED_NOTHING, true, NULL, do_vrfy },
	{ PN_STR("EXPN"), NEED_NOTHING, true, NULL, do_expn },
	{ PN_STR("BDAT"), NEED_NOTHING, false, NULL, bdat_run },
	{ PN_STR("STARTTLS"), NEED_NOTHING, true, command_check_starttls,
	    command_do_starttls },
	{ PN_STR("AUTH"), NEED_NOTHING, true, auth_check, auth_do },
	{ PN_STR("ETRN"), NEED_NOTHING, true, etrn_check, etrn_do },
	{ PN_STR("XCLIENT"), NEED_NO_MAIL, false, command_check_xclient,
	    command_do_xclient },
	{ PN_STR("XFORWARD"), NEED_HELO, false, command_check_xforward,
	    command_do_xforward },
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

/* RFC 2033 4.1: LMTP has LHLO instead of the other two. */
static bool
is_spoken(const struct session *s, const struct command *c)
{
	if (s->listener->lmtp)
		return c->proceed != do_helo && c->proceed != do_ehlo;
	return c->proceed != do_lhlo;
}

/* Is it of any use to this client? */
static bool
is_offered(const struct session *s, const struct command *c)
{
	if (c->proceed == do_expn) /* for those that there are not */
		return false;
	if (c->proceed == command_do_starttls)
		return starttls_offered(s);
	if (c->proceed == auth_do)
		return auth_is_offered(s);
	if (c->proceed == etrn_do)
		return etrn_is_offered(s);
	if (c->proceed == command_do_xclient)
		return command_may_identify(s, IDENTITY_XCLIENT);
	if (c->proceed == command_do_xforward)
		return command_may_identify(s, IDENTITY_XFORWARD);
	return is_spoken(s, c);
}

static void
do_help(struct session *s, struct pn_str arg)
{
	struct buf verbs = { 0 };

	(void)arg;
	for (size_t i = 0; i < PN_COUNT(commands); i++)
		if (is_offered(s, &commands[i]))
			(void)buf_printf(&verbs, " %.*s",
			    PN_STR_ARG(commands[i].verb));
	session_say(s, 214, "2.0.0", "postern:%.*s",
	    PN_STR_ARG(buf_str(&verbs)));
	buf_fini(&verbs);
}

static const struct command *
find(const struct session *s, struct pn_str verb)
{
	for (size_t i = 0; i < PN_COUNT(commands); i++)
		if (pn_str_caseeq(commands[i].verb, verb))
			return is_spoken(s, &commands[i]) ? &commands[i] : NULL;
	return NULL;
}

bool
command_is_rcpt(struct pn_str line)
{
	struct pn_str arg;

	return pn_str_caseeq(split(line, &arg), PN_STR_V("RCPT"));
}

bool
command_in_order(struct session *s, enum need need)
{
	switch (need) {
	case NEED_NOTHING:
		return true;
	case NEED_NO_MAIL:
	case NEED_HELO:
		if (s->mail)
			session_say(s, 503, "5.5.1", "Error: a mail is in progress");
		else if (need == NEED_HELO && !s->greeted)
			session_say(s, 503, "5.5.1", "Error: send %s first",
			    s->listener->lmtp ? "LHLO" : "HELO/EHLO");
		return !s->mail && (need == NEED_NO_MAIL || s->greeted);
	case NEED_MAIL:
		if (!s->mail)
			session_say(s, 503, "5.5.1", "Error: need MAIL command");
		else if (s->chunked)
			session_say(s, 503, "5.5.1",
			    "Error: a message has begun with BDAT");
		return s->mail && !s->chunked;
	}
	return false;
}

const struct keywords *
command_keywords(const struct session *s)
{
	return s->offered.known ? &s->offered : &s->hop->known;
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
	case LINE_CHUNK:
		bdat_syntax(s);
		return;
	case LINE_GOOD:
		return;
	}
}

/* No login may be read in the log: not that of one who goes on with it when
 * nobody listens any more. */
static const char *
unsaid(const struct command *c)
{
	return c != NULL ? "AUTH ..." : "(no command)";
}

void
command_run(struct session *s, struct pn_str line, enum line_fault fault)
{
	struct pn_str arg, verb;
	const struct command *c;

	if (!limits_command(s))
		return;
	if (fault != LINE_GOOD) {
		s->junk++;
		refuse_line(s, fault);
		return;
	}
	verb = split(line, &arg);
	c = find(s, verb);
	if (log_wants(LOG_LEVEL_DEBUG))
		log_debug(session_id(s), "client-says", "text=\"%s\"",
		    c == NULL || c->proceed == auth_do ? unsaid(c) : VIS(line));
	if (c != NULL && !utf8_valid(line)) {
		s->junk++;
		session_say(s, 500, "5.5.2", "Error: bad UTF-8 in a command");
		return;
	}
	if (c == NULL) {
		s->junk++;
		session_say(s, 500, "5.5.1", "Error: command not recognized");
		return;
	}
	s->verb = c->verb;
	if (c->junk)
		s->junk++;
	if (s->turned_away && c->proceed != do_quit && c->proceed != bdat_run) {
		session_say(s, 503, "5.5.1", "Error: send QUIT");
		return;
	}
	/* Octets behind BDAT are never commands: it has its own no. */
	if (c->proceed != bdat_run && starttls_refuses(s, c->verb))
		return;
	if (command_in_order(s, c->need) && (c->check == NULL || c->check(s, arg)))
		c->proceed(s, arg);
}
