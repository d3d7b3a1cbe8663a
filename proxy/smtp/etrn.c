/* etrn - see etrn.h. */
#include "smtp/etrn.h"

#include <ctype.h>
#include <stdio.h>

#include "smtp/auth.h"
#include "smtp/command.h"

#define NODE_BYTES 255

/* RFC 1985 5.3: a domain, "@" and a domain with all below it, "#" and the
 * name of a queue. */
static bool
is_node(struct pn_str arg)
{
	if (arg.n > 0 && (arg.p[0] == '@' || arg.p[0] == '#'))
		arg = pn_str_sub(arg, 1, arg.n);
	for (size_t i = 0; i < arg.n; i++)
		if (!isalnum((unsigned char)arg.p[i]) &&
		    strchr(".-_:[]", arg.p[i]) == NULL)
			return false;
	return arg.n > 0 && arg.n <= NODE_BYTES;
}

bool
etrn_is_offered(const struct session *s)
{
	const struct keywords *k = command_keywords(s);

	return s->hop->conf->maildir == NULL && !(k->known && !k->etrn);
}

bool
etrn_check(struct session *s, struct pn_str arg)
{
	if (!etrn_is_offered(s)) {
		session_say(s, 502, "5.5.1", "Error: command not implemented");
		return false;
	}
	if (!command_in_order(s, NEED_HELO) || !auth_allows(s))
		return false;
	if (!is_node(arg)) {
		session_say(s, 501, "5.5.4", "Syntax: ETRN domain");
		return false;
	}
	s->node = arena_str(s->base->arena, arg);
	if (s->node.p == NULL)
		session_say_no_room(s);
	return s->node.p != NULL;
}

void
etrn_do(struct session *s, struct pn_str arg)
{
	(void)arg;
	s->state = SESSION_ETRN;
	if (mail_is_connected(s))
		return;
	if (auth_is_lost(s))
		auth_lost(s);
	else
		mail_dial(s);
}

static enum turn
fail(struct session *s)
{
	session_reply(s, upstream_failure(s->up));
	s->state = SESSION_COMMAND;
	return TURN_AGAIN;
}

enum turn
session_etrn(struct session *s)
{
	char line[sizeof("ETRN @") + NODE_BYTES];

	if (upstream_at(s->up) == UPSTREAM_DIALLING)
		return session_wait_elsewhere(s);
	if (upstream_at(s->up) != UPSTREAM_READY)
		return fail(s);
	(void)snprintf(line, sizeof(line), "ETRN %.*s", PN_STR_ARG(s->node));
	upstream_command_line(s->up, pn_str_of(line));
	s->state = SESSION_ETRN_ANSWER;
	return TURN_AGAIN;
}

enum turn
session_etrn_answer(struct session *s)
{
	struct reply_lines r;

	if (!upstream_take(s->up, &r)) {
		if (upstream_at(s->up) == UPSTREAM_READY)
			return session_wait_elsewhere(s);
		return fail(s);
	}
	session_pass_on(s, &r);
	s->state = SESSION_COMMAND;
	return TURN_AGAIN;
}
