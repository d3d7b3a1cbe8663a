/* ask - a question to the keeper and its answer (keeper/protocol.h). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/io.h"
#include "cli/cli.h"
#include "keeper/protocol.h"
#include "proxy/config.h"

#define SOCKET_MAX sizeof(((struct sockaddr_un *)NULL)->sun_path)
#define ANSWER_MAX (512u << 20) /* an answer's line; lists come in pages */

/* ---- where it is ---- */

static int
configured_path(const struct cli *c, char path[SOCKET_MAX])
{
	struct arena *arena = arena_new(CLI_ARENA_MAX);
	struct config conf;
	int code = read_settings(c, arena, &conf);

	if (code == 0 && strlen(conf.daemon.control) >= SOCKET_MAX)
		code = cli_fail(EX_CONFIG,
		    "the control socket's path is too long");
	if (code == 0)
		(void)strcpy(path, conf.daemon.control);
	arena_free(arena);
	return code;
}

static int
socket_path(const struct cli *c, struct sockaddr_un *a)
{
	a->sun_family = AF_UNIX;
	if (c->socket == NULL)
		return configured_path(c, a->sun_path);
	if (strlen(c->socket) >= SOCKET_MAX)
		return cli_fail(EX_USAGE, "%s: too long for a socket",
		    c->socket);
	(void)strcpy(a->sun_path, c->socket);
	return 0;
}

static int
dial(const struct cli *c, int *sock)
{
	struct sockaddr_un a = { 0 };
	int code = socket_path(c, &a);

	if (code != 0)
		return code;
	*sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*sock >= 0 &&
	    connect(*sock, (struct sockaddr *)&a, sizeof(a)) == 0)
		return 0;
	if (errno == EACCES)
		return cli_fail(EX_NOPERM,
		    "%s: %s (it answers root and the daemon's own user)",
		    a.sun_path, strerror(errno));
	return cli_fail(EX_UNAVAILABLE, "%s: %s (is posternd running?)",
	    a.sun_path, strerror(errno));
}

/* ---- question and answer ---- */

json_t *
question(const char *cmd, const char *id)
{
	json_t *q = json_object();

	(void)json_object_set_new(q, "cmd", json_string(cmd));
	if (id != NULL)
		(void)json_object_set_new(q, "id", json_string(id));
	return q;
}

static int
send_question(int sock, const json_t *q)
{
	char *line = json_dumps(q, JSON_COMPACT);
	size_t n;
	int code = 0;

	if (line == NULL)
		return cli_fail(EX_USAGE, "an argument is no UTF-8");
	n = strlen(line);
	if (n + 1 >= CONTROL_REQUEST_MAX)
		code = cli_fail(EX_USAGE, "an argument is too long");
	else if (send(sock, line, n, MSG_NOSIGNAL) != (ssize_t)n ||
	    send(sock, "\n", 1, MSG_NOSIGNAL) != 1)
		code = cli_fail(EX_UNAVAILABLE, "the daemon: %s",
		    strerror(errno));
	free(line);
	return code;
}

/* The answer's line into b, and how much of what came is behind it. */
static int
read_line(int sock, struct buf *b, size_t *line)
{
	const char *nl = NULL;

	while (nl == NULL && buf_len(b) < ANSWER_MAX) {
		char *to = buf_room(b, 65536);
		ssize_t n = io_read(sock, to, 65536);

		if (n <= 0)
			return cli_fail(EX_UNAVAILABLE, "the daemon went away "
			    "without an answer");
		buf_added(b, (size_t)n);
		nl = memchr(to, '\n', (size_t)n);
	}
	if (nl == NULL)
		return cli_fail(EX_PROTOCOL, "the daemon's answer does not end");
	*line = (size_t)(nl - buf_data(b));
	return 0;
}

static int
copy_raw(int sock, struct buf *b, uint64_t bytes, FILE *raw)
{
	while (bytes > 0) {
		size_t n = buf_len(b) < bytes ? buf_len(b) : (size_t)bytes;
		ssize_t got;

		if (n > 0 && fwrite(buf_data(b), 1, n, raw) != n)
			return cli_fail(EX_IOERR, "cannot write the message");
		bytes -= n;
		buf_clear(b);
		if (bytes == 0)
			break;
		got = io_read(sock, buf_room(b, 65536), 65536);
		if (got <= 0)
			return cli_fail(EX_UNAVAILABLE, "the daemon went away "
			    "in the middle of the message");
		buf_added(b, (size_t)got);
	}
	return 0;
}

/* An error of the configuration is lines and a caret: kept. */
static void
say_error(struct pn_str s)
{
	(void)fputs("postern: ", stderr);
	show_lines(stderr, s);
}

static int
understand(const struct buf *b, size_t line, json_t **answer, bool aloud)
{
	json_error_t why;
	int code;

	*answer = json_loadb(buf_data(b), line, JSON_ALLOW_NUL, &why);
	if (*answer == NULL)
		return cli_fail(EX_PROTOCOL, "the daemon's answer: %s",
		    why.text);
	if (json_is_true(json_object_get(*answer, "ok")))
		return 0;
	code = (int)json_integer_value(json_object_get(*answer, "exit"));
	if (code < EX__BASE || code > EX__MAX)
		code = EX_SOFTWARE;
	if (aloud || code != EX_NOINPUT)
		say_error(member(*answer, "error"));
	json_decref(*answer);
	*answer = NULL;
	return code;
}

static int
converse(const struct cli *c, json_t *q, json_t **answer, FILE *raw,
    bool aloud)
{
	struct buf b = { 0 };
	size_t line = 0;
	int sock = -1, code;

	*answer = NULL;
	code = dial(c, &sock);
	if (code == 0)
		code = send_question(sock, q);
	if (code == 0)
		code = read_line(sock, &b, &line);
	if (code == 0)
		code = understand(&b, line, answer, aloud);
	if (code == 0 && raw != NULL) {
		buf_drop(&b, line + 1);
		code = copy_raw(sock, &b, (uint64_t)json_integer_value(
		    json_object_get(*answer, "bytes")), raw);
	}
	json_decref(q);
	buf_fini(&b);
	io_close(sock);
	return code;
}

bool
ask_is_there(const struct cli *c)
{
	struct sockaddr_un a = { 0 };
	bool there = false;
	int sock;

	if (socket_path(c, &a) != 0)
		return false;
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (sock >= 0)
		there = connect(sock, (struct sockaddr *)&a, sizeof(a)) == 0;
	io_close(sock);
	return there;
}

int
ask(const struct cli *c, json_t *q, json_t **answer, FILE *raw)
{
	return converse(c, q, answer, raw, true);
}

int
ask_quietly(const struct cli *c, json_t *q, json_t **answer, bool aloud)
{
	return converse(c, q, answer, NULL, aloud);
}
