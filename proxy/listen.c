/* listen - see listen.h. Called by master.c, reload.c, spawn.c and single.c. */
#include "proxy/listen.h"

#include <errno.h>
#include <grp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "proxy/endpoint.h"

#define BACKLOG 1024

/* ---- one socket ---- */

/* What to bind: a listener of either door. */
struct spot {
	const char *what, *name; /* for errors: "listen *:25" */
	const char *whose;	 /* ... that a unix socket there may be */
	const struct sockaddr_storage *addr;
	socklen_t addr_len;
	mode_t mode;	   /* of a unix socket's file */
	const char *group; /* likewise; NULL: whoever's it gets to be */
	gid_t gid;	   /* of that name */
};

/* What to do about it, behind the system's words. */
static const char *
advice(int why)
{
	switch (why) {
	case EADDRINUSE:
		return " (another program has it: ss -lntp shows which)";
	case EADDRNOTAVAIL:
		return " (no interface of this machine has that address)";
	case EACCES:
		return " (ports below 1024 are root's: start as root)";
	default:
		return "";
	}
}

static int
failed(const struct spot *s, struct error *e)
{
	int why = errno;

	return error_set(e, "%s %s: %s%s", s->what, s->name, strerror(why),
	    s->addr->ss_family == AF_UNIX ? "" : advice(why));
}

/* What is written stays whole in the end: a milter's answers are small, and
 * each is waited for. Connections inherit it. */
static int
without_delay(int fd)
{
	int on = 1;

	return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static int
bind_tcp(const struct spot *s, struct error *e)
{
	int on = 1, fd;

	fd = socket(
	    s->addr->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return failed(s, e);
	/* IPv4 has listeners of its own: "[::]:25" is IPv6 alone. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    (s->addr->ss_family == AF_INET6 &&
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) <
		    0) ||
	    bind(fd, (const struct sockaddr *)s->addr, s->addr_len) < 0 ||
	    listen(fd, BACKLOG) < 0) {
		(void)failed(s, e);
		io_close(fd);
		return -1;
	}
	return fd;
}

static const char *
path_of(const struct sockaddr_storage *a)
{
	return ((const struct sockaddr_un *)a)->sun_path;
}

/* Somebody answers there? Then it is not ours to replace. */
static bool
is_alive(const struct sockaddr_storage *a)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* One whose queue is full lives, too. */
	bool alive = fd >= 0 && (connect(fd, (const struct sockaddr *)a,
				     sizeof(struct sockaddr_un)) == 0 ||
				    errno == EAGAIN);

	io_close(fd);
	return alive;
}

static int
replace_stale(const struct spot *s, struct error *e)
{
	const char *path = path_of(s->addr);
	struct stat st;

	if (lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return 0; /* bind says what is wrong, if anything is */
	if (is_alive(s->addr))
		return error_set(e, "%s %s: another %s answers there", s->what,
		    s->name, s->whose);
	(void)unlink(path); /* likewise */
	return 0;
}

static int
find_group(struct spot *s, struct error *e)
{
	const struct group *g;

	s->gid = (gid_t)-1;
	if (s->group == NULL)
		return 0;
	if ((g = getgrnam(s->group)) == NULL)
		return error_set(e, "%s %s: there is no group \"%s\"", s->what,
		    s->name, s->group);
	s->gid = g->gr_gid;
	return 0;
}

/*
 * Nobody gets in before the file has its group and mode. The master may set
 * the group that its files are born with, but no longer change one's owner;
 * who is not root may give a file to a group of his own.
 */
static int
bind_file(const struct spot *s, int fd)
{
	const char *path = path_of(s->addr);
	mode_t old = umask(0177);
	int gid = s->group ? setfsgid(s->gid) : 0;
	int done = bind(fd, (const struct sockaddr *)s->addr, s->addr_len);
	struct stat st;

	(void)umask(old);
	if (s->group != NULL)
		(void)setfsgid((gid_t)gid);
	if (done < 0)
		return -1;
	if (stat(path, &st) == 0 &&
	    (s->group == NULL || st.st_gid == s->gid ||
		chown(path, (uid_t)-1, s->gid) == 0) &&
	    chmod(path, s->mode) == 0)
		return 0;
	done = errno;
	(void)unlink(path); /* nobody was let in */
	errno = done;
	return -1;
}

static int
bind_unix(const struct spot *s, struct error *e)
{
	int fd;

	if (replace_stale(s, e) < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind_file(s, fd) < 0 || listen(fd, BACKLOG) < 0) {
		(void)failed(s, e);
		io_close(fd);
		return -1;
	}
	return fd;
}

/* ---- all of them ---- */

static size_t
count_smtp(const struct doors *d)
{
	return d->smtp->n_listeners;
}

size_t
doors_count(const struct doors *d)
{
	return count_smtp(d) + (d->milter ? d->milter->n_listeners : 0);
}

struct doors
policy_doors(const struct policy *p)
{
	return (struct doors){ &p->smtp, &p->milter, p->origins };
}

static bool
is_milter(const struct doors *d, size_t i)
{
	return i >= count_smtp(d);
}

static struct spot
spot(const struct doors *d, size_t i)
{
	const struct smtp_listener *s;
	const struct milter_listener *m;

	if (!is_milter(d, i)) {
		s = &d->smtp->listeners[i];
		return (struct spot){ .what = "listen",
			.name = s->name,
			.addr = &s->addr,
			.addr_len = s->addr_len };
	}
	m = &d->milter->listeners[i - count_smtp(d)];
	return (struct spot){ .what = "listen milter",
		.name = m->name,
		.whose = "program",
		.addr = &m->addr,
		.addr_len = m->addr_len,
		.mode = m->mode,
		.group = m->group };
}

/* file:line:column of the listener before what went wrong. Returns -1. */
static int
wrap(const struct doors *d, size_t i, struct error *e)
{
	bool milter = is_milter(d, i);

	if (d->origins == NULL)
		return -1;
	return config_wrap_listener(
	    d->origins, milter, milter ? i - count_smtp(d) : i, e);
}

static bool
contains(const int *fds, size_t n, int fd)
{
	for (size_t i = 0; i < n; i++)
		if (fds[i] == fd)
			return true;
	return false;
}

/* One of that address that fds[0..n) has not taken yet, or NULL. */
static const struct bound *
find(const struct sockets *s, const struct sockaddr_storage *addr,
    const int *fds, size_t n)
{
	for (size_t i = 0; i < s->n; i++)
		if (memcmp(&s->bound[i].addr, addr, sizeof(*addr)) == 0 &&
		    !contains(fds, n, s->bound[i].fd))
			return &s->bound[i];
	return NULL;
}

/* Its file stays as it was made. */
static int
check_same(const struct bound *b, const struct spot *s, struct error *e)
{
	if (b->addr.ss_family != AF_UNIX ||
	    (b->mode == s->mode && b->gid == s->gid))
		return 0;
	return error_set(e,
	    "%s %s: its mode or group changed: that needs a restart", s->what,
	    s->name);
}

static int
add(struct sockets *s, const struct spot *spot, bool milter, struct error *e)
{
	bool file = spot->addr->ss_family == AF_UNIX;
	int fd = file ? bind_unix(spot, e) : bind_tcp(spot, e);
	struct stat st = { 0 };

	if (fd < 0)
		return -1;
	if (file ? stat(path_of(spot->addr), &st) < 0
		 : milter && without_delay(fd) < 0) {
		(void)failed(spot, e);
		io_close(fd);
		return -1;
	}
	s->bound = xrealloc(s->bound, (s->n + 1) * sizeof(*s->bound));
	s->bound[s->n++] = (struct bound){ .addr = *spot->addr,
		.mode = spot->mode,
		.gid = spot->gid,
		.dev = st.st_dev,
		.ino = st.st_ino,
		.fd = fd,
		.fresh = true };
	return fd;
}

static int
open_one(struct sockets *s, const struct doors *d, size_t i, const int *fds,
    struct error *e)
{
	struct spot one = spot(d, i);
	const struct bound *there;

	if (find_group(&one, e) < 0)
		return -1;
	there = find(s, one.addr, fds, i);
	if (there == NULL)
		return add(s, &one, is_milter(d, i), e);
	return check_same(there, &one, e) < 0 ? -1 : there->fd;
}

static void
drop(struct sockets *s, size_t i)
{
	io_close(s->bound[i].fd);
	s->bound[i] = s->bound[--s->n];
}

/* The file as well, if it is still ours. */
static void
drop_for_good(struct sockets *s, size_t i)
{
	const struct bound *b = &s->bound[i];
	struct stat st;

	if (b->addr.ss_family == AF_UNIX &&
	    lstat(path_of(&b->addr), &st) == 0 && st.st_dev == b->dev &&
	    st.st_ino == b->ino)
		(void)unlink(path_of(&b->addr)); /* the next start would, too */
	drop(s, i);
}

int
doors_check(const struct doors *d, struct error *e)
{
	for (size_t i = 0; i < doors_count(d); i++) {
		struct spot one = spot(d, i);

		if (find_group(&one, e) < 0)
			return wrap(d, i, e);
	}
	return 0;
}

void
sockets_discard(struct sockets *s)
{
	for (size_t i = s->n; i-- > 0;)
		if (s->bound[i].fresh)
			drop_for_good(s, i);
}

int *
sockets_new(const struct doors *d)
{
	return xcalloc(doors_count(d) + 1, sizeof(int));
}

/* The socket, or -1 and *e. Where libmilter takes none of ours (and binds as
 * its process's user, who owns no folder to do so in): -1 and "". */
static int
provide(struct sockets *s, const struct doors *d, size_t i, const int *fds,
    struct error *e)
{
	e->text[0] = '\0';
#ifndef HAVE_MILTER_FD
	const struct spot one = spot(d, i);

	if (is_milter(d, i) && one.addr->ss_family == AF_UNIX)
		return error_set(e, "listen milter %s: this libmilter takes no "
		    "socket file that we made; use inet:", one.name);
	if (is_milter(d, i))
		return -1;
#endif
	return open_one(s, d, i, fds, e);
}

int
sockets_open(
    struct sockets *s, const struct doors *d, int *fds, struct error *e)
{
	for (size_t i = 0; i < doors_count(d); i++) {
		fds[i] = provide(s, d, i, fds, e);
		if (fds[i] < 0 && e->text[0] != '\0') {
			sockets_discard(s);
			return wrap(d, i, e);
		}
	}
	return 0;
}

/* ev=listening: tests and operators learn here which port 0 became. */
static void
announce(const struct spot *s, int fd, bool milter)
{
	struct sockaddr_storage addr = { 0 };
	socklen_t n = sizeof(addr);
	char text[ENDPOINT_TEXT_MAX];
	const char *door = milter ? " door=milter" : "";

	if (s->addr->ss_family == AF_UNIX) {
		log_info("", "listening", "listener=%s address=unix:%s%s",
		    s->name, path_of(s->addr), door);
		return;
	}
	if (getsockname(fd, (struct sockaddr *)&addr, &n) < 0)
		addr = *s->addr;
	log_info("", "listening", "listener=%s address=%s%s", s->name,
	    endpoint_text(&addr, text), door);
}

void
sockets_keep(struct sockets *s, const struct doors *d, const int *fds)
{
	for (size_t i = s->n; i-- > 0;)
		if (!contains(fds, doors_count(d), s->bound[i].fd))
			drop_for_good(s, i);
	for (size_t i = 0; i < doors_count(d); i++) {
		struct spot one = spot(d, i);

		for (size_t j = 0; j < s->n; j++)
			if (s->bound[j].fd == fds[i] && s->bound[j].fresh) {
				announce(&one, fds[i], is_milter(d, i));
				s->bound[j].fresh = false;
			}
	}
}

void
sockets_end(struct sockets *s)
{
	while (s->n > 0)
		drop_for_good(s, s->n - 1);
	free(s->bound);
	*s = (struct sockets){ 0 };
}

void
sockets_close_others(struct sockets *s, const int *fds, size_t n)
{
	for (size_t i = s->n; i-- > 0;)
		if (!contains(fds, n, s->bound[i].fd))
			drop(s, i);
	free(s->bound);
	*s = (struct sockets){ 0 };
}

int
listen_metrics(const struct daemon_conf *c, struct error *e)
{
	struct sockaddr_storage addr = { 0 };
	socklen_t n = sizeof(addr);
	char text[ENDPOINT_TEXT_MAX];
	const struct spot s = { .what = "metrics",
		.name = c->metrics,
		.addr = &c->metrics_addr,
		.addr_len = c->metrics_addr_len };
	int fd = bind_tcp(&s, e);

	if (fd < 0)
		return -1;
	if (getsockname(fd, (struct sockaddr *)&addr, &n) < 0)
		addr = c->metrics_addr;
	log_info(
	    "", "listening", "metrics=%s", endpoint_text(&addr, text));
	return fd;
}

int
listen_control(const char *path, struct error *e)
{
	struct sockaddr_storage addr = { .ss_family = AF_UNIX };
	const struct spot s = { .what = "control",
		.name = path,
		.whose = "posternd",
		.addr = &addr,
		.addr_len = sizeof(struct sockaddr_un),
		.mode = 0660 };

	if (strlen(path) >= sizeof(((struct sockaddr_un *)&addr)->sun_path))
		return error_set(e, "control %s: too long", path);
	memcpy(((struct sockaddr_un *)&addr)->sun_path, path, strlen(path) + 1);
	return bind_unix(&s, e);
}
