/*
 * running - see running.h. One question over the control socket; of the answer
 * (keeper/protocol.h) one list of plain sentences is wanted, which needs no
 * more of JSON than its quotes.
 */
#include "proxy/running.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io.h"

#define PATIENCE_S 2
#define ANSWER_MAX (8u << 20)

static int
dial(const char *control)
{
	const struct timeval patience = { PATIENCE_S, 0 };
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(to.sun_path, sizeof(to.sun_path), "%s", control);
	if (fd >= 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
		sizeof(patience)) == 0 &&
	    connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	io_close(fd);
	return -1;
}

/* The whole answer, NUL-terminated; false: none that can be had. */
static bool
ask(int fd, struct buf *answer)
{
	static const char question[] = "{\"cmd\":\"status\"}\n";
	ssize_t n = send(fd, question, strlen(question), MSG_NOSIGNAL);
	char *room;

	answer->max = ANSWER_MAX;
	while (n > 0 && (room = buf_room(answer, 65536)) != NULL) {
		n = recv(fd, room, 65536, 0);
		buf_added(answer, n > 0 ? (size_t)n : 0);
	}
	return n == 0 && buf_add(answer, "", 1);
}

static void
tell(const char *answer)
{
	static const char list[] = "\"modules_changed\":[";
	const char *p = strstr(answer, list), *end;

	for (p = p ? p + strlen(list) : ""; *p == '"' || *p == ','; p = end + 1) {
		p += *p == ',';
		if (*p != '"' || (end = strchr(p + 1, '"')) == NULL)
			return;
		fprintf(stderr, "posternd: warning: the running posternd: %.*s\n",
		    (int)(end - p - 1), p + 1);
	}
}

void
running_warn(const char *control)
{
	struct buf answer = { 0 };
	int fd = dial(control);

	if (fd >= 0 && ask(fd, &answer))
		tell(buf_data(&answer));
	buf_fini(&answer);
	io_close(fd);
}
