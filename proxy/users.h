/*
 * users - who each process runs as. Started as root: three users of their own
 * and a master with few capabilities; started as anyone else: all as
 * ourselves.
 */
#ifndef PROXY_USERS_H
#define PROXY_USERS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

#define USER_GROUPS_MAX 64

struct user {
	uid_t uid;
	gid_t gid;
	gid_t groups[USER_GROUPS_MAX];
	int n_groups;
};

struct users {
	bool switching; /* we are root: the three below are others */
	struct user worker, inspector, keeper;
};

/* Names as the configuration has them; looked up only when we are root. */
int users_find(struct users *, const char *worker, const char *inspector,
    const char *keeper, struct error *e);
/* For good. Nothing when not switching. */
int users_become(const struct users *, const struct user *, struct error *e);
/* The same for a worker; transparent: it may bind to foreign addresses
 * (CAP_NET_RAW), as identity tproxy has it. */
int users_become_worker(
    const struct users *, bool transparent, struct error *e);
/* The master, as root: keep what it and its children need to fork, bind, kill
 * and read. */
int users_drop_master(const struct users *, bool transparent, struct error *e);
/* May this process bind to foreign addresses? */
int users_check_transparent(struct error *e);
/* mkdir -p, the last one of that owner and mode; one that is there is checked
 * (a folder, the owner) and left as it is. */
int users_folder(const struct users *, const char *path, const struct user *,
    mode_t mode, struct error *e);

#endif
