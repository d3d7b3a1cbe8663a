/*
 * single - `posternd --single`: worker, inspector (through the same frames,
 * without sandbox) and keeper on one loop in one process. For debuggers:
 * loopback listeners only, nothing is forked, nothing is reloaded.
 */
#ifndef PROXY_SINGLE_H
#define PROXY_SINGLE_H

#include "proxy/policy.h"

/* Until SIGTERM or SIGINT. Leaves by _exit, as the processes do that it
 * stands for. */
_Noreturn void single_run(const struct policy *policy);

#endif
