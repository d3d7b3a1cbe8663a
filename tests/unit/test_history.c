/* history: batches, retention, traces; suspects and their day. */
#include "keeper_world.h"

#include "keeper/history.h"

#define DAY 86400000000ull
#define NOW (20000 * DAY)

static struct history *
opened(struct world *w)
{
	struct error e = { .text = "" };
	struct history *h = history_open(w->dir, &e);

	if (h == NULL)
		fail_msg("%s", e.text);
	return h;
}

static void
pack(struct buf *b, const char *id, uint64_t time_us, const char *trace)
{
	struct keep_summary s = { .id = pn_str_of(id), .time_us = time_us,
		.action = PN_STR("reject"), .rule = PN_STR("exe"), .code = 550,
		.client_ip = PN_STR("192.0.2.7"), .sender = PN_STR("bob@x"),
		.rcpts = PN_STR("ada@x,eve@x"), .size = 42,
		.trace = pn_str_of(trace) };

	keep_summary_pack(&s, b);
}

static int
add(struct history *h, const struct buf *b)
{
	struct unpack u = unpack_of(buf_data(b), buf_len(b));
	struct error e;

	return history_add(h, &u, &e);
}

static int64_t
count(struct history *h)
{
	struct error e;
	int64_t n;

	assert_int_equal(history_count(h, &n, &e), 0);
	return n;
}

static void
a_batch_is_all_or_nothing(void **state)
{
	struct history *h = opened(*state);
	struct buf b = { 0 };

	pack(&b, "idaaaaaa", NOW, "[]");
	pack(&b, "idbbbbbb", NOW, "");
	assert_int_equal(add(h, &b), 0);
	assert_int_equal(count(h), 2);
	assert_int_equal(add(h, &b), 0); /* sent again */
	assert_int_equal(count(h), 2);
	buf_clear(&b);
	pack(&b, "idcccccc", NOW, "");
	pack(&b, "iddddddd", NOW, "");
	b.end -= 3;
	assert_int_equal(add(h, &b), -1);
	assert_int_equal(count(h), 2);
	buf_fini(&b);
	history_close(h);
}

static void
shows_the_trace(void **state)
{
	static const struct {
		const char *stored, *shown;
	} cases[] = { { "[{\"rule\":1}]", "\"trace\":[{\"rule\":1}]}" },
		{ "", "\"trace\":null}" },
		{ "}\n{ no json", "\"trace\":\"}\\u000a{ no json\"}" } };
	struct history *h = opened(*state);

	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct buf b = { 0 };
		struct error e;

		pack(&b, "idaaaaaa", NOW, cases[i].stored);
		assert_int_equal(add(h, &b), 0);
		buf_clear(&b);
		assert_int_equal(history_show(h, PN_STR_V("idaaaaaa"), &b, &e),
		    1);
		assert_true(buf_add(&b, "", 1));
		assert_non_null(strstr(buf_data(&b), "\"code\":550,"));
		assert_non_null(strstr(buf_data(&b), cases[i].shown));
		assert_int_equal(history_show(h, PN_STR_V("idnobody"), &b, &e),
		    0);
		buf_fini(&b);
	}
	history_close(h);
}

static void
old_lines_go(void **state)
{
	struct history *h = opened(*state);
	struct buf b = { 0 };
	struct error e;

	pack(&b, "idaaaaaa", NOW - 31 * DAY, "");
	pack(&b, "idbbbbbb", NOW - 29 * DAY, "");
	pack(&b, "idcccccc", NOW, "");
	assert_int_equal(add(h, &b), 0);
	assert_int_equal(history_expire(h, 30, NOW, &e), 1);
	assert_int_equal(count(h), 2);
	assert_int_equal(history_expire(h, 30, NOW, &e), 0);
	buf_fini(&b);
	history_close(h);
}

static uint32_t
suspect(struct history *h, unsigned char first, bool counting, uint64_t now)
{
	unsigned char key[SUSPECT_KEY] = { first };
	uint32_t times = 99;
	struct error e;

	assert_int_equal(suspect_count(h, key, counting, now, &times, &e), 0);
	return times;
}

static void
suspects_live_a_day(void **state)
{
	struct history *h = opened(*state);
	struct error e;

	assert_int_equal(suspect(h, 1, false, NOW), 0);
	assert_int_equal(suspect(h, 1, true, NOW), 1);
	assert_int_equal(suspect(h, 1, true, NOW + DAY / 2), 2);
	assert_int_equal(suspect(h, 2, true, NOW), 1);
	history_close(h); /* a keeper that starts anew knows them */
	h = opened(*state);
	assert_int_equal(suspect(h, 1, true, NOW + DAY - 1), 3);
	assert_int_equal(suspect(h, 1, false, NOW + DAY - 1), 3);
	assert_int_equal(suspect(h, 1, false, NOW + DAY), 0);
	assert_int_equal(history_expire(h, 30, NOW + DAY, &e), 0);
	assert_int_equal(suspect(h, 1, false, NOW + DAY - 1), 0);
	assert_int_equal(suspect(h, 1, true, NOW + DAY), 1);
	history_close(h);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_open, world_close)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_batch_is_all_or_nothing),
		TEST(shows_the_trace),
		TEST(old_lines_go),
		TEST(suspects_live_a_day),
	};

	return cmocka_run_group_tests_name("history", tests, NULL, NULL);
}
