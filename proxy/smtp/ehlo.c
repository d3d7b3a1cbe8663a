/* ehlo - see ehlo.h. */
#include "smtp/ehlo.h"

#include "smtp/sasl.h"

const struct attribute_name attribute_names[ATTRIBUTES] = {
	{ PN_STR("NAME"), ATTR_NAME },
	{ PN_STR("ADDR"), ATTR_ADDR },
	{ PN_STR("PORT"), ATTR_PORT },
	{ PN_STR("PROTO"), ATTR_PROTO },
	{ PN_STR("HELO"), ATTR_HELO },
	{ PN_STR("LOGIN"), ATTR_LOGIN },
	{ PN_STR("DESTADDR"), ATTR_DESTADDR },
	{ PN_STR("DESTPORT"), ATTR_DESTPORT },
	{ PN_STR("REVERSE_NAME"), ATTR_REVERSE_NAME },
	{ PN_STR("IDENT"), ATTR_IDENT },
	{ PN_STR("SOURCE"), ATTR_SOURCE },
};

unsigned
attribute_of(struct pn_str name)
{
	for (size_t i = 0; i < ATTRIBUTES; i++)
		if (pn_str_caseeq(attribute_names[i].name, name))
			return attribute_names[i].bit;
	return 0;
}

/* Cut the first blank-separated word off *rest. */
static struct pn_str
word(struct pn_str *rest)
{
	struct pn_str w;

	*rest = pn_str_trim(*rest);
	w = *rest;
	for (w.n = 0; w.n < rest->n && rest->p[w.n] != ' '; w.n++)
		;
	*rest = pn_str_sub(*rest, w.n, rest->n);
	return w;
}

static unsigned
read_attributes(struct pn_str rest)
{
	unsigned bits = 0;
	struct pn_str w;

	while ((w = word(&rest)).n > 0)
		bits |= attribute_of(w);
	return bits;
}

static void
read_size(struct keywords *k, struct pn_str rest)
{
	struct pn_str w = word(&rest);

	k->has_size = true;
	k->size = 0;
	for (size_t i = 0; i < w.n && i < 18; i++)
		if (w.p[i] >= '0' && w.p[i] <= '9')
			k->size = k->size * 10 + (uint64_t)(w.p[i] - '0');
}

bool
keywords_have_mechanism(const struct keywords *k, struct pn_str mechanism)
{
	struct pn_str rest = pn_str_of(k->auth), w;

	while ((w = word(&rest)).n > 0)
		if (pn_str_caseeq(w, mechanism))
			return true;
	return false;
}

/* Those of all AUTH lines: servers announce "AUTH=" too, for old clients. */
static void
read_mechanisms(struct keywords *k, struct pn_str rest)
{
	struct pn_str w;
	struct sasl unused;

	while ((w = word(&rest)).n > 0) {
		size_t n = strlen(k->auth);

		k->auth_binds |= sasl_binds(w);
		if (!sasl_init(&unused, w) || !sasl_can_pass(w) ||
		    keywords_have_mechanism(k, w) ||
		    n + 1 + w.n >= sizeof(k->auth))
			continue;
		if (n > 0)
			k->auth[n++] = ' ';
		memcpy(k->auth + n, w.p, w.n);
		k->auth[n + w.n] = '\0';
	}
}

static void
read_keyword(struct keywords *k, struct pn_str line)
{
	struct pn_str equals = pn_str_sub(line, 5, line.n), w = word(&line);

	if (pn_str_caseeq(w, PN_STR_V("PIPELINING")))
		k->pipelining = true;
	else if (pn_str_caseeq(w, PN_STR_V("STARTTLS")))
		k->starttls = true;
	else if (pn_str_caseeq(w, PN_STR_V("8BITMIME")))
		k->eight_bit = true;
	else if (pn_str_caseeq(w, PN_STR_V("SMTPUTF8")))
		k->smtputf8 = true;
	else if (pn_str_caseeq(w, PN_STR_V("DSN")))
		k->dsn = true;
	else if (pn_str_caseeq(w, PN_STR_V("ENHANCEDSTATUSCODES")))
		k->status = true;
	else if (pn_str_caseeq(w, PN_STR_V("CHUNKING")))
		k->chunking = true;
	else if (pn_str_caseeq(w, PN_STR_V("BINARYMIME")))
		k->binary = true;
	else if (pn_str_caseeq(w, PN_STR_V("ETRN")))
		k->etrn = true;
	else if (pn_str_caseeq(w, PN_STR_V("AUTH")))
		read_mechanisms(k, line);
	else if (pn_str_caseeq(pn_str_sub(w, 0, 5), PN_STR_V("AUTH=")))
		read_mechanisms(k, equals);
	else if (pn_str_caseeq(w, PN_STR_V("SIZE")))
		read_size(k, line);
	else if (pn_str_caseeq(w, PN_STR_V("XCLIENT")))
		k->xclient = read_attributes(line);
	else if (pn_str_caseeq(w, PN_STR_V("XFORWARD")))
		k->xforward = read_attributes(line);
}

void
keywords_read(struct keywords *k, struct pn_str reply)
{
	bool first = true; /* which names the host */

	*k = (struct keywords){ .known = true };
	while (reply.n > 4) {
		const char *lf = memchr(reply.p, '\n', reply.n);
		size_t n = lf ? (size_t)(lf - reply.p) + 1 : reply.n;

		if (!first && n > 4)
			read_keyword(k, pn_str_sub(reply, 4, n - 4));
		first = false;
		reply = pn_str_sub(reply, n, reply.n);
	}
	k->binary &= k->chunking && k->eight_bit;
}

/* A login may go to any of them: a mechanism is there when all have it. */
static void
join_mechanisms(struct keywords *all, const struct keywords *k)
{
	char was[EHLO_AUTH_MAX];
	struct pn_str rest, w;
	size_t n = 0;

	memcpy(was, all->auth, sizeof(was));
	rest = pn_str_of(was);
	while ((w = word(&rest)).n > 0) {
		if (!keywords_have_mechanism(k, w))
			continue;
		if (n > 0)
			all->auth[n++] = ' ';
		memcpy(all->auth + n, w.p, w.n);
		n += w.n;
	}
	all->auth[n] = '\0';
}

void
keywords_join(struct keywords *all, const struct keywords *k)
{
	if (!all->known) {
		*all = *k;
		return;
	}
	all->pipelining &= k->pipelining;
	all->eight_bit &= k->eight_bit;
	all->smtputf8 &= k->smtputf8;
	all->chunking &= k->chunking;
	all->binary &= k->binary;
	all->dsn &= k->dsn;
	all->status &= k->status;
	all->etrn &= k->etrn;
	join_mechanisms(all, k);
	all->xclient &= k->xclient;
	all->xforward &= k->xforward;
	/* The smaller limit; one that names none has none. */
	if (k->has_size && k->size > 0 &&
	    (!all->has_size || all->size == 0 || k->size < all->size))
		all->size = k->size;
	all->has_size |= k->has_size;
	if (k->when_ms < all->when_ms)
		all->when_ms = k->when_ms;
}

uint64_t
ehlo_size(const struct ehlo *e)
{
	uint64_t theirs = e->next->has_size ? e->next->size : 0;

	if (theirs == 0 || (e->size_limit > 0 && e->size_limit < theirs))
		return e->size_limit;
	return theirs;
}

/* A command that tells who the client is, and all that it may tell. */
static void
put_identity(struct buf *b, const char *command, unsigned which)
{
	(void)buf_printf(b, "250-%s", command);
	for (size_t i = 0; i < ATTRIBUTES; i++)
		if (attribute_names[i].bit & which)
			(void)buf_printf(b, " %.*s",
			    PN_STR_ARG(attribute_names[i].name));
	(void)buf_puts(b, "\r\n");
}

void
ehlo_put(struct buf *b, const struct ehlo *e)
{
	const struct keywords *k = e->next;

	(void)buf_printf(b, "250-%s\r\n", e->hostname);
	(void)buf_puts(b, "250-PIPELINING\r\n250-CHUNKING\r\n");
	if (k->status)
		(void)buf_puts(b, "250-ENHANCEDSTATUSCODES\r\n");
	if (k->eight_bit)
		(void)buf_puts(b, "250-8BITMIME\r\n");
	if (k->binary)
		(void)buf_puts(b, "250-BINARYMIME\r\n");
	if (k->smtputf8)
		(void)buf_puts(b, "250-SMTPUTF8\r\n");
	if (k->dsn)
		(void)buf_puts(b, "250-DSN\r\n");
	if (k->etrn)
		(void)buf_puts(b, "250-ETRN\r\n");
	if (e->auth && k->auth[0] != '\0')
		(void)buf_printf(b, "250-AUTH %s\r\n", k->auth);
	if (e->starttls)
		(void)buf_puts(b, "250-STARTTLS\r\n");
	if (e->xclient)
		put_identity(b, "XCLIENT", ATTR_OF_XCLIENT);
	if (e->xforward)
		put_identity(b, "XFORWARD", ATTR_OF_XFORWARD);
	(void)buf_printf(b, "250 SIZE %llu\r\n",
	    (unsigned long long)ehlo_size(e));
}
