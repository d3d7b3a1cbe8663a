/*
 * proxied - a session's first state behind a load balancer (identity from ...
 * proxy): the PROXY header, then its client is whom that names.
 *
 * Before the header there is no greeting, no stage and no TLS, and not a byte
 * behind it is read here: what follows may be a handshake. Only listed
 * addresses are asked for one; from any other it is a syntax error.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/proxy_protocol.h"
#include "smtp/limits.h"

#define PATIENCE_MS 5000 /* for all of it: the first packet has it */

struct proxied {
	uint64_t until_ms;
	struct proxy_header header;
};

struct proxied *
proxied_new(struct loop *loop)
{
	struct proxied *p = xcalloc(1, sizeof(*p));

	p->until_ms = loop_now_ms(loop) + PATIENCE_MS;
	return p;
}

void
proxied_free(struct proxied *p)
{
	free(p);
}

bool
proxied_is_listed(const struct smtp_listener *l, const struct sockaddr *sa)
{
	return net_has(l->proxy_from, l->n_proxy_from, sa);
}

/* One that comes and goes without a byte looks whether we are there. */
static enum turn
refuse(struct session *s, const char *why)
{
	if (s->proxied->header.n > 0 || s->timed_out)
		log_warn(s->base->id, "proxy-header",
		    "listener=%s proxy=%s why=\"%s\"", s->listener->name,
		    VIS(s->base->client.ip), why);
	session_free(s);
	return TURN_GONE;
}

/* Look at what is there, and take what belongs to the header. */
static enum wire_got
read_on(struct session *s)
{
	struct proxy_header *h = &s->proxied->header;
	char *scratch = loop_scratch(s->smtp->loop);
	ssize_t there;
	size_t n, got;

	do
		there = recv(s->wire.fd, scratch, LOOP_SCRATCH, MSG_PEEK);
	while (there < 0 && errno == EINTR);
	if (there < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return WIRE_NOTHING;
	if (there <= 0)
		return WIRE_END;
	n = proxy_header_read(h, scratch, (size_t)there);
	return wire_recv(&s->wire, scratch, n, &got);
}

/* From here on the client is that one, for limits too. */
static enum turn
take_over(struct session *s)
{
	const struct proxy_header *h = &s->proxied->header;

	if (h->state == PROXY_GIVEN) {
		session_set_client(s, (const void *)&h->client);
		session_set_listener(s, (const void *)&h->listener);
	}
	/* Or else it has hung up. */
	if (h->state != PROXY_GIVEN || s->listed || limits_client(s))
		session_begin(s);
	proxied_free(s->proxied);
	s->proxied = NULL;
	return TURN_AGAIN;
}

enum turn
session_proxied(struct session *s)
{
	struct proxy_header *h = &s->proxied->header;

	if (s->readable) {
		s->readable = false;
		if (read_on(s) == WIRE_END)
			return refuse(s, "the connection was closed");
	}
	if (h->state == PROXY_WRONG)
		return refuse(s, h->why);
	if (h->state != PROXY_MORE)
		return take_over(s);
	if (s->timed_out ||
	    loop_now_ms(s->smtp->loop) >= s->proxied->until_ms)
		return refuse(s, "it did not come in time");
	return session_wait(s, PATIENCE_MS);
}
