/*
 * error - the world's failure, in words. A call that can fail returns 0 or
 * -1 and takes `struct error *` last; the deepest function that knows writes
 * the text, callers may add where. Nobody logs and returns.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdbool.h>

struct error {
	char text[1024]; /* may hold several lines (a caret under the source) */
	bool no_room;    /* disk, quota or memory are short: 452 4.3.1 */
};

/* Both return -1, so that `return error_set(e, ...)` reads well. */
int error_set(struct error *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* "what: strerror(errno)"; .no_room if errno says so. */
int error_errno(struct error *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* "what: old text" */
int error_wrap(struct error *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
