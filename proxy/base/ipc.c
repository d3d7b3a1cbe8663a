/*
 * ipc - see ipc.h. Frames leave by sendmsg, heads little-endian:
 *
 *   0      4      8               16
 *   | magic | type |      id       | body ...
 */
#include "base/ipc.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/pack.h"

#define IPC_MAGIC 0x31697070u /* "ppi1" */
#define IPC_IOV 64
#define TURN_FRAMES 32 /* read at most so many a wake-up, then let others */

struct frame {
	STAILQ_ENTRY(frame) next;
	int fd;
	size_t n;
	unsigned char bytes[];
};

struct ipc {
	uint32_t magic;
	int fd;
	const struct ipc_ops *ops;
	void *arg;
	struct event readable, writable;
	STAILQ_HEAD(, frame) queue;
	size_t queued;
	bool dead;   /* a send failed: closed() comes when reading sees it */
	bool busy;   /* a callback runs: ipc_free() only marks */
	bool doomed; /* ... and this is the mark */
};

int
ipc_pair(int fd[2], struct error *e)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) < 0)
		return error_set(e, "socketpair: %s", strerror(errno));
	return 0;
}

static void
make_head(unsigned char head[IPC_HEAD], uint32_t type, uint64_t id)
{
	struct buf b = { .mem = (char *)head, .size = IPC_HEAD };

	pack_u32(&b, IPC_MAGIC);
	pack_u32(&b, type);
	pack_u64(&b, id);
}

static ssize_t
send_frame(int sock, const struct iovec *iov, int count, int fd)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr m = { .msg_iov = (struct iovec *)iov,
		.msg_iovlen = (size_t)count };
	ssize_t n;

	if (fd >= 0) {
		m.msg_control = control.space;
		m.msg_controllen = sizeof(control.space);
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.head), &fd, sizeof(int));
	}
	do {
		n = sendmsg(sock, &m, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n;
}

/* -1: nothing (errno), 0: the end, else bytes of the frame; fd or -1. */
static ssize_t
receive_frame(int sock, const struct iovec *iov, int count, int *fd,
    bool *cut)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr m = { .msg_iov = (struct iovec *)iov,
		.msg_iovlen = (size_t)count,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space) };
	struct cmsghdr *c;
	ssize_t n;

	*fd = -1;
	do {
		n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return n;
	c = CMSG_FIRSTHDR(&m);
	if (c != NULL && c->cmsg_level == SOL_SOCKET &&
	    c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(fd, CMSG_DATA(c), sizeof(int));
	*cut = (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
	return n;
}

static bool
read_head(const unsigned char head[IPC_HEAD], ssize_t n, uint32_t *type,
    uint64_t *id)
{
	struct unpack u = unpack_of(head, IPC_HEAD);

	if (n < IPC_HEAD || unpack_u32(&u) != IPC_MAGIC)
		return false;
	*type = unpack_u32(&u);
	*id = unpack_u64(&u);
	return true;
}

static void
unqueue(struct ipc *c, struct frame *f)
{
	STAILQ_REMOVE_HEAD(&c->queue, next);
	c->queued -= f->n;
	io_close(f->fd);
	free(f);
}

/* Whatever the kernel's reason: nothing can follow in order, so both sides
 * shall read the end of it. */
static void
die(struct ipc *c)
{
	c->dead = true;
	(void)shutdown(c->fd, SHUT_RDWR); /* or the peer has gone already */
}

static void
on_writable(evutil_socket_t sock, short what, void *arg)
{
	struct ipc *c = arg;
	struct frame *f;

	(void)what;
	while ((f = STAILQ_FIRST(&c->queue)) != NULL) {
		struct iovec iov = { f->bytes, f->n };

		if (send_frame((int)sock, &iov, 1, f->fd) < 0) {
			if (errno == EAGAIN)
				return;
			die(c);
		}
		unqueue(c, f);
	}
	(void)event_del(&c->writable); /* cannot fail: it was added */
}

/* One frame handed on; false when there is none now or c is gone. */
static bool
read_one(struct ipc *c, unsigned char *body)
{
	unsigned char head[IPC_HEAD];
	struct iovec iov[2] = { { head, IPC_HEAD }, { body, IPC_MAX } };
	uint32_t type;
	uint64_t id;
	bool cut = false;
	int fd;
	ssize_t n = receive_frame(c->fd, iov, 2, &fd, &cut);

	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0 || cut || !read_head(head, n, &type, &id)) {
		/* The end, or a peer that does not speak this: same to us. */
		io_close(fd);
		(void)event_del(&c->readable);
		c->ops->closed(c->arg);
		return false;
	}
	c->ops->message(c->arg, type, id, body, (size_t)n - IPC_HEAD, fd);
	return !c->doomed;
}

static void
on_readable(evutil_socket_t sock, short what, void *arg)
{
	static unsigned char body[IPC_MAX]; /* one loop a process, see loop.h */
	struct ipc *c = arg;

	(void)sock;
	(void)what;
	MUST_BE(c, IPC);
	c->busy = true;
	for (int i = 0; i < TURN_FRAMES && read_one(c, body); i++)
		;
	c->busy = false;
	if (c->doomed)
		ipc_free(c);
}

struct ipc *
ipc_new(struct loop *l, int fd, const struct ipc_ops *ops, void *arg)
{
	struct ipc *c = xcalloc(1, sizeof(*c));

	c->magic = IPC_MAGIC;
	c->fd = fd;
	c->ops = ops;
	c->arg = arg;
	STAILQ_INIT(&c->queue);
	must(io_nonblock(fd) == 0);
	event_assign(&c->readable, loop_base(l), fd, EV_READ | EV_PERSIST,
	    on_readable, c);
	event_assign(&c->writable, loop_base(l), fd, EV_WRITE | EV_PERSIST,
	    on_writable, c);
	must(event_add(&c->readable, NULL) == 0);
	return c;
}

void
ipc_free(struct ipc *c)
{
	struct frame *f;

	if (c == NULL)
		return;
	MUST_BE(c, IPC);
	if (c->busy) {
		c->doomed = true;
		return;
	}
	(void)event_del(&c->readable);
	(void)event_del(&c->writable);
	while ((f = STAILQ_FIRST(&c->queue)) != NULL)
		unqueue(c, f);
	io_close(c->fd);
	c->magic = 0;
	free(c);
}

static bool
enqueue(struct ipc *c, const struct iovec *iov, int count, size_t n, int fd)
{
	struct frame *f = xcalloc(1, sizeof(*f) + n);
	size_t at = 0;

	f->n = n;
	f->fd = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
	if (fd >= 0 && f->fd < 0) {
		free(f);
		return false;
	}
	for (int i = 0; i < count; i++) {
		if (iov[i].iov_len > 0)
			memcpy(f->bytes + at, iov[i].iov_base, iov[i].iov_len);
		at += iov[i].iov_len;
	}
	if (STAILQ_EMPTY(&c->queue))
		must(event_add(&c->writable, NULL) == 0);
	STAILQ_INSERT_TAIL(&c->queue, f, next);
	c->queued += n;
	return true;
}

bool
ipc_sendv(struct ipc *c, uint32_t type, uint64_t id, const struct iovec *body,
    int count, int fd)
{
	unsigned char head[IPC_HEAD];
	struct iovec iov[IPC_IOV] = { { head, IPC_HEAD } };
	size_t n = IPC_HEAD;

	MUST_BE(c, IPC);
	must(count < IPC_IOV);
	make_head(head, type, id);
	for (int i = 0; i < count; i++) {
		iov[i + 1] = body[i];
		n += body[i].iov_len;
	}
	if (c->dead || n > IPC_HEAD + IPC_MAX)
		return false;
	if (STAILQ_EMPTY(&c->queue)) {
		if (send_frame(c->fd, iov, count + 1, fd) >= 0)
			return true;
		if (errno != EAGAIN) {
			die(c);
			return false;
		}
	}
	return enqueue(c, iov, count + 1, n, fd);
}

bool
ipc_send(struct ipc *c, uint32_t type, uint64_t id, const void *body, size_t n,
    int fd)
{
	struct iovec iov = { (void *)body, n };

	return ipc_sendv(c, type, id, &iov, 1, fd);
}

size_t
ipc_queued(const struct ipc *c)
{
	return c->queued;
}

ssize_t
ipc_read(int sock, uint32_t *type, uint64_t *id, void *buf, int *fd_out,
    struct error *e)
{
	unsigned char head[IPC_HEAD];
	struct iovec iov[2] = { { head, IPC_HEAD }, { buf, IPC_MAX } };
	bool cut = false;
	int fd;
	ssize_t n = receive_frame(sock, iov, 2, &fd, &cut);

	e->text[0] = '\0';
	if (n < 0)
		return error_set(e, "recvmsg: %s", strerror(errno));
	if (n > 0 && (cut || !read_head(head, n, type, id))) {
		io_close(fd);
		return error_set(e, "a frame that is none of ours");
	}
	if (fd_out != NULL)
		*fd_out = fd;
	else
		io_close(fd);
	return n == 0 ? -1 : n - IPC_HEAD;
}

int
ipc_write(int sock, uint32_t type, uint64_t id, const void *body, size_t n,
    int fd_in, struct error *e)
{
	unsigned char head[IPC_HEAD];
	struct iovec iov[2] = { { head, IPC_HEAD }, { (void *)body, n } };

	must(n <= IPC_MAX);
	make_head(head, type, id);
	if (send_frame(sock, iov, 2, fd_in) < 0)
		return error_set(e, "sendmsg: %s", strerror(errno));
	return 0;
}
