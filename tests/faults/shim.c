/*
 * shim - preloaded into posternd by fsync.py: notes what it does to its files
 * and what it promises, in the order in which it happens.
 *
 * SHIM_LOG names the record. It is opened by the constructor, in the master,
 * before any sandbox, and inherited by every child; each note is one write(2)
 * with O_APPEND, so notes of several processes stand whole and in order. An
 * operation is noted when it has succeeded (what was not done is not there);
 * a reply to a client is noted before it is sent (it cannot be taken back).
 *
 * A note: "op pid a b length path\n", then length octets. a and b are
 * numbers whose meaning depends on op; path is "-" when there is none:
 *
 *   open a=fd b=flags path     close a=fd
 *   write a=fd b=-1 octets     pwrite a=fd b=offset octets
 *   truncate a=fd b=size       sync a=fd (fsync, fdatasync)
 *   rename, link path=old, octets=new    unlink, rmdir, mkdir path
 *   say a=fd octets (to a socket)
 *
 * Relative paths are not resolved: postern's are absolute. Threads: none.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define RECORD_FD 900 /* far from any number postern uses */
#define PATH_LIMIT 4096

/*
 * The inspector's sandbox kills for what noting takes. It writes no file and
 * speaks to no client, so nothing of it is noted from the moment it says who
 * it is, which is the first thing it does.
 */
static int silent;

static void
note(const char *op, long a, long b, const char *path, const void *octets,
    size_t n)
{
	static __thread int busy;
	char head[PATH_LIMIT + 128];
	struct iovec v[2];
	int error = errno;

	if (busy || silent)
		return;
	busy = 1;
	v[0].iov_base = head;
	v[0].iov_len =
	    (size_t)snprintf(head, sizeof(head), "%s %d %ld %ld %zu %s\n", op,
		(int)getpid(), a, b, n, path ? path : "-");
	v[1].iov_base = (void *)octets;
	v[1].iov_len = n;
	/* Not through writev(): that one is ours. EBADF when nobody records. */
	(void)syscall(SYS_writev, RECORD_FD, v, 2);
	busy = 0;
	errno = error;
}

__attribute__((constructor)) static void
begin(void)
{
	const char *path = getenv("SHIM_LOG");
	int fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path,
			    O_WRONLY | O_CREAT | O_APPEND, 0666)
		      : -1;

	if (fd >= 0) {
		(void)syscall(SYS_dup3, fd, RECORD_FD, O_CLOEXEC);
		(void)syscall(SYS_close, fd);
	}
}

int
prctl(int option, ...)
{
	unsigned long a[4];
	va_list ap;

	va_start(ap, option);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(ap, unsigned long);
	va_end(ap);
	if (option == PR_SET_NAME &&
	    strncmp((const char *)a[0], "postern-inspect", 15) == 0)
		silent = 1;
	return (int)syscall(SYS_prctl, option, a[0], a[1], a[2], a[3]);
}

/* The next definition of a function, looked up once, before any sandbox. */
#define NEXT(type, name, ...)                                                  \
	static type (*next)(__VA_ARGS__);                                      \
	if (next == NULL)                                                      \
	next = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static int
is_socket(int fd)
{
	struct stat st;

	return !silent && syscall(SYS_fstat, fd, &st) == 0 &&
	       S_ISSOCK(st.st_mode);
}

/* ---- names ---- */

static int
opened(int fd, int flags, const char *path)
{
	if (fd >= 0)
		note("open", fd, flags, path, NULL, 0);
	return fd;
}

static mode_t
mode_of(int flags, va_list ap)
{
	return flags & (O_CREAT | O_TMPFILE) ? (mode_t)va_arg(ap, int) : 0;
}

#define OPEN(name)                                                             \
	int name(const char *path, int flags, ...);                            \
	int name(const char *path, int flags, ...)                             \
	{                                                                      \
		va_list ap;                                                    \
		mode_t mode;                                                   \
                                                                               \
		va_start(ap, flags);                                           \
		mode = mode_of(flags, ap);                                     \
		va_end(ap);                                                    \
		return opened(                                                 \
		    (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode),     \
		    flags, path);                                              \
	}
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                           \
	int name(int dir, const char *path, int flags, ...);                   \
	int name(int dir, const char *path, int flags, ...)                    \
	{                                                                      \
		va_list ap;                                                    \
		mode_t mode;                                                   \
                                                                               \
		va_start(ap, flags);                                           \
		mode = mode_of(flags, ap);                                     \
		va_end(ap);                                                    \
		return opened(                                                 \
		    (int)syscall(SYS_openat, dir, path, flags, mode), flags,   \
		    path);                                                     \
	}
OPENAT(openat)
OPENAT(openat64)

int __open_2(const char *path, int flags);
int
__open_2(const char *path, int flags)
{
	return open(path, flags);
}

int __open64_2(const char *path, int flags);
int
__open64_2(const char *path, int flags)
{
	return open(path, flags);
}

int
creat(const char *path, mode_t mode)
{
	return open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}

int
close(int fd)
{
	NEXT(int, "close", int);

	if (fd == RECORD_FD) {
		errno = EBADF;
		return -1;
	}
	note("close", fd, 0, NULL, NULL, 0);
	return next(fd);
}

/* Whoever closes all there is spares the record. */
int
close_range(unsigned from, unsigned to, int flags)
{
	if (!silent && from < RECORD_FD && to >= RECORD_FD) {
		(void)syscall(SYS_close_range, from, RECORD_FD - 1, flags);
		from = RECORD_FD + 1;
	}
	return (int)syscall(SYS_close_range, from, to, flags);
}

int
rename(const char *old, const char *new)
{
	NEXT(int, "rename", const char *, const char *);
	int got = next(old, new);

	if (got == 0)
		note("rename", 0, 0, old, new, strlen(new));
	return got;
}

int
renameat(int from, const char *old, int to, const char *new)
{
	NEXT(int, "renameat", int, const char *, int, const char *);
	int got = next(from, old, to, new);

	if (got == 0)
		note("rename", 0, 0, old, new, strlen(new));
	return got;
}

int
link(const char *old, const char *new)
{
	NEXT(int, "link", const char *, const char *);
	int got = next(old, new);

	if (got == 0)
		note("link", 0, 0, old, new, strlen(new));
	return got;
}

int
unlink(const char *path)
{
	NEXT(int, "unlink", const char *);
	int got = next(path);

	if (got == 0)
		note("unlink", 0, 0, path, NULL, 0);
	return got;
}

int
mkdir(const char *path, mode_t mode)
{
	NEXT(int, "mkdir", const char *, mode_t);
	int got = next(path, mode);

	if (got == 0)
		note("mkdir", 0, 0, path, NULL, 0);
	return got;
}

int
rmdir(const char *path)
{
	NEXT(int, "rmdir", const char *);
	int got = next(path);

	if (got == 0)
		note("rmdir", 0, 0, path, NULL, 0);
	return got;
}

/* ---- octets ---- */

ssize_t
write(int fd, const void *p, size_t n)
{
	NEXT(ssize_t, "write", int, const void *, size_t);
	ssize_t got;

	if (is_socket(fd)) {
		note("say", fd, 0, NULL, p, n);
		return next(fd, p, n);
	}
	got = next(fd, p, n);
	if (got > 0)
		note("write", fd, -1, NULL, p, (size_t)got);
	return got;
}

static void
note_pieces(const char *op, int fd, long at, const struct iovec *v, int count,
    size_t most)
{
	for (int i = 0; i < count && most > 0; i++) {
		size_t n = v[i].iov_len < most ? v[i].iov_len : most;

		note(op, fd, at, NULL, v[i].iov_base, n);
		most -= n;
		at += at < 0 ? 0 : (long)n;
	}
}

ssize_t
writev(int fd, const struct iovec *v, int count)
{
	ssize_t got;

	if (is_socket(fd)) {
		note_pieces("say", fd, 0, v, count, SIZE_MAX);
		return syscall(SYS_writev, fd, v, count);
	}
	got = syscall(SYS_writev, fd, v, count);
	if (got > 0)
		note_pieces("write", fd, -1, v, count, (size_t)got);
	return got;
}

#define PWRITE(name)                                                           \
	ssize_t name(int fd, const void *p, size_t n, off_t at);               \
	ssize_t name(int fd, const void *p, size_t n, off_t at)                \
	{                                                                      \
		ssize_t got = syscall(SYS_pwrite64, fd, p, n, at);             \
                                                                               \
		if (got > 0)                                                   \
			note("pwrite", fd, at, NULL, p, (size_t)got);          \
		return got;                                                    \
	}
PWRITE(pwrite)
PWRITE(pwrite64)

#define TRUNCATE(name)                                                         \
	int name(int fd, off_t size);                                          \
	int name(int fd, off_t size)                                           \
	{                                                                      \
		int got = (int)syscall(SYS_ftruncate, fd, size);               \
                                                                               \
		if (got == 0)                                                  \
			note("truncate", fd, size, NULL, NULL, 0);             \
		return got;                                                    \
	}
TRUNCATE(ftruncate)
TRUNCATE(ftruncate64)

/*
 * Copies that never pass through our hands could not be noted: say that they
 * are not to be had, and the caller reads and writes.
 */
ssize_t
copy_file_range(
    int from, off_t *from_at, int to, off_t *to_at, size_t n, unsigned flags)
{
	(void)from, (void)from_at, (void)to, (void)to_at, (void)n, (void)flags;
	errno = ENOSYS;
	return -1;
}

/* ---- what makes it last ---- */

/* Noted and not done: the record is the disk, and the true one is slow. */
static int
synced(int fd)
{
	if (syscall(SYS_fcntl, fd, F_GETFD) < 0)
		return -1;
	note("sync", fd, 0, NULL, NULL, 0);
	return 0;
}

int
fsync(int fd)
{
	return synced(fd);
}

int
fdatasync(int fd)
{
	return synced(fd);
}

/* ---- what is promised ---- */

ssize_t
send(int fd, const void *p, size_t n, int flags)
{
	note("say", fd, 0, NULL, p, n);
	return syscall(SYS_sendto, fd, p, n, flags, NULL, 0);
}

ssize_t
sendmsg(int fd, const struct msghdr *m, int flags)
{
	note_pieces("say", fd, 0, m->msg_iov, (int)m->msg_iovlen, SIZE_MAX);
	return syscall(SYS_sendmsg, fd, m, flags);
}
