/* shortage - see shortage.h. */
#include "smtp/shortage.h"

#include <sys/resource.h>

#include "base/log.h"
#include "base/mem.h"
#include "smtp/door.h"

#define LOOK_MS 100
#define RESERVE 8 /* one of so many descriptors */

void
shortage_begin(struct smtp *s)
{
	struct rlimit r;

	s->shortage = (struct shortage){ .base = mem_in_use() };
	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < INT32_MAX)
		s->shortage.fd_most =
		    (int)(r.rlim_cur - r.rlim_cur / RESERVE);
	else
		s->shortage.fd_most = INT32_MAX;
}

static size_t
used(struct smtp *s)
{
	struct shortage *h = &s->shortage;
	uint64_t now = loop_now_ms(s->loop);
	size_t all, none;

	if (h->seen_ms != 0 && now - h->seen_ms < LOOK_MS)
		return h->used;
	all = mem_in_use();
	none = h->base + spool_pool_idle(s->pool);
	h->used = all > none ? all - none : 0;
	h->seen_ms = now;
	return h->used;
}

/* When it begins and when it ends, not each time somebody is told. */
static void
tell(struct smtp *s, bool is_short)
{
	struct shortage *h = &s->shortage;

	if (h->told == is_short)
		return;
	h->told = is_short;
	if (is_short)
		log_warn("", "memory", "state=short used=%zu most=%zu sessions=%u",
		    h->used, s->conf->limits.memory, s->n_sessions);
	else
		log_info("", "memory", "state=enough used=%zu most=%zu", h->used,
		    s->conf->limits.memory);
}

bool
shortage_for_session(struct smtp *s)
{
	size_t most = s->conf->limits.memory;
	bool is_short = most > 0 && used(s) > most - most / 8;

	tell(s, is_short);
	return is_short;
}

bool
shortage_for_mail(struct smtp *s)
{
	return s->conf->limits.memory > 0 && used(s) > s->conf->limits.memory;
}

bool
shortage_of_fds(const struct smtp *s, int fd)
{
	return fd >= s->shortage.fd_most;
}
