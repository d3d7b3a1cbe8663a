/*
 * reload - see reload.h.
 *
 *   asked, SIGHUP or a map that changed -> load -> the rules' tests in a
 *   candidate (check.c) -> a generation like any, which master.c starts
 *
 * A policy that is wrong at any of these steps changes nothing.
 */
#include "proxy/reload.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/pack.h"
#include "proxy/check.h"
#include "proxy/notify.h"

/* A checker's own budget and time to say so. */
#define CHECKER_MS (CHECK_BUDGET_MS + 3000)

/* ---- who asked ---- */

void
reload_answer(struct master *m, uint64_t id, bool ok, const char *text)
{
	struct buf b = { 0 };

	if (m->keeper.ipc == NULL)
		return;
	pack_u8(&b, ok);
	pack_str(&b, pn_str_of(text));
	(void)ipc_send(
	    m->keeper.ipc, MASTER_RELOADED, id, buf_data(&b), buf_len(&b), -1);
	buf_fini(&b);
}

static void
answer_askers(struct master *m, bool ok, const char *text)
{
	for (unsigned i = 0; i < m->askers.n; i++)
		reload_answer(m, m->askers.id[i], ok, text);
	m->askers.n = 0;
}

static void
notify_serving(const struct generation *g)
{
	char text[128];

	(void)snprintf(text, sizeof(text),
	    "READY=1\nMAINPID=%d\nSTATUS=generation %u serves", (int)getpid(),
	    g->number);
	notify(text);
}

void
reload_failed(struct master *m, const char *why)
{
	const struct generation *g = generations_serving(&m->generations);
	char seen[900];

	m->reloads_failed++;
	log_error("", "reload", "result=failed error=\"%s\"",
	    vis(seen, sizeof(seen), pn_str_of(why)));
	answer_askers(m, false, why);
	if (g != NULL)
		notify_serving(g);
}

/* What the keeper of before should know of it: it outlives generations. */
static void
send_settings(struct master *m, const struct policy *p)
{
	struct buf b = { 0 };

	if (m->keeper.ipc == NULL)
		return; /* the next one is forked with them */
	keeper_settings_pack(&p->keeper.settings, &b);
	(void)ipc_send(m->keeper.ipc, MASTER_SETTINGS, 0, buf_data(&b),
	    buf_len(&b), -1);
	buf_fini(&b);
}

void
reload_done(struct master *m, const struct generation *g)
{
	if (g->number > 1) {
		m->reloads++;
		log_info("", "reload", "result=ok generation=%u", g->number);
		send_settings(m, g->policy);
	}
	answer_askers(m, true, "");
	notify_serving(g);
}

/* ---- what the checker says ---- */

static void
checker_message(
    void *arg, uint32_t type, uint64_t id, const void *body, size_t n, int fd)
{
	struct master *m = arg;
	struct reload *r = &m->reload;
	struct unpack u = unpack_of(body, n);
	uint8_t ok = unpack_u8(&u);
	struct pn_str why = unpack_str(&u);

	(void)id;
	io_close(fd);
	if (type != CHILD_CHECKED || !unpack_done(&u))
		return;
	r->answered = true;
	r->passed = ok;
	(void)snprintf(r->why, sizeof(r->why), "%.*s", PN_STR_ARG(why));
}

/* Its answer was read before its end: that end is where we go on. */
static void
checker_closed(void *arg)
{
	struct master *m = arg;
	struct reload *r = &m->reload;

	ipc_free(r->ipc);
	r->ipc = NULL;
	if (!r->answered) {
		r->answered = true;
		r->passed = false;
		(void)snprintf(r->why, sizeof(r->why),
		    "the process that ran the policy's tests died");
	}
	master_kick(m);
}

const struct ipc_ops checker_ops = { checker_message, checker_closed };

/* ---- loading ---- */

void
reload_drop(struct master *m)
{
	struct reload *r = &m->reload;

	if (r->checker != 0)
		(void)kill(r->checker, SIGKILL);
	ipc_free(r->ipc);
	policy_free(r->policy);
	free(r->sockets);
	*r = (struct reload){ 0 };
	sockets_discard(&m->sockets);
}

static bool
same_list(const char *const *a, const char *const *b)
{
	for (; *a != NULL && *b != NULL; a++, b++)
		if (strcmp(*a, *b) != 0)
			return false;
	return *a == *b;
}

/* The keeper and who runs as whom outlive generations. */
static int
check_unchanged(
    const struct policy *old, const struct policy *new, struct error *e)
{
	const struct daemon_conf *a = &old->daemon, *b = &new->daemon;
	const char *what = NULL;

	if (strcmp(a->user, b->user) != 0)
		what = "user";
	else if (strcmp(a->inspect_user, b->inspect_user) != 0)
		what = "inspect_user";
	else if (strcmp(a->keeper_user, b->keeper_user) != 0)
		what = "keeper_user";
	else if (strcmp(a->control, b->control) != 0)
		what = "control";
	else if (strcmp(a->metrics ? a->metrics : "",
		     b->metrics ? b->metrics : "") != 0)
		what = "metrics";
	else if (strcmp(old->keeper.state_dir, new->keeper.state_dir) != 0)
		what = "state";
	else if (!same_list(old->keeper.maildirs, new->keeper.maildirs))
		what = "deliver maildir";
	return what ? error_set(e, "\"%s\" changed: that needs a restart", what)
		    : modules_unchanged(&old->modules, &new->modules, e);
}

static int
reload_load(struct master *m, struct error *e)
{
	struct reload *r = &m->reload;
	const struct policy *now = generations_serving(&m->generations)->policy;
	const struct rules_test *tests;
	struct doors doors;

	if ((r->policy = policy_load(m->path, e)) == NULL)
		return -1;
	if (r->policy->unread != NULL)
		return error_set(e, "%s", r->policy->unread);
	if (check_unchanged(now, r->policy, e) < 0)
		return -1;
	doors = policy_doors(r->policy);
	r->sockets = sockets_new(&doors);
	if (master_socket_folders(m, r->policy, e) < 0 ||
	    sockets_open(&m->sockets, &doors, r->sockets, e) < 0 ||
	    users_folder(
		&m->users, r->policy->spool.dir, &m->users.worker, 0700, e) < 0)
		return -1;
	r->deadline = loop_now_ms(m->loop) + CHECKER_MS;
	if (rules_tests(r->policy->rules, &tests) > 0)
		return spawn_checker(m, e);
	r->answered = r->passed = true; /* nothing to ask */
	return 0;
}

/* sd_notify(3), Type=notify-reload: the moment is told, too. */
static void
notify_reloading(void)
{
	struct timespec now;
	char text[64];

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail */
	(void)snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%llu",
	    (unsigned long long)now.tv_sec * 1000000 +
		(unsigned long long)now.tv_nsec / 1000);
	notify(text);
}

static void
reload_begin(struct master *m)
{
	struct error e;

	m->reload_wanted = false;
	m->askers = m->next_askers;
	m->next_askers.n = 0;
	notify_reloading();
	if (reload_load(m, &e) < 0) {
		reload_drop(m);
		reload_failed(m, e.text);
	}
}

/* ---- maps ---- */

/* Not while a reload is under way: it may have read what changed already. */
bool
reload_may_look(const struct master *m)
{
	return m->reload.policy == NULL && generations_starting(&m->generations) == NULL &&
	       generations_serving(&m->generations) != NULL;
}

/* A map that changed is a reload like any. */
static void
look_at_maps(struct master *m)
{
	const struct generation *g = generations_serving(&m->generations);
	const char *changed;
	char path[512];

	if (!reload_may_look(m))
		return;
	changed = watch_look(
	    &m->watch, g->policy->daemon.map_check_ms, loop_now_ms(m->loop));
	if (changed == NULL)
		return;
	log_info("", "map", "state=changed file=\"%s\"",
	    vis(path, sizeof(path), pn_str_of(changed)));
	m->reload_wanted = true;
}

/* ---- one step ---- */

static void
advance(struct master *m)
{
	struct reload *r = &m->reload;
	struct error e;

	if (r->policy == NULL && m->reload_wanted &&
	    generations_starting(&m->generations) == NULL &&
	    generations_serving(&m->generations) != NULL)
		reload_begin(m);
	if (r->policy == NULL)
		return;
	if (!r->answered && loop_now_ms(m->loop) >= r->deadline) {
		r->answered = true;
		(void)snprintf(r->why, sizeof(r->why),
		    "the policy's tests did not end in time");
	}
	if (r->answered && !r->passed) {
		(void)error_set(&e, "%s", r->why);
		reload_drop(m);
		reload_failed(m, e.text);
	}
}

bool
reload_advance(struct master *m, const struct policy **policy, int **sockets)
{
	struct reload *r = &m->reload;

	look_at_maps(m);
	advance(m);
	if (r->policy == NULL || !r->passed)
		return false;
	*policy = r->policy;
	*sockets = r->sockets;
	*r = (struct reload){ .checker = r->checker };
	return true;
}
