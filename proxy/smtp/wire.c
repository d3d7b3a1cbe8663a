/* wire - see wire.h. */
#include "smtp/wire.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"
#include "base/must.h"

#define IDLE_BYTES 1024 /* a buffer larger than this is given back when empty */
#define PIECES 4
#define STUCK_MS 300000 /* RFC 5321 4.5.3.2.5 allows less for a block */

/* There is room to send again, or the peer reads nothing any more. */
static void
on_room(int fd, short what, void *arg)
{
	struct wire *w = arg;

	if (what & EV_TIMEOUT)
		w->broken = true;
	w->on(fd, EV_WRITE, w->arg);
}

void
wire_open(struct wire *w, struct loop *loop, int fd, event_callback_fn on,
    void *arg)
{
	*w = (struct wire){ .loop = loop, .fd = fd, .on = on, .arg = arg };
	must(event_assign(&w->rd, loop_base(loop), fd, EV_READ | EV_PERSIST, on,
		 arg) == 0);
	must(event_assign(&w->wr, loop_base(loop), fd, EV_WRITE, on_room,
		 w) == 0);
}

void
wire_close(struct wire *w)
{
	if (w->fd < 0)
		return;
	(void)event_del(&w->rd); /* cannot fail for what is assigned */
	(void)event_del(&w->wr);
	(void)close(w->fd);
	w->fd = -1;
	buf_fini(&w->in);
	buf_fini(&w->out);
}

void
wire_wait(struct wire *w, uint64_t timeout_ms)
{
	w->paused = false;
	must(event_add(&w->rd, loop_timeout(w->loop, timeout_ms)) == 0);
}

void
wire_pause(struct wire *w)
{
	w->paused = true;
	(void)event_del(&w->rd);
}

enum wire_got
wire_recv(struct wire *w, void *at, size_t n, size_t *got)
{
	ssize_t r;

	do
		r = recv(w->fd, at, n, 0);
	while (r < 0 && errno == EINTR);
	if (r > 0) {
		*got = (size_t)r;
		return WIRE_BYTES;
	}
	if (r < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return WIRE_NOTHING;
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
	ssize_t r = recv(w->fd, &byte, 1, MSG_PEEK);

	if (r > 0)
		return WIRE_BYTES;
	if (r < 0 && (errno == EAGAIN || errno == EINTR))
		return WIRE_NOTHING;
	return WIRE_END;
}

/* EV_WRITE when there is room again, or when the peer read nothing for five
 * minutes (then .broken). */
static void
want_room(struct wire *w)
{
	must(event_add(&w->wr, loop_timeout(w->loop, STUCK_MS)) == 0);
}

/* Bytes sent; 0 with EV_WRITE on its way, or .broken. */
static size_t
send_pieces(struct wire *w, const struct iovec *iov, int count)
{
	struct msghdr m = { .msg_iov = (struct iovec *)iov,
		.msg_iovlen = (size_t)count };
	ssize_t r;

	do
		r = sendmsg(w->fd, &m, MSG_NOSIGNAL);
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
	if (n < mine && !w->broken)
		want_room(w);
	return n < mine ? 0 : n - mine;
}
