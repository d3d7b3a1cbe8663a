/* dial - see dial.h. Called by service.c and milter_link.c. */
#include "engine/dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/io.h"

static socklen_t
address(const struct pn_service *where, const char *host,
    struct sockaddr_storage *to)
{
	struct sockaddr_un *un = (struct sockaddr_un *)to;
	struct sockaddr_in *in = (struct sockaddr_in *)to;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)to;

	memset(to, 0, sizeof(*to));
	if (where->local) {
		un->sun_family = AF_UNIX;
		(void)strncpy(un->sun_path, host, sizeof(un->sun_path) - 1);
		return sizeof(*un);
	}
	if (inet_pton(AF_INET, host, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(where->port);
		return sizeof(*in);
	}
	if (inet_pton(AF_INET6, host, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(where->port);
		return sizeof(*in6);
	}
	return 0;
}

int
dial(const struct pn_service *where, const char *host)
{
	struct sockaddr_storage to;
	socklen_t n = address(where, host, &to);
	int one = 1, fd;

	if (n == 0)
		return -1;
	fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (!where->local)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one,
		    sizeof(one)); /* only faster */
	/* EAGAIN of a unix socket: its queue is full, nobody comes to tell. */
	if (connect(fd, (struct sockaddr *)&to, n) < 0 && errno != EINPROGRESS) {
		io_close(fd);
		return -1;
	}
	return fd;
}
