/* identity - see identity.h. */
#include "smtp/identity.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "smtp/ehlo.h"
#include "smtp/reply.h"
#include "smtp/xtext.h"

/*
 * No name is longer (RFC 1035 2.3.4). What a client says in HELO may be, and
 * as xtext would fill the line that Postfix reads (line_length_limit, 2048);
 * EHLO, which follows XCLIENT, says it in full.
 */
#define VALUE_MAX 255

static const struct pn_str unavailable = PN_STR("[UNAVAILABLE]");
static const struct pn_str temporary = PN_STR("[TEMPUNAVAIL]");

/* ---- outward ---- */

static struct pn_str
or_unavailable(struct pn_str s)
{
	return s.n > 0 ? s : unavailable;
}

static struct pn_str
name_of(const struct client *c, struct pn_str name)
{
	if (name.n > 0)
		return name;
	return c->name_state == CLIENT_NAME_TEMPORARY ? temporary : unavailable;
}

/* XCLIENT has no word for a protocol that is not known: Postfix answers 501. */
static struct client
as_claimed(const struct client *c)
{
	struct client out = *c;

	if (out.helo_verb.n == 0)
		out.helo_verb = PN_STR_V("EHLO");
	return out;
}

/* XFORWARD has no word for a name that may come yet: Postfix answers 501. */
static struct client
as_forwarded(const struct client *c)
{
	struct client out = *c;

	if (out.name_state == CLIENT_NAME_TEMPORARY)
		out.name_state = CLIENT_NAME_NONE;
	return out;
}

static struct pn_str
address(struct pn_str ip, char scratch[80])
{
	(void)snprintf(scratch, 80, "%s%.*s",
	    ip.n && memchr(ip.p, ':', ip.n) ? "IPV6:" : "", PN_STR_ARG(ip));
	return or_unavailable(pn_str_of(scratch));
}

static struct pn_str
value_of(enum attribute a, const struct client *c, const char *ident,
    bool local, char scratch[80])
{
	switch (a) {
	case ATTR_NAME:
		return name_of(c,
		    c->name_state == CLIENT_NAME_OK ? c->name
						    : (struct pn_str){ 0 });
	case ATTR_REVERSE_NAME:
		return name_of(c, c->reverse_name);
	case ATTR_ADDR:
		return address(c->ip, scratch);
	case ATTR_PORT:
		if (c->port == 0)
			return unavailable;
		(void)snprintf(scratch, 80, "%u", c->port);
		return pn_str_of(scratch);
	case ATTR_PROTO:
		if (c->helo_verb.n == 0)
			return unavailable;
		return pn_str_caseeq(c->helo_verb, PN_STR_V("HELO"))
		    ? PN_STR_V("SMTP")
		    : PN_STR_V("ESMTP");
	case ATTR_HELO:
		return or_unavailable(c->helo);
	case ATTR_LOGIN:
		return or_unavailable(c->login);
	case ATTR_DESTADDR:
		return address(c->to_ip, scratch);
	case ATTR_DESTPORT:
		if (c->to_ip.n == 0 || c->to_port == 0)
			return unavailable;
		(void)snprintf(scratch, 80, "%u", c->to_port);
		return pn_str_of(scratch);
	case ATTR_IDENT:
		return pn_str_of(ident);
	case ATTR_SOURCE:
		return local ? PN_STR_V("LOCAL") : PN_STR_V("REMOTE");
	}
	return unavailable;
}

/* " NAME=value" */
static void
put_attribute(struct buf *b, size_t i, const struct client *c,
    const char *ident, bool local)
{
	char scratch[80];
	struct pn_str v = value_of(attribute_names[i].bit, c, ident, local, scratch);

	(void)buf_printf(b, " %.*s=", PN_STR_ARG(attribute_names[i].name));
	xtext_put(b, v.n > VALUE_MAX ? unavailable : v);
}

void
identity_xclient(struct buf *b, const struct client *c, unsigned attrs)
{
	const struct client told = as_claimed(c);

	attrs &= ATTR_OF_XCLIENT;
	(void)buf_puts(b, "XCLIENT");
	for (size_t i = 0; i < ATTRIBUTES; i++)
		if (attribute_names[i].bit & attrs)
			put_attribute(b, i, &told, "", false);
	(void)buf_puts(b, "\r\n");
}

unsigned
identity_xforward(struct buf *b, const struct client *c, const char *ident,
    bool local, unsigned attrs)
{
	const struct client told = as_forwarded(c);
	struct buf one = { 0 };
	size_t line = 0;
	unsigned commands = 0;

	attrs &= ATTR_OF_XFORWARD;
	for (size_t i = 0; i < ATTRIBUTES; i++) {
		if (!(attribute_names[i].bit & attrs))
			continue;
		buf_clear(&one);
		put_attribute(&one, i, &told, ident, local);
		if (line == 0 || line + buf_len(&one) > REPLY_LINE - 2) {
			if (line > 0)
				(void)buf_puts(b, "\r\n");
			(void)buf_puts(b, "XFORWARD");
			line = sizeof("XFORWARD") - 1;
			commands++;
		}
		(void)buf_add_str(b, buf_str(&one));
		line += buf_len(&one);
	}
	if (line > 0)
		(void)buf_puts(b, "\r\n");
	buf_fini(&one);
	return commands;
}

/* ---- inward ---- */

static bool
read_name(struct pn_str v, struct client *c)
{
	c->name = (struct pn_str){ 0 };
	if (pn_str_caseeq(v, temporary)) {
		c->name_state = CLIENT_NAME_TEMPORARY;
	} else if (pn_str_caseeq(v, unavailable)) {
		c->name_state = CLIENT_NAME_NONE;
	} else {
		c->name_state = CLIENT_NAME_OK;
		c->name = v;
	}
	return true;
}

static bool
read_addr(struct pn_str v, struct pn_str *ip, struct arena *a)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
	unsigned char raw[16];
	char text[INET6_ADDRSTRLEN];
	int family = AF_INET;
	struct pn_str six = pn_str_sub(v, 0, 5);

	if (pn_str_caseeq(v, unavailable))
		return true; /* mail made on that host: it stays as it is */
	if (pn_str_caseeq(six, PN_STR_V("IPV6:")))
		v = pn_str_sub(v, 5, v.n);
	if (v.n >= sizeof(text))
		return false;
	if (v.n > 0 && memchr(v.p, ':', v.n) != NULL)
		family = AF_INET6;
	memcpy(text, v.p, v.n);
	text[v.n] = '\0';
	if (inet_pton(family, text, raw) != 1)
		return false;
	/* As accept() has them: rules and networks know the one spelling. */
	if (family == AF_INET6 && memcmp(raw, mapped, sizeof(mapped)) == 0) {
		family = AF_INET;
		memmove(raw, raw + sizeof(mapped), 4);
	}
	if (inet_ntop(family, raw, text, sizeof(text)) == NULL)
		return false;
	*ip = arena_str(a, pn_str_of(text));
	return ip->p != NULL;
}

static bool
read_port(struct pn_str v, uint16_t *to)
{
	unsigned port = 0;

	if (pn_str_caseeq(v, unavailable)) {
		*to = 0;
		return true;
	}
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] < '0' || v.p[i] > '9' || port > 65535)
			return false;
		port = port * 10 + (unsigned)(v.p[i] - '0');
	}
	*to = (uint16_t)port;
	return v.n > 0 && port <= 65535;
}

/* In XFORWARD any word may stand there ("QMQP", "[UNAVAILABLE]"). */
static bool
read_proto(struct pn_str v, bool xforward, struct client *c)
{
	c->helo_verb = pn_str_caseeq(v, PN_STR_V("SMTP"))
	    ? PN_STR_V("HELO")
	    : pn_str_caseeq(v, PN_STR_V("ESMTP")) ? PN_STR_V("EHLO")
						  : (struct pn_str){ 0 };
	return c->helo_verb.n > 0 || (xforward && v.n > 0);
}

static struct pn_str
or_empty(struct pn_str v)
{
	return pn_str_caseeq(v, unavailable) ? (struct pn_str){ 0 } : v;
}

static bool
read_source(struct pn_str v)
{
	return pn_str_caseeq(v, PN_STR_V("LOCAL")) ||
	    pn_str_caseeq(v, PN_STR_V("REMOTE")) ||
	    pn_str_caseeq(v, unavailable);
}

static bool
read_attribute(unsigned bit, struct pn_str v, bool xforward, struct arena *a,
    struct client *c)
{
	if (!pn_str_is_one_line(v)) /* for the log, and the next hop's commands */
		return false;
	switch (bit) {
	case ATTR_NAME:
		return read_name(v, c);
	case ATTR_ADDR:
		return read_addr(v, &c->ip, a);
	case ATTR_PORT:
		return read_port(v, &c->port);
	case ATTR_DESTADDR:
		return read_addr(v, &c->to_ip, a);
	case ATTR_DESTPORT:
		return read_port(v, &c->to_port);
	case ATTR_PROTO:
		return read_proto(v, xforward, c);
	case ATTR_HELO:
		c->helo = or_empty(v);
		return true;
	case ATTR_LOGIN:
		client_log_in(c, or_empty(v), PN_STR_V("XCLIENT"));
		return true;
	case ATTR_REVERSE_NAME:
		c->reverse_name = pn_str_caseeq(v, temporary)
		    ? (struct pn_str){ 0 }
		    : or_empty(v);
		return true;
	case ATTR_IDENT:
		return true; /* theirs; ours goes onward */
	case ATTR_SOURCE:
		return read_source(v);
	}
	return false;
}

static bool
refuse(struct reply *r, struct arena *a, const char *fmt, struct pn_str what)
{
	const char *text = arena_printf(a, fmt, PN_STR_ARG(what));

	*r = (struct reply){ .code = 501, .status = "5.5.4",
		.text = pn_str_of(text) };
	return false;
}

/* One NAME=value. *seen gathers the attributes. */
static bool
read_word(struct pn_str word, bool xforward, struct arena *a, struct client *c,
    unsigned *seen, struct reply *r)
{
	const char *eq = memchr(word.p, '=', word.n);
	struct pn_str name = word, value;
	unsigned bit;

	if (eq == NULL || eq + 1 == word.p + word.n) /* as Postfix has it */
		return refuse(r, a, "Error: attribute=value expected: %.*s",
		    word);
	name.n = (size_t)(eq - word.p);
	bit = attribute_of(name) &
	    (xforward ? ATTR_OF_XFORWARD : ATTR_OF_XCLIENT);
	if (bit == 0)
		return refuse(r, a, "Error: unknown attribute: %.*s", name);
	if (!xtext_get(pn_str_sub(word, name.n + 1, word.n), a, &value) ||
	    !read_attribute(bit, value, xforward, a, c))
		return refuse(r, a, "Error: bad %.*s value", name);
	*seen |= bit;
	return true;
}

static bool
read_words(struct pn_str args, bool xforward, struct arena *a,
    struct client *c, unsigned *seen, struct reply *r)
{
	args = pn_str_trim(args);
	if (args.n == 0)
		return refuse(r, a, "Syntax: %.*s attribute=value...",
		    xforward ? PN_STR_V("XFORWARD") : PN_STR_V("XCLIENT"));
	while (args.n > 0) {
		struct pn_str word = args;
		const char *blank = memchr(args.p, ' ', args.n);

		if (blank != NULL)
			word.n = (size_t)(blank - args.p);
		args = pn_str_trim(pn_str_sub(args, word.n, args.n));
		if (!read_word(word, xforward, a, c, seen, r))
			return false;
	}
	return true;
}

/* Another address: what is not told anew was the old one's. */
static void
forget(struct client *c, unsigned seen)
{
	if ((seen & ATTR_DESTADDR) && !(seen & ATTR_DESTPORT))
		c->to_port = 0;
	if (!(seen & ATTR_ADDR))
		return;
	if (!(seen & ATTR_PORT))
		c->port = 0;
	if (!(seen & ATTR_REVERSE_NAME))
		c->reverse_name = (struct pn_str){ 0 };
	if (!(seen & ATTR_NAME)) {
		c->name = (struct pn_str){ 0 };
		c->name_state = CLIENT_NAME_UNASKED;
	}
}

bool
identity_read_xclient(struct pn_str args, struct arena *a, struct client *c,
    struct reply *r)
{
	struct client told = *c;
	unsigned seen = 0;

	if (!read_words(args, false, a, &told, &seen, r))
		return false;
	forget(&told, seen);
	*c = told;
	return true;
}

/* Who speaks for it is not it. */
static void
forget_all(struct client *c)
{
	c->port = 0;
	c->name = c->reverse_name = (struct pn_str){ 0 };
	c->name_state = CLIENT_NAME_UNASKED;
	c->helo = c->helo_verb = (struct pn_str){ 0 };
}

bool
identity_read_xforward(struct pn_str args, unsigned *told, struct arena *a,
    struct client *c, struct reply *r)
{
	struct client client = *c;
	unsigned seen = *told;

	if (!(seen & ATTR_OF_BOTH))
		forget_all(&client);
	if (!read_words(args, true, a, &client, &seen, r))
		return false;
	*told = seen;
	if (seen & ATTR_OF_BOTH) /* IDENT and SOURCE are not of the client */
		*c = client;
	return true;
}
