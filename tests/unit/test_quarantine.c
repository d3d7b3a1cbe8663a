/* quarantine: what is stored comes back whole; what a crash leaves is put
 * right; releases move through their states. Real SQLite in a folder. */
#include "keeper_world.h"

#include "keeper/quarantine.h"

#define BODY PN_STR_V("Subject: x\r\n\r\n.dot\r\nnul \0 byte\r\n")
#define FILE_A "quarantine/idaa/idaaaaaa.eml"

static struct quarantine *
opened(struct world *w)
{
	struct error e = { .text = "" };
	struct quarantine *q = quarantine_open(w->dir, &e);

	if (q == NULL)
		fail_msg("%s", e.text);
	return q;
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
	assert_int_equal(quarantine_job(q, want.id, &got, w->arena, &e), 1);
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
	assert_int_equal(quarantine_release(old, PN_STR_V("idaaaaaa"), 7, &e),
	    0);
	world_put(w, "quarantine/tmp/idcccccc", "being written");
	world_put(w, "quarantine/idaa/idaazzzz.eml", "its row comes next");
	q = opened(w);
	assert_int_equal(quarantine_recover(q, &e), 0);
	assert_true(world_has(w, "quarantine/tmp/idcccccc"));
	assert_true(world_has(w, "quarantine/idaa/idaazzzz.eml"));
	assert_state(q, "releasing");
	store(q, w, "idbbbbbb");
	assert_int_equal(quarantine_release(q, PN_STR_V("idbbbbbb"),
	    (uint64_t)INT64_MAX, &e), 0);
	quarantine_close(old);
	assert_int_equal(quarantine_recover(q, &e), 1);
	assert_false(world_has(w, "quarantine/tmp/idcccccc"));
	assert_false(world_has(w, "quarantine/idaa/idaazzzz.eml"));
	assert_state(q, "unknown");
	/* Its own release goes on. */
	assert_int_equal(quarantine_release(q, PN_STR_V("idbbbbbb"), 8, &e),
	    -1);
	quarantine_close(q);
}

static void
a_lost_index_costs_no_mail(void **state)
{
	struct world *w = *state;
	struct quarantine *q = opened(w);

	store(q, w, "idaaaaaa");
	quarantine_close(q);
	assert_int_equal(unlink(world_path(w, "index.db")), 0);
	q = opened(w);
	assert_true(world_has(w, FILE_A));
	quarantine_close(q);
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
	assert_int_equal(quarantine_job(q, id, &j, w->arena, &e), 0);
	assert_int_equal(quarantine_delete(q, id, &e), 0);
	quarantine_close(q);
}

static bool
outcome(struct quarantine *q, uint64_t job, int ada, int eve)
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
	assert_int_equal(quarantine_outcome(q, job, &o, &finished, &e), 0);
	return finished;
}

static unsigned
to_release(struct quarantine *q, struct world *w)
{
	struct keep_job j;
	struct error e;

	assert_int_equal(quarantine_job(q, PN_STR_V("idaaaaaa"), &j, w->arena,
	    &e), 1);
	return j.envelope.n_accepted;
}

static void
replies_decide_the_state(void **state)
{
	static const struct {
		int ada, eve;
		const char *then;
		unsigned left; /* recipients of the next release */
	} cases[] = { { 250, 250, "released", 0 }, { 250, 451, "held", 1 },
		{ 550, 250, "refused", 1 }, { 550, 451, "held", 2 },
		{ 250, 0, "unknown", 1 }, { 0, 451, "unknown", 2 } };
	struct pn_str id = PN_STR("idaaaaaa");
	struct error e;

	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct world *w = *state;
		struct quarantine *q = opened(w);

		store(q, w, "idaaaaaa");
		assert_int_equal(quarantine_release(q, id, 7, &e), 0);
		assert_state(q, "releasing");
		assert_int_equal(quarantine_release(q, id, 8, &e), -1);
		assert_int_equal(quarantine_delete(q, id, &e), -1);
		assert_true(outcome(q, 7, cases[i].ada, cases[i].eve));
		assert_state(q, cases[i].then);
		assert_int_equal(to_release(q, w), cases[i].left);
		assert_int_equal(quarantine_delete(q, id, &e), 1);
		quarantine_close(q);
	}
}

static void
replies_may_come_in_parts(void **state)
{
	struct world *w = *state;
	struct quarantine *q = opened(w);
	struct pn_str id = PN_STR("idaaaaaa");
	struct error e;

	store(q, w, "idaaaaaa");
	assert_int_equal(quarantine_release(q, id, 7, &e), 0);
	assert_false(outcome(q, 7, -1, 250));
	assert_state(q, "releasing");
	assert_true(outcome(q, 7, 250, 250));
	assert_state(q, "released");
	assert_int_equal(quarantine_release(q, id, 8, &e), -1);
	quarantine_close(q);
}

static void
a_keeper_that_died_doubles_nothing(void **state)
{
	struct world *w = *state;
	struct quarantine *q = opened(w);
	struct pn_str id = PN_STR("idaaaaaa");
	struct error e;

	store(q, w, "idaaaaaa");
	assert_int_equal(quarantine_release(q, id, 7, &e), 0);
	quarantine_close(q);
	q = opened(w);
	assert_state(q, "unknown");
	/* The worker lives and tells the new keeper after all. */
	assert_true(outcome(q, 7, 250, 451));
	assert_state(q, "held");
	/* Released again: the late answer to the first is nobody's. */
	assert_int_equal(quarantine_release(q, id, 8, &e), 0);
	assert_true(outcome(q, 7, 250, 250));
	assert_state(q, "releasing");
	assert_int_equal(quarantine_lost(q, 8, &e), 0);
	assert_state(q, "unknown");
	assert_int_equal(to_release(q, w), 1);
	assert_int_equal(quarantine_release(q, id, 9, &e), 0);
	quarantine_close(q);
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
	assert_int_equal(quarantine_list(q, PN_STR_V(""), 2, &b, &e), 2);
	assert_true(buf_add(&b, "", 1));
	assert_true(strstr(buf_data(&b), "idcccccc") <
	    strstr(buf_data(&b), "idbbbbbb"));
	assert_null(strstr(buf_data(&b), "idaaaaaa"));
	buf_clear(&b);
	assert_int_equal(quarantine_list(q, PN_STR_V("idbbbbbb"), 2, &b, &e), 1);
	assert_true(buf_add(&b, "", 1));
	assert_non_null(strstr(buf_data(&b), "idaaaaaa"));
	assert_non_null(strstr(buf_data(&b), "\"params\":\"NOTIFY=NEVER\""));
	buf_fini(&b);
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
		TEST(a_keeper_that_died_doubles_nothing),
		TEST(lists_newest_first_in_pages),
	};

	return cmocka_run_group_tests_name("quarantine", tests, NULL, NULL);
}
