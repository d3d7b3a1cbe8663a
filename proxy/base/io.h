/* io - the one home of EINTR and short writes; descriptors' small manners. */
#ifndef BASE_IO_H
#define BASE_IO_H

#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"

/* All n bytes, or -1 with errno. For blocking descriptors and files. */
int io_write_all(int fd, const void *p, size_t n);
/* As read(2) and pread(2), but never EINTR. */
ssize_t io_read(int fd, void *p, size_t n);
ssize_t io_pread(int fd, void *p, size_t n, off_t offset);
int io_nonblock(int fd);
/* Close if open (fd >= 0), keeping errno. */
void io_close(int fd);
/* The whole of a file, at most max_bytes, appended to b. */
int io_slurp(const char *path, size_t max_bytes, struct buf *b,
    struct error *e);

#endif
