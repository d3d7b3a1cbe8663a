/*
 * keep <-> keeper: both ends of the link in one loop, with a real socketpair,
 * real files and SQLite; a keeper that vanishes at work; frames of no form;
 * questions over the control socket.
 */
#include "keeper_world.h"

#include <errno.h>
#include <event2/event.h>
#include <jansson.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sysexits.h>

#include "base/ipc.h"
#include "base/log.h"
#include "engine/count.h"
#include "engine/keep.h"
#include "keeper/keeper.h"
#include "mail/parcel.h"

#define BODY "Subject: x\r\n\r\nhello\r\n"

/* The disk: messages are written by write(), the index by pwrite64(), which
 * SQLite must find in here. */
#define SEEN __attribute__((visibility("default")))
static bool body_full, index_full;

static ssize_t
no_room(void)
{
	errno = ENOSPC;
	return -1;
}

SEEN ssize_t
write(int fd, const void *p, size_t n)
{
	return body_full ? no_room() : syscall(SYS_write, fd, p, n);
}

SEEN ssize_t
pwrite64(int fd, const void *p, size_t n, off64_t at)
{
	return index_full ? no_room() : syscall(SYS_pwrite64, fd, p, n, at);
}

/* Gateway in miniature. */
struct town {
	struct world *w;
	struct loop *loop;
	struct spool_pool *pool;
	struct keeper_conf conf;
	const char *maildirs[2];
	char box[80];
	struct keeper *keeper;
	struct keep *keep;
	int master; /* our end */
	char socket[100];
	uint64_t run_us;
	struct buf orders; /* of servers: what an earlier keeper told */
};

static const uint64_t waits[] = { 60000 };

static void
turn(struct town *t)
{
	for (int i = 0; i < 20; i++)
		(void)event_base_loop(loop_base(t->loop), EVLOOP_NONBLOCK);
}

static int
listening(struct town *t)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", t->socket);
	(void)unlink(t->socket);
	assert_int_equal(bind(s, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(s, 8), 0);
	return s;
}

/* A keeper begins; *sock is the worker's end of its link. */
static void
keeper_begins(struct town *t, int *sock)
{
	struct error e = { .text = "" };
	int link[2], master[2];

	assert_int_equal(ipc_pair(link, &e), 0);
	assert_int_equal(ipc_pair(master, &e), 0);
	t->keeper = keeper_new(t->loop, &(struct keeper_start){
	    .conf = &t->conf, .control = listening(t), .metrics = -1,
	    .master = master[1], .run_us = t->run_us,
	    .orders = buf_str(&t->orders) }, &e);
	if (t->keeper == NULL)
		fail_msg("%s", e.text);
	t->master = master[0];
	keeper_add_worker(t->keeper, link[1], 0, 1, true);
	*sock = link[0];
}

/* The worker lives on, and has a link to that one. */
static void
next_keeper(struct town *t)
{
	int sock;

	keeper_begins(t, &sock);
	keep_attach(t->keep, sock);
}

static void
keeper_dies(struct town *t)
{
	keeper_free(t->keeper);
	t->keeper = NULL;
	(void)close(t->master);
}

static int
town_open(void **state)
{
	struct town *t = calloc(1, sizeof(*t));
	struct spool_conf spool = { .max_memory = 1 << 20 };
	struct error e;
	int sock;

	(void)world_open((void **)&t->w);
	(void)snprintf(t->box, sizeof(t->box), "%s/box", t->w->dir);
	(void)snprintf(t->socket, sizeof(t->socket), "%s/control", t->w->dir);
	t->maildirs[0] = t->box;
	t->conf = (struct keeper_conf){ .state_dir = t->w->dir,
		.maildirs = t->maildirs, .control_uid = (uid_t)-1,
		.settings = { .history_days = 30, .history_text = true,
		    .release_life_ms = 86400000, .release_retry_ms = waits,
		    .n_release_retry = 1 } };
	t->run_us = keeper_clock_us();
	spool.dir = t->w->dir;
	t->loop = loop_new();
	t->pool = spool_pool_new(&spool);
	assert_int_equal(keeper_prepare(&t->conf, geteuid(), getegid(), &e), 0);
	keeper_begins(t, &sock);
	t->keep = keep_new(t->loop, sock);
	*state = t;
	return 0;
}

static int
town_close(void **state)
{
	struct town *t = *state;

	keep_free(t->keep);
	if (t->keeper != NULL)
		keeper_dies(t);
	spool_pool_free(t->pool);
	loop_free(t->loop);
	(void)world_close((void **)&t->w);
	free(t);
	return 0;
}

/* What done() was told. */
struct told {
	int calls;
	bool ok, unknown;
	enum keep_result kept;
	char text[256];
	uint32_t count;
};

static void
done(void *arg, enum keep_result result, struct pn_str text)
{
	struct told *d = arg;

	d->calls++;
	d->ok = result == KEPT;
	d->unknown = result == KEPT_UNKNOWN;
	d->kept = result;
	(void)snprintf(d->text, sizeof(d->text), "%.*s", PN_STR_ARG(text));
}

static void
counted(void *arg, bool ok, uint32_t count)
{
	struct told *d = arg;

	d->calls++;
	d->ok = ok;
	d->count = count;
}

static struct keep_ticket *
submit(struct town *t, enum keep_type type, const char *id, const char *target,
    struct told *d)
{
	struct keep_job j = job_of(t->w, id);
	struct spool *s = spool_new(t->pool);
	struct keep_ticket *ticket;
	struct error e;

	j.target = pn_str_of(target);
	assert_int_equal(spool_append(s, PN_STR_V(BODY), &e), 0);
	*d = (struct told){ 0 };
	ticket = keep_submit(t->keep, type, &j, s, NULL, done, d, &e);
	spool_free(s);
	return ticket;
}

static void
jobs_are_done(void **state)
{
	struct town *t = *state;
	struct told held, box, nowhere;
	struct buf b = { 0 };

	assert_non_null(submit(t, KEEP_QUARANTINE, "idaaaaaa", "", &held));
	assert_non_null(submit(t, KEEP_MAILDIR, "idbbbbbb", t->box, &box));
	assert_non_null(submit(t, KEEP_MAILDIR, "idcccccc", "/etc", &nowhere));
	assert_int_equal(held.calls + box.calls + nowhere.calls, 0);
	turn(t);
	assert_true(held.calls == 1 && held.ok);
	assert_string_equal(held.text, "held as idaaaaaa");
	assert_true(box.calls == 1 && box.ok);
	assert_true(nowhere.calls == 1 && !nowhere.ok);
	assert_string_equal(nowhere.text, "no maildir \"/etc\" is configured");
	world_get(t->w, "quarantine/idaa/idaaaaaa.eml", &b);
	assert_str(buf_str(&b), BODY);
	assert_int_equal(world_count(t->w, "box/new", NULL), 2);
	buf_fini(&b);
}

static void
check_full(struct town *t, enum keep_type type, const char *id, bool *disk)
{
	struct told d;

	assert_non_null(submit(t, type, id, t->box, &d));
	*disk = true;
	turn(t);
	*disk = false;
	assert_int_equal(d.calls, 1);
	assert_int_equal(d.kept, KEPT_NO_ROOM);
}

static void
a_full_disk_is_told_apart(void **state)
{
	struct town *t = *state;
	struct told d;

	check_full(t, KEEP_MAILDIR, "idaaaaaa", &body_full);
	check_full(t, KEEP_QUARANTINE, "idbbbbbb", &body_full);
	check_full(t, KEEP_QUARANTINE, "idcccccc", &index_full);
	assert_int_equal(world_count(t->w, "box/new", NULL), 0);
	assert_int_equal(world_count(t->w, "quarantine/idbb", NULL), 0);
	assert_int_equal(world_count(t->w, "quarantine/idcc", NULL), 0);
	assert_non_null(submit(t, KEEP_MAILDIR, "iddddddd", "/etc", &d));
	turn(t);
	assert_int_equal(d.kept, KEPT_NOT);
}

static void
a_full_memory_is_told_apart(void **state)
{
	struct town *t = *state;
	struct told d;
	struct keep_job j = job_of(t->w, "idaaaaaa");
	struct spool *s = spool_new(t->pool);
	struct error e;

	assert_int_equal(spool_append(s, PN_STR_V(BODY), &e), 0);
	body_full = true; /* the parcel's */
	assert_null(keep_submit(t->keep, KEEP_QUARANTINE, &j, s, NULL, done, &d,
	    &e));
	body_full = false;
	assert_true(e.no_room);
	spool_free(s);
}

static void
a_cancelled_ticket_is_silent(void **state)
{
	struct town *t = *state;
	struct told d, other;

	keep_cancel(submit(t, KEEP_QUARANTINE, "idaaaaaa", "", &d));
	assert_non_null(submit(t, KEEP_QUARANTINE, "idbbbbbb", "", &other));
	turn(t);
	assert_int_equal(d.calls, 0);
	assert_true(other.ok);
}

static void
suspects_are_counted(void **state)
{
	struct town *t = *state;
	unsigned char key[32] = { 1, 2, 3 };
	struct told d = { 0 };

	for (uint32_t i = 1; i <= 3; i++) {
		assert_non_null(keep_suspect(t->keep, key, true, counted, &d));
		turn(t);
		assert_true(d.ok);
		assert_int_equal(d.count, i);
	}
	assert_non_null(keep_suspect(t->keep, key, false, counted, &d));
	turn(t);
	assert_int_equal(d.count, 3);
	assert_int_equal(d.calls, 4);
}

/* ---- counters that workers share ---- */

struct number {
	int calls;
	bool known;
	int64_t value;
};

static void
numbered(void *arg, bool known, int64_t value, uint64_t age_ms)
{
	struct number *n = arg;

	(void)age_ms;
	n->calls++;
	n->known = known;
	n->value = value;
}

static void
workers_share_counters(void **state)
{
	struct town *t = *state;
	const struct keep_counter c = { PN_STR("m"), PN_STR("key"), 2, 60000 };
	struct number n = { 0 };

	assert_non_null(keep_count(t->keep, &c, numbered, &n));
	assert_int_equal(n.calls, 0); /* never from within the call */
	turn(t);
	assert_true(n.calls == 1 && n.known && n.value == 2);
	assert_true(keep_count_only(t->keep, &c));
	assert_non_null(keep_count(t->keep, &c, numbered, &n));
	turn(t);
	assert_true(n.calls == 2 && n.known && n.value == 6);
}

/* Asked again it would count twice: who waits hears at once that it is gone. */
static void
a_counter_is_asked_of_one_keeper(void **state)
{
	struct town *t = *state;
	const struct keep_counter c = { PN_STR("m"), PN_STR("key"), 1, 60000 };
	struct number n[3] = { 0 };

	for (int i = 0; i < 3; i++)
		assert_non_null(keep_count(t->keep, &c, numbered, &n[i]));
	keeper_dies(t);
	turn(t);
	for (int i = 0; i < 3; i++)
		assert_true(n[i].calls == 1 && !n[i].known);
	assert_null(keep_count(t->keep, &c, numbered, &n[0]));
	assert_false(keep_count_only(t->keep, &c));
	next_keeper(t);
	assert_non_null(keep_count(t->keep, &c, numbered, &n[0]));
	turn(t);
	assert_true(n[0].calls == 2 && n[0].known && n[0].value == 1);
}

static void
a_cancelled_counter_is_silent(void **state)
{
	struct town *t = *state;
	const struct keep_counter c = { PN_STR("m"), PN_STR("key"), 1, 60000 };
	struct number n = { 0 };

	keep_cancel(keep_count(t->keep, &c, numbered, &n));
	turn(t);
	assert_int_equal(n.calls, 0);
}

/* It had read nothing: the next one does the job. */
static void
the_next_keeper_does_it(void **state)
{
	struct town *t = *state;
	struct told d;

	assert_non_null(submit(t, KEEP_QUARANTINE, "idaaaaaa", "", &d));
	keeper_dies(t);
	turn(t);
	assert_int_equal(d.calls, 0);
	assert_false(world_has(t->w, "quarantine/idaa/idaaaaaa.eml"));
	next_keeper(t);
	turn(t);
	assert_true(d.calls == 1 && d.ok);
	assert_true(world_has(t->w, "quarantine/idaa/idaaaaaa.eml"));
}

/* It had done all and not said so: the next one sees that, and does not
 * double. The worker's end is swapped before it can read the answer. */
static void
the_next_keeper_knows_it_is_done(void **state)
{
	struct town *t = *state;
	struct told held, box;
	int idle[2];
	struct error e;

	assert_non_null(submit(t, KEEP_QUARANTINE, "idaaaaaa", "", &held));
	assert_non_null(submit(t, KEEP_MAILDIR, "idbbbbbb", t->box, &box));
	assert_int_equal(ipc_pair(idle, &e), 0);
	keep_attach(t->keep, idle[0]); /* closes the first link unread */
	turn(t);
	assert_true(world_has(t->w, "quarantine/idaa/idaaaaaa.eml"));
	assert_int_equal(world_count(t->w, "box/new", NULL), 2);
	assert_int_equal(held.calls + box.calls, 0);
	keeper_dies(t);
	(void)close(idle[1]);
	next_keeper(t);
	turn(t);
	assert_true(held.calls == 1 && held.ok && box.calls == 1 && box.ok);
	assert_int_equal(world_count(t->w, "box/new", NULL), 2);
}

/* It may be the job that kills them. */
static void
no_job_kills_keepers_for_ever(void **state)
{
	struct town *t = *state;
	struct told d;
	struct error e;
	int link[2];

	assert_non_null(submit(t, KEEP_QUARANTINE, "idaaaaaa", "", &d));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(d.calls, 0);
		assert_int_equal(ipc_pair(link, &e), 0);
		keep_attach(t->keep, link[0]);
		(void)close(link[1]);
		turn(t);
	}
	assert_true(d.calls == 1 && d.unknown);
	assert_string_equal(d.text, "no keeper survives it");
}

static void
without_a_keeper_jobs_fail(void **state)
{
	struct town *t = *state;
	struct told d, late;
	struct timeval limit = { 5, 0 };

	assert_non_null(submit(t, KEEP_QUARANTINE, "idaaaaaa", "", &d));
	keeper_dies(t);
	turn(t);
	assert_null(submit(t, KEEP_QUARANTINE, "idbbbbbb", "", &late));
	(void)event_base_loopexit(loop_base(t->loop), &limit);
	while (d.calls == 0 && !event_base_got_exit(loop_base(t->loop)))
		(void)event_base_loop(loop_base(t->loop), EVLOOP_ONCE);
	assert_true(d.calls == 1 && d.unknown);
	assert_string_equal(d.text, "the keeper is away");
}

/* ---- the control socket ---- */

static int
dial(struct town *t)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", t->socket);
	assert_int_equal(connect(s, (struct sockaddr *)&a, sizeof(a)), 0);
	return s;
}

/* Everything that comes until the keeper closes. */
static void
hear(struct town *t, int s, struct buf *b)
{
	ssize_t n;

	do {
		turn(t);
		n = read(s, buf_room(b, 65536), 65536);
		if (n > 0)
			buf_added(b, (size_t)n);
	} while (n > 0);
	(void)close(s);
	assert_true(buf_add(b, "", 1)); /* for strstr */
}

static json_t *
ask(struct town *t, const char *question, struct buf *b)
{
	int s = dial(t);
	json_t *answer;

	assert_int_equal(write(s, question, strlen(question)),
	    (ssize_t)strlen(question));
	buf_clear(b);
	hear(t, s, b);
	answer = json_loads(buf_data(b),
	    JSON_DISABLE_EOF_CHECK | JSON_ALLOW_NUL, NULL);
	if (answer == NULL)
		fail_msg("%s: answered %s", question, buf_data(b));
	return answer;
}

static long long
number(const json_t *o, const char *key)
{
	return (long long)json_integer_value(json_object_get(o, key));
}

static void
questions_of_no_form(void **state)
{
	static const struct {
		const char *question;
		int exit;
	} cases[] = { { "garbage\n", EX_PROTOCOL }, { "[]\n", EX_PROTOCOL },
		{ "{}\n", EX_PROTOCOL }, { "{\"cmd\":7}\n", EX_PROTOCOL },
		{ "{\"cmd\":\"dance\"}\n", EX_USAGE },
		{ "{\"cmd\":\"explain\"}\n", EX_USAGE },
		{ "{\"cmd\":\"explain\",\"id\":\"../x\"}\n", EX_USAGE },
		{ "{\"cmd\":\"explain\",\"id\":\"idnobody\"}\n", EX_NOINPUT },
		{ "{\"cmd\":\"quarantine.show\",\"id\":\"idnobody\"}\n",
		    EX_NOINPUT },
		{ "{\"cmd\":\"quarantine.export\",\"id\":\"idnobody\"}\n",
		    EX_NOINPUT },
		{ "{\"cmd\":\"quarantine.delete\",\"id\":\"idnobody\"}\n",
		    EX_NOINPUT },
		{ "{\"cmd\":\"quarantine.release\",\"id\":\"idnobody\"}\n",
		    EX_NOINPUT } };
	struct town *t = *state;
	struct buf b = { 0 };

	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		json_t *answer = ask(t, cases[i].question, &b);

		assert_true(json_is_false(json_object_get(answer, "ok")));
		assert_int_equal(number(answer, "exit"), cases[i].exit);
		json_decref(answer);
	}
	buf_fini(&b);
}

static void
a_long_question_is_refused(void **state)
{
	struct town *t = *state;
	struct buf b = { 0 };
	char *question = malloc(100001);
	json_t *answer;

	memset(question, 'x', 100000);
	question[100000] = '\0';
	answer = ask(t, question, &b);
	assert_int_equal(number(answer, "exit"), EX_PROTOCOL);
	json_decref(answer);
	buf_fini(&b);
	free(question);
}

/* Sixty of them sit there and say nothing; one asks. */
static void
silent_clients_are_in_nobodys_way(void **state)
{
	struct town *t = *state;
	struct buf b = { 0 };
	int silent[60];
	json_t *answer;

	for (size_t i = 0; i < PN_COUNT(silent); i++) {
		silent[i] = dial(t);
		turn(t);
	}
	answer = ask(t, "{\"cmd\":\"quarantine.list\"}\n", &b);
	assert_true(json_is_true(json_object_get(answer, "ok")));
	json_decref(answer);
	for (size_t i = 0; i < PN_COUNT(silent); i++)
		(void)close(silent[i]);
	buf_fini(&b);
}

static void
lists_shows_exports_deletes(void **state)
{
	struct town *t = *state;
	struct told d;
	struct buf b = { 0 };
	json_t *answer, *m;

	assert_non_null(submit(t, KEEP_QUARANTINE, "idaaaaaa", "mta", &d));
	turn(t);
	answer = ask(t, "{\"cmd\":\"quarantine.list\"}\n", &b);
	m = json_array_get(json_object_get(answer, "messages"), 0);
	assert_string_equal(json_string_value(json_object_get(m, "sender")),
	    "bob@example.net");
	json_decref(answer);
	answer = ask(t, "{\"cmd\":\"quarantine.show\",\"id\":\"idaaaaaa\"}\n",
	    &b);
	m = json_object_get(answer, "message");
	assert_string_equal(json_string_value(json_object_get(m, "params")),
	    "SIZE=42 BODY=8BITMIME RET=HDRS");
	assert_int_equal(json_array_size(json_object_get(m, "trace")), 1);
	json_decref(answer);
	answer = ask(t, "{\"cmd\":\"quarantine.export\",\"id\":\"idaaaaaa\"}\n",
	    &b);
	assert_int_equal(number(answer, "bytes"), strlen(BODY));
	assert_string_equal(strchr(buf_data(&b), '\n') + 1, BODY);
	json_decref(answer);
	/* Not in a batch of history, but held: explained all the same. */
	answer = ask(t, "{\"cmd\":\"explain\",\"id\":\"idaaaaaa\"}\n", &b);
	assert_true(json_is_true(json_object_get(answer, "ok")));
	json_decref(answer);
	answer = ask(t, "{\"cmd\":\"quarantine.delete\",\"id\":\"idaaaaaa\"}\n",
	    &b);
	assert_true(json_is_true(json_object_get(answer, "ok")));
	json_decref(answer);
	assert_false(world_has(t->w, "quarantine/idaa/idaaaaaa.eml"));
	buf_fini(&b);
}

/* What a question may hold, and what it may not. */
static void
history_is_asked_for(void **state)
{
	static const struct {
		const char *question;
		const char *says; /* NULL: an answer */
	} cases[] = { { "{\"cmd\":\"history\"}\n", NULL },
		{ "{\"cmd\":\"history\",\"client\":\"192.0.2.0/24\","
		  "\"rule\":\"exe\",\"limit\":1}\n", NULL },
		{ "{\"cmd\":\"history\",\"since\":\"today\"}\n", "numbers" },
		{ "{\"cmd\":\"history\",\"until\":-1}\n", "numbers" },
		{ "{\"cmd\":\"history\",\"rule\":7}\n", "texts" },
		{ "{\"cmd\":\"history\",\"limit\":0}\n", "1 to 1000" },
		{ "{\"cmd\":\"history\",\"limit\":1001}\n", "1 to 1000" },
		{ "{\"cmd\":\"history\",\"client\":\"here\"}\n", "network" },
		{ "{\"cmd\":\"history\",\"client\":\"192.0.2.0/33\"}\n",
		    "network" },
		{ "{\"cmd\":\"quarantine.list\",\"state\":1}\n", "texts" },
		{ "{\"cmd\":\"quarantine.list\",\"client\":\"x\"}\n",
		    "network" } };
	struct town *t = *state;

	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct buf b = { 0 };
		json_t *answer = ask(t, cases[i].question, &b);
		const char *why = json_string_value(
		    json_object_get(answer, "error"));

		if (cases[i].says == NULL) {
			assert_true(json_is_array(json_object_get(answer,
			    "messages")));
			assert_true(json_is_false(json_object_get(answer,
			    "more")));
		} else {
			assert_int_equal(number(answer, "exit"), EX_USAGE);
			assert_non_null(strstr(why, cases[i].says));
		}
		json_decref(answer);
		buf_fini(&b);
	}
}

/* Who asks and leaves at once leaves nothing behind. */
static void
who_searches_may_leave(void **state)
{
	struct town *t = *state;
	int s = dial(t);

	assert_true(write(s, "{\"cmd\":\"history\"}\n", 18) == 18);
	(void)event_base_loop(loop_base(t->loop), EVLOOP_NONBLOCK);
	(void)close(s);
	turn(t);
}

static void
the_master_is_asked(void **state)
{
	static const struct {
		const char *question;
		uint32_t asks, answers;
		const char *said; /* status; reload: error, "" for ok */
		const char *want;
	} cases[] = {
		{ "{\"cmd\":\"status\"}\n", MASTER_STATUS, MASTER_STATUS_IS,
		    "{\"generation\":3,\"processes\":[]}",
		    "{\"ok\":true,\"generation\":3,\"processes\":[],"
		    "\"quarantine\":{\"messages\":0,\"bytes\":0}" },
		{ "{\"cmd\":\"reload\"}\n", MASTER_RELOAD, MASTER_RELOADED, "",
		    "{\"ok\":true}" },
		{ "{\"cmd\":\"reload\"}\n", MASTER_RELOAD, MASTER_RELOADED,
		    "x:1:2: no", "{\"ok\":false,\"exit\":78,"
		    "\"error\":\"x:1:2: no\"}" } };
	struct town *t = *state;
	static unsigned char frame[IPC_MAX];

	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		int s = dial(t);
		struct buf said = { 0 }, b = { 0 };
		uint32_t type = 0;
		uint64_t id;
		struct error e;

		assert_true(write(s, cases[i].question,
		    strlen(cases[i].question)) > 0);
		turn(t);
		assert_int_equal(ipc_read(t->master, &type, &id, frame, NULL,
		    &e), 0);
		assert_int_equal(type, cases[i].asks);
		if (type == MASTER_STATUS) {
			assert_true(buf_puts(&said, cases[i].said));
		} else {
			pack_u8(&said, cases[i].said[0] == '\0');
			pack_str(&said, pn_str_of(cases[i].said));
		}
		assert_int_equal(ipc_write(t->master, cases[i].answers, id,
		    buf_data(&said), buf_len(&said), -1, &e), 0);
		hear(t, s, &b);
		if (strncmp(buf_data(&b), cases[i].want,
		    strlen(cases[i].want)) != 0)
			fail_msg("%s", buf_data(&b));
		buf_fini(&said);
		buf_fini(&b);
	}
}

/* ---- releases ---- */

/* A worker's door: keeps the job, answers when told to. */
struct door {
	struct keep *keep;
	uint64_t job;
	struct buf body;
	char sender_params[64], rcpt_params[64], login[4];
};

static void
on_release(void *arg, const struct keep_job *j, uint64_t job, int fd,
    uint64_t size)
{
	struct door *d = arg;
	const struct rcpt *r = TAILQ_FIRST(&j->envelope.rcpts);

	d->job = job;
	buf_clear(&d->body);
	assert_int_equal(pread(fd, buf_room(&d->body, size), size, 0), size);
	buf_added(&d->body, size);
	(void)snprintf(d->sender_params, sizeof(d->sender_params), "%.*s",
	    PN_STR_ARG(j->envelope.params));
	(void)snprintf(d->rcpt_params, sizeof(d->rcpt_params), "%.*s",
	    PN_STR_ARG(r->params));
	assert_int_equal(j->client.login.n, 3);
	memcpy(d->login, j->client.login.p, 3);
	(void)close(fd);
}

static void
reply(struct door *d, uint16_t ada, uint16_t eve)
{
	struct keep_rcpt_outcome r[] = {
		{ PN_STR("ada@example.com"), ada, PN_STR("2.0.0 queued as A") },
		{ PN_STR("eve@example.com"), eve, PN_STR("4.2.1 full") } };
	struct keep_outcome o = { PN_STR("idaaaaaa"), 2, r };

	keep_released(d->keep, d->job, &o);
}

#define RELEASE "{\"cmd\":\"quarantine.release\",\"id\":\"idaaaaaa\"}\n"
#define SHOW "{\"cmd\":\"quarantine.show\",\"id\":\"idaaaaaa\"}\n"

static const char *
state_of(json_t *answer)
{
	return json_string_value(json_object_get(
	    json_object_get(answer, "message"), "state"));
}

static void
assert_shown(struct town *t, const char *want)
{
	struct buf b = { 0 };
	json_t *answer = ask(t, SHOW, &b);

	assert_string_equal(state_of(answer), want);
	json_decref(answer);
	buf_fini(&b);
}

static int
begin_release(struct town *t, struct door *d)
{
	struct told told;
	int s;

	assert_non_null(submit(t, KEEP_QUARANTINE, "idaaaaaa", "mta", &told));
	keep_on_release(t->keep, on_release, d);
	d->keep = t->keep;
	turn(t);
	s = dial(t);
	assert_true(write(s, RELEASE, strlen(RELEASE)) > 0);
	turn(t);
	return s;
}

struct drained {
	unsigned n;
	bool on;
	char upstream[40], server[40];
};

static void
on_drain(void *arg, struct pn_str upstream, struct pn_str server, bool on)
{
	struct drained *d = arg;

	d->n++;
	d->on = on;
	(void)snprintf(d->upstream, sizeof(d->upstream), "%.*s",
	    PN_STR_ARG(upstream));
	(void)snprintf(
	    d->server, sizeof(d->server), "%.*s", PN_STR_ARG(server));
}

static void
assert_ordered(struct town *t, const char *question, int exit)
{
	struct buf b = { 0 };
	json_t *answer = ask(t, question, &b);

	assert_int_equal(number(answer, "exit"), exit);
	json_decref(answer);
	buf_fini(&b);
	turn(t);
}

/* Of the same generation: it does as those beside it were told. */
static struct keep *
another_worker(struct town *t, unsigned generation, struct drained *d)
{
	struct error e;
	struct keep *k;
	int link[2];

	assert_int_equal(ipc_pair(link, &e), 0);
	k = keep_new(t->loop, link[0]);
	keep_on_drain(k, on_drain, d);
	keeper_add_worker(t->keeper, link[1], 7, generation, true);
	turn(t);
	return k;
}

static void
who_comes_later_hears_what_is_drained(void **state)
{
	struct town *t = *state;
	struct drained d = { 0 }, late = { 0 }, next = { 0 };
	struct count c;
	struct keep *k;

	count_init(&c, keep_stats(t->keep));
	stat_set(count_server(&c, "mta", "x:25", "up"), 1);
	stat_set(count_server(&c, "mta", "gone:25", "up"), 0);
	keep_tell_stats(t->keep);
	keep_on_drain(t->keep, on_drain, &d);
	turn(t);
	assert_ordered(t, "{\"cmd\":\"upstream.drain\"}\n", EX_USAGE);
	assert_ordered(t, "{\"cmd\":\"upstream.drain\",\"upstream\":"
	    "\"other\"}\n", EX_NOINPUT);
	assert_ordered(t, "{\"cmd\":\"upstream.drain\",\"upstream\":\"mta\","
	    "\"server\":\"gone:25\"}\n", EX_NOINPUT);
	assert_ordered(t, "{\"cmd\":\"upstream.drain\",\"upstream\":\"mta\","
	    "\"server\":1}\n", EX_USAGE);
	assert_int_equal(d.n, 0);
	assert_ordered(t, "{\"cmd\":\"upstream.drain\",\"upstream\":\"mta\","
	    "\"server\":\"x:25\"}\n", 0);
	assert_true(d.n == 1 && d.on);
	assert_string_equal(d.upstream, "mta");
	assert_string_equal(d.server, "x:25");
	keep_free(another_worker(t, 1, &late));
	assert_true(late.n == 1 && late.on);
	/* The last word on all of them is the only one. */
	assert_ordered(t, "{\"cmd\":\"upstream.resume\",\"upstream\":"
	    "\"mta\"}\n", 0);
	assert_true(d.n == 2 && !d.on && d.server[0] == '\0');
	k = another_worker(t, 1, &late);
	assert_true(late.n == 2 && !late.on);
	keep_free(another_worker(t, 2, &next));
	assert_int_equal(next.n, 0); /* it begins as it is configured */
	keep_free(k);
}

/* What the master of a real one does with it. */
static void
keep_orders(struct town *t)
{
	static unsigned char frame[IPC_MAX];
	struct error e = { .text = "" };
	uint32_t type;
	uint64_t id;
	ssize_t n = ipc_read(t->master, &type, &id, frame, NULL, &e);

	assert_true(n > 0);
	assert_int_equal(type, MASTER_ORDERS);
	buf_clear(&t->orders);
	assert_true(buf_add(&t->orders, frame, (size_t)n));
}

static void
the_next_keeper_knows_what_is_drained(void **state)
{
	struct town *t = *state;
	struct drained late = { 0 }, other = { 0 };
	struct count c;
	struct keep *k[2];

	count_init(&c, keep_stats(t->keep));
	stat_set(count_server(&c, "mta", "x:25", "up"), 1);
	stat_set(count_server(&c, "mta", "y:25", "up"), 1);
	keep_tell_stats(t->keep);
	turn(t);
	assert_ordered(t, "{\"cmd\":\"upstream.drain\",\"upstream\":\"mta\","
	    "\"server\":\"x:25\"}\n", 0);
	keep_orders(t);
	keeper_dies(t);
	next_keeper(t);
	turn(t);
	k[0] = another_worker(t, 1, &late);
	k[1] = another_worker(t, 2, &other);
	assert_int_equal(other.n, 0); /* another generation's */
	assert_true(late.n == 1 && late.on);
	assert_string_equal(late.server, "x:25");
	keep_free(k[0]);
	keep_free(k[1]);
	turn(t);
	/* All that it is told later is one with that. */
	assert_ordered(t, "{\"cmd\":\"upstream.drain\",\"upstream\":\"mta\","
	    "\"server\":\"y:25\"}\n", 0);
	keep_orders(t);
	keeper_dies(t);
	next_keeper(t);
	keep_free(another_worker(t, 1, &late));
	assert_int_equal(late.n, 3);
	buf_fini(&t->orders);
}

/* All of them must fit in what the master keeps. */
static void
more_orders_than_can_be_kept_are_refused(void **state)
{
	struct town *t = *state;
	char name[171], question[300];
	struct count c;
	int got = 0;

	count_init(&c, keep_stats(t->keep));
	for (int i = 0; i < 1000; i++) {
		struct buf b = { 0 };
		json_t *answer;

		(void)snprintf(name, sizeof(name), "%0170d", i);
		stat_set(count_server(&c, "mta", name, "up"), 1);
		keep_tell_stats(t->keep);
		turn(t);
		(void)snprintf(question, sizeof(question),
		    "{\"cmd\":\"upstream.drain\",\"upstream\":\"mta\","
		    "\"server\":\"%s\"}\n", name);
		answer = ask(t, question, &b);
		got = (int)number(answer, "exit");
		json_decref(answer);
		buf_fini(&b);
		if (got != 0)
			break;
		keep_orders(t);
	}
	assert_int_equal(got, EX_UNAVAILABLE);
	assert_true(buf_len(&t->orders) > IPC_MAX - sizeof(name) - 100);
	/* That one says how to go on. */
	assert_ordered(t, "{\"cmd\":\"upstream.drain\",\"upstream\":\"mta\"}"
	    "\n", 0);
	keep_orders(t);
	buf_fini(&t->orders);
}

static void
a_release_is_relayed_and_committed(void **state)
{
	struct town *t = *state;
	struct door d = { 0 };
	struct buf b = { 0 };
	int s = begin_release(t, &d);
	json_t *answer;

	assert_str(buf_str(&d.body), BODY);
	assert_string_equal(d.sender_params, "SIZE=42 BODY=8BITMIME RET=HDRS");
	assert_string_equal(d.rcpt_params, "NOTIFY=NEVER");
	assert_memory_equal(d.login, "a\0b", 3);
	assert_shown(t, "releasing");
	reply(&d, 250, 451);
	hear(t, s, &b);
	answer = json_loads(buf_data(&b), 0, NULL);
	assert_string_equal(state_of(answer), "waiting");
	json_decref(answer);
	/* Again: to the one who has not got it. */
	s = dial(t);
	assert_true(write(s, RELEASE, strlen(RELEASE)) > 0);
	turn(t);
	assert_string_equal(d.rcpt_params, "");
	reply(&d, 0, 250); /* ada has it already: nothing changes for her */
	turn(t);
	(void)close(s);
	assert_shown(t, "released");
	answer = ask(t, RELEASE, &b);
	assert_int_equal(number(answer, "exit"), EX_TEMPFAIL);
	json_decref(answer);
	buf_fini(&d.body);
	buf_fini(&b);
}

/* A milter cannot give the MTA back what it had it discard. */
static void
where_there_is_no_next_hop_it_stays(void **state)
{
	struct town *t = *state;
	struct told told;
	struct buf b = { 0 };
	json_t *answer;

	assert_non_null(submit(t, KEEP_QUARANTINE, "idaaaaaa", "", &told));
	turn(t);
	answer = ask(t, RELEASE, &b);
	assert_int_equal(number(answer, "exit"), EX_CONFIG);
	assert_string_equal(
	    json_string_value(json_object_get(answer, "error")),
	    "idaaaaaa came by a milter listener that has no \"upstream\" to "
	    "release it to; it can be exported");
	json_decref(answer);
	assert_shown(t, "held");
	buf_fini(&b);
}

/* Milters have a link to the keeper, and relay nothing. */
static void
a_milter_is_given_no_release(void **state)
{
	struct town *t = *state;
	struct door d = { 0 };
	struct error e;
	int link[2], s;

	assert_int_equal(ipc_pair(link, &e), 0);
	keeper_add_worker(t->keeper, link[1], 1, 9, false); /* the newest */
	s = begin_release(t, &d);
	assert_str(buf_str(&d.body), BODY); /* the worker has it */
	reply(&d, 250, 250);
	turn(t);
	assert_shown(t, "released");
	(void)close(s);
	(void)close(link[0]);
	buf_fini(&d.body);
}

/* A worker in wrong hands must not say of others' mail that it went out. */
static void
only_who_relays_reports(void **state)
{
	struct town *t = *state;
	struct door d = { 0 };
	struct keep_rcpt_outcome r[] = {
		{ PN_STR("ada@example.com"), 250, PN_STR("gone") },
		{ PN_STR("eve@example.com"), 250, PN_STR("gone") } };
	struct keep_outcome o = { PN_STR("idaaaaaa"), 2, r };
	struct buf b = { 0 };
	struct error e;
	int link[2], s = begin_release(t, &d);

	assert_int_equal(ipc_pair(link, &e), 0);
	keeper_add_worker(t->keeper, link[1], 1, 1, true);
	keep_outcome_pack(&o, &b);
	assert_int_equal(ipc_write(link[0], KEEP_RELEASED, d.job, buf_data(&b),
	    buf_len(&b), -1, &e), 0);
	turn(t);
	assert_shown(t, "releasing");
	reply(&d, 451, 451);
	turn(t);
	assert_shown(t, "waiting");
	(void)close(s);
	(void)close(link[0]);
	buf_fini(&b);
	buf_fini(&d.body);
}

static void
who_asked_may_leave(void **state)
{
	struct town *t = *state;
	struct door d = { 0 };

	(void)close(begin_release(t, &d));
	turn(t);
	reply(&d, 250, 250);
	turn(t);
	assert_shown(t, "released");
	buf_fini(&d.body);
}

static void
a_dead_keeper_hears_the_outcome_later(void **state)
{
	struct town *t = *state;
	struct door d = { 0 };
	int s = begin_release(t, &d), sock;

	keeper_dies(t);
	turn(t);
	reply(&d, 250, 550);
	keeper_begins(t, &sock);
	assert_shown(t, "releasing");
	keep_attach(t->keep, sock);
	turn(t);
	assert_shown(t, "refused");
	(void)close(s);
	buf_fini(&d.body);
}

/* What was told to a keeper that died with it in its hands is told again. */
static void
an_outcome_is_told_until_it_is_committed(void **state)
{
	struct town *t = *state;
	struct door d = { 0 };
	int s = begin_release(t, &d);

	reply(&d, 250, 451); /* sent, and never read */
	keeper_dies(t);
	turn(t);
	next_keeper(t);
	turn(t);
	assert_shown(t, "waiting");
	/* Committed: the next keeper hears nothing that is over. */
	keeper_dies(t);
	turn(t);
	next_keeper(t);
	turn(t);
	assert_shown(t, "waiting");
	(void)close(s);
	buf_fini(&d.body);
}

/* The worker that was asked is known by number and generation, to a keeper
 * that did not ask it, too: others are not believed. */
static void
a_new_keeper_believes_who_was_asked_alone(void **state)
{
	struct town *t = *state;
	struct door d = { 0 };
	struct keep_rcpt_outcome r[] = {
		{ PN_STR("ada@example.com"), 250, PN_STR("gone") },
		{ PN_STR("eve@example.com"), 250, PN_STR("gone") } };
	struct keep_outcome o = { PN_STR("idaaaaaa"), 2, r };
	struct buf b = { 0 };
	struct error e;
	int link[2], s = begin_release(t, &d), sock;

	keeper_dies(t);
	turn(t);
	keeper_begins(t, &sock);
	assert_int_equal(ipc_pair(link, &e), 0);
	keeper_add_worker(t->keeper, link[1], 0, 2, true); /* a later generation's */
	keep_outcome_pack(&o, &b);
	assert_int_equal(ipc_write(link[0], KEEP_RELEASED, d.job, buf_data(&b),
	    buf_len(&b), -1, &e), 0);
	turn(t);
	assert_shown(t, "releasing");
	keep_attach(t->keep, sock);
	turn(t);
	assert_shown(t, "releasing"); /* it is at it, and says nothing */
	reply(&d, 550, 550);
	turn(t);
	assert_shown(t, "refused");
	(void)close(s);
	(void)close(link[0]);
	buf_fini(&b);
	buf_fini(&d.body);
}

/* A keeper that died between writing it down and sending it. */
static void
a_release_that_never_arrived_waits(void **state)
{
	struct town *t = *state;
	struct door d = { 0 };
	int s = begin_release(t, &d), sock;

	keeper_dies(t);
	keep_free(t->keep); /* another one, that knows nothing of it */
	keeper_begins(t, &sock);
	t->keep = keep_new(t->loop, sock);
	turn(t);
	assert_shown(t, "waiting");
	(void)close(s);
	buf_fini(&d.body);
}

/* Another run of posternd: no worker of that one will ever say. */
static void
a_release_of_an_earlier_run_is_unknown(void **state)
{
	struct town *t = *state;
	struct door d = { 0 };
	int s = begin_release(t, &d);

	keeper_dies(t);
	turn(t);
	t->run_us = keeper_clock_us();
	next_keeper(t);
	turn(t);
	assert_shown(t, "unknown");
	(void)close(s);
	buf_fini(&d.body);
}

/* Of a keeper that tries it again in a tenth of a second. */
static int
begin_release_again_soon(struct town *t, struct door *d)
{
	static const uint64_t soon[] = { 100 };

	t->conf.settings.release_retry_ms = soon;
	keeper_dies(t);
	turn(t);
	next_keeper(t);
	return begin_release(t, d);
}

static void
what_waits_is_tried_again(void **state)
{
	struct town *t = *state;
	struct door d = { 0 };
	uint64_t first;
	int s;

	s = begin_release_again_soon(t, &d);
	first = d.job;
	reply(&d, 250, 451);
	for (int i = 0; i < 200 && d.job == first; i++) {
		(void)usleep(5000);
		turn(t);
	}
	assert_true(d.job > first);
	assert_string_equal(d.rcpt_params, ""); /* eve alone */
	reply(&d, 0, 250);
	turn(t);
	assert_shown(t, "released");
	(void)close(s);
	buf_fini(&d.body);
}

static void
a_plan_survives_the_keeper(void **state)
{
	struct town *t = *state;
	struct door d = { 0 };
	uint64_t first;
	int s;

	s = begin_release_again_soon(t, &d);
	first = d.job;
	reply(&d, 451, 451);
	turn(t);
	keeper_dies(t);
	turn(t);
	(void)usleep(150000);
	next_keeper(t);
	for (int i = 0; i < 200 && d.job == first; i++) {
		(void)usleep(5000);
		turn(t);
	}
	assert_true(d.job > first);
	reply(&d, 250, 250);
	turn(t);
	assert_shown(t, "released");
	(void)close(s);
	buf_fini(&d.body);
}

static void
a_dead_worker_leaves_it_unknown(void **state)
{
	struct town *t = *state;
	struct door d = { 0 };
	struct buf b = { 0 };
	int s = begin_release(t, &d);
	json_t *answer;

	keep_free(t->keep);
	t->keep = NULL;
	hear(t, s, &b);
	answer = json_loads(buf_data(&b), 0, NULL);
	assert_string_equal(state_of(answer), "unknown");
	json_decref(answer);
	answer = ask(t, RELEASE, &b);
	assert_int_equal(number(answer, "exit"), EX_UNAVAILABLE);
	json_decref(answer);
	buf_fini(&d.body);
	buf_fini(&b);
}

/* ---- history over the link ---- */

static void
summaries_arrive_in_batches(void **state)
{
	struct town *t = *state;
	struct keep_summary m = { .action = PN_STR("accept"), .code = 250,
		.time_us = (uint64_t)time(NULL) * 1000000 };
	char *huge = calloc(1, 300000), id[24];
	struct buf b = { 0 };
	json_t *answer;

	for (int i = 0; i < 2000; i++) {
		(void)snprintf(id, sizeof(id), "id%06d", i);
		m.id = pn_str_of(id);
		keep_summary(t->keep, &m);
	}
	m.id = PN_STR_V("idhuge");
	m.trace = (struct pn_str){ huge, 300000 };
	keep_summary(t->keep, &m);
	(void)usleep(250000);
	turn(t);
	answer = ask(t, "{\"cmd\":\"explain\",\"id\":\"id001999\"}\n", &b);
	assert_true(json_is_true(json_object_get(answer, "ok")));
	json_decref(answer);
	answer = ask(t, "{\"cmd\":\"explain\",\"id\":\"idhuge\"}\n", &b);
	assert_int_equal(number(json_object_get(json_object_get(answer,
	    "message"), "trace"), "omitted"), 300000);
	json_decref(answer);
	buf_fini(&b);
	free(huge);
}

/* ---- frames of no form ---- */

static uint32_t
next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

/* One frame with some bytes changed, at a link of its own. */
static void
hostile_frame(struct town *t, uint32_t type, const struct buf *good, int fd,
    uint32_t *seed)
{
	unsigned char body[4096];
	size_t n = buf_len(good);
	int link[2];
	struct error e;

	memcpy(body, buf_data(good), n);
	for (uint32_t i = next_random(seed) % 4; i > 0 && n > 0; i--)
		body[next_random(seed) % n] = (unsigned char)next_random(seed);
	if (next_random(seed) % 3 == 0)
		n = next_random(seed) % (n + 1);
	assert_int_equal(ipc_pair(link, &e), 0);
	keeper_add_worker(t->keeper, link[1], 9, 9, true);
	assert_int_equal(ipc_write(link[0], type, 1, body, n,
	    next_random(seed) % 8 ? fd : -1, &e), 0);
	(void)event_base_loop(loop_base(t->loop), EVLOOP_NONBLOCK);
	(void)close(link[0]);
	(void)event_base_loop(loop_base(t->loop), EVLOOP_NONBLOCK);
}

/* The job behind the message with some bytes changed. */
static int
hostile_parcel(struct world *w, uint32_t *seed)
{
	struct keep_job j = job_of(w, "idhhhhhh");
	struct buf b = { 0 };
	int fd;

	assert_true(buf_puts(&b, BODY));
	keep_job_pack(&j, &b);
	for (uint32_t i = next_random(seed) % 4; i > 0; i--)
		buf_data(&b)[next_random(seed) % buf_len(&b)] =
		    (char)next_random(seed);
	if (next_random(seed) % 3 == 0)
		b.end -= next_random(seed) % (buf_len(&b) + 1);
	fd = body_of(buf_str(&b));
	buf_fini(&b);
	return fd;
}

static void
hostile_frames_end_nothing(void **state)
{
	static const uint32_t types[] = { KEEP_QUARANTINE, KEEP_MAILDIR,
		KEEP_MAILDIR | KEEP_AGAIN, KEEP_VERDICT, KEEP_SUSPECT,
		KEEP_RELEASED, KEEP_DONE, 0xffffffff };
	struct town *t = *state;
	struct keep_rcpt_outcome r = { PN_STR("a@x"), 250, PN_STR("ok") };
	struct keep_outcome o = { PN_STR("idaaaaaa"), 1, &r };
	struct keep_summary m = { .id = PN_STR("idaaaaaa"),
		.trace = PN_STR("[]") };
	uint32_t seed = 1;
	struct told d;

	for (int i = 0; i < 2000; i++) {
		uint32_t type = types[next_random(&seed) % PN_COUNT(types)];
		int fd = hostile_parcel(t->w, &seed);
		struct buf good = { 0 };

		arena_reset(t->w->arena);
		if ((type & 0xff) <= KEEP_MAILDIR)
			pack_u64(&good, strlen(BODY));
		else if (type == KEEP_VERDICT)
			keep_summary_pack(&m, &good);
		else if (type == KEEP_RELEASED)
			keep_outcome_pack(&o, &good);
		else
			assert_true(buf_add(&good, (char[32]){ 1 }, 32));
		hostile_frame(t, type, &good, fd, &seed);
		(void)close(fd);
		buf_fini(&good);
	}
	assert_int_equal(world_count(t->w, "box/tmp", NULL), 0);
	/* And the one who speaks properly is served as ever. */
	assert_non_null(submit(t, KEEP_QUARANTINE, "idaaaaaa", "", &d));
	turn(t);
	assert_true(d.ok);
}

/* The worker does not believe a broken keeper either. */
static void
hostile_answers_end_nothing(void **state)
{
	static const uint32_t types[] = { KEEP_DONE, KEEP_FAILED, KEEP_COUNT,
		KEEP_RELEASE, KEEP_RELEASED, 77 };
	struct town *t = *state;
	uint32_t seed = 2;
	int link[2];
	struct error e;
	struct told d = { 0 };
	unsigned char key[32] = { 7 };

	assert_int_equal(ipc_pair(link, &e), 0);
	keep_attach(t->keep, link[0]);
	for (int i = 0; i < 2000; i++) {
		unsigned char body[16] = { (unsigned char)next_random(&seed) };
		int fd = hostile_parcel(t->w, &seed);

		arena_reset(t->w->arena);
		if (i % 4 == 0) /* ids 1, 2 ...: some of the answers fit */
			assert_non_null(keep_suspect(t->keep, key, true,
			    counted, &d));
		assert_int_equal(ipc_write(link[1],
		    types[next_random(&seed) % PN_COUNT(types)],
		    next_random(&seed) % 600, body, next_random(&seed) % 16,
		    next_random(&seed) % 2 ? fd : -1, &e), 0);
		(void)event_base_loop(loop_base(t->loop), EVLOOP_NONBLOCK);
		(void)close(fd);
	}
	assert_true(d.calls > 10);
	(void)close(link[1]);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, town_open, town_close)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(jobs_are_done),
		TEST(a_full_disk_is_told_apart),
		TEST(a_full_memory_is_told_apart),
		TEST(a_cancelled_ticket_is_silent),
		TEST(suspects_are_counted),
		TEST(workers_share_counters),
		TEST(a_counter_is_asked_of_one_keeper),
		TEST(a_cancelled_counter_is_silent),
		TEST(the_next_keeper_does_it),
		TEST(the_next_keeper_knows_it_is_done),
		TEST(no_job_kills_keepers_for_ever),
		TEST(without_a_keeper_jobs_fail),
		TEST(questions_of_no_form),
		TEST(a_long_question_is_refused),
		TEST(silent_clients_are_in_nobodys_way),
		TEST(lists_shows_exports_deletes),
		TEST(history_is_asked_for),
		TEST(who_searches_may_leave),
		TEST(the_master_is_asked),
		TEST(who_comes_later_hears_what_is_drained),
		TEST(the_next_keeper_knows_what_is_drained),
		TEST(more_orders_than_can_be_kept_are_refused),
		TEST(a_release_is_relayed_and_committed),
		TEST(where_there_is_no_next_hop_it_stays),
		TEST(a_milter_is_given_no_release),
		TEST(only_who_relays_reports),
		TEST(who_asked_may_leave),
		TEST(a_dead_keeper_hears_the_outcome_later),
		TEST(an_outcome_is_told_until_it_is_committed),
		TEST(a_new_keeper_believes_who_was_asked_alone),
		TEST(a_release_that_never_arrived_waits),
		TEST(a_release_of_an_earlier_run_is_unknown),
		TEST(what_waits_is_tried_again),
		TEST(a_plan_survives_the_keeper),
		TEST(a_dead_worker_leaves_it_unknown),
		TEST(summaries_arrive_in_batches),
		TEST(hostile_frames_end_nothing),
		TEST(hostile_answers_end_nothing),
	};

	/* Half of the tests are about what ends in the log. */
	assert_int_equal(log_open("test", "/dev/null", LOG_LEVEL_ERROR), 0);
	return cmocka_run_group_tests_name("keep", tests, NULL, NULL);
}
