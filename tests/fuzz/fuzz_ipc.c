/*
 * fuzz_ipc - frames from a peer that may be hostile. The input is cut into
 * frames: two bytes of length, little-endian, then so many bytes. They are
 * read once by the blocking form and once from a loop, which sends each back;
 * there an odd type means that the peer reads what waits for it. Both must get
 * what a naive reading of the input says.
 *
 * Covers: proxy/base/ipc.c
 */
#include "base/ipc.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/must.h"
#include "base/pack.h"
#include "base/must.h"

#define IPC_MAGIC 0x31697070u /* "ppi1" */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct end {
	struct loop *loop;
	struct ipc *ipc;
	int peer;
	struct buf got;
};

static void
put(struct buf *to, uint32_t type, uint64_t id, const void *body, size_t n)
{
	pack_u32(to, type);
	pack_u64(to, id);
	pack_str(to, (struct pn_str){ body, n });
}

/* The frame as its reader should get it; false: it ends the reading. */
static bool
naive(const uint8_t *p, size_t n, struct buf *want)
{
	struct unpack u = unpack_of(p, n);
	uint32_t magic = unpack_u32(&u), type = unpack_u32(&u);
	uint64_t id = unpack_u64(&u);

	if (u.failed || magic != IPC_MAGIC)
		return false;
	put(want, type, id, u.p, u.n);
	return true;
}

/* Sends them; into want goes what is to be read of them. */
static void
feed(int sock, const uint8_t *p, size_t left, struct buf *want)
{
	bool good = true;

	for (size_t n; left >= 2; p += 2 + n, left -= 2 + n) {
		n = p[0] | (size_t)p[1] << 8;
		n = n < left - 2 ? n : left - 2;
		if (send(sock, p + 2, n, MSG_DONTWAIT) < 0)
			break; /* the socket is full: enough frames */
		good = good && naive(p + 2, n, want);
	}
	(void)shutdown(sock, SHUT_WR); /* what was sent stays readable */
}

static void
on_message(
    void *arg, uint32_t type, uint64_t id, const void *body, size_t n, int fd)
{
	struct end *end = arg;
	char sink[256];

	put(&end->got, type, id, body, n);
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
read_blocking(int sock, struct buf *got)
{
	static unsigned char body[IPC_MAX];
	struct error e;
	uint32_t type;
	uint64_t id;
	ssize_t n;

	while ((n = ipc_read(sock, &type, &id, body, NULL, &e)) >= 0)
		put(got, type, id, body, (size_t)n);
	(void)ipc_write(sock, 1, 2, body, 3, -1, &e); /* to nobody */
	(void)close(sock);
}

static void
read_on_loop(int sock, int peer, struct buf *got)
{
	static const struct ipc_ops ops = { on_message, on_closed };
	struct end end = { .loop = loop_new(), .peer = peer };
	int small = 4096;

	(void)setsockopt(sock, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	end.ipc = ipc_new(end.loop, sock, &ops, &end);
	loop_run(end.loop);
	loop_free(end.loop);
	*got = end.got;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (int blocking = 0; blocking < 2; blocking++) {
		struct buf want = { 0 }, got = { 0 };
		struct error e;
		int fd[2];

		must(ipc_pair(fd, &e) == 0);
		feed(fd[0], data, size, &want);
		if (blocking)
			read_blocking(fd[1], &got);
		else
			read_on_loop(fd[1], fd[0], &got);
		(void)close(fd[0]);
		must(pn_str_eq(buf_str(&got), buf_str(&want)));
		buf_fini(&got);
		buf_fini(&want);
	}
	return 0;
}
