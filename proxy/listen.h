/*
 * listen - the sockets that outlive generations. The master binds each once;
 * workers of every generation inherit it, so that a reload resets no
 * connection that waits in its queue (no SO_REUSEPORT for that reason).
 *
 * Owned by the master (or single.c); one struct sockets a process.
 */
#ifndef PROXY_LISTEN_H
#define PROXY_LISTEN_H

#include "proxy/policy.h"

struct sockets {
	struct bound {
		struct sockaddr_storage
		    addr; /* as configured: port 0 stays 0 */
		mode_t mode; /* of a unix socket's file, ... */
		gid_t gid;
		dev_t dev; /* ... which is this one */
		ino_t ino;
		int fd;
		bool fresh; /* bound by the sockets_open() that is not yet kept
			     */
	} * bound;
	size_t n;
};

/* What there is to listen on: the SMTP listeners, behind them the milter's. */
struct doors {
	const struct smtp_conf *smtp;
	const struct milter_conf *milter; /* NULL: none */
	/* Where they are written, for errors. NULL: nobody knows. */
	const struct config_origins *origins;
};
size_t doors_count(const struct doors *);
struct doors policy_doors(const struct policy *);

/* For posternd -t: what would keep them from being bound, and can be told
 * without binding. -1 and *e. */
int doors_check(const struct doors *, struct error *e);

/* Room for sockets_open(); the caller frees it. */
int *sockets_new(const struct doors *);
/*
 * One socket for each listener, in order, into fds: those there are already
 * for the same address (the nth of port 0 for the nth), else new ones. -1
 * where libmilter binds for itself (no HAVE_MILTER_FD). On failure what was
 * new is closed again.
 */
int sockets_open(
    struct sockets *, const struct doors *, int *fds, struct error *e);
/* The configuration of fds is in force: what is not among them is closed, and
 * the new ones are logged. */
void sockets_keep(struct sockets *, const struct doors *, const int *fds);
/* ... or is not: what was new for it is closed. */
void sockets_discard(struct sockets *);
/* Close all, and remove the files of unix sockets. */
void sockets_end(struct sockets *);
/* In a child: close all but those (n 0: all). */
void sockets_close_others(struct sockets *, const int *fds, size_t n);

/* Unix stream socket, mode 0660; one that a dead process left is replaced.
 * Where it is written neither this nor the next can say: config_wrap(). */
int listen_control(const char *path, struct error *e);

/* TCP, for the keeper's HTTP; announced in the log. */
int listen_metrics(const struct daemon_conf *, struct error *e);

#endif
