/*
 * wire - see wire.h.
 *
 * Under TLS an event of the socket is not yet bytes of the peer's, nor the
 * other way round: what OpenSSL holds back makes its own event (stir), and
 * when reading needs room or sending bytes, the one's event is the other's.
 */
#include "smtp/wire.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/must.h"
#include "smtp/tls.h"

#define IDLE_BYTES 1024 /* a buffer larger than this is given back when empty */
#define PIECES 4
#define STUCK_MS 300000 /* RFC 5321 4.5.3.2.5 allows less for a block */

/* ---- the handshake ---- */

static struct timeval
left_of(const struct wire *w)
{
	uint64_t now = loop_now_ms(w->loop);
	uint64_t ms = w->limit_ms > now ? w->limit_ms - now : 1;

	return (struct timeval){ (time_t)(ms / 1000),
		(suseconds_t)(ms % 1000 * 1000) };
}

static void
handshake_ended(struct wire *w, enum wire_tls how)
{
	w->security = how;
	(void)event_del(&w->rd);
	(void)event_del(&w->wr);
	w->on(w->fd, 0, w->arg); /* w may be gone now */
}

/* One limit for all of it: a byte now and then wins no time. */
static void
handshake(struct wire *w, bool late)
{
	struct timeval left = left_of(w);

	if (late || loop_now_ms(w->loop) >= w->limit_ms) {
		tls_set_why(w->tls, "it took too long");
		handshake_ended(w, WIRE_INSECURE);
		return;
	}
	if (buf_len(&w->out) > 0 && !wire_flush(w)) {
		if (w->broken) { /* a header before TLS (PROXY) */
			tls_set_why(w->tls, "it closed the connection");
			handshake_ended(w, WIRE_INSECURE);
		}
		return;
	}
	switch (tls_handshake(w->tls)) {
	case TLS_DONE:
		handshake_ended(w, WIRE_SECURE);
		return;
	case TLS_READ:
		must(event_add(&w->rd, &left) == 0);
		return;
	case TLS_WRITE:
		(void)event_del(&w->rd);
		must(event_add(&w->wr, &left) == 0);
		return;
	case TLS_END:
		handshake_ended(w, WIRE_INSECURE);
		return;
	}
}

void
wire_secure(struct wire *w, struct tls *tls, uint64_t timeout_ms)
{
	struct timeval left;

	must(w->tls == NULL && buf_len(&w->in) == 0);
	w->tls = tls;
	w->security = WIRE_HANDSHAKE;
	w->limit_ms = loop_now_ms(w->loop) + timeout_ms;
	w->paused = false;
	left = left_of(w);
	(void)event_del(&w->rd);
	/* Who begins can when there is room; who is begun with looks too. */
	must(event_add(&w->wr, &left) == 0);
}

/* ---- events ---- */

/* There is room to send again, or the peer reads nothing any more. */
static void
on_room(int fd, short what, void *arg)
{
	struct wire *w = arg;
	short tell = EV_WRITE;

	if (w->security == WIRE_HANDSHAKE) {
		handshake(w, what & EV_TIMEOUT);
		return;
	}
	if (what & EV_TIMEOUT)
		w->broken = true;
	if (w->read_wants_room)
		tell |= EV_READ;
	w->read_wants_room = false;
	w->on(fd, tell, w->arg);
}

static void
on_bytes(int fd, short what, void *arg)
{
	struct wire *w = arg;

	if (w->security == WIRE_HANDSHAKE) {
		handshake(w, what & EV_TIMEOUT);
		return;
	}
	if ((what & EV_READ) && w->send_wants_bytes) {
		w->send_wants_bytes = false;
		what |= EV_WRITE;
	}
	w->on(fd, what, w->arg);
}

void
wire_open(struct wire *w, struct loop *loop, int fd, event_callback_fn on,
    void *arg)
{
	*w = (struct wire){ .loop = loop, .fd = fd, .on = on, .arg = arg };
	must(event_assign(&w->rd, loop_base(loop), fd, EV_READ | EV_PERSIST,
		 on_bytes, w) == 0);
	must(event_assign(&w->wr, loop_base(loop), fd, EV_WRITE, on_room,
		 w) == 0);
}

int
wire_detach(struct wire *w)
{
	int fd = w->fd;

	if (fd < 0)
		return fd;
	(void)event_del(&w->rd); /* cannot fail for what is assigned */
	(void)event_del(&w->wr);
	if (w->tls != NULL)
		tls_shut(w->tls);
	tls_free(w->tls);
	w->tls = NULL;
	w->security = WIRE_CLEAR;
	w->fd = -1;
	buf_fini(&w->in);
	buf_fini(&w->out);
	return fd;
}

void
wire_take(struct wire *w, struct wire *from, event_callback_fn on, void *arg)
{
	struct tls *tls = from->tls;
	enum wire_tls security = from->security;

	must(security != WIRE_HANDSHAKE && buf_len(&from->in) == 0 &&
	    buf_len(&from->out) == 0);
	from->tls = NULL;
	wire_open(w, from->loop, wire_detach(from), on, arg);
	w->tls = tls;
	w->security = security;
}

void
wire_close(struct wire *w)
{
	int fd = wire_detach(w);

	if (fd >= 0)
		(void)close(fd);
}

void
wire_drop(struct wire *w)
{
	static const struct linger now = { .l_onoff = 1, .l_linger = 0 };

	buf_clear(&w->out);
	(void)event_del(&w->wr);
	/* If it cannot be, it is sent, as it would have been. */
	(void)setsockopt(w->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

/* What TLS holds is as good as bytes that came. */
static void
stir(struct wire *w)
{
	if (w->tls != NULL && tls_holds(w->tls) && !w->paused)
		event_active(&w->rd, EV_READ, 0);
}

void
wire_wait(struct wire *w, uint64_t timeout_ms)
{
	w->paused = false;
	must(event_add(&w->rd, loop_timeout(w->loop, timeout_ms)) == 0);
	stir(w);
}

void
wire_pause(struct wire *w)
{
	w->paused = true;
	(void)event_del(&w->rd);
}

/* ---- reading ---- */

/* EV_WRITE when there is room again, or when the peer read nothing for five
 * minutes (then .broken). */
static void
want_room(struct wire *w)
{
	must(event_add(&w->wr, loop_timeout(w->loop, STUCK_MS)) == 0);
}

static enum wire_got
got_of(struct wire *w, enum tls_turn turn)
{
	switch (turn) {
	case TLS_DONE:
		return WIRE_BYTES;
	case TLS_READ:
		return WIRE_NOTHING;
	case TLS_WRITE:
		w->read_wants_room = true;
		want_room(w);
		return WIRE_NOTHING;
	case TLS_END:
		break;
	}
	return WIRE_END;
}

static enum wire_got
recv_tls(struct wire *w, void *at, size_t n, size_t *got)
{
	enum wire_got r = got_of(w, tls_read(w->tls, at, n, got));

	if (r == WIRE_BYTES)
		stir(w);
	return r;
}

enum wire_got
wire_recv(struct wire *w, void *at, size_t n, size_t *got)
{
	ssize_t r;

	if (w->security != WIRE_CLEAR)
		return recv_tls(w, at, n, got);
	do
		r = recv(w->fd, at, n, 0);
	while (r < 0 && errno == EINTR);
	if (r > 0) {
		*got = (size_t)r;
		return WIRE_BYTES;
	}
	if (r < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return WIRE_NOTHING;
	w->error = r < 0 ? errno : 0;
	return WIRE_END;
}

enum wire_got
wire_read(struct wire *w)
{
	char *scratch = loop_scratch(w->loop);
	size_t n;
	enum wire_got got = wire_recv(w, scratch, LOOP_SCRATCH, &n);

	if (got == WIRE_BYTES)
		(void)buf_add(&w->in, scratch, n); /* uncapped: read by piece */
	return got;
}

enum wire_got
wire_peek(struct wire *w)
{
	char byte;
	ssize_t r;

	if (w->tls != NULL)
		return got_of(w, tls_peek(w->tls));
	r = recv(w->fd, &byte, 1, MSG_PEEK);
	if (r > 0)
		return WIRE_BYTES;
	if (r < 0 && (errno == EAGAIN || errno == EINTR))
		return WIRE_NOTHING;
	return WIRE_END;
}

/* ---- sending ---- */

/*
 * What begins at skip, as one record: as it lies where one piece fills it or
 * is the last, else copied together, so that a command or the end of a message
 * does not travel alone.
 */
static struct iovec
record_at(const struct iovec *iov, int count, size_t skip, char room[TLS_RECORD])
{
	size_t n = 0;

	while (count > 0 && skip >= iov->iov_len) {
		skip -= iov->iov_len;
		iov++;
		count--;
	}
	if (count == 0)
		return (struct iovec){ NULL, 0 };
	if (count == 1 || iov->iov_len - skip >= TLS_RECORD) {
		n = iov->iov_len - skip;
		return (struct iovec){ (char *)iov->iov_base + skip,
			n < TLS_RECORD ? n : TLS_RECORD };
	}
	for (; count > 0 && n < TLS_RECORD; iov++, count--, skip = 0) {
		size_t k = iov->iov_len - skip;

		if (k > TLS_RECORD - n)
			k = TLS_RECORD - n;
		memcpy(room + n, (char *)iov->iov_base + skip, k);
		n += k;
	}
	return (struct iovec){ room, n };
}

/* As send_pieces(). A record that has to wait comes again with the same
 * bytes first: whoever sends goes on where he was. */
static size_t
send_tls(struct wire *w, const struct iovec *iov, int count)
{
	char room[TLS_RECORD];
	size_t sent = 0, k;

	for (;;) {
		struct iovec r = record_at(iov, count, sent, room);

		if (r.iov_len == 0)
			return sent;
		switch (tls_write(w->tls, r.iov_base, r.iov_len, &k)) {
		case TLS_DONE:
			sent += k;
			break;
		case TLS_READ:
			w->send_wants_bytes = true;
			must(event_add(&w->rd,
				 loop_timeout(w->loop, STUCK_MS)) == 0);
			return sent;
		case TLS_WRITE:
			want_room(w);
			return sent;
		case TLS_END:
			w->broken = true;
			return sent;
		}
	}
}

/* Bytes sent; 0 with EV_WRITE on its way, or .broken. */
static size_t
send_pieces(struct wire *w, const struct iovec *iov, int count)
{
	struct msghdr m = { .msg_iov = (struct iovec *)iov,
		.msg_iovlen = (size_t)count };
	ssize_t r;

	if (w->security == WIRE_SECURE)
		return send_tls(w, iov, count);
	do /* most is one piece, and the kernel has less to look at */
		r = count == 1
		    ? send(w->fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL)
		    : sendmsg(w->fd, &m, MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	if (r >= 0)
		return (size_t)r;
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		want_room(w);
	else
		w->broken = true;
	return 0;
}

/* Forget n sent bytes; an idle connection holds no large buffer. */
static void
sent(struct wire *w, size_t n)
{
	buf_drop(&w->out, n);
	if (buf_len(&w->out) == 0 && w->out.size > IDLE_BYTES)
		buf_fini(&w->out);
}

bool
wire_flush(struct wire *w)
{
	while (buf_len(&w->out) > 0 && !w->broken) {
		struct iovec out = { buf_data(&w->out), buf_len(&w->out) };
		size_t n = send_pieces(w, &out, 1);

		if (n == 0)
			break;
		sent(w, n);
	}
	return buf_len(&w->out) == 0 && !w->broken;
}

size_t
wire_sendv(struct wire *w, const struct iovec *pieces, int count)
{
	struct iovec iov[PIECES + 1] = { 0 };
	size_t mine = buf_len(&w->out), n;

	must(count <= PIECES);
	if (w->broken)
		return 0;
	if (mine > 0)
		iov[0] = (struct iovec){ buf_data(&w->out), mine };
	for (int i = 0; i < count; i++)
		iov[(mine > 0) + i] = pieces[i];
	n = send_pieces(w, iov, count + (mine > 0));
	sent(w, n < mine ? n : mine);
	if (n < mine && !w->broken && !w->send_wants_bytes)
		want_room(w);
	return n < mine ? 0 : n - mine;
}
