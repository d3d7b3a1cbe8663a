/*
 * listener - the door as a whole: accepts, limits, drains. Implements smtp.h.
 *
 * The sockets are shared with every worker and generation: non-blocking, a few
 * accepts a wake-up, EAGAIN is normal (another worker was quicker). Draining
 * is taking the event off; what waits in the queue is another generation's.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "smtp/limits.h"
#include "smtp/linger.h"
#include "smtp/probe.h"
#include "smtp/starttls.h"

#define ACCEPTS 8 /* a wake-up: then the sessions have their turn */
#define PAUSE_MS 1000 /* without descriptors or memory */
#define SAY_MAX 510   /* RFC 5321 4.5.3.1.5, without CRLF */

/* ---- accepting ---- */

/* Closed at once: who was not greeted has nothing under way, and a flood is
 * to hold no descriptors (session.c: closing). */
static void
turn_away(struct listener *l, int fd, const char *say)
{
	struct iovec pieces[] = { { (char *)say, strlen(say) },
		{ (char *)"\r\n", 2 } };
	struct msghdr m = { .msg_iov = pieces, .msg_iovlen = 2 };

	count_turned_away(&l->smtp->count);
	/* The socket's buffer is empty; who does not get it sees a close, as does
	 * a client that waits for TLS. */
	if (l->conf->tls.mode != LISTEN_WRAPPED && sendmsg(fd, &m, MSG_NOSIGNAL) < 0)
		log_debug("", "turn-away", "why=send");
	(void)close(fd);
}

/* The connection stays in the queue: without a pause we would be told of it
 * again at once, and say so in the log each time. */
static void
accept_failed(struct listener *l)
{
	int why = errno;

	log_error("", "accept", "listener=%s why=\"%s\"", l->conf->name,
	    strerror(why));
	if (why != EMFILE && why != ENFILE && why != ENOBUFS && why != ENOMEM)
		return;
	(void)event_del(&l->ev); /* cannot fail for what is assigned */
	must(event_add(&l->again, loop_timeout(l->smtp->loop, PAUSE_MS)) == 0);
}

static void
on_again(int fd, short what, void *arg)
{
	struct listener *l = arg;

	(void)fd;
	(void)what;
	must(event_add(&l->ev, NULL) == 0);
}

static bool
accept_one(struct listener *l)
{
	struct sockaddr_storage sa = { 0 };
	struct sockaddr *any = (struct sockaddr *)&sa;
	socklen_t n = sizeof(sa);
	struct crowd_hold hold;
	char say[SAY_MAX];
	int fd = accept4(l->fd, any, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0) {
		if (errno == ECONNABORTED || errno == EINTR)
			return true;
		if (errno != EAGAIN && errno != EWOULDBLOCK)
			accept_failed(l);
		return false;
	}
	if (limits_admit(l, fd, any, &hold, say, sizeof(say))) {
		session_new(l, fd, any, &hold);
	} else {
		crowd_leave(l->smtp->seat, &hold);
		turn_away(l, fd, say);
	}
	return true;
}

static void
on_connection(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	for (int i = 0; i < ACCEPTS; i++)
		if (!accept_one(arg))
			return;
}

/* ---- the door ---- */

/* Sessions may have waited with their answer to EHLO. */
static void
on_probed(struct hop *hop)
{
	struct session *s = TAILQ_FIRST(&hop->smtp->sessions), *next;

	for (; s != NULL; s = next) {
		next = TAILQ_NEXT(s, all); /* s alone may go */
		if (s->state == SESSION_KEYWORDS)
			session_advance(s);
	}
}

static bool
leads_to(const struct smtp_listener *l, const struct smtp_upstream *u)
{
	const struct smtp_route *route = l->route;

	if (route == NULL)
		return u == l->upstream;
	for (size_t i = 0; i < route->n_lines; i++)
		if (route->lines[i].upstream == u)
			return true;
	return u == route->otherwise || route->n_maps > 0;
}

/* A map may name any: what it holds today need not be all of it. The first one
 * is where mail goes that no recipient has chosen a way for. */
static void
gather_hops(struct smtp *s, struct listener *l)
{
	l->hops = xcalloc(s->conf->n_upstreams, sizeof(struct hop *));
	for (size_t k = 0; k < s->conf->n_upstreams; k++)
		if (leads_to(l->conf, s->hops[k].conf))
			l->hops[l->n_hops++] = &s->hops[k];
	must(l->n_hops > 0);
}

static void
init_listener(struct smtp *s, size_t i, int fd)
{
	struct listener *l = &s->listeners[i];
	int one = 1;

	*l = (struct listener){ .smtp = s, .conf = &s->conf->listeners[i],
		.fd = fd };
	gather_hops(s, l);
	/* Accepted sockets inherit it: one call less a connection. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	must(event_assign(&l->ev, loop_base(s->loop), fd, EV_READ | EV_PERSIST,
		 on_connection, l) == 0);
	must(event_assign(&l->again, loop_base(s->loop), -1, 0, on_again, l) ==
	    0);
	must(event_add(&l->ev, NULL) == 0);
}

static void
stop_listening(struct smtp *s)
{
	for (size_t i = 0; i < s->conf->n_listeners; i++) {
		(void)event_del(&s->listeners[i].ev);
		(void)event_del(&s->listeners[i].again);
	}
}

static void
on_drained(int fd, short what, void *arg)
{
	struct smtp *s = arg;

	(void)fd;
	(void)what;
	s->drained(s->drained_arg);
}

/* An operator's order, by the keeper. */
static void
on_drain_order(void *arg, struct pn_str upstream, struct pn_str server, bool on)
{
	struct smtp *s = arg;

	MUST_BE(s, SMTP);
	for (size_t i = 0; i < s->conf->n_upstreams; i++)
		if (pn_str_eq(pn_str_of(s->hops[i].conf->name), upstream))
			hop_drain(&s->hops[i], server, on);
}

struct smtp *
smtp_new(struct loop *loop, const struct smtp_conf *conf, const int *sockets,
    struct engine *engine, struct keep *keep, struct spool_pool *pool,
    struct crowd_seat *seat, unsigned worker)
{
	struct smtp *s = xcalloc(1, sizeof(*s));

	s->magic = SMTP_MAGIC;
	s->loop = loop;
	s->conf = conf;
	s->engine = engine;
	s->keep = keep;
	s->pool = pool;
	s->seat = seat;
	s->worker = worker;
	shortage_begin(s);
	engine_ask_milters(engine, conf->hostname);
	count_init(&s->count, keep_stats(keep));
	TAILQ_INIT(&s->sessions);
	LIST_INIT(&s->releases);
	TAILQ_INIT(&s->lingering);
	must(event_assign(&s->said_drained, loop_base(loop), -1, 0, on_drained,
		 s) == 0);
	s->hops = xcalloc(conf->n_upstreams, sizeof(*s->hops));
	for (size_t i = 0; i < conf->n_upstreams; i++)
		hop_init(&s->hops[i], s, &conf->upstreams[i], on_probed);
	for (size_t i = 0; i < conf->n_upstreams; i++)
		probe_if_stale(&s->hops[i]);
	s->listeners = xcalloc(conf->n_listeners, sizeof(*s->listeners));
	for (size_t i = 0; i < conf->n_listeners; i++)
		init_listener(s, i, sockets[i]);
	starttls_open(s);
	release_register(s);
	if (keep != NULL)
		keep_on_drain(keep, on_drain_order, s);
	return s;
}

void
door_left(struct smtp *s)
{
	if (s->draining && s->drained != NULL && s->n_sessions == 0 &&
	    LIST_EMPTY(&s->releases) && TAILQ_EMPTY(&s->lingering))
		event_active(&s->said_drained, EV_TIMEOUT, 0);
}

void
smtp_drain(struct smtp *s, void (*drained)(void *), void *arg)
{
	struct session *x;

	MUST_BE(s, SMTP);
	s->draining = true;
	s->drained = drained;
	s->drained_arg = arg;
	stop_listening(s);
	for (size_t i = 0; i < s->conf->n_upstreams; i++)
		hop_close_kept(&s->hops[i]);
	TAILQ_FOREACH (x, &s->sessions, all)
		session_drain(x);
	door_left(s);
}

unsigned
smtp_hurry(struct smtp *s)
{
	MUST_BE(s, SMTP);
	linger_free_all(s);
	return s->n_sessions + release_count(s);
}

void
smtp_free(struct smtp *s)
{
	struct session *x;

	if (s == NULL)
		return;
	MUST_BE(s, SMTP);
	s->drained = NULL;
	while ((x = TAILQ_FIRST(&s->sessions)) != NULL)
		session_free(x);
	linger_free_all(s);
	release_free_all(s);
	for (size_t i = 0; i < s->conf->n_upstreams; i++)
		hop_fini(&s->hops[i]);
	stop_listening(s);
	(void)event_del(&s->said_drained);
	starttls_close(s);
	for (size_t i = 0; i < s->conf->n_listeners; i++)
		free(s->listeners[i].hops);
	free(s->hops);
	free(s->listeners);
	s->magic = 0;
	free(s);
}

void
smtp_count(const struct smtp *s, unsigned *now, uint64_t *sessions,
    uint64_t *messages)
{
	*now = s->n_sessions;
	*sessions = s->all_sessions;
	*messages = s->all_messages;
}
