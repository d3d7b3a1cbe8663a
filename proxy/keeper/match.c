/* match - see match.h. Called by query.c, history_search.c and
 * quarantine_json.c. */
#include "keeper/match.h"

#include "base/ip.h"

#define V4_PREFIX 96 /* bits of ::ffff:0:0 before an IPv4 address */

bool
match_address(struct pn_str wanted, struct pn_str address)
{
	if (wanted.n > 0 && wanted.p[0] == '@' && address.n > wanted.n)
		address = pn_str_sub(address, address.n - wanted.n, wanted.n);
	return pn_str_caseeq(wanted, address);
}

bool
match_addresses(struct pn_str wanted, struct pn_str list)
{
	while (list.n > 0) {
		const char *comma = memchr(list.p, ',', list.n);
		size_t n = comma ? (size_t)(comma - list.p) : list.n;

		if (match_address(wanted, pn_str_sub(list, 0, n)))
			return true;
		list = pn_str_sub(list, n + (comma != NULL), list.n);
	}
	return false;
}

bool
match_text(struct pn_str wanted, struct pn_str text)
{
	for (size_t i = 0; i + wanted.n <= text.n; i++)
		if (pn_str_caseeq(wanted, pn_str_sub(text, i, wanted.n)))
			return true;
	return false;
}

static bool
prefix_of(struct pn_str digits, unsigned most, unsigned *prefix)
{
	*prefix = 0;
	if (digits.n == 0 || digits.n > 3)
		return false;
	for (size_t i = 0; i < digits.n; i++) {
		if (digits.p[i] < '0' || digits.p[i] > '9')
			return false;
		*prefix = *prefix * 10 + (unsigned)(digits.p[i] - '0');
	}
	return *prefix <= most;
}

bool
match_net_parse(struct pn_str s, struct match_net *net)
{
	const char *slash = s.n ? memchr(s.p, '/', s.n) : NULL;
	size_t n = slash ? (size_t)(slash - s.p) : s.n;
	bool v4;

	if (!ip_parse(pn_str_sub(s, 0, n), net->addr, &v4))
		return false;
	net->prefix = v4 ? 32 : 128;
	if (slash != NULL &&
	    !prefix_of(pn_str_sub(s, n + 1, s.n), net->prefix, &net->prefix))
		return false;
	net->prefix += v4 ? V4_PREFIX : 0;
	return true;
}

bool
match_net(const struct match_net *net, struct pn_str ip)
{
	unsigned char addr[16];
	unsigned whole = net->prefix / 8, rest = net->prefix % 8;
	bool v4;

	if (!ip_parse(ip, addr, &v4) || memcmp(addr, net->addr, whole) != 0)
		return false;
	return rest == 0 ||
	    (addr[whole] ^ net->addr[whole]) >> (8 - rest) == 0;
}
