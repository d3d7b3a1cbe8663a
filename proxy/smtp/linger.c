/* linger - see linger.h. */
#include "smtp/linger.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/must.h"
#include "smtp/door.h"

#define LINGER_MS 2000 /* for all of it: a byte now and then wins no time */
#define LINGER_BYTES (4u << 20)
#define SHARE 16 /* one of so many descriptors */

struct lingerer {
	TAILQ_ENTRY(lingerer) all;
	struct smtp *smtp;
	struct event rd, over;
	int fd;
	size_t bytes; /* thrown away */
};

static void
let_go(struct lingerer *l)
{
	struct smtp *smtp = l->smtp;

	(void)event_del(&l->rd); /* cannot fail for what is assigned */
	(void)event_del(&l->over);
	(void)close(l->fd);
	TAILQ_REMOVE(&smtp->lingering, l, all);
	smtp->n_lingering--;
	free(l);
	door_left(smtp);
}

/* False: the client has closed, or this was enough. */
static bool
throw_away(struct lingerer *l)
{
	ssize_t n = recv(l->fd, loop_scratch(l->smtp->loop), LOOP_SCRATCH, 0);

	if (n < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK ||
		       errno == EINTR;
	l->bytes += (size_t)n;
	return n > 0 && l->bytes < LINGER_BYTES;
}

static void
on_bytes(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	if (!throw_away(arg))
		let_go(arg);
}

static void
on_over(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	let_go(arg);
}

void
linger_on(struct smtp *smtp, int fd)
{
	struct lingerer *l = xcalloc(1, sizeof(*l));

	l->smtp = smtp;
	l->fd = fd;
	TAILQ_INSERT_TAIL(&smtp->lingering, l, all);
	smtp->n_lingering++;
	(void)shutdown(fd, SHUT_WR); /* ENOTCONN: gone already */
	must(event_assign(&l->rd, loop_base(smtp->loop), fd,
		 EV_READ | EV_PERSIST, on_bytes, l) == 0);
	must(event_assign(&l->over, loop_base(smtp->loop), -1, 0, on_over, l) ==
	     0);
	must(event_add(&l->rd, NULL) == 0);
	must(event_add(&l->over, loop_timeout(smtp->loop, LINGER_MS)) == 0);
	if (smtp->n_lingering > (unsigned)smtp->shortage.fd_most / SHARE)
		let_go(TAILQ_FIRST(&smtp->lingering));
}

void
linger_free_all(struct smtp *smtp)
{
	struct lingerer *l;

	while ((l = TAILQ_FIRST(&smtp->lingering)) != NULL)
		let_go(l);
}
