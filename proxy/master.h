/*
 * master - the process that touches no byte from the network: it binds,
 * forks, supervises and reloads. design.md 2 says who the others are.
 */
#ifndef PROXY_MASTER_H
#define PROXY_MASTER_H

#include "proxy/policy.h"

/*
 * Run until SIGTERM has drained everything; path is read again at each
 * reload. Takes policy. Returns the exit status (sysexits.h): 0, or why it
 * could not start.
 */
int master_run(const char *path, const struct policy *policy);

#endif
