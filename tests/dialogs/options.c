/*
 * options - how the dialogues' doors are told what to do, and where they
 * listen. Used by door.c and milter_door.c.
 */
#include "tests/dialogs/options.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/must.h"

const char *
option(int argc, char **argv, const char *key, const char *otherwise)
{
	size_t n = strlen(key);

	for (int i = 1; i < argc; i++)
		if (strncmp(argv[i], key, n) == 0 && argv[i][n] == '=')
			return argv[i] + n + 1;
	return otherwise;
}

uint64_t
number(int argc, char **argv, const char *key, uint64_t otherwise)
{
	const char *text = option(argc, argv, key, NULL);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

int
listen_on_loopback(uint16_t *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	must(bind(fd, (struct sockaddr *)&a, n) == 0 && listen(fd, 1024) == 0);
	must(getsockname(fd, (struct sockaddr *)&a, &n) == 0);
	*port = ntohs(a.sin_port);
	return fd;
}
