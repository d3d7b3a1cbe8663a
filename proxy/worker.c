/*
 * worker - see worker.h.
 *
 * Order in worker_main(): code pages sealed, parts made (the engine reads
 * resolv.conf), the sandbox closed, the door opened (libmilter's threads begin
 * there, and are in it), the master told.
 */
#include "proxy/worker.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/io.h"
#include "base/ipc.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/sandbox.h"
#include "milter/milter.h"
#include "proxy/child.h"

struct worker {
	struct worker_args args;
	struct loop *loop;
	struct ipc *master; /* NULL in --single, and when the master is dead */
	struct spool_pool *spools;
	struct lane {
		struct worker *worker;
		struct pool *pool;
	} lanes[INSPECT_LANES];
	struct keep *keep;
	struct engine *engine;
	struct smtp *smtp;     /* one door: this, ... */
	struct milter *milter; /* ... or this */
	struct event *deadline; /* of draining; NULL: not draining */
	bool late;		/* ... and it passed */
	void (*drained)(void *);
	void *drained_arg;
};

/* ---- parts ---- */

static struct worker *
parts_new(struct loop *loop, const struct worker_args *args,
    void (*kill)(void *), void *kill_arg, struct error *e)
{
	const struct policy *p = args->policy;
	struct worker *w = xcalloc(1, sizeof(*w));

	w->args = *args;
	w->loop = loop;
	w->spools = spool_pool_new(&p->spool);
	for (size_t i = 0; i < INSPECT_LANES; i++) {
		w->lanes[i].worker = w;
		w->lanes[i].pool = pool_new(loop, &p->inspect,
		    args->channels[i], args->inspectors[i], kill,
		    kill_arg ? kill_arg : &w->lanes[i]);
	}
	w->keep = keep_new(loop, args->keeper);
	w->engine = engine_new(loop, &p->engine, w->lanes[LANE_SMALL].pool,
	    w->lanes[LANE_LARGE].pool, w->keep, e);
	if (w->engine == NULL) {
		worker_free(w);
		return NULL;
	}
	return w;
}

static int
open_door(struct worker *w, struct error *e)
{
	const struct worker_args *a = &w->args;

	if (a->milter != NULL)
		w->milter = milter_new(w->loop, &a->policy->milter, a->milter,
		    a->milter_socket, w->engine, w->keep, w->spools, a->number,
		    e);
	else
		w->smtp = smtp_new(w->loop, &a->policy->smtp, a->sockets,
		    w->engine, w->keep, w->spools, a->seat, a->number);
	if (w->smtp != NULL && a->tickets != NULL)
		smtp_tickets(w->smtp, a->tickets);
	return w->smtp != NULL || w->milter != NULL ? 0 : -1;
}

static void
count_door(const struct worker *w, unsigned *now, uint64_t *sessions,
    uint64_t *messages)
{
	if (w->milter != NULL)
		milter_count(w->milter, now, sessions, messages);
	else
		smtp_count(w->smtp, now, sessions, messages);
}

struct worker *
worker_new(struct loop *loop, const struct worker_args *args,
    void (*kill)(void *), void *kill_arg, struct error *e)
{
	struct worker *w = parts_new(loop, args, kill, kill_arg, e);

	must(args->milter == NULL);
	if (w != NULL)
		must(open_door(w, e) == 0);
	return w;
}

void
worker_free(struct worker *w)
{
	if (w == NULL)
		return;
	if (w->deadline != NULL)
		event_free(w->deadline);
	if (w->smtp != NULL)
		smtp_free(w->smtp);
	engine_free(w->engine);
	for (size_t i = 0; i < INSPECT_LANES; i++)
		pool_free(w->lanes[i].pool);
	keep_free(w->keep);
	spool_pool_free(w->spools);
	ipc_free(w->master);
	free(w);
}

/* ---- draining ---- */

/* How much is cut off by leaving now. */
static unsigned
hurry(struct worker *w)
{
	return w->milter != NULL ? milter_hurry(w->milter)
				 : smtp_hurry(w->smtp);
}

static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	unsigned left = hurry(w);

	(void)fd;
	(void)what;
	w->late = left > 0;
	if (w->late)
		log_warn("", "drain", "result=timeout generation=%u left=%u",
		    w->args.generation, left);
	w->drained(w->drained_arg);
}

/* Sockets are closed, too, so that another posternd can bind them, whatever we
 * still finish. */
static void
close_door(struct worker *w)
{
	if (w->milter != NULL) {
		milter_drain(w->milter, w->drained, w->drained_arg);
		io_close(w->args.milter_socket);
		return;
	}
	smtp_drain(w->smtp, w->drained, w->drained_arg);
	for (size_t i = 0; i < w->args.policy->smtp.n_listeners; i++)
		io_close(w->args.sockets[i]);
}

void
worker_drain(struct worker *w, void (*drained)(void *), void *arg)
{
	uint64_t ms = w->args.policy->daemon.drain_timeout_ms;
	struct timeval tv = { (time_t)(ms / 1000),
		(suseconds_t)(ms % 1000 * 1000) };

	if (w->deadline != NULL)
		return; /* both the order and the master's death ask for it */
	w->drained = drained;
	w->drained_arg = arg;
	w->deadline = evtimer_new(loop_base(w->loop), on_deadline, w);
	must(w->deadline != NULL && event_add(w->deadline, &tv) == 0);
	close_door(w);
}

/* ---- the process ---- */

static void
on_drained(void *arg)
{
	struct worker *w = arg;
	unsigned now;
	uint64_t sessions, messages;

	count_door(w, &now, &sessions, &messages);
	if (!w->late)
		log_info("", "drain",
		    "result=done generation=%u sessions=%llu messages=%llu",
		    w->args.generation, (unsigned long long)sessions,
		    (unsigned long long)messages);
	/* Summaries that wait for their batch leave now. */
	keep_free(w->keep);
	_exit(0);
}

/* Other ones from now on. */
static void
take_tickets(struct worker *w, const void *body, size_t n)
{
	struct tls_tickets t;

	if (w->smtp == NULL || n != sizeof(t))
		return;
	memcpy(&t, body, n); /* body need not be aligned */
	smtp_tickets(w->smtp, &t);
	explicit_bzero(&t, sizeof(t));
}

static void
on_message(
    void *arg, uint32_t type, uint64_t id, const void *body, size_t n, int fd)
{
	struct worker *w = arg;

	switch (type) {
	case CHILD_TICKETS:
		io_close(fd);
		take_tickets(w, body, n);
		break;
	case CHILD_INSPECTOR:
		if (fd >= 0 && id < INSPECT_LANES)
			pool_attach(w->lanes[id].pool, fd);
		else
			io_close(fd);
		break;
	case CHILD_KEEPER:
		if (fd >= 0)
			keep_attach(w->keep, fd);
		break;
	case MASTER_LOG:
		if (fd >= 0)
			log_take(fd);
		break;
	case MASTER_DRAIN:
		io_close(fd);
		worker_drain(w, on_drained, w);
		break;
	default:
		io_close(fd);
		log_warn("", "ipc", "from=master unknown_type=%u", type);
	}
}

static void
on_closed(void *arg)
{
	struct worker *w = arg;

	ipc_free(w->master);
	w->master = NULL;
	log_warn("", "master", "state=gone generation=%u", w->args.generation);
	worker_drain(w, on_drained, w);
}

static const struct ipc_ops master_ops = { on_message, on_closed };

static void
ask_kill(void *arg)
{
	const struct lane *l = arg;
	struct worker *w = l->worker;

	if (w->master != NULL)
		(void)ipc_send(w->master, CHILD_KILL_INSPECTOR,
		    (uint64_t)(l - w->lanes), NULL, 0, -1);
}

/* What resolver and log may still want to read. */
static int
confine(const struct worker *w, struct error *e)
{
	static const char *const readable[] = { "/etc", NULL };
	const char *const writable[] = { w->args.policy->spool.dir, NULL };

	return sandbox_confine(writable, readable, e);
}

_Noreturn static void
give_up(const struct error *e)
{
	log_error(
	    "", "child", "state=failed error=\"%s\"", VIS(pn_str_of(e->text)));
	_exit(EX_OSERR);
}

_Noreturn void
worker_main(const struct worker_args *args)
{
	struct error e;
	struct worker *w;

	if (sandbox_seal_code(&e) < 0)
		give_up(&e);
	w = parts_new(loop_new(), args, ask_kill, NULL, &e);
	if (w == NULL || confine(w, &e) < 0)
		give_up(&e);
	w->master = ipc_new(w->loop, args->master, &master_ops, w);
	if (open_door(w, &e) < 0)
		give_up(&e);
	/* Or our levels would be missing, once the generation before has gone. */
	keep_tell_stats(w->keep);
	(void)ipc_send(w->master, CHILD_READY, 0, NULL, 0, -1);
	loop_run(w->loop);
	must(!"a worker's loop ends by _exit");
	abort();
}
