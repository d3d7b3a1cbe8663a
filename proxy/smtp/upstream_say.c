/*
 * upstream_say - what a connection that is READY is told: the commands of a
 * mail, with the parameters it knows, a login's lines, and the message. RFC
 * 5321, 3030, 3461, 4954.
 *
 * Called by the owner (upstream.h) and, while a message is written, by
 * upstream.c, which sends what is put together here and takes the replies.
 */
#include "mail/address.h"
#include "smtp/identity.h"
#include "smtp/upstream_inside.h"

/* ---- envelope ---- */

/* While another connection is dialled for this mail: what the first one takes,
 * or the other will not do (again_tell()). */
static const struct keywords *
keywords_of(const struct upstream *u)
{
	return u->again.dialling ? &u->again.promised : &u->keywords;
}

static bool
can(const struct upstream *u, struct pn_str params, unsigned which,
    struct params *p)
{
	const struct keywords *k = keywords_of(u);

	if (params_check(params, which, p) != PARAMS_OK)
		return false;
	return ((p->given & PARAM_BODY) == 0 || k->eight_bit) &&
	    (!p->binary || k->binary) &&
	    ((p->given & PARAM_SMTPUTF8) == 0 || k->smtputf8) &&
	    ((p->given & PARAM_OF_DSN) == 0 || k->dsn);
}

/* As they came, but for SIZE towards one that knows no SIZE, and for AUTH=
 * towards one that knows no AUTH (RFC 4954 5). */
static void
put_params(struct buf *b, struct pn_str params, const struct keywords *k)
{
	struct pn_str name, value;
	bool has_value;

	while (param_next(&params, &name, &value, &has_value)) {
		if ((!k->has_size && pn_str_caseeq(name, PN_STR_V("SIZE"))) ||
		    (k->auth[0] == '\0' &&
			pn_str_caseeq(name, PN_STR_V("AUTH"))))
			continue;
		(void)buf_puts(b, " ");
		(void)buf_add_str(b, name);
		if (has_value)
			(void)buf_puts(b, "=");
		(void)buf_add_str(b, value);
	}
}

bool
upstream_mail(struct upstream *u, const struct envelope *e,
    const struct client *c, const char *id, bool local)
{
	struct buf *lines;
	struct params p;

	if (!can(u, e->params, PARAM_OF_MAIL, &p))
		return false;
	u->binary = p.binary;
	upstream_set_id(u, id);
	again_begin(u, c);
	lines = upstream_lines(u);
	if (u->conf.hop->conf->identity == IDENTITY_XFORWARD)
		for (unsigned n = identity_xforward(lines, c, id, local,
			 u->keywords.xforward);
		     n > 0; n--)
			again_expect(u, IDENTITY);
	(void)buf_puts(lines, "MAIL FROM:<");
	(void)buf_add_str(lines, e->path);
	(void)buf_puts(lines, ">");
	put_params(lines, e->params, &u->keywords);
	upstream_command(u, WANTED, "\r\n");
	u->open = true;
	u->at_rest = false;
	u->mails++;
	return true;
}

bool
upstream_rcpt(struct upstream *u, const struct rcpt *r)
{
	struct pn_str params = r->params;
	struct buf *lines = upstream_lines(u);
	struct params p;

	/* Whom a milter added need not be known by it: he gets the message. */
	if (r->added && !keywords_of(u)->dsn)
		params = PN_STR_V("");
	if (!can(u, params, PARAM_OF_RCPT, &p))
		return false;
	(void)buf_puts(lines, "RCPT TO:<");
	(void)buf_add_str(lines, r->path);
	(void)buf_puts(lines, ">");
	put_params(lines, params, keywords_of(u));
	/* RFC 3461 4.1: who was not asked for must not tell of himself. */
	if (r->quiet && keywords_of(u)->dsn)
		(void)buf_puts(lines, " NOTIFY=NEVER");
	upstream_command(u, WANTED, "\r\n");
	return true;
}

/* ---- other commands ---- */

void
upstream_auth(struct upstream *u, struct pn_str line)
{
	u->engaged = true;
	(void)buf_add_str(upstream_lines(u), line);
	upstream_command(u, SECRET, "\r\n");
}

void
upstream_command_line(struct upstream *u, struct pn_str line)
{
	(void)buf_add_str(upstream_lines(u), line);
	upstream_command(u, WANTED, "\r\n");
}

void
upstream_hello(struct upstream *u, struct pn_str helo)
{
	u->helo = helo;
	buf_clear(&u->told);
	(void)buf_add_str(&u->told, helo);
	(void)buf_printf(upstream_lines(u), "%s ", upstream_hello_verb(u));
	upstream_command_line(u, helo);
}

void
upstream_hello_taken(struct upstream *u, const struct reply_lines *r)
{
	keywords_read(&u->keywords, r->raw);
	u->keywords.when_ms = loop_now_ms(u->conf.loop);
}

const struct keywords *
upstream_keywords(const struct upstream *u)
{
	return &u->keywords;
}

/* ---- the message ---- */

/* While nothing is due; also what waits in the kernel. */
static bool
says_more(struct upstream *u)
{
	return u->outstanding == 0 &&
	    (upstream_is_ahead(u) || wire_peek(&u->wire) == WIRE_BYTES);
}

/*
 * DATA is how everybody takes mail. It cannot carry what is binary, and adds a
 * CRLF to what ends without one: that goes as one chunk where it can.
 */
void
upstream_data(struct upstream *u, struct spool *spool,
    const struct edit_ranges *ranges)
{
	u->holding = false;
	u->chunked = u->binary ||
	    (u->keywords.chunking && body_ends_mid_line(spool, ranges));
	/* "250" is the answer to nearly everything: it must be NOOP's. */
	if (u->chunked && u->at == UPSTREAM_READY && says_more(u))
		upstream_hang_up(u);
	else if (u->chunked)
		upstream_command(u, WANTED, "NOOP\r\n");
	else
		upstream_command(u, CONTINUED, "DATA\r\n");
}

bool
upstream_goes_ahead(const struct upstream *u, uint16_t code)
{
	return code == (u->chunked ? 250 : 354);
}

bool
upstream_refuses_message(const struct upstream *u, uint16_t code)
{
	return code >= 400 && (code < 500 || !u->chunked);
}

void
upstream_write_body(struct upstream *u)
{
	switch (body_send(&u->body, &u->wire)) {
	case BODY_SENT:
		u->writing = false;
		u->body_sent = true;
		wire_wait(&u->wire, u->conf.hop->conf->data_timeout_ms);
		return;
	case BODY_BLOCKED:
		if (u->wire.broken && wire_peek(&u->wire) != WIRE_BYTES)
			upstream_fail_lost(u, "cannot send the message");
		else
			upstream_arm(u); /* a refusal may be waiting to be read */
		return;
	case BODY_UNREADABLE:
		upstream_fail(u, "4.3.0", PN_STR_V("The message cannot be read back"),
		    "spool");
		return;
	}
}

void
upstream_body(struct upstream *u, struct spool *spool,
    const struct edit_ranges *ranges, unsigned replies)
{
	if (u->at != UPSTREAM_READY)
		return;
	u->body_sent = false;
	if (buf_len(&u->wire.in) > 0 || (u->chunked && says_more(u))) {
		upstream_fail_lost(u, "it answers a message that it has not seen");
		return;
	}
	body_start(&u->body, spool, ranges, u->chunked);
	if (u->chunked)
		(void)buf_printf(&u->wire.out, "BDAT %zu LAST\r\n",
		    u->body.left);
	for (unsigned i = 0; i < replies; i++)
		upstream_expect(u, WANTED);
	u->outstanding += replies;
	u->writing = u->ending = true;
	sure_begin(u);
	upstream_write_body(u);
}

bool
upstream_body_sent(const struct upstream *u)
{
	return u->body_sent;
}
