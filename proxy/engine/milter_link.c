/*
 * milter_link - see milter_link.h.
 *
 *   (name looked up) -> connecting -> negotiating -> READY -> [idle -> READY]
 *                                                          -> FAILED
 *
 * One timer for all that is waited for. Bytes that go out and packets that
 * come restart it; bytes of a packet that never ends do not, nor packets
 * without end.
 */
#include "engine/milter_link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/must.h"
#include "engine/dial.h"

#define FULL (256u << 10)  /* bytes that wait to be sent */
#define IN_MAX (2u * MILTER_ANSWER_MAX) /* bytes that nobody takes */
#define REST_MAX (8u << 10)  /* bytes of memory of a buffer at rest */
#define NO_END 10          /* times its patience: one answer's packets */
#define IDLE_MAX 16        /* of one milter */
#define IDLE_MS 30000
#define REUSE_VERSION 6    /* QUIT_NC came with libmilter 8.14 */

#define LINK_MAGIC 0x6d6c6e6bu

struct milter_link {
	uint32_t magic;
	LIST_ENTRY(milter_link) next; /* among the idle ones */
	struct milter_links *all;
	const struct milter_peer *block;
	enum milter_link_state state;
	char why[128];
	int fd; /* -1: none */
	bool connecting, idle, reused, heard, timed_out;
	struct milter_options options;
	struct dns_ask *resolving;
	struct buf in, out;
	size_t taken; /* of in: the packet that was taken last */
	size_t left;  /* of out, when it was last sent */
	uint64_t patience_ms;
	uint64_t asked_ms; /* of the loop's clock: what is waited for now */
	struct event readable, writable, timer;
	milter_link_wake *wake;
	void *arg;
};

struct milter_links {
	struct loop *loop;
	struct dns *dns;
	LIST_HEAD(, milter_link) idle;
};

/* ---- ends ---- */

static void
hang_up(struct milter_link *l)
{
	dns_cancel(l->resolving);
	l->resolving = NULL;
	(void)event_del(&l->timer); /* assigned, like the others: cannot fail */
	if (l->fd < 0)
		return;
	(void)event_del(&l->readable);
	(void)event_del(&l->writable);
	io_close(l->fd);
	l->fd = -1;
}

static void
link_free(struct milter_link *l)
{
	MUST_BE(l, LINK);
	hang_up(l);
	if (l->idle)
		LIST_REMOVE(l, next);
	buf_fini(&l->in);
	buf_fini(&l->out);
	for (int i = 0; i < MILTER_LISTS; i++)
		free((char *)l->options.macros[i].p);
	l->magic = 0;
	free(l);
}

static void
fail(struct milter_link *l, const char *why)
{
	if (l->state == MILTER_LINK_FAILED)
		return;
	(void)snprintf(l->why, sizeof(l->why), "%s", why);
	hang_up(l);
	l->state = MILTER_LINK_FAILED;
}

/* From the loop alone. */
static void
fail_and_wake(struct milter_link *l, const char *why)
{
	if (l->idle) {
		link_free(l);
		return;
	}
	fail(l, why);
	l->wake(l->arg);
}

/* ---- time ---- */

static void
wait_for(struct milter_link *l, uint64_t ms)
{
	const struct timeval tv = { (time_t)(ms / 1000),
		(suseconds_t)(ms % 1000 * 1000) };

	l->patience_ms = ms;
	if (ms == 0)
		(void)event_del(&l->timer);
	else
		must(event_add(&l->timer, &tv) == 0);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct milter_link *l = arg;

	(void)fd;
	(void)what;
	MUST_BE(l, LINK);
	if (l->state == MILTER_LINK_OPENING && l->fd < 0 && !l->resolving) {
		fail_and_wake(l, "nobody is there");
		return;
	}
	l->timed_out = true;
	if (l->connecting || l->resolving)
		fail_and_wake(l, "no connection in time");
	else
		fail_and_wake(l, "no answer in time");
}

/* ---- sending ---- */

/* False: it broke. */
static bool
flush(struct milter_link *l)
{
	bool some = false;

	while (buf_len(&l->out) > 0) {
		ssize_t n = send(l->fd, buf_data(&l->out), buf_len(&l->out),
		    MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			must(event_add(&l->writable, NULL) == 0);
			break;
		}
		if (n < 0)
			return false;
		buf_drop(&l->out, (size_t)n);
		some = true;
	}
	l->left = buf_len(&l->out);
	if (some && l->patience_ms > 0)
		wait_for(l, l->patience_ms);
	return true;
}

/* Until the client says more: sessions are many, and most wait for that. */
static void
rest(struct buf *b)
{
	if (buf_len(b) == 0 && b->size > REST_MAX)
		buf_fini(b);
}

void
milter_link_send(struct milter_link *l, uint64_t ms)
{
	MUST_BE(l, LINK);
	must(l->state == MILTER_LINK_READY);
	if (ms != l->patience_ms || buf_len(&l->out) > l->left) {
		wait_for(l, ms); /* for something new */
		l->asked_ms = loop_now_ms(l->all->loop);
	}
	/* That it is gone is heard by reading, behind what it said before. */
	(void)flush(l);
	if (ms > 0)
		return;
	buf_drop(&l->in, l->taken);
	l->taken = 0;
	rest(&l->in);
	rest(&l->out);
}

bool
milter_link_has_more(const struct milter_link *l)
{
	return buf_len(&l->in) > l->taken;
}

bool
milter_link_is_full(const struct milter_link *l)
{
	return buf_len(&l->out) > FULL;
}

struct buf *
milter_link_out(struct milter_link *l)
{
	return &l->out;
}

/* ---- negotiation ---- */

static void
greet(struct milter_link *l)
{
	const struct milter_options o = milter_offer(l->block->protocol);

	milter_put_options(&l->out, &o);
	l->connecting = false;
	must(event_add(&l->readable, NULL) == 0);
	wait_for(l, l->block->command_timeout_ms);
	(void)flush(l);
}

/* Why we cannot agree; NULL: we can. */
static const char *
agree(struct milter_link *l, const struct milter_packet *p)
{
	const struct milter_options mine = milter_offer(l->block->protocol);
	struct milter_options o;

	if (p->what != MILTER_OPTIONS || !milter_read_options(p->data, &o))
		return "its word in the negotiation makes no sense";
	if (o.version < MILTER_VERSION_MIN || o.version > mine.version)
		return "it speaks another version of the protocol";
	if ((o.may & ~mine.may) != 0)
		return "it wants to do what was not offered";
	for (int i = 0; i < MILTER_LISTS; i++)
		if (o.macros[i].p != NULL)
			o.macros[i].p = xstrndup(o.macros[i]);
	l->options = o;
	return NULL;
}

/* True: READY or FAILED now. */
static bool
negotiate(struct milter_link *l)
{
	struct milter_packet p;
	long n = milter_packet_take(buf_str(&l->in), MILTER_ANSWER_MAX, &p);
	const char *why;

	if (n == 0)
		return false;
	why = n < 0 ? "its word in the negotiation makes no sense"
		    : agree(l, &p);
	if (why != NULL) {
		fail(l, why);
		return true;
	}
	buf_drop(&l->in, (size_t)n);
	wait_for(l, 0);
	l->state = MILTER_LINK_READY;
	return true;
}

/* ---- reading ---- */

/* Each packet is in time, but there is always one more: nobody would wait for
 * that. */
static bool
has_no_end(struct milter_link *l)
{
	if (l->patience_ms == 0 ||
	    loop_now_ms(l->all->loop) - l->asked_ms < NO_END * l->patience_ms)
		return false;
	l->timed_out = true;
	fail(l, "its answer has no end");
	return true;
}

bool
milter_link_take(struct milter_link *l, struct milter_packet *p)
{
	long n;

	MUST_BE(l, LINK);
	buf_drop(&l->in, l->taken);
	l->taken = 0;
	if (l->state != MILTER_LINK_READY)
		return false;
	n = milter_packet_take(buf_str(&l->in), MILTER_ANSWER_MAX, p);
	if (n < 0)
		fail(l, "what it sends is no packet");
	if (n <= 0)
		return false;
	l->heard = true;
	l->taken = (size_t)n;
	if (l->patience_ms > 0)
		wait_for(l, l->patience_ms);
	return !has_no_end(l);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct milter_link *l = arg;
	char *scratch = loop_scratch(l->all->loop);
	ssize_t n;

	(void)what;
	MUST_BE(l, LINK);
	n = recv(fd, scratch, LOOP_SCRATCH, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR) && !l->idle)
		return;
	if (n <= 0 || l->idle) { /* also what it says unasked, or its time */
		fail_and_wake(l, "it closed the connection");
		return;
	}
	if (buf_len(&l->in) > IN_MAX) {
		fail_and_wake(l, "it says more than it is asked");
		return;
	}
	(void)buf_add(&l->in, scratch, (size_t)n); /* no cap but that */
	if (l->state != MILTER_LINK_OPENING || negotiate(l))
		l->wake(l->arg);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct milter_link *l = arg;
	bool was_full = milter_link_is_full(l);
	socklen_t n = sizeof(int);
	int why = 0;

	(void)what;
	MUST_BE(l, LINK);
	if (l->connecting) {
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &n) < 0 || why)
			fail_and_wake(l, "nobody is there");
		else
			greet(l);
		return;
	}
	if (!flush(l))
		fail_and_wake(l, "it closed the connection");
	else if (was_full && !milter_link_is_full(l) && !l->idle)
		l->wake(l->arg);
}

/* ---- opening ---- */

static void
connect_to(struct milter_link *l, const char *host)
{
	l->fd = dial(l->block->server, host);
	if (l->fd < 0) {
		event_active(&l->timer, EV_TIMEOUT, 0);
		return;
	}
	l->connecting = true;
	event_assign(&l->readable, loop_base(l->all->loop), l->fd,
	    EV_READ | EV_PERSIST, on_readable, l);
	event_assign(&l->writable, loop_base(l->all->loop), l->fd, EV_WRITE,
	    on_writable, l);
	must(event_add(&l->writable, NULL) == 0);
}

static void
on_address(void *arg, const struct pn_dns *answer)
{
	struct milter_link *l = arg;
	char host[INET6_ADDRSTRLEN] = "";

	MUST_BE(l, LINK);
	l->resolving = NULL;
	if (answer->n == 0 || answer->answers[0].n >= sizeof(host)) {
		fail_and_wake(l, "its name has no address");
		return;
	}
	memcpy(host, answer->answers[0].p, answer->answers[0].n);
	connect_to(l, host);
}

/* One that is kept; NULL: none is. */
static struct milter_link *
revive(struct milter_links *all, const struct milter_peer *block)
{
	struct milter_link *l;

	LIST_FOREACH (l, &all->idle, next)
		if (l->block == block)
			break;
	if (l == NULL)
		return NULL;
	LIST_REMOVE(l, next);
	l->idle = false;
	l->reused = true;
	l->heard = false;
	(void)event_del(&l->readable); /* and its time limit */
	must(event_add(&l->readable, NULL) == 0);
	return l;
}

struct milter_link *
milter_link_open(struct milter_links *all, const struct milter_peer *block,
    milter_link_wake *wake, void *arg)
{
	struct milter_link *l = revive(all, block);
	bool fresh = l == NULL;

	if (fresh) {
		l = xcalloc(1, sizeof(*l));
		l->magic = LINK_MAGIC;
		l->all = all;
		l->block = block;
		l->fd = -1;
		event_assign(&l->timer, loop_base(all->loop), -1, 0, on_timer,
		    l);
	}
	l->wake = wake;
	l->arg = arg;
	if (!fresh)
		return l;
	wait_for(l, block->connect_timeout_ms);
	if (block->server->numeric)
		connect_to(l, block->server->host);
	else
		l->resolving = dns_ask(all->dns, DNS_A,
		    pn_str_of(block->server->host), block->connect_timeout_ms,
		    on_address, l);
	return l;
}

/* ---- closing ---- */

static size_t
count_idle(const struct milter_links *all, const struct milter_peer *block)
{
	const struct milter_link *l;
	size_t n = 0;

	LIST_FOREACH (l, &all->idle, next)
		n += l->block == block;
	return n;
}

static bool
may_rest(const struct milter_link *l)
{
	return l->block->reuse && l->options.version >= REUSE_VERSION &&
	    buf_len(&l->in) == l->taken && buf_len(&l->out) == 0 &&
	    count_idle(l->all, l->block) < IDLE_MAX;
}

void
milter_link_close(struct milter_link *l, bool done)
{
	bool rest;

	if (l == NULL)
		return;
	MUST_BE(l, LINK);
	rest = done && l->state == MILTER_LINK_READY && may_rest(l);
	if (done && l->state == MILTER_LINK_READY) {
		milter_put(&l->out, rest ? MILTER_QUIT_NC : MILTER_QUIT,
		    PN_STR_V(""));
		rest = flush(l) && rest && buf_len(&l->out) == 0;
	}
	if (!rest) {
		link_free(l);
		return;
	}
	wait_for(l, 0);
	buf_clear(&l->in);
	l->taken = 0;
	l->idle = true;
	LIST_INSERT_HEAD(&l->all->idle, l, next);
	(void)event_del(&l->readable);
	must(event_add(&l->readable, loop_timeout(l->all->loop, IDLE_MS)) == 0);
}

enum milter_link_state
milter_link_state(const struct milter_link *l)
{
	return l->state;
}

const char *
milter_link_why(const struct milter_link *l)
{
	return l->why;
}

bool
milter_link_timed_out(const struct milter_link *l)
{
	return l->timed_out;
}

bool
milter_link_is_stale(const struct milter_link *l)
{
	return l->reused && !l->heard;
}

const struct milter_options *
milter_link_options(const struct milter_link *l)
{
	return &l->options;
}

/* ---- all of them ---- */

struct milter_links *
milter_links_new(struct loop *loop, struct dns *dns)
{
	struct milter_links *all = xcalloc(1, sizeof(*all));

	all->loop = loop;
	all->dns = dns;
	LIST_INIT(&all->idle);
	return all;
}

void
milter_links_free(struct milter_links *all)
{
	struct milter_link *l;

	if (all == NULL)
		return;
	while ((l = LIST_FIRST(&all->idle)) != NULL) {
		l->idle = false; /* a last word, if it can still be said */
		LIST_REMOVE(l, next);
		milter_put(&l->out, MILTER_QUIT, PN_STR_V(""));
		(void)flush(l);
		link_free(l);
	}
	free(all);
}
