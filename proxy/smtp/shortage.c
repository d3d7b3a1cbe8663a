/* shortage - see shortage.h. */
#include "smtp/shortage.h"

#include <sys/resource.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "smtp/door.h"

#define LOOK_MS 100
#define LOOK_SHARE 100 /* one part of the time may go for looking */
#define RESERVE 8 /* one of so many descriptors */

/* Resident bytes of this process, at most so far. */
static size_t
peak(void)
{
	struct rusage r;

	return getrusage(RUSAGE_SELF, &r) == 0 ? (size_t)r.ru_maxrss * 1024
					       : SIZE_MAX;
}

void
shortage_begin(struct smtp *s)
{
	struct rlimit r;

	s->shortage = (struct shortage){ .base = mem_in_use(),
		.peak = peak() };
	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < INT32_MAX)
		s->shortage.fd_most =
		    (int)(r.rlim_cur - r.rlim_cur / RESERVE);
	else
		s->shortage.fd_most = INT32_MAX;
}

/* How many ms of the processor it took: on a busy machine it may stand still
 * meanwhile, and is not to be blind for a hundred times that. */
static uint64_t
look(struct smtp *s)
{
	struct timespec from, to;
	size_t all, none = s->shortage.base + spool_pool_idle(s->pool);
	int64_t ns;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
	all = mem_in_use();
	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
	s->shortage.used = all > none ? all - none : 0;
	ns = (int64_t)(to.tv_sec - from.tv_sec) * 1000000000 + to.tv_nsec -
	    from.tv_nsec;
	return (uint64_t)(ns + 999999) / 1000000;
}

static size_t
most_for_sessions(const struct smtp *s)
{
	return s->conf->limits.memory - s->conf->limits.memory / 8;
}

static size_t
used(struct smtp *s)
{
	struct shortage *h = &s->shortage;
	uint64_t now = loop_now_ms(s->loop), took = 0;

	if (now < h->next_ms)
		return h->used;
	if (peak() - h->peak > most_for_sessions(s))
		took = look(s);
	h->next_ms = now + (took * LOOK_SHARE > LOOK_MS ? took * LOOK_SHARE
							: LOOK_MS);
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
	bool is_short = s->conf->limits.memory > 0 &&
	    used(s) > most_for_sessions(s);

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
