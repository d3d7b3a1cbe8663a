/*
 * sandbox - what each process gives up for good before it meets hostile bytes:
 * seccomp, Landlock, limits, writable code pages. Called once, in the child,
 * by inspector_main, worker and keeper. Spikes: order matters.
 */
#ifndef BASE_SANDBOX_H
#define BASE_SANDBOX_H

#include <stddef.h>

#include "base/error.h"

/* PCRE2's JIT pages from rwx to r-x: every child, before anything else. */
int sandbox_seal_code(struct error *e);
/* No network, no files, no exec; RLIMIT_AS of what is mapped + max_memory. */
int sandbox_inspector(size_t max_memory, struct error *e);
/* Files only below these folders (NULL-terminated), no exec, no ptrace.
 * Landlock where the kernel has it, seccomp everywhere. */
int sandbox_confine(const char *const *writable, const char *const *readable,
    struct error *e);

#endif
