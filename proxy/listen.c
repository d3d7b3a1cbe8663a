/* listen - see listen.h. Called by master.c and single.c. */
#include "proxy/listen.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/io.h"
#include "base/mem.h"
#include "proxy/endpoint.h"

#define BACKLOG 1024

static int
bind_tcp(const struct sockaddr_storage *addr, socklen_t len, const char *what,
    const char *name, struct error *e)
{
	int on = 1, fd;

	fd = socket(
	    addr->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_set(
		    e, "%s %s: socket: %s", what, name, strerror(errno));
	/* IPv4 has listeners of its own: "[::]:25" is IPv6 alone. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    (addr->ss_family == AF_INET6 &&
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) <
		    0) ||
	    bind(fd, (const struct sockaddr *)addr, len) < 0 ||
	    listen(fd, BACKLOG) < 0) {
		io_close(fd);
		return error_set(e, "%s %s: %s", what, name, strerror(errno));
	}
	return fd;
}

static bool
contains(const int *fds, size_t n, int fd)
{
	for (size_t i = 0; i < n; i++)
		if (fds[i] == fd)
			return true;
	return false;
}

/* One of that address that fds[0..n) has not taken yet, or -1. */
static int
find(const struct sockets *s, const struct smtp_listener *l, const int *fds,
    size_t n)
{
	for (size_t i = 0; i < s->n; i++)
		if (memcmp(&s->bound[i].addr, &l->addr, sizeof(l->addr)) == 0 &&
		    !contains(fds, n, s->bound[i].fd))
			return s->bound[i].fd;
	return -1;
}

static int
add(struct sockets *s, const struct smtp_listener *l, struct error *e)
{
	int fd = bind_tcp(&l->addr, l->addr_len, "listen", l->name, e);

	if (fd < 0)
		return -1;
	s->bound = xrealloc(s->bound, (s->n + 1) * sizeof(*s->bound));
	s->bound[s->n++] = (struct bound){ l->addr, fd, true };
	return fd;
}

static void
drop(struct sockets *s, size_t i)
{
	io_close(s->bound[i].fd);
	s->bound[i] = s->bound[--s->n];
}

void
sockets_discard(struct sockets *s)
{
	for (size_t i = s->n; i-- > 0;)
		if (s->bound[i].fresh)
			drop(s, i);
}

int *
sockets_new(const struct smtp_conf *c)
{
	return xcalloc(c->n_listeners + 1, sizeof(int));
}

int
sockets_open(
    struct sockets *s, const struct smtp_conf *c, int *fds, struct error *e)
{
	for (size_t i = 0; i < c->n_listeners; i++) {
		fds[i] = find(s, &c->listeners[i], fds, i);
		if (fds[i] < 0)
			fds[i] = add(s, &c->listeners[i], e);
		if (fds[i] < 0) {
			sockets_discard(s);
			return -1;
		}
	}
	return 0;
}

/* ev=listening: tests and operators learn here which port 0 became. */
static void
announce(const struct smtp_listener *l, int fd)
{
	struct sockaddr_storage addr = { 0 };
	socklen_t n = sizeof(addr);
	char text[ENDPOINT_TEXT_MAX];

	if (getsockname(fd, (struct sockaddr *)&addr, &n) < 0)
		addr = l->addr;
	log_info("", "listening", "listener=%s address=%s", l->name,
	    endpoint_text(&addr, text));
}

void
sockets_keep(struct sockets *s, const struct smtp_conf *c, const int *fds)
{
	for (size_t i = s->n; i-- > 0;)
		if (!contains(fds, c->n_listeners, s->bound[i].fd))
			drop(s, i);
	for (size_t i = 0; i < c->n_listeners; i++)
		for (size_t j = 0; j < s->n; j++)
			if (s->bound[j].fd == fds[i] && s->bound[j].fresh) {
				announce(&c->listeners[i], fds[i]);
				s->bound[j].fresh = false;
			}
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
	int fd = bind_tcp(
	    &c->metrics_addr, c->metrics_addr_len, "metrics", c->metrics, e);

	if (fd < 0)
		return -1;
	if (getsockname(fd, (struct sockaddr *)&addr, &n) < 0)
		addr = c->metrics_addr;
	log_info(
	    "", "listening", "metrics=%s", endpoint_text(&addr, text));
	return fd;
}

/* Somebody answers there? Then it is not ours to replace. */
static bool
is_alive(const struct sockaddr_un *a)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool alive =
	    fd >= 0 && connect(fd, (const struct sockaddr *)a, sizeof(*a)) == 0;

	io_close(fd);
	return alive;
}

static int
bind_control(int fd, const struct sockaddr_un *a)
{
	mode_t old = umask(0117);
	int done = bind(fd, (const struct sockaddr *)a, sizeof(*a));

	(void)umask(old);
	return done;
}

int
listen_control(const char *path, struct error *e)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct stat st;
	int fd;

	if (strlen(path) >= sizeof(a.sun_path))
		return error_set(e, "control %s: too long", path);
	memcpy(a.sun_path, path, strlen(path) + 1);
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode)) {
		if (is_alive(&a))
			return error_set(e,
			    "control %s: another posternd answers there", path);
		(void)unlink(path); /* bind says so if that failed */
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind_control(fd, &a) < 0 || listen(fd, 64) < 0) {
		io_close(fd);
		return error_set(e, "control %s: %s", path, strerror(errno));
	}
	return fd;
}
