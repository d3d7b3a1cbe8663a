/*
 * client_name - the client's name in DNS, as Postfix's smtpd_peer finds it:
 * PTR, and the name's addresses must hold the client's again. Fills
 * t->client.name, .reverse_name and .name_state at the connect stage.
 *
 * Called by engine.c when a rule or an upstream's XCLIENT wants to know.
 */
#include "engine/run.h"

#include <ctype.h>

struct client_name {
	struct engine_run *run;
	struct dns_ask *ask;
};

static void
finish(struct client_name *c, enum client_name_state state)
{
	struct engine_run *r = c->run;

	r->t->client.name_state = state;
	if (state == CLIENT_NAME_OK)
		r->t->client.name = r->t->client.reverse_name;
	r->name = NULL;
	run_settle(r);
}

/* RFC 1123 2.1 and what smtpd lets pass: the name goes into logs and rules. */
static bool
is_hostname(struct pn_str s)
{
	bool letter = false;

	if (s.n == 0 || s.n > 253)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (!isalnum(c) && c != '-' && c != '_' && c != '.')
			return false;
		if (c == '.' && (i == 0 || s.p[i - 1] == '.'))
			return false;
		letter = letter || isalpha(c);
	}
	return letter;
}

static bool
is_temporary(enum pn_dns_status s)
{
	return s == PN_DNS_TEMPORARY || s == PN_DNS_TIMEOUT;
}

static void
on_addresses(void *arg, const struct pn_dns *answer)
{
	struct client_name *c = arg;
	enum client_name_state state = CLIENT_NAME_NONE;

	c->ask = NULL;
	if (is_temporary(answer->status))
		state = CLIENT_NAME_TEMPORARY;
	for (size_t i = 0; i < answer->n; i++)
		if (pn_str_eq(answer->answers[i], c->run->t->client.ip))
			state = CLIENT_NAME_OK;
	finish(c, state);
}

static void
on_name(void *arg, const struct pn_dns *answer)
{
	struct client_name *c = arg;
	struct engine_run *r = c->run;
	struct client *client = &r->t->client;

	c->ask = NULL;
	if (answer->n == 0 || !is_hostname(answer->answers[0])) {
		finish(c,
		    is_temporary(answer->status) ? CLIENT_NAME_TEMPORARY
						 : CLIENT_NAME_NONE);
		return;
	}
	client->reverse_name = arena_str(r->t->arena, answer->answers[0]);
	c->ask = dns_ask(r->engine->dns,
	    memchr(client->ip.p, ':', client->ip.n) ? DNS_AAAA : DNS_A,
	    client->reverse_name, r->engine->conf->dns_timeout_ms, on_addresses,
	    c);
}

void
client_name_start(struct engine_run *r)
{
	struct client_name *c = arena_alloc(r->t->arena, sizeof(*c));

	if (c == NULL) {
		r->t->client.name_state = CLIENT_NAME_TEMPORARY;
		return;
	}
	c->run = r;
	r->name = c;
	run_wait(r);
	c->ask = dns_ask(r->engine->dns, DNS_PTR, r->t->client.ip,
	    r->engine->conf->dns_timeout_ms, on_name, c);
}

void
client_name_cancel(struct engine_run *r)
{
	if (r->name != NULL)
		dns_cancel(r->name->ask);
	r->name = NULL;
}
