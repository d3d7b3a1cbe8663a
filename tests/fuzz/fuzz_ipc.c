/*
 * fuzz_ipc - frames from a peer that may be hostile. The input is cut into
 * frames: two bytes of length, little-endian, then so many bytes.
 */
#include "base/ipc.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned char body[IPC_MAX];
	struct error e;
	uint32_t type;
	uint64_t id;
	int fd[2];

	if (ipc_pair(fd, &e) < 0)
		abort();
	for (size_t n; size >= 2; data += 2 + n, size -= 2 + n) {
		n = data[0] | (size_t)data[1] << 8;
		n = n < size - 2 ? n : size - 2;
		if (send(fd[0], data + 2, n, MSG_DONTWAIT) < 0)
			break; /* the socket is full: enough frames */
	}
	(void)close(fd[0]); /* what was sent stays readable */
	while (ipc_read(fd[1], &type, &id, body, NULL, &e) >= 0)
		;
	(void)close(fd[1]);
	return 0;
}
