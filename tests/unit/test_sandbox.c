/*
 * sandbox: each call that would lead out of it is tried in a child of its own,
 * once for the inspector and once for a confined worker; so is what must go on
 * working inside.
 */
#include "cm.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/sandbox.h"

#define MEMORY (64 << 20)
#define PAGE 4096

/* What a child says of its attempt by its exit status. */
enum { DENIED = 10, SUCCEEDED, NO_SANDBOX };

static char dir[] = "/tmp/test_sandbox.XXXXXX";
static char readable[sizeof(dir) + 16];
static int listener = -1; /* TCP, to connect with */
static int pipe_of_parent[2];

static int
enter_inspector(struct error *e)
{
	return sandbox_inspector(MEMORY, e);
}

static int
enter_worker(struct error *e)
{
	const char *const writable[] = { dir, NULL };
	const char *const files[] = { readable, NULL };

	return sandbox_confine(writable, files, e);
}

/* Waited status of a child that entered and tried. */
static int
attempt(int (*enter)(struct error *), bool (*try)(void))
{
	struct error e = { 0 };
	int status;
	pid_t pid;

	(void)fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		/* cmocka would go on with the next test. */
		(void)signal(SIGSEGV, SIG_DFL);
		(void)signal(SIGSYS, SIG_DFL);
		if (enter(&e) < 0)
			_exit(NO_SANDBOX);
		_exit(try() ? SUCCEEDED : DENIED);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static bool
was_denied(int status)
{
	return (WIFEXITED(status) && WEXITSTATUS(status) == DENIED) ||
	       (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}

static bool
did_succeed(int status)
{
	return WIFEXITED(status) && WEXITSTATUS(status) == SUCCEEDED;
}

/* ---- ways out ---- */

static bool
try_read_file(void)
{
	return open("/etc/passwd", O_RDONLY) >= 0;
}

static bool
try_create_file(void)
{
	return open("/tmp/test_sandbox.out", O_WRONLY | O_CREAT, 0600) >= 0;
}

static bool
try_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) >= 0;
}

static bool
try_socketpair(void)
{
	int fd[2];

	return socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0;
}

/* With a socket that was there before. */
static bool
try_connect(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET };

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	to.sin_port = htons(25);
	return connect(listener, (struct sockaddr *)&to, sizeof(to)) == 0 ||
	       errno == ECONNREFUSED || errno == EISCONN || errno == EINVAL;
}

static bool
try_exec(void)
{
	/* Its exit status is our SUCCEEDED; coming back here is failure. */
	(void)execl("/bin/sh", "sh", "-c", "exit 11", (char *)NULL);
	return false;
}

static bool
try_new_code(void)
{
	return mmap(NULL, PAGE, PROT_READ | PROT_EXEC,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

static bool
try_writable_code(void)
{
	return mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

static bool
try_data_to_code(void)
{
	void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p != MAP_FAILED && mprotect(p, PAGE, PROT_READ | PROT_EXEC) == 0;
}

static bool
try_ptrace(void)
{
	return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) == 0;
}

static bool
try_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid > 0;
}

static bool
try_kill_parent(void)
{
	return kill(getppid(), 0) == 0;
}

static bool
try_unlink(void)
{
	return unlink(readable) == 0;
}

static bool
try_raise_limit(void)
{
	struct rlimit r = { RLIM_INFINITY, RLIM_INFINITY };

	return setrlimit(RLIMIT_AS, &r) == 0;
}

static bool
try_more_memory(void)
{
	return mmap(NULL, 2 * MEMORY, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

static bool
try_mount(void)
{
	return syscall(SYS_mount, "none", "/mnt", "tmpfs", 0UL, NULL) == 0;
}

static bool
try_raw_socket(void)
{
	return socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP) >= 0;
}

static bool
try_packet_socket(void)
{
	return socket(AF_PACKET, SOCK_DGRAM, 0) >= 0;
}

static void
the_inspector_gets_nowhere(void **state)
{
	static const struct {
		const char *name;
		bool (*try)(void);
		bool not_sanitized; /* the sanitizers' runtime needs it */
	} ways[] = {
		{ "open", try_read_file, false },
		{ "create", try_create_file, false },
		{ "socket", try_socket, false },
		{ "socketpair", try_socketpair, false },
		{ "connect", try_connect, false },
		{ "execve", try_exec, false },
		{ "mmap(PROT_EXEC)", try_new_code, false },
		{ "mmap(PROT_WRITE|PROT_EXEC)", try_writable_code, false },
		{ "mprotect(PROT_EXEC)", try_data_to_code, false },
		{ "ptrace", try_ptrace, false },
		{ "kill", try_kill_parent, false },
		{ "unlink", try_unlink, false },
		{ "mount", try_mount, false },
		{ "memory", try_more_memory, false },
		{ "fork", try_fork, true },
		{ "setrlimit", try_raise_limit, true },
	};

	(void)state;
	for (size_t i = 0; i < PN_COUNT(ways); i++) {
		int status;

#ifdef WITH_SANITIZERS
		if (ways[i].not_sanitized)
			continue;
#endif
		status = attempt(enter_inspector, ways[i].try);
		if (!was_denied(status))
			fail_msg("%s: status %#x", ways[i].name, status);
	}
}

/* A test of the test: outside, the same calls do succeed. */
static int
enter_nothing(struct error *e)
{
	(void)e;
	return 0;
}

static void
outside_they_would_succeed(void **state)
{
	bool (*const open_to_all[])(void) = { try_read_file, try_socket,
		try_socketpair, try_connect, try_new_code, try_fork,
		try_kill_parent, try_more_memory };

	(void)state;
	for (size_t i = 0; i < PN_COUNT(open_to_all); i++)
		assert_true(
		    did_succeed(attempt(enter_nothing, open_to_all[i])));
}

/* ---- what must go on working in the inspector ---- */

static bool
memory_works(void)
{
	char *p = malloc(1 << 20);

	/* Big blocks are mapped: they grow by mremap. */
	for (size_t n = 1 << 21; p != NULL && n <= 1 << 24; n *= 2) {
		p = realloc(p, n);
		if (p != NULL)
			memset(p, 1, n);
	}
	free(p);
	return p != NULL;
}

static bool
pipes_work(void)
{
	char c = 'x';

	return write(pipe_of_parent[1], &c, 1) == 1 &&
	       read(pipe_of_parent[0], &c, 1) == 1 && c == 'x';
}

static bool
clock_works(void)
{
	struct timespec t;

	return clock_gettime(CLOCK_MONOTONIC, &t) == 0;
}

static bool
missing_files_are_an_error(void)
{
	struct stat st;

	return stat("/etc/localtime", &st) < 0 && errno == EACCES &&
	       open("/etc/localtime", O_RDONLY) < 0 && errno == EACCES;
}

static void
the_inspector_can_work(void **state)
{
	bool (*const needs[])(void) = { memory_works, pipes_work, clock_works };

	(void)state;
	for (size_t i = 0; i < PN_COUNT(needs); i++)
		assert_true(did_succeed(attempt(enter_inspector, needs[i])));
#ifndef WITH_SANITIZERS
	assert_true(
	    did_succeed(attempt(enter_inspector, missing_files_are_an_error)));
#else
	(void)missing_files_are_an_error;
#endif
}

/* As the inspector does: its clock is set before the sandbox closes. */
static int
enter_with_a_clock(struct error *e)
{
	struct itimerval t = { .it_value = { 0, 20000 } };

	if (setitimer(ITIMER_PROF, &t, NULL) < 0)
		return -1;
	return enter_inspector(e);
}

static bool
loop_for_ever(void)
{
	volatile bool more = true;

	while (more)
		;
	return true;
}

static bool
abort_now(void)
{
	abort();
}

static void
it_dies_of_what_it_did(void **state)
{
	int status = attempt(enter_with_a_clock, loop_for_ever);

	(void)state;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGPROF);
	status = attempt(enter_inspector, abort_now);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_false(WCOREDUMP(status));
}

/* ---- the worker ---- */

/* The ABI the kernel speaks: 6 knows about signals; 0 or less: none. */
static long
landlock_abi(void)
{
	return syscall(444, NULL, (size_t)0, 1u);
}

static bool
spool_works(void)
{
	char name[64], other[64];
	int fd = open(dir, O_TMPFILE | O_RDWR, 0600);

	if (fd < 0 || write(fd, "x", 1) != 1)
		return false;
	(void)snprintf(name, sizeof(name), "%s/new", dir);
	(void)snprintf(other, sizeof(other), "%s/done", dir);
	fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	return fd >= 0 && write(fd, "x", 1) == 1 && fsync(fd) == 0 &&
	       ftruncate(fd, 0) == 0 && rename(name, other) == 0 &&
	       unlink(other) == 0;
}

static bool
reads_what_it_may(void)
{
	char c;
	int fd = open(readable, O_RDONLY);

	return fd >= 0 && read(fd, &c, 1) == 1 &&
	       (landlock_abi() <= 0 || open(readable, O_RDWR) < 0);
}

static void
the_worker_is_confined(void **state)
{
	bool (*const may[])(void) = { spool_works, reads_what_it_may,
		try_socket, try_connect, try_fork, memory_works };
	bool (*const may_not[])(void) = { try_exec, try_ptrace,
		try_writable_code, try_data_to_code, try_mount,
		try_raw_socket, try_packet_socket };
	/* A worker's seccomp list lets files pass: only Landlock knows paths.
	 */
	bool (*const by_landlock[])(
	    void) = { try_read_file, try_create_file, try_unlink };

	(void)state;
	for (size_t i = 0; i < PN_COUNT(may); i++)
		if (!did_succeed(attempt(enter_worker, may[i])))
			fail_msg("what a worker needs, no %zu, fails", i);
	for (size_t i = 0; i < PN_COUNT(may_not); i++)
		if (!was_denied(attempt(enter_worker, may_not[i])))
			fail_msg("what a worker may not, no %zu, succeeds", i);
	for (size_t i = 0; landlock_abi() > 0 && i < PN_COUNT(by_landlock); i++)
		if (!was_denied(attempt(enter_worker, by_landlock[i])))
			fail_msg("what Landlock denies, no %zu, succeeds", i);
	if (landlock_abi() >= 6)
		assert_true(was_denied(attempt(enter_worker, try_kill_parent)));
}

static int
enter_missing(struct error *e)
{
	const char *const writable[] = { "/no/such/folder", NULL };

	return sandbox_confine(writable, NULL, e);
}

static void
a_missing_folder_is_an_error(void **state)
{
	int status = attempt(enter_missing, try_socket);

	(void)state;
	assert_int_equal(WEXITSTATUS(status), NO_SANDBOX);
}

/* ---- code pages ---- */

static bool
sealed_page_is_read_only(void)
{
	struct error e;
	unsigned char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return false;
	*p = 0xc3;
	if (sandbox_seal_code(&e) < 0 || *p != 0xc3)
		return false;
	*p = 0x90; /* SIGSEGV */
	return true;
}

static void
code_is_sealed(void **state)
{
	int status = attempt(enter_nothing, sealed_page_is_read_only);

	(void)state;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSEGV);
}

static int
set_up(void **state)
{
	struct sockaddr_in any = { .sin_family = AF_INET };
	int fd;

	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	(void)snprintf(readable, sizeof(readable), "%s.txt", dir);
	fd = open(readable, O_WRONLY | O_CREAT, 0600);
	if (fd < 0 || write(fd, "x", 1) != 1)
		return -1;
	(void)close(fd);
	any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	return listener < 0 || pipe(pipe_of_parent) < 0 ||
	       bind(listener, (struct sockaddr *)&any, sizeof(any)) < 0;
}

static int
tear_down(void **state)
{
	(void)state;
	(void)close(listener);
	(void)close(pipe_of_parent[0]);
	(void)close(pipe_of_parent[1]);
	(void)unlink(readable);
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(outside_they_would_succeed),
		cmocka_unit_test(the_inspector_gets_nowhere),
		cmocka_unit_test(the_inspector_can_work),
		cmocka_unit_test(it_dies_of_what_it_did),
		cmocka_unit_test(the_worker_is_confined),
		cmocka_unit_test(a_missing_folder_is_an_error),
		cmocka_unit_test(code_is_sealed),
	};

	return cmocka_run_group_tests_name("sandbox", tests, set_up, tear_down);
}
