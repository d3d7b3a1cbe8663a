/* maildir: octets, names, one copy a recipient, and no second one when the
 * same job comes again. */
#include "keeper_world.h"

#include "keeper/maildir.h"

static int
deliver(struct world *w, struct keep_job *j, struct pn_str body, bool again)
{
	int fd = body_of(body);
	struct error e = { .text = "" };
	int got = maildir_deliver(world_path(w, "box"), j, fd, body.n, again,
	    &e);

	(void)close(fd);
	return got;
}

static void
octets(void **state)
{
	static const struct {
		struct pn_str in, out;
	} cases[] = {
		{ PN_STR("A: b\r\n\r\nx\r\n"), PN_STR("A: b\n\nx\n") },
		{ PN_STR(""), PN_STR("") },
		{ PN_STR("no end"), PN_STR("no end") },
		{ PN_STR("a\rb\r\r\n\n\r"), PN_STR("a\rb\r\n\n\r") },
		{ PN_STR("nul \0.\r\n..\r\n"), PN_STR("nul \0.\n..\n") } };
	static const char fields[] = "Return-Path: <bob@example.net>\n"
	    "Delivered-To: eve@example.com\n";

	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct world *w = *state;
		struct keep_job j = job_of(w, "idaaaaaa");
		struct buf got = { 0 };
		char name[300] = "box/new/";

		TAILQ_FIRST(&j.envelope.rcpts)->accepted = false;
		j.envelope.n_accepted = 1;
		assert_int_equal(deliver(w, &j, cases[i].in, false), 0);
		assert_int_equal(world_count(w, "box/new", name + 8), 1);
		world_get(w, name, &got);
		assert_int_equal(buf_len(&got),
		    strlen(fields) + cases[i].out.n);
		assert_memory_equal(buf_data(&got), fields, strlen(fields));
		assert_memory_equal(buf_data(&got) + strlen(fields),
		    cases[i].out.p, cases[i].out.n);
		assert_int_equal(unlink(world_path(w, name)), 0);
		buf_fini(&got);
	}
}

/* A CR at the end of one chunk and its LF in the next. */
static void
chunks(void **state)
{
	struct world *w = *state;
	struct keep_job j = job_of(w, "idaaaaaa");
	size_t n = 3 * 65536 + 1;
	char *in = malloc(n);
	struct buf got = { 0 };
	char name[300] = "box/new/";

	for (size_t i = 0; i < n; i++)
		in[i] = i % 2 ? '\r' : '\n'; /* LF, then CRLF for ever */
	assert_int_equal(deliver(w, &j, (struct pn_str){ in, n }, false), 0);
	assert_int_equal(world_count(w, "box/new", name + 8), 2);
	world_get(w, name, &got);
	assert_null(memchr(buf_data(&got), '\r', buf_len(&got)));
	assert_int_equal(buf_len(&got), n / 2 + 1 +
	    strlen("Return-Path: <bob@example.net>\n"
	    "Delivered-To: ada@example.com\n"));
	buf_fini(&got);
	free(in);
}

static void
a_copy_each_and_no_second(void **state)
{
	struct world *w = *state;
	struct keep_job j = job_of(w, "idaaaaaa");
	struct pn_str body = PN_STR("A: b\r\n\r\n");
	char name[256], to[300];

	assert_int_equal(deliver(w, &j, body, false), 0);
	assert_int_equal(world_count(w, "box/new", name), 2);
	assert_int_equal(world_count(w, "box/tmp", NULL), 0);
	/* A reader takes one; the job comes again from a keeper that died. */
	(void)snprintf(to, sizeof(to), "box/cur/%s:2,S", name);
	assert_int_equal(rename(world_path(w, strcat(strcpy((char[300]){ 0 },
	    "box/new/"), name)), world_path(w, to)), 0);
	assert_int_equal(deliver(w, &j, body, true), 0);
	assert_int_equal(world_count(w, "box/new", NULL), 1);
	assert_int_equal(world_count(w, "box/cur", NULL), 1);
	/* Another message is another one. */
	j.id = PN_STR_V("idaaaaab");
	assert_int_equal(deliver(w, &j, body, false), 0);
	assert_int_equal(world_count(w, "box/new", NULL), 3);
}

/* A release to the one who has not got it does not take the other's copy for
 * hers; the same one named twice gets one. */
static void
copies_belong_to_recipients(void **state)
{
	struct world *w = *state;
	struct keep_job j = job_of(w, "idaaaaaa");
	struct pn_str body = PN_STR("A: b\r\n\r\n");
	struct rcpt *first = TAILQ_FIRST(&j.envelope.rcpts);

	first->accepted = false;
	j.envelope.n_accepted = 1;
	assert_int_equal(deliver(w, &j, body, false), 0);
	first->accepted = true;
	TAILQ_NEXT(first, next)->accepted = false;
	assert_int_equal(deliver(w, &j, body, false), 0);
	assert_int_equal(world_count(w, "box/new", NULL), 2);
	job_rcpt(&j, w->arena, "ada", "");
	j.id = PN_STR_V("idaaaaab");
	assert_int_equal(deliver(w, &j, body, false), 0);
	assert_int_equal(world_count(w, "box/new", NULL), 3);
	assert_int_equal(world_count(w, "box/tmp", NULL), 0);
}

static void
all_or_none(void **state)
{
	struct world *w = *state;
	struct keep_job j = job_of(w, "idaaaaaa");
	struct rcpt *last = TAILQ_LAST(&j.envelope.rcpts, rcpts);
	struct pn_str body = PN_STR("A: b\r\n\r\n");

	last->address = PN_STR_V("x@example.com\nBcc: all@example.com");
	assert_int_equal(deliver(w, &j, body, false), -1);
	assert_int_equal(world_count(w, "box/new", NULL), 0);
	assert_int_equal(world_count(w, "box/tmp", NULL), 0);
	last->address = last->path;
	j.id = PN_STR_V("../escape");
	assert_int_equal(deliver(w, &j, body, false), -1);
	/* What a dead keeper left in tmp is in nobody's way. */
	j.id = PN_STR_V("idaaaaaa");
	assert_int_equal(deliver(w, &j, body, false), 0);
	assert_int_equal(world_count(w, "box/new", NULL), 2);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_open, world_close)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(octets),
		TEST(chunks),
		TEST(a_copy_each_and_no_second),
		TEST(copies_belong_to_recipients),
		TEST(all_or_none),
	};

	return cmocka_run_group_tests_name("maildir", tests, NULL, NULL);
}
