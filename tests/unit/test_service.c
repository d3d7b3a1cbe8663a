/*
 * service: one request, one reply, over connections that are kept. The server
 * is on the same loop: what it does with a line is said by the line.
 *
 *     echo X      X and a line end          pieces X   byte by byte
 *     close X     X, and closes             cut X      X without line end, closes
 *     never       nothing                   two X      X twice
 *     long        more than anybody wants   hangup     closes
 */
#include "cm.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/must.h"
#include "engine/service.h"
#include "mail/option.h"

#define PEERS 256

struct server {
	struct event_base *base;
	int listening;
	struct event *acceptable;
	struct peer {
		struct server *server;
		int fd; /* -1: closed */
		struct event *readable;
	} peers[PEERS];
	unsigned accepted, open;
};

static void
peer_close(struct peer *p)
{
	if (p->fd < 0)
		return;
	event_free(p->readable);
	(void)close(p->fd);
	p->fd = -1;
	p->server->open--;
}

static void
say(struct peer *p, const char *text, size_t n)
{
	must(send(p->fd, text, n, MSG_NOSIGNAL) == (ssize_t)n);
}

static void
obey(struct peer *p, const char *line)
{
	const char *rest = strchr(line, ' ');
	size_t n = rest ? strlen(++rest) : 0;
	char much[1000];

	if (strncmp(line, "echo ", 5) == 0 || strncmp(line, "close ", 6) == 0)
		say(p, rest, n);
	else if (strncmp(line, "two ", 4) == 0) {
		say(p, rest, n);
		say(p, rest, n);
	} else if (strncmp(line, "pieces ", 7) == 0)
		for (size_t i = 0; i < n; i++)
			say(p, rest + i, 1);
	else if (strncmp(line, "cut ", 4) == 0)
		say(p, rest, n - 1);
	else if (strncmp(line, "long", 4) == 0) {
		memset(much, 'x', sizeof(much));
		say(p, much, sizeof(much));
	}
	if (line[0] == 'c' || line[0] == 'h')
		peer_close(p);
}

static void
on_line(evutil_socket_t fd, short what, void *arg)
{
	struct peer *p = arg;
	char line[512];
	ssize_t n = recv(fd, line, sizeof(line) - 1, 0);

	(void)what;
	if (n <= 0) {
		peer_close(p);
		return;
	}
	line[n] = '\0';
	obey(p, line);
}

static void
on_acceptable(evutil_socket_t fd, short what, void *arg)
{
	struct server *s = arg;
	struct peer *p = &s->peers[s->accepted];

	(void)what;
	must(s->accepted < PEERS);
	p->server = s;
	p->fd = accept(fd, NULL, NULL);
	must(p->fd >= 0);
	s->accepted++;
	s->open++;
	p->readable = event_new(s->base, p->fd, EV_READ | EV_PERSIST, on_line, p);
	must(event_add(p->readable, NULL) == 0);
}

/* ---- what stands around a test ---- */

struct bench {
	struct loop *loop;
	struct services *services;
	struct server server;
	struct pn_service where;
	char path[64];
};

static int
bench_up(void **state)
{
	struct bench *b = xcalloc(1, sizeof(*b));
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct server *s = &b->server;

	(void)snprintf(b->path, sizeof(b->path), "/tmp/pn-service-%d", getpid());
	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", b->path);
	(void)unlink(b->path);
	b->loop = loop_new();
	b->services = services_new(b->loop, NULL);
	b->where = (struct pn_service){ .local = true, .numeric = true,
		.host = b->path };
	s->base = loop_base(b->loop);
	s->listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(bind(s->listening, (struct sockaddr *)&a, sizeof(a)) == 0 &&
	    listen(s->listening, 128) == 0);
	s->acceptable = event_new(s->base, s->listening, EV_READ | EV_PERSIST,
	    on_acceptable, s);
	must(event_add(s->acceptable, NULL) == 0);
	*state = b;
	return 0;
}

static void
server_away(struct bench *b)
{
	if (b->server.acceptable == NULL)
		return;
	event_free(b->server.acceptable);
	b->server.acceptable = NULL;
	(void)close(b->server.listening);
	(void)unlink(b->path);
}

static void
drop_peers(struct bench *b)
{
	for (unsigned i = 0; i < b->server.accepted; i++)
		peer_close(&b->server.peers[i]);
}

static int
bench_down(void **state)
{
	struct bench *b = *state;

	services_free(b->services);
	drop_peers(b);
	server_away(b);
	loop_free(b->loop);
	free(b);
	return 0;
}

struct heard {
	int calls;
	enum pn_reply_status status;
	char text[64];
};

static void
on_reply(void *arg, enum pn_reply_status status, struct pn_str bytes)
{
	struct heard *h = arg;

	h->calls++;
	h->status = status;
	(void)snprintf(h->text, sizeof(h->text), "%.*s", PN_STR_ARG(bytes));
}

static long
whole_at_close(struct pn_str so_far, bool closed)
{
	return closed ? (long)so_far.n : 0;
}

static long
whole_refuses(struct pn_str so_far, bool closed)
{
	(void)so_far;
	(void)closed;
	return -1;
}

static struct service_call *
ask(struct bench *b, const char *line, long (*whole)(struct pn_str, bool),
    struct heard *h)
{
	struct pn_request r = { .service = &b->where, .whole = whole,
		.bytes = pn_str_of(line), .max = 100 };

	*h = (struct heard){ 0 };
	return service_ask(b->services, &r, on_reply, h);
}

static void
turn(struct bench *b)
{
	for (int i = 0; i < 50; i++)
		(void)event_base_loop(loop_base(b->loop), EVLOOP_NONBLOCK);
}

/* ---- what is promised ---- */

static void
replies_end_where_the_module_says(void **state)
{
	static const struct {
		const char *line;
		long (*whole)(struct pn_str, bool);
		enum pn_reply_status status;
		const char *text;
	} cases[] = {
		{ "echo yes\n", pn_whole_line, PN_REPLY_OK, "yes\n" },
		{ "pieces yes\n", pn_whole_line, PN_REPLY_OK, "yes\n" },
		{ "close yes\n", pn_whole_line, PN_REPLY_OK, "yes\n" },
		{ "close yes\n", whole_at_close, PN_REPLY_OK, "yes\n" },
		{ "cut yes\n", whole_at_close, PN_REPLY_OK, "yes" },
		{ "two yes\n", pn_whole_line, PN_REPLY_OK, "yes\n" },
		{ "cut yes\n", pn_whole_line, PN_REPLY_AWAY, "" },
		{ "hangup\n", pn_whole_line, PN_REPLY_AWAY, "" },
		{ "hangup\n", whole_at_close, PN_REPLY_AWAY, "" },
		{ "echo yes\n", whole_refuses, PN_REPLY_BROKEN, "" },
		{ "long\n", pn_whole_line, PN_REPLY_BROKEN, "" },
	};
	struct bench *b = *state;
	struct heard h;

	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		(void)ask(b, cases[i].line, cases[i].whole, &h);
		assert_int_equal(h.calls, 0); /* never from within the call */
		turn(b);
		assert_int_equal(h.calls, 1);
		assert_int_equal(h.status, cases[i].status);
		assert_string_equal(h.text, cases[i].text);
	}
}

static void
connections_are_kept(void **state)
{
	struct bench *b = *state;
	struct heard h;

	for (int i = 0; i < 5; i++) {
		(void)ask(b, "echo yes\n", pn_whole_line, &h);
		turn(b);
		assert_int_equal(h.status, PN_REPLY_OK);
	}
	assert_int_equal(b->server.accepted, 1);
	/* What says more than was asked could not be trusted the next time. */
	(void)ask(b, "two yes\n", pn_whole_line, &h);
	turn(b);
	(void)ask(b, "echo no\n", pn_whole_line, &h);
	turn(b);
	assert_string_equal(h.text, "no\n");
	assert_int_equal(b->server.accepted, 2);
	/* One that is answered late is nobody's. */
	service_cancel(ask(b, "echo old\n", pn_whole_line, &h));
	(void)ask(b, "echo new\n", pn_whole_line, &h);
	turn(b);
	assert_string_equal(h.text, "new\n");
}

static void
a_dead_one_is_replaced_once(void **state)
{
	struct bench *b = *state;
	struct heard h;

	(void)ask(b, "echo yes\n", pn_whole_line, &h);
	turn(b);
	drop_peers(b); /* and nobody has read of it when the next ask comes */
	(void)ask(b, "echo again\n", pn_whole_line, &h);
	turn(b);
	assert_int_equal(h.status, PN_REPLY_OK);
	assert_string_equal(h.text, "again\n");
	assert_int_equal(b->server.accepted, 2);
	/* A server that hangs up on the request itself is asked twice, no more. */
	(void)ask(b, "hangup\n", pn_whole_line, &h);
	turn(b);
	assert_int_equal(h.calls, 1);
	assert_int_equal(h.status, PN_REPLY_AWAY);
	assert_int_equal(b->server.accepted, 3);
}

static void
nobody_there_is_told_soon(void **state)
{
	struct bench *b = *state;
	struct heard h;

	server_away(b);
	(void)ask(b, "echo yes\n", pn_whole_line, &h);
	assert_int_equal(h.calls, 0);
	turn(b);
	assert_int_equal(h.calls, 1);
	assert_int_equal(h.status, PN_REPLY_AWAY);
}

static void
cancelled_ones_are_silent(void **state)
{
	struct bench *b = *state;
	struct heard h;

	service_cancel(ask(b, "echo yes\n", pn_whole_line, &h));
	turn(b);
	assert_int_equal(h.calls, 0);
	server_away(b); /* and one that failed already */
	service_cancel(ask(b, "echo yes\n", pn_whole_line, &h));
	turn(b);
	assert_int_equal(h.calls, 0);
}

/* More at once than a service gets connections: the others wait their turn. */
static void
too_many_wait_for_one_another(void **state)
{
	struct bench *b = *state;
	struct service_call *calls[80];
	struct heard h[100], never[80];
	unsigned answered = 0;

	for (size_t i = 0; i < 80; i++)
		calls[i] = ask(b, "never\n", pn_whole_line, &never[i]);
	turn(b);
	assert_int_equal(b->server.open, 64);
	for (size_t i = 0; i < 100; i++)
		(void)ask(b, "echo yes\n", pn_whole_line, &h[i]);
	turn(b);
	assert_int_equal(h[0].calls, 0);
	for (size_t i = 0; i < 80; i++)
		service_cancel(calls[i]);
	for (int i = 0; i < 10; i++)
		turn(b);
	for (size_t i = 0; i < 100; i++)
		answered += h[i].calls == 1 && h[i].status == PN_REPLY_OK;
	assert_int_equal(answered, 100);
	assert_true(b->server.open <= 8); /* few are kept */
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_up, bench_down)
	const struct CMUnitTest tests[] = {
		TEST(replies_end_where_the_module_says),
		TEST(connections_are_kept),
		TEST(a_dead_one_is_replaced_once),
		TEST(nobody_there_is_told_soon),
		TEST(cancelled_ones_are_silent),
		TEST(too_many_wait_for_one_another),
	};

	return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}
