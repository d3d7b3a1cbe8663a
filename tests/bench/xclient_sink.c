/*
 * xclient_sink - an MTA that takes all mail, keeps none, and believes XCLIENT:
 * in the place of smtp-sink, which knows no XCLIENT, for the bench.
 *
 *   smtp-sink [options, ignored] 127.0.0.1:PORT BACKLOG
 *
 * It is called as smtp-sink is, so that it can stand in its place in PATH, and
 * says after each message how many they were (mesg=N), as smtp-sink -c does.
 * XCLIENT_README: 220 to XCLIENT, and the session begins anew.
 *
 * One thread, epoll, all that is complete at a time; ends by a signal.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/must.h"

#define ROOM (64 * 1024)
#define EVENTS 256

struct client {
	int fd;
	bool in_message;
	size_t n;        /* bytes in .in */
	char in[ROOM];
	size_t due;      /* bytes in .out */
	char out[4096];
};

static struct {
	int epoll;
	unsigned long messages;
} the_sink;

static const char keywords[] =
    "250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n"
    "250-XCLIENT ADDR NAME PORT PROTO HELO\r\n250 ENHANCEDSTATUSCODES\r\n";

static void
say(struct client *c, const char *text)
{
	size_t n = strlen(text);

	must(n <= sizeof(c->out) - c->due);
	memcpy(c->out + c->due, text, n);
	c->due += n;
}

static void
took(struct client *c)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "mesg=%lu\n",
	    ++the_sink.messages);

	must(write(STDOUT_FILENO, text, (size_t)n) == n);
	say(c, "250 2.0.0 Ok\r\n");
}

static bool
is(const char *line, const char *verb)
{
	return strncasecmp(line, verb, strlen(verb)) == 0;
}

/* line ends with NUL. False: it said QUIT. */
static bool
obey(struct client *c, const char *line)
{
	if (is(line, "EHLO")) {
		say(c, keywords);
	} else if (is(line, "XCLIENT")) {
		say(c, "220 sink ESMTP\r\n");
	} else if (is(line, "DATA")) {
		c->in_message = true;
		say(c, "354 go on\r\n");
	} else if (is(line, "QUIT")) {
		say(c, "221 2.0.0 bye\r\n");
		return false;
	} else {
		say(c, "250 2.0.0 Ok\r\n");
	}
	return true;
}

/* Where the message ends, behind its CRLF.CRLF; NULL: not yet. */
static char *
end_of_message(struct client *c)
{
	char *dot = c->n >= 3 && memcmp(c->in, ".\r\n", 3) == 0
	    ? c->in
	    : memmem(c->in, c->n, "\r\n.\r\n", 5);

	return dot == NULL ? NULL : dot + (*dot == '.' ? 3 : 5);
}

static void
drop(struct client *c, size_t n)
{
	c->n -= n;
	memmove(c->in, c->in + n, c->n);
}

/* All that is complete. False: the client has done. */
static bool
read_on(struct client *c)
{
	char *end;

	for (;;) {
		if (c->in_message) {
			if ((end = end_of_message(c)) == NULL) {
				if (c->n > 4) /* nobody reads it */
					drop(c, c->n - 4);
				return true;
			}
			c->in_message = false;
			took(c);
		} else {
			if ((end = memchr(c->in, '\n', c->n)) == NULL)
				return c->n < ROOM;
			*end++ = '\0';
			if (!obey(c, c->in))
				return false;
		}
		drop(c, (size_t)(end - c->in));
	}
}

/* What it says is short: a client that does not read it is left. */
static bool
answer(struct client *c)
{
	size_t n = c->due;

	c->due = 0;
	return n == 0 ||
	    send(c->fd, c->out, n, MSG_NOSIGNAL) == (ssize_t)n;
}

static void
leave(struct client *c)
{
	(void)close(c->fd);
	free(c);
}

static void
on_client(struct client *c)
{
	ssize_t n = recv(c->fd, c->in + c->n, ROOM - c->n, 0);
	bool more;

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		leave(c);
		return;
	}
	c->n += (size_t)n;
	more = read_on(c);
	if (!answer(c) || !more)
		leave(c);
}

static void
take_client(int listener)
{
	struct epoll_event ev = { .events = EPOLLIN };
	struct client *c;
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	c = xcalloc(1, sizeof(*c));
	c->fd = fd;
	ev.data.ptr = c;
	must(epoll_ctl(the_sink.epoll, EPOLL_CTL_ADD, fd, &ev) == 0);
	say(c, "220 sink ESMTP\r\n");
	if (!answer(c))
		leave(c);
}

static int
listen_on(uint16_t port, int backlog)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct epoll_event ev = { .events = EPOLLIN };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1;

	must(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0);
	must(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == 0);
	must(bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0);
	must(listen(fd, backlog) == 0);
	must(epoll_ctl(the_sink.epoll, EPOLL_CTL_ADD, fd, &ev) == 0);
	return fd;
}

int
main(int argc, char **argv)
{
	struct epoll_event got[EVENTS];
	int listener;

	const char *port = argc < 3 ? NULL : strchr(argv[argc - 2], ':');

	if (port == NULL) {
		fprintf(stderr, "usage: xclient_sink 127.0.0.1:PORT BACKLOG\n");
		return 64;
	}
	the_sink.epoll = epoll_create1(EPOLL_CLOEXEC);
	must(the_sink.epoll >= 0);
	listener = listen_on(
	    (uint16_t)strtoul(port + 1, NULL, 10), atoi(argv[argc - 1]));
	for (;;) {
		int n = epoll_wait(the_sink.epoll, got, EVENTS, -1);

		for (int i = 0; i < n; i++)
			if (got[i].data.ptr == NULL)
				take_client(listener);
			else
				on_client(got[i].data.ptr);
	}
}
