/*
 * command_identity - XCLIENT and XFORWARD from listed addresses (identity
 * from): who the client is that they speak for.
 */
#include "smtp/auth.h"
#include "smtp/command.h"
#include "smtp/identity.h"
#include "smtp/limits.h"

bool
command_may_identify(const struct session *s, enum smtp_identity by)
{
	return s->listed && s->listener->identity_by == by;
}

static bool
check(struct session *s, enum smtp_identity by)
{
	if (command_may_identify(s, by))
		return true;
	session_say(s, 550, "5.7.0", "Error: insufficient authorization");
	return false;
}

bool
command_check_xclient(struct session *s, struct pn_str arg)
{
	(void)arg;
	return check(s, IDENTITY_XCLIENT);
}

bool
command_check_xforward(struct session *s, struct pn_str arg)
{
	(void)arg;
	return check(s, IDENTITY_XFORWARD);
}

/*
 * The session begins again as that client's: 220, and HELO anew
 * (XCLIENT_README). The address that was allowed stays allowed.
 */
void
command_do_xclient(struct session *s, struct pn_str arg)
{
	struct transaction *t = session_transaction(s);
	struct reply r = { .code = 452, .status = "4.3.1",
		.text = PN_STR("Insufficient system storage") };
	bool copied = client_copy(&t->client, &s->base->client, t->arena) == 0;

	t->client.helo = t->client.helo_verb = (struct pn_str){ 0 };
	if (s->logged_in) /* that was the other client's */
		client_log_in(&t->client, PN_STR_V(""), PN_STR_V(""));
	if (!copied || !identity_read_xclient(arg, t->arena, &t->client, &r)) {
		session_reply(s, &r);
		transaction_free(t);
		return;
	}
	mail_end(s);
	auth_forget(s);
	mail_give_back(s);
	session_rebase(s, t);
	s->greeted = false;
	s->state = SESSION_GREETING;
	(void)limits_client(s); /* or else it has hung up */
}

/* For the next mail alone; its stages begin at connect, as that client's. */
void
command_do_xforward(struct session *s, struct pn_str arg)
{
	struct reply r;

	if (s->t == NULL) {
		s->t = session_transaction(s);
		s->t->client = s->base->client;
		s->stage = STAGE_CONNECT;
		s->forwarded = 0;
	}
	if (identity_read_xforward(
		arg, &s->forwarded, s->t->arena, &s->t->client, &r))
		session_say(s, 250, "2.0.0", "Ok");
	else
		session_reply(s, &r);
}
