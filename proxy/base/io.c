/* io - see io.h. */
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int
io_write_all(int fd, const void *p, size_t n)
{
	const char *at = p;

	while (n > 0) {
		ssize_t done = write(fd, at, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -1;
		at += done;
		n -= (size_t)done;
	}
	return 0;
}

ssize_t
io_read(int fd, void *p, size_t n)
{
	ssize_t got;

	do {
		got = read(fd, p, n);
	} while (got < 0 && errno == EINTR);
	return got;
}

ssize_t
io_pread(int fd, void *p, size_t n, off_t offset)
{
	ssize_t got;

	do {
		got = pread(fd, p, n, offset);
	} while (got < 0 && errno == EINTR);
	return got;
}

int
io_nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

void
io_close(int fd)
{
	int keep = errno;

	if (fd >= 0)
		(void)close(fd); /* nothing was promised on it */
	errno = keep;
}

static int
slurp_fd(int fd, size_t max_bytes, struct buf *b)
{
	for (;;) {
		char *to = buf_room(b, 65536);
		ssize_t got = to ? io_read(fd, to, 65536) : -1;

		if (got <= 0)
			return (int)got;
		buf_added(b, (size_t)got);
		if (buf_len(b) > max_bytes) {
			errno = EFBIG;
			return -1;
		}
	}
}

int
io_slurp(const char *path, size_t max_bytes, struct buf *b, struct error *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int got = fd < 0 ? -1 : slurp_fd(fd, max_bytes, b);

	io_close(fd);
	return got < 0 ? error_set(e, "%s: %s", path, strerror(errno)) : 0;
}
