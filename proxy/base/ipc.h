/*
 * ipc - the one framed protocol between postern's processes.
 *
 * A SOCK_SEQPACKET socketpair; one frame a message: a 16-byte head (type, id)
 * and a flat body (base/pack), at most IPC_MAX bytes; a frame may carry one
 * descriptor. The receiver validates each as if hostile. `id` is the
 * sender's: an answer repeats it.
 *
 * struct ipc is one end on a libevent loop: sends at once, queues when the
 * peer is slow. ipc_read/ipc_write are the blocking form for a process
 * without a loop (inspector).
 */
#ifndef BASE_IPC_H
#define BASE_IPC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/error.h"
#include "base/loop.h"

#define IPC_HEAD 16
/* Under the 212,960 bytes that default buffers take: 128 KiB and a margin. */
#define IPC_MAX (128 * 1024 + 16 * 1024)

struct ipc;

struct ipc_ops {
	/*
	 * A frame came. body is valid until return; fd is -1 or a descriptor
	 * that is now the callee's. The callee may ipc_free().
	 */
	void (*message)(void *arg, uint32_t type, uint64_t id, const void *body,
	    size_t n, int fd);
	/* The peer is gone. Nothing more will come; the callee ipc_free()s. */
	void (*closed)(void *arg);
};

/* Both ends close-on-exec; blocking. */
int ipc_pair(int fd[2], struct error *);
/* Takes fd and makes it non-blocking; borrows ops until ipc_free(). */
struct ipc *ipc_new(struct loop *, int fd, const struct ipc_ops *, void *arg);
void ipc_free(struct ipc *);
/*
 * Sent or queued, in order. The pieces of body are joined; fd (or -1) is
 * borrowed: a queued frame holds a duplicate. False when the peer is gone
 * (closed() comes from the loop, not from here) or the frame too large.
 */
bool ipc_send(struct ipc *, uint32_t type, uint64_t id, const void *body,
    size_t n, int fd);
bool ipc_sendv(struct ipc *, uint32_t type, uint64_t id,
    const struct iovec *body, int count, int fd);
/* Bytes waiting because the peer is slow. */
size_t ipc_queued(const struct ipc *);

/*
 * Blocking. Body bytes read into buf (IPC_MAX of them), or -1: *e says why,
 * its text is "" at a clean end. *fd_out may be NULL (a descriptor is closed).
 */
ssize_t ipc_read(int fd, uint32_t *type, uint64_t *id, void *buf, int *fd_out,
    struct error *e);
int ipc_write(int fd, uint32_t type, uint64_t id, const void *body, size_t n,
    int fd_in, struct error *e);

#endif
