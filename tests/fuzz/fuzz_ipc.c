/*
 * fuzz_ipc - frames from a peer that may be hostile. The input is cut into
 * frames: two bytes of length, little-endian, then so many bytes. They are
 * read once by the blocking form and once from a loop, which sends each back;
 * there an odd type means that the peer reads what waits for it.
 *
 * Covers: proxy/base/ipc.c
 */
#include "base/ipc.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"
#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct end {
	struct loop *loop;
	struct ipc *ipc;
	int peer;
};

static void
feed(int sock, const uint8_t *p, size_t left)
{
	for (size_t n; left >= 2; p += 2 + n, left -= 2 + n) {
		n = p[0] | (size_t)p[1] << 8;
		n = n < left - 2 ? n : left - 2;
		if (send(sock, p + 2, n, MSG_DONTWAIT) < 0)
			break; /* the socket is full: enough frames */
	}
	(void)shutdown(sock, SHUT_WR); /* what was sent stays readable */
}

static void
on_message(void *arg, uint32_t type, uint64_t id, const void *body, size_t n,
    int fd)
{
	struct end *end = arg;
	char sink[256];

	must(n <= IPC_MAX);
	/* The same descriptor goes back, or the peer's own. */
	(void)ipc_send(end->ipc, type, id, body, n, type & 2 ? end->peer : fd);
	io_close(fd);
	if (type & 1)
		while (recv(end->peer, sink, sizeof(sink), MSG_DONTWAIT) > 0)
			;
}

static void
on_closed(void *arg)
{
	struct end *end = arg;

	ipc_free(end->ipc);
	loop_stop(end->loop);
}

static void
read_blocking(int sock)
{
	static unsigned char body[IPC_MAX];
	struct error e;
	uint32_t type;
	uint64_t id;
	ssize_t n;

	while ((n = ipc_read(sock, &type, &id, body, NULL, &e)) >= 0)
		if (ipc_write(sock, type, id, body, (size_t)n, -1, &e) < 0)
			break;
	(void)close(sock);
}

static void
read_on_loop(int sock, int peer)
{
	static const struct ipc_ops ops = { on_message, on_closed };
	struct end end = { .loop = loop_new(), .peer = peer };
	int small = 4096;

	(void)setsockopt(sock, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	end.ipc = ipc_new(end.loop, sock, &ops, &end);
	loop_run(end.loop);
	loop_free(end.loop);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error e;
	int fd[2];

	if (ipc_pair(fd, &e) < 0)
		abort();
	feed(fd[0], data, size);
	read_on_loop(fd[1], fd[0]);
	(void)close(fd[0]);
	if (ipc_pair(fd, &e) < 0)
		abort();
	feed(fd[0], data, size);
	(void)close(fd[0]);
	read_blocking(fd[1]);
	return 0;
}
