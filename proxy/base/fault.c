/* fault - see fault.h. */
#include "base/fault.h"

#ifdef FAULT_HOOKS
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/io.h"

static int
listed(const char *name)
{
	const char *list = getenv("POSTERN_FAULT");
	size_t n = strlen(name);

	if (list == NULL)
		return 0;
	if (strcmp(list, "*") == 0)
		return 1;
	for (; list[0] != '\0'; list += list[0] == ',') {
		size_t len = strcspn(list, ",");

		if (len == n && strncmp(list, name, n) == 0)
			return 1;
		list += len;
	}
	return 0;
}

void
fault_point(const char *name)
{
	const char *path = getenv("POSTERN_FAULT_SOCKET");
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char line[96], byte;
	int fd;

	if (path == NULL || !listed(name) || strlen(path) >= sizeof(a.sun_path))
		return;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	memcpy(a.sun_path, path, strlen(path));
	if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0) {
		int n = snprintf(line, sizeof(line), "%s %d\n", name,
		    (int)getpid());

		if (io_write_all(fd, line, (size_t)n) == 0)
			(void)io_read(fd, &byte, 1); /* the wait itself */
	}
	io_close(fd);
}
#endif
