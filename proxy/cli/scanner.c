/* scanner - see scanner.h. The stages in the order a session has them. */
#include "cli/scanner.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/io.h"
#include "base/ipc.h"
#include "base/mem.h"
#include "base/must.h"
#include "engine/engine.h"
#include "mail/address.h"
#include "proxy/users.h"

struct scanner {
	const struct policy *policy;
	struct inspect_conf inspect; /* the policy's, and where to measure */
	struct users users;
	struct loop *loop;
	struct inspect_channel channel;
	struct pool *pool;
	struct spool_pool *spools;
	struct engine *engine;
	struct event died; /* SIGCHLD: the inspector's end */
	pid_t inspector;
};

/* ---- the inspector ---- */

static int
fork_inspector(struct scanner *s, int *sock, struct error *e)
{
	int pair[2];

	if (ipc_pair(pair, e) < 0)
		return -1;
	s->inspector = fork();
	if (s->inspector == 0) {
		struct error ignored;

		io_close(pair[0]);
		/* The sandbox holds without it: somebody who scans as root
		 * need not have installed the daemon's users. */
		if (s->users.switching)
			(void)users_become(&s->users, &s->users.inspector,
			    &ignored);
		inspector_main(&s->inspect, &s->channel, pair[1]);
	}
	io_close(pair[1]);
	*sock = pair[0];
	return s->inspector < 0 ? error_set(e, "fork: %s", strerror(errno)) : 0;
}

/* The pool offers what it held again, the suspect alone. */
static void
on_died(evutil_socket_t sig, short what, void *arg)
{
	struct scanner *s = arg;
	struct error e;
	int sock;

	(void)sig;
	(void)what;
	if (waitpid(s->inspector, NULL, WNOHANG) != s->inspector)
		return;
	s->inspector = -1;
	if (fork_inspector(s, &sock, &e) == 0)
		pool_attach(s->pool, sock);
}

static void
kill_inspector(void *arg)
{
	struct scanner *s = arg;

	if (s->inspector > 0)
		(void)kill(s->inspector, SIGKILL); /* gone already: as well */
}

/* ---- life ---- */

static int
begin(struct scanner *s, struct error *e)
{
	const struct policy *p = s->policy;
	/* Nobody's spool folder is asked for: what the limit allows fits. */
	struct spool_conf memory = { .dir = "/nonexistent",
		.max_memory = SIZE_MAX };
	int sock;

	if (inspect_channel_make(&s->channel, p->smtp.message_size_limit,
	    e) < 0 || fork_inspector(s, &sock, e) < 0)
		return -1;
	s->loop = loop_new();
	s->spools = spool_pool_new(&memory);
	s->pool = pool_new(s->loop, &s->inspect, &s->channel, sock,
	    kill_inspector, s);
	event_assign(&s->died, loop_base(s->loop), SIGCHLD,
	    EV_SIGNAL | EV_PERSIST, on_died, s);
	must(event_add(&s->died, NULL) == 0);
	s->engine = engine_new(s->loop, &p->engine, s->pool, s->pool,
	    NULL, e);
	return s->engine == NULL ? -1 : 0;
}

struct scanner *
scanner_new(const struct policy *p, struct rules_cost *costs, struct error *e)
{
	struct scanner *s = xcalloc(1, sizeof(*s));
	struct error ignored;

	s->policy = p;
	s->inspect = p->inspect;
	s->inspect.costs = costs;
	if (users_find(&s->users, p->daemon.user, p->daemon.inspect_user,
	    p->daemon.keeper_user, &ignored) < 0)
		s->users.switching = false; /* see fork_inspector() */
	if (begin(s, e) == 0)
		return s;
	scanner_free(s);
	return NULL;
}

void
scanner_free(struct scanner *s)
{
	if (s == NULL)
		return;
	if (s->loop != NULL)
		(void)event_del(&s->died); /* assigned: cannot fail */
	engine_free(s->engine);
	if (s->pool != NULL)
		pool_free(s->pool);
	if (s->inspector > 0) {
		(void)kill(s->inspector, SIGKILL);
		(void)waitpid(s->inspector, NULL, 0);
	}
	if (s->spools != NULL)
		spool_pool_free(s->spools);
	inspect_channel_free(&s->channel);
	loop_free(s->loop);
	free(s);
}

/* ---- what the session told ---- */

/* An address as at MAIL and RCPT, or bare as people write it. */
static int
parse(struct arena *arena, const char *text, struct address *a,
    struct error *e)
{
	const char *form = text[0] == '<' ? "%s" : "<%s>";
	char *path = arena_printf(arena, form, text);
	struct pn_str rest;

	if (path == NULL ||
	    address_parse_path(pn_str_of(path), arena, a, &rest) != ADDRESS_OK ||
	    rest.n > 0)
		return error_set(e, "\"%s\" is no address", text);
	return 0;
}

static int
set_sender(struct transaction *t, const char *text, struct error *e)
{
	struct envelope *m = &t->envelope;
	struct address a;

	if (parse(t->arena, text, &a, e) < 0)
		return -1;
	m->has_sender = true;
	m->path = a.path;
	m->address = a.address;
	m->local = a.local;
	m->domain = a.domain;
	return 0;
}

static int
add_rcpt(struct transaction *t, const char *text, struct error *e)
{
	struct address a;
	struct rcpt *r;

	if (parse(t->arena, text, &a, e) < 0)
		return -1;
	r = envelope_add_rcpt(&t->envelope, t->arena);
	if (r == NULL || a.path.n == 0)
		return error_set(e, "\"%s\" is no recipient", text);
	r->path = a.path;
	r->address = a.address;
	r->local = a.local;
	r->domain = a.domain;
	t->rcpt = r;
	return 0;
}

/* Nobody asks DNS here: what is not said is not there. */
static void
set_client(struct scanner *s, const struct scan_session *said,
    struct client *c)
{
	const struct policy *p = s->policy;

	c->ip = pn_str_of(said->client);
	c->name = pn_str_of(said->name);
	c->reverse_name = c->name;
	if (said->name != NULL)
		c->name_state = CLIENT_NAME_OK;
	else if (p->engine.ask_client_name)
		c->name_state = CLIENT_NAME_NONE;
	c->listener = pn_str_of(said->listener);
	if (said->listener == NULL && p->smtp.n_listeners > 0)
		c->listener = pn_str_of(p->smtp.listeners[0].name);
	else if (said->listener == NULL && p->milter.n_listeners > 0)
		c->listener = pn_str_of(p->milter.listeners[0].name);
}

/* ---- the message ---- */

/* Files end lines as the system does, mail by CRLF; a last line without an
 * end would be sent with one. */
static int
append_crlf(struct spool *s, struct pn_str text, struct error *e)
{
	while (text.n > 0) {
		const char *nl = memchr(text.p, '\n', text.n);
		size_t n = nl ? (size_t)(nl - text.p) : text.n;
		size_t line = nl && n > 0 && text.p[n - 1] == '\r' ? n - 1 : n;

		if (spool_append(s, pn_str_sub(text, 0, line), e) < 0 ||
		    spool_append(s, PN_STR_V("\r\n"), e) < 0)
			return -1;
		text = pn_str_sub(text, n + (nl != NULL), text.n);
	}
	return 0;
}

static int
fill_spool(struct scanner *s, struct transaction *t, struct pn_str text,
    struct error *e)
{
	size_t limit = s->policy->smtp.message_size_limit;

	if (text.n > limit) /* CRLF only adds: known before it is copied */
		return error_set(e, "larger than message_size_limit, %zu bytes",
		    limit);
	t->spool = spool_new(s->spools);
	if (append_crlf(t->spool, text, e) < 0)
		return -1;
	if (spool_size(t->spool) > limit)
		return error_set(e, "larger than message_size_limit, %zu bytes",
		    limit);
	return 0;
}

/* ---- the stages ---- */

static void
wake(struct transaction *t)
{
	struct scanner *s = t->owner;

	loop_stop(s->loop);
}

static void
stage(struct scanner *s, struct transaction *t, enum stage which)
{
	while (engine_run(s->engine, t, which) == ENGINE_PENDING)
		loop_run(s->loop);
}

static const struct verdict *
refusal(const struct transaction *t)
{
	if (verdict_refuses(&t->verdict))
		return &t->verdict;
	return verdict_refuses(&t->rcpt_verdict) ? &t->rcpt_verdict : NULL;
}

/* As the door does it: a refusal of an earlier stage is given here. */
static int
recipients(struct scanner *s, struct transaction *t,
    const struct scan_session *said, struct error *e)
{
	for (size_t i = 0; i < said->n_rcpts; i++) {
		if (add_rcpt(t, said->rcpts[i], e) < 0)
			return -1;
		stage(s, t, STAGE_RCPT);
		if (refusal(t) != NULL) {
			t->rcpt->code = refusal(t)->reply.code;
			continue;
		}
		t->rcpt->accepted = true;
		t->rcpt->code = 250;
		t->envelope.n_accepted++;
	}
	return 0;
}

static int
session(struct scanner *s, struct transaction *t,
    const struct scan_session *said, struct error *e)
{
	set_client(s, said, &t->client);
	stage(s, t, STAGE_CONNECT);
	t->client.helo = pn_str_of(said->helo);
	if (said->helo != NULL)
		t->client.helo_verb = PN_STR_V("EHLO");
	stage(s, t, STAGE_HELO);
	t->client.login = pn_str_of(said->login);
	if (set_sender(t, said->sender ? said->sender : "", e) < 0)
		return -1;
	stage(s, t, STAGE_MAIL);
	return recipients(s, t, said, e);
}

static const struct verdict *
judge(struct scanner *s, struct transaction *t,
    const struct scan_session *said)
{
	if (said->n_rcpts > 0 && t->envelope.n_accepted == 0)
		return refusal(t);
	stage(s, t, STAGE_MESSAGE);
	return &t->verdict;
}

int
scanner_scan(struct scanner *s, const struct scan_session *said,
    struct pn_str text, struct scanned *out, struct error *e)
{
	struct transaction *t = transaction_new();

	transaction_new_id(t->id, 0);
	t->wake = wake;
	t->owner = s;
	t->instead = said->instead;
	t->n_instead = said->n_given;
	if (fill_spool(s, t, text, e) < 0 || session(s, t, said, e) < 0) {
		transaction_free(t);
		return -1;
	}
	out->t = t;
	out->verdict = judge(s, t, said);
	engine_trace(s->engine, t);
	return 0;
}
