/* hop - see hop.h. Servers: their life, and how they do. */
#include "smtp/hop.h"

#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "smtp/door.h"
#include "smtp/probe.h"

#define RETRY_FIRST_MS 1000
#define RETRY_LAST_MS 30000
#define SLOW_MS 1000 /* a failure that took so long is not waited for twice */

static void
on_retry(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	probe_start(arg);
}

static void
add_server(struct hop *hop, const struct smtp_server *conf)
{
	struct server *s = xcalloc(1, sizeof(*s));

	s->hop = hop;
	s->name = conf->name;
	s->addr = &conf->addr;
	s->addr_len = conf->addr_len;
	s->priority = conf->priority;
	s->weight = conf->weight;
	s->draining = conf->drain;
	must(evtimer_assign(&s->retry, loop_base(hop->smtp->loop), on_retry,
		 s) == 0);
	kept_init(&s->kept);
	TAILQ_INSERT_TAIL(&hop->servers, s, next);
}

/* Workers draw differently. Never 0, of which nothing comes. */
static uint64_t
seed_of(unsigned worker)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return ((uint64_t)now.tv_sec << 32 ^ (uint64_t)now.tv_nsec << 8 ^
		   worker) |
	    1;
}

static struct tls_client *
make_tls(const struct smtp_upstream *conf)
{
	struct tls_client *t;
	struct error e;

	if (conf->tls.level == TLS_NONE)
		return NULL;
	t = tls_client_new(&conf->tls, &e);
	if (t == NULL)
		log_error("", "tls", "upstream=%s state=not-available why=\"%s\"",
		    conf->name, e.text);
	return t;
}

void
hop_init(struct hop *hop, struct smtp *smtp, const struct smtp_upstream *conf,
    void (*probed)(struct hop *))
{
	*hop = (struct hop){ .conf = conf, .smtp = smtp, .probed = probed };
	hop->seed = seed_of(smtp->worker);
	TAILQ_INIT(&hop->servers);
	hop->tls = make_tls(conf);
	for (size_t i = 0; i < conf->n_servers; i++)
		add_server(hop, &conf->servers[i]);
	if (conf->maildir != NULL) /* our own: it takes any bytes */
		hop->known = (struct keywords){ .known = true,
			.eight_bit = true, .smtputf8 = true, .status = true };
}

void
hop_fini(struct hop *hop)
{
	struct server *s;

	while ((s = TAILQ_FIRST(&hop->servers)) != NULL) {
		probe_stop(s);
		kept_close(&s->kept);
		(void)event_del(&s->retry);
		tls_memory_forget(&s->tls);
		TAILQ_REMOVE(&hop->servers, s, next);
		free(s);
	}
	tls_client_free(hop->tls);
}

void
hop_close_kept(struct hop *hop)
{
	struct server *s;

	TAILQ_FOREACH (s, &hop->servers, next)
		kept_close(&s->kept);
}

bool
hop_is_new(const struct hop *hop)
{
	const struct server *s;

	if (hop->known.known)
		return false;
	TAILQ_FOREACH (s, &hop->servers, next)
		if (s->probe != NULL)
			return true;
	return false;
}

/* What a client may be promised, whichever of them it comes to. */
static void
learn(struct hop *hop)
{
	const struct server *s;

	hop->known = (struct keywords){ 0 };
	TAILQ_FOREACH (s, &hop->servers, next)
		if (s->known.known && !s->draining)
			keywords_join(&hop->known, &s->known);
}

void
server_answered(struct server *s, const struct keywords *k)
{
	s->known = *k;
	s->known.when_ms = loop_now_ms(s->hop->smtp->loop);
	learn(s->hop);
	if (s->failures == 0)
		return;
	s->failures = 0;
	(void)event_del(&s->retry);
	log_info("", "server", "upstream=%s server=%s state=up",
	    s->hop->conf->name, s->name);
}

/* 1 s, 2 s, 4 s ... */
static uint64_t
pause_of(unsigned failures)
{
	uint64_t ms = RETRY_FIRST_MS;

	while (--failures > 0 && ms < RETRY_LAST_MS)
		ms *= 2;
	return ms < RETRY_LAST_MS ? ms : RETRY_LAST_MS;
}

/*
 * Several mails may fail on it at once, or one after the other where all are
 * away: one failure, as long as the next probe is not due.
 */
void
server_failed(struct server *s, uint64_t took_ms, const char *why)
{
	struct loop *loop = s->hop->smtp->loop;

	s->slow = took_ms >= SLOW_MS;
	if (event_pending(&s->retry, EV_TIMEOUT, NULL))
		return;
	if (s->failures++ == 0)
		log_warn("", "server",
		    "upstream=%s server=%s state=away why=\"%s\"",
		    s->hop->conf->name, s->name, why);
	must(event_add(&s->retry,
		 loop_timeout(loop, pause_of(s->failures))) == 0);
}
