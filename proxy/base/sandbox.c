/*
 * sandbox - see sandbox.h. Three locks, each of which would do alone for most
 * of what an attacker wants next: Landlock (files, TCP, signals; by raw system
 * calls, since libc and headers are older than the kernels), seccomp (an
 * allow-list for the inspector, a deny-list for the others) and limits.
 *
 * Works for root and for nobody: each lock is one that a process may put on
 * itself after PR_SET_NO_NEW_PRIVS.
 */
#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io.h"

#define MAPS_MAX (16 << 20)

static int
system_error(struct error *e, const char *what)
{
	return error_set(e, "%s: %s", what, strerror(errno));
}

/* ---- code pages ---- */

/* One line of proc_pid_maps(5): "55d0c000-55d0d000 rwxp ...". */
static int
seal_line(const char *line)
{
	unsigned long from, to;
	char perms[5];

	if (sscanf(line, "%lx-%lx %4s", &from, &to, perms) != 3 ||
	    strncmp(perms, "rwx", 3) != 0)
		return 0;
	return mprotect((void *)from, to - from, PROT_READ | PROT_EXEC);
}

int
sandbox_seal_code(struct error *e)
{
	struct buf maps = { 0 };
	int rc = io_slurp("/proc/self/maps", MAPS_MAX, &maps, e);
	char *line, *rest;

	if (rc == 0 && !buf_add(&maps, "", 1))
		rc = error_set(e, "/proc/self/maps: too long");
	rest = rc == 0 ? buf_data(&maps) : NULL;
	while (rc == 0 && (line = strsep(&rest, "\n")) != NULL)
		if (seal_line(line) < 0)
			rc = system_error(e, "mprotect of code");
	buf_fini(&maps);
	return rc;
}

/* ---- Landlock ---- */

/* linux/landlock.h as of ABI 7; the installed one may know less. */
struct ruleset_attr {
	uint64_t fs;
	uint64_t net;
	uint64_t scoped;
};

struct path_attr {
	uint64_t allowed;
	int32_t parent_fd;
} __attribute__((packed));

#define RULE_PATH_BENEATH 1
#define FS_OF_FILES 0x8007u /* execute, write, read | ioctl */
#define FS_TRUNCATE 0x4000u
#define FS_EXECUTE 0x1u
#define FS_READ 0xcu /* file, dir */
#define NET_TCP 0x3u /* bind, connect */
#define SCOPES 0x3u  /* abstract unix sockets, signals */

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

/* All rights on files that a kernel of this ABI knows. */
static uint64_t
fs_rights(long abi)
{
	static const uint64_t by_abi[] = { 0, 0x1fff, 0x3fff, 0x7fff, 0x7fff,
		0xffff };

	return by_abi[abi > 5 ? 5 : abi];
}

/* A new ruleset; -1 where the kernel has no Landlock (*abi is 0) or *e. */
static int
ruleset_new(bool net, long *abi, struct error *e)
{
	struct ruleset_attr attr = { 0 };
	size_t size = 8;
	long fd;

	*abi = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, 1u);
	if (*abi <= 0) {
		*abi = 0;
		return -1;
	}
	attr.fs = fs_rights(*abi);
	if (*abi >= 4) {
		attr.net = net ? NET_TCP : 0;
		size = 16;
	}
	if (*abi >= 6) {
		attr.scoped = SCOPES;
		size = 24;
	}
	fd = syscall(SYS_landlock_create_ruleset, &attr, size, 0u);
	return fd < 0 ? system_error(e, "landlock_create_ruleset") : (int)fd;
}

static int
allow_below(int ruleset, const char *path, uint64_t rights, struct error *e)
{
	struct path_attr attr = { .allowed = rights };
	struct stat st;
	int rc = 0;

	attr.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (attr.parent_fd < 0)
		return system_error(e, path);
	if (fstat(attr.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
		attr.allowed &= FS_OF_FILES | FS_TRUNCATE;
	if (syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &attr,
		0u) < 0)
		rc = system_error(e, path);
	io_close(attr.parent_fd);
	return rc;
}

static int
allow_all(
    int ruleset, const char *const *paths, uint64_t rights, struct error *e)
{
	for (; paths != NULL && *paths != NULL; paths++)
		if (allow_below(ruleset, *paths, rights, e) < 0)
			return -1;
	return 0;
}

/* No path but these; and no TCP, unless the process lives by it. */
static int
landlock(const char *const *writable, const char *const *readable, bool net,
    struct error *e)
{
	long abi;
	int ruleset = ruleset_new(net, &abi, e);
	int rc = 0;

	if (abi == 0)
		return 0; /* seccomp and the user's rights must do */
	if (ruleset < 0)
		return -1;
	if (allow_all(ruleset, writable, fs_rights(abi) & ~(uint64_t)FS_EXECUTE,
		e) < 0 ||
	    allow_all(ruleset, readable, FS_READ, e) < 0)
		rc = -1;
	else if (syscall(SYS_landlock_restrict_self, ruleset, 0u) < 0)
		rc = system_error(e, "landlock_restrict_self");
	io_close(ruleset);
	return rc;
}

/* ---- seccomp ---- */

/* What none of our processes ever calls, and an intruder would like to. */
static const int forbidden[] = {
	SCMP_SYS(execve),
	SCMP_SYS(execveat),
	SCMP_SYS(ptrace),
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(kcmp),
	SCMP_SYS(pidfd_getfd),
	SCMP_SYS(personality),
	SCMP_SYS(bpf),
	SCMP_SYS(perf_event_open),
	SCMP_SYS(userfaultfd),
	SCMP_SYS(io_uring_setup),
	SCMP_SYS(keyctl),
	SCMP_SYS(add_key),
	SCMP_SYS(request_key),
	SCMP_SYS(init_module),
	SCMP_SYS(finit_module),
	SCMP_SYS(delete_module),
	SCMP_SYS(kexec_load),
	SCMP_SYS(kexec_file_load),
	SCMP_SYS(reboot),
	SCMP_SYS(swapon),
	SCMP_SYS(swapoff),
	SCMP_SYS(mount),
	SCMP_SYS(umount2),
	SCMP_SYS(pivot_root),
	SCMP_SYS(chroot),
	SCMP_SYS(move_mount),
	SCMP_SYS(open_tree),
	SCMP_SYS(fsopen),
	SCMP_SYS(setns),
	SCMP_SYS(unshare),
	SCMP_SYS(open_by_handle_at),
	SCMP_SYS(mknod),
	SCMP_SYS(mknodat),
	SCMP_SYS(acct),
	SCMP_SYS(settimeofday),
	SCMP_SYS(clock_settime),
	SCMP_SYS(sethostname),
	SCMP_SYS(iopl),
	SCMP_SYS(ioperm),
	SCMP_SYS(syslog),
	SCMP_SYS(quotactl),
};

/* *rc keeps the first failure, so that a table reads as a table. */
static void
rule(scmp_filter_ctx c, int *rc, uint32_t action, int nr)
{
	if (*rc == 0)
		*rc = seccomp_rule_add(c, action, nr, 0);
}

static void
rule_if(scmp_filter_ctx c, int *rc, uint32_t action, int nr,
    struct scmp_arg_cmp arg)
{
	if (*rc == 0)
		*rc = seccomp_rule_add_array(c, action, nr, 1, &arg);
}

static int
load(scmp_filter_ctx c, int rc, struct error *e)
{
	if (rc == 0)
		rc = seccomp_attr_set(
		    c, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (rc == 0)
		rc = seccomp_load(c);
	seccomp_release(c);
	return rc == 0 ? 0 : error_set(e, "seccomp: %s", strerror(-rc));
}

static void
forbid(scmp_filter_ctx c, int *rc)
{
	for (size_t i = 0; i < PN_COUNT(forbidden); i++)
		rule(c, rc, SCMP_ACT_KILL_PROCESS, forbidden[i]);
	/* No new code: what is needed was mapped before. */
	rule_if(c, rc, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(mprotect),
	    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC));
	rule_if(c, rc, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(mmap),
	    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC | PROT_WRITE,
		PROT_EXEC | PROT_WRITE));
}

#ifdef WITH_SANITIZERS
/*
 * The sanitizers' runtime maps shadow memory, reads /proc and asks the kernel
 * for much else when it has something to report. So the list is turned round
 * here: the inspector may all but what would get it out of its box.
 */
static int
seccomp_inspector(struct error *e)
{
	static const int network[] = { SCMP_SYS(socket), SCMP_SYS(socketpair),
		SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(listen),
		SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(sendto),
		SCMP_SYS(clone3), SCMP_SYS(fork), SCMP_SYS(vfork) };
	scmp_filter_ctx c = seccomp_init(SCMP_ACT_ALLOW);
	int rc = c == NULL ? -ENOMEM : 0;

	forbid(c, &rc);
	for (size_t i = 0; i < PN_COUNT(network); i++)
		rule(c, &rc, SCMP_ACT_KILL_PROCESS, network[i]);
	rule_if(c, &rc, SCMP_ACT_KILL_PROCESS, SCMP_SYS(mmap),
	    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC | PROT_WRITE, PROT_EXEC));
	rule(c, &rc, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(open));
	return load(c, rc, e);
}
#else
/* All that reading a message needs: what came, what goes out, memory. */
static int
seccomp_inspector(struct error *e)
{
	static const int allowed[] = { SCMP_SYS(read), SCMP_SYS(write),
		SCMP_SYS(recvmsg), SCMP_SYS(sendmsg), SCMP_SYS(close),
		SCMP_SYS(close_range), SCMP_SYS(munmap), SCMP_SYS(mremap),
		SCMP_SYS(brk), SCMP_SYS(futex), SCMP_SYS(rt_sigreturn),
		/* where it is not in the vDSO */
		SCMP_SYS(clock_gettime), SCMP_SYS(exit), SCMP_SYS(exit_group),
		/* abort(3): to die of SIGABRT, not of the sandbox */
		SCMP_SYS(rt_sigprocmask), SCMP_SYS(getpid), SCMP_SYS(gettid) };
	/* Libraries look for files and live without. */
	static const int empty_world[] = { SCMP_SYS(openat), SCMP_SYS(open),
		SCMP_SYS(newfstatat), SCMP_SYS(stat), SCMP_SYS(access),
		SCMP_SYS(readlink) };
	const struct scmp_arg_cmp data =
	    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
	scmp_filter_ctx c = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int rc = c == NULL ? -ENOMEM : 0;

	for (size_t i = 0; i < PN_COUNT(allowed); i++)
		rule(c, &rc, SCMP_ACT_ALLOW, allowed[i]);
	for (size_t i = 0; i < PN_COUNT(empty_world); i++)
		rule(c, &rc, SCMP_ACT_ERRNO(EACCES), empty_world[i]);
	rule_if(c, &rc, SCMP_ACT_ALLOW, SCMP_SYS(mmap), data);
	rule_if(c, &rc, SCMP_ACT_ALLOW, SCMP_SYS(mmap2), data);
	rule_if(c, &rc, SCMP_ACT_ALLOW, SCMP_SYS(tgkill),
	    SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0));
	return load(c, rc, e);
}
#endif

#define SOCKET_TYPE 0xfu /* without SOCK_NONBLOCK, SOCK_CLOEXEC */

static int
seccomp_confined(struct error *e)
{
	static const unsigned raw[] = { SOCK_RAW, SOCK_PACKET };
	scmp_filter_ctx c = seccomp_init(SCMP_ACT_ALLOW);
	int rc = c == NULL ? -ENOMEM : 0;

	forbid(c, &rc);
	/* A worker that binds to its clients' addresses has CAP_NET_RAW for
	 * it, and for that alone: nothing is sniffed or forged with it. */
	rule_if(c, &rc, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket),
	    SCMP_A0(SCMP_CMP_EQ, AF_PACKET, 0));
	for (size_t i = 0; i < PN_COUNT(raw); i++)
		rule_if(c, &rc, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket),
		    SCMP_A1(SCMP_CMP_MASKED_EQ, SOCKET_TYPE, raw[i]));
	return load(c, rc, e);
}

/* ---- limits and rights ---- */

/* Bytes of address space in use: proc_pid_statm(5), first field, in pages. */
static int
mapped_now(size_t *bytes, struct error *e)
{
	struct buf b = { 0 };
	int rc = io_slurp("/proc/self/statm", 4096, &b, e);

	if (rc == 0 && buf_add(&b, "", 1))
		*bytes = strtoul(buf_data(&b), NULL, 10) *
			 (size_t)sysconf(_SC_PAGESIZE);
	buf_fini(&b);
	return rc;
}

static int
limit(int resource, const char *name, rlim_t most, struct error *e)
{
	struct rlimit r;

	if (getrlimit(resource, &r) < 0)
		return system_error(e, name);
	r.rlim_cur = r.rlim_max = most < r.rlim_max ? most : r.rlim_max;
	return setrlimit(resource, &r) < 0 ? system_error(e, name) : 0;
}

/* Root without a user to become is still root: not any more. */
static int
drop_capabilities(struct error *e)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct none[2] = { { 0 }, { 0 } };

	return syscall(SYS_capset, &head, none) < 0 ? system_error(e, "capset")
						    : 0;
}

static int
no_new_privileges(struct error *e)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return system_error(e, "prctl");
	return limit(RLIMIT_CORE, "RLIMIT_CORE", 0, e);
}

int
sandbox_inspector(size_t max_memory, struct error *e)
{
	size_t mapped = 0;

	/* A descriptor of its own would be useless to it, but with a limit of
	 * 0 one sent to it vanishes without a trace. */
	if (mapped_now(&mapped, e) < 0 || no_new_privileges(e) < 0 ||
	    landlock(NULL, NULL, true, e) < 0 || drop_capabilities(e) < 0 ||
	    limit(RLIMIT_NOFILE, "RLIMIT_NOFILE", 16, e) < 0 ||
	    limit(RLIMIT_AS, "RLIMIT_AS", mapped + max_memory, e) < 0)
		return -1;
	return seccomp_inspector(e);
}

int
sandbox_confine(
    const char *const *writable, const char *const *readable, struct error *e)
{
	if (no_new_privileges(e) < 0 ||
	    landlock(writable, readable, false, e) < 0)
		return -1;
	return seccomp_confined(e);
}
