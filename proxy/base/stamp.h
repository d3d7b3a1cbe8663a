/* stamp - what tells that a file is another one than before, unread. */
#ifndef BASE_STAMP_H
#define BASE_STAMP_H

#include <stdbool.h>
#include <stdint.h>

/* All 0: there is no such file. */
struct stamp {
	uint64_t device, inode, size;
	int64_t changed_s, changed_ns; /* mtime */
};

struct stamp stamp_of(const char *path);
bool stamp_eq(const struct stamp *, const struct stamp *);

#endif
