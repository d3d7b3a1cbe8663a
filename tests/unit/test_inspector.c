/*
 * inspector: a real one, forked and in its sandbox, behind a real pool. The
 * test is worker and master: it forks another inspector when one dies.
 */
#include "cm.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/ipc.h"
#include "inspect_world.h"

#define MAX_MESSAGE (6 << 20)
#define PATIENCE_S 60

/* ---- a module that misbehaves on request ---- */

static int64_t
sum_of(struct pn_str s)
{
	uint32_t sum = 1;

	for (size_t i = 0; i < s.n; i++)
		sum = sum * 31 + (unsigned char)s.p[i];
	return sum;
}

static void
misbehave(struct pn_str how, struct pn_str raw)
{
	if (pn_str_eq(how, PN_STR_V("crash")))
		abort();
	if (pn_str_eq(how, PN_STR_V("loop")))
		for (volatile unsigned n = 0;; n++)
			;
	if (pn_str_eq(how, PN_STR_V("write")))
		*(volatile char *)(uintptr_t)raw.p = 'x';
	if (pn_str_eq(how, PN_STR_V("file")) &&
	    open("/etc/passwd", O_RDONLY) >= 0)
		abort();
	if (pn_str_eq(how, PN_STR_V("signal"))) /* the test would end here */
		if (kill(getppid(), SIGKILL) < 0)
			abort();
}

static enum pn_step
inspect(struct pn_mail *m)
{
	struct pn_str raw = pn_raw(m), how;

	if (pn_header(m, PN_STR_V("X-Bad"), 0, &how))
		misbehave(how, raw);
	pn_fact_number(m, "bytes", (int64_t)raw.n);
	pn_fact_number(m, "sum", sum_of(raw));
	return PN_NEXT;
}

static const struct pn_fact_decl facts[] = {
	{ .name = "bytes", .type = PN_NUMBER, .stage = PN_STAGE_MESSAGE },
	{ .name = "sum", .type = PN_NUMBER, .stage = PN_STAGE_MESSAGE }, { 0 }
};
static const struct pn_filter module = {
	.abi = PN_ABI, .name = "bad", .facts = facts, .inspect = inspect
};

/* ---- worker and master ---- */

struct gateway {
	struct world w; /* first */
	pid_t pid;
	struct event *child;
	unsigned deaths, kills;
	bool idle; /* when it dies, there will be no other */
	bool nobody_kills;
};

static int
fork_inspector(struct gateway *g)
{
	int fd[2];
	struct error e;

	assert_int_equal(ipc_pair(fd, &e), 0);
	(void)fflush(NULL);
	g->pid = fork();
	assert_true(g->pid >= 0);
	for (int sig = SIGILL; g->pid == 0 && sig <= SIGSYS; sig++)
		(void)signal(
		    sig, SIG_DFL); /* cmocka would go on with the next */
	if (g->pid == 0)
		inspector_main(&g->w.conf, &g->w.channel, fd[1]);
	(void)close(fd[1]);
	return fd[0];
}

static void
on_child(evutil_socket_t sig, short what, void *arg)
{
	struct gateway *g = arg;
	int status;

	(void)sig;
	(void)what;
	while (waitpid(g->pid, &status, WNOHANG) == g->pid) {
		g->deaths++;
		g->pid = 0;
		if (g->idle)
			return;
		pool_attach(g->w.pool, fork_inspector(g));
	}
}

static void
on_kill(void *arg)
{
	struct gateway *g = arg;

	g->kills++;
	if (g->pid > 0 && !g->nobody_kills)
		(void)kill(g->pid, SIGKILL);
}

static int
start(void **state, uint64_t deadline_ms)
{
	static struct gateway g;

	g = (struct gateway){ 0 };
	if (world_make(&g.w, &module, MAX_MESSAGE) < 0)
		return -1;
	g.w.conf.deadline_ms = deadline_ms;
	g.child = evsignal_new(loop_base(g.w.loop), SIGCHLD, on_child, &g);
	(void)event_add(g.child, NULL);
	g.w.pool = pool_new(
	    g.w.loop, &g.w.conf, &g.w.channel, fork_inspector(&g), on_kill, &g);
	*state = &g;
	return 0;
}

static int
set_up(void **state)
{
	return start(state, 30000);
}

static int
set_up_impatient(void **state)
{
	return start(state, 500);
}

static int
tear_down(void **state)
{
	struct gateway *g = *state;
	int status = 0;

	pool_free(g->w.pool); /* its end of the socket: the inspector leaves */
	g->w.pool = NULL;
	event_free(g->child);
	if (g->pid > 0)
		(void)waitpid(g->pid, &status, 0);
	world_end(&g->w);
	return status;
}

/* Turn the loop until all have been told. */
static void
wait_for(struct gateway *g, struct told *t, size_t n)
{
	uint64_t end = loop_now_ms(g->w.loop) + PATIENCE_S * 1000;

	for (size_t i = 0; i < n; i++)
		while (t[i].times == 0) {
			struct timeval tick = { 1, 0 };

			(void)event_base_loopexit(loop_base(g->w.loop), &tick);
			(void)event_base_loop(
			    loop_base(g->w.loop), EVLOOP_ONCE);
			if (loop_now_ms(g->w.loop) > end)
				fail_msg("message %zu is never told", i);
		}
}

static int64_t
number(const struct told *t, const char *name)
{
	int64_t index = chain_find(&t->world->chain, name);

	for (uint32_t i = 0; i < t->findings.n_facts; i++)
		if (t->findings.facts[i].index == index)
			return t->findings.facts[i].value.number;
	fail_msg("no fact %s", name);
	return -1;
}

static struct pn_str
whole(struct told *t)
{
	char *p = arena_alloc(t->arena, spool_size(t->spool));
	size_t n = 0;

	while (n < spool_size(t->spool)) {
		struct pn_str s = spool_at(t->spool, n);

		memcpy(p + n, s.p, s.n);
		n += s.n;
	}
	return (struct pn_str){ p, n };
}

static void
assert_found(struct told *t)
{
	assert_int_equal(t->times, 1);
	assert_int_equal(t->result, POOL_FOUND);
	assert_non_null(t->findings.answers);
	assert_int_equal(number(t, "bytes"), spool_size(t->spool));
	assert_int_equal(number(t, "sum"), sum_of(whole(t)));
}

/* ---- tests ---- */

static void
every_byte_arrives(void **state)
{
	static const size_t sizes[] = { 0, 1, 4096, 100000, INSPECT_INLINE_MAX,
		INSPECT_INLINE_MAX + 1, 1 << 20, 5 << 20, MAX_MESSAGE };
	struct gateway *g = *state;
	struct told t[PN_COUNT(sizes)];

	for (size_t i = 0; i < PN_COUNT(sizes); i++)
		submit(&g->w, &t[i], "Subject: x\r\n\r\n", sizes[i]);
	assert_int_equal(told_of(t, PN_COUNT(sizes)), 0);
	wait_for(g, t, PN_COUNT(sizes));
	for (size_t i = 0; i < PN_COUNT(sizes); i++) {
		assert_found(&t[i]);
		forget(&t[i]);
	}
	assert_int_equal(g->deaths, 0);
}

static void
many_at_once(void **state)
{
	struct gateway *g = *state;
	struct told t[120];

	for (size_t i = 0; i < PN_COUNT(t); i++)
		submit(&g->w, &t[i], "Subject: x\r\n\r\n",
		    i % 10 == 9 ? 200000 + i : 300 * i);
	wait_for(g, t, PN_COUNT(t));
	for (size_t i = 0; i < PN_COUNT(t); i++) {
		assert_found(&t[i]);
		forget(&t[i]);
	}
	assert_int_equal(g->deaths, 0);
}

static struct pn_str
text_of(const struct told *t, const char *name)
{
	int64_t index = chain_find(&t->world->chain, name);

	for (uint32_t i = 0; i < t->findings.n_facts; i++)
		if (t->findings.facts[i].index == index)
			return t->findings.facts[i].value.str;
	fail_msg("no fact %s", name);
	return PN_STR_V("");
}

/* What iconv would open a file for is read in there as it is out here. */
static void
every_charset_is_read_in_the_sandbox(void **state)
{
	static const char *const names[] = { "iso-8859-2", "iso-8859-3",
		"iso-8859-4", "iso-8859-5", "iso-8859-6", "iso-8859-7",
		"iso-8859-8", "iso-8859-9", "iso-8859-10", "iso-8859-13",
		"iso-8859-14", "iso-8859-15", "iso-8859-16", "windows-874",
		"windows-1250", "windows-1251", "windows-1252", "windows-1253",
		"windows-1254", "windows-1255", "windows-1256", "windows-1257",
		"windows-1258", "koi8-r", "koi8-u", "ibm437", "ibm850",
		"ibm852", "ibm866", "macintosh", "x-mac-cyrillic", "gb2312",
		"gb18030", "big5", "euc-jp", "iso-2022-jp", "shift_jis",
		"euc-kr", "iso-2022-kr", "iso-2022-cn", "viscii", "utf-32",
		"utf-16", "utf-7", "hz-gb-2312", "utf-8" };
	static const struct pn_str bytes =
	    PN_STR("\304\343\272\303 ~{DcGZ~} +AOQ- \33$BF|\33(B abc");
	struct gateway *g = *state;
	struct told t[PN_COUNT(names)];

	for (size_t i = 0; i < PN_COUNT(names); i++) {
		char head[200];

		(void)snprintf(head, sizeof(head),
		    "Subject: =?%s?b?"
		    "xOO6wyB+e0RjR1p+fSArQU9RLSAbJEJGfBsoQiBhYmM=?=\r\n\r\n",
		    names[i]);
		submit(&g->w, &t[i], head, 200);
	}
	wait_for(g, t, PN_COUNT(names));
	for (size_t i = 0; i < PN_COUNT(names); i++) {
		struct buf want = { 0 };
		struct pn_str s = text_of(&t[i], "subject");

		assert_found(&t[i]);
		assert_true(charset_read(pn_str_of(names[i]), bytes, &want));
		if (!pn_str_eq(s, buf_str(&want)))
			fail_msg("%s: \"%.*s\", not \"%.*s\"", names[i],
			    PN_STR_ARG(s), PN_STR_ARG(buf_str(&want)));
		buf_fini(&want);
		forget(&t[i]);
	}
	assert_int_equal(g->deaths, 0);
}

static void
absent(void *arg, uint32_t fact, uint32_t thing, struct pn_str key,
    unsigned nth, struct value *out)
{
	(void)arg, (void)fact, (void)thing, (void)key, (void)nth;
	*out = (struct value){ .state = VALUE_ABSENT };
}

static uint32_t
no_things(void *arg, const char *thing)
{
	(void)arg, (void)thing;
	return 0;
}

static void
answers_reach_the_rules(void **state)
{
	static const char *const heads[] = { "Subject: honey\r\n\r\n",
		"Subject: a =?utf-8?b?cG9pc29u?=\r\n\r\n" };
	const struct rules_facts ask = { .get = absent, .n_things = no_things };
	struct gateway *g = *state;
	struct rules_run *run = rules_run_new();
	struct told t[2];

	for (size_t i = 0; i < 2; i++)
		submit(&g->w, &t[i], heads[i], 500);
	wait_for(g, t, 2);
	for (size_t i = 0; i < 2; i++) {
		struct rules_result r;

		assert_found(&t[i]);
		assert_int_equal(
		    rules_judge(g->w.rules, run, 0, STAGE_MESSAGE, &ask,
			t[i].findings.answers, NULL, 0, t[i].arena, &r),
		    0);
		assert_int_equal(r.n_effects, i);
		forget(&t[i]);
	}
	rules_run_free(run);
}

/* The next message finds another inspector, and the dead are counted. */
static void
all_is_well(struct gateway *g, unsigned deaths)
{
	struct told t;

	submit(&g->w, &t, "Subject: x\r\n\r\n", 100);
	wait_for(g, &t, 1);
	assert_found(&t);
	forget(&t);
	assert_int_equal(g->deaths, deaths);
}

/* One bad among eight good, all outstanding at once: it stands still until
 * they are. */
static void
round_with(struct gateway *g, const char *bad, size_t bad_size)
{
	struct told t[9];

	(void)kill(g->pid, SIGSTOP);
	for (size_t i = 0; i < PN_COUNT(t); i++)
		submit(&g->w, &t[i], i == 4 ? bad : "Subject: x\r\n\r\n",
		    i == 4 ? bad_size : 1000 + i * 15000);
	(void)kill(g->pid, SIGCONT);
	wait_for(g, t, PN_COUNT(t));
	for (size_t i = 0; i < PN_COUNT(t); i++) {
		if (i != 4)
			assert_found(&t[i]);
		assert_int_equal(t[i].times, 1);
	}
	assert_int_equal(t[4].result, POOL_SUSPECT);
	for (size_t i = 0; i < PN_COUNT(t); i++)
		forget(&t[i]);
	/* Once among the others and once alone. */
	all_is_well(g, 2);
}

static void
a_crash_hurts_nobody_else(void **state)
{
	round_with(*state, "X-Bad: crash\r\n\r\n", 1000);
}

static void
a_loop_ends_at_the_deadline(void **state)
{
	struct gateway *g = *state;

	round_with(g, "X-Bad: loop\r\n\r\n", 1000);
	assert_int_equal(g->kills, 2);
}

/* Worker and master gone: it does not loop on for ever. */
static void
a_loop_nobody_ends_ends_itself(void **state)
{
	struct gateway *g = *state;

	g->nobody_kills = true;
	round_with(g, "X-Bad: loop\r\n\r\n", 1000);
	assert_int_equal(g->kills, 2);
}

/* The slot of a large message cannot be written to. */
static void
a_slot_is_read_only(void **state)
{
	round_with(*state, "X-Bad: write\r\n\r\n", INSPECT_INLINE_MAX + 1);
}

static void
no_signal_leaves_the_sandbox(void **state)
{
	round_with(*state, "X-Bad: signal\r\n\r\n", 1000);
}

static void
files_are_not_there(void **state)
{
	struct gateway *g = *state;
	struct told t;

	submit(&g->w, &t, "X-Bad: file\r\n\r\n", 1000);
	wait_for(g, &t, 1);
	assert_found(&t);
	assert_int_equal(g->deaths, 0);
	forget(&t);
}

static void
two_bad_ones_are_both_found(void **state)
{
	struct gateway *g = *state;
	struct told t[10];

	for (size_t i = 0; i < PN_COUNT(t); i++)
		submit(&g->w, &t[i],
		    i % 5 == 3 ? "X-Bad: crash\r\n\r\n" : "Subject: x\r\n\r\n",
		    2000 + i);
	wait_for(g, t, PN_COUNT(t));
	for (size_t i = 0; i < PN_COUNT(t); i++) {
		if (i % 5 == 3)
			assert_int_equal(t[i].result, POOL_SUSPECT);
		else
			assert_found(&t[i]);
		forget(&t[i]);
	}
	all_is_well(g, 4);
}

static void
killed_from_outside_nobody_is_lost(void **state)
{
	struct gateway *g = *state;
	struct told t[40];

	for (size_t i = 0; i < PN_COUNT(t); i++)
		submit(&g->w, &t[i], "Subject: x\r\n\r\n", 30000 * (i % 7));
	(void)kill(g->pid, SIGKILL);
	wait_for(g, t, PN_COUNT(t));
	for (size_t i = 0; i < PN_COUNT(t); i++) {
		assert_found(&t[i]);
		forget(&t[i]);
	}
	all_is_well(g, 1);
}

/* A worker that goes takes its inspector with it, in good order (tear_down
 * looks at the status), even with work half done. */
static void
it_leaves_with_the_worker(void **state)
{
	struct gateway *g = *state;
	struct told t[5];

	for (size_t i = 0; i < PN_COUNT(t); i++)
		submit(&g->w, &t[i], "Subject: x\r\n\r\n", 100000);
	for (size_t i = 0; i < PN_COUNT(t); i++)
		forget(&t[i]);
}

/* What the sandbox forbids anyway, the seal forbids by itself. */
static void
the_seal_holds_without_a_sandbox(void **state)
{
	struct inspect_channel ch;
	struct error e;
	size_t n;

	(void)state;
	assert_int_equal(inspect_channel_make(&ch, 10000, &e), 0);
	assert_int_equal(ch.slot_size, 12288);
	n = INSPECT_SLOTS * ch.slot_size;
	ch.slots[n - 1] = 'x';
	assert_int_equal(ch.slots_ro[n - 1], 'x');
	assert_true(
	    mprotect((void *)ch.slots_ro, n, PROT_READ | PROT_WRITE) < 0);
	assert_ptr_equal(
	    mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, ch.slot_fd, 0),
	    MAP_FAILED);
	assert_true(pwrite(ch.slot_fd, "y", 1, 0) < 0);
	assert_true(ftruncate(ch.slot_fd, 0) < 0);
	assert_true(fcntl(ch.slot_fd, F_ADD_SEALS, 0) < 0);
	inspect_channel_drop_write(&ch);
	assert_null(ch.slots);
	assert_int_equal(ch.slot_fd, -1);
	assert_int_equal(ch.slots_ro[n - 1], 'x');
	inspect_channel_free(&ch);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#define IMPATIENT(f)                                                           \
	cmocka_unit_test_setup_teardown(f, set_up_impatient, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_byte_arrives),
		TEST(many_at_once),
		TEST(every_charset_is_read_in_the_sandbox),
		TEST(answers_reach_the_rules),
		TEST(a_crash_hurts_nobody_else),
		IMPATIENT(a_loop_ends_at_the_deadline),
		IMPATIENT(a_loop_nobody_ends_ends_itself),
		TEST(a_slot_is_read_only),
		TEST(no_signal_leaves_the_sandbox),
		TEST(files_are_not_there),
		TEST(two_bad_ones_are_both_found),
		TEST(killed_from_outside_nobody_is_lost),
		TEST(it_leaves_with_the_worker),
		cmocka_unit_test(the_seal_holds_without_a_sandbox),
	};

	return cmocka_run_group_tests_name("inspector", tests, NULL, NULL);
}
