/*
 * fault - named points where a test may stop the program. Compiled in by
 * --enable-fault-hooks alone; otherwise FAULT() is nothing at all.
 *
 * POSTERN_FAULT_SOCKET names a unix stream socket of the test. When a point
 * is reached that POSTERN_FAULT lists ("mail,dot" or "*"), the process
 * connects, writes "point pid\n" and waits for a byte: until it comes the
 * test may kill -9 whom it likes; at EOF or an error it goes on.
 */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#ifdef FAULT_HOOKS
void fault_point(const char *name);
#define FAULT(name) fault_point(name)
#else
#define FAULT(name) ((void)0)
#endif

#endif
