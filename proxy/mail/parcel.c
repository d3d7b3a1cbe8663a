/* parcel - see parcel.h. Called by engine/keep and keeper/. */
#include "mail/parcel.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/io.h"

static int
failed(int fd, const char *what, struct error *e)
{
	(void)error_errno(e, "parcel: %s", what);
	io_close(fd);
	return -1;
}

static int
new_parcel(struct error *e)
{
	int fd = memfd_create("postern-parcel", MFD_CLOEXEC);

	return fd < 0 ? failed(-1, "memfd_create", e) : fd;
}

/* Takes fd; gives it back, or -1. */
static int
add_job(int fd, const struct keep_job *j, struct error *e)
{
	struct buf b = { .max = PARCEL_JOB_MAX };

	keep_job_pack(j, &b);
	errno = ENOMEM; /* a full buffer: more than a job may use */
	if (b.full || io_write_all(fd, buf_data(&b), buf_len(&b)) < 0)
		fd = failed(fd, "job", e);
	buf_fini(&b);
	return fd;
}

int
parcel_from_spool(struct spool *s, const struct edit_ranges *ranges,
    const struct keep_job *j, uint64_t *size, struct error *e)
{
	struct edit_range all = { .n = spool_size(s) };
	struct edit_ranges whole = STAILQ_HEAD_INITIALIZER(whole);
	struct edit_cursor c = { 0 };
	struct pn_str piece;
	int fd = new_parcel(e);

	if (fd < 0)
		return -1;
	STAILQ_INSERT_TAIL(&whole, &all, next);
	if (ranges == NULL)
		ranges = &whole;
	*size = edit_ranges_size(ranges);
	while ((piece = edit_cursor_peek(&c, ranges, s)).n > 0) {
		if (io_write_all(fd, piece.p, piece.n) < 0)
			return failed(fd, "write", e);
		edit_cursor_skip(&c, piece.n);
	}
	if (piece.p == NULL)
		return failed(fd, "spool", e);
	return add_job(fd, j, e);
}

int
parcel_from_file(int file, uint64_t size, const struct keep_job *j,
    struct error *e)
{
	char piece[65536];
	int fd = new_parcel(e);

	for (uint64_t at = 0; fd >= 0 && at < size;) {
		size_t want = size - at < sizeof(piece) ? (size_t)(size - at)
							: sizeof(piece);
		ssize_t got = io_pread(file, piece, want, (off_t)at);

		errno = got == 0 ? ENODATA : errno;
		if (got <= 0 || io_write_all(fd, piece, (size_t)got) < 0)
			return failed(fd, "copy", e);
		at += (uint64_t)got;
	}
	return fd < 0 ? -1 : add_job(fd, j, e);
}

int
parcel_job(int fd, uint64_t size, struct keep_job *j, struct arena *a,
    struct error *e)
{
	struct stat st;
	struct unpack u;
	size_t n, at = 0;
	char *p;

	if (fstat(fd, &st) < 0)
		return error_set(e, "parcel: fstat: %s", strerror(errno));
	if (st.st_size < 0 || (uint64_t)st.st_size < size ||
	    (uint64_t)st.st_size - size > PARCEL_JOB_MAX)
		return error_set(e, "parcel: sizes do not fit");
	n = (size_t)((uint64_t)st.st_size - size);
	if ((p = arena_alloc(a, n)) == NULL)
		return error_set(e, "parcel: out of memory for this job");
	while (at < n) {
		ssize_t got = io_pread(fd, p + at, n - at, (off_t)(size + at));

		if (got <= 0)
			return error_set(e, "parcel: read: %s", strerror(errno));
		at += (size_t)got;
	}
	u = unpack_of(p, n);
	return keep_job_unpack(j, &u, a) ? 0
					 : error_set(e, "parcel: no job of ours");
}
