/* log - see log.h. The two statics are the process's one log, set at start. */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/uio.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/must.h"

static struct {
	int fd; /* -1: syslog(3) */
	pid_t pid; /* not asked for each line */
	enum log_level most;
	char program[32];
	char role[32];
	int facility;
	const char *postfix; /* NULL: no lines of its shape */
	bool own;
	char host[65];
	char path[4096]; /* of the file; "": it is none */
} the_log = { .fd = STDERR_FILENO, .most = LOG_LEVEL_INFO, .own = true };

static int
facility_of(const char *name)
{
	static const struct {
		const char *name;
		int facility;
	} known[] = { { "mail", LOG_MAIL }, { "daemon", LOG_DAEMON },
		{ "local0", LOG_LOCAL0 }, { "local1", LOG_LOCAL1 },
		{ "local2", LOG_LOCAL2 }, { "local3", LOG_LOCAL3 },
		{ "local4", LOG_LOCAL4 }, { "local5", LOG_LOCAL5 },
		{ "local6", LOG_LOCAL6 }, { "local7", LOG_LOCAL7 } };

	for (size_t i = 0; i < PN_COUNT(known); i++)
		if (strcmp(known[i].name, name) == 0)
			return known[i].facility;
	return -1;
}

static int
open_file(const char *path)
{
	return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
}

/* The descriptor of before, if it was our own, stands for the new file at
 * once: who writes meanwhile writes into one of the two. */
void
log_take(int fd)
{
	if (the_log.fd <= STDERR_FILENO) {
		the_log.fd = fd;
		return;
	}
	must(dup3(fd, the_log.fd, O_CLOEXEC) == the_log.fd);
	(void)close(fd); /* the same file is open still */
}

/* stderr and syslog: a file of before is closed. */
static void
leave_file(int fd)
{
	if (the_log.fd > STDERR_FILENO)
		(void)close(the_log.fd); /* nothing is buffered in it */
	the_log.fd = fd;
	the_log.path[0] = '\0';
}

static int
open_target(const char *target)
{
	int facility, fd;

	if (strcmp(target, "stderr") == 0) {
		leave_file(STDERR_FILENO);
	} else if (strncmp(target, "syslog ", 7) == 0) {
		if ((facility = facility_of(target + 7)) < 0) {
			errno = EINVAL;
			return -1;
		}
		the_log.facility = facility;
		openlog(the_log.program, LOG_PID | LOG_NDELAY, facility);
		leave_file(-1);
	} else {
		if ((fd = open_file(target)) < 0)
			return -1;
		log_take(fd);
		(void)snprintf(the_log.path, sizeof(the_log.path), "%s",
		    target);
	}
	return 0;
}

int
log_reopen(void)
{
	int fd;

	if (the_log.path[0] == '\0')
		return 0;
	if ((fd = open_file(the_log.path)) < 0)
		return -1;
	log_take(fd);
	return 0;
}

int
log_fd(void)
{
	return the_log.fd;
}

int
log_open(const char *program, const char *target, enum log_level most)
{
	the_log.most = most;
	(void)snprintf(the_log.program, sizeof(the_log.program), "%s", program);
	the_log.pid = getpid();
	return open_target(target);
}

void
log_process(const char *role)
{
	(void)snprintf(the_log.role, sizeof(the_log.role), "%s", role);
	the_log.pid = getpid();
}

bool
log_wants(enum log_level level)
{
	return level <= the_log.most;
}

/* One write a line; a log that cannot be written must not stop mail. */
static void
write_text(const char *head, size_t head_n, const char *text, size_t n)
{
	if (writev(the_log.fd,
		(struct iovec[]){ { (char *)head, head_n },
		    { (char *)text, n } },
		2) < 0)
		return;
}

static void
write_line(enum log_level level, const char *program, const char *text,
    size_t n)
{
	static const int priority[] = { LOG_ERR, LOG_WARNING, LOG_INFO,
		LOG_DEBUG };
	char head[256];
	struct timespec now;
	struct tm tm;
	size_t head_n;

	if (the_log.fd < 0) {
		syslog(priority[level], "%.*s", (int)n - 1, text);
		return;
	}
	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)gmtime_r(&now.tv_sec, &tm);
	head_n = strftime(head, sizeof(head), "%Y-%m-%dT%H:%M:%S", &tm);
	head_n += (size_t)snprintf(head + head_n, sizeof(head) - head_n,
	    ".%06ldZ %s%s%s[%d]: ", now.tv_nsec / 1000, the_log.host,
	    the_log.host[0] ? " " : "", program,
	    (int)(the_log.pid > 0 ? the_log.pid : getpid()));
	write_text(head, head_n, text, n);
}

void
log_line(enum log_level level, const char *id, const char *event,
    const char *fmt, ...)
{
	static const char *const names[] = { "error", "warn", "info", "debug" };
	char line[2048];
	va_list ap;
	int n;

	if (level > the_log.most)
		return;
	n = snprintf(line, sizeof(line), "%s%s%slevel=%s proc=%s ev=%s ",
	    id[0] ? "id=" : "", id, id[0] ? " " : "", names[level],
	    the_log.role[0] ? the_log.role : "-", event);
	va_start(ap, fmt);
	n += vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
	va_end(ap);
	if ((size_t)n > sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n] = '\n';
	write_line(level, the_log.program[0] ? the_log.program : "postern",
	    line, (size_t)n + 1);
}

void
log_style(const char *name, bool own)
{
	char *dot;

	the_log.postfix = name;
	the_log.own = own;
	the_log.host[0] = '\0';
	if (name == NULL)
		return;
	if (gethostname(the_log.host, sizeof(the_log.host) - 1) < 0)
		(void)strcpy(the_log.host, "localhost");
	dot = strchr(the_log.host, '.');
	if (dot != NULL)
		*dot = '\0';
}

bool
log_wants_own(void)
{
	return the_log.own && log_wants(LOG_LEVEL_INFO);
}

bool
log_wants_postfix(void)
{
	return the_log.postfix != NULL && log_wants(LOG_LEVEL_INFO);
}

void
log_postfix(const char *daemon, const char *fmt, ...)
{
	char line[2048], program[64];
	va_list ap;
	int n;

	if (!log_wants_postfix())
		return;
	(void)snprintf(program, sizeof(program), "%s/%s", the_log.postfix,
	    daemon);
	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if ((size_t)n > sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n] = '\n';
	if (the_log.fd < 0)
		openlog(program, LOG_PID | LOG_NDELAY, the_log.facility);
	write_line(LOG_LEVEL_INFO, program, line, (size_t)n + 1);
	if (the_log.fd < 0) /* it keeps the pointer, and the socket open */
		openlog(the_log.program, LOG_PID | LOG_NDELAY,
		    the_log.facility);
}

void
log_object(struct pn_str json)
{
	if (the_log.fd < 0)
		syslog(LOG_INFO, "@cee: %.*s", PN_STR_ARG(json));
	else
		write_text(json.p, json.n, "\n", 1);
}

const char *
vis(char *out, size_t size, struct pn_str s)
{
	static const char hex[] = "0123456789abcdef";
	size_t n = 0;

	must(size > 0);
	for (size_t i = 0; i < s.n && n + 5 < size; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c >= ' ' && c <= '~' && c != '"' && c != '\\') {
			out[n++] = (char)c;
			continue;
		}
		out[n++] = '\\';
		out[n++] = 'x';
		out[n++] = hex[c >> 4];
		out[n++] = hex[c & 15];
	}
	out[n] = '\0';
	return out;
}
