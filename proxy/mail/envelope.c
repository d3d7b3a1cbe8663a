/* envelope - see envelope.h. Filled by the doors; packed for the keeper. */
#include "mail/envelope.h"

#include "mail/address.h"

#define RCPTS_MAX 100000 /* no transaction of ours has more: smtp limits it */

void
envelope_init(struct envelope *e)
{
	*e = (struct envelope){ 0 };
	TAILQ_INIT(&e->rcpts);
}

struct rcpt *
envelope_add_rcpt(struct envelope *e, struct arena *a)
{
	struct rcpt *r = arena_alloc(a, sizeof(*r));

	if (r != NULL)
		TAILQ_INSERT_TAIL(&e->rcpts, r, next);
	return r;
}

struct rcpt *
envelope_add_address(struct envelope *e, struct arena *arena,
    struct pn_str text)
{
	char *path = arena_printf(arena, "<%.*s>", PN_STR_ARG(text));
	struct pn_str rest;
	struct address a;
	struct rcpt *r;

	if (path == NULL ||
	    address_parse_path(pn_str_of(path), arena, &a, &rest) != ADDRESS_OK ||
	    a.path.n == 0 || rest.n > 0 ||
	    (r = envelope_add_rcpt(e, arena)) == NULL)
		return NULL;
	r->path = a.path;
	r->address = a.address;
	r->local = a.local;
	r->domain = a.domain;
	r->accepted = r->added = true;
	e->n_accepted++;
	return r;
}

/* What stands of the parameters, without AUTH=. */
static struct pn_str
without_auth(struct pn_str params, struct arena *arena)
{
	char *out = arena_alloc(arena, params.n + 1);
	size_t n = 0;

	for (size_t i = 0, end; out != NULL && i < params.n; i = end + 1) {
		const char *blank = memchr(params.p + i, ' ', params.n - i);
		struct pn_str one;

		end = blank != NULL ? (size_t)(blank - params.p) : params.n;
		one = pn_str_sub(params, i, end - i);
		if (one.n == 0 ||
		    pn_str_caseeq(pn_str_sub(one, 0, 5), PN_STR_V("AUTH=")))
			continue;
		if (n > 0)
			out[n++] = ' ';
		memcpy(out + n, one.p, one.n);
		n += one.n;
	}
	return (struct pn_str){ out, n };
}

int
envelope_set_sender(
    struct envelope *e, struct arena *arena, struct pn_str address)
{
	struct address a = { .path = PN_STR(""), .address = PN_STR("") };
	const char *path = arena_printf(arena, "<%.*s>", PN_STR_ARG(address));
	struct pn_str rest = { 0 }, params = without_auth(e->params, arena);

	if (path == NULL || params.p == NULL ||
	    (address.n > 0 &&
		(address_parse_path(pn_str_of(path), arena, &a, &rest) !=
			ADDRESS_OK ||
		    rest.n > 0)))
		return -1;
	e->has_sender = true;
	e->path = a.path;
	e->address = a.address;
	e->local = a.local;
	e->domain = a.domain;
	e->params = params;
	return 0;
}

int
envelope_copy(struct envelope *e, const struct envelope *from,
    struct arena *arena)
{
	const struct rcpt *r;

	*e = *from;
	TAILQ_INIT(&e->rcpts);
	TAILQ_FOREACH (r, &from->rcpts, next) {
		struct rcpt *copy;

		if (!r->accepted)
			continue;
		if ((copy = arena_alloc(arena, sizeof(*copy))) == NULL)
			return -1;
		*copy = *r;
		TAILQ_INSERT_TAIL(&e->rcpts, copy, next);
	}
	return 0;
}

const struct rcpt *
envelope_next_accepted(const struct envelope *e, const struct rcpt *behind)
{
	const struct rcpt *r =
	    behind != NULL ? TAILQ_NEXT(behind, next) : TAILQ_FIRST(&e->rcpts);

	while (r != NULL && !r->accepted)
		r = TAILQ_NEXT(r, next);
	return r;
}

void
envelope_remove_rcpt(struct envelope *e, struct rcpt *r)
{
	TAILQ_REMOVE(&e->rcpts, r, next);
	e->n_accepted -= r->accepted;
}

static void
rcpt_pack(const struct rcpt *r, struct buf *b)
{
	pack_str(b, r->path);
	pack_str(b, r->address);
	pack_str(b, r->local);
	pack_str(b, r->domain);
	pack_str(b, r->params);
}

void
envelope_pack(const struct envelope *e, struct buf *b)
{
	const struct rcpt *r;

	pack_str(b, e->path);
	pack_str(b, e->address);
	pack_str(b, e->local);
	pack_str(b, e->domain);
	pack_str(b, e->params);
	pack_u32(b, e->n_accepted);
	TAILQ_FOREACH (r, &e->rcpts, next)
		if (r->accepted)
			rcpt_pack(r, b);
}

static bool
rcpt_unpack(struct rcpt *r, struct unpack *u)
{
	r->path = unpack_str(u);
	r->address = unpack_str(u);
	r->local = unpack_str(u);
	r->domain = unpack_str(u);
	r->params = unpack_str(u);
	r->accepted = true;
	r->code = 250;
	return !u->failed;
}

bool
envelope_unpack(struct envelope *e, struct unpack *u, struct arena *a)
{
	envelope_init(e);
	e->has_sender = true;
	e->path = unpack_str(u);
	e->address = unpack_str(u);
	e->local = unpack_str(u);
	e->domain = unpack_str(u);
	e->params = unpack_str(u);
	e->n_accepted = unpack_u32(u);
	if (e->n_accepted > RCPTS_MAX)
		unpack_fail(u);
	for (unsigned i = 0; i < e->n_accepted && !u->failed; i++) {
		struct rcpt *r = envelope_add_rcpt(e, a);

		if (r == NULL || !rcpt_unpack(r, u))
			unpack_fail(u);
	}
	return !u->failed;
}

void
client_log_in(struct client *c, struct pn_str login, struct pn_str type)
{
	c->login = login;
	c->login_type = type;
}

int
client_copy(struct client *c, const struct client *from, struct arena *a)
{
	struct pn_str *const texts[] = { &c->ip, &c->name, &c->reverse_name,
		&c->helo, &c->helo_verb, &c->tls_version, &c->tls_cipher,
		&c->tls_sni, &c->tls_subject, &c->tls_issuer,
		&c->tls_fingerprint, &c->login, &c->login_type, &c->listener,
		&c->to_ip };

	*c = *from;
	for (size_t i = 0; i < PN_COUNT(texts); i++) {
		if (texts[i]->n == 0)
			continue;
		*texts[i] = arena_str(a, *texts[i]);
		if (texts[i]->p == NULL)
			return -1;
	}
	return 0;
}

void
client_pack(const struct client *c, struct buf *b)
{
	pack_str(b, c->ip);
	pack_u16(b, c->port);
	pack_u8(b, (uint8_t)c->name_state);
	pack_str(b, c->name);
	pack_str(b, c->reverse_name);
	pack_str(b, c->helo);
	pack_str(b, c->helo_verb);
	pack_str(b, c->tls_version);
	pack_str(b, c->tls_cipher);
	pack_str(b, c->login);
	pack_str(b, c->listener);
}

bool
client_unpack(struct client *c, struct unpack *u)
{
	uint8_t state;

	*c = (struct client){ 0 };
	c->ip = unpack_str(u);
	c->port = unpack_u16(u);
	state = unpack_u8(u);
	if (state > CLIENT_NAME_TEMPORARY)
		unpack_fail(u);
	else
		c->name_state = state;
	c->name = unpack_str(u);
	c->reverse_name = unpack_str(u);
	c->helo = unpack_str(u);
	c->helo_verb = unpack_str(u);
	c->tls_version = unpack_str(u);
	c->tls_cipher = unpack_str(u);
	c->login = unpack_str(u);
	c->listener = unpack_str(u);
	return !u->failed;
}
