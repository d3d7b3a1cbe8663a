/*
 * calls - see calls.h. Who waits for what, in libmilter:
 *
 *   its listener   for a connection
 *   its workers    for a packet, each of its own connection; for a connection
 *                  that wants one (the condition)
 *   its pool       for a packet of any connection that no worker has, and for
 *                  a worker to give it one back (the pipe)
 *
 * A worker gives its connection back after a pause of a millisecond, as fast
 * as poll(2) can say it; here it stays a little longer, for what an MTA tells
 * of a mail comes in a few runs. A signal to the condition means one worker,
 * so who was woken runs before the next signal: poll() lets others go first,
 * and tells the pool of one connection at a time.
 */
#include "milter/calls.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "milter/packets.h"

/* A poll so short is a look whether the connection can be given back. */
#define LOOK_MS 1
#define STAY_MS 200
/* All that an MTA tells of a usual mail at once; of a large body the most need
 * not be copied (packets_direct). */
#define READ_AHEAD (16 * 1024)
/* So much is read of one connection before the loop looks at all else; one that
 * is accepted counts as so much, and so does looking whether there is more. */
#define AT_ONCE (1 << 20)
#define ACCEPTED (1 << 14)
#define LOOKED (1 << 8)
/* No descriptor left, say: libmilter tries again at once. */
#define REFUSED_MS 100
/* An MTA in the middle of a packet: as long as libmilter waits for one. */
#define PATIENCE_MS (7210 * 1000)

/* A socket that libmilter polls. Made by the first poll of it. */
struct stream {
	STAILQ_ENTRY(stream) next; /* in .astir */
	int fd;
	struct event event; /* edge-triggered: as long as .maybe, none comes */
	bool maybe;         /* something may be there to be read */
	bool ended;         /* nothing will; .why as errno, 0: closed */
	int why;
	bool listening;
	bool counted;       /* in .n_open */
	bool given_back;    /* to the pool */
	bool astir;         /* ... which shall look at it */
	struct fiber *reader;
	size_t at_once;     /* read since it last waited */
	struct packets in;
};

/* A worker that waits for work. */
struct idler {
	TAILQ_ENTRY(idler) next;
	struct fiber *fiber;
	bool signalled;
};

static struct calls {
	struct loop *loop;
	struct fibers *fibers;
	struct stream **streams; /* by descriptor */
	size_t n_streams;
	unsigned n_open; /* connections */
	int pipe[2];
	bool told;          /* there is something in the pipe */
	struct fiber *pool; /* waits */
	STAILQ_HEAD(, stream) astir;
	TAILQ_HEAD(, idler) idlers;
} calls; /* libmilter's own state is global, too */

void
calls_init(struct loop *l, struct fibers *f)
{
	must(calls.loop == NULL);
	calls.loop = l;
	calls.fibers = f;
	calls.pipe[0] = calls.pipe[1] = -1;
	STAILQ_INIT(&calls.astir);
	TAILQ_INIT(&calls.idlers);
}

/* ---- streams ---- */

/* Somebody shall see that there is something: who waits for it, or the pool. */
static void
stir(struct stream *s)
{
	if (s->reader != NULL) {
		fiber_wake(s->reader);
	} else if (s->given_back && !s->astir) {
		s->astir = true;
		STAILQ_INSERT_TAIL(&calls.astir, s, next);
		fiber_wake(calls.pool);
	}
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;

	(void)fd;
	(void)what;
	s->maybe = true;
	stir(s);
}

static void
make_place(size_t fd)
{
	size_t n = calls.n_streams > 0 ? calls.n_streams : 64;

	if (fd < calls.n_streams)
		return;
	while (n <= fd)
		n *= 2;
	calls.streams = xrealloc(calls.streams, n * sizeof(*calls.streams));
	memset(calls.streams + calls.n_streams, 0,
	    (n - calls.n_streams) * sizeof(*calls.streams));
	calls.n_streams = n;
}

static bool
is_listening(int fd)
{
	int yes = 0;
	socklen_t n = sizeof(yes);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &n) == 0 && yes;
}

static struct stream *
stream_new(int fd)
{
	struct stream *s = xcalloc(1, sizeof(*s));

	s->fd = fd;
	s->maybe = true;
	s->listening = is_listening(fd);
	must(event_assign(&s->event, loop_base(calls.loop), fd,
		 EV_READ | EV_ET | EV_PERSIST, on_readable, s) == 0);
	must(event_add(&s->event, NULL) == 0);
	return s;
}

static struct stream *
stream_of(int fd)
{
	must(fd >= 0);
	make_place((size_t)fd);
	if (calls.streams[fd] == NULL)
		calls.streams[fd] = stream_new(fd);
	return calls.streams[fd];
}

static void
stream_free(struct stream *s)
{
	(void)event_del(&s->event);
	if (s->astir)
		STAILQ_REMOVE(&calls.astir, s, stream, next);
	packets_fini(&s->in);
	calls.n_open -= s->counted;
	calls.streams[s->fd] = NULL;
	free(s);
}

unsigned
calls_open(void)
{
	return calls.n_open;
}

void
calls_forget(int fd)
{
	if ((size_t)fd < calls.n_streams && calls.streams[fd] != NULL) {
		(void)event_del(&calls.streams[fd]->event);
		calls.streams[fd]->maybe = false;
	}
}

/* ---- reading ---- */

static void
end(struct stream *s, int why)
{
	s->ended = true;
	s->maybe = false;
	s->why = why;
}

/* Some of what is there. Returns how much; 0: it has ended, or more will have
 * to come. */
static size_t
receive(struct stream *s, void *to, size_t room)
{
	ssize_t n;

	do
		n = recv(s->fd, to, room, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		s->at_once += (size_t)n;
		return (size_t)n;
	}
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		s->maybe = false;
	else
		end(s, n < 0 ? errno : 0);
	return 0;
}

static void
refuse(struct stream *s)
{
	log_warn("", "milter", "why=\"an MTA sent a broken packet\"");
	packets_fini(&s->in);
	end(s, EPROTO);
}

/* Can libmilter read from it, be it that it has ended? */
static bool
is_ready(struct stream *s)
{
	char *scratch = loop_scratch(calls.loop);
	long n;

	if (s->listening)
		return s->maybe;
	if (packets_direct(&s->in) > 0 && s->maybe)
		return true;
	while ((n = packets_ready(&s->in)) == 0 && s->maybe)
		packets_add(&s->in, scratch,
		    receive(s, scratch, READ_AHEAD));
	if (n < 0)
		refuse(s);
	return n > 0 || s->ended;
}

/* False: its time is over. */
static bool
wait_ready(struct stream *s, uint64_t ms)
{
	bool in_time = true;

	if (s->at_once > AT_ONCE) {
		s->at_once = 0;
		fiber_pause(calls.fibers);
	}
	while (!is_ready(s)) {
		if (!in_time)
			return false;
		packets_rest(&s->in);
		s->at_once = 0;
		s->reader = fiber_now(calls.fibers);
		in_time = fiber_wait(calls.fibers, ms);
		s->reader = NULL;
	}
	return true;
}

/* What belongs to a packet that goes on goes where libmilter wants it. */
static size_t
take(struct stream *s, void *to, size_t n)
{
	size_t direct = packets_direct(&s->in);

	if (direct == 0)
		return packets_take(&s->in, to, n);
	if (!s->maybe)
		return 0;
	n = receive(s, to, n < direct ? n : direct);
	packets_passed(&s->in, n);
	return n;
}

static ssize_t
read_pipe(void)
{
	if (!calls.told) {
		errno = EAGAIN;
		return -1;
	}
	calls.told = false;
	return 1;
}

ssize_t
milter_read(int fd, void *to, size_t n)
{
	struct stream *s;
	size_t got;

	if (fd == calls.pipe[0])
		return read_pipe();
	s = stream_of(fd);
	do {
		if (!wait_ready(s, PATIENCE_MS))
			end(s, ETIMEDOUT);
		got = take(s, to, n);
	} while (got == 0 && !s->ended);
	if (got > 0 || s->why == 0)
		return (ssize_t)got;
	errno = s->why;
	return -1;
}

/* ---- waiting ---- */

static int
poll_one(struct pollfd *p, int ms)
{
	struct stream *s = stream_of(p->fd);
	bool look = ms <= LOOK_MS;

	s->at_once += LOOKED;
	if (!wait_ready(s, look ? STAY_MS : (uint64_t)ms)) {
		s->given_back = look;
		p->revents = 0;
		return 0;
	}
	p->revents = POLLIN;
	return 1;
}

/* The first that shall be looked at, of those that the pool knows by now. */
static struct pollfd *
find_astir(struct pollfd *p, nfds_t n)
{
	struct stream *s;

	STAILQ_FOREACH (s, &calls.astir, next)
		for (nfds_t i = 1; i < n; i++)
			if (p[i].fd == s->fd)
				return &p[i];
	return NULL;
}

static bool
look_at(struct pollfd *p)
{
	struct stream *s = stream_of(p->fd);

	STAILQ_REMOVE(&calls.astir, s, stream, next);
	s->astir = false;
	if (!is_ready(s))
		return false;
	s->given_back = false;
	p->revents = POLLIN;
	return true;
}

static int
poll_pool(struct pollfd *p, nfds_t n, int ms)
{
	struct pollfd *found;
	bool in_time = true;

	for (;;) {
		while ((found = find_astir(p, n)) != NULL)
			if (look_at(found))
				return 1;
		if (calls.told) {
			p[0].revents = POLLIN;
			return 1;
		}
		if (!in_time)
			return 0;
		calls.pool = fiber_now(calls.fibers);
		in_time = fiber_wait(calls.fibers, (uint64_t)ms);
		calls.pool = NULL;
	}
}

int
milter_poll(struct pollfd *p, nfds_t n, int ms)
{
	if (p->events & POLLOUT) { /* milter_writev() waits */
		p->revents = POLLOUT;
		return 1;
	}
	fiber_yield(calls.fibers);
	return p->fd == calls.pipe[0] ? poll_pool(p, n, ms) : poll_one(p, ms);
}

unsigned
milter_sleep(unsigned seconds)
{
	uint64_t end_ms = loop_now_ms(calls.loop) + seconds * UINT64_C(1000);

	while (fiber_wait(calls.fibers, seconds * UINT64_C(1000)) &&
	    loop_now_ms(calls.loop) < end_ms)
		continue;
	return 0;
}

/* ---- writing ---- */

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	fiber_wake(arg);
}

static bool
wait_writable(int fd)
{
	struct event e;
	bool in_time;

	must(event_assign(&e, loop_base(calls.loop), fd, EV_WRITE | EV_ET,
		 on_writable, fiber_now(calls.fibers)) == 0);
	must(event_add(&e, NULL) == 0);
	in_time = fiber_wait(calls.fibers, PATIENCE_MS);
	(void)event_del(&e);
	return in_time;
}

ssize_t
milter_writev(int fd, const struct iovec *iov, int count)
{
	struct msghdr m = { .msg_iov = (struct iovec *)iov, /* as read */
		.msg_iovlen = (size_t)count };
	ssize_t n;

	while ((n = sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL)) < 0 &&
	    (errno == EAGAIN || errno == EWOULDBLOCK))
		if (!wait_writable(fd)) {
			errno = ETIMEDOUT;
			return -1;
		}
	return n;
}

/* A worker tells the pool that it gives a connection back. */
ssize_t
milter_write(int fd, const void *from, size_t n)
{
	(void)from;
	must(fd == calls.pipe[1]);
	calls.told = true;
	fiber_wake(calls.pool);
	return (ssize_t)n;
}

/* ---- descriptors ---- */

static void
accepted(struct stream *listening, int fd)
{
	listening->at_once += ACCEPTED;
	stream_of(fd)->counted = true;
	calls.n_open++;
}

/* libmilter says nothing of most of these. */
static void
not_accepted(int why)
{
	log_error("", "accept", "why=\"%s\"", strerror(why));
	(void)fiber_wait(calls.fibers, REFUSED_MS);
}

int
milter_accept(int fd, struct sockaddr *to, socklen_t *n)
{
	int got = accept4(fd, to, n, SOCK_CLOEXEC), why = errno;
	struct stream *s = stream_of(fd);

	if (got >= 0)
		accepted(s, got);
	else if (why == EAGAIN || why == EWOULDBLOCK)
		s->maybe = false;
	else
		not_accepted(why);
	errno = why;
	return got;
}

int
milter_close(int fd)
{
	if (fd >= 0 && (size_t)fd < calls.n_streams &&
	    calls.streams[fd] != NULL)
		stream_free(calls.streams[fd]);
	return close(fd);
}

/* Descriptors that nobody else has; nothing goes through. */
int
milter_pipe(int fds[2])
{
	if (pipe2(calls.pipe, O_CLOEXEC) < 0)
		return -1;
	fds[0] = calls.pipe[0];
	fds[1] = calls.pipe[1];
	return 0;
}

/* ---- threads ---- */

int
milter_pthread_create(pthread_t *id, const pthread_attr_t *attr,
    void *(*call)(void *), void *arg)
{
	(void)attr;
	*id = pthread_self(); /* nobody looks */
	return fiber_start(calls.fibers, call, arg) < 0 ? errno : 0;
}

int
milter_pthread_detach(pthread_t id)
{
	(void)id;
	return 0;
}

/* Signals are the loop's. */
int
milter_pthread_sigmask(int how, const sigset_t *set, sigset_t *was)
{
	(void)how;
	(void)set;
	if (was != NULL)
		(void)sigemptyset(was);
	return 0;
}

int
milter_sigwait(const sigset_t *set, int *got)
{
	(void)set;
	(void)got;
	for (;;)
		(void)fiber_wait(calls.fibers, 0);
}

int
milter_pthread_cond_init(pthread_cond_t *c, const pthread_condattr_t *attr)
{
	(void)c; /* the one there is */
	(void)attr;
	return 0;
}

int
milter_pthread_cond_destroy(pthread_cond_t *c)
{
	(void)c;
	return 0;
}

/* The one that waits least long: its stack is warm. */
int
milter_pthread_cond_signal(pthread_cond_t *c)
{
	struct idler *i = TAILQ_FIRST(&calls.idlers);

	(void)c;
	if (i == NULL)
		return 0;
	TAILQ_REMOVE(&calls.idlers, i, next);
	i->signalled = true;
	fiber_wake(i->fiber);
	return 0;
}

/* In whole seconds, of which there are few (loop_timeout). */
static uint64_t
until(const struct timespec *end)
{
	time_t now = time(NULL);

	return (end->tv_sec > now ? (uint64_t)(end->tv_sec - now) : 1) * 1000;
}

int
milter_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *lock,
    const struct timespec *end)
{
	struct idler i = { .fiber = fiber_now(calls.fibers) };

	(void)c;
	TAILQ_INSERT_HEAD(&calls.idlers, &i, next);
	must(pthread_mutex_unlock(lock) == 0);
	while (!i.signalled && fiber_wait(calls.fibers, until(end)))
		continue;
	if (!i.signalled)
		TAILQ_REMOVE(&calls.idlers, &i, next);
	must(pthread_mutex_lock(lock) == 0);
	return i.signalled ? 0 : ETIMEDOUT;
}
