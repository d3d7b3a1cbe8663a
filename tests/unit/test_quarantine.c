/* quarantine: what is stored comes back whole; what a crash leaves is put
 * right; releases move through their states. Real SQLite in a folder. */
#include "keeper_world.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "keeper/db.h"
#include "keeper/quarantine.h"

#define BODY PN_STR_V("Subject: x\r\n\r\n.dot\r\nnul \0 byte\r\n")
#define FILE_A "quarantine/idaa/idaaaaaa.eml"

#define SECOND 1000000ull
#define NOW (1700000000 * SECOND)

/* Tried again after 60 s, 300 s, 300 s ..., for 1000 s in all. */
static const uint64_t waits[] = { 60000, 300000 };
static const struct keeper_settings settings = { .release_life_ms = 1000000,
	.release_retry_ms = waits, .n_release_retry = 2 };

static struct quarantine *
opened(struct world *w)
{
	struct error e = { .text = "" };
	struct quarantine *q = quarantine_open(w->dir, &e);

	if (q == NULL)
		fail_msg("%s", e.text);
	quarantine_use(q, &settings);
	return q;
}

static int
release_at(struct quarantine *q, const char *id, uint64_t job, bool again,
    uint64_t now_us)
{
	const struct quarantine_try t = { .job = job, .worker = 3,
		.generation = 2, .now_us = now_us, .again = again };
	struct error e;

	return quarantine_release(q, pn_str_of(id), &t, &e);
}

static int
release(struct quarantine *q, uint64_t job)
{
	return release_at(q, "idaaaaaa", job, false, NOW);
}

static void
store(struct quarantine *q, struct world *w, const char *id)
{
	struct keep_job j = job_of(w, id);
	struct error e = { .text = "" };
	int fd = body_of(BODY);

	if (quarantine_store(q, &j, fd, BODY.n, &e) != 0)
		fail_msg("%s", e.text);
	(void)close(fd);
}

static void
assert_state(struct quarantine *q, const char *want)
{
	struct buf b = { 0 };
	struct error e;
	char needle[64];

	assert_int_equal(quarantine_brief(q, PN_STR_V("idaaaaaa"), &b, &e), 1);
	assert_true(buf_add(&b, "", 1));
	(void)snprintf(needle, sizeof(needle), ",\"state\":\"%s\",\"class\"",
	    want);
	if (strstr(buf_data(&b), needle) == NULL)
		fail_msg("%s: no %s", buf_data(&b), needle);
	buf_fini(&b);
}

static void
assert_same(struct pn_str got, struct pn_str want)
{
	assert_int_equal(got.n, want.n);
	assert_memory_equal(got.n ? got.p : "", want.n ? want.p : "", want.n);
}

/* As if written so many seconds from now. */
static void
date(struct world *w, const char *name, int from_now)
{
	struct timespec t[2];

	assert_int_equal(clock_gettime(CLOCK_REALTIME, &t[0]), 0);
	t[0].tv_sec += from_now;
	t[1] = t[0];
	assert_int_equal(utimensat(AT_FDCWD, world_path(w, name), t, 0), 0);
}

static void
comes_back_whole(void **state)
{
	struct world *w = *state;
	struct quarantine *q = opened(w);
	struct keep_job want = job_of(w, "idaaaaaa"), got;
	struct buf packed[2] = { { 0 }, { 0 } }, body = { 0 };
	struct error e;

	store(q, w, "idaaaaaa");
	quarantine_close(q);
	q = opened(w);
	assert_int_equal(quarantine_job(q, want.id, false, &got, w->arena, &e), 1);
	want.size = BODY.n; /* of what lies there, not what was said */
	/* The packed form holds every field: equal bytes, equal jobs. */
	keep_job_pack(&want, &packed[0]);
	keep_job_pack(&got, &packed[1]);
	assert_same(buf_str(&packed[1]), buf_str(&packed[0]));
	world_get(w, FILE_A, &body);
	assert_same(buf_str(&body), BODY);
	assert_int_equal(world_count(w, "quarantine/tmp", NULL), 0);
	buf_fini(&packed[0]);
	buf_fini(&packed[1]);
	buf_fini(&body);
	quarantine_close(q);
}

static void
the_same_id_is_stored_once(void **state)
{
	struct world *w = *state;
	struct quarantine *q = opened(w);
	int64_t n, bytes;
	struct error e;

	store(q, w, "idaaaaaa");
	store(q, w, "idaaaaaa");
	store(q, w, "idbbbbbb");
	assert_int_equal(quarantine_count(q, &n, &bytes, &e), 0);
	assert_int_equal(n, 2);
	assert_int_equal(bytes, 2 * BODY.n);
	quarantine_close(q);
}

static void
refuses_what_it_cannot_keep(void **state)
{
	struct world *w = *state;
	struct quarantine *q = opened(w);
	struct keep_job j = job_of(w, "../../../etc/x"), nobody;
	int fd = body_of(BODY), pipes[2];
	struct error e;

	assert_int_equal(quarantine_store(q, &j, fd, BODY.n, &e), -1);
	j.id = PN_STR_V("idaaaaaa");
	assert_int_equal(quarantine_store(q, &j, fd, BODY.n + 1, &e), -1);
	assert_non_null(strstr(e.text, "ends at"));
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(quarantine_store(q, &j, pipes[0], 1, &e), -1);
	nobody = j;
	envelope_init(&nobody.envelope);
	assert_int_equal(quarantine_store(q, &nobody, fd, BODY.n, &e), -1);
	assert_false(world_has(w, FILE_A));
	assert_int_equal(world_count(w, "quarantine/tmp", NULL), 0);
	(void)close(fd);
	(void)close(pipes[0]);
	(void)close(pipes[1]);
	quarantine_close(q);
}

static void
a_start_clears_what_was_never_promised(void **state)
{
	struct world *w = *state;
	struct quarantine *q = opened(w);

	store(q, w, "idaaaaaa");
	quarantine_close(q);
	world_put(w, "quarantine/tmp/idcccccc", "half a mess");
	world_put(w, "quarantine/idaa/idaazzzz.eml", "whole, but no row");
	date(w, "quarantine/idaa/idaazzzz.eml", 1);
	q = opened(w);
	assert_true(world_has(w, FILE_A));
	assert_false(world_has(w, "quarantine/tmp/idcccccc"));
	assert_false(world_has(w, "quarantine/idaa/idaazzzz.eml"));
	quarantine_close(q);
}

/* The keeper of a master that died still serves its last sessions: what it
 * has between file and row, or under way, is nobody else's to clean. */
static void
two_keepers_leave_each_other_alone(void **state)
{
	struct world *w = *state;
	struct quarantine *old = opened(w), *q;
	struct error e;

	store(old, w, "idaaaaaa");
	assert_int_equal(release(old, 7), 0);
	world_put(w, "quarantine/tmp/idcccccc", "being written");
	world_put(w, "quarantine/idaa/idaazzzz.eml", "its row comes next");
	date(w, "quarantine/idaa/idaazzzz.eml", 1);
	q = opened(w);
	assert_int_equal(quarantine_recover(q, &e), 0);
	assert_true(world_has(w, "quarantine/tmp/idcccccc"));
	assert_true(world_has(w, "quarantine/idaa/idaazzzz.eml"));
	assert_state(q, "releasing");
	quarantine_close(old);
	assert_int_equal(quarantine_recover(q, &e), 1);
	assert_false(world_has(w, "quarantine/tmp/idcccccc"));
	assert_false(world_has(w, "quarantine/idaa/idaazzzz.eml"));
	quarantine_close(q);
}

static void
a_lost_index_costs_no_mail(void **state)
{
	struct world *w = *state;
	struct quarantine *q = opened(w);

	store(q, w, "idaaaaaa");
	quarantine_close(q);
	date(w, FILE_A, -1);
	assert_int_equal(unlink(world_path(w, "index.db")), 0);
	for (int starts = 0; starts < 3; starts++) {
		q = opened(w);
		assert_true(world_has(w, FILE_A));
		quarantine_close(q);
	}
}

static void
deleted_is_gone(void **state)
{
	struct world *w = *state;
	struct quarantine *q = opened(w);
	struct pn_str id = PN_STR("idaaaaaa");
	struct keep_job j;
	struct error e;

	store(q, w, "idaaaaaa");
	assert_int_equal(quarantine_delete(q, id, &e), 1);
	assert_false(world_has(w, FILE_A));
	assert_int_equal(quarantine_job(q, id, false, &j, w->arena, &e), 0);
	assert_int_equal(quarantine_delete(q, id, &e), 0);
	quarantine_close(q);
}

/* ---- releases ---- */

static bool
outcome_at(struct quarantine *q, uint64_t job, int ada, int eve,
    uint64_t now_us)
{
	struct keep_rcpt_outcome r[] = {
		{ PN_STR("ada@example.com"), (uint16_t)ada, PN_STR("2.0.0 A") },
		{ PN_STR("eve@example.com"), (uint16_t)eve, PN_STR("2.0.0 E") } };
	struct keep_outcome o = { PN_STR("idaaaaaa"), 2, r };
	struct error e;
	bool finished;

	if (ada < 0) {
		o.rcpts = &r[1];
		o.n = 1;
	}
	assert_int_equal(quarantine_outcome(q, job, &o, now_us, &finished, &e),
	    0);
	return finished;
}

static bool
outcome(struct quarantine *q, uint64_t job, int ada, int eve)
{
	return outcome_at(q, job, ada, eve, NOW);
}

static unsigned
to_release(struct quarantine *q, struct world *w, bool again)
{
	struct keep_job j;
	struct error e;

	assert_int_equal(quarantine_job(q, PN_STR_V("idaaaaaa"), again, &j,
	    w->arena, &e), 1);
	return j.envelope.n_accepted;
}

/* Seconds from NOW to the next try; -1: there is none. */
static int
next_try(struct quarantine *q)
{
	uint64_t next_us;
	struct error e;
	char id[32];

	assert_int_equal(quarantine_next(q, &next_us, id, &e), 0);
	if (next_us == 0)
		return -1;
	assert_string_equal(id, "idaaaaaa");
	return (int)((next_us - NOW) / SECOND);
}

static void
replies_decide_the_state(void **state)
{
	static const struct {
		int ada, eve;
		const char *then;
		int next;
		unsigned asked, again; /* recipients of the next one */
	} cases[] = { { 250, 250, "released", -1, 0, 0 },
		{ 250, 451, "waiting", 60, 1, 1 },
		{ 550, 250, "refused", -1, 1, 0 },
		{ 550, 451, "waiting", 60, 2, 1 },
		{ 550, 550, "refused", -1, 2, 0 },
		{ 250, 0, "unknown", 60, 1, 1 },
		{ 0, 451, "unknown", 60, 2, 2 } };
	struct pn_str id = PN_STR("idaaaaaa");
	struct error e;

	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct world *w = *state;
		struct quarantine *q = opened(w);

		store(q, w, "idaaaaaa");
		assert_int_equal(release(q, 7), 0);
		assert_state(q, "releasing");
		assert_int_equal(next_try(q), -1);
		assert_int_equal(release(q, 8), -1);
		assert_int_equal(quarantine_delete(q, id, &e), -1);
		assert_true(outcome(q, 7, cases[i].ada, cases[i].eve));
		assert_state(q, cases[i].then);
		assert_int_equal(next_try(q), cases[i].next);
		assert_int_equal(to_release(q, w, false), cases[i].asked);
		assert_int_equal(to_release(q, w, true), cases[i].again);
		assert_int_equal(quarantine_delete(q, id, &e), 1);
		quarantine_close(q);
	}
}

static void
replies_may_come_in_parts(void **state)
{
	struct world *w = *state;
	struct quarantine *q = opened(w);

	store(q, w, "idaaaaaa");
	assert_int_equal(release(q, 7), 0);
	assert_false(outcome(q, 7, -1, 250));
	assert_state(q, "releasing");
	assert_true(outcome(q, 7, 250, 250));
	assert_state(q, "released");
	assert_int_equal(release(q, 8), -1);
	quarantine_close(q);
}

/* 60 s, then 300 s each, until 1000 s have passed since it was asked for. */
static void
it_is_tried_again_until_its_time_is_over(void **state)
{
	static const int at[] = { 0, 60, 360, 660, 960, 1260 };
	static const int next[] = { 60, 360, 660, 960, 1260, -1 };
	struct world *w = *state;
	struct quarantine *q = opened(w);

	store(q, w, "idaaaaaa");
	for (size_t i = 0; i < PN_COUNT(at); i++) {
		uint64_t now_us = NOW + (uint64_t)at[i] * SECOND;

		assert_int_equal(release_at(q, "idaaaaaa", 7 + i, i > 0, now_us),
		    0);
		assert_true(outcome_at(q, 7 + i, 550, 451, now_us));
		assert_int_equal(next_try(q), next[i]);
		quarantine_close(q); /* it is all in the index */
		q = opened(w);
	}
	assert_state(q, "failed");
	assert_int_equal(to_release(q, w, true), 0);
	/* An operator may begin anew, for both. */
	assert_int_equal(to_release(q, w, false), 2);
	assert_int_equal(release(q, 70), 0);
	assert_true(outcome(q, 70, 250, 451));
	assert_int_equal(next_try(q), 60);
	quarantine_close(q);
}

/* A further try asks nobody again who has given a last word. */
static void
a_further_try_leaves_last_words_alone(void **state)
{
	struct world *w = *state;
	struct quarantine *q = opened(w);
	struct buf b = { 0 };
	struct error e;

	store(q, w, "idaaaaaa");
	assert_int_equal(release(q, 7), 0);
	assert_true(outcome(q, 7, 550, 451));
	assert_int_equal(release_at(q, "idaaaaaa", 8, true, NOW), 0);
	assert_true(outcome(q, 8, 250, 250)); /* ada's is nobody's question */
	assert_state(q, "refused");
	assert_int_equal(quarantine_brief(q, PN_STR_V("idaaaaaa"), &b, &e), 1);
	assert_true(buf_add(&b, "", 1));
	assert_non_null(strstr(buf_data(&b), "\"state\":\"refused\","
	    "\"code\":550"));
	assert_non_null(strstr(buf_data(&b), "\"tries\":2,\"next_us\":0"));
	buf_fini(&b);
	quarantine_close(q);
}

static bool
count_open(void *arg, struct pn_str id, uint64_t job, unsigned worker,
    unsigned generation)
{
	assert_str(id, "idaaaaaa");
	assert_int_equal(job, 7);
	assert_int_equal(worker, 3);
	assert_int_equal(generation, 2);
	++*(int *)arg;
	return true;
}

static void
a_keeper_that_died_doubles_nothing(void **state)
{
	struct world *w = *state;
	struct quarantine *q = opened(w);
	struct error e;
	int open = 0;

	store(q, w, "idaaaaaa");
	assert_int_equal(release(q, 7), 0);
	quarantine_close(q);
	q = opened(w);
	assert_state(q, "releasing"); /* whose it is, is known */
	assert_int_equal(quarantine_releasing(q, count_open, &open, &e), 0);
	assert_int_equal(open, 1);
	/* The worker lives and tells the new keeper after all. */
	assert_true(outcome(q, 7, 250, 451));
	assert_state(q, "waiting");
	/* Released again: the late answer to the first is nobody's, and heard. */
	assert_int_equal(release(q, 8), 0);
	assert_true(outcome(q, 7, 250, 250));
	assert_state(q, "releasing");
	assert_int_equal(quarantine_lost(q, 8, false, NOW, &e), 0);
	assert_state(q, "unknown");
	assert_int_equal(next_try(q), 60);
	assert_int_equal(to_release(q, w, true), 1);
	assert_int_equal(release(q, 9), 0);
	/* Its worker never heard of it. */
	assert_int_equal(quarantine_lost(q, 9, true, NOW, &e), 0);
	assert_state(q, "waiting");
	quarantine_close(q);
}

static void
what_cannot_be_begun_is_put_off(void **state)
{
	struct world *w = *state;
	struct quarantine *q = opened(w);
	struct error e;

	store(q, w, "idaaaaaa");
	assert_int_equal(release(q, 7), 0);
	assert_true(outcome(q, 7, 451, 451));
	assert_int_equal(quarantine_put_off(q, PN_STR_V("idaaaaaa"),
	    NOW + 60 * SECOND, &e), 0);
	assert_int_equal(next_try(q), 360);
	assert_int_equal(quarantine_put_off(q, PN_STR_V("idaaaaaa"),
	    NOW + 1000 * SECOND, &e), 0);
	assert_int_equal(next_try(q), -1);
	assert_state(q, "failed");
	quarantine_close(q);
}

/* ---- retention and quota ---- */

#define DAY_MS 86400000ull

static uint64_t
now_us(void)
{
	struct timespec now;

	assert_int_equal(clock_gettime(CLOCK_REALTIME, &now), 0);
	return (uint64_t)now.tv_sec * SECOND;
}

static int
store_in(struct quarantine *q, struct world *w, const char *id,
    const char *class_name, struct error *e)
{
	struct keep_job j = job_of(w, id);
	int fd = body_of(BODY), got;

	j.class_name = pn_str_of(class_name);
	got = quarantine_store(q, &j, fd, BODY.n, e);
	(void)close(fd);
	return got;
}

static bool
is_held(struct quarantine *q, const char *id)
{
	struct buf b = { 0 };
	struct error e;
	int got = quarantine_brief(q, pn_str_of(id), &b, &e);

	buf_fini(&b);
	assert_true(got >= 0);
	return got > 0;
}

/* With a clock that goes as it should. */
static int
expire(struct quarantine *q, uint64_t at_us, struct error *e)
{
	return quarantine_expire(q, at_us, at_us, e);
}

static void
each_class_is_kept_its_time(void **state)
{
	static const struct keeper_class classes[] = {
		{ "default", 30 * DAY_MS, 0, false },
		{ "spam", 7 * DAY_MS, 0, false } };
	struct keeper_settings s = settings;
	struct world *w = *state;
	struct quarantine *q = opened(w);
	struct error e;

	s.classes = classes;
	s.n_classes = 2;
	quarantine_use(q, &s);
	assert_int_equal(store_in(q, w, "idaaaaaa", "spam", &e), 0);
	assert_int_equal(store_in(q, w, "idbbbbbb", "spam", &e), 0);
	assert_int_equal(store_in(q, w, "idcccccc", "other", &e), 0);
	assert_int_equal(release_at(q, "idbbbbbb", 7, false, NOW), 0);
	assert_int_equal(expire(q, now_us() + 6 * DAY_MS * 1000, &e),
	    0);
	/* What is being released stays. */
	assert_int_equal(expire(q, now_us() + 8 * DAY_MS * 1000, &e),
	    1);
	assert_false(is_held(q, "idaaaaaa"));
	assert_false(world_has(w, FILE_A));
	assert_true(is_held(q, "idbbbbbb"));
	/* And what is tried again. */
	assert_int_equal(quarantine_lost(q, 7, true, NOW, &e), 0);
	assert_int_equal(expire(q, now_us() + 8 * DAY_MS * 1000, &e),
	    0);
	assert_int_equal(quarantine_put_off(q, PN_STR_V("idbbbbbb"),
	    NOW + 5000 * SECOND, &e), 0);
	assert_int_equal(expire(q, now_us() + 8 * DAY_MS * 1000, &e),
	    1);
	assert_int_equal(expire(q, now_us() + 31 * DAY_MS * 1000,
	    &e), 1);
	assert_false(is_held(q, "idcccccc"));
	assert_int_equal(expire(q, now_us() + 31 * DAY_MS * 1000,
	    &e), 0);
	quarantine_close(q);
}

/* Nobody knows which of the two times was the wrong one. */
static void
a_clock_that_jumps_deletes_nothing(void **state)
{
	static const struct keeper_class classes[] = {
		{ "default", 30 * DAY_MS, 0, false } };
	static const struct {
		uint64_t hours, steady_hours;
		int gone;
	} looks[] = { { 0, 0, 0 }, { 40 * 24, 1, 0 }, { 40 * 24 + 23, 24, 0 },
		{ 0, 25, 0 }, { 40 * 24, 26, 0 }, { 40 * 24 + 23, 49, 0 },
		{ 40 * 24 + 25, 51, 1 } };
	const uint64_t hour_us = 3600 * SECOND, begin_us = now_us();
	struct keeper_settings s = settings;
	struct world *w = *state;
	struct quarantine *q = opened(w);
	struct error e;

	s.classes = classes;
	s.n_classes = 1;
	quarantine_use(q, &s);
	assert_int_equal(store_in(q, w, "idaaaaaa", "default", &e), 0);
	for (size_t i = 0; i < PN_COUNT(looks); i++) {
		int gone = quarantine_expire(q,
		    begin_us + looks[i].hours * hour_us,
		    looks[i].steady_hours * hour_us, &e);

		if (gone != looks[i].gone)
			fail_msg("look %zu: %d", i, gone);
	}
	quarantine_close(q);
}

static void
more_than_a_slice_goes_bit_by_bit(void **state)
{
	struct world *w = *state;
	struct quarantine *q = opened(w);
	struct error e;
	int gone, all = 0;
	char id[32];

	for (int i = 0; i < QUARANTINE_SLICE + 5; i++) {
		(void)snprintf(id, sizeof(id), "id%06d", i);
		assert_int_equal(store_in(q, w, id, "spam", &e), 0);
	}
	while ((gone = expire(q, now_us() + 31 * DAY_MS * 1000,
	    &e)) > 0) {
		assert_true(gone <= QUARANTINE_SLICE);
		all += gone;
	}
	assert_int_equal(all, QUARANTINE_SLICE + 5);
	quarantine_close(q);
}

/* Nothing that is held goes without the operator's word: what is new waits at
 * its sender. What was released already makes room. */
static void
a_full_class_takes_no_more(void **state)
{
	const struct keeper_class classes[] = {
		{ "spam", 30 * DAY_MS, 2 * BODY.n, false } };
	struct keeper_settings s = settings;
	struct world *w = *state;
	struct quarantine *q = opened(w);
	struct quarantine_counts counts;
	struct error e;

	s.classes = classes;
	s.n_classes = 1;
	quarantine_use(q, &s);
	assert_int_equal(store_in(q, w, "idaaaaaa", "spam", &e), 0);
	assert_int_equal(store_in(q, w, "idbbbbbb", "spam", &e), 0);
	assert_int_equal(store_in(q, w, "idcccccc", "spam", &e), -1);
	assert_true(e.no_room);
	assert_non_null(strstr(e.text, "class spam is full"));
	assert_false(is_held(q, "idcccccc"));
	assert_int_equal(world_count(w, "quarantine/tmp", NULL), 0);
	assert_int_equal(store_in(q, w, "idbbbbbb", "spam", &e), 0); /* is there */
	assert_int_equal(store_in(q, w, "idcccccc", "other", &e), 0);
	quarantine_close(q);
	q = opened(w); /* what is used is known after a start */
	quarantine_use(q, &s);
	assert_int_equal(store_in(q, w, "iddddddd", "spam", &e), -1);
	assert_int_equal(release(q, 7), 0);
	assert_int_equal(store_in(q, w, "iddddddd", "spam", &e), -1);
	assert_true(outcome(q, 7, 250, 250));
	assert_int_equal(store_in(q, w, "iddddddd", "spam", &e), 0);
	assert_false(is_held(q, "idaaaaaa"));
	assert_true(is_held(q, "idbbbbbb"));
	quarantine_counted(q, &counts);
	assert_int_equal(counts.refused, 2);
	assert_int_equal(counts.dropped, 1);
	quarantine_close(q);
}

static void
a_class_may_drop_its_oldest(void **state)
{
	const struct keeper_class classes[] = {
		{ "default", 30 * DAY_MS, 2 * BODY.n + 1, true } };
	struct keeper_settings s = settings;
	struct world *w = *state;
	struct quarantine *q = opened(w);
	struct keep_job large = job_of(w, "idzzzzzz");
	char body[200] = { 0 };
	struct error e;
	int fd;

	s.classes = classes;
	s.n_classes = 1;
	quarantine_use(q, &s);
	assert_int_equal(store_in(q, w, "idaaaaaa", "spam", &e), 0);
	assert_int_equal(store_in(q, w, "idbbbbbb", "spam", &e), 0);
	assert_int_equal(store_in(q, w, "idcccccc", "spam", &e), 0);
	assert_false(is_held(q, "idaaaaaa"));
	assert_true(is_held(q, "idbbbbbb") && is_held(q, "idcccccc"));
	/* Larger than all there may be: nothing goes for it. */
	fd = body_of((struct pn_str){ body, sizeof(body) });
	large.class_name = PN_STR_V("spam");
	assert_int_equal(quarantine_store(q, &large, fd, sizeof(body), &e), -1);
	assert_true(e.no_room);
	assert_true(is_held(q, "idbbbbbb") && is_held(q, "idcccccc"));
	(void)close(fd);
	quarantine_close(q);
}

/* ---- files of before ---- */

/* The first version's index, and what was added to it since. */
static void
make_old_index(struct world *w, const char *added)
{
	sqlite3 *db;
	struct error e;

	assert_int_equal(db_open(&db, world_path(w, "index.db"), DB_EACH_COMMIT,
	    "CREATE TABLE quarantine("
	    " id TEXT PRIMARY KEY, time_us INTEGER NOT NULL,"
	    " state TEXT NOT NULL, job INTEGER NOT NULL DEFAULT 0, class TEXT,"
	    " rule TEXT, subject TEXT, size INTEGER NOT NULL, target TEXT,"
	    " path TEXT, address TEXT, local TEXT, domain TEXT, params TEXT,"
	    " client_ip TEXT, client_port INTEGER, client_name_state INTEGER,"
	    " client_name TEXT, client_reverse_name TEXT, helo TEXT,"
	    " helo_verb TEXT, tls_version TEXT, tls_cipher TEXT, login TEXT,"
	    " listener TEXT, trace TEXT);"
	    "INSERT INTO quarantine(id, time_us, state, class, size)"
	    " VALUES('idaaaaaa', 1, 'held', 'spam', 42);", &e), 0);
	if (added != NULL)
		assert_int_equal(db_run(db, &e, added, ""), 0);
	db_close(db);
}

static void
an_index_is_taken_over(struct world *w, const char *added)
{
	struct quarantine *q;
	struct keep_job j;
	int64_t n, bytes;
	struct error e;

	make_old_index(w, added);
	q = opened(w);
	assert_state(q, "held");
	assert_int_equal(quarantine_count(q, &n, &bytes, &e), 0);
	assert_int_equal(n, 1);
	assert_int_equal(bytes, 42);
	assert_int_equal(quarantine_job(q, PN_STR_V("idaaaaaa"), false, &j,
	    w->arena, &e), 1);
	assert_int_equal(release(q, 7), 0);
	quarantine_close(q);
}

static void
an_index_of_the_first_version_is_taken_over(void **state)
{
	an_index_is_taken_over(*state, NULL);
}

/* Its keeper was killed when it had one of the columns. */
static void
an_index_that_was_half_taken_over_is(void **state)
{
	an_index_is_taken_over(*state, "ALTER TABLE quarantine"
	    " ADD COLUMN tries INTEGER NOT NULL DEFAULT 0");
}

static void
lists_newest_first_in_pages(void **state)
{
	struct world *w = *state;
	struct quarantine *q = opened(w);
	struct buf b = { 0 };
	struct error e;

	store(q, w, "idaaaaaa");
	store(q, w, "idcccccc");
	store(q, w, "idbbbbbb");
	assert_int_equal(quarantine_list(q,
	    &(struct mail_query){ .limit = 2 }, &b, &e), 2);
	assert_true(buf_add(&b, "", 1));
	assert_true(strstr(buf_data(&b), "idcccccc") <
	    strstr(buf_data(&b), "idbbbbbb"));
	assert_null(strstr(buf_data(&b), "idaaaaaa"));
	buf_clear(&b);
	assert_int_equal(quarantine_list(q,
	    &(struct mail_query){ .limit = 2,
	    .before = PN_STR("idbbbbbb") }, &b, &e), 1);
	assert_true(buf_add(&b, "", 1));
	assert_non_null(strstr(buf_data(&b), "idaaaaaa"));
	assert_non_null(strstr(buf_data(&b), "\"params\":\"NOTIFY=NEVER\""));
	buf_fini(&b);
	quarantine_close(q);
}

/* bob@example.net to ada@ and eve@example.com, from 192.0.2.7, rule exe. */
static void
a_list_holds_what_is_meant(void **state)
{
	struct world *w = *state;
	struct quarantine *q = opened(w);
	const uint64_t now = now_us();
	const struct {
		struct mail_query x;
		int n;
	} cases[] = { { { .state = PN_STR("held") }, 2 },
		{ { .state = PN_STR("releasing") }, 1 },
		{ { .class_name = PN_STR("spam") }, 1 },
		{ { .class_name = PN_STR("spam"), .state = PN_STR("releasing") },
		    0 },
		{ { .rule = PN_STR("exe") }, 3 }, { { .rule = PN_STR("ex") }, 0 },
		{ { .from = PN_STR("BOB@example.net") }, 3 },
		{ { .from = PN_STR("@example.com") }, 0 },
		{ { .null_sender = true }, 0 },
		{ { .to = PN_STR("eve@example.com") }, 3 },
		{ { .to = PN_STR("@EXAMPLE.com") }, 3 },
		{ { .to = PN_STR("zoe@example.com") }, 0 },
		{ { .subject = PN_STR("rechnung f") }, 3 },
		{ { .subject = PN_STR("invoice") }, 0 },
		{ { .has_client = true, .client = world_net("192.0.2.0/24") }, 3 },
		{ { .has_client = true, .client = world_net("192.0.2.8") }, 0 },
		{ { .since_us = now + DAY_MS * 1000 }, 0 },
		{ { .until_us = now + DAY_MS * 1000 }, 3 },
		{ { .until_us = 1 }, 0 } };
	struct error e;

	store(q, w, "idaaaaaa");
	store(q, w, "idbbbbbb");
	assert_int_equal(store_in(q, w, "idcccccc", "spam", &e), 0);
	assert_int_equal(release(q, 7), 0);
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct mail_query x = cases[i].x;
		struct buf b = { 0 };
		int got;

		x.limit = 100;
		got = quarantine_list(q, &x, &b, &e);
		if (got != cases[i].n)
			fail_msg("case %zu: %d", i, got);
		buf_fini(&b);
	}
	quarantine_close(q);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_open, world_close)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(comes_back_whole),
		TEST(the_same_id_is_stored_once),
		TEST(refuses_what_it_cannot_keep),
		TEST(a_start_clears_what_was_never_promised),
		TEST(two_keepers_leave_each_other_alone),
		TEST(a_lost_index_costs_no_mail),
		TEST(deleted_is_gone),
		TEST(replies_decide_the_state),
		TEST(replies_may_come_in_parts),
		TEST(it_is_tried_again_until_its_time_is_over),
		TEST(a_further_try_leaves_last_words_alone),
		TEST(a_keeper_that_died_doubles_nothing),
		TEST(what_cannot_be_begun_is_put_off),
		TEST(each_class_is_kept_its_time),
		TEST(a_clock_that_jumps_deletes_nothing),
		TEST(more_than_a_slice_goes_bit_by_bit),
		TEST(a_full_class_takes_no_more),
		TEST(a_class_may_drop_its_oldest),
		TEST(an_index_of_the_first_version_is_taken_over),
		TEST(an_index_that_was_half_taken_over_is),
		TEST(lists_newest_first_in_pages),
		TEST(a_list_holds_what_is_meant),
	};

	return cmocka_run_group_tests_name("quarantine", tests, NULL, NULL);
}
