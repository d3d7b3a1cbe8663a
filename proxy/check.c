/*
 * check - see check.h. A test's message goes to the inspector as a worker
 * would send it; what the worker would know comes from the test's `with`, and
 * what that does not say is unknown.
 */
#include "proxy/check.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/io.h"
#include "base/ipc.h"
#include "base/mem.h"
#include "base/must.h"
#include "mail/verdict.h"

#define ARENA_MAX (32u << 20) /* of one test's findings and verdict */

struct check {
	const struct policy *policy;
	struct loop *loop;
	struct pool *pool;
	struct spool_pool *spools;
	struct inspect_channel channel;
	struct rules_run *run;
	pid_t inspector;
	struct event *budget, *child;
	struct error ended; /* why no more can be tested; "": it can */
	/* of the test at hand */
	const struct rules_test *test;
	size_t size;
	bool found;
	struct findings findings;
};

/* ---- facts ---- */

static const struct value *
given(
    const struct rules_test *t, uint32_t fact, struct pn_str key, unsigned nth)
{
	for (size_t i = 0; i < t->n_given; i++)
		if (t->given[i].fact == fact &&
		    pn_str_caseeq(t->given[i].key, key) && nth-- == 0)
			return &t->given[i].value;
	return NULL;
}

static bool
is_given(const struct rules_test *t, uint32_t fact)
{
	for (size_t i = 0; i < t->n_given; i++)
		if (t->given[i].fact == fact)
			return true;
	return false;
}

static struct value
known_bool(bool b)
{
	return (struct value){
		.state = VALUE_KNOWN, .type = VALUE_BOOL, .number = b
	};
}

/* What the message itself tells the engine. */
static bool
core(const struct check *c, uint32_t fact, struct value *out)
{
	if (fact == FACT_SIZE)
		*out = (struct value){ .state = VALUE_KNOWN,
			.type = VALUE_NUMBER,
			.number = (int64_t)c->size };
	else if (fact == FACT_MIME_AMBIGUOUS)
		*out = known_bool(c->findings.defects & PN_DEFECT_AMBIGUOUS);
	else if (fact == FACT_INSPECT_FAILED || fact == FACT_NORMALISED)
		*out = known_bool(false);
	else
		return false;
	return true;
}

static void
get(void *arg, uint32_t fact, uint32_t thing, struct pn_str key, unsigned nth,
    struct value *out)
{
	const struct check *c = arg;
	const struct value *v = given(c->test, fact, key, nth);

	*out = (struct value){ .state = VALUE_ABSENT };
	if (v != NULL)
		*out = *v;
	else if (is_given(c->test, fact))
		return; /* no more of them */
	else if (c->policy->chain.facts[fact].content)
		facts_found(c->findings.facts, c->findings.n_facts,
		    c->findings.truncated, fact, thing, nth, out);
	else if (nth == 0 && !core(c, fact, out))
		out->state = VALUE_UNKNOWN;
}

static uint32_t
n_things(void *arg, const char *thing)
{
	const struct check *c = arg;

	return facts_things(c->findings.things, thing)->n;
}

static uint32_t
depth(void *arg, const char *thing, uint32_t n)
{
	const struct check *c = arg;
	const struct fact_things *t = facts_things(c->findings.things, thing);

	must(n < t->n);
	return t->v[n].depth;
}

/* ---- one test ---- */

struct outcome {
	enum verdict_action action;
	struct pn_str rule; /* that decided */
	bool fired;	    /* the test's own rule did */
};

static void
join(
    struct outcome *o, const struct rules_test *t, const struct rules_result *r)
{
	for (size_t i = 0; i < r->n_effects; i++) {
		const struct rules_effect *f = &r->effects[i];

		if (f->shadow)
			continue; /* another's: its own is tested as live */
		if (pn_str_eq(f->rule, t->rule))
			o->fired = true;
		if (engine_action(f) > o->action) {
			o->action = engine_action(f);
			o->rule = f->rule;
		}
	}
}

static int
judge(struct check *c, struct arena *arena, struct outcome *o, struct error *e)
{
	struct rules_facts facts = { c, get, n_things, depth };

	struct rules_result of[STAGE_MESSAGE + 1];
	const struct rules_result *earlier[STAGE_MESSAGE];
	const struct rules *rules = c->policy->rules;

	*o = (struct outcome){ .action = VERDICT_ACCEPT };
	rules_run_live(c->run, c->test);
	for (unsigned stage = STAGE_CONNECT; stage <= STAGE_MESSAGE; stage++) {
		unsigned policy =
		    rules_policy_at(rules, c->test->policy, stage);

		if (rules_judge(rules, c->run, policy, stage, &facts,
			stage == STAGE_MESSAGE ? c->findings.answers : NULL,
			earlier, stage, arena, &of[stage]) < 0)
			return error_set(e, "it needs more memory than a "
					    "message may use");
		join(o, c->test, &of[stage]);
		if (stage < STAGE_MESSAGE)
			earlier[stage] = &of[stage];
	}
	return 0;
}

/* The expected word and what came instead. */
static int
compare(const struct check *c, const struct outcome *o, struct error *e)
{
	struct pn_str want = c->test->expect;
	const char *got = verdict_action_name(o->action);

	if (pn_str_eq(want, PN_STR_V("fires")) ||
	    pn_str_eq(want, PN_STR_V("silent"))) {
		if (o->fired == pn_str_eq(want, PN_STR_V("fires")))
			return 0;
		return error_set(
		    e, "the rule %s", o->fired ? "fired" : "did not fire");
	}
	if (pn_str_eq(want, pn_str_of(got)))
		return 0;
	return o->rule.n > 0
		   ? error_set(e, "the verdict is %s (rule %.*s), not %.*s",
			 got, PN_STR_ARG(o->rule), PN_STR_ARG(want))
		   : error_set(e, "the verdict is %s, not %.*s", got,
			 PN_STR_ARG(want));
}

static void
on_findings(void *arg, enum pool_result result, const struct findings *f)
{
	struct check *c = arg;

	c->found = result == POOL_FOUND;
	if (c->found)
		c->findings = *f;
	loop_stop(c->loop);
}

static int
inspect(
    struct check *c, struct spool *spool, struct arena *arena, struct error *e)
{
	struct pool_job *job;

	c->found = false;
	c->findings = (struct findings){ 0 };
	job = pool_submit(c->pool, spool, arena, on_findings, c);
	if (job == NULL)
		return error_set(e, "there is no inspector");
	loop_run(c->loop);
	if (c->ended.text[0] != '\0') {
		pool_cancel(job);
		*e = c->ended;
		return -1;
	}
	return c->found ? 0 : error_set(e, "the inspector broke");
}

/* Files on disk end lines as the system does, mail by CRLF. */
static int
append_crlf(struct spool *s, struct pn_str text, struct error *e)
{
	while (text.n > 0) {
		const char *nl = memchr(text.p, '\n', text.n);
		size_t n = nl ? (size_t)(nl - text.p) : text.n;
		size_t line = n > 0 && nl && text.p[n - 1] == '\r' ? n - 1 : n;

		if (spool_append(s, pn_str_sub(text, 0, line), e) < 0 ||
		    (nl != NULL && spool_append(s, PN_STR_V("\r\n"), e) < 0))
			return -1;
		text = pn_str_sub(text, nl ? n + 1 : n, text.n);
	}
	return 0;
}

static int
run_test(struct check *c, struct pn_str text, struct error *e)
{
	struct arena *arena = arena_new(ARENA_MAX);
	struct spool *spool = spool_new(c->spools);
	struct outcome o;
	int done = -1;

	if (append_crlf(spool, text, e) == 0) {
		c->size = spool_size(spool);
		if (inspect(c, spool, arena, e) == 0 &&
		    judge(c, arena, &o, e) == 0)
			done = compare(c, &o, e);
	}
	spool_free(spool);
	arena_free(arena);
	return done;
}

/* ---- all tests ---- */

static void
on_budget(evutil_socket_t fd, short what, void *arg)
{
	struct check *c = arg;

	(void)fd;
	(void)what;
	(void)error_set(&c->ended, "the tests take longer than %d s",
	    CHECK_BUDGET_MS / 1000);
	loop_stop(c->loop);
}

/* There is no second one: what kills it fails the test. */
static void
on_child(evutil_socket_t sig, short what, void *arg)
{
	struct check *c = arg;

	(void)sig;
	(void)what;
	/* An earlier check's may still be ending. */
	if (waitpid(c->inspector, NULL, WNOHANG) != c->inspector)
		return;
	c->inspector = -1;
	(void)error_set(&c->ended, "the inspector died");
	loop_stop(c->loop);
}

/* Its deadline passed: one that cannot read a test in time has failed it. */
static void
kill_inspector(void *arg)
{
	struct check *c = arg;

	if (c->inspector > 0)
		(void)kill(c->inspector, SIGKILL);
	(void)error_set(&c->ended,
	    "reading the message takes longer than inspect_deadline");
	loop_stop(c->loop);
}

static int
fork_inspector(
    struct check *c, const struct users *users, int *sock, struct error *e)
{
	int pair[2];

	if (inspect_channel_make(
		&c->channel, c->policy->smtp.message_size_limit, e) < 0 ||
	    ipc_pair(pair, e) < 0)
		return -1;
	c->inspector = fork();
	if (c->inspector == 0) {
		io_close(pair[0]);
		if (users != NULL &&
		    users_become(users, &users->inspector, e) < 0)
			_exit(EX_OSERR);
		inspector_main(&c->policy->inspect, &c->channel, pair[1]);
	}
	io_close(pair[1]);
	*sock = pair[0];
	return c->inspector < 0 ? error_set(e, "fork: %s", strerror(errno)) : 0;
}

static int
begin(struct check *c, const struct users *users, struct error *e)
{
	struct timeval budget = { CHECK_BUDGET_MS / 1000, 0 };
	int sock;

	if (fork_inspector(c, users, &sock, e) < 0 ||
	    (users != NULL && users_become(users, &users->worker, e) < 0))
		return -1;
	c->loop = loop_new();
	c->spools = spool_pool_new(&c->policy->spool);
	c->pool = pool_new(
	    c->loop, &c->policy->inspect, &c->channel, sock, kill_inspector, c);
	c->run = rules_run_new();
	c->budget = evtimer_new(loop_base(c->loop), on_budget, c);
	must(c->budget != NULL && event_add(c->budget, &budget) == 0);
	c->child = evsignal_new(loop_base(c->loop), SIGCHLD, on_child, c);
	must(c->child != NULL && event_add(c->child, NULL) == 0);
	if (waitpid(c->inspector, NULL, WNOHANG) == c->inspector)
		return error_set(e, "the inspector died before the first test");
	return 0;
}

static void
end(struct check *c)
{
	if (c->budget != NULL)
		event_free(c->budget);
	if (c->child != NULL)
		event_free(c->child);
	if (c->run != NULL)
		rules_run_free(c->run);
	if (c->pool != NULL)
		pool_free(c->pool);
	if (c->spools != NULL)
		spool_pool_free(c->spools);
	loop_free(c->loop);
	inspect_channel_free(&c->channel);
	/* Its socket has ended; the kill is for one that does not look, and
	 * fails when it is another user's: then its own clock ends it. */
	if (c->inspector > 0) {
		(void)kill(c->inspector, SIGKILL);
		(void)waitpid(c->inspector, NULL, WNOHANG);
	}
}

static int
fail(const struct rules_test *t, struct error *e)
{
	char why[sizeof(e->text)];

	(void)snprintf(why, sizeof(why), "%s", e->text);
	return lex_error(e, &t->pos, "rule %.*s: test \"%.*s\" failed: %s",
	    PN_STR_ARG(t->rule), PN_STR_ARG(t->name), why);
}

static int
run_all(struct check *c, struct buf *texts, const struct rules_test *tests,
    size_t n, const struct check_report *report, struct error *first)
{
	struct error e;
	int failed = 0;

	for (size_t i = 0; i < n && c->ended.text[0] == '\0'; i++) {
		bool passed;

		c->test = &tests[i];
		passed = run_test(c, buf_str(&texts[i]), &e) == 0;
		if (report != NULL)
			report->tested(report->arg, &tests[i], passed,
			    passed ? "" : e.text);
		if (!passed && failed++ == 0) {
			*first = e;
			(void)fail(&tests[i], first);
			if (report == NULL)
				break;
		}
	}
	return failed > 0 ? -1 : 0;
}

/* While we may still read what the configuration's owner may. */
static int
read_files(const struct policy *p, const struct rules_test *tests, size_t n,
    struct buf *texts, struct error *e)
{
	for (size_t i = 0; i < n; i++) {
		char *path = xstrndup(tests[i].file);
		int done =
		    io_slurp(path, p->smtp.message_size_limit, &texts[i], e);

		free(path);
		if (done < 0)
			return fail(&tests[i], e);
	}
	return 0;
}

int
check_policy(const struct policy *p, const struct users *users,
    const struct check_report *report, struct error *e)
{
	const struct rules_test *tests;
	size_t n = rules_tests(p->rules, &tests);
	struct check c = { .policy = p };
	struct buf *texts;
	int done = -1;

	/* A worker will need it; this process has not given up root yet. */
	if (policy_is_transparent(p) && users_check_transparent(e) < 0)
		return -1;
	if (n == 0)
		return 0;
	texts = xcalloc(n, sizeof(*texts));
	if (read_files(p, tests, n, texts, e) == 0 && begin(&c, users, e) == 0)
		done = run_all(&c, texts, tests, n, report, e);
	end(&c);
	for (size_t i = 0; i < n; i++)
		buf_fini(&texts[i]);
	free(texts);
	return done;
}
