/*
 * probe - what a test may make the inspector do: a header line
 * "X-Postern-Fault: WORD" in the message itself. Compiled in by
 * --enable-fault-hooks alone.
 *
 *   crash        abort()
 *   loop         never ends
 *   probe-CALL   tries CALL (open socket connect execve mmap ptrace). Goes on
 *                as with any message if it succeeds: the mail passes and the
 *                test sees the hole. Else it aborts, or was killed already.
 */
#ifndef INSPECT_PROBE_H
#define INSPECT_PROBE_H

#include "filters/pn_str.h"

#ifdef FAULT_HOOKS
void probe_marker(struct pn_str raw, int sock);
#else
static inline void
probe_marker(struct pn_str raw, int sock)
{
	(void)raw;
	(void)sock;
}
#endif

#endif
