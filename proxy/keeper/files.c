/* files - see files.h. Used by quarantine and maildir. */
#include "keeper/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"

#define CHUNK (64 * 1024)

int
files_sync_dir(const char *path, struct error *e)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int got = fd < 0 ? -1 : fsync(fd);

	io_close(fd);
	return got < 0 ? error_errno(e, "%s", path) : 0;
}

static int
sync_parent(const char *path, struct error *e)
{
	char parent[PATH_MAX];
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return files_sync_dir(".", e);
	(void)snprintf(parent, sizeof(parent), "%.*s",
	    slash == path ? 1 : (int)(slash - path), path);
	return files_sync_dir(parent, e);
}

int
files_make_dir(const char *path, mode_t mode, struct error *e)
{
	if (mkdir(path, mode) == 0)
		return sync_parent(path, e);
	if (errno == EEXIST)
		return 0;
	return error_errno(e, "%s", path);
}

int
files_create(const char *path, struct error *e)
{
	int fd;

	(void)unlink(path); /* nearly always there is none */
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	    0600);
	return fd < 0 ? error_errno(e, "%s", path) : fd;
}

int
files_copy(int from, uint64_t size, int to, struct error *e)
{
	char chunk[CHUNK];
	struct stat st;
	uint64_t at = 0;

	/* From anything but a file, reading could wait for ever. */
	if (fstat(from, &st) < 0 || !S_ISREG(st.st_mode))
		return error_set(e, "the body is not in a file");
	while (at < size) {
		size_t want = size - at < CHUNK ? (size_t)(size - at) : CHUNK;
		ssize_t got = io_pread(from, chunk, want, (off_t)at);

		if (got < 0)
			return error_errno(e, "read body");
		if (got == 0)
			return error_set(e, "the body ends at %llu of %llu bytes",
			    (unsigned long long)at, (unsigned long long)size);
		if (io_write_all(to, chunk, (size_t)got) < 0)
			return error_errno(e, "write body");
		at += (uint64_t)got;
	}
	return 0;
}

int
files_finish(int fd, const char *path, struct error *e)
{
	int got = fsync(fd);

	if (got < 0)
		(void)error_errno(e, "%s: fsync", path);
	io_close(fd);
	return got;
}

int
files_each(const char *folder, files_name *each, void *arg, struct error *e)
{
	DIR *d = opendir(folder);
	const struct dirent *f;
	int got = 0;

	if (d == NULL && errno == ENOENT)
		return 0;
	if (d == NULL)
		return error_errno(e, "%s", folder);
	while (got == 0 && (f = readdir(d)) != NULL)
		if (strcmp(f->d_name, ".") != 0 && strcmp(f->d_name, "..") != 0)
			got = each(arg, folder, f->d_name, e);
	(void)closedir(d); /* was only read */
	return got;
}
