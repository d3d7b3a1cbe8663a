/* mail: verdicts join in any order; envelopes and parcels come back whole. */
#include "cm.h"

#include <pthread.h>
#include <unistd.h>

#include "mail/parcel.h"
#include "mail/transaction.h"

static void
joining_is_commutative_and_idempotent(void **state)
{
	(void)state;
	for (int x = VERDICT_ACCEPT; x <= VERDICT_REJECT; x++)
		for (int y = VERDICT_ACCEPT; y <= VERDICT_REJECT; y++) {
			struct verdict a = { .action = x, .order = 1 };
			struct verdict b = { .action = y, .order = 2,
				.degraded = true };
			struct verdict ab = a, ba = b, aa = a;

			verdict_join(&ab, &b);
			verdict_join(&ba, &a);
			verdict_join(&aa, &a);
			assert_int_equal(ab.action, x > y ? x : y);
			assert_int_equal(ba.action, ab.action);
			assert_int_equal(ab.order, ba.order);
			assert_true(ab.degraded && ba.degraded);
			assert_int_equal(aa.action, a.action);
		}
}

static struct verdict
any_verdict(int i)
{
	return (struct verdict){ .action = VERDICT_TEMPFAIL + i % 3,
		.hold = i % 3 == 1 && i / 3 % 2,
		.order = (unsigned)(i / 6) };
}

/* tempfail, hold, quarantine, reject */
static int
strength(const struct verdict *v)
{
	return v->action == VERDICT_TEMPFAIL ? 1
	       : v->hold		     ? 2
	       : v->action == VERDICT_REJECT ? 4
					     : 3;
}

static bool
is_same(const struct verdict *a, const struct verdict *b)
{
	return a->action == b->action && a->hold == b->hold &&
	       a->order == b->order;
}

/* To hold is a weaker quarantine, wherever the rules stand. */
static void
a_hold_is_weaker_than_a_quarantine(void **state)
{
	(void)state;
	for (int x = 0; x < 18; x++)
		for (int y = 0; y < 18; y++)
			for (int z = 0; z < 18; z++) {
				struct verdict a = any_verdict(x);
				struct verdict b = any_verdict(y);
				struct verdict c = any_verdict(z);
				struct verdict l = a, r = b, turned = b;

				verdict_join(&l, &b);
				verdict_join(&turned, &a);
				assert_true(is_same(&l, &turned));
				verdict_join(&l, &c);
				verdict_join(&r, &c);
				verdict_join(&r, &a);
				assert_true(is_same(&l, &r));
				assert_int_equal(l.hold,
				    strength(&a) < 3 && strength(&b) < 3 &&
					strength(&c) < 3 &&
					(a.hold || b.hold || c.hold));
			}
}

static void
a_sender_is_set(void **state)
{
	static const struct {
		const char *address, *params, *want;
	} cases[] = {
		{ "new@x.example", "", "" },
		{ "", "SIZE=1 AUTH=<> RET=HDRS", "SIZE=1 RET=HDRS" },
		{ "\"a b\"@x.example", "AUTH=a+2Bb@x", "" },
		{ "n@x.example", "auth=x SIZE=5 BODY=8BITMIME  SMTPUTF8 ENVID=AUTH=",
		    "SIZE=5 BODY=8BITMIME SMTPUTF8 ENVID=AUTH=" },
	};

	(void)state;
	for (size_t i = 0; i < PN_COUNT(cases); i++) {
		struct arena *a = arena_new(4096);
		struct envelope e;

		envelope_init(&e);
		e.path = e.address = PN_STR_V("old@x.example");
		e.params = pn_str_of(cases[i].params);
		assert_int_equal(envelope_set_sender(
				     &e, a, pn_str_of(cases[i].address)),
		    0);
		assert_true(e.has_sender);
		assert_str(e.path, cases[i].address);
		assert_str(e.address, cases[i].address);
		assert_str(e.domain, i == 1 ? "" : "x.example");
		assert_str(e.params, cases[i].want);
		arena_free(a);
	}
}

static void
ids_differ_and_sort(void **state)
{
	char last[TRANSACTION_ID_MAX] = "", id[TRANSACTION_ID_MAX];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		transaction_new_id(id, 7);
		assert_true(strcmp(last, id) < 0);
		memcpy(last, id, sizeof(last));
	}
}

static void
a_macro_told_again_is_the_later_one(void **state)
{
	struct transaction *t = transaction_new();
	char name[] = "i";

	(void)state;
	assert_null(transaction_macro(t, PN_STR_V("i")));
	assert_int_equal(transaction_set_macro(t, pn_str_of(name),
			     PN_STR_V("4cXyZ")), 0);
	name[0] = 'j'; /* it was copied */
	assert_int_equal(transaction_set_macro(t, pn_str_of(name),
			     PN_STR_V("mx.example.com")), 0);
	assert_int_equal(
	    transaction_set_macro(t, PN_STR_V("i"), PN_STR_V("")), 0);
	assert_str(transaction_macro(t, PN_STR_V("j"))->value, "mx.example.com");
	assert_str(transaction_macro(t, PN_STR_V("i"))->value, "");
	assert_null(transaction_macro(t, PN_STR_V("I")));
	transaction_free(t);
}

static void
what_goes_on_is_what_others_made_of_it(void **state)
{
	static const struct spool_conf conf = { .dir = "/tmp", .max_memory = 1 << 20 };
	struct spool_pool *pool = spool_pool_new(&conf);
	struct transaction *t = transaction_new();

	(void)state;
	assert_null(transaction_message(t));
	t->spool = spool_new(pool);
	assert_ptr_equal(transaction_message(t), t->spool);
	t->changed = spool_new(pool);
	assert_ptr_equal(transaction_message(t), t->changed);
	transaction_free(t); /* both */
	spool_pool_free(pool);
}

/* One of those who write while others free what they have read. */
struct writer {
	pthread_t thread;
	struct spool_pool *pool;
	char mark;
	size_t wrong; /* bytes that were another's */
};

static size_t
count_wrong(struct spool *s, char mark, size_t n)
{
	size_t wrong = 0;
	struct pn_str piece;

	for (size_t at = 0; at < n; at += piece.n) {
		piece = spool_at(s, at);
		if (piece.n == 0)
			return wrong + n - at;
		for (size_t i = 0; i < piece.n; i++)
			wrong += piece.p[i] != mark;
	}
	return wrong;
}

static void *
write_messages(void *arg)
{
	static const size_t sizes[] = { 1, 16384, 16385, 200000, 500000 };
	struct writer *w = arg;
	char text[1000];
	struct error e;

	memset(text, w->mark, sizeof(text));
	for (int round = 0; round < 200; round++) {
		size_t n = sizes[(size_t)round % PN_COUNT(sizes)];
		struct spool *s = spool_new(w->pool);

		while (spool_size(s) < n)
			if (spool_append(s, (struct pn_str){ text,
				sizeof(text) }, &e) < 0)
				w->wrong++;
		w->wrong += count_wrong(s, w->mark, n);
		spool_free(s);
	}
	return NULL;
}

/* The large ones in a file, so that blocks come and go in any order. */
static void
threads_share_a_pool(void **state)
{
	static const struct spool_conf conf = { .dir = "/tmp", .max_memory = 300000 };
	struct spool_pool *pool = spool_pool_new(&conf);
	struct writer writers[3];

	(void)state;
	for (size_t i = 0; i < PN_COUNT(writers); i++) {
		writers[i] = (struct writer){ .pool = pool,
			.mark = (char)('a' + i) };
		assert_int_equal(pthread_create(&writers[i].thread, NULL,
				     write_messages, &writers[i]), 0);
	}
	for (size_t i = 0; i < PN_COUNT(writers); i++) {
		assert_int_equal(pthread_join(writers[i].thread, NULL), 0);
		assert_int_equal(writers[i].wrong, 0);
	}
	spool_pool_free(pool);
}

static int
write_bytes(struct spool *s, size_t n)
{
	static const char text[1000];
	struct error e;

	while (spool_size(s) < n)
		if (spool_append(s, (struct pn_str){ text, sizeof(text) }, &e) < 0)
			return -1;
	return 0;
}

/* There is nowhere to make a file, so what wants one fails. */
static void
large_messages_share_what_memory_there_is(void **state)
{
	static const struct spool_conf conf = { "/nowhere", 100000, 1 << 20 };
	struct spool_pool *pool = spool_pool_new(&conf);
	struct spool *one = spool_new(pool), *two = spool_new(pool);

	(void)state;
	assert_int_equal(write_bytes(one, 800000), 0);
	assert_int_equal(write_bytes(two, 90000), 0); /* its own share */
	assert_int_equal(write_bytes(two, 400000), -1);
	spool_free(two);
	two = spool_new(pool);
	spool_free(one);
	assert_int_equal(write_bytes(two, 400000), 0);
	spool_free(two);
	spool_pool_free(pool);
}

static void
a_parcel_holds_a_thousand_recipients(void **state)
{
	static const struct spool_conf conf = { .dir = "/tmp", .max_memory = 1 << 20 };
	struct spool_pool *pool = spool_pool_new(&conf);
	struct spool *s = spool_new(pool), *back;
	struct arena *a = arena_new(8 << 20);
	struct keep_job job = { .id = PN_STR("id1"), .rule = PN_STR("r") }, got;
	struct error e;
	struct rcpt *r;
	uint64_t size;
	int fd;

	(void)state;
	envelope_init(&job.envelope);
	job.envelope.path = PN_STR_V("ada@example.com");
	for (int i = 0; i < 1000; i++) {
		r = envelope_add_rcpt(&job.envelope, a);
		r->path = pn_str_of(arena_printf(a, "%0240d@example.org", i));
		r->params = PN_STR_V("NOTIFY=NEVER");
		r->accepted = i != 5;
		job.envelope.n_accepted += r->accepted;
	}
	assert_int_equal(spool_append(s, PN_STR_V("A: 1\r\n\r\n.x\r\n"), &e), 0);
	fd = parcel_from_spool(s, NULL, &job, &size, &e);
	assert_true(fd >= 0);
	assert_int_equal(size, spool_size(s));
	assert_int_equal(parcel_job(fd, size, &got, a, &e), 0);
	assert_str(got.id, "id1");
	assert_int_equal(got.envelope.n_accepted, 999);
	r = TAILQ_LAST(&got.envelope.rcpts, rcpts);
	assert_int_equal(r->path.n, 252);
	assert_str(r->params, "NOTIFY=NEVER");
	back = spool_from_fd(pool, fd, size, &e);
	assert_non_null(back);
	assert_true(spool_dotted(back));
	assert_str(spool_at(back, 0), "A: 1\r\n\r\n.x\r\n");
	assert_int_equal(parcel_job(fd, size + 1, &got, a, &e), -1);
	(void)close(fd);
	spool_free(back);
	spool_free(s);
	spool_pool_free(pool);
	arena_free(a);
}

/* A value_state; -1: nothing was said of it. */
static int
ask(const struct facts *f, uint32_t index, const char *key, unsigned nth,
    int64_t *number)
{
	struct value v = { .state = VALUE_ABSENT };

	if (!facts_nth(f, index, pn_str_of(key), nth, &v))
		return -1;
	*number = v.number;
	return (int)v.state;
}

static void
a_fact_has_a_value_a_key(void **state)
{
	enum { LISTED, SEEN, PLAIN, NONE, FACTS };
	struct value yes = { .state = VALUE_KNOWN, .type = VALUE_BOOL,
		.number = 1 };
	struct value no = yes, unknown = { .state = VALUE_UNKNOWN };
	struct arena *a = arena_new(1 << 16);
	struct facts f;
	int64_t n;

	(void)state;
	no.number = 0;
	assert_int_equal(facts_init(&f, a, FACTS), 0);
	assert_int_equal(facts_add(&f, LISTED, PN_STR_V("a.example"), &yes), 0);
	assert_int_equal(facts_add(&f, LISTED, PN_STR_V("b.example"), &no), 0);
	assert_int_equal(facts_add(&f, SEEN, PN_STR_V(""), &yes), 0);
	assert_int_equal(facts_add(&f, SEEN, PN_STR_V(""), &no), 0);
	assert_int_equal(facts_set(&f, PLAIN, &yes), 0);

	assert_int_equal(ask(&f, LISTED, "A.example", 0, &n), VALUE_KNOWN);
	assert_int_equal(n, 1);
	assert_int_equal(ask(&f, LISTED, "a.example", 1, &n), VALUE_ABSENT);
	assert_int_equal(ask(&f, LISTED, "b.example", 0, &n), VALUE_KNOWN);
	assert_int_equal(n, 0);
	assert_int_equal(ask(&f, LISTED, "c.example", 0, &n), VALUE_ABSENT);
	assert_int_equal(ask(&f, SEEN, "", 0, &n), VALUE_KNOWN);
	assert_int_equal(n, 0); /* in order, not as they came */
	assert_int_equal(ask(&f, SEEN, "", 1, &n), VALUE_KNOWN);
	assert_int_equal(n, 1);
	assert_int_equal(ask(&f, SEEN, "", 2, &n), VALUE_ABSENT);
	assert_int_equal(ask(&f, PLAIN, "", 0, &n), VALUE_KNOWN);
	assert_int_equal(ask(&f, PLAIN, "", 1, &n), VALUE_ABSENT);
	assert_int_equal(ask(&f, NONE, "", 0, &n), -1);

	/* Unknown at all: under the keys that were not told of. */
	assert_int_equal(facts_set(&f, LISTED, &unknown), 0);
	assert_int_equal(ask(&f, LISTED, "c.example", 0, &n), VALUE_UNKNOWN);
	assert_int_equal(ask(&f, LISTED, "c.example", 1, &n), VALUE_ABSENT);
	assert_int_equal(ask(&f, LISTED, "a.example", 0, &n), VALUE_KNOWN);

	facts_forget(&f, LISTED);
	assert_int_equal(ask(&f, LISTED, "a.example", 0, &n), -1);
	assert_int_equal(ask(&f, SEEN, "", 1, &n), VALUE_KNOWN);
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(joining_is_commutative_and_idempotent),
		cmocka_unit_test(a_macro_told_again_is_the_later_one),
		cmocka_unit_test(what_goes_on_is_what_others_made_of_it),
		cmocka_unit_test(a_hold_is_weaker_than_a_quarantine),
		cmocka_unit_test(a_sender_is_set),
		cmocka_unit_test(ids_differ_and_sort),
		cmocka_unit_test(threads_share_a_pool),
		cmocka_unit_test(large_messages_share_what_memory_there_is),
		cmocka_unit_test(a_parcel_holds_a_thousand_recipients),
		cmocka_unit_test(a_fact_has_a_value_a_key),
	};

	return cmocka_run_group_tests_name("mail", tests, NULL, NULL);
}
