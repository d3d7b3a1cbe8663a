/* control - see control.h. A bufferevent a connection: nothing here is on the
 * way of a message. */
#include "keeper/control.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/io.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "keeper/protocol.h"

#define CONTROL_MAGIC 0x6374726cu
#define CALL_MAGIC 0x63616c6cu
#define CALLS_MAX 64
#define PATIENCE_S 10 /* for the question, and for each piece of the answer */

struct control {
	uint32_t magic;
	struct loop *loop;
	int sock;
	uid_t other_uid;
	control_ask *ask;
	void *arg;
	struct event acceptable;
	LIST_HEAD(, control_call) calls;
	unsigned n_calls;
};

struct control_call {
	uint32_t magic;
	LIST_ENTRY(control_call) next;
	struct control *control;
	struct bufferevent *bev;
	bool asked;    /* the question is here */
	bool answered; /* the answer is on its way out */
	void (*gone)(void *);
	void *gone_arg;
};

static void
call_free(struct control_call *c)
{
	MUST_BE(c, CALL);
	LIST_REMOVE(c, next);
	c->control->n_calls--;
	bufferevent_free(c->bev);
	c->magic = 0;
	free(c);
}

/* ---- answers ---- */

void
control_begin(struct buf *b)
{
	json_begin_object(b, NULL);
	json_bool(b, "ok", true);
}

static void
close_when_sent(struct bufferevent *bev, void *arg)
{
	(void)bev;
	call_free(arg);
}

static void on_event(struct bufferevent *bev, short what, void *arg);

void
control_answer_file(struct control_call *c, struct buf *b, int fd,
    uint64_t size)
{
	const struct timeval patience = { PATIENCE_S, 0 };
	struct evbuffer *out = bufferevent_get_output(c->bev);

	MUST_BE(c, CALL);
	must(c->asked && !c->answered);
	json_end_object(b);
	(void)buf_puts(b, "\n"); /* answers have no cap */
	c->answered = true;
	c->gone = NULL;
	(void)bufferevent_set_timeouts(c->bev, NULL, &patience);
	bufferevent_setcb(c->bev, NULL, close_when_sent, on_event, c);
	must(evbuffer_add(out, buf_data(b), buf_len(b)) == 0);
	if (fd >= 0 && (size == 0 ||
	    evbuffer_add_file(out, fd, 0, (ev_off_t)size) < 0))
		io_close(fd); /* the client misses "bytes" and says so */
	buf_fini(b);
}

void
control_answer(struct control_call *c, struct buf *b)
{
	control_answer_file(c, b, -1, 0);
}

void
control_refuse(struct control_call *c, int code, const char *fmt, ...)
{
	struct buf b = { 0 };
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_begin_object(&b, NULL);
	json_bool(&b, "ok", false);
	json_int(&b, "exit", code);
	json_cstr(&b, "error", text);
	control_answer(c, &b);
}

void
control_wait(struct control_call *c, void (*gone)(void *), void *arg)
{
	MUST_BE(c, CALL);
	c->gone = gone;
	c->gone_arg = arg;
}

/* ---- questions ---- */

bool
control_text(const json_t *request, const char *key, struct pn_str *out)
{
	const json_t *v = json_object_get(request, key);

	if (v == NULL)
		return true;
	*out = (struct pn_str){ json_string_value(v), json_string_length(v) };
	return json_is_string(v);
}

bool
control_number(const json_t *request, const char *key, uint64_t *out)
{
	const json_t *v = json_object_get(request, key);

	if (v == NULL)
		return true;
	*out = (uint64_t)json_integer_value(v);
	return json_is_integer(v) && json_integer_value(v) >= 0;
}

static void
ask(struct control_call *c, const char *line, size_t n)
{
	json_error_t why;
	json_t *request = json_loadb(line, n, JSON_REJECT_DUPLICATES, &why);
	const char *cmd = json_string_value(json_object_get(request, "cmd"));

	c->asked = true;
	if (request == NULL)
		control_refuse(c, EX_PROTOCOL, "not JSON: %s", why.text);
	else if (cmd == NULL)
		control_refuse(c, EX_PROTOCOL, "no \"cmd\" in the question");
	else
		c->control->ask(c->control->arg, c, cmd, request);
	json_decref(request);
}

static void
on_readable(struct bufferevent *bev, void *arg)
{
	struct control_call *c = arg;
	struct evbuffer *in = bufferevent_get_input(bev);
	size_t n;
	char *line;

	MUST_BE(c, CALL);
	if (c->asked) { /* one question a connection */
		(void)evbuffer_drain(in, evbuffer_get_length(in));
		return;
	}
	line = evbuffer_readln(in, &n, EVBUFFER_EOL_LF);
	if (line != NULL && n < CONTROL_REQUEST_MAX) {
		(void)bufferevent_set_timeouts(bev, NULL, NULL);
		ask(c, line, n);
	} else if (line != NULL ||
	    evbuffer_get_length(in) >= CONTROL_REQUEST_MAX) {
		c->asked = true;
		control_refuse(c, EX_PROTOCOL, "the question is longer than %d "
		    "bytes", CONTROL_REQUEST_MAX);
	}
	free(line);
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct control_call *c = arg;
	void (*gone)(void *) = c->gone;
	void *gone_arg = c->gone_arg;

	MUST_BE(c, CALL);
	/* It said all it wanted to and listens: shutdown(SHUT_WR) is no leaving
	 * as long as an answer is due. */
	if ((what & BEV_EVENT_EOF) != 0 && c->asked) {
		(void)bufferevent_disable(bev, EV_READ);
		return;
	}
	call_free(c);
	if (gone != NULL)
		gone(gone_arg);
}

/* ---- connections ---- */

static bool
may_ask(const struct control *k, int fd)
{
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t n = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) < 0)
		return false;
	if (peer.uid == 0 || peer.uid == geteuid() || peer.uid == k->other_uid)
		return true;
	log_warn("", "control-refused", "uid=%u pid=%d", (unsigned)peer.uid,
	    (int)peer.pid);
	return false;
}

static void
call_new(struct control *k, int fd, bool allowed)
{
	const struct timeval patience = { PATIENCE_S, 0 };
	struct control_call *c = xcalloc(1, sizeof(*c));

	c->magic = CALL_MAGIC;
	c->control = k;
	c->bev = bufferevent_socket_new(loop_base(k->loop), fd,
	    BEV_OPT_CLOSE_ON_FREE);
	must(c->bev != NULL);
	LIST_INSERT_HEAD(&k->calls, c, next);
	k->n_calls++;
	bufferevent_setcb(c->bev, on_readable, NULL, on_event, c);
	bufferevent_setwatermark(c->bev, EV_READ, 0, CONTROL_REQUEST_MAX);
	(void)bufferevent_set_timeouts(c->bev, &patience, NULL);
	must(bufferevent_enable(c->bev, EV_READ | EV_WRITE) == 0);
	if (!allowed) {
		c->asked = true;
		control_refuse(c, EX_NOPERM, "this user may not ask");
	}
}

static void
on_acceptable(evutil_socket_t sock, short what, void *arg)
{
	struct control *k = arg;
	int fd = accept4((int)sock, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)what;
	MUST_BE(k, CONTROL);
	if (fd < 0)
		return; /* it left already, or EMFILE: tried again */
	if (k->n_calls >= CALLS_MAX) {
		io_close(fd);
		return;
	}
	call_new(k, fd, may_ask(k, fd));
}

struct control *
control_new(struct loop *l, int sock, uid_t other_uid, control_ask *ask_fn,
    void *arg)
{
	struct control *k = xcalloc(1, sizeof(*k));

	k->magic = CONTROL_MAGIC;
	k->loop = l;
	k->sock = sock;
	k->other_uid = other_uid;
	k->ask = ask_fn;
	k->arg = arg;
	LIST_INIT(&k->calls);
	must(io_nonblock(sock) == 0);
	/* Evbuffers write with writev and sendfile, which know no MSG_NOSIGNAL. */
	must(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	event_assign(&k->acceptable, loop_base(l), sock, EV_READ | EV_PERSIST,
	    on_acceptable, k);
	must(event_add(&k->acceptable, NULL) == 0);
	return k;
}

void
control_stop(struct control *k)
{
	if (k == NULL)
		return;
	MUST_BE(k, CONTROL);
	(void)event_del(&k->acceptable); /* assigned: cannot fail */
	io_close(k->sock);
	k->sock = -1;
}

void
control_free(struct control *k)
{
	struct control_call *c;

	if (k == NULL)
		return;
	MUST_BE(k, CONTROL);
	while ((c = LIST_FIRST(&k->calls)) != NULL)
		call_free(c);
	control_stop(k);
	k->magic = 0;
	free(k);
}
