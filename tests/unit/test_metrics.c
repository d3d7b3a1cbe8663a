/* metrics: workers' counters added up, kept when a worker is gone, and the
 * text that Prometheus reads. */
#include "cm.h"

#include <stdio.h>

#include "keeper/http.h"
#include "keeper/metrics.h"
#include "keeper/ready.h"
#include "mail/keep.h"

static void
say(struct metrics_source *s, const char *name, const char *labels, bool gauge,
    int64_t value)
{
	struct buf b = { 0 };
	struct unpack u;
	struct error e;

	keep_stat_pack(&(struct keep_stat){ pn_str_of(name), pn_str_of(labels),
	    gauge, value }, &b);
	u = unpack_of(buf_data(&b), buf_len(&b));
	assert_int_equal(metrics_take(s, &u, &e), 0);
	buf_fini(&b);
}

static void
totals_never_go_back(void **state)
{
	struct metrics *m = metrics_new();
	struct metrics_source *a = metrics_source_new(m, 1, 1);
	struct metrics_source *b = metrics_source_new(m, 2, 1);

	(void)state;
	say(a, "messages_total", "action=\"accept\"", false, 3);
	say(a, "messages_total", "action=\"accept\"", false, 5);
	say(b, "messages_total", "action=\"accept\"", false, 10);
	say(b, "messages_total", "action=\"reject\"", false, 1);
	say(a, "sessions", "", true, 4);
	say(b, "sessions", "", true, 2);
	assert_int_equal(metrics_sum(m, "messages_total", ""), 16);
	assert_int_equal(metrics_sum(m, "messages_total", "accept"), 15);
	assert_int_equal(metrics_sum(m, "sessions", ""), 6);
	metrics_source_end(a);
	assert_int_equal(metrics_sum(m, "messages_total", "accept"), 15);
	assert_int_equal(metrics_sum(m, "sessions", ""), 2);
	a = metrics_source_new(m, 3, 2); /* forked again: from 0 */
	say(a, "messages_total", "action=\"accept\"", false, 1);
	assert_int_equal(metrics_sum(m, "messages_total", "accept"), 16);
	metrics_free(m);
}

static void
text_is_by_family(void **state)
{
	struct metrics *m = metrics_new();
	struct metrics_source *a = metrics_source_new(m, 1, 1);
	struct buf b = { 0 };

	(void)state;
	say(a, "rules_fired_total", "rule=\"x\"", false, 3);
	say(a, "sessions", "", true, 4);
	say(a, "rules_fired_total", "rule=\"a\"", false, 2);
	metrics_text(m, &b);
	assert_str(buf_str(&b),
	    "# HELP postern_rules_fired_total How often a rule fired.\n"
	    "# TYPE postern_rules_fired_total counter\n"
	    "postern_rules_fired_total{rule=\"a\"} 2\n"
	    "postern_rules_fired_total{rule=\"x\"} 3\n"
	    "# HELP postern_sessions Sessions that are open.\n"
	    "# TYPE postern_sessions gauge\n"
	    "postern_sessions 4\n"
	    "# HELP postern_series_dropped_total Values of workers' series "
	    "that had no room here.\n"
	    "# TYPE postern_series_dropped_total counter\n"
	    "postern_series_dropped_total 0\n");
	buf_fini(&b);
	metrics_free(m);
}

static void
a_frame_of_another_shape_is_refused(void **state)
{
	struct metrics *m = metrics_new();
	struct metrics_source *a = metrics_source_new(m, 1, 1);
	struct unpack u = unpack_of("\1\0\0\0", 4);
	struct error e;

	(void)state;
	assert_int_equal(metrics_take(a, &u, &e), -1);
	metrics_free(m);
}

static void
series_are_bounded(void **state)
{
	struct metrics *m = metrics_new();
	struct metrics_source *a = metrics_source_new(m, 1, 1);
	struct buf b = { 0 };
	char labels[32];

	(void)state;
	for (int i = 0; i <= METRICS_MAX; i++) {
		(void)snprintf(labels, sizeof(labels), "rule=\"%d\"", i);
		say(a, "rules_fired_total", labels, false, 1);
	}
	assert_int_equal(metrics_sum(m, "rules_fired_total", ""), METRICS_MAX);
	metrics_text(m, &b);
	assert_true(pn_str_ends(buf_str(&b),
	    PN_STR_V("postern_series_dropped_total 1\n")));
	buf_fini(&b);
	metrics_free(m);
}

static void
status_names_each_worker(void **state)
{
	struct metrics *m = metrics_new();
	struct metrics_source *a = metrics_source_new(m, 7, 3);
	struct buf b = { 0 };

	(void)state;
	say(a, "messages_total", "action=\"accept\"", false, 3);
	say(a, "messages_total", "action=\"tag\"", false, 1);
	say(a, "sessions", "", true, 2);
	metrics_json(m, &b);
	assert_str(buf_str(&b),
	    "\"workers\":[{\"worker\":7,\"generation\":3,\"sessions\":2,"
	    "\"sessions_total\":0,\"messages_total\":4,\"bytes_total\":0}],"
	    "\"series\":{\"messages_total{action=\\\"accept\\\"}\":3,"
	    "\"messages_total{action=\\\"tag\\\"}\":1,\"sessions\":2}");
	buf_fini(&b);
	metrics_free(m);
}

static void
a_disk_is_sick_before_it_is_full(void **state)
{
	static const struct {
		uint64_t room_mib, size_mib;
		bool well;
	} cases[] = { { 255, 1000, false }, { 256, 1000, true },
		{ 300, 100000, false }, { 1000, 100000, true },
		{ 10239, 10000000, false }, { 10240, 10000000, true },
		{ 0, 0, false } };

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct health x = { { 0 } };

		health_disk(&x, "/state", cases[i].room_mib << 20,
		    cases[i].size_mib << 20);
		assert_int_equal(buf_len(&x.reasons) == 0, cases[i].well);
		buf_fini(&x.reasons);
	}
}

static void
labels_are_read_one_by_one(void **state)
{
	static const char labels[] = "upstream=\"a\\\",state=\\\"b\","
	    "server=\"[::1]:25\",state=\"up\"";

	(void)state;
	assert_true(pn_str_eq(metrics_label_of(labels, "upstream"),
	    PN_STR_V("a\\\",state=\\\"b")));
	assert_true(pn_str_eq(
	    metrics_label_of(labels, "server"), PN_STR_V("[::1]:25")));
	assert_true(
	    pn_str_eq(metrics_label_of(labels, "state"), PN_STR_V("up")));
	assert_int_equal(metrics_label_of(labels, "tate").n, 0);
	assert_int_equal(metrics_label_of("", "state").n, 0);
}

static void
server(struct metrics_source *s, const char *upstream, const char *name,
    const char *state)
{
	static const char *const states[] = { "up", "away", "draining" };
	char labels[100];

	for (size_t i = 0; i < PN_COUNT(states); i++) {
		(void)snprintf(labels, sizeof(labels),
		    "upstream=\"%s\",server=\"%s\",state=\"%s\"", upstream,
		    name, states[i]);
		say(s, "upstream_servers", labels, true,
		    strcmp(states[i], state) == 0);
	}
}

static void
reasons_are(const struct metrics *m, const char *want)
{
	struct buf b = { 0 };

	ready_look(m, &b);
	assert_true(buf_add(&b, "", 1));
	assert_string_equal(buf_data(&b), want);
	buf_fini(&b);
}

static void
an_upstream_without_a_server_is_not_ready(void **state)
{
	struct metrics *m = metrics_new();
	struct metrics_source *a = metrics_source_new(m, 1, 1);
	struct metrics_source *b = metrics_source_new(m, 2, 1), *next;

	(void)state;
	reasons_are(m, "");
	server(a, "mta", "x:25", "up");
	server(a, "mta", "y:25", "away");
	server(a, "box", "z:25", "up");
	server(a, "old", "w:25", "draining");
	reasons_are(m, "upstream old: all its servers are draining\n");
	server(a, "old", "v:25", "up");
	server(b, "mta", "x:25", "away");
	server(b, "mta", "y:25", "away");
	reasons_are(m, ""); /* one worker reaches one of them */
	server(a, "mta", "x:25", "away");
	reasons_are(m, "upstream mta: all its servers are away\n");
	server(a, "box", "z:25", "");
	server(a, "old", "v:25", "");
	server(a, "old", "w:25", "away");
	reasons_are(m, "upstream mta: all its servers are away\n"
	    "upstream old: all its servers are away\n");
	/* What an earlier generation finds is not what serves. */
	next = metrics_source_new(m, 1, 2);
	reasons_are(m, "upstream mta: all its servers are away\n"
	    "upstream old: all its servers are away\n");
	server(next, "mta", "x:25", "up");
	server(next, "box", "z:25", "away");
	reasons_are(m, "upstream box: all its servers are away\n");
	metrics_source_end(a);
	metrics_source_end(b);
	reasons_are(m, "upstream box: all its servers are away\n");
	metrics_free(m);
}

static void
lookups(struct metrics_source *s, const char *state)
{
	say(s, "upstream_lookups", "upstream=\"world\",state=\"found\"", true,
	    strcmp(state, "found") == 0);
	say(s, "upstream_lookups", "upstream=\"world\",state=\"failing\"",
	    true, strcmp(state, "failing") == 0);
}

static void
the_world_is_ready_while_it_can_be_looked_up(void **state)
{
	struct metrics *m = metrics_new();
	struct metrics_source *a = metrics_source_new(m, 1, 1);
	struct metrics_source *b = metrics_source_new(m, 2, 1);

	(void)state;
	lookups(a, "");
	reasons_are(m, "");
	lookups(a, "found");
	lookups(b, "failing");
	reasons_are(m, ""); /* one worker finds them */
	lookups(a, "failing");
	reasons_are(m, "upstream world: no mail host can be looked up\n");
	server(a, "mta", "x:25", "away");
	reasons_are(m, "upstream mta: all its servers are away\n"
	    "upstream world: no mail host can be looked up\n");
	lookups(b, "");
	lookups(a, "");
	reasons_are(m, "upstream mta: all its servers are away\n");
	metrics_source_end(a);
	metrics_source_end(b);
	metrics_free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(totals_never_go_back),
		cmocka_unit_test(text_is_by_family),
		cmocka_unit_test(a_frame_of_another_shape_is_refused),
		cmocka_unit_test(series_are_bounded),
		cmocka_unit_test(status_names_each_worker),
		cmocka_unit_test(labels_are_read_one_by_one),
		cmocka_unit_test(an_upstream_without_a_server_is_not_ready),
		cmocka_unit_test(the_world_is_ready_while_it_can_be_looked_up),
		cmocka_unit_test(a_disk_is_sick_before_it_is_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
