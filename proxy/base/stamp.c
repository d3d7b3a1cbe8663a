/* stamp - see stamp.h. */
#include "base/stamp.h"

#include <sys/stat.h>

struct stamp
stamp_of(const char *path)
{
	struct stat s;

	if (stat(path, &s) < 0)
		return (struct stamp){ 0 };
	return (struct stamp){ .device = s.st_dev,
		.inode = s.st_ino,
		.size = (uint64_t)s.st_size,
		.changed_s = s.st_mtim.tv_sec,
		.changed_ns = s.st_mtim.tv_nsec };
}

bool
stamp_eq(const struct stamp *a, const struct stamp *b)
{
	return a->device == b->device && a->inode == b->inode &&
	       a->size == b->size && a->changed_s == b->changed_s &&
	       a->changed_ns == b->changed_ns;
}
