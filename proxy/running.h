/*
 * running - what a daemon that runs under the same configuration would say to
 * a posternd -t: which of its modules changed on disk, so that no reload will
 * do. Nobody there is no news. Called by main.c.
 */
#ifndef PROXY_RUNNING_H
#define PROXY_RUNNING_H

/* control: path of its socket. Each warning is a line on stderr. */
void running_warn(const char *control);

#endif
