/* log - see log.h. The static is the process's one log, set at start; but for
 * the time's text, which each second makes anew. */
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
	char time[24]; /* "2026-01-31T09:30:00.", or "": none was made */
	time_t second; /* that it stands for */
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

/* ---- a line ---- */

/* What a file gets: the time, who writes, and from text on what a message to
 * syslog says. */
struct line {
	size_t n, text;
	char p[2304];
};

/* A line that is too long is cut in front of its end. */
static size_t
room(const struct line *l)
{
	return sizeof(l->p) - 1 - l->n;
}

static void
add(struct line *l, const char *s)
{
	size_t n = strnlen(s, room(l));

	memcpy(l->p + l->n, s, n);
	l->n += n;
}

static void
add_printed(struct line *l, const char *fmt, va_list ap)
{
	int n = vsnprintf(l->p + l->n, room(l) + 1, fmt, ap);

	if (n > 0)
		l->n += (size_t)n < room(l) ? (size_t)n : room(l);
}

static void
add_number(struct line *l, long v, int digits)
{
	char s[24], *p = s + sizeof(s) - 1;

	*p = '\0';
	for (; digits > 0 || v > 0; digits--, v /= 10)
		*--p = (char)('0' + v % 10);
	add(l, p);
}

/* 2026-01-31T09:30:00.123456Z */
static void
add_time(struct line *l)
{
	struct timespec now;
	struct tm tm;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec != the_log.second || the_log.time[0] == '\0') {
		(void)gmtime_r(&now.tv_sec, &tm);
		(void)strftime(the_log.time, sizeof(the_log.time),
		    "%Y-%m-%dT%H:%M:%S.", &tm);
		the_log.second = now.tv_sec;
	}
	add(l, the_log.time);
	add_number(l, now.tv_nsec / 1000, 6);
	add(l, "Z ");
}

static void
begin(struct line *l, const char *program, const char *daemon)
{
	l->n = l->text = 0;
	if (the_log.fd < 0)
		return;
	add_time(l);
	add(l, the_log.host);
	add(l, the_log.host[0] ? " " : "");
	add(l, program);
	add(l, daemon[0] ? "/" : "");
	add(l, daemon);
	add(l, "[");
	add_number(l, the_log.pid > 0 ? the_log.pid : getpid(), 1);
	add(l, "]: ");
	l->text = l->n;
}

/* One write a line; a log that cannot be written must not stop mail. */
static void
end(struct line *l, int priority)
{
	if (the_log.fd < 0) {
		syslog(priority, "%.*s", (int)(l->n - l->text), l->p + l->text);
		return;
	}
	l->p[l->n] = '\n';
	if (write(the_log.fd, l->p, l->n + 1) < 0)
		return;
}

void
log_line(enum log_level level, const char *id, const char *event,
    const char *fmt, ...)
{
	static const struct {
		const char *name;
		int priority;
	} levels[] = { { "level=error proc=", LOG_ERR },
		{ "level=warn proc=", LOG_WARNING },
		{ "level=info proc=", LOG_INFO },
		{ "level=debug proc=", LOG_DEBUG } };
	struct line l;
	va_list ap;

	if (level > the_log.most)
		return;
	begin(&l, the_log.program[0] ? the_log.program : "postern", "");
	add(&l, id[0] ? "id=" : "");
	add(&l, id);
	add(&l, id[0] ? " " : "");
	add(&l, levels[level].name);
	add(&l, the_log.role[0] ? the_log.role : "-");
	add(&l, " ev=");
	add(&l, event);
	add(&l, " ");
	va_start(ap, fmt);
	add_printed(&l, fmt, ap);
	va_end(ap);
	end(&l, levels[level].priority);
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
	char program[64];
	struct line l;
	va_list ap;

	if (!log_wants_postfix())
		return;
	begin(&l, the_log.postfix, daemon);
	va_start(ap, fmt);
	add_printed(&l, fmt, ap);
	va_end(ap);
	if (the_log.fd < 0) {
		(void)snprintf(program, sizeof(program), "%s/%s",
		    the_log.postfix, daemon);
		openlog(program, LOG_PID | LOG_NDELAY, the_log.facility);
	}
	end(&l, LOG_INFO);
	if (the_log.fd < 0) /* it keeps the pointer, and the socket open */
		openlog(the_log.program, LOG_PID | LOG_NDELAY,
		    the_log.facility);
}

void
log_object(struct pn_str json)
{
	struct iovec line[] = { { (void *)json.p, json.n }, { (void *)"\n", 1 } };

	if (the_log.fd < 0)
		syslog(LOG_INFO, "@cee: %.*s", PN_STR_ARG(json));
	else if (writev(the_log.fd, line, PN_COUNT(line)) < 0)
		return; /* as end() */
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
