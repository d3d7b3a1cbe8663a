/* users - see users.h. Called wherever posternd begins, forks or reloads, and
 * by postern(1). */
#include "proxy/users.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io.h"

static int
find(const char *name, struct user *u, struct error *e)
{
	const struct passwd *p;

	errno = 0;
	if ((p = getpwnam(name)) == NULL)
		return error_set(e, "user \"%s\": %s", name,
		    errno ? strerror(errno) : "there is none of that name");
	u->uid = p->pw_uid;
	u->gid = p->pw_gid;
	u->n_groups = USER_GROUPS_MAX;
	if (getgrouplist(name, u->gid, u->groups, &u->n_groups) < 0)
		return error_set(e, "user \"%s\" is in more than %d groups",
		    name, USER_GROUPS_MAX);
	if (u->uid == 0)
		return error_set(e,
		    "user \"%s\" is root: no process of ours "
		    "needs that",
		    name);
	return 0;
}

int
users_find(struct users *u, const char *worker, const char *inspector,
    const char *keeper, struct error *e)
{
	struct user self = { .uid = geteuid(), .gid = getegid() };

	*u = (struct users){ .switching = self.uid == 0,
		.worker = self,
		.inspector = self,
		.keeper = self };
	if (!u->switching)
		return 0;
	if (find(worker, &u->worker, e) < 0 ||
	    find(inspector, &u->inspector, e) < 0 ||
	    find(keeper, &u->keeper, e) < 0)
		return -1;
	return 0;
}

/* These capabilities, as bits, and no others. */
static int
keep(unsigned caps, struct error *e)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct data[2] = { 0 };

	data[0].effective = data[0].permitted = caps;
	return syscall(SYS_capset, &head, data) < 0
		   ? error_set(e, "capset: %s", strerror(errno))
		   : 0;
}

static int
become(const struct user *u, unsigned caps, struct error *e)
{
	if (setgroups((size_t)u->n_groups, u->groups) < 0)
		return error_set(e, "setgroups: %s", strerror(errno));
	if (setgid(u->gid) < 0)
		return error_set(
		    e, "setgid %d: %s", (int)u->gid, strerror(errno));
	if (caps != 0 && prctl(PR_SET_KEEPCAPS, 1) < 0)
		return error_set(e, "PR_SET_KEEPCAPS: %s", strerror(errno));
	if (setuid(u->uid) < 0)
		return error_set(
		    e, "setuid %d: %s", (int)u->uid, strerror(errno));
	if (caps != 0 && keep(caps, e) < 0)
		return -1;
	/* A kernel that lets us back in has not understood. */
	if (setuid(0) == 0)
		return error_set(e, "setuid %d did not hold", (int)u->uid);
	return 0;
}

int
users_become(const struct users *all, const struct user *u, struct error *e)
{
	return all->switching ? become(u, 0, e) : 0;
}

int
users_become_worker(const struct users *all, bool transparent, struct error *e)
{
	return all->switching
		   ? become(&all->worker, transparent ? 1u << CAP_NET_RAW : 0, e)
		   : 0;
}

int
users_check_transparent(struct error *e)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	bool may = fd >= 0 && setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &one,
				  sizeof(one)) == 0;

	io_close(fd);
	return may ? 0
		   : error_set(e, "identity tproxy needs CAP_NET_RAW (which a "
				  "running posternd has kept if it needed it at "
				  "its start)");
}

int
users_drop_master(const struct users *all, bool transparent, struct error *e)
{
	static const int kept[] = { CAP_SETUID, CAP_SETGID, CAP_KILL,
		CAP_NET_BIND_SERVICE, CAP_DAC_READ_SEARCH };
	unsigned mask = transparent ? 1u << CAP_NET_RAW : 0;

	if (!all->switching)
		return 0;
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		mask |= 1u << kept[i];
	for (int cap = 0; cap <= CAP_LAST_CAP; cap++)
		if ((cap > 31 || !(mask & 1u << cap)) &&
		    prctl(PR_CAPBSET_DROP, cap) < 0 && errno != EINVAL)
			return error_set(
			    e, "PR_CAPBSET_DROP %d: %s", cap, strerror(errno));
	return keep(mask, e);
}

static int
make(const char *path, mode_t mode)
{
	return mkdir(path, mode) < 0 && errno != EEXIST ? -1 : 0;
}

/* What leads to the last folder: everybody may pass. */
static int
make_parents(const char *path, struct error *e)
{
	char part[4096];
	size_t n = strlen(path);

	if (n >= sizeof(part))
		return error_set(e, "%s: too long", path);
	for (size_t i = 1; i < n; i++) {
		if (path[i] != '/')
			continue;
		(void)snprintf(part, sizeof(part), "%.*s", (int)i, path);
		if (make(part, 0755) < 0)
			return error_set(e, "%s: %s", part, strerror(errno));
	}
	return 0;
}

int
users_folder(const struct users *all, const char *path, const struct user *u,
    mode_t mode, struct error *e)
{
	struct stat st;

	if (make_parents(path, e) < 0)
		return -1;
	if (mkdir(path, mode) == 0) {
		if (all->switching && chown(path, u->uid, u->gid) < 0)
			return error_set(
			    e, "%s: chown: %s", path, strerror(errno));
		return 0;
	}
	if (errno != EEXIST || stat(path, &st) < 0)
		return error_set(e, "%s: %s", path, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return error_set(e, "%s: not a folder", path);
	if (st.st_uid != u->uid && u->uid != 0) /* root may in any */
		return error_set(e, "%s belongs to user %d, not to %d", path,
		    (int)st.st_uid, (int)u->uid);
	return 0;
}
