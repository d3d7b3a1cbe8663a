/* doctor_talk - see doctor_talk.h. */
#include "cli/doctor_talk.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"
#include "base/pack.h"
#include "base/proxy_protocol.h"

#define TIMEOUT_MS 10000

/* ---- dialling ---- */

static int
connect_to(struct talk *t)
{
	const struct smtp_server *to = t->server;
	struct pollfd p = { .events = POLLOUT };
	socklen_t n = sizeof(int);
	int failed = 0;

	t->sock = socket(to->addr.ss_family,
	    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (t->sock < 0)
		return error_set(&t->why, "%s", strerror(errno));
	p.fd = t->sock;
	if (connect(t->sock, (const struct sockaddr *)&to->addr, to->addr_len) <
		0 &&
	    errno != EINPROGRESS)
		return error_set(&t->why, "%s", strerror(errno));
	if (poll(&p, 1, TIMEOUT_MS) != 1)
		return error_set(&t->why, "no connection within 10 s");
	if (getsockopt(t->sock, SOL_SOCKET, SO_ERROR, &failed, &n) < 0)
		return error_set(&t->why, "%s", strerror(errno));
	return failed != 0 ? error_set(&t->why, "%s", strerror(failed)) : 0;
}

/* As a worker begins: somebody's connection, where a header says whose. */
int
talk_dial(struct talk *t, const char *somebody)
{
	enum smtp_identity by = t->upstream->identity;
	struct sockaddr_storage from = { .ss_family = AF_INET };
	struct sockaddr_in *four = (void *)&from;
	struct buf b = { 0 };
	ssize_t sent, due;

	if (connect_to(t) < 0)
		return -1;
	if (by != IDENTITY_PROXY && by != IDENTITY_PROXY_V1)
		return 0;
	four->sin_port = htons(4711);
	if (inet_pton(AF_INET, somebody, &four->sin_addr) != 1)
		return error_set(&t->why, "%s is no address", somebody);
	proxy_header_put(&b, by == IDENTITY_PROXY_V1 ? 1 : 2, &from, &from);
	due = (ssize_t)buf_len(&b);
	sent = send(t->sock, buf_data(&b), (size_t)due, MSG_NOSIGNAL);
	buf_fini(&b);
	return sent == due ? 0
			   : error_set(&t->why, "it takes no PROXY header");
}

/* ---- bytes, in clear or not ---- */

static int
wait_for(struct talk *t, short events, const char *silent)
{
	struct pollfd p = { .fd = t->sock, .events = events };

	return poll(&p, 1, TIMEOUT_MS) == 1 ? 0
					    : error_set(&t->why, "%s", silent);
}

/* What OpenSSL waits for; -1 also when it is over. */
static int
wait_turn(struct talk *t, enum tls_turn turn)
{
	if (turn == TLS_END)
		return error_set(&t->why, "%s",
		    tls_why(t->tls)[0] != '\0' ? tls_why(t->tls)
					       : "it closed the connection");
	return wait_for(t, turn == TLS_READ ? POLLIN : POLLOUT,
	    "silent for 10 s");
}

/* At least one byte behind what is there; -1: none comes. */
static int
read_more(struct talk *t)
{
	size_t room = TALK_REPLY_MAX - 1 - t->n, got = 0;
	enum tls_turn turn;
	ssize_t n;

	if (t->tls != NULL) {
		while ((turn = tls_read(t->tls, t->in + t->n, room, &got)) !=
		    TLS_DONE)
			if (wait_turn(t, turn) < 0)
				return -1;
		t->n += got;
		return 0;
	}
	if (wait_for(t, POLLIN, "silent for 10 s") < 0)
		return -1;
	n = io_read(t->sock, t->in + t->n, room);
	if (n <= 0)
		return error_set(&t->why, "it closed the connection");
	t->n += (size_t)n;
	return 0;
}

static int
write_all(struct talk *t, const char *line, size_t n)
{
	size_t sent = 0;

	if (t->tls == NULL)
		return send(t->sock, line, n, MSG_NOSIGNAL) == (ssize_t)n
		    ? 0
		    : error_set(&t->why, "it closed the connection");
	while (sent < n) {
		size_t now = 0;
		enum tls_turn turn =
		    tls_write(t->tls, line + sent, n - sent, &now);

		sent += now;
		if (turn != TLS_DONE && wait_turn(t, turn) < 0)
			return -1;
	}
	return 0;
}

/* ---- lines ---- */

/* The bytes of the first reply, up to its last line ("250 ..."); 0: it is not
 * whole. */
static size_t
first_reply(const char *in, size_t n)
{
	const char *line = in, *lf;

	while ((lf = memchr(line, '\n', n - (size_t)(line - in))) != NULL) {
		if (lf - line < 4 || line[3] != '-')
			return (size_t)(lf - in) + 1;
		line = lf + 1;
	}
	return 0;
}

int
talk_hear(struct talk *t)
{
	size_t n;

	while ((n = first_reply(t->in, t->n)) == 0) {
		if (t->n == TALK_REPLY_MAX - 1)
			return error_set(&t->why, "its reply does not end");
		if (read_more(t) < 0)
			return -1;
	}
	memcpy(t->reply, t->in, n);
	t->reply[n] = '\0';
	t->n -= n;
	memmove(t->in, t->in + n, t->n);
	return (int)strtol(t->reply, NULL, 10);
}

int
talk_say(struct talk *t, const char *fmt, const char *arg)
{
	char line[512];
	int n = snprintf(line, sizeof(line), fmt, arg);

	return write_all(t, line, (size_t)n) < 0 ? -1 : talk_hear(t);
}

/* ---- TLS ---- */

/* By this user; it may be another than starts the daemon. */
static bool
can_read(const struct tls_file *f)
{
	return f->path == NULL || f->text.p != NULL;
}

static int
make_client(struct talk *t)
{
	const struct tls_next *next = &t->upstream->tls;
	const struct tls_pair *own = next->pair;

	if (!can_read(&next->ca) ||
	    (own != NULL && (!can_read(&own->cert) || !can_read(&own->key))))
		return error_set(&t->why, "its certificates cannot be read");
	t->client = tls_client_new(next, &t->why);
	return t->client != NULL ? 0 : -1;
}

/* As upstream_dane.c does. */
static void
add_names(struct talk *t)
{
	if (t->domain == NULL) {
		if (t->server->host != NULL)
			tls_add_name(t->tls, t->server->host);
		return;
	}
	tls_add_name(t->tls, t->domain);
	if (t->mx_name != NULL)
		tls_add_name(t->tls, t->mx_name);
}

/* As upstream_dane_apply() does. */
static void
hold_to_tlsa(struct talk *t)
{
	struct pn_str all = buf_str(&t->tlsa);
	struct unpack in = unpack_of(all.p, all.n);
	unsigned n = 0;

	while (in.n > 0 && !in.failed)
		n += tls_add_tlsa(t->tls, unpack_str(&in));
	if (n == 0)
		t->level = TLS_ENCRYPT;
	else if (t->upstream->tls.name == NULL)
		add_names(t);
}

int
talk_secure(struct talk *t)
{
	const struct tls_next *next = &t->upstream->tls;
	bool dane = t->level == TLS_DANE;
	char host[256];
	enum tls_turn turn;

	if (t->n > 0)
		return error_set(
		    &t->why, "it says more in clear before the handshake");
	if (make_client(t) < 0)
		return -1;
	/* OpenSSL writes as to a file: that who has gone is an error alone. */
	(void)signal(SIGPIPE, SIG_IGN);
	t->tls = tls_connect(t->client, t->sock,
	    dane ? t->base
		 : tls_next_name(next, t->server->host, t->server->name, host,
		       sizeof(host)),
	    &t->memory);
	if (dane)
		hold_to_tlsa(t);
	while ((turn = tls_handshake(t->tls)) != TLS_DONE)
		if (wait_turn(t, turn) < 0)
			return -1;
	tls_text(t->tls, t->secret, sizeof(t->secret));
	return 0;
}

const char *
talk_check(struct talk *t)
{
	return tls_check(t->tls);
}

void
talk_end(struct talk *t)
{
	tls_free(t->tls);
	tls_memory_forget(&t->memory);
	tls_client_free(t->client);
	io_close(t->sock);
	buf_fini(&t->tlsa);
	t->tls = NULL;
	t->client = NULL;
	t->sock = -1;
	t->n = 0;
}
