/*
 * files - what it takes that bytes are still there after a power cut: the
 * file's fsync, and the fsync of the folder that names it.
 */
#ifndef KEEPER_FILES_H
#define KEEPER_FILES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "filters/pn_str.h"

/* The folder is there, and its name in its parent is durable. */
int files_make_dir(const char *path, mode_t mode, struct error *);
int files_sync_dir(const char *path, struct error *);
/* A new file, for writing only; what a crash left under that name goes. */
int files_create(const char *path, struct error *);
/* Exactly size bytes of a regular file, from its start. */
int files_copy(int from, uint64_t size, int to, struct error *);
/* fsync and close; also closes when fsync fails. */
int files_finish(int fd, const char *path, struct error *);
/*
 * Each name in a folder but . and .., in no order; stops at -1. A folder that
 * is not there is an empty one.
 */
typedef int files_name(void *arg, const char *folder, const char *name,
    struct error *);
int files_each(const char *folder, files_name *, void *arg, struct error *);

#endif
