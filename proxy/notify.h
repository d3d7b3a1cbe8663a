/* notify - what a service manager hears (sd_notify(3)), by its one datagram;
 * nothing when NOTIFY_SOCKET names nobody. */
#ifndef PROXY_NOTIFY_H
#define PROXY_NOTIFY_H

/* state: "READY=1\nMAINPID=7" and the like. Nobody waits for an answer. */
void notify(const char *state);

#endif
