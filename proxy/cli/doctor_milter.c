/*
 * doctor_milter - does each milter listener answer an MTA, and may Postfix
 * connect to it? Does each milter of others answer us? They are dialled and
 * negotiated with as an MTA would, and left before there is a client. The packets are sendmail's libmilter/docs and
 * mfdef.h: a length, a command, its data, in network order.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <netdb.h>
#include <poll.h>
#include <pwd.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/io.h"
#include "cli/doctor.h"
#include "proxy/endpoint.h"

#define TIMEOUT_MS 10000
#define GROUPS_MAX 64
#define OPTNEG 'O'
/* What Postfix offers: all actions, all steps, of protocol 6. */
#define PROTOCOL 6
#define ACTIONS 0x1ffu
#define STEPS 0x1fffffu

struct packet {
	uint32_t length; /* of what follows */
	char command;
	uint32_t words[3]; /* version, actions, steps */
} __attribute__((packed));

static int
dial(const struct sockaddr_storage *to, socklen_t n, struct error *e)
{
	struct timeval wait = { TIMEOUT_MS / 1000, 0 };
	int fd = socket(to->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return error_set(e, "%s", strerror(errno));
	/* connect(2) keeps to it as well; EINPROGRESS says it is over. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) < 0 ||
	    connect(fd, (const struct sockaddr *)to, n) < 0) {
		(void)error_set(e, "%s", errno == EINPROGRESS
			? "no connection within 10 s" : strerror(errno));
		io_close(fd);
		return -1;
	}
	return fd;
}

/* Up to n bytes; less than that: it closed, or was silent. */
static size_t
hear(int fd, void *into, size_t n)
{
	size_t got = 0;

	while (got < n) {
		ssize_t more = io_read(fd, (char *)into + got, n - got);

		if (more <= 0)
			break;
		got += (size_t)more;
	}
	return got;
}

static int
negotiate(int fd, uint32_t *version, struct error *e)
{
	const struct packet offer = { htonl(sizeof(offer) - sizeof(uint32_t)),
		OPTNEG, { htonl(PROTOCOL), htonl(ACTIONS), htonl(STEPS) } };
	struct packet answer;

	if (io_write_all(fd, &offer, sizeof(offer)) < 0)
		return error_set(e, "%s", strerror(errno));
	if (hear(fd, &answer, sizeof(answer)) < sizeof(answer))
		return error_set(e, "connected, but no answer to a negotiation");
	*version = ntohl(answer.words[0]);
	if (answer.command != OPTNEG || *version < 2 || *version > PROTOCOL)
		return error_set(e, "its answer is not of the milter protocol");
	return 0;
}

/* Connect, that is: write. Somebody who is not there has no trouble. */
static bool
user_may(const char *user, const struct stat *st)
{
	const struct passwd *pw = getpwnam(user);
	gid_t groups[GROUPS_MAX];
	int n = GROUPS_MAX;

	if (pw == NULL || st->st_uid == pw->pw_uid ||
	    (st->st_mode & S_IWOTH) != 0)
		return true;
	if ((st->st_mode & S_IWGRP) == 0 ||
	    getgrouplist(pw->pw_name, pw->pw_gid, groups, &n) < 0)
		return false;
	for (int i = 0; i < n; i++)
		if (groups[i] == st->st_gid)
			return true;
	return false;
}

static bool
is_open_to(const char *user, const struct sockaddr_storage *to)
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)to;
	struct stat st;

	return to->ss_family != AF_UNIX || stat(un->sun_path, &st) < 0 ||
	       user_may(user, &st);
}

static void
examine(struct doctor *d, const struct milter_listener *l)
{
	char what[160];
	struct error e;
	uint32_t version = 0;
	int fd;

	(void)snprintf(what, sizeof(what), "milter %s", l->name);
	if (endpoint_is_any_port(&l->addr)) {
		doctor_say(d, WARN, what, "give it a port",
		    "port 0 is another one each time: no MTA knows it");
		return;
	}
	fd = dial(&l->addr, l->addr_len, &e);
	if (fd < 0 || negotiate(fd, &version, &e) < 0)
		doctor_say(d, FAIL, what, "start posternd; see its log", "%s",
		    e.text);
	/* Its smtpd runs as this user, wherever there is a Postfix. */
	else if (!is_open_to("postfix", &l->addr))
		doctor_say(d, FAIL, what,
		    "write `group postfix` in its block and restart",
		    "it answers, but user postfix may not connect");
	else
		doctor_say(d, FINE, what, "",
		    "it answers, with protocol %u", (unsigned)version);
	io_close(fd);
}

/* ---- milters of others ---- */

static int
find(const struct pn_service *s, struct sockaddr_storage *to, socklen_t *n,
    struct error *e)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found;
	char port[8];
	int wrong;

	memset(to, 0, sizeof(*to));
	if (s->local) {
		struct sockaddr_un *un = (struct sockaddr_un *)to;

		un->sun_family = AF_UNIX;
		(void)snprintf(
		    un->sun_path, sizeof(un->sun_path), "%s", s->host);
		*n = sizeof(*un);
		return 0;
	}
	(void)snprintf(port, sizeof(port), "%u", s->port);
	wrong = getaddrinfo(s->host, port, &hints, &found);
	if (wrong != 0)
		return error_set(e, "%s", gai_strerror(wrong));
	memcpy(to, found->ai_addr, found->ai_addrlen);
	*n = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}

static const char *
without_it(const struct milter_peer *p)
{
	return p->on_unavailable == CHAIN_TEMPFAIL
		   ? "start it: until then mail is put off (on unavailable)"
		   : "start it: until then mail goes on without it";
}

static void
examine_peer(struct doctor *d, const struct config *c,
    const struct milter_peer *p)
{
	struct sockaddr_storage to;
	char what[160];
	struct error e;
	uint32_t version = 0;
	socklen_t n = 0;
	int fd = -1;

	(void)snprintf(what, sizeof(what), "milter %s", p->name);
	if (find(p->server, &to, &n, &e) < 0 || (fd = dial(&to, n, &e)) < 0 ||
	    negotiate(fd, &version, &e) < 0)
		doctor_say(d, FAIL, what, without_it(p), "%s: %s",
		    p->server->text, e.text);
	else if (geteuid() == 0 && !is_open_to(c->daemon.user, &to))
		doctor_say(d, FAIL, what, "let that user write to its socket",
		    "%s answers, but user %s may not connect",
		    p->server->text, c->daemon.user);
	else
		doctor_say(d, FINE, what, "", "%s answers, with protocol %u",
		    p->server->text, (unsigned)version);
	io_close(fd);
}

void
doctor_milters(struct doctor *d, const struct config *c)
{
	for (size_t i = 0; i < c->engine.n_milters; i++)
		examine_peer(d, c, &c->engine.milters[i]);
	for (size_t i = 0; i < c->milter.n_listeners; i++)
		examine(d, &c->milter.listeners[i]);
}
