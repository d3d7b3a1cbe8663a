/* history: batches, retention, traces; suspects and their day. */
#include "keeper_world.h"

#include "keeper/db.h"
#include "keeper/history.h"

#define DAY 86400000000ull
#define NOW (20000 * DAY)

static const struct history_limits month = { 30, 0 };

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

	return history_add(h, &u, true, &e);
}

static int64_t
count(struct history *h)
{
	struct error e;
	int64_t n, bytes;

	assert_int_equal(history_count(h, &n, &bytes, &e), 0);
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
	static const char *const ids[] = { "idaaaaaa", "idbbbbbb", "idcccccc" };
	struct history *h = opened(*state);

	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct buf b = { 0 };
		struct error e;

		pack(&b, ids[i], NOW, cases[i].stored);
		assert_int_equal(add(h, &b), 0);
		buf_clear(&b);
		assert_int_equal(history_show(h, pn_str_of(ids[i]), &b, &e),
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
	assert_int_equal(history_expire(h, &month, NOW, &e), 1);
	assert_int_equal(count(h), 2);
	assert_int_equal(history_expire(h, &month, NOW, &e), 0);
	buf_fini(&b);
	history_close(h);
}

/* The file stays under its cap whatever the days say, the newest in it. */
static void
the_oldest_go_when_the_file_is_full(void **state)
{
	static const struct history_limits small = { 30, 1 << 20 };
	struct history *h = opened(*state);
	char trace[2048], id[32];
	struct buf b = { 0 };
	struct error e;
	int64_t n, bytes;
	int gone = 0, got;

	memset(trace, 'x', sizeof(trace) - 1);
	trace[sizeof(trace) - 1] = '\0';
	for (int i = 0; i < 5000; i++) {
		(void)snprintf(id, sizeof(id), "id%06d", i);
		pack(&b, id, NOW + (uint64_t)i, trace);
	}
	assert_int_equal(add(h, &b), 0);
	while ((got = history_expire(h, &small, NOW, &e)) > 0) {
		assert_true(got <= HISTORY_SLICE);
		gone += got;
	}
	assert_int_equal(got, 0);
	assert_int_equal(history_count(h, &n, &bytes, &e), 0);
	assert_int_equal(n, 5000 - gone);
	assert_true(bytes <= 1 << 20);
	buf_clear(&b);
	assert_int_equal(history_show(h, PN_STR_V("id000000"), &b, &e), 0);
	buf_fini(&b);
	history_close(h);
}

/* ---- searching ---- */

static struct keep_summary
line(const char *id, uint64_t time_us)
{
	return (struct keep_summary){ .id = pn_str_of(id), .time_us = time_us,
		.action = PN_STR("accept"), .code = 250,
		.client_ip = PN_STR("192.0.2.7"), .sender = PN_STR("bob@x.org"),
		.rcpts = PN_STR("Ada@Example.com,eve@x.org"), .size = 42,
		.policy = PN_STR("default"), .subject = PN_STR("Hello World") };
}

static void
add_lines(struct history *h, const struct keep_summary *lines, size_t n)
{
	struct buf b = { 0 };

	for (size_t i = 0; i < n; i++)
		keep_summary_pack(&lines[i], &b);
	assert_int_equal(add(h, &b), 0);
	buf_fini(&b);
}

/* The ids found, the newest first, "+" behind them when there are more. */
static const char *
found(struct history *h, struct mail_query q)
{
	static char ids[256];
	struct error e = { .text = "" };
	struct history_search *x;
	struct buf b = { 0 };
	const char *at;
	int got;

	q.limit = q.limit ? q.limit : 100;
	x = history_search_new(h, &q, &e);
	assert_non_null(x);
	while ((got = history_search_step(x, &b, &e)) > 0)
		;
	if (got < 0)
		fail_msg("%s", e.text);
	ids[0] = '\0';
	assert_true(buf_add(&b, "", 1));
	for (at = strstr(buf_data(&b), "\"id\":\""); at != NULL;
	     at = strstr(at + 1, "\"id\":\""))
		(void)sprintf(ids + strlen(ids), "%s%c", ids[0] ? " " : "",
		    at[strlen("\"id\":\"idaaaaa")]);
	if (history_search_more(x))
		(void)strcat(ids, "+");
	history_search_free(x);
	buf_fini(&b);
	return ids;
}

static void
a_search_finds_what_is_meant(void **state)
{
	struct history *h = opened(*state);
	struct keep_summary l[] = { line("idaaaaaa", NOW),
		line("idaaaaab", NOW + 1), line("idaaaaac", NOW + 1),
		line("idaaaaad", NOW + 2), line("idaaaaae", NOW + 3) };
	const struct {
		struct mail_query q;
		const char *ids;
	} cases[] = {
		{ { .limit = 100 }, "e d c b a" },
		{ { .limit = 2 }, "e d+" },
		{ { .limit = 5 }, "e d c b a" },
		{ { .limit = 2, .before = PN_STR("idaaaaad") }, "c b+" },
		{ { .limit = 2, .before = PN_STR("idaaaaac") }, "b a" },
		{ { .before = PN_STR("idaaaaaa") }, "" },
		{ { .before = PN_STR("idnobody") }, "" },
		{ { .since_us = NOW + 2 }, "e d" },
		{ { .until_us = NOW + 2 }, "c b a" },
		{ { .since_us = NOW + 1, .until_us = NOW + 2 }, "c b" },
		{ { .until_us = NOW + 2, .before = PN_STR("idaaaaae") },
		    "c b a" },
		{ { .from = PN_STR("BOB@x.org") }, "e d c b" },
		{ { .from = PN_STR("@X.org") }, "e d c b" },
		{ { .from = PN_STR("@org") }, "" },
		{ { .null_sender = true }, "a" },
		{ { .to = PN_STR("ada@example.com") }, "e d b a" },
		{ { .to = PN_STR("@x.org") }, "e d c b a" },
		{ { .to = PN_STR("example.com") }, "" },
		{ { .to = PN_STR("zoe@x.org") }, "c" },
		{ { .action = PN_STR("reject") }, "d" },
		{ { .rule = PN_STR("exe"), .action = PN_STR("accept") }, "" },
		{ { .rule = PN_STR("exe") }, "d" },
		{ { .policy = PN_STR("sales") }, "b" },
		{ { .would = PN_STR("reject") }, "b" },
		{ { .rule = PN_STR("trial") }, "b" },
		{ { .upstream = PN_STR("mta") }, "e d" },
		{ { .upstream = PN_STR("mt") }, "" },
		{ { .server = PN_STR("Mx.example") }, "e" },
		{ { .server = PN_STR("192.0.2.1"), .upstream = PN_STR("mta") },
		    "e d" },
		{ { .subject = PN_STR("o w") }, "d c b a" },
		{ { .subject = PN_STR("RECHNUNG") }, "e" },
		{ { .has_client = true, .client = world_net("192.0.2.7") }, "e d c b" },
		{ { .has_client = true, .client = world_net("192.0.2.0/24") },
		    "e d c b" },
		{ { .has_client = true, .client = world_net("2001:db8::/31") }, "a" },
		{ { .has_client = true, .client = world_net("::/0") }, "e d c b a" },
	};

	l[0].sender = PN_STR_V("");
	l[0].client_ip = PN_STR_V("2001:db9::1");
	l[1].policy = PN_STR_V("sales");
	l[1].would = PN_STR_V("reject");
	l[1].would_rule = PN_STR_V("trial");
	l[2].rcpts = PN_STR_V("zoe@x.org");
	l[3].action = PN_STR_V("reject");
	l[3].rule = PN_STR_V("exe");
	l[3].upstream = PN_STR_V("mta");
	l[3].server = PN_STR_V("192.0.2.1:25");
	l[4].upstream = PN_STR_V("mta");
	l[4].server = PN_STR_V("mx.example[192.0.2.1]:25");
	l[4].subject = PN_STR_V("Ihre Rechnung");
	add_lines(h, l, PN_COUNT(l));
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		const char *got = found(h, cases[i].q);

		if (strcmp(got, cases[i].ids) != 0)
			fail_msg("case %zu: \"%s\", not \"%s\"", i, got,
			    cases[i].ids);
	}
	history_close(h);
}

/* More lines than a slice holds, and what is looked for is the oldest. */
static void
a_search_goes_on_from_slice_to_slice(void **state)
{
	struct history *h = opened(*state);
	struct buf b = { 0 };
	char id[32];

	for (int i = 0; i < 20000; i++) {
		struct keep_summary s;

		(void)snprintf(id, sizeof(id), "ix%06d", i);
		s = line(i == 0 ? "idaaaaaz" : id, NOW + (uint64_t)i / 7);
		s.rule = i == 0 ? PN_STR_V("rare") : PN_STR_V("");
		keep_summary_pack(&s, &b);
	}
	assert_int_equal(add(h, &b), 0);
	buf_fini(&b);
	assert_string_equal(found(h, (struct mail_query){
	    .rule = PN_STR("rare") }), "z");
	history_close(h);
}

static void
a_score_is_a_number_or_null(void **state)
{
	struct history *h = opened(*state);
	struct keep_summary l[] = { line("idaaaaaa", NOW),
		line("idbbbbbb", NOW) };
	struct buf b = { 0 };
	struct error e;

	l[0].scored = true;
	l[0].score = -3;
	l[0].would = PN_STR_V("reject");
	l[0].would_rule = PN_STR_V("trial");
	add_lines(h, l, PN_COUNT(l));
	assert_int_equal(history_show(h, PN_STR_V("idaaaaaa"), &b, &e), 1);
	assert_int_equal(history_show(h, PN_STR_V("idbbbbbb"), &b, &e), 1);
	assert_true(buf_add(&b, "", 1));
	assert_non_null(strstr(buf_data(&b), "\"subject\":\"Hello World\","
	    "\"policy\":\"default\","));
	assert_non_null(strstr(buf_data(&b), "\"score\":-3,"));
	assert_non_null(strstr(buf_data(&b), "\"would\":\"reject\","
	    "\"would_rule\":\"trial\","));
	assert_non_null(strstr(buf_data(&b), "\"would\":\"\","));
	assert_non_null(strstr(buf_data(&b), "\"score\":null,"));
	buf_fini(&b);
	history_close(h);
}

/* ---- privacy ---- */

static void
without_text_nothing_of_the_message_stays(void **state)
{
	static const char secret[] = "{\"id\":\"x\",\"sender\":\"bob@x.org\","
	    "\"verdict\":{\"rule\":\"exe\",\"text\":\"no SECRET.exe\"},"
	    "\"facts\":{\"subject\":\"SECRET\",\"size\":42},"
	    "\"found\":[{\"part\":1,\"part.name\":\"SECRET.exe\"}],"
	    "\"stages\":[{\"stage\":\"message\",\"rules\":[{\"rule\":\"exe\","
	    "\"result\":\"fired\",\"when\":{\"test\":\"part.ext in x\","
	    "\"value\":\"SECRET\",\"captures\":{\"nr\":\"SECRET\"}}}]}]}";
	struct history *h = opened(*state);
	struct keep_summary s = line("idaaaaaa", NOW);
	struct buf b = { 0 };
	struct unpack u;
	struct error e;

	s.trace = pn_str_of(secret);
	s.subject = PN_STR_V("SECRET");
	keep_summary_pack(&s, &b);
	u = unpack_of(buf_data(&b), buf_len(&b));
	assert_int_equal(history_add(h, &u, false, &e), 0);
	buf_clear(&b);
	assert_int_equal(history_show(h, PN_STR_V("idaaaaaa"), &b, &e), 1);
	assert_true(buf_add(&b, "", 1));
	assert_null(strstr(buf_data(&b), "SECRET"));
	assert_non_null(strstr(buf_data(&b), "\"value\":\"(6 bytes)\""));
	assert_non_null(strstr(buf_data(&b), "\"size\":42"));
	assert_non_null(strstr(buf_data(&b), "\"test\":\"part.ext in x\""));
	assert_non_null(strstr(buf_data(&b), "\"sender\":\"bob@x.org\""));
	buf_fini(&b);
	history_close(h);
}

/* ---- files of before ---- */

static void
a_file_of_the_first_version_is_taken_over(void **state)
{
	struct world *w = *state;
	struct history *h;
	struct buf b = { 0 };
	sqlite3 *db;
	struct error e;

	assert_int_equal(db_open(&db, world_path(w, "history.db"),
	    DB_CHECKPOINTS, "CREATE TABLE history("
	    " id TEXT PRIMARY KEY, time_us INTEGER NOT NULL, action TEXT,"
	    " rule TEXT, code INTEGER, client TEXT, sender TEXT,"
	    " recipients TEXT, size INTEGER, trace TEXT) WITHOUT ROWID;"
	    "INSERT INTO history VALUES('idaaaaaa', 1, 'reject', 'exe', 550,"
	    " '192.0.2.7', 'bob@x', 'ada@x', 42, '[1]');"
	    "INSERT INTO history VALUES('idbbbbbb', 2, 'accept', '', 250,"
	    " '192.0.2.7', 'bob@x', 'ada@x', 42, '');", &e), 0);
	db_close(db);
	h = opened(w);
	history_close(h);
	h = opened(w); /* once is enough */
	assert_int_equal(count(h), 2);
	assert_int_equal(history_show(h, PN_STR_V("idaaaaaa"), &b, &e), 1);
	assert_int_equal(history_show(h, PN_STR_V("idbbbbbb"), &b, &e), 1);
	assert_true(buf_add(&b, "", 1));
	assert_non_null(strstr(buf_data(&b), "\"trace\":[1]"));
	assert_non_null(strstr(buf_data(&b), "\"trace\":null"));
	assert_non_null(strstr(buf_data(&b), "\"would\":\"\""));
	assert_non_null(strstr(buf_data(&b), "\"upstream\":\"\""));
	assert_string_equal(found(h, (struct mail_query){ .limit = 9 }),
	    "b a");
	buf_fini(&b);
	history_close(h);
}

/* The one that did not know where a message went. */
static void
a_file_of_a_later_version_is_taken_over(void **state)
{
	struct world *w = *state;
	struct keep_summary l = line("idbbbbbb", 2);
	struct buf b = { 0 };
	struct history *h;
	struct error e;
	sqlite3 *db;

	assert_int_equal(db_open(&db, world_path(w, "history.db"),
	    DB_CHECKPOINTS, "CREATE TABLE history("
	    " id TEXT PRIMARY KEY, time_us INTEGER NOT NULL, action TEXT,"
	    " rule TEXT, code INTEGER, client TEXT, sender TEXT,"
	    " recipients TEXT, size INTEGER, subject TEXT, policy TEXT,"
	    " score INTEGER, would TEXT, would_rule TEXT) WITHOUT ROWID;"
	    "INSERT INTO history VALUES('idaaaaaa', 1, 'reject', 'exe', 550,"
	    " '192.0.2.7', 'bob@x', 'ada@x', 42, 'x', 'p', 3, 'tag', 'r');",
	    &e), 0);
	db_close(db);
	h = opened(w);
	history_close(h);
	h = opened(w); /* once is enough */
	l.upstream = PN_STR_V("mta");
	l.server = PN_STR_V("192.0.2.1:25");
	add_lines(h, &l, 1);
	assert_int_equal(history_show(h, PN_STR_V("idaaaaaa"), &b, &e), 1);
	assert_true(buf_add(&b, "", 1));
	assert_non_null(strstr(buf_data(&b), "\"would_rule\":\"r\","
	    "\"upstream\":\"\",\"server\":\"\",\"time_us\":1,"));
	buf_clear(&b);
	assert_int_equal(history_show(h, PN_STR_V("idbbbbbb"), &b, &e), 1);
	assert_true(buf_add(&b, "", 1));
	assert_non_null(strstr(buf_data(&b), "\"upstream\":\"mta\","
	    "\"server\":\"192.0.2.1:25\",\"time_us\":2,"));
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
	assert_int_equal(history_expire(h, &month, NOW + DAY, &e), 0);
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
		TEST(the_oldest_go_when_the_file_is_full),
		TEST(a_search_finds_what_is_meant),
		TEST(a_search_goes_on_from_slice_to_slice),
		TEST(a_score_is_a_number_or_null),
		TEST(without_text_nothing_of_the_message_stays),
		TEST(a_file_of_the_first_version_is_taken_over),
		TEST(a_file_of_a_later_version_is_taken_over),
		TEST(suspects_live_a_day),
	};

	return cmocka_run_group_tests_name("history", tests, NULL, NULL);
}
