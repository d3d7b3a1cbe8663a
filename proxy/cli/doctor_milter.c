/*
 * doctor_milter - does each milter listener answer an MTA, and may Postfix
 * connect to it? It is dialled and negotiated with as an MTA would, and left
 * before there is a client. The packets are sendmail's libmilter/docs and
 * mfdef.h: a length, a command, its data, in network order.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
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
dial(const struct milter_listener *l, struct error *e)
{
	struct timeval wait = { TIMEOUT_MS / 1000, 0 };
	int fd = socket(l->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return error_set(e, "%s", strerror(errno));
	/* connect(2) keeps to it as well; EINPROGRESS says it is over. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) < 0 ||
	    connect(fd, (const struct sockaddr *)&l->addr, l->addr_len) < 0) {
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

/* Postfix's smtpd runs as this user, wherever there is a Postfix. */
static bool
postfix_may(const struct stat *st)
{
	const struct passwd *pw = getpwnam("postfix");
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
is_open_to_postfix(const struct milter_listener *l)
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)&l->addr;
	struct stat st;

	return l->addr.ss_family != AF_UNIX || stat(un->sun_path, &st) < 0 ||
	       postfix_may(&st);
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
	fd = dial(l, &e);
	if (fd < 0 || negotiate(fd, &version, &e) < 0)
		doctor_say(d, FAIL, what, "start posternd; see its log", "%s",
		    e.text);
	else if (!is_open_to_postfix(l))
		doctor_say(d, FAIL, what,
		    "write `group postfix` in its block and restart",
		    "it answers, but user postfix may not connect");
	else
		doctor_say(d, FINE, what, "",
		    "it answers, with protocol %u", (unsigned)version);
	io_close(fd);
}

void
doctor_milters(struct doctor *d, const struct config *c)
{
	for (size_t i = 0; i < c->milter.n_listeners; i++)
		examine(d, &c->milter.listeners[i]);
}
