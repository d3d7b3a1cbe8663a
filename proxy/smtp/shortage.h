/*
 * shortage - is this worker short of memory or descriptors? New sessions are
 * turned away before new mails are, and new mails before what is under way
 * suffers.
 *
 * Memory is what of the heap is in use beyond what was when the door opened,
 * as the C library tells (glibc; elsewhere there is no limit): sessions, mails,
 * bodies in memory, TLS. Looked at ten times a second at most, less often where
 * a look takes long (a heap in many pieces), and not at all before the process
 * has ever been large enough.
 */
#ifndef SMTP_SHORTAGE_H
#define SMTP_SHORTAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct smtp;

struct shortage {
	size_t base, used; /* bytes of heap */
	size_t peak;       /* resident bytes, at most, when the door opened */
	uint64_t next_ms;  /* ... as of now until then */
	bool told;         /* the log knows of it */
	int fd_most;       /* a session's number is below */
};

void shortage_begin(struct smtp *);
/* For one more session, or one more mail. */
bool shortage_for_session(struct smtp *);
bool shortage_for_mail(struct smtp *);
/* Of descriptors: the rest are for those that have sessions. */
bool shortage_of_fds(const struct smtp *, int fd);

#endif
