/* ip - see ip.h. */
#include "base/ip.h"

#include <arpa/inet.h>

bool
ip_parse(struct pn_str s, unsigned char addr[16], bool *v4)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
	char text[INET6_ADDRSTRLEN];

	if (s.n == 0 || s.n >= sizeof(text) || memchr(s.p, '\0', s.n) != NULL)
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	*v4 = inet_pton(AF_INET, text, addr + 12) == 1;
	if (*v4)
		memcpy(addr, mapped, sizeof(mapped));
	return *v4 || inet_pton(AF_INET6, text, addr) == 1;
}
