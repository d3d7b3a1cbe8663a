/*
 * wire - one connection on the loop: a non-blocking socket, what came and is
 * not read yet, what is said and not sent yet. Plain events and as few system
 * calls as can be: EV_READ stays armed for life, sending is tried at once,
 * EV_WRITE is added on EAGAIN alone.
 *
 * Embedded in session and upstream, each the owner of its own. The one
 * callback records what happened; it gets EV_READ, EV_WRITE, EV_TIMEOUT
 * (nothing came for so long).
 */
#ifndef SMTP_WIRE_H
#define SMTP_WIRE_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/uio.h>

#include "base/buf.h"
#include "base/loop.h"

struct tls;

struct wire {
	struct loop *loop;
	int fd;            /* -1: closed */
	struct event rd, wr;
	event_callback_fn on;
	void *arg;
	struct buf in, out;
	bool paused;       /* EV_READ was taken off: nobody reads now */
	bool broken;       /* sending failed: the peer is gone */
	int error;         /* errno of WIRE_END; 0: the peer closed */

	struct tls *tls;   /* all goes through it; NULL: in clear */
	enum wire_tls { WIRE_CLEAR, WIRE_HANDSHAKE, WIRE_SECURE, WIRE_INSECURE }
	    security;      /* INSECURE: the handshake failed */
	uint64_t limit_ms; /* when the handshake must be done */
	bool read_wants_room, send_wants_bytes; /* in TLS one may need the other */
};

/* Takes fd. Nothing is armed before wire_wait(). */
void wire_open(struct wire *, struct loop *, int fd, event_callback_fn,
    void *arg);
/* The connection of another one, of which nothing waits to be read or sent; that
 * one is closed. Likewise. */
void wire_take(struct wire *, struct wire *from, event_callback_fn, void *arg);
/* Frees everything; closes fd. A closed wire may be closed again. */
void wire_close(struct wire *);
/* ... but fd, which is the caller's now; TLS has said that it ends. */
int wire_detach(struct wire *);
/* Be told of what comes; EV_TIMEOUT when nothing did for so long. */
void wire_wait(struct wire *, uint64_t timeout_ms);
void wire_pause(struct wire *);
/*
 * From here on all goes through tls, which is taken over: what came in clear
 * and is in .in is the owner's to drop first. The callback is called once with
 * 0 when the handshake ended, and .security says how; not before, nor from
 * this call.
 */
void wire_secure(struct wire *, struct tls *, uint64_t timeout_ms);
/* Nothing that waits is to be sent any more: it is thrown away, here and, with
 * wire_close(), by the kernel, and the peer sees a reset. */
void wire_drop(struct wire *);

enum wire_got { WIRE_BYTES, WIRE_NOTHING, WIRE_END };

/* recv() once into at (n bytes of room). */
enum wire_got wire_recv(struct wire *, void *at, size_t n, size_t *got);
/* recv() once, appended to .in. */
enum wire_got wire_read(struct wire *);
/* Is the peer gone? Looks without reading; END, BYTES (waiting) or NOTHING. */
enum wire_got wire_peek(struct wire *);

/* Send .out: true when all of it went. False: EV_WRITE will come, or .broken. */
bool wire_flush(struct wire *);
/* Send .out and then the pieces; the bytes of the pieces that went. */
size_t wire_sendv(struct wire *, const struct iovec *, int count);

#endif
