/*
 * milter - see milter.h: libmilter's thread, its listening socket, and how it
 * is left behind.
 *
 * Draining: libmilter's listener polls its socket by number and looks at the
 * number again each time. A dead listening socket put over it makes it find
 * nobody any more, while conversations go on; smfi_stop() would break them.
 */
#include "milter/milter.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <libmilter/mfapi.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "milter/conversation.h"
#include "rules/rules.h"

#define BACKLOG 1024
#define TICK_MS 100
/* A connection that libmilter has just accepted has called nothing yet, and its
 * own threads do not tell of it: so long it must have been quiet. */
#define GRACE_TICKS 3
#define REBIND_MS 100
#define REBIND_TRIES 300

/* The one of this process (milter.h); set before libmilter's thread is made. */
static struct milter *the_door;

struct milter *
milter_door(void)
{
	return the_door;
}

/* ---- libmilter ---- */

_Noreturn static void
give_up(const struct milter *m, const char *why)
{
	log_error("", "milter", "listener=%s why=\"%s\"", m->listener->name,
	    why);
	_exit(EX_OSERR); /* the master makes another one */
}

#ifndef HAVE_MILTER_FD
/* libmilter does not tell the number of what it listens on. */
static bool
is_listening(int fd, const struct milter_listener *l)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t n = sizeof(ss), int_n = sizeof(int);
	int yes = 0;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &int_n) == 0 &&
	    yes && getsockname(fd, (struct sockaddr *)&ss, &n) == 0 &&
	    memcmp(&ss, &l->addr, sizeof(ss)) == 0;
}

/* The address may still be an older generation's, until that is told that we
 * are there. */
static bool
bind_again(struct milter *m)
{
	struct timespec pause = { .tv_nsec = REBIND_MS * 1000000L };

	for (int i = 0; smfi_opensocket(true) != MI_SUCCESS; i++) {
		if (i == REBIND_TRIES)
			give_up(m, "cannot bind");
		(void)nanosleep(&pause, NULL);
		if (atomic_load(&m->leaving))
			return false;
	}
	for (int fd = 0; fd < FD_SETSIZE; fd++)
		if (is_listening(fd, m->listener))
			atomic_store(&m->socket, fd);
	return true;
}
#endif

static void *
run(void *arg)
{
	struct milter *m = arg;

#ifndef HAVE_MILTER_FD
	if (!bind_again(m))
		return NULL;
#endif
	(void)smfi_main();
	give_up(m, "libmilter came to an end");
}

static int
configure(struct milter *m, struct error *e)
{
	struct smfiDesc callbacks = talk_callbacks;
	char where[256];

#ifdef HAVE_MILTER_FD
	(void)snprintf(where, sizeof(where), "fd:%d",
	    atomic_load(&m->socket));
#else
	(void)snprintf(where, sizeof(where), "%s", m->listener->name);
#endif
	if (smfi_register(callbacks) != MI_SUCCESS ||
	    smfi_setconn(where) != MI_SUCCESS ||
	    smfi_setbacklog(BACKLOG) != MI_SUCCESS)
		return error_set(e, "libmilter takes no listener %s", where);
	return 0;
}

/* ---- draining ---- */

/* Bound to a name that nobody knows: the kernel picks it. */
static int
dead_socket(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	must(fd >= 0);
	must(bind(fd, (struct sockaddr *)&un, sizeof(un.sun_family)) == 0);
	must(listen(fd, 1) == 0);
	return fd;
}

static void
look_again(struct milter *m)
{
	must(event_add(&m->drain, loop_timeout(m->loop, TICK_MS)) == 0);
}

static void
on_drain(evutil_socket_t fd, short what, void *arg)
{
	struct milter *m = arg;

	(void)fd;
	(void)what;
	if (atomic_load(&m->n_conversations) > 0 ||
	    lend_connections(m->lend) > 0)
		m->quiet_ticks = 0;
	else if (m->quiet_ticks++ == GRACE_TICKS) {
		m->drained(m->drained_arg);
		return;
	}
	look_again(m);
}

void
milter_drain(struct milter *m, void (*drained)(void *), void *arg)
{
	int dead = dead_socket(), fd;

	MUST_BE(m, MILTER);
	m->drained = drained;
	m->drained_arg = arg;
	atomic_store(&m->leaving, true);
	fd = atomic_load(&m->socket);
	if (fd >= 0) {
		lend_forget(m->lend, fd);
		must(dup2(dead, fd) == fd);
	}
	io_close(dead);
	look_again(m);
}

unsigned
milter_hurry(const struct milter *m)
{
	unsigned conversations = atomic_load(&m->n_conversations);

	return conversations > 0 ? conversations : lend_connections(m->lend);
}

/* ---- the door ---- */

/* What the MTA has to let us do, for what rules may want. */
static unsigned long
actions_of(const struct engine_needs *n)
{
	static const struct {
		enum rules_action action;
		unsigned long flags;
	} table[] = {
		{ RULES_HEADER, SMFIF_ADDHDRS | SMFIF_CHGHDRS },
		{ RULES_SUBJECT_PREFIX, SMFIF_ADDHDRS | SMFIF_CHGHDRS },
		{ RULES_STRIP, SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_CHGBODY },
		{ RULES_REDIRECT, SMFIF_ADDRCPT | SMFIF_DELRCPT },
		{ RULES_COPY, SMFIF_ADDRCPT_PAR },
		{ RULES_RCPT_ADD, SMFIF_ADDRCPT_PAR },
		{ RULES_RCPT_REMOVE, SMFIF_DELRCPT },
		{ RULES_SENDER, SMFIF_CHGFROM },
		{ RULES_HOLD, SMFIF_QUARANTINE },
	};
	unsigned long want = n->marks ? SMFIF_ADDHDRS : 0;

	for (size_t i = 0; i < PN_COUNT(table); i++)
		if (n->actions & UINT32_C(1) << table[i].action)
			want |= table[i].flags;
	return want;
}

/*
 * Some message's body may be of no use to anybody, though others' are: each
 * chunk is answered then, so that the rest can be skipped. Only what somebody
 * allows can be such a message, or one of a policy that looks at none.
 */
static bool
may_skip(const struct engine_conf *conf)
{
	const struct engine_needs *n = &conf->needs;
	size_t policies = conf->rules != NULL ? rules_policies(conf->rules) : 0;
	bool allows = n->actions & UINT32_C(1) << RULES_ALLOW;

	for (size_t i = 0; i < policies && !n->every_body; i++)
		if (!n->policies[i].body ||
		    (allows && !n->policies[i].body_always))
			return n->body;
	return false;
}

static struct offer_needs
needs_of(const struct engine_conf *conf, const struct milter_listener *l)
{
	struct offer_needs mine = { .header = conf->needs.header,
		.body = conf->needs.body,
		.answers_chunks = may_skip(conf),
		.tcp = l->addr.ss_family != AF_UNIX,
		.actions = actions_of(&conf->needs) };

	for (size_t i = 0; i < STAGES; i++)
		mine.stages[i] = conf->needs.stages[i];
	return mine;
}

/* libmilter's own number: the caller may close his. */
static int
take_socket(struct milter *m, int fd, struct error *e)
{
#ifdef HAVE_MILTER_FD
	int mine = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	atomic_store(&m->socket, mine);
	return mine >= 0 ? 0 : error_errno(e, "%s", m->listener->name);
#else
	(void)fd;
	(void)e;
	atomic_store(&m->socket, -1); /* bind_again() knows */
	return 0;
#endif
}

struct milter *
milter_new(struct loop *loop, const struct milter_conf *conf,
    const struct milter_listener *listener, int fd, struct engine *engine,
    struct keep *keep, struct spool_pool *pool, unsigned worker,
    struct error *e)
{
	struct milter *m = xcalloc(1, sizeof(*m));

	must(the_door == NULL);
	m->magic = MILTER_MAGIC;
	m->loop = loop;
	m->conf = conf;
	m->listener = listener;
	m->engine = engine;
	m->keep = keep;
	m->pool = pool;
	m->worker = worker;
	count_init(&m->count, keep_stats(keep));
	m->needs = needs_of(conf->engine, listener);
	talk_init(m);
	must(pthread_mutex_init(&m->agreed_lock, NULL) == 0);
	must(event_assign(&m->drain, loop_base(loop), -1, 0, on_drain, m) == 0);
	the_door = m;
	m->lend = lend_new(loop, e);
	if (m->lend != NULL && take_socket(m, fd, e) == 0 &&
	    configure(m, e) == 0 && lend_start(m->lend, run, m, e) == 0)
		return m;
	return NULL; /* and its process ends */
}

void
milter_count(const struct milter *m, unsigned *now, uint64_t *sessions,
    uint64_t *messages)
{
	*now = atomic_load(&m->n_conversations);
	*sessions = m->all_conversations;
	*messages = m->all_messages;
}
