/* mx - see mx.h. */
#include "smtp/mx.h"

#include <stdlib.h>

/* "10 mx.example.com"; the root, a null MX, is "". */
static bool
read_one(struct pn_str answer, struct mx_host *h)
{
	size_t i = 0;

	h->preference = 0;
	for (; i < answer.n && answer.p[i] >= '0' && answer.p[i] <= '9'; i++)
		h->preference =
		    h->preference * 10 + (unsigned)(answer.p[i] - '0');
	return domain_ascii(pn_str_sub(answer, i + 1, answer.n), h->name);
}

static size_t
worst(const struct mx_host *hosts, size_t n)
{
	size_t at = 0;

	for (size_t i = 1; i < n; i++)
		if (hosts[i].preference > hosts[at].preference)
			at = i;
	return at;
}

static int
by_preference(const void *a, const void *b)
{
	const struct mx_host *x = a, *y = b;

	return (x->preference > y->preference) -
	    (x->preference < y->preference);
}

/* Of more than we look up, those with the highest preference are left out: they
 * would be asked last. */
static void
add(struct mx_host *hosts, size_t *n, const struct mx_host *h)
{
	size_t last;

	if (*n < MX_HOSTS_MAX) {
		hosts[(*n)++] = *h;
		return;
	}
	last = worst(hosts, *n);
	if (h->preference < hosts[last].preference)
		hosts[last] = *h;
}

enum mx_meaning
mx_read(const struct pn_str *answers, size_t n,
    struct mx_host hosts[MX_HOSTS_MAX], size_t *n_hosts)
{
	bool null = false;

	*n_hosts = 0;
	for (size_t i = 0; i < n; i++) {
		struct mx_host h;

		if (!read_one(answers[i], &h))
			continue;
		if (h.name[0] == '\0')
			null = true; /* beside others it means nothing */
		else
			add(hosts, n_hosts, &h);
	}
	if (*n_hosts > 0)
		qsort(hosts, *n_hosts, sizeof(*hosts), by_preference);
	return null && *n_hosts == 0 ? MX_NOBODY : MX_HOSTS;
}
