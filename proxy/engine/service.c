/*
 * service - see service.h. Called by engine/ask.
 *
 *   call:  (waiting for room) -> (name looked up) -> connection -> reply
 *   conn:  connecting -> busy with a call -> idle -> busy ... -> closed
 *
 * A connection belongs to one call at a time, an idle one to its service. A
 * reply that has bytes behind its end leaves a connection whose next reply
 * nobody could trust: it is closed.
 */
#include "engine/service.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/mem.h"
#include "base/must.h"
#include "engine/dial.h"
#include "mail/option.h"

#define CONNS_MAX 64      /* of one service; more calls wait for one */
#define IDLE_MAX 8
#define IDLE_MS 30000
#define RESOLVE_MS 5000
#define REPLY_DEFAULT (64u << 10)
#define REPLY_MAX (16u << 20)

#define CONN_MAGIC 0x73636f6eu
#define CALL_MAGIC 0x7363616cu

struct service;

struct conn {
	uint32_t magic;
	LIST_ENTRY(conn) next; /* of the service's idle or busy ones */
	struct service *service;
	struct service_call *call; /* NULL: idle */
	int fd;
	bool connecting;
	bool reused;
	size_t sent; /* of the call's request */
	struct buf in;
	struct event readable, writable;
};

struct service_call {
	uint32_t magic;
	TAILQ_ENTRY(service_call) next; /* of those that wait for room */
	struct service *service;
	char *request;
	size_t n;
	size_t max;
	long (*whole)(struct pn_str, bool);
	bool waiting;
	bool retried;
	struct conn *conn;
	struct dns_ask *resolving;
	struct event soon; /* it failed before the asking call returned */
	service_done *done;
	void *arg;
};

struct service {
	LIST_ENTRY(service) next;
	struct services *all;
	const struct pn_service *where;
	LIST_HEAD(, conn) idle, busy;
	TAILQ_HEAD(, service_call) waiting;
	unsigned n_idle, n_conns;
};

struct services {
	struct loop *loop;
	struct dns *dns;
	LIST_HEAD(, service) list;
};

static void call_start(struct service_call *);

/* ---- the end of a connection, the end of a call ---- */

static void
conn_free(struct conn *c)
{
	MUST_BE(c, CONN);
	if (c->call == NULL)
		c->service->n_idle--;
	else
		c->call->conn = NULL;
	c->service->n_conns--;
	LIST_REMOVE(c, next);
	(void)event_del(&c->readable); /* assigned: cannot fail */
	(void)event_del(&c->writable);
	io_close(c->fd);
	buf_fini(&c->in);
	c->magic = 0;
	free(c);
}

static void
call_free(struct service_call *l)
{
	struct service *s = l->service;

	MUST_BE(l, CALL);
	if (l->waiting)
		TAILQ_REMOVE(&s->waiting, l, next);
	dns_cancel(l->resolving);
	(void)event_del(&l->soon);
	free(l->request);
	l->magic = 0;
	free(l);
}

/* Somebody gave room: those that wait longest may have it. */
static void
start_waiting(struct service *s)
{
	struct service_call *l;

	while ((l = TAILQ_FIRST(&s->waiting)) != NULL &&
	    (s->n_idle > 0 || s->n_conns < CONNS_MAX)) {
		TAILQ_REMOVE(&s->waiting, l, next);
		l->waiting = false;
		call_start(l);
	}
}

static void
conn_rest(struct conn *c)
{
	struct service *s = c->service;

	c->call->conn = NULL;
	c->call = NULL;
	s->n_idle++;
	LIST_REMOVE(c, next);
	LIST_INSERT_HEAD(&s->idle, c, next);
	if (s->n_idle > IDLE_MAX || event_add(&c->readable,
	    loop_timeout(s->all->loop, IDLE_MS)) < 0)
		conn_free(c);
}

/* The answer. reusable: the connection may serve another call. */
static void
call_end(struct service_call *l, enum pn_reply_status status, size_t n,
    bool reusable)
{
	struct service *s = l->service;
	service_done *done = l->done;
	void *arg = l->arg;
	struct buf in = { 0 };

	if (l->conn != NULL) {
		in = l->conn->in;
		l->conn->in = (struct buf){ 0 };
		if (reusable)
			conn_rest(l->conn);
		else
			conn_free(l->conn);
	}
	call_free(l);
	start_waiting(s);
	done(arg, status,
	    status == PN_REPLY_OK ? pn_str_sub(buf_str(&in), 0, n)
				  : PN_STR_V(""));
	buf_fini(&in);
}

static void
on_soon(evutil_socket_t fd, short what, void *arg)
{
	struct service_call *l = arg;

	(void)fd;
	(void)what;
	MUST_BE(l, CALL);
	call_end(l, PN_REPLY_AWAY, 0, false);
}

static void
call_fail_soon(struct service_call *l)
{
	event_active(&l->soon, EV_TIMEOUT, 0);
}

/* It broke before the reply's end. One that we had kept may simply have been
 * closed meanwhile, and its like with it: those are no proof of anything. */
static void
conn_lost(struct conn *c)
{
	struct service_call *l = c->call;
	struct service *s = c->service;
	bool stale = c->reused && buf_len(&c->in) == 0 && !l->retried;

	if (!stale) {
		call_end(l, PN_REPLY_AWAY, 0, false);
		return;
	}
	conn_free(c);
	while (!LIST_EMPTY(&s->idle))
		conn_free(LIST_FIRST(&s->idle));
	l->retried = true;
	call_start(l);
}

/* ---- sending and reading ---- */

static void
conn_send(struct conn *c)
{
	struct service_call *l = c->call;
	ssize_t n;

	while (c->sent < l->n) {
		n = send(c->fd, l->request + c->sent, l->n - c->sent,
		    MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			must(event_add(&c->writable, NULL) == 0);
			return;
		}
		if (n < 0)
			return; /* the reading side hears of it, and of a reply
				   that came before */
		c->sent += (size_t)n;
	}
}

static void
conn_judge(struct conn *c, bool closed)
{
	struct service_call *l = c->call;
	size_t have = buf_len(&c->in);
	long whole = have == 0 ? 0 : l->whole(buf_str(&c->in), closed);

	if (whole < 0 || (whole > 0 && (size_t)whole > have))
		call_end(l, PN_REPLY_BROKEN, 0, false);
	else if (whole > 0)
		call_end(l, PN_REPLY_OK, (size_t)whole,
		    !closed && (size_t)whole == have && c->sent == l->n);
	else if (closed)
		conn_lost(c);
	else if (have > l->max)
		call_end(l, PN_REPLY_BROKEN, 0, false);
}

static void
conn_read(struct conn *c)
{
	char *scratch = loop_scratch(c->service->all->loop);
	ssize_t n = recv(c->fd, scratch, LOOP_SCRATCH, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		conn_judge(c, true);
		return;
	}
	(void)buf_add(&c->in, scratch, (size_t)n); /* no cap: judged below */
	conn_judge(c, false);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd;
	(void)what;
	MUST_BE(c, CONN);
	if (c->call == NULL) /* it closed, speaks unasked, or is of no use */
		conn_free(c);
	else
		conn_read(c);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	int why = 0;
	socklen_t n = sizeof(why);

	(void)what;
	MUST_BE(c, CONN);
	if (c->connecting &&
	    (getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &n) < 0 || why != 0)) {
		conn_lost(c);
		return;
	}
	c->connecting = false;
	must(event_add(&c->readable, NULL) == 0);
	conn_send(c);
}

/* ---- a connection for a call ---- */

static void
conn_take(struct conn *c, struct service_call *l)
{
	c->call = l;
	l->conn = c;
	c->sent = 0;
	buf_clear(&c->in);
	LIST_INSERT_HEAD(&c->service->busy, c, next);
}

static void
conn_new(struct service_call *l, const char *host)
{
	struct service *s = l->service;
	int fd = dial(s->where, host);
	struct conn *c;

	if (fd < 0) {
		call_fail_soon(l);
		return;
	}
	c = xcalloc(1, sizeof(*c));
	c->magic = CONN_MAGIC;
	c->service = s;
	c->fd = fd;
	c->connecting = true;
	s->n_conns++;
	event_assign(&c->readable, loop_base(s->all->loop), fd,
	    EV_READ | EV_PERSIST, on_readable, c);
	event_assign(&c->writable, loop_base(s->all->loop), fd, EV_WRITE,
	    on_writable, c);
	must(event_add(&c->writable, NULL) == 0);
	conn_take(c, l);
}

/* Without its time limit, and sent from the loop like a new one's. */
static void
conn_reuse(struct conn *c, struct service_call *l)
{
	c->service->n_idle--;
	c->reused = true;
	LIST_REMOVE(c, next);
	(void)event_del(&c->readable);
	must(event_add(&c->writable, NULL) == 0);
	conn_take(c, l);
}

static void
on_address(void *arg, const struct pn_dns *answer)
{
	struct service_call *l = arg;
	char host[INET6_ADDRSTRLEN] = "";

	MUST_BE(l, CALL);
	l->resolving = NULL;
	if (answer->n == 0 || answer->answers[0].n >= sizeof(host)) {
		call_fail_soon(l);
		return;
	}
	memcpy(host, answer->answers[0].p, answer->answers[0].n);
	conn_new(l, host);
}

static void
call_start(struct service_call *l)
{
	struct service *s = l->service;

	if (!LIST_EMPTY(&s->idle)) {
		conn_reuse(LIST_FIRST(&s->idle), l);
	} else if (s->n_conns >= CONNS_MAX) {
		l->waiting = true;
		TAILQ_INSERT_TAIL(&s->waiting, l, next);
	} else if (s->where->numeric) {
		conn_new(l, s->where->host);
	} else {
		l->resolving = dns_ask(s->all->dns, DNS_A,
		    pn_str_of(s->where->host), RESOLVE_MS, on_address, l);
	}
}

/* ---- asking ---- */

static struct service *
service_of(struct services *all, const struct pn_service *where)
{
	struct service *s;

	LIST_FOREACH (s, &all->list, next)
		if (s->where == where)
			return s;
	s = xcalloc(1, sizeof(*s));
	s->all = all;
	s->where = where;
	LIST_INIT(&s->idle);
	LIST_INIT(&s->busy);
	TAILQ_INIT(&s->waiting);
	LIST_INSERT_HEAD(&all->list, s, next);
	return s;
}

struct service_call *
service_ask(struct services *all, const struct pn_request *r,
    service_done *done, void *arg)
{
	struct service_call *l = xcalloc(1, sizeof(*l));

	l->magic = CALL_MAGIC;
	l->service = service_of(all, r->service);
	l->request = xstrndup(r->bytes);
	l->n = r->bytes.n;
	l->whole = r->whole;
	l->max = r->max == 0 ? REPLY_DEFAULT
	    : r->max > REPLY_MAX ? REPLY_MAX : r->max;
	l->done = done;
	l->arg = arg;
	event_assign(&l->soon, loop_base(all->loop), -1, 0, on_soon, l);
	call_start(l);
	return l;
}

void
service_cancel(struct service_call *l)
{
	struct service *s;

	if (l == NULL)
		return;
	MUST_BE(l, CALL);
	s = l->service;
	if (l->conn != NULL)
		conn_free(l->conn); /* its reply may come yet, and be nobody's */
	call_free(l);
	start_waiting(s);
}

struct services *
services_new(struct loop *loop, struct dns *dns)
{
	struct services *all = xcalloc(1, sizeof(*all));

	all->loop = loop;
	all->dns = dns;
	LIST_INIT(&all->list);
	return all;
}

void
services_free(struct services *all)
{
	struct service *s;

	if (all == NULL)
		return;
	while ((s = LIST_FIRST(&all->list)) != NULL) {
		must(LIST_EMPTY(&s->busy) && TAILQ_EMPTY(&s->waiting));
		while (!LIST_EMPTY(&s->idle))
			conn_free(LIST_FIRST(&s->idle));
		LIST_REMOVE(s, next);
		free(s);
	}
	free(all);
}

long
pn_whole_line(struct pn_str so_far, bool closed)
{
	const char *lf = so_far.n ? memchr(so_far.p, '\n', so_far.n) : NULL;

	(void)closed;
	return lf == NULL ? 0 : (long)(lf - so_far.p) + 1;
}
